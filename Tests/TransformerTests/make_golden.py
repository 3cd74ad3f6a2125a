#!/usr/bin/env python3
"""Makes the tiny models under Golden/ and what transformers computes with them, in f32.

    make_golden.py [NAME...]      (needs torch, transformers 4.57, safetensors, numpy; without names: all)

Each folder is a Hugging Face checkpoint plus `golden.safetensors`: tokens F32 [samples, tokens],
logits F32 [samples, tokens, vocabulary], nll F64 [1] (sum over tokens 1… of every sample), and per
layer and tap mean and m2, F64 [channels], named as in statistics files. `short_logits` are those of
the first 12 tokens alone, shorter than the original context of the models whose RoPE is scaled.

Of a mixture's layer L, F64, under `model.layers.L.mlp.experts.`, whatever the family calls it: count,
gate_sum, norm_sum, gated_norm_sum [experts], output_mean and gated_mean (of f and of g·f) [experts, hidden],
input_mean and input_m2 of the experts' down projections, [experts * intermediate]: all over the tokens
that each expert sees (`ExpertStatistics` in ../transformers/expert_reference.py).
"""

import pathlib
import shutil
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import AutoConfig, AutoModelForCausalLM

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "transformers"))
import expert_reference  # noqa: E402

GOLDEN = pathlib.Path(__file__).parent / "Golden"
SAMPLES, TOKENS, VOCABULARY = 3, 37, 90
SHORT = 12
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)  # fmt: skip
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16)
LONGROPE = dict(rope_type="longrope", short_factor=[1.0, 1.05, 1.2, 1.5], long_factor=[1.1, 2.0, 4.5, 8.0])
MIXTURES = {
    "qwen3_moe": dict(num_experts=8, num_experts_per_tok=2, moe_intermediate_size=24),
    "mixtral": dict(num_local_experts=8, num_experts_per_tok=2),
}
VARIANTS = {
    "mha-f32": dict(heads=4, groups=4, head_dim=8),
    "gqa-llama3-bf16": dict(heads=6, groups=2, head_dim=10, rope_theta=500000.0, rope_scaling=LLAMA3,
                            dtype=torch.bfloat16),  # fmt: skip
    "linear-tied-f16": dict(heads=4, groups=2, head_dim=8, tie_word_embeddings=True,
                            rope_scaling=dict(rope_type="linear", factor=3.0), dtype=torch.float16),  # fmt: skip
    "biases-f32": dict(heads=4, groups=1, head_dim=8, attention_bias=True, mlp_bias=True),
    # Windows are shorter than the samples; heads of Mistral and Qwen3 are not hidden ÷ heads wide.
    "mistral-f32": dict(family="mistral", heads=6, groups=2, head_dim=12, sliding_window=11),
    "mistral-full-bf16": dict(family="mistral", heads=4, groups=2, head_dim=8, sliding_window=None,
                              dtype=torch.bfloat16),  # fmt: skip
    "qwen2-bf16": dict(family="qwen2", heads=4, groups=2, tie_word_embeddings=True, rope_theta=1e6,
                       dtype=torch.bfloat16),  # fmt: skip
    "qwen2-windows-f16": dict(family="qwen2", heads=4, groups=1, use_sliding_window=True,
                              sliding_window=5, max_window_layers=1, dtype=torch.float16),  # fmt: skip
    "qwen3-bf16": dict(family="qwen3", heads=6, groups=2, head_dim=14, dtype=torch.bfloat16),
    "qwen3-biases-f32": dict(family="qwen3", heads=4, groups=4, head_dim=16, attention_bias=True),
    # Qwen's way to long contexts, with defaults; with every number named; with DeepSeek's scales.
    "qwen2-yarn-f32": dict(family="qwen2", heads=4, groups=2, rope_theta=1e4, rope_scaling=YARN),
    "llama-yarn-f32": dict(heads=4, groups=2, head_dim=16, rope_theta=500.0, rope_scaling=dict(
        YARN, beta_fast=4.0, beta_slow=0.5, truncate=False, attention_factor=1.25)),
    "qwen3-yarn-f32": dict(family="qwen3", heads=4, groups=2, head_dim=20, rope_scaling=dict(
        YARN, type="yarn", factor=2.5, mscale=1.2, mscale_all_dim=0.7)),
    "mistral-longrope-f32": dict(family="mistral", heads=4, groups=2, head_dim=8, sliding_window=None,
                                 original_max_position_embeddings=16, rope_scaling=LONGROPE),
    "qwen2-longrope-f32": dict(family="qwen2", heads=4, groups=2, max_position_embeddings=24,
                               rope_scaling=dict(LONGROPE, factor=8.0)),
    # Mixtures: 8 experts, 2 or 3 for a token; a dense layer before, gates that do not add up to 1.
    "qwen3-moe-f32": dict(family="qwen3_moe", heads=4, groups=2, head_dim=12, norm_topk_prob=True),
    "qwen3-moe-dense-f32": dict(family="qwen3_moe", heads=4, groups=2, head_dim=8, mlp_only_layers=[0],
                                num_experts_per_tok=3, norm_topk_prob=False),
    "qwen3-moe-bf16": dict(family="qwen3_moe", heads=6, groups=2, head_dim=10, norm_topk_prob=True,
                           dtype=torch.bfloat16),
    "mixtral-f32": dict(family="mixtral", heads=4, groups=2, sliding_window=None, intermediate_size=24),
    # Windows, if there are any, hold for all layers of both families.
    "qwen3-moe-window-bf16": dict(family="qwen3_moe", heads=4, groups=4, head_dim=8, norm_topk_prob=True,
                                  use_sliding_window=True, sliding_window=11, decoder_sparse_step=2,
                                  dtype=torch.bfloat16),
    "mixtral-top1-window-bf16": dict(family="mixtral", heads=4, groups=2, sliding_window=11,
                                     intermediate_size=24, num_experts_per_tok=1, dtype=torch.bfloat16),
    # Rows of the router are equal, so that many tokens' scores are: see make_topk_golden.py.
    "qwen3-moe-ties-f32": dict(family="qwen3_moe", heads=4, groups=2, head_dim=8, norm_topk_prob=True,
                               equal_rows=[[0, 3, 6], [1, 7], [2, 5]]),
    # Joined maps, a part of each head turned.
    "phi3-f32": dict(family="phi3", heads=4, groups=2, partial_rotary_factor=0.75),
    "phi3-windows-bf16": dict(family="phi3", heads=4, groups=4, sliding_window=9, dtype=torch.bfloat16),
    "phi3-longrope-f32": dict(
        family="phi3", heads=4, groups=2, original_max_position_embeddings=16,
        rope_scaling=dict(type="longrope", short_factor=[1.0, 1.05, 1.2, 1.5], long_factor=[1.1, 2.0, 4.5, 8.0])),
    # Layers that are not turned, with a window.
    "smollm3-f32": dict(family="smollm3", heads=4, groups=2, no_rope_layers=[1, 0]),
    "smollm3-windows-bf16": dict(family="smollm3", heads=4, groups=2, no_rope_layer_interval=2, attention_bias=True,
                                 use_sliding_window=True, sliding_window=7, mlp_bias=True, dtype=torch.bfloat16),
    # One layer of each kind.
    "gemma3-f32": dict(family="gemma3_text", heads=4, groups=2, head_dim=12, sliding_window=9,
                       layer_types=["sliding_attention", "full_attention"], query_pre_attn_scalar=20),
    "gemma3-capped-bf16": dict(
        family="gemma3_text", heads=6, groups=2, head_dim=8, sliding_window=5, sliding_window_pattern=2,
        query_pre_attn_scalar=8, final_logit_softcapping=5.5, attention_bias=True, rope_theta=500.0,
        rope_local_base_freq=20.0, dtype=torch.bfloat16),
    "gemma3-linear-f32": dict(
        family="gemma3_text", heads=4, groups=2, head_dim=8, sliding_window=11, rope_theta=50.0,
        layer_types=["sliding_attention", "full_attention"], rope_scaling=dict(rope_type="linear", factor=8.0)),
    "granite-f32": dict(family="granite", heads=4, groups=2, embedding_multiplier=3.0, logits_scaling=2.5,
                        residual_multiplier=0.37, attention_multiplier=0.2),
    "granite-biases-bf16": dict(family="granite", heads=4, groups=4, embedding_multiplier=12.0, logits_scaling=8.0,
                                residual_multiplier=0.22, attention_multiplier=0.125, attention_bias=True,
                                mlp_bias=True, tie_word_embeddings=True, dtype=torch.bfloat16),
    "olmo2-f32": dict(family="olmo2", heads=4, groups=2),
    "olmo2-bf16": dict(family="olmo2", heads=6, groups=6, head_dim=6, attention_bias=True, dtype=torch.bfloat16),
    "olmo3-f32": dict(family="olmo3", heads=4, groups=2, sliding_window=9, rope_theta=5e5,
                      layer_types=["sliding_attention", "full_attention"]),
    "olmo3-bf16": dict(family="olmo3", heads=4, groups=4, sliding_window=6, rope_theta=5e5, dtype=torch.bfloat16),
    "olmo3-yarn-f32": dict(
        family="olmo3", heads=4, groups=2, sliding_window=13, rope_theta=5e5, rope_scaling=YARN,
        layer_types=["sliding_attention", "full_attention"]),
}  # fmt: skip


