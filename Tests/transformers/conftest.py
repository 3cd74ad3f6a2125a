"""What the tests of written checkpoints share: the programs, small dense models, masked models."""

import json
import os
import pathlib
import subprocess

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoConfig, AutoModelForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
COORDINATOR = pathlib.Path(os.environ.get("FLAP_COORD", ROOT / ".build/release/flap-coord"))
# Remote code is imported by the folder's name: a cache of its own keeps tests apart from the user.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

VARIANTS = {
    "mha": dict(num_attention_heads=4, num_key_value_heads=4, head_dim=16),
    "gqa": dict(num_attention_heads=6, num_key_value_heads=3, head_dim=8),
    "llama3": dict(
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        tie_word_embeddings=True,
        rope_theta=500000.0,
        rope_scaling=dict(
            rope_type="llama3",
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=32,
        ),
    ),
    "biases": dict(
        num_attention_heads=4, num_key_value_heads=2, head_dim=16, attention_bias=True, mlp_bias=True
    ),
    # Windows are shorter than the samples; heads of Mistral and Qwen3 are not hidden ÷ heads wide.
    "mistral": dict(
        family="mistral",
        num_attention_heads=6,
        num_key_value_heads=3,
        head_dim=12,
        sliding_window=11,
    ),
    "mistral-full": dict(
        family="mistral", num_attention_heads=4, num_key_value_heads=2, sliding_window=None
    ),
    "qwen2": dict(
        family="qwen2", num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True
    ),
    "qwen2-windows": dict(
        family="qwen2",
        num_attention_heads=4,
        num_key_value_heads=4,
        use_sliding_window=True,
        sliding_window=7,
        max_window_layers=1,
    ),
    # Samples are longer than the original context.
    "qwen2-yarn": dict(
        family="qwen2",
        num_attention_heads=4,
        num_key_value_heads=2,
        rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32),
    ),
    "longrope": dict(
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        original_max_position_embeddings=32,
        rope_scaling=dict(
            rope_type="longrope",
            short_factor=[1.0, 1.0, 1.1, 1.1, 1.3, 1.5, 1.7, 2.0],
            long_factor=[1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 8.0, 16.0],
        ),
    ),
    "qwen3": dict(family="qwen3", num_attention_heads=6, num_key_value_heads=3, head_dim=20),
    "qwen3-biases": dict(
        family="qwen3",
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        attention_bias=True,
        tie_word_embeddings=True,
    ),
    # Half of each head is turned.
    "phi3": dict(
        family="phi3",
        num_attention_heads=4,
        num_key_value_heads=2,
        partial_rotary_factor=0.5,
        sliding_window=11,
    ),
    "phi3-longrope": dict(
        family="phi3",
        num_attention_heads=4,
        num_key_value_heads=2,
        original_max_position_embeddings=32,
        rope_scaling=dict(
            type="longrope",
            short_factor=[1.0, 1.0, 1.1, 1.1, 1.3, 1.5],
            long_factor=[1.0, 1.2, 1.5, 2.0, 3.0, 5.0],
        ),
    ),
    # A layer that is not turned, with a window.
    "smollm3": dict(
        family="smollm3",
        num_attention_heads=4,
        num_key_value_heads=2,
        no_rope_layers=[1, 0, 1],
        use_sliding_window=True,
        sliding_window=7,
    ),
    "gemma3": dict(
        family="gemma3_text",
        num_attention_heads=6,
        num_key_value_heads=3,
        head_dim=12,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        sliding_window=9,
        query_pre_attn_scalar=20,
        final_logit_softcapping=8.5,
    ),
    "granite": dict(
        family="granite",
        num_attention_heads=4,
        num_key_value_heads=2,
        embedding_multiplier=3.0,
        logits_scaling=2.0,
        residual_multiplier=0.5,
        attention_multiplier=0.2,
    ),
    "olmo2": dict(family="olmo2", num_attention_heads=6, num_key_value_heads=3, head_dim=8),
    "olmo3": dict(
        family="olmo3",
        num_attention_heads=4,
        num_key_value_heads=2,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        sliding_window=9,
        rope_theta=500000.0,
        rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32),
    ),
}

