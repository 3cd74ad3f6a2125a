"""Runs the programs on one model and tells the SHA-256 of what they made."""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FLAP_BUILD", ROOT / ".build/release")).resolve()
SHARED = pathlib.Path(os.environ.get("FLAP_SHARED", ROOT.parent / "shared"))
COORDINATOR = BUILD / "flap-coord"
COMPUTES = ("f32", "bf16")
REFUSED = "refused"

# Not what tells times, paths, hosts or versions (README.md, flap/run.json, flap/report.html, flap/logs),
# nor what is copied from the dense model.
RECORDED = ("*.safetensors", "*.gguf", "config.json", "model.safetensors.index.json", "*.py")


@dataclasses.dataclass(frozen=True)
class Model:
    """A dense model and as much of its data as makes a run last no longer than it has to."""

    name: str
    folder: pathlib.Path
    samples: int
    test_samples: int
    groups_removed: int
    shard_size: str  # so small that a pruned model has several shards


MODELS = {
    model.name: model
    for model in (
        Model("bundled", ROOT / "deploy/demo/model", 256, 32, 6, "300KB"),
        Model("llama-mha", SHARED / "models/llama-mha", 64, 8, 8, "8MB"),
    )
}


class Workspace:
    """One model's programs and statistics; everything is made below `folder`."""

    def __init__(self, model, folder):
        self.model, self.folder = model, pathlib.Path(folder)
        self.calibration = ["--calibration", model.folder / "calibration.npy", "--samples", model.samples]

    def command(self, *arguments):
        return [str(COORDINATOR), *map(str, arguments), "--json", "--quiet"]

    def attempt(self, *arguments):
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=900)

    def flap(self, *arguments):
        """The result of a run that has to succeed; numbers with a fraction as the text they are."""
        result = self.attempt(*arguments)
        assert result.returncode == 0, f"flap-coord {' '.join(map(str, arguments))}: {result.stderr}"
        return json.loads(result.stdout, parse_float=str)

    def refuses(self, *arguments):
        """Whether a run is refused as such: a program that dies of a signal refuses nothing."""
        result = self.attempt(*arguments)
        assert result.returncode >= 0 and "Fatal error" not in result.stderr, result.stderr
        return result.returncode != 0

    @functools.cache
    def statistics(self, compute):
        path = self.folder / f"statistics-{compute}.safetensors"
        self.flap("calibrate", "--model", self.model.folder, *self.calibration, "--compute", compute,
                  "--output", path)  # fmt: skip
        return path

    @functools.cache
    def made_up_statistics(self):
        """Statistics that no kernel had a part in: means and variances from a hash, the weights' norms
        (the coordinator's and the workers' plain f64, the same on every CPU) from a run."""
        path = self.folder / "statistics-made-up.safetensors"
        self.flap("calibrate", "--model", self.model.folder, "--calibration", self.model.folder / "calibration.npy",
                  "--samples", 1, "--compute", "f32", "--output", path)  # fmt: skip
        path.write_bytes(with_made_up_moments(path.read_bytes()))
        return path


def with_made_up_moments(file):
    """A statistics file with other means and sums of squares, the same in every run and on every CPU."""
    size = struct.unpack_from("<Q", file)[0]
    header, contents = json.loads(file[8 : 8 + size]), bytearray(file[8 + size :])
    for name, tensor in header.items():
        if name.endswith((".input_mean", ".input_m2")):
            assert tensor["dtype"] == "F64"
            start, end = tensor["data_offsets"]
            numbers = hashed_numbers(name, (end - start) // 8)
            # A mean has a sign; a sum of squares has none, and spreads over some orders of magnitude.
            values = [x - 0.5 if name.endswith("mean") else x * x * x for x in numbers]
            struct.pack_into(f"<{len(values)}d", contents, start, *values)
    return file[: 8 + size] + bytes(contents)


def hashed_numbers(name, count):
    """Numbers from 0 to 1 of 32 bits each: exact in f64."""
    bits = hashlib.shake_256(name.encode()).digest(4 * count)
    return [word / 2**32 for word in struct.unpack(f"<{count}I", bits)]


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(folder):
    """The SHA-256 of each recorded file below a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(path.match(pattern) for pattern in RECORDED)
    }


@functools.cache
def kernels(compute):
    """Which kernels this machine's CPU gets, as a run of one sample tells."""
    with tempfile.TemporaryDirectory() as folder:
        space = Workspace(MODELS["bundled"], folder)
        result = space.flap(
            "prune", "--model", space.model.folder, "--calibration", space.model.folder / "calibration.npy",
            "--samples", 1, "--ratio", 0.2, "--compute", compute, "--output", space.folder / "output")  # fmt: skip
        return result["kernels"]
