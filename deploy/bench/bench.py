"""Measures a worker's forward pass beside its rivals and its ceilings; deploy/bench.sh calls it.

All contestants of a shape are processes that are loaded once and take turns, another one first
in every round, so that whatever slows this machine down for a while slows all of them. Only
ratios of turns of the same round are judged.
"""

import argparse
import json
import os
import pathlib
import sys

import models
import report
import single
import tokenizing
from contestants import Contestant, Field, take_rounds

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PARTS = ["shapes", "scaling", "startup", "tokenizers"]
ENTRANTS = ["flap", "torch", "onednn", "products", "second-moments", "peak"]
# Relative difference of variances up to which two contestants computed the same: bf16 has
# 8 bits, and PyTorch's residual stream is bf16, too.
AGREEMENT = 0.05
# Of anonymous memory, one work unit of 4 samples of 2048 tokens through the 7B shape.
MEMORY_BAR_BYTES = 1.2e9


def note(text):
    """Progress, on one line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


class Entry:
    """The contestants of one model."""

    def __init__(self, name, folder, arguments):
        self.name, self.folder, self.arguments = name, folder, arguments
        self.operations_per_token = models.product_operations_per_token(folder)
        if name == "tiny":
            self.lengths = [32, 16]
        elif name == "model":
            self.lengths = [arguments.model_tokens]
        else:
            self.lengths = [2048, 128]
        self.unit_tokens = 256 if name == "tiny" else arguments.unit_tokens

    def flap_command(self, subcommand, length):
        samples = max(1, self.unit_tokens // length)
        tokens = models.token_file(self.folder, length, samples, self.arguments.cache)
        return [
            self.arguments.program, subcommand, "--model", self.folder, "--tokens", tokens,
            "--tokens-per-sample", length, "--samples", samples,
            "--compute", self.arguments.compute]

    def contestants(self):
        arguments = self.arguments
        threads, compute, program = arguments.threads, arguments.compute, arguments.program
        library_threads = {"OMP_NUM_THREADS": str(threads)}
        made = []
        for length in self.lengths:
            flap = self.flap_command("forward", length)
            if "flap" in arguments.contestants:
                made.append(Contestant(f"flap {length}", [*flap, "--threads", threads]))
            if "torch" in arguments.contestants:
                script = pathlib.Path(__file__).with_name("torch_contestant.py")
                made.append(Contestant(
                    f"torch {length}",
                    [sys.executable, script, *flap[2:], "--threads", threads], library_threads))
        rows = min(self.unit_tokens, 2048)
        if "onednn" in arguments.contestants:
            library = [program, "library", "--model", self.folder, "--rows", rows, "--compute", compute]
            made.append(Contestant("oneDNN plain", library, library_threads))
            made.append(Contestant("oneDNN packed", [*library, "--packed"], library_threads))
        if "products" in arguments.contestants:
            made.append(Contestant(
                "products", [program, "products", "--model", self.folder, "--rows", rows,
                             "--threads", threads, "--compute", compute]))
        if "second-moments" in arguments.contestants:
            made.append(Contestant(
                "second moments", [
                    program, "second-moments", "--model", self.folder, "--rows", rows,
                    "--threads", threads, "--compute", compute]))
        if "peak" in arguments.contestants:
            made.append(Contestant("peak", [program, "peak", "--threads", threads, "--compute", compute]))
        return made

    def measure(self):
        note(f"{self.name}: loading")
        with Field(self.contestants()) as contestants:
            turns = take_rounds(
                contestants, self.arguments.rounds, self.arguments.seconds,
                lambda text: note(f"{self.name}: {text}"))
        note("")
        results = [
            report.summary(one.name, one.details, turns[one.name], self.operations_per_token)
            for one in contestants]
        return {
            "shape": self.name, "folder": str(self.folder), "contestants": results,
            "ratios": self.ratios({one["name"]: one for one in results}),
            "agreement": {
                str(length): report.agreement(
                    [one for one in results if one["name"] in (f"flap {length}", f"torch {length}")])
                for length in self.lengths}}

    def ratios(self, results):
        """Every ratio that this shape can tell, with its bar."""
        is_large = self.name in ("7b", "8b")
        longest = self.lengths[0]
        flap, torch = results.get(f"flap {longest}"), results.get(f"torch {longest}")
        libraries = [results[name] for name in ("oneDNN plain", "oneDNN packed") if name in results]
        library = max(libraries, key=lambda one: one["tokensPerSecond"]["median"], default=None)
        products, peak = results.get("products"), results.get("peak")
        has_tiles = peak is not None and peak["details"]["unit"].startswith("amx")
        found = []

        def add(what, above, below, bar=None):
            if above is not None and below is not None:
                found.append(report.ratio(what, above, below, bar))

        if library is not None:
            add(f"flap {longest} ÷ {library['name']}", flap, library,
                (1.3 if has_tiles else 0.85) if is_large else None)
        add("products ÷ peak", products, peak, 0.5 if is_large else None)
        add("second moments ÷ peak", results.get("second moments"), peak,
            0.6 if is_large else None)
        add(f"flap {longest} ÷ torch {longest}", flap, torch,
            {"7b": 2, "8b": 2, "1b": 2.5, "30b-a3b": 2, "model": 3}.get(self.name))
        for length in self.lengths[1:]:
            short, short_torch = results.get(f"flap {length}"), results.get(f"torch {length}")
            add(f"flap {length} ÷ flap {longest}", short, flap, 0.9 if self.name == "7b" else None)
            add(f"flap {length} ÷ torch {length}", short, short_torch)
        if products is not None and library is not None:
            add(f"products ÷ {library['name']}", products, library)
        add(f"flap {longest} ÷ products", flap, products, 0.7 if self.name == "30b-a3b" else None)
        add(f"flap {longest} ÷ peak", flap, peak)
        if self.name == "7b" and flap is not None and self.unit_tokens == 8192:
            found.append(report.judged(
                {"what": "own memory, GB", "pairs": self.arguments.rounds,
                 **report.spread([flap["peakBytes"] / 1e9])}, MEMORY_BAR_BYTES / 1e9, at_least=False))
        return found


def describe(result):
    print(f"\n## {result['shape']}\n")
    print(report.speed_table(result["contestants"]))
    phases = report.phase_table(result["contestants"])
    if phases:
        print(f"\n{phases}")
    print(f"\n{report.bar_table(result['ratios'])}")
    for length, difference in result["agreement"].items():
        if difference is not None and difference > AGREEMENT:
            print(f"\nflap and torch differ by {100 * difference:.1f} % in what they computed at {length} tokens!")
    sys.stdout.flush()


def machine(arguments):
    with open("/proc/cpuinfo") as info:
        fields = dict(line.split(":", 1) for line in info.read().split("\n\n")[0].splitlines())
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    return {
        "cpu": fields.get("model name", "unknown"), "cores": len(os.sched_getaffinity(0)),
        "threads": arguments.threads, "compute": arguments.compute,
        "memoryBytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")}


def default_compute():
    """As a worker chooses: bf16 where the CPU has it."""
    with open("/proc/cpuinfo") as info:
        text = info.read()
    return "bf16" if "avx512_bf16" in text or "amx_bf16" in text else "f32"


def parse():
    parser = argparse.ArgumentParser(prog="deploy/bench.sh", description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=[*models.SHAPES, *models.MIXTURES], action="append",
                        help="may be given again (default: 7b, 8b, 1b)")
    parser.add_argument("--model", type=pathlib.Path, help="a trained model besides: its folder")
    parser.add_argument("--model-tokens", type=int, default=256, help="tokens per sample of that model")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas")
    parser.add_argument("--contestants", default=",".join(ENTRANTS), help="those wanted, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of a turn, at least one work unit")
    parser.add_argument("--unit-tokens", type=int, default=8192, help="tokens of a work unit")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--compute", choices=["bf16", "f32"], default=default_compute())
    parser.add_argument("--scaling-shape", choices=models.SHAPES, default="1b")
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / ".build/bench",
                        help="keeps the random checkpoints, 2 GB (default: .build/bench)")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / ".build/release/flap-bench")
    parser.add_argument("--json", type=pathlib.Path, help="also write the results to this file")
    parser.add_argument("--quick", action="store_true", help="a tiny model, 2 short rounds: does it work?")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.shape, arguments.rounds, arguments.seconds = ["tiny"], 2, 0.05
        arguments.scaling_shape = "tiny"
    elif arguments.shape is None:
        arguments.shape = ["7b", "8b", "1b"]
    arguments.only = arguments.only.split(",")
    arguments.contestants = arguments.contestants.split(",")
    for given, known, option in ((arguments.only, PARTS, "--only"),
                                 (arguments.contestants, ENTRANTS, "--contestants")):
        for name in given:
            if name not in known:
                parser.error(f"{option} knows {', '.join(known)}, not {name}")
    if arguments.rounds < 1 or arguments.threads < 1:
        parser.error("--rounds and --threads are at least 1")
    if arguments.model is not None and not (arguments.model / "config.json").exists():
        parser.error(f"{arguments.model} is no checkpoint: it has no config.json")
    if not arguments.program.exists():
        parser.error(f"{arguments.program} is not built: run deploy/bench.sh")
    return arguments


def main():
    arguments = parse()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    results = {"machine": machine(arguments), "rounds": arguments.rounds, "shapes": []}
    print("{cpu}, {cores} cores; {threads} threads, {compute}".format(**results["machine"]))
    if "shapes" in arguments.only:
        entries = [
            Entry(name, models.random_checkpoint(name, arguments.cache), arguments)
            for name in arguments.shape]
        if arguments.model is not None:
            entries.append(Entry("model", arguments.model.resolve(), arguments))
        for entry in entries:
            results["shapes"].append(entry.measure())
            describe(results["shapes"][-1])
    if "scaling" in arguments.only:
        folder = models.random_checkpoint(arguments.scaling_shape, arguments.cache)
        entry = Entry(arguments.scaling_shape, folder, arguments)
        results["scaling"] = single.scaling(entry, arguments, note)
        print(f"\n## workers × threads, {entry.name}\n\n{single.scaling_table(results['scaling'])}")
    if "startup" in arguments.only:
        results["startup"] = single.startup(arguments)
        print(f"\n## start\n\n{report.bar_table(results['startup'])}")
    if "tokenizers" in arguments.only:
        results["tokenizers"] = tokenizing.measure(arguments, note)
        print(f"\n## text to token ids, one thread\n\n{tokenizing.table(results['tokenizers'])}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