# Their classes have numbers of special tokens that small vocabularies do not hold.
WITHOUT_PADDING = {"phi3", "smollm3"}


def run(*arguments):
    """Runs flap-coord and returns its JSON result."""
    command = [str(COORDINATOR), *map(str, arguments), "--json", "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def make_dense(folder, variant, dtype=torch.float32):
    torch.manual_seed(7)
    options = dict(
        vocab_size=160,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=3,
        max_position_embeddings=128,
        bos_token_id=1,
        eos_token_id=2,
    ) | VARIANTS[variant]
    family = options.pop("family", "llama")
    if family in WITHOUT_PADDING:
        options["pad_token_id"] = None
    config = AutoConfig.for_model(family, **options)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        # Weights and biases large enough that every part of the model matters.
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.3)
            elif name.endswith(("q_norm.weight", "k_norm.weight")):
                parameter.uniform_(0.5, 1.5)
            elif "norm" not in name:
                parameter.mul_(6)
    model.to(dtype).save_pretrained(folder)
    rng = np.random.default_rng(3)
    np.save(folder / "tokens.npy", rng.integers(0, 160, (24, 40)).astype(np.int32))
    return folder


def load(folder, trust_remote_code=True, **options):
    options["trust_remote_code"] = trust_remote_code
    return AutoModelForCausalLM.from_pretrained(folder, **options).eval()


def masked(dense_folder, pruned_folder, **options):
    """The dense model with the columns of what was pruned set to zero and the biases added."""
    model = load(dense_folder, **options)
    plan = load_file(pruned_folder / "flap" / "plan.safetensors")
    pruned = load(pruned_folder, **options)
    config = model.config
    head_dim = model.model.layers[0].self_attn.head_dim
    width = config.num_attention_heads // config.num_key_value_heads * head_dim
    for index, layer in enumerate(model.model.layers):
        other = pruned.model.layers[index]
        groups = plan[f"model.layers.{index}.self_attn.kept_groups"].astype(bool)
        neurons = plan[f"model.layers.{index}.mlp.kept_neurons"].astype(bool)
        for linear, kept, source in (
            (layer.self_attn.o_proj, np.repeat(groups, width), other.self_attn.o_proj),
            (layer.mlp.down_proj, neurons, other.mlp.down_proj),
        ):
            with torch.no_grad():
                linear.weight *= torch.from_numpy(kept).to(linear.weight.dtype)
            if source.bias is not None:
                linear.bias = torch.nn.Parameter(source.bias.detach().clone())
        # OLMo normalizes all heads together, and then those that stay.
        for name, kept in (("q_norm", np.repeat(groups, width)), ("k_norm", np.repeat(groups, head_dim))):
            norm = getattr(layer.self_attn, name, None)
            if norm is not None and norm.weight.numel() == len(kept):
                setattr(layer.self_attn, name, NormOfKept(norm, kept))
    return model


class NormOfKept(torch.nn.Module):
    """An RMS norm over the channels that stay; the others are zeros."""

    def __init__(self, norm, kept):
        super().__init__()
        self.weight, self.epsilon = norm.weight, norm.variance_epsilon
        self.kept = torch.from_numpy(kept)

    def forward(self, x):
        x = torch.where(self.kept, x, 0)
        mean = x.pow(2).sum(-1, keepdim=True) / self.kept.sum()
        return self.weight * x * torch.rsqrt(mean + self.epsilon)


def logits(model, tokens):
    with torch.no_grad():
        return model(torch.from_numpy(tokens.astype(np.int64))).logits.double()


def perplexity(model, tokens):
    total, count = 0.0, 0
    for row in tokens:
        scores = logits(model, row[None])[0, :-1]
        targets = torch.from_numpy(row[1:].astype(np.int64))
        total += torch.nn.functional.cross_entropy(scores, targets, reduction="sum").item()
        count += len(targets)
    return float(np.exp(total / count))


@pytest.fixture(scope="session", params=sorted(VARIANTS))
def dense(request, tmp_path_factory):
    return make_dense(tmp_path_factory.mktemp(request.param), request.param)
