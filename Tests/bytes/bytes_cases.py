"""The cases: what is made of a model with which options."""

import dataclasses
import pathlib
import shutil
import typing

from bytes_kills import with_killed_coordinators, with_killed_workers
from bytes_workspace import COMPUTES, REFUSED, ROOT, digests

ANY = "any"  # the list of what no kernel has a part in
RATIOS = (0.2, 0.5)
METRICS = ("WIFV", "IFV", "WIFN", "magnitude")
# The lists are of a build that knew no cut but the published one: AL-AM is told to use it.
STRUCTURES = ("AL-AM", "AL-MM", "UL-MM", "UL-UM")


@dataclasses.dataclass(frozen=True)
class Case:
    """`make(folder)` fills a folder and returns what is recorded: digests by file, perplexities, or "refused"."""

    name: str
    compute: str  # or ANY
    make: typing.Callable[[pathlib.Path], typing.Any]
    same_as: str | None = None  # the case whose record this one has to equal: it has none of its own
    is_default: bool = False  # also of the larger model where not everything is asked for


def cases(space):
    """Every case of a workspace's model, in the order in which to run them."""
    found = made_without_kernels(space)
    for compute in COMPUTES:
        found += measured(space, compute)
        found += searched_and_written(space, compute)
        found += whole_runs(space, compute)
        found += kinds_of_workers(space, compute)
    assert len({(case.compute, case.name) for case in found}) == len(found), "names are unique"
    return found


def combinations(space):
    """(ratio, metric, structure, options) of every combination."""
    for ratio in RATIOS:
        for metric in METRICS:
            for structure in STRUCTURES:
                yield ratio, metric, structure, options_of(space, metric, structure)


def options_of(space, metric, structure):
    groups = ["--groups-removed", space.model.groups_removed] if structure.endswith("-MM") else []
    cut = ["--published-cut"] if structure == "AL-AM" else []
    return ["--metric", metric, "--structure", structure, *groups, *cut]


# What a case makes


def search(space, folder, statistics, ratio, options):
    """The plan's file, or nothing where the program refuses."""
    plan = folder / "plan.safetensors"
    command = ["search", "--statistics", statistics, "--ratio", ratio, *options, "--output", plan]
    return None if space.refuses(*command) else plan


def plan_only(space, folder, statistics, ratio, options):
    return digests(folder) if search(space, folder, statistics, ratio, options) else REFUSED


def pruned(space, folder, statistics, ratio, options, writing=(), types=()):
    """A plan, the checkpoint that it describes, and of that a GGUF file of each type."""
    plan, output = search(space, folder, statistics, ratio, options), folder / "output"
    if not plan:
        return REFUSED
    space.flap("write", "--model", space.model.folder, "--statistics", statistics, "--plan", plan,
               "--output", output, *writing)  # fmt: skip
    for kind in types:
        space.flap("export", "--model", output, "--type", kind, "--output", folder / f"{kind}.gguf")
    return digests(folder)


def whole_run(space, folder, ratio, options):
    space.flap("prune", "--model", space.model.folder, "--ratio", ratio, *options, "--output", folder / "output")
    return digests(folder)


def perplexities(space, compute):
    """Of the dense model alone, and beside what is left at each ratio."""
    data = ["eval", "--model", space.model.folder, "--data", space.model.folder / "test.npy",
            "--samples", space.model.test_samples, "--compute", compute]  # fmt: skip
    ratios = ",".join(map(str, RATIOS))
    tried = space.flap(*data, "--statistics", space.statistics(compute), "--ratio", ratios, "--published-cut")
    return {
        "dense": space.flap(*data)["perplexity"],
        "dense, with others": tried["perplexity"],
        **{plan["name"]: plan["perplexity"] for plan in tried["plans"]},
    }


def statistics_of_text(space, folder, compute):
    """The licence's text: any would do that never changes."""
    text = folder / "text.txt"
    shutil.copy(ROOT / "LICENSE", text)
    space.flap("calibrate", "--model", space.model.folder, "--calibration", text, "--samples", 16,
               "--sequence-length", 64, "--compute", compute, "--output", folder / "statistics.safetensors")  # fmt: skip
    return digests(folder)


def statistics_of_ids(space, folder, compute):
    shutil.copy(space.statistics(compute), folder / "statistics.safetensors")
    return digests(folder)


def dense_export(space, folder):
    for kind in ("auto", "f32", "f16"):
        space.flap("export", "--model", space.model.folder, "--type", kind, "--output", folder / f"{kind}.gguf")
    return digests(folder)


# The cases


