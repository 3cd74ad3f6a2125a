#!/usr/bin/env python3
"""Seconds that flap-coord takes to read one text in each form, and whether all give the same samples.

  deploy/bench/reading.py TEXT [--megabytes 200] [--program .build/release/flap-coord]

TEXT is any text; its sentences, drawn at random, make up the documents. Everything but eight short samples of
a small model is reading. Needs pyarrow and pandas."""

import argparse
import json
import lzma
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

import pyarrow
import pyarrow.feather
import pyarrow.parquet

ROOT = pathlib.Path(__file__).resolve().parents[2]


def documents(text, byte_count):
    generator = random.Random(1)
    sentences = [sentence.strip() for sentence in text.replace("\n", " ").split(". ") if sentence.strip()]
    total = 0
    while total < byte_count:
        document = ". ".join(generator.choices(sentences, k=generator.randint(5, 60))) + ".\n"
        total += len(document.encode())
        yield document


def write(folder, texts):
    table = pyarrow.table({"id": range(len(texts)), "text": texts})
    lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts).encode()
    (folder / "texts.jsonl").write_bytes(lines)
    (folder / "texts.json").write_text(json.dumps([{"text": text} for text in texts], ensure_ascii=False))
    for codec in ["none", "snappy", "gzip", "zstd"]:
        pyarrow.parquet.write_table(table, folder / f"{codec}.parquet", compression=codec)
    for codec in ["uncompressed", "lz4", "zstd"]:
        pyarrow.feather.write_feather(table, folder / f"{codec}.arrow", compression=codec)
    table.to_pandas().to_csv(folder / "texts.csv", index=False)
    for codec, suffix in {"gzip": "gz", "zstd": "zst", "lz4": "lz4"}.items():
        with pyarrow.CompressedOutputStream(str(folder / f"texts.jsonl.{suffix}"), codec) as stream:
            stream.write(lines)
    (folder / "texts.jsonl.xz").write_bytes(lzma.compress(lines, preset=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / ".build/release/flap-coord")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flap-reading.") as name:
        folder = pathlib.Path(name)
        write(folder, list(documents(options.text.read_text(errors="replace"), options.megabytes * 1_000_000)))
        files = sorted(path for path in folder.iterdir())
        seconds, results = {file: [] for file in files}, set()
        for _ in range(options.rounds):
            for file in files:
                start = time.monotonic()
                subprocess.run(
                    [options.program, "calibrate", "--model", ROOT / "deploy/demo/model", "--calibration", file, "--samples", "8",
                     "--sequence-length", "16", "--local-workers", "1", "--output", folder / "out.safetensors", "--quiet"], check=True)
                seconds[file].append(time.monotonic() - start)
                results.add((folder / "out.safetensors").read_bytes())
        for file in files:
            print(f"{file.name:16} {file.stat().st_size / 1e6:6.0f} MB  {statistics.median(seconds[file]):5.1f} s")
        print("the same samples" if len(results) == 1 else "DIFFERENT samples")


main()
