#!/usr/bin/env bash
# Everything that is checked before a change lands: format, generated code, the Swift suite, and
# the written checkpoints in two major versions of transformers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
deploy/setup.sh

swift format lint --strict -r Sources Tests Package.swift
proto/generate.sh --check

# PyTorch and transformers, in folders of their own (about 6 GB); kept between runs.
if [[ ! -x .venv/bin/pytest ]]; then
  if ! python3 -m venv .venv; then
    as_root=()
    ((EUID == 0)) || as_root=(sudo)
    "${as_root[@]}" apt-get install -y -qq python3-venv
    python3 -m venv .venv
  fi
  .venv/bin/pip install -q -r deploy/requirements.txt
  .venv/bin/pip install -q --target .venv-transformers-5 -r deploy/requirements-transformers-5.txt
fi

.venv/bin/pytest -q Tests/transformers Tests/oracle
PYTHONPATH=.venv-transformers-5 .venv/bin/pytest -q Tests/transformers

swift test -c release
