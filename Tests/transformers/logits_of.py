"""Logits of checkpoints, for the tests that load with another version of transformers than their own.

Usage: logits_of.py RESULT.npz TOKENS.npy FOLDER...   (RESULT holds an array for each folder, or no
array and the exception's text under "error N").
"""

import sys

import numpy as np
import torch
from transformers import AutoModelForCausalLM, __version__


def logits_of(folder, tokens):
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval().float()
    with torch.no_grad():
        return model(torch.from_numpy(tokens.astype(np.int64))).logits.double().numpy()


if __name__ == "__main__":
    result, tokens, *folders = sys.argv[1:]
    arrays = {"version": np.array(__version__)}
    for index, folder in enumerate(folders):
        try:
            arrays[str(index)] = logits_of(folder, np.load(tokens))
        except Exception as error:
            arrays[f"error {index}"] = np.array(f"{type(error).__name__}: {error}")
    np.savez(result, **arrays)
