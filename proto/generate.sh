#!/bin/sh
# Writes Sources/CFlapMessages from flap.proto with protoc-c (Debian: protobuf-c-compiler).
# With --check, writes nothing and fails when the committed files differ.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
protoc-c --proto_path="$root/proto" --c_out="$made" flap.proto
target=$root/Sources/CFlapMessages
case ${1:-} in
--check)
  if ! cmp "$made/flap.pb-c.c" "$target/flap.pb-c.c" ||
    ! cmp "$made/flap.pb-c.h" "$target/include/flap.pb-c.h"; then
    echo "Sources/CFlapMessages does not match proto/flap.proto: run proto/generate.sh" >&2
    exit 1
  fi
  ;;
"")
  mkdir -p "$target/include"
  cp "$made/flap.pb-c.c" "$target/flap.pb-c.c"
  cp "$made/flap.pb-c.h" "$target/include/flap.pb-c.h"
  ;;
*)
  echo "usage: proto/generate.sh [--check]" >&2
  exit 2
  ;;
esac
