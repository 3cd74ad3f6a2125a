#!/usr/bin/env bash
# Everything that is checked before a change lands: format, generated code, the Swift suite, the
# written checkpoints in two major versions of transformers, GGUF files in llama.cpp, the files of
# deploy/, and runs on real hosts (network namespaces with OpenSSH) and a real Slurm; these two need
# the super-user and are skipped without.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cluster_packages=()
((EUID == 0)) && cluster_packages=(openssh-server openssh-client iproute2 slurm-wlm munge)
deploy/setup.sh python3-venv "${cluster_packages[@]}"

swift format lint --strict -r Sources Tests Package.swift
proto/generate.sh --check

deploy/python.sh

.venv/bin/pytest -q Tests/transformers Tests/oracle
PYTHONPATH=.venv-transformers-5 .venv/bin/pytest -q Tests/transformers

.venv/bin/pytest -q Tests/llamacpp
.venv/bin/pytest -q Tests/deploy Tests/cluster

swift test -c release
