#!/usr/bin/env bash
# PyTorch, transformers and lm-evaluation-harness from PyPI, in folders of their own (about 6 GB); kept
# between runs. What requirements.txt has gained since is added to a folder that is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ ! -x .venv/bin/pytest ]]; then
  python3 -m venv .venv
  .venv/bin/pip install -q --target .venv-transformers-5 -r deploy/requirements-transformers-5.txt
fi
if [[ ! -x .venv/bin/pytest || ! -x .venv/bin/lm_eval ]]; then
  .venv/bin/pip install -q -r deploy/requirements.txt
fi
