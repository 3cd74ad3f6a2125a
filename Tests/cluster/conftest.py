"""What the tests on several hosts share: the programs, data for a run of several seconds, its result."""

import dataclasses
import os
import pathlib
import subprocess

import cluster_hosts
import numpy as np
import pytest
from cluster_programs import COORDINATOR, MODEL, WORKER, Run, checksums, options

# How long one worker with one thread computes: kills and cuts have to fall into the middle.
REFERENCE_SECONDS = float(os.environ.get("FLAP_REFERENCE_SECONDS", "12"))


@dataclasses.dataclass(frozen=True)
class Reference:
    """An undisturbed run with one local worker."""

    tokens: pathlib.Path
    checksums: dict


@pytest.fixture(scope="session", autouse=True)
def programs():
    for program in (COORDINATOR, WORKER):
        if not program.exists():
            pytest.skip(f"{program} is not built: run deploy/setup.sh")


@pytest.fixture(scope="session")
def reference(programs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    rows = np.load(MODEL / "calibration.npy")
    tokens = folder / "tokens.npy"

    def compute(repeats, output):
        # Turned, so that no two samples are the same.
        np.save(tokens, np.concatenate([np.roll(rows, turn, axis=1) for turn in range(repeats)]))
        arguments = [*options(tokens, output), "--local-workers", "1", "--threads", "1"]
        with Run(folder / f"log-{repeats}", *arguments) as run:
            run.succeed(120)
            return run.seconds

    seconds = compute(1, folder / "once")
    compute(max(1, min(rows.shape[1], round(REFERENCE_SECONDS / seconds))), folder / "out")
    return Reference(tokens, checksums(folder / "out"))


@pytest.fixture(scope="session")
def whole_network(programs, tmp_path_factory):
    """Three hosts for the whole session; tests use ``network``."""
    if reason := cluster_hosts.obstacle():
        pytest.skip(reason)
    with cluster_hosts.Network(tmp_path_factory.mktemp("network"), 3) as network:
        yield network


@pytest.fixture
def network(whole_network):
    """Three hosts, as new."""
    yield whole_network
    whole_network.recover()


def pytest_report_header():
    version = subprocess.run([COORDINATOR, "--version"], capture_output=True, text=True) if COORDINATOR.exists() else None
    return f"flap-coord: {COORDINATOR} {version.stdout.strip() if version else '(not built)'}"