def make(name, heads, groups, family="llama", dtype=torch.float32, equal_rows=(), **options):
    torch.manual_seed(len(name))
    options = dict(max_position_embeddings=64, intermediate_size=56) | MIXTURES.get(family, {}) | options
    config = AutoConfig.for_model(
        family, vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2,
        num_attention_heads=heads, num_key_value_heads=groups,
        rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, **options,
        **(dict(pad_token_id=None) if family in ("phi3", "smollm3") else {}),
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            # Large enough that attention is far from uniform and SiLU from linear.
            if "norm" in parameter_name:
                parameter.uniform_(0.5, 1.5)
            elif parameter_name.endswith("bias"):
                parameter.normal_(0, 0.3)
            else:
                parameter.mul_(10)
        for block in expert_reference.mixtures(model).values():
            for rows in equal_rows:
                block.gate.weight[rows] = block.gate.weight[rows[0]].clone()
    model = model.to(dtype)
    folder = GOLDEN / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    # Loaded again: converting the model in place would round its rotary frequencies too.
    return folder, AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()


def golden(model):
    tokens = torch.from_numpy(
        np.random.default_rng(5).integers(0, VOCABULARY, (SAMPLES, TOKENS)))
    taps = {}
    for index, layer in enumerate(model.model.layers):
        for name in ("self_attn.o_proj", "mlp.down_proj"):
            if name == "mlp.down_proj" and index in expert_reference.mixtures(model):
                continue
            key = f"model.layers.{index}.{name}"
            layer.get_submodule(name).register_forward_pre_hook(
                lambda _, inputs, key=key: taps.__setitem__(key, inputs[0].double()))
    out = {"tokens": tokens.numpy().astype(np.float32)}
    with torch.no_grad():
        if getattr(model.config, "rope_scaling", None):
            out["short_logits"] = model(tokens[:, :SHORT]).logits.numpy()
        logits = model(tokens).logits
    out["logits"] = logits.numpy()
    for key, x in taps.items():
        x = x.reshape(-1, x.shape[-1]).numpy()
        out[f"{key}.input_mean"] = x.mean(0)
        out[f"{key}.input_m2"] = ((x - x.mean(0)) ** 2).sum(0)
    for index, sums in expert_reference.statistics(model, tokens).items():
        for name in ("count", "gate_sum", "norm_sum", "gated_norm_sum", "output_mean", "gated_mean",
                     "input_mean", "input_m2"):
            values = getattr(sums, name).astype(np.float64)
            shape = -1 if name.startswith("input") else values.shape
            out[f"model.layers.{index}.mlp.experts.{name}"] = values.reshape(shape)
    nll = torch.nn.functional.cross_entropy(
        logits[:, :-1].reshape(-1, VOCABULARY).double(), tokens[:, 1:].reshape(-1), reduction="sum")
    out["nll"] = np.array([nll.item()])
    return out


for variant, options in VARIANTS.items():
    if sys.argv[1:] and variant not in sys.argv[1:]:
        continue
    path, network = make(variant, **options)
    save_file(golden(network), path / "golden.safetensors")
