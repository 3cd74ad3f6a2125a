"""One host of a gathering run whose temporary folder is full."""

import os
import subprocess

import pytest
from cluster_programs import COORDINATOR, MODEL, WORKER, checksums, free_port

COMMAND = ["--model", MODEL, "--calibration", MODEL / "calibration.npy", "--samples", "16", "--ratio", "0.3",
           "--compute", "f32", "--leaves-per-unit", "1", "--max-shard-size", "300KB"]  # fmt: skip


def start_worker(host, connect_file, folder):
    """A worker in names of its own: a host's name, and a tiny disk as its temporary folder."""
    script = f"hostname {host} && mount -t tmpfs -o size=192k none {folder} && exec {WORKER} " \
             f"--connect-file {connect_file} --model {MODEL} --threads 1"  # fmt: skip
    return subprocess.Popen(
        ["unshare", "--uts", "--mount", "bash", "-c", script], env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system: needs the super-user")
def test_full_temporary_folder(tmp_path):
    """Reports have room there, shards have none: that host fails alone, and is named with its folder."""
    subprocess.run([COORDINATOR, *COMMAND, "--output", tmp_path / "reference", "--quiet"], check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    full = tmp_path / "full"
    full.mkdir()
    connect_file = tmp_path / "connect"
    coordinator = subprocess.Popen(
        [COORDINATOR, *COMMAND, "--output", tmp_path / "out", "--gather", "--launcher", "none",
         "--listen", f"127.0.0.1:{free_port()}", "--connect-file", connect_file],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    workers = []
    try:
        while not connect_file.exists():
            assert coordinator.poll() is None, coordinator.stderr.read()
        workers.append(start_worker("crowded", connect_file, full))
        workers.append(subprocess.Popen(
            [WORKER, "--connect-file", connect_file, "--model", MODEL, "--threads", "1"], stdin=subprocess.PIPE))  # fmt: skip
        _, errors = coordinator.communicate(timeout=60)
    finally:
        for process in [coordinator, *workers]:
            process.kill()
            process.wait()
    assert coordinator.returncode == 0, errors
    assert "failed on crowded: cannot keep a temporary file in " + str(full) in errors
    assert "set TMPDIR to another folder" in errors
    assert checksums(tmp_path / "out") == checksums(tmp_path / "reference")
