"""Workers over real ssh on hosts with addresses of their own: whatever happens, the same bits.

Each run's safetensors files are compared with those of one undisturbed local worker.
"""

import os
import signal
import subprocess

import pytest
from cluster_programs import COORDINATOR, END_SECONDS, MODEL, WORKER, Run, checksums, is_running, options, wait_until


@pytest.fixture
def start(network, reference, tmp_path):
    """Starts flap-coord over all hosts; ended after the test."""
    runs = []

    def start(*more, output=None, model=MODEL, hosts=None, known_hosts=None):
        output = output or network.shared / tmp_path.name / "out"
        output.parent.mkdir(parents=True, exist_ok=True)
        hosts_file = network.hosts_file(tmp_path / "hosts.txt", hosts)
        run = Run(
            tmp_path / f"log-{len(runs)}",
            *options(reference.tokens, output, model),
            "--workers", hosts_file, *network.ssh_options(known_hosts), *more,
        )  # fmt: skip
        run.output = output
        runs.append(run)
        return run

    yield start
    for run in runs:
        run.__exit__()


def wait_for_silence(network, run):
    """All that was started is gone in time, on the hosts and here."""

    def is_silent():
        return run.is_over and not network.sessions() and not any(map(is_running, run.helpers))

    try:
        wait_until(is_silent, END_SECONDS, "silence")
    except AssertionError:
        local = [helper for helper in run.helpers if is_running(helper)]
        pytest.fail(
            f"still there after {END_SECONDS} s: {network.sessions()}, here {local}, "
            f"coordinator {'over' if run.is_over else 'running'}\n{run.log[-2000:]}"
        )


def lines_about(run, address):
    return [line for line in run.log.splitlines() if line.strip().startswith(f"{address}: ")]


# Runs


def test_three_hosts(network, start, reference, tmp_path):
    """All take part; what they say comes with their name and stays in a file each."""
    worker = tmp_path / "talking-worker"
    worker.write_text(f'#!/bin/sh\necho "greetings from $(cat /proc/sys/kernel/hostname)" >&2\nexec {WORKER} "$@"\n')
    worker.chmod(0o755)
    run = start("--worker-program", worker)
    run.succeed()
    assert checksums(run.output) == reference.checksums
    assert {host for host, count in run.metrics.tasks.items() if count > 0} == {host.name for host in network.hosts}
    for host in network.hosts:
        greeting = f"greetings from {host.name}"
        assert greeting in (run.output / "flap/logs" / f"{host.address}.log").read_text()
        assert any(host.address in line for line in run.log.splitlines() if greeting in line)
    wait_for_silence(network, run)


def test_keys_are_in_no_list_of_processes(network, start):
    """The ticket goes over standard input: arguments and variables hold no key and no endpoint."""
    run = start()
    run.wait_halfway(3)
    seen = 0
    for process in [*run.helpers, *(pid for host in network.hosts for pid in host.workers())]:
        if not is_running(process):
            continue
        with open(f"/proc/{process}/cmdline", "rb") as line, open(f"/proc/{process}/environ", "rb") as environment:
            arguments, text = line.read(), environment.read()
        seen += b"--connect-file\0-\0" in arguments or b"--connect-file -" in arguments
        for secret in (b"tcp://", b"client-secret-key", b"server-key"):
            assert secret not in arguments and secret not in text
    # An ssh and a worker for each host.
    assert seen >= 6


def test_gather_without_a_shared_folder(network, start, reference, tmp_path):
    """Hosts have the model elsewhere, and see neither the coordinator's model nor its output."""
    model = network.private / tmp_path.name / "model"
    model.parent.mkdir()
    subprocess.run(["cp", "-r", MODEL, model], check=True)
    lines = []
    for host in network.hosts:
        elsewhere = host.folder / f"{tmp_path.name} model"
        subprocess.run(["cp", "-r", MODEL, elsewhere], check=True)
        lines.append(f'{host.address} threads=1 model="{elsewhere}"')
        # Nothing of the coordinator's is seen there: what arrives has gone over the wire.
        assert list(network.private.iterdir()) and host.inside_mounts("ls", network.private) == ""
    shared_before = sorted(network.shared.rglob("*"))
    run = start(
        "--gather", "--listen", network.bridge, hosts=lines, model=model, output=network.private / tmp_path.name / "out"
    )
    run.succeed()
    assert checksums(run.output) == reference.checksums
    assert {host for host, count in run.metrics.tasks.items() if count > 0} == {host.name for host in network.hosts}
    # No host has written anything that all of them see, nor beside its model.
    assert sorted(network.shared.rglob("*")) == shared_before
    for host in network.hosts:
        assert sorted(os.listdir(host.folder / f"{tmp_path.name} model")) == sorted(os.listdir(MODEL))
    wait_for_silence(network, run)


