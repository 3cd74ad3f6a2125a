#!/usr/bin/env python3
"""Perplexities of a model after pruning and quantization, as a table in Markdown: the one in
Sources/GGUF/GGUF.docc/Quantization.md.

    quantization_table.py MODEL [--ratio 0.2,0.5] [--round-to 256] [--windows 64]

MODEL has calibration.npy and test.npy in it. llama.cpp quantizes and evaluates (llama_library.py); the
column "flap" is flap-coord eval on the checkpoint.
"""

import argparse
import pathlib
import tempfile

import numpy as np
from conftest import run
from llama_library import perplexity, quantize

parser = argparse.ArgumentParser()
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("--ratio", default="0.2,0.5")
parser.add_argument("--round-to", default="256")
parser.add_argument("--windows", type=int, default=64)
options = parser.parse_args()

KINDS = ("F16", "Q8_0", "Q4_K_M")
windows = np.load(options.model / "test.npy")[: options.windows]
print("| | flap | " + " | ".join(KINDS) + " |")
print("|---|---:|" + "---:|" * len(KINDS))
with tempfile.TemporaryDirectory() as place:
    folder = pathlib.Path(place)
    np.save(folder / "test.npy", windows)
    for ratio in [0.0, *map(float, options.ratio.split(","))]:
        model = options.model
        if ratio:
            model = folder / f"pruned-{ratio}"
            run("--model", options.model, "--calibration", options.model / "calibration.npy", "--samples", 512,
                "--ratio", ratio, "--round-to", options.round_to, "--output", model)  # fmt: skip
        ours = run("eval", "--model", model, "--data", folder / "test.npy")["perplexity"]
        cells = [f"{ours:.2f}"]
        run("export", "--model", model, "--output", folder / "F16.gguf", "--type", "f16")
        for kind in KINDS:
            path = folder / f"{kind}.gguf"
            if kind != "F16":
                quantize(folder / "F16.gguf", path, kind)
            cells.append(f"{perplexity(path, windows):.2f} ({path.stat().st_size / 2**20:.1f} MiB)")
        name = "dense" if not ratio else f"{ratio * 100:.0f} % removed"
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
