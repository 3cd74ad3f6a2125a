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
# The same, with (experts, neurons of each, experts of a token): one layer of Qwen3-30B-A3B.
MIXTURES = {"30b-a3b": ((2048, 6144, 1, 32, 4, 2048), (128, 768, 8))}
# What random weights and token ids follow from.
SEED = 1


def random_checkpoint(name, cache):
    """The folder of a checkpoint of that shape; made once, in bf16, weights as of a new model."""
    folder = cache / f"{name}-{SEED}"
    if folder.exists():
        return folder
    shape, experts = MIXTURES.get(name) or (SHAPES[name], None)
    hidden, intermediate, layers, heads, kv_heads, vocabulary = shape
    tensors = list(scale.tensors(shape) if experts is None else mixture_tensors(shape, experts))
    part = cache / f"{name}-{SEED}.part-{os.getpid()}"
    part.mkdir(parents=True)
    family = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    if experts is not None:
        family = {
            "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "head_dim": HEAD,
            "num_experts": experts[0], "moe_intermediate_size": experts[1],
            "num_experts_per_tok": experts[2], "norm_topk_prob": True}
    (part / "config.json").write_text(json.dumps(family | {
        "hidden_act": "silu",
        "hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": False, "vocab_size": vocabulary,
        "max_position_embeddings": 4096, "bos_token_id": 1, "eos_token_id": 2,
        "torch_dtype": "bfloat16"}))
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for tensor, dimensions in tensors:
        count = scale.bfloat16_bytes(dimensions)
        header[tensor] = {
            "dtype": "BF16", "shape": dimensions, "data_offsets": [offset, offset + count]}
        offset += count
    text = json.dumps(header).encode()
    random = numpy.random.default_rng(SEED)
    with open(part / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor, dimensions in tensors:
            write_tensor(file, tensor, dimensions, random)
    part.rename(folder)
    return folder


# Of a head of Qwen3.
HEAD = 128


def mixture_tensors(shape, experts):
    hidden, _, layers, heads, kv_heads, vocabulary = shape
    count, neurons, _ = experts
    yield "model.embed_tokens.weight", [vocabulary, hidden]
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        for norm, width in [("input_layernorm", hidden), ("post_attention_layernorm", hidden),
                            ("self_attn.q_norm", HEAD), ("self_attn.k_norm", HEAD)]:
            yield f"{prefix}.{norm}.weight", [width]
        for name, rows in [("q", heads), ("k", kv_heads), ("v", kv_heads)]:
            yield f"{prefix}.self_attn.{name}_proj.weight", [rows * HEAD, hidden]
        yield f"{prefix}.self_attn.o_proj.weight", [hidden, heads * HEAD]
        yield f"{prefix}.mlp.gate.weight", [count, hidden]
        for expert in range(count):
            yield f"{prefix}.mlp.experts.{expert}.gate_proj.weight", [neurons, hidden]
            yield f"{prefix}.mlp.experts.{expert}.up_proj.weight", [neurons, hidden]
            yield f"{prefix}.mlp.experts.{expert}.down_proj.weight", [hidden, neurons]
    yield "model.norm.weight", [hidden]
    yield "lm_head.weight", [vocabulary, hidden]


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
    neurons = config["intermediate_size"]
    if "num_experts" in config:
        neurons = config["num_experts_per_tok"] * config["moe_intermediate_size"]
    weights = 2 * hidden * queries + 2 * hidden * keys + 3 * hidden * neurons
    return 2 * weights * config["num_hidden_layers"]
