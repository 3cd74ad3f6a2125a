#!/usr/bin/env bash
# Prunes the bundled model at 20 % and at 50 % and shows what that costs in perplexity, with the
# bias compensation and without. The result stays in the folder named by the first argument
# (default: a new temporary folder).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
deploy/setup.sh

flap=.build/release/flap-coord
model=deploy/demo/model
work=${1:-$(mktemp -d -t flap-demo.XXXXXX)}
mkdir -p "$work"

perplexity() { "$flap" eval --quiet --json --model "$1" --data $model/test.npy | sed -E 's/.*"perplexity":([0-9]+\.[0-9]{3}).*/\1/'; }

"$flap" calibrate --model $model --calibration $model/calibration.npy --output "$work/statistics.safetensors"
dense=$(perplexity $model)
rows=()
for ratio in 0.2 0.5; do
  plan="$work/plan-$ratio.safetensors"
  "$flap" search --statistics "$work/statistics.safetensors" --ratio $ratio --output "$plan"
  for bias in bias none; do
    output="$work/pruned-$ratio-$bias"
    "$flap" write --quiet --model $model --statistics "$work/statistics.safetensors" --plan "$plan" --compensation $bias --output "$output" >/dev/null
    rows+=("$(perplexity "$output")")
  done
done

echo
echo "perplexity on $model/test.npy      with bias    without bias"
printf '  dense                                     %8s\n' "$dense"
printf '  20 %% of the decoder pruned                %8s      %8s\n' "${rows[0]}" "${rows[1]}"
printf '  50 %% of the decoder pruned                %8s      %8s\n' "${rows[2]}" "${rows[3]}"
echo
echo "The pruned checkpoints are in $work; load one with"
echo "  AutoModelForCausalLM.from_pretrained(\"$work/pruned-0.2-bias\", trust_remote_code=True)"
