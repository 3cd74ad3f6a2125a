"""What is measured besides shapes: workers side by side, and how soon one computes."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import time

import models
import report
import scale
from contestants import Contestant, Field


# Workers and threads


def divisions(cores):
    """(workers, threads of each): every power of two that the cores allow."""
    counts = []
    workers = 1
    while workers <= cores:
        counts.append((workers, cores // workers))
        workers *= 2
    return counts


def scaling(entry, arguments, note):
    """Tokens per second of all workers together, for each way to share out the cores."""
    counts = divisions(arguments.threads)
    speeds = {count: [] for count in counts}
    command = entry.flap_command("forward", entry.lengths[0])
    for number in range(arguments.rounds):
        start = number % len(counts)
        for workers, threads in counts[start:] + counts[:start]:
            note(f"scaling: round {number + 1} of {arguments.rounds}: {workers} × {threads}")
            speeds[workers, threads].append(
                side_by_side([*command, "--threads", threads], workers, arguments.seconds))
    note("")
    results = []
    for workers, threads in counts:
        values = speeds[workers, threads]
        pairs = [value / first for value, first in zip(values, speeds[counts[0]])]
        results.append({
            "workers": workers, "threads": threads,
            "tokensPerSecond": {**report.spread(values), "all": values},
            "ofOneWorker": report.spread(pairs)})
    return results


def side_by_side(command, workers, seconds):
    """All begin at the same time, after a work unit that warms them up."""
    made = [Contestant(f"worker {number}", command) for number in range(workers)]
    with Field(made) as contestants:
        for length in (0, seconds):
            for contestant in contestants:
                contestant.begin_turn(length)
            turns = [contestant.end_turn() for contestant in contestants]
    return sum(turn["tokens"] / turn["seconds"] for turn in turns)


def scaling_table(results):
    rows = [
        [f"{one['workers']} × {one['threads']}", report.ranged(one["tokensPerSecond"], 0),
         report.ranged(one["ofOneWorker"])] for one in results]
    return report.table(["workers × threads", "tokens/s", "÷ one worker"], rows)


# Start


def startup(arguments):
    """Seconds from the start of a worker's process to its first products, 7B."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="flap-bench-", dir=scale.memory_folder()))
    samples, length = (2, 16) if arguments.quick else (4, 2048)
    steps = {"opened": [], "digested": [], "allocated": [], "computed": []}
    try:
        scale.make_checkpoint(folder / "model", scale.SHAPES["7b"])
        command = [
            arguments.program, "first-product", "--model", folder / "model", "--tokens", "unused",
            "--tokens-per-sample", length, "--samples", samples, "--threads", arguments.threads,
            "--compute", arguments.compute]
        for number in range(arguments.rounds + 1):
            start = time.monotonic()
            output = subprocess.run(
                [str(word) for word in command], stdout=subprocess.PIPE, check=True).stdout
            times = json.loads(output)
            # The first run brings the file's pages into memory.
            for step in steps if number else ():
                steps[step].append(times[step] - start)
    finally:
        shutil.rmtree(folder)
    titles = {
        "opened": "s to the checkpoint's checked headers", "digested": "s to its digest",
        "allocated": "s to the scratch", "computed": "s to the first products"}
    return [
        report.judged(
            {"what": titles[step], "step": step, "pairs": len(values), **report.spread(values)},
            1 if step == "computed" else None, at_least=False)
        for step, values in steps.items()]
