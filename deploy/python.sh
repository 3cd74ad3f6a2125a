#!/usr/bin/env bash
# PyTorch and transformers from PyPI, in folders of their own (about 6 GB); kept between runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ ! -x .venv/bin/pytest ]]; then
  python3 -m venv .venv
  .venv/bin/pip install -q -r deploy/requirements.txt
  .venv/bin/pip install -q --target .venv-transformers-5 -r deploy/requirements-transformers-5.txt
fi
