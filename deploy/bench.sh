#!/usr/bin/env bash
# Measures a worker's forward pass with statistics beside PyTorch, oneDNN's products alone, its own
# products alone and the CPU's peak, interleaved, and tells which bars are met. About half an hour
# on two cores; nothing else should run meanwhile. Options: deploy/bench.sh --help.
#
#   deploy/bench.sh --quick                              does everything work? (a tiny model, seconds)
#   deploy/bench.sh --model DIR --json results.json      everything, and a trained model
#   deploy/bench.sh --shape 7b --only shapes --contestants flap,onednn,products,peak
#
# FLAP_PYTHON names a Python that has numpy, tokenizers and sentencepiece (and, for the contestant
# torch, PyTorch and transformers); else they are installed from PyPI as for the tests.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

export FLAP_BENCH=1
"$root/deploy/setup.sh" python3-venv libdnnl-dev
swift build -c release --package-path "$root" --product flap-bench >&2
if [[ -z ${FLAP_PYTHON:-} ]]; then
  "$root/deploy/python.sh" >&2
  FLAP_PYTHON=$root/.venv/bin/python
fi
exec "$FLAP_PYTHON" "$root/deploy/bench/bench.py" "$@"
