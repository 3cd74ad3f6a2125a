#!/usr/bin/env python3
"""Writes the files under Golden/ with the packages that define their formats (safetensors, numpy)."""

import pathlib

import numpy as np
import torch
from safetensors.torch import save_file

GOLDEN = pathlib.Path(__file__).parent / "Golden"
GOLDEN.mkdir(exist_ok=True)

values = [0.0, -0.0, 1.0, -2.5, 65504.0, 1e-7, float("inf"), float("-inf")]
save_file(
    {
        # safetensors orders by alignment, then by name: this is the order in the file.
        "f64": torch.tensor(values, dtype=torch.float64),
        "f32": torch.tensor(values, dtype=torch.float32).reshape(2, 4),
        "bf16": torch.tensor(values, dtype=torch.bfloat16),
        "f16": torch.tensor(values, dtype=torch.float16),
        "u8": torch.tensor([0, 1, 255], dtype=torch.uint8),
    },
    GOLDEN / "types.safetensors",
    metadata={"format": "pt"},
)
tokens = np.arange(12).reshape(3, 4)
np.save(GOLDEN / "int32.npy", tokens.astype(np.int32))
np.save(GOLDEN / "int64.npy", tokens.astype(np.int64))
for name in ["int8", "int16", "uint8", "uint16", "uint32", "uint64"]:
    np.save(GOLDEN / f"{name}.npy", tokens.astype(name))
np.save(GOLDEN / "float.npy", tokens.astype(np.float32))
np.save(GOLDEN / "fortran.npy", np.asfortranarray(tokens.astype(np.int32)))
np.save(GOLDEN / "vector.npy", tokens.astype(np.int32).ravel())
np.save(GOLDEN / "empty.npy", np.zeros((0, 4), np.int32))
np.save(GOLDEN / "wide.npy", np.array([[1, 2**40]], np.int64))
with open(GOLDEN / "version2.npy", "wb") as file:
    np.lib.format.write_array(file, tokens.astype(np.int32), version=(2, 0))
