"""Runs whose processes are killed on the way, at moments that a seed chooses."""

import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time

LIVES = 6


def workers_of(coordinator):
    """Process ids of the flap-worker processes that a flap-coord has started and that still run."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        name, rest = text.split("(", 1)[1].rsplit(")", 1)
        state, parent = rest.split()[:2]
        if int(parent) == coordinator and name == "flap-worker" and state not in "ZX":
            found.append(int(stat.parent.name))
    return sorted(found)


def kill(process_id):
    """Whether there was something to kill."""
    try:
        os.kill(process_id, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def wait_for_workers(process):
    """The workers of a run, as soon as there are any; none where the run has ended."""
    while process.poll() is None:
        if workers := workers_of(process.pid):
            return workers
        time.sleep(0.01)
    return []


def kill_workers(process, generator, count):
    """Kills up to so many workers, one now and then, and returns how many it killed."""
    killed = 0
    while killed < count and wait_for_workers(process):
        time.sleep(generator.uniform(0.05, 0.4))
        if workers := workers_of(process.pid):
            killed += kill(generator.choice(workers))
    return killed


def kill_coordinator(process, generator, orphans):
    """Kills a coordinator in the middle of its work, and returns how many it killed: 1, or 0 of a run that has
    ended before."""
    wait_for_workers(process)
    time.sleep(generator.uniform(0.2, 0.5))
    orphans.update(workers_of(process.pid))
    if process.poll() is not None:
        return 0
    process.kill()
    return 1


def run_to_the_end(command, disturb):
    """Starts a command, again with --resume for as long as it fails, and lets `disturb` have each of its lives;
    returns how many processes were killed."""
    killed = 0
    for life in range(LIVES):
        resume = ["--resume"] if life else []
        # A file and no pipe: workers that outlive a killed coordinator may hold it open.
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen([*command, *resume], stdout=subprocess.DEVNULL, stderr=errors)
            try:
                killed += disturb(process, life)
                process.wait(timeout=600)
            finally:
                process.kill()
                process.wait()
            errors.seek(0)
            text = errors.read()
        if process.returncode == 0:
            return killed
    raise AssertionError(f"the run fails in its life {LIVES}: {text}")


def with_killed_workers(command, seed):
    """A run of which up to three workers are killed."""
    generator = random.Random(seed)
    killed = run_to_the_end(command, lambda process, life: kill_workers(process, generator, 0 if life else 3))
    assert killed > 0, "no worker was killed"


def with_killed_coordinators(command, seed):
    """A run whose coordinator is killed twice, each time gone on with by --resume."""
    generator, orphans = random.Random(seed), set()
    try:
        killed = run_to_the_end(
            command, lambda process, life: kill_coordinator(process, generator, orphans) if life < 2 else 0)  # fmt: skip
    finally:
        for worker in orphans & all_workers():
            kill(worker)
    assert killed > 0, "no coordinator was killed"


def all_workers():
    """Every flap-worker there is, so that no other process is taken for one that has ended."""
    found = set()
    for name in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if name.read_text().strip() == "flap-worker":
                found.add(int(name.parent.name))
        except OSError:
            pass
    return found
