#!/usr/bin/env bash
# Builds the documentation of every module with a DocC catalogue from what `swift build -c release`
# made, into the folder named by the first argument (default: .build/docs), and fails where a link
# leads nowhere. To read a module's: python3 -m http.server -d .build/docs/Pruning
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
output=${1:-.build/docs}
graphs=$(mktemp -d -t flap-docs.XXXXXX)
trap 'rm -rf "$graphs"' EXIT

# Where the modules of C code are found that the Swift ones were built with.
includes=()
while read -r map; do includes+=(-I "$(dirname "$map")"); done < <(
  find .build/checkouts Sources -name module.modulemap -not -path '*/Tests/*')
for map in .build/release/*.build/module.modulemap; do includes+=(-Xcc "-fmodule-map-file=$map"); done

for catalogue in Sources/*/*.docc; do
  module=$(basename "$catalogue" .docc)
  mkdir -p "$graphs/$module" "$output/$module"
  swift symbolgraph-extract -module-name "$module" -target "$(uname -m)-unknown-linux-gnu" \
    -I .build/release/Modules "${includes[@]}" -minimum-access-level public -output-dir "$graphs/$module"
  docc convert "$catalogue" --additional-symbol-graph-dir "$graphs/$module" \
    --fallback-display-name "$module" --fallback-bundle-identifier "flap.$module" \
    --output-path "$output/$module" >"$graphs/$module.log" 2>&1 || { cat "$graphs/$module.log" >&2; exit 1; }
  # Not every parameter needs a sentence.
  if grep -E '^(warning|error)' "$graphs/$module.log" | grep -v 'is missing documentation$' >&2; then
    echo "docs: $module: see above" >&2
    exit 1
  fi
done