# Faults


def test_killed_workers(network, start, reference):
    """Two of three are killed in the middle."""
    run = start()
    run.wait_halfway(3)
    for host in network.hosts[:2]:
        (worker,) = host.workers()
        os.kill(worker, signal.SIGKILL)
    run.wait_until(lambda: run.metrics.read() or run.metrics.losses >= 2, 10, "two losses noticed")
    run.succeed()
    assert checksums(run.output) == reference.checksums
    wait_for_silence(network, run)


def test_partition(network, start, reference):
    """One host is cut off: its worker gives up by itself, the others do its work; then it is back."""
    run = start("--dead-after", "3")
    run.wait_halfway(3)
    host = network.hosts[2]
    assert host.workers()
    host.cut_off()
    run.wait_until(lambda: run.metrics.read() or run.metrics.losses >= 1, 20, "the loss noticed")
    # Nobody can tell it to end: its lease does.
    wait_until(lambda: not host.workers(), END_SECONDS, "the end of the worker that was cut off")
    host.bring_back()
    run.succeed()
    assert checksums(run.output) == reference.checksums
    wait_for_silence(network, run)


def test_slow_link(network, start, reference):
    if not (how := network.hosts[0].slow_down()):
        pytest.skip("this kernel has neither netem nor tbf, or tc is missing (Debian: iproute2)")
    run = start()
    run.succeed()
    assert checksums(run.output) == reference.checksums, how
    # Slow is not dead.
    assert run.metrics.losses == 0, how
    wait_for_silence(network, run)


# Ends


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_nothing_is_left_and_nothing_is_lost(network, start, reference, signal_number):
    """The coordinator ends in the middle: all workers go; --resume goes on to the same bits."""
    run = start()
    run.wait_halfway(3)
    assert all(host.workers() for host in network.hosts)
    run.interrupt(signal_number)
    wait_for_silence(network, run)
    assert run.process.returncode != 0
    assert not list(run.output.glob("*.safetensors")), "an unfinished run has written no checkpoint"
    again = start("--resume")
    again.succeed()
    assert checksums(again.output) == reference.checksums
    wait_for_silence(network, again)


# Hosts that fail the preflight


def test_wrong_host_keys(network, start, tmp_path):
    """One host has another key than the known one, one is not known: a line each, and no work."""
    first, second, _ = network.hosts
    known = tmp_path / "known_hosts"
    known.write_text(first.known_hosts_line + first.known_hosts_line.replace(first.address, second.address))
    run = start(known_hosts=known)
    assert run.end(60) != 0
    for host, phrase in ((second, "host key has changed"), (network.hosts[2], "host key is not known")):
        (line,) = lines_about(run, host.address)
        assert phrase in line
    assert lines_about(run, first.address) == []
    assert not run.output.exists()
    wait_for_silence(network, run)


def test_all_failures_at_once(network, start, tmp_path):
    """An unreachable host, a missing program and another model are told together."""
    other = tmp_path / "other-model"
    subprocess.run(["cp", "-r", MODEL, other], check=True)
    shard = sorted(other.glob("*.safetensors"))[0]
    content = bytearray(shard.read_bytes())
    # The lowest bit of the first weight: behind the header and its length.
    content[8 + int.from_bytes(content[:8], "little")] ^= 1
    shard.write_bytes(content)
    first, second, third = network.hosts
    run = start(
        hosts=[
            f"{first.address} threads=1 worker=/nowhere/flap-worker",
            f"{second.address} threads=1 model={other}",
            f"{network.unused_address} threads=1",
            f"{third.address} threads=1",
        ]
    )
    assert run.end(60) != 0
    for address, phrase in (
        (first.address, "/nowhere/flap-worker is missing"),
        (second.address, "model is another one"),
        (network.unused_address, "ssh could not connect"),
    ):
        (line,) = lines_about(run, address)
        assert phrase in line
    assert lines_about(run, third.address) == []
    assert not run.output.exists()
    wait_for_silence(network, run)


def test_dry_run_starts_nothing(network, reference, tmp_path):
    """It names the hosts, and no sshd sees a connection."""
    before = [host.log for host in network.hosts]
    result = subprocess.run(
        [COORDINATOR, *options(reference.tokens, tmp_path / "out"), "--dry-run",
         "--workers", network.hosts_file(tmp_path / "hosts.txt"), *network.ssh_options()],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    for host in network.hosts:
        assert host.address in result.stdout + result.stderr
    assert [host.log for host in network.hosts] == before
    assert not (tmp_path / "out").exists()
