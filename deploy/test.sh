#!/usr/bin/env bash
# Everything that is checked before a change lands: format, generated code, the documentation's links,
# the written checkpoints in two major versions of transformers, answers to questions beside those of
# lm-evaluation-harness, GGUF files in llama.cpp, the files of
# deploy/, the packages in an empty Debian, the report in a real browser, runs on real hosts (network
# namespaces with OpenSSH) and a real Slurm, coordinators that are killed before any of their calls to
# the file system, and the Swift suite. Debian, hosts and Slurm need the super-user and are skipped
# without; so is the browser where none is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
packages=(python3-venv gcc patchelf)
if ((EUID == 0)); then
  packages+=(openssh-server openssh-client iproute2 busybox slurm-wlm munge chromium fonts-dejavu-core)
  packages+=(debootstrap mandoc)
fi
deploy/setup.sh "${packages[@]}"

swift format lint --strict -r Sources Tests Package.swift
proto/generate.sh --check
deploy/docs.sh

deploy/python.sh

.venv/bin/pytest -q Tests/transformers Tests/oracle Tests/bytes
PYTHONPATH=.venv-transformers-5 .venv/bin/pytest -q Tests/transformers

.venv/bin/pytest -q -s Tests/harness
.venv/bin/pytest -q Tests/llamacpp
.venv/bin/pytest -q -rs Tests/deploy Tests/report Tests/cluster Tests/crash

swift test -c release
