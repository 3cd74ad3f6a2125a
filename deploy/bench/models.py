"""Checkpoints of known shapes with random weights, and token ids for them."""

import json
import os
import pathlib
import struct
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scale  # noqa: E402  (deploy/scale.py knows a checkpoint's tensors)

# hidden, intermediate, layers, heads, key-value heads, vocabulary
SHAPES = {
    "7b": (4096, 11008, 2, 32, 32, 2048),
    "8b": (4096, 14336, 2, 32, 8, 2048),
    "1b": (2048, 5632, 2, 32, 4, 2048),
    "tiny": (256, 704, 2, 8, 2, 512),
}
# What random weights and token ids follow from.
SEED = 1


def random_checkpoint(name, cache):
    """The folder of a checkpoint of that shape; made once, in bf16, weights as of a new model."""
    folder = cache / f"{name}-{SEED}"
    if folder.exists():
        return folder
    shape = SHAPES[name]
    hidden, intermediate, layers, heads, kv_heads, vocabulary = shape
    part = cache / f"{name}-{SEED}.part-{os.getpid()}"
    part.mkdir(parents=True)
    (part / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": False, "vocab_size": vocabulary,
        "max_position_embeddings": 4096, "bos_token_id": 1, "eos_token_id": 2,
        "torch_dtype": "bfloat16"}))
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for tensor, dimensions in scale.tensors(shape):
        count = scale.bfloat16_bytes(dimensions)
        header[tensor] = {
            "dtype": "BF16", "shape": dimensions, "data_offsets": [offset, offset + count]}
        offset += count
    text = json.dumps(header).encode()
    random = numpy.random.default_rng(SEED)
    with open(part / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor, dimensions in scale.tensors(shape):
            write_tensor(file, tensor, dimensions, random)
    part.rename(folder)
    return folder


def write_tensor(file, tensor, dimensions, random):
    """Ones for norms, else normal numbers of deviation 0.02, rounded to bf16."""
    left = scale.bfloat16_bytes(dimensions) // 2
    while left > 0:
        count = min(left, 1 << 24)
        if tensor.endswith("norm.weight"):
            values = numpy.ones(count, numpy.float32)
        else:
            values = random.standard_normal(count, numpy.float32) * numpy.float32(0.02)
        bits = values.view(numpy.uint32)
        file.write(((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(numpy.uint16).tobytes())
        left -= count


def token_file(folder, tokens_per_sample, count, cache):
    """A `.npy` of int32 [samples, tokens]: the model's own calibration data, else random ids."""
    path = cache / f"{folder.name}-{tokens_per_sample}x{count}.npy"
    own = folder / "calibration.npy"
    if own.exists():
        ids = numpy.load(own).reshape(-1)
        # Windows of text, one after another; from the start again when there are too few.
        ids = numpy.resize(ids, tokens_per_sample * count)
    else:
        vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
        random = numpy.random.default_rng(SEED)
        ids = random.integers(3, vocabulary, tokens_per_sample * count)
    numpy.save(path, ids.reshape(count, tokens_per_sample).astype(numpy.int32))
    return path


def product_operations_per_token(folder):
    """Multiplications and additions of the decoder layers' products."""
    config = json.loads((folder / "config.json").read_text())
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    head = config.get("head_dim") or hidden // heads
    queries = heads * head
    keys = config.get("num_key_value_heads", heads) * head
    weights = 2 * hidden * queries + 2 * hidden * keys + 3 * hidden * config["intermediate_size"]
    return 2 * weights * config["num_hidden_layers"]
