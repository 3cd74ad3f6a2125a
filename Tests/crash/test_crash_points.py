"""A coordinator that is killed before any of its calls to the file system, and what `--resume` makes of what is left.

crash_points.c, preloaded, counts the calls of a whole run and kills another one before call N. Whatever N is, the same
command with --resume ends with 0, with the undisturbed run's bytes, and nothing stays behind; where nothing was there
yet, so does the command as it was. FLAP_CRASH_POINTS=all tries every N, otherwise it is the first and the last ones and
a few between.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import time

import numpy
import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("FLAP_BUILD", ROOT / ".build/release")).resolve()
COORDINATOR = BUILD / "flap-coord"
MODEL = ROOT / "deploy/demo/model"
ALL = os.environ.get("FLAP_CRASH_POINTS") == "all"
ENDS, BETWEEN = 5, 2

pytestmark = pytest.mark.skipif(
    not COORDINATOR.exists() or not shutil.which("cc"), reason="flap-coord or a C compiler is missing"
)

CALIBRATION = ["--model", MODEL, "--calibration", MODEL / "calibration.npy", "--samples", "8", "--compute", "f32",
               "--tokens-per-leaf", "256", "--leaves-per-unit", "1", "--local-workers", "1", "--threads", "1"]  # fmt: skip
PRUNING = [*CALIBRATION, "--ratio", "0.3", "--max-shard-size", "900KB"]


class Mode:
    """A command, and perhaps what is in its folder before."""

    def __init__(self, options, prepare=None):
        self.options, self.prepare = options, prepare


def mend(folder, space):
    """A finished run of which a shard and the plan are no more what they were."""
    flap(space, [*PRUNING, "--output", folder / "out"]).check_returncode()
    (folder / "out/model-00002-of-00003.safetensors").unlink()
    flip(folder / "out/flap/plan.safetensors")


def add(folder, space):
    """A finished run without a GGUF file and perplexities."""
    flap(space, [*PRUNING, "--output", folder / "out"]).check_returncode()


MODES = {
    "prune": Mode(lambda space, out: [*PRUNING, "--output", out / "out"]),
    "gguf": Mode(lambda space, out: [*PRUNING, "--format", "gguf", "--output", out / "out"]),
    "eval": Mode(lambda space, out: [*PRUNING, "--eval", space.test, "--output", out / "out"]),
    "gather": Mode(lambda space, out: [*PRUNING, "--gather", "--output", out / "out"]),
    "calibrate": Mode(lambda space, out: ["calibrate", *CALIBRATION, "--output", out / "statistics.safetensors"]),
    "mend": Mode(lambda space, out: [*PRUNING, "--resume", "--output", out / "out"], mend),
    "add": Mode(
        lambda space, out: [*PRUNING, "--resume", "--format", "gguf", "--eval", space.test, "--output", out / "out"], add
    ),
}


# Runs


class Space:
    """What all runs of this module share."""

    def __init__(self, folder):
        self.folder = folder
        self.preload = folder / "crash_points.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.preload, HERE / "crash_points.c", "-ldl"], check=True)
        self.test = folder / "test.npy"
        numpy.save(self.test, numpy.load(MODEL / "test.npy")[:2])
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.undisturbed = {}


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    return Space(tmp_path_factory.mktemp("crash"))


def flap(space, options, **environment):
    """One life of a coordinator, in a session of its own, by which its workers are known."""
    process = subprocess.Popen(
        list(map(str, [COORDINATOR, *options, "--json"])), start_new_session=True, stdout=subprocess.PIPE,
        # A file and no pipe: workers that outlive a killed coordinator may hold it open.
        stderr=open(space.folder / "errors", "w"),
        env={**os.environ, "TMPDIR": str(space.temporary), **environment},
    )  # fmt: skip
    output = process.stdout.read()
    process.wait(timeout=60)
    errors = (space.folder / "errors").read_text()
    return Life(process.pid, process.returncode, output.decode(), errors)


class Life(subprocess.CompletedProcess):
    def __init__(self, session, returncode, stdout, stderr):
        super().__init__("flap-coord", returncode, stdout, stderr)
        self.session = session

    def check_returncode(self):
        assert self.returncode == 0, self.stderr

    def wait_for_workers(self):
        """They notice that their coordinator is gone, and end."""
        deadline = time.monotonic() + 20
        while any(self.session == session for session in sessions()):
            assert time.monotonic() < deadline, "a worker outlives its coordinator"
            time.sleep(0.01)


def sessions():
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = stat.read_text().rsplit(")", 1)[1].split()[:4]
        except OSError:
            continue
        if state not in "ZX":
            yield int(session)


def flip(path):
    """Changes one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# What a run leaves


