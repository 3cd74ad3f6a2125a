#!/usr/bin/env python3
"""Writes Golden/: a small file by the package gguf, and Llama 3.1's divisors by transformers."""

import json
import pathlib

import gguf
import numpy as np
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

GOLDEN = pathlib.Path(__file__).parent / "Golden"


def small_file():
    writer = gguf.GGUFWriter(GOLDEN / "small.gguf", "deci")
    writer.add_uint32("a.count", 4_000_000_000)
    writer.add_float32("a.number", 1e-5)
    writer.add_bool("a.flag", True)
    writer.add_string("a.text", "Grüße")
    writer.add_array("a.sizes", [3, -1, 7])
    writer.add_array("a.scores", [0.5, -1000.0])
    writer.add_array("a.words", ["▁a", "", "b"])
    writer.add_tensor("first", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.add_tensor("second", np.arange(5, dtype=np.float16))
    bits = np.arange(8, dtype=np.uint16).reshape(4, 2)
    writer.add_tensor("third", bits.view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def divisors():
    cases = []
    for head_dim, theta, factor, low, high, context in (
        (128, 500000.0, 8.0, 1.0, 4.0, 8192),
        (64, 500000.0, 32.0, 1.0, 4.0, 8192),
        (16, 10000.0, 8.0, 1.0, 4.0, 32),
    ):
        scaling = dict(rope_type="llama3", factor=factor, low_freq_factor=low, high_freq_factor=high,
                       original_max_position_embeddings=context)  # fmt: skip
        config = LlamaConfig(head_dim=head_dim, rope_theta=theta, rope_scaling=scaling)
        scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
        plain = theta ** (-np.arange(0, head_dim, 2) / head_dim)
        cases.append(dict(headDimension=head_dim, theta=theta, factor=factor, low=low, high=high, context=context,
                          divisors=(plain / scaled.double().numpy()).tolist()))  # fmt: skip
    (GOLDEN / "divisors.json").write_text(json.dumps(cases, indent=1) + "\n")


GOLDEN.mkdir(exist_ok=True)
small_file()
divisors()
