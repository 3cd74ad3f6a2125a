#!/usr/bin/env bash
# Makes packages for hosts that have neither Swift nor any of our libraries, from a release build:
#
#   deploy/package.sh [--output DIR]       (default: .build/package)
#
# flap-VERSION-linux-ARCH.tar.gz   unpack it anywhere, start bin/flap-coord
# flap_VERSION_ARCH.deb            apt install ./flap_VERSION_ARCH.deb
# flap-VERSION-linux-ARCH.spdx.json, SHA256SUMS
#
# They run on Debian 12, Ubuntu 24.04 and later. Two runs from one build give the same bytes.
# --programs DIR packages the programs there instead of building them.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for argument in "$@"; do
  case $argument in
    --programs | --programs=* | --help | -h) exec python3 "$root/deploy/package/package.py" "$@" ;;
  esac
done
"$root/deploy/setup.sh" patchelf python3
exec python3 "$root/deploy/package/package.py" "$@"
