"""Sums of least squares, which stay with the workers: from host to host, and where hosts are kept from each other."""

import os
import signal

import pytest
from cluster_hosts import call
from cluster_programs import MODEL, Run, checksums


def options(output):
    return [
        "--model", MODEL, "--calibration", MODEL / "calibration.npy", "--samples", "64", "--output", output,
        "--ratio", "0.5", "--compute", "f32", "--tokens-per-leaf", "256",
        "--compensation", "least-squares", "--sequential",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def expected(programs, tmp_path_factory):
    """Of an undisturbed run on this machine, whose sums go through a folder."""
    folder = tmp_path_factory.mktemp("local")
    with Run(folder, *options(folder / "out"), "--local-workers", "1", "--threads", "2") as run:
        run.succeed()
    return checksums(folder / "out")


@pytest.fixture
def start(network, tmp_path):
    """Starts flap-coord over all hosts; ended after the test."""
    runs = []

    def start(*more):
        output = network.shared / tmp_path.name / "out"
        output.parent.mkdir(parents=True, exist_ok=True)
        hosts = network.hosts_file(tmp_path / "hosts.txt")
        run = Run(tmp_path / "log", *options(output), "--workers", hosts, *network.ssh_options(), *more)
        run.output = output
        runs.append(run)
        return run

    yield start
    for run in runs:
        run.__exit__()


def wait_for_tasks(run, phase, count):
    """So many of a phase's tasks are stored."""
    events = run.output / "flap/events.jsonl"

    def are_stored():
        lines = events.read_text().splitlines() if events.exists() else []
        return sum('"event":"task_stored"' in line and f'"work":"{phase}' in line for line in lines) >= count

    run.wait_until(are_stored, 60, f"{count} tasks of {phase}")


def test_from_host_to_host(start, expected):
    run = start()
    run.succeed()
    assert checksums(run.output) == expected
    assert "do not get each other's sums" not in run.log
    assert not list(run.output.rglob("*.sums*"))


@pytest.mark.parametrize("phase", ["second moments", "refitting"])
def test_holders_die(network, start, expected, phase):
    """A host's workers die, and what they hold with them; others sum it again."""
    run = start()
    wait_for_tasks(run, phase, 3)
    killed = 0
    for host in network.hosts[:2]:
        for worker in host.workers():
            os.kill(worker, signal.SIGKILL)
            killed += 1
    assert killed
    run.succeed(120)
    assert checksums(run.output) == expected


def test_hosts_that_do_not_reach_each_other(network, start, expected):
    """Each has a way to the coordinator and none to the others: what they hold goes through a folder."""
    try:
        for host in network.hosts:
            call("ip", "link", "set", host.link, "type", "bridge_slave", "isolated", "on")
    except OSError as error:
        pytest.skip(f"the kernel isolates no ports of a bridge: {error}")
    try:
        run = start()
        run.succeed(180)
    finally:
        for host in network.hosts:
            call("ip", "link", "set", host.link, "type", "bridge_slave", "isolated", "off")
    assert checksums(run.output) == expected
    assert "workers do not get each other's sums: these go through" in run.log
    assert not list(run.output.rglob("*.sums*"))
