#!/usr/bin/env python3
"""Writes Golden/: one column of texts in every form of Parquet and Arrow that pyarrow, pandas, polars and
datasets write, and Golden/texts.json, what each holds. Needs pyarrow, pandas, polars and datasets."""

import json
import os
import pathlib
import shutil

os.environ["HF_HUB_OFFLINE"] = "1"

import datasets
import pandas
import polars
import pyarrow
import pyarrow.feather
import pyarrow.parquet

GOLDEN = pathlib.Path(__file__).parent / "Golden"

# Nulls, empty and long ones, others than ASCII, what CSV quotes, some twice, and beginnings in common.
TEXTS = [
    "A farmer sees a wolf.",
    "",
    None,
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. 狐 🦊",
    'He said: "no, never"; she\tsaid nothing.\nA line of its own.\r\nAnother, of Windows.',
    "A farmer sees a wolf, and runs.",
    "A farmer sees a wolf.",
    "the wolf " * 60,
    None,
    *(f"Owl number {n} sits on tree {n * n}." for n in range(40)),
    "A farmer sees a wolf.",
]
LISTS = [None if n % 7 == 5 else [TEXTS[(n * 3 + k) % len(TEXTS)] for k in range(n % 4)] for n in range(30)]

# Conversations, with a field that is no string.
MESSAGES = [
    None if n % 9 == 8
    else [{"role": ["user", "assistant"][k % 2], "n": k, "content": TEXTS[(n + k) % len(TEXTS)]} for k in range(n % 5)]
    for n in range(30)
]
MESSAGE = pyarrow.struct([("role", pyarrow.string()), ("n", pyarrow.int64()), ("content", pyarrow.string())])


def arrow(type=pyarrow.string()):
    return pyarrow.table({
        "id": pyarrow.array(range(len(TEXTS)), pyarrow.int64()),
        "tags": pyarrow.array([[n, None] for n in range(len(TEXTS))], pyarrow.list_(pyarrow.int32())),
        "view": pyarrow.array([text and text[:30] for text in TEXTS], pyarrow.string_view()),
        "text": pyarrow.array(TEXTS).cast(type),
        "meta": pyarrow.array([{"url": "x", "n": 1.5} for _ in TEXTS]),
        "good": pyarrow.array([n % 2 == 0 for n in range(len(TEXTS))]),
    })


def parquet(name, table, **options):
    pyarrow.parquet.write_table(table, GOLDEN / f"{name}.parquet", **options)


def write_parquet():
    table = arrow().drop_columns(["view"])
    for codec in ["none", "snappy", "gzip", "zstd", "lz4"]:
        for version in ["1.0", "2.0"]:
            parquet(f"{codec}-v{version[0]}", table, compression=codec, data_page_version=version, row_group_size=20,
                    data_page_size=256, write_batch_size=8)
    for encoding in ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]:
        parquet(f"encoding-{encoding.lower()}", table.select(["text", "id"]), use_dictionary=False,
                column_encoding={"text": encoding, "id": "PLAIN"}, compression="none")
    # A dictionary that grows too large: plain pages after it.
    parquet("fallback", table, dictionary_pagesize_limit=64, write_batch_size=4, data_page_size=64)
    parquet("old", table.select(["text"]), version="1.0", data_page_version="1.0")
    required = pyarrow.schema([pyarrow.field("text", pyarrow.string(), nullable=False)])
    parquet("required", pyarrow.table([pyarrow.array([text or "" for text in TEXTS])], schema=required))
    parquet("large", arrow(pyarrow.large_string()).select(["text"]))
    parquet("binary", arrow(pyarrow.binary()).select(["text"]))
    parquet("categories", arrow(pyarrow.dictionary(pyarrow.int16(), pyarrow.string())).select(["text"]))
    parquet("no-rows", table.slice(0, 0))
    lists = pyarrow.table({"text": pyarrow.array(LISTS, pyarrow.list_(pyarrow.string()))})
    for version in ["1.0", "2.0"]:
        parquet(f"lists-v{version[0]}", lists, data_page_version=version, data_page_size=64, write_batch_size=4, row_group_size=16)
        messages = pyarrow.table({"id": range(len(MESSAGES)), "text": pyarrow.array(MESSAGES, pyarrow.list_(MESSAGE))})
        parquet(f"messages-v{version[0]}", messages, data_page_version=version, data_page_size=64, write_batch_size=4, row_group_size=16)
    parquet("brotli", table, compression="brotli")
    pandas.DataFrame({"id": range(len(TEXTS)), "text": TEXTS}).to_parquet(GOLDEN / "pandas.parquet")
    polars.DataFrame({"id": range(len(TEXTS)), "text": TEXTS}).write_parquet(GOLDEN / "polars.parquet")
    polars.DataFrame({"id": range(len(TEXTS)), "text": TEXTS}).write_parquet(GOLDEN / "polars-snappy.parquet", compression="snappy", row_group_size=16)
    polars.DataFrame({"text": LISTS}).write_parquet(GOLDEN / "lists-polars.parquet")
    polars.DataFrame({"text": MESSAGES}).write_parquet(GOLDEN / "messages-polars.parquet")
    datasets.Dataset.from_dict({"text": MESSAGES}).to_parquet(GOLDEN / "messages-datasets.parquet")
    datasets.Dataset.from_dict({"text": TEXTS}).to_parquet(GOLDEN / "datasets.parquet")


