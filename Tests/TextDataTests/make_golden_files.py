#!/usr/bin/env python3
"""Writes Golden/: the same texts in every form that is read, and the folders of datasets. Needs pyarrow,
pandas, polars and datasets."""

import csv
import json
import lzma
import os
import pathlib
import shutil

os.environ["HF_HUB_OFFLINE"] = "1"

import datasets
import pandas
import polars
import pyarrow

GOLDEN = pathlib.Path(__file__).parent / "Golden"

TEXTS = [
    "A farmer sees a wolf.",
    'He said: "no, never"; she\tsaid nothing.\nA line of its own.\r\nAnother, of Windows.',
    "",
    None,
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. 狐 🦊",
    "the wolf " * 60,
    "Commas, quotes \"\" and ''.",
    *(f"Owl number {n} sits on tree {n * n}." for n in range(20)),
]


def packed(name, codec):
    data = (GOLDEN / name).read_bytes()
    suffix = {"gzip": "gz", "zstd": "zst", "lz4": "lz4"}[codec]
    with pyarrow.CompressedOutputStream(str(GOLDEN / f"{name}.{suffix}"), codec) as stream:
        stream.write(data)


def main():
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir()
    records = [{"id": n, "text": text, "more": {"text": [1, None]}} for n, text in enumerate(TEXTS)]
    lines = "".join(json.dumps(record, ensure_ascii=n % 2 == 0) + "\n" for n, record in enumerate(records))
    (GOLDEN / "texts.jsonl").write_text(lines)
    (GOLDEN / "array.json").write_text(json.dumps(records, indent=2))
    (GOLDEN / "compact.json").write_text(json.dumps(records))
    (GOLDEN / "strings.json").write_text(json.dumps([text or "" for text in TEXTS]))
    frame = pandas.DataFrame({"id": range(len(TEXTS)), "text": TEXTS, "note": 'a "note"'})
    frame.to_csv(GOLDEN / "pandas.csv", index=False)
    frame.to_csv(GOLDEN / "pandas.tsv", index=False, sep="\t")
    polars.from_pandas(frame).write_csv(GOLDEN / "polars.csv")
    with open(GOLDEN / "module.csv", "w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["text", "id"])
        writer.writerows([text, n] for n, text in enumerate(TEXTS))
    (GOLDEN / "mark.csv").write_bytes(b"\xef\xbb\xbf" + (GOLDEN / "module.csv").read_bytes())
    for codec in ["gzip", "zstd", "lz4"]:
        packed("texts.jsonl", codec)
    packed("pandas.csv", "zstd")
    (GOLDEN / "texts.jsonl.xz").write_bytes(lzma.compress(lines.encode()))
    half = len(lines) // 2
    (GOLDEN / "members.jsonl.xz").write_bytes(
        lzma.compress(lines[:half].encode()) + bytes(8) + lzma.compress(lines[half:].encode()))
    frame.to_parquet(GOLDEN / "texts.parquet")
    frame.to_feather(GOLDEN / "texts.feather")

    dataset = datasets.Dataset.from_dict({"text": TEXTS})
    dataset.save_to_disk(GOLDEN / "saved", num_shards=2)
    datasets.DatasetDict({
        "train": dataset, "test": datasets.Dataset.from_dict({"text": ["a test"]}),
    }).save_to_disk(GOLDEN / "splits")
    # As a snapshot of the hub has it.
    data = GOLDEN / "hub/data"
    data.mkdir(parents=True)
    dataset.select(range(10)).to_parquet(data / "train-00000-of-00002.parquet")
    dataset.select(range(10, len(TEXTS))).to_parquet(data / "train-00001-of-00002.parquet")
    datasets.Dataset.from_dict({"text": ["a test"]}).to_parquet(data / "test-00000-of-00001.parquet")
    (GOLDEN / "hub/README.md").write_text("# A card\n")


main()