def made_without_kernels(space):
    """Pruned by magnitude, without data, or by statistics that are made up: the same on every CPU."""
    found = [Case("dense export", ANY, lambda folder: dense_export(space, folder), is_default=True)]

    def add(name, make, is_default=False):
        found.append(Case(name, ANY, make, is_default=is_default))

    for ratio, metric, structure, options in combinations(space):
        if metric == "magnitude":
            add(f"{ratio} {structure} without data",
                lambda folder, r=ratio, o=options: whole_run(space, folder, r, [*o, "--format", "gguf"]),
                is_default=structure == "AL-AM")  # fmt: skip
        else:
            add(f"{ratio} {metric} {structure} made-up",
                lambda folder, r=ratio, o=options: plan_only(space, folder, space.made_up_statistics(), r, o))  # fmt: skip
    for ratio in RATIOS:
        for name, options in shapes().items():
            add(f"{ratio} {name} made-up",
                lambda folder, r=ratio, o=options: pruned(
                    space, folder, space.made_up_statistics(), r, o,
                    writing=["--max-shard-size", space.model.shard_size], types=["auto", "f32", "f16"]),
                is_default=name in ("default", "uniform"))  # fmt: skip
    return found


def shapes():
    """Options that decide which sizes are allowed, of the default metric and structure."""
    return {
        "default": ["--published-cut"],
        "uniform": ["--published-cut", "--uniform"],
        "round-to 32": ["--published-cut", "--round-to", 32],
        "tensor-parallel 2": ["--published-cut", "--tensor-parallel", 2],
    }


def measured(space, compute):
    """What calibration and evaluation measure."""
    return [
        Case("statistics", compute, lambda folder: statistics_of_ids(space, folder, compute), is_default=True),
        Case("statistics of text", compute, lambda folder: statistics_of_text(space, folder, compute), is_default=True),
        Case("perplexities", compute, lambda folder: perplexities(space, compute), is_default=True),
    ]


def searched_and_written(space, compute):
    """One calibration, many plans, a checkpoint of each."""
    found = []

    def add(name, ratio, options, is_default=False, **how):
        found.append(Case(
            f"{ratio} {name}", compute,
            lambda folder: pruned(space, folder, space.statistics(compute), ratio, options, **how),
            is_default=is_default))  # fmt: skip

    for ratio, metric, structure, options in combinations(space):
        types = ["auto"] if metric == "WIFV" or structure == "AL-AM" else []
        is_default = (metric, structure) == ("WIFV", "AL-AM")
        add(f"{metric} {structure}", ratio, options, is_default, types=types)
    for ratio in RATIOS:
        for name, options in shapes().items():
            if name != "default":
                add(name, ratio, options, name == "uniform", types=["auto"])
        add("no-compensation", ratio, ["--published-cut"], writing=["--compensation", "none"], types=["auto"])
        add("uniform no-compensation", ratio, ["--published-cut", "--uniform"], writing=["--compensation", "none"])
        add("too many groups", ratio, ["--structure", "AL-MM", "--groups-removed", 1000])
        add("groups not told", ratio, ["--structure", "UL-MM"])
    return found


def calibrated(space, compute):
    return [*space.calibration, "--compute", compute, "--published-cut"]


def whole_runs(space, compute):
    return [
        Case(f"{ratio} prune", compute,
             lambda folder, r=ratio: whole_run(space, folder, r, [*calibrated(space, compute), "--format", "gguf"]),
             is_default=ratio == 0.2)
        for ratio in RATIOS
    ]  # fmt: skip


def kinds_of_workers(space, compute):
    """How many workers there are and what becomes of them decides nothing."""
    shards = [*calibrated(space, compute), "--max-shard-size", space.model.shard_size]
    found = []

    def add(name, make, same_as=None):
        found.append(Case(name, compute, make, same_as))

    def add_counts(name, ratio, options):
        for count in (1, 2, 5):
            add(f"{name} {count} workers",
                lambda folder, n=count: whole_run(
                    space, folder, ratio, [*shards, *options, "--local-workers", n, "--threads", 1]),
                None if count == 1 else f"{name} 1 workers")  # fmt: skip

    def add_kills(name, ratio, kill):
        """Work units of one leaf, so that there is much to hand out, to lose and to go on with."""

        def make(folder):
            kill(space.command("prune", "--model", space.model.folder, "--ratio", ratio, *shards,
                               "--local-workers", 2, "--threads", 1, "--leaves-per-unit", 1,
                               "--output", folder / "output"), seed=f"{name} {compute}")  # fmt: skip
            return digests(folder)

        add(f"{ratio} {name}", make, f"{ratio} 1 workers")

    add_counts("0.2", 0.2, [])
    add_counts("0.5 uniform", 0.5, ["--uniform"])
    add("0.2 gather", lambda folder: whole_run(space, folder, 0.2, [*shards, "--gather"]), "0.2 1 workers")
    add_kills("killed workers", 0.2, with_killed_workers)
    add_kills("killed coordinators", 0.2, with_killed_coordinators)
    return found