def ipc(name, table, stream=False, **options):
    make = pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file
    with make(GOLDEN / f"{name}.arrow", table.schema, options=pyarrow.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=20)


def write_arrow():
    for codec in [None, "lz4", "zstd"]:
        ipc(f"file-{codec or 'none'}", arrow(), compression=codec)
        ipc(f"stream-{codec or 'none'}", arrow(), stream=True, compression=codec)
    ipc("large-string", arrow(pyarrow.large_string()))
    ipc("string-view", arrow(pyarrow.string_view()))
    ipc("string-view-zstd", arrow(pyarrow.string_view()), compression="zstd")
    ipc("binary", arrow(pyarrow.binary()))
    ipc("categories", arrow(pyarrow.dictionary(pyarrow.int8(), pyarrow.string())))
    ipc("old-stream", arrow().drop_columns(["view"]), stream=True, use_legacy_format=True)
    ipc("lists", pyarrow.table({"n": range(len(LISTS)), "text": pyarrow.array(LISTS, pyarrow.list_(pyarrow.string()))}))
    ipc("lists-large", pyarrow.table({"text": pyarrow.array(LISTS, pyarrow.large_list(pyarrow.large_string()))}), stream=True)
    ipc("lists-view", pyarrow.table({"text": pyarrow.array(LISTS, pyarrow.list_(pyarrow.string_view()))}))
    ipc("messages", pyarrow.table({"id": range(len(MESSAGES)), "text": pyarrow.array(MESSAGES, pyarrow.list_(MESSAGE))}), compression="zstd")
    ipc("messages-large", pyarrow.table({"text": pyarrow.array(MESSAGES, pyarrow.large_list(MESSAGE))}), stream=True)
    polars.DataFrame({"text": MESSAGES}).write_ipc(GOLDEN / "messages-polars.arrow")
    ipc("no-rows", arrow().slice(0, 0))
    # A dictionary that grows from batch to batch.
    with pyarrow.ipc.new_stream(GOLDEN / "deltas.arrow", pyarrow.schema([("text", pyarrow.dictionary(pyarrow.int8(), pyarrow.string()))]),
                                options=pyarrow.ipc.IpcWriteOptions(emit_dictionary_deltas=True)) as writer:
        words = []
        for start in range(0, len(TEXTS), 10):
            part = TEXTS[start : start + 10]
            words += [text for text in dict.fromkeys(part) if text is not None and text not in words]
            indices = [None if text is None else words.index(text) for text in part]
            array = pyarrow.DictionaryArray.from_arrays(pyarrow.array(indices, pyarrow.int8()), pyarrow.array(words))
            writer.write_batch(pyarrow.record_batch([array], names=["text"]))
    frame = pandas.DataFrame({"id": range(len(TEXTS)), "text": TEXTS})
    frame.to_feather(GOLDEN / "pandas.feather")
    table = polars.DataFrame({"id": range(len(TEXTS)), "text": TEXTS})
    table.write_ipc(GOLDEN / "polars.arrow")
    table.write_ipc(GOLDEN / "polars-zstd.arrow", compression="zstd")
    table.write_ipc_stream(GOLDEN / "polars-stream.arrow")
    table.with_columns(polars.col("text").cast(polars.Categorical)).write_ipc(GOLDEN / "polars-categories.arrow")
    polars.DataFrame({"text": LISTS}).write_ipc(GOLDEN / "lists-polars.arrow")


def main():
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir()
    write_parquet()
    write_arrow()
    joined = [None if row is None else "\n".join(text for text in row if text is not None) for row in LISTS]
    said = [
        "\n".join(f"{message['role']}: {'-' if message['content'] is None else message['content']}" for message in row or [])
        for row in MESSAGES
    ]
    expected = {"texts": TEXTS, "lists": joined, "messages": said}
    (GOLDEN / "texts.json").write_text(json.dumps(expected, indent=1))


main()
