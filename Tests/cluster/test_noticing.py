"""How soon a worker that died or hangs is noticed, by default, and what its loss costs."""

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import time

import pytest
from conftest import REFERENCE_SECONDS
from cluster_programs import Run, checksums, children, options, wait_until

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


def busiest_thread(process_id):
    """The one that computes: it has used the most time (utime of proc(5))."""
    times = {}
    for task in pathlib.Path(f"/proc/{process_id}/task").iterdir():
        times[int(task.name)] = int((task / "stat").read_text().rpartition(")")[2].split()[11])
    return max(times, key=times.get)


@contextlib.contextmanager
def stopped_thread(thread):
    """One thread of a process stands still, the others go on: heartbeats without progress."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(PTRACE_SEIZE, thread, None, None) != 0:
        pytest.skip(f"a thread cannot be stopped here: {os.strerror(ctypes.get_errno())}")
    libc.ptrace(PTRACE_INTERRUPT, thread, None, None)
    try:
        yield
    finally:
        libc.ptrace(PTRACE_DETACH, thread, None, None)


def run_locally(tmp_path, reference, workers, *more):
    return Run(
        tmp_path / "log", *options(reference.tokens, tmp_path / "out"),
        "--local-workers", workers, "--threads", "1", "--log-format", "json", *more,
    )  # fmt: skip


def noticed(run, words):
    """Whether the log has a line with these words."""
    lines = run.standard_error.read_text().splitlines()
    return any(words in json.loads(line)["message"] for line in lines if line.startswith("{"))


def seconds_until_noticed(run, words, limit):
    start = time.monotonic()
    wait_until(lambda: noticed(run, words), limit, f"the coordinator says {words!r}")
    return time.monotonic() - start


def test_dead(tmp_path, reference):
    """By default a worker that says nothing is given up within 10 s.

    The only worker: another one would end the run before, if the machine is fast enough.
    """
    with run_locally(tmp_path, reference, 1) as run:
        wait_until(lambda: run.metrics.is_halfway(1), 60, "the middle of the run")
        os.kill(children(run.process.pid)[0], signal.SIGSTOP)
        seconds = seconds_until_noticed(run, "no heartbeat", 10.5)
        run.succeed()
    print(f"dead worker noticed after {seconds:.1f} s")
    assert checksums(tmp_path / "out") == reference.checksums


def test_hung(tmp_path, reference):
    """A worker that beats but does not move is given up.

    Set to 2 s, for at the end of a run its task is done by an idle worker before it is noticed by default.
    With FLAP_REFERENCE_SECONDS=100 there is enough work to see the default: within 30 s.
    """
    is_long = REFERENCE_SECONDS >= 100
    limit = 30 if is_long else 5
    with run_locally(tmp_path, reference, 2, *([] if is_long else ["--hung-after", "2"])) as run:
        wait_until(lambda: run.metrics.is_halfway(2), 60, "the middle of the run")
        with stopped_thread(busiest_thread(children(run.process.pid)[0])):
            seconds = seconds_until_noticed(run, "no progress", limit)
            run.succeed(180)
    print(f"hung worker noticed after {seconds:.1f} s")
    assert checksums(tmp_path / "out") == reference.checksums


def test_cost_of_losses(tmp_path, reference):
    """Two of three workers killed: at most the lost work and 10 s more."""
    with run_locally(tmp_path / "undisturbed", reference, 3) as run:
        run.succeed()
    undisturbed = run.seconds
    with run_locally(tmp_path / "killed", reference, 3) as run:
        wait_until(lambda: run.metrics.is_halfway(3), 60, "the middle of the run")
        for worker in children(run.process.pid)[:2]:
            os.kill(worker, signal.SIGKILL)
        run.succeed()
    print(f"undisturbed {undisturbed:.1f} s, two of three killed {run.seconds:.1f} s")
    # A task takes well under a second here: the lost work is within the noise of the machine.
    assert run.seconds <= undisturbed * 1.5 + 10
    assert checksums(tmp_path / "killed/out") == reference.checksums