def files(folder):
    """Digests by name; of what tells times, and of logs that need not be there, the name at most."""
    return {
        path.relative_to(folder).as_posix(): told(path)
        for path in folder.rglob("*")
        if path.parent.name != "logs" and path.name != "logs" and path.name != "events.jsonl"
    }


def told(path):
    if path.is_dir():
        return "folder"
    if path.name == "report.html":
        return "report"
    if path.name == "run.json":
        run = json.loads(path.read_text())
        evaluation = {name: run["evaluation"][name] for name in ("dense", "pruned")} if "evaluation" in run else None
        return [run["shards"], run.get("records"), run.get("gguf", {}).get("sha256"), evaluation]
    return hashlib.sha256(path.read_bytes()).hexdigest()


def undisturbed(space, name):
    """What a whole run leaves, and the calls that it makes."""
    if name not in space.undisturbed:
        folder, trace = prepared(space, name, "undisturbed"), space.folder / f"{name}.trace"
        flap(space, MODES[name].options(space, folder), LD_PRELOAD=str(space.preload),
             FLAP_CRASH_TRACE=str(trace)).check_returncode()  # fmt: skip
        space.undisturbed[name] = files(folder), trace.read_text().splitlines()
    return space.undisturbed[name]


def prepared(space, name, label):
    """A new folder with what is there before the run: made once, and copied."""
    folder = space.folder / f"{name}-{label}"
    if prepare := MODES[name].prepare:
        made = space.folder / f"{name}-prepared"
        if not made.exists():
            made.mkdir()
            prepare(made, space)
        shutil.copytree(made, folder)
    else:
        folder.mkdir()
    return folder


def points(count):
    if ALL:
        return list(range(1, count + 1))
    between = [count * (i + 1) // (BETWEEN + 1) for i in range(BETWEEN)]
    return sorted({*range(1, ENDS + 1), *between, *range(count - ENDS + 1, count + 1)})


# The tests


@pytest.mark.parametrize("name", MODES)
def test_killed_before_any_call(space, name):
    expected, calls = undisturbed(space, name)
    wrong = []
    for point in points(len(calls)):
        failures = tried(space, name, point, expected, calls)
        wrong += [f"before call {point} of {len(calls)} ({calls[point - 1]}): {failure}" for failure in failures]
    print(f"{name}: {len(points(len(calls)))} points of {len(calls)}")
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def tried(space, name, point, expected, calls):
    """What is wrong with what comes of a run that is killed before a call."""
    options = MODES[name].options
    found = []
    again = [["--resume"]]
    while again:
        folder = prepared(space, name, f"{point}-{len(again)}")
        command, more = options(space, folder), again.pop()
        killed = flap(space, command, LD_PRELOAD=str(space.preload), FLAP_CRASH_POINT=str(point))
        if more and not MODES[name].prepare and not list(folder.rglob("journal.sqlite")) and unwritten(folder):
            # Nothing was there yet: the command as it was goes on, too.
            again.append([])
        life = flap(space, [*command, *more])
        how = f"{' '.join(more) or 'again'} after {killed.returncode}"
        if life.returncode != 0:
            found.append(f"{how}: exit {life.returncode}: {life.stderr.strip().splitlines()[-1:]}")
        for process in (killed, life):
            process.wait_for_workers()
        if (left := files(folder)) != expected:
            different = sorted(k for k in left.keys() | expected.keys() if left.get(k) != expected.get(k))
            found.append(f"{how}: other bytes, or other files: {different}")
        if left := os.listdir(space.temporary):
            found.append(f"{how}: left in the temporary folder: {left}")
            shutil.rmtree(space.temporary)
            space.temporary.mkdir()
        shutil.rmtree(folder)
    return found


def unwritten(folder):
    return not list(folder.rglob("run.json")) and not list(folder.glob("*.safetensors"))
