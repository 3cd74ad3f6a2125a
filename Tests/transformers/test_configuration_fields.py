"""Every field of the families' configuration classes, as this version of transformers has them: with another value than usual, `flap-coord eval` computes what transformers
computes, or refuses the field by name, or warns of it. None is passed over in silence.
"""

import inspect
import json
import shutil
import subprocess

import numpy as np
import pytest
import torch
from conftest import COORDINATOR, VARIANTS, load, make_dense, perplexity
from transformers import AutoConfig

FAMILIES = ("llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe", "phi3", "smollm3", "gemma3_text", "granite",
            "olmo2", "olmo3")  # fmt: skip
BASE = dict(num_attention_heads=4, num_key_value_heads=2)
# Heads of 12 channels, as hidden ÷ heads is in the other families; said of Mistral, because 4.57 does
# not work that out where RoPE is scaled by yarn or longrope.
OWN = {
    "mistral": dict(head_dim=12),
    "qwen3": dict(head_dim=12),
    "mixtral": dict(head_dim=12, num_local_experts=6, rope_theta=10000.0),
    "qwen3_moe": dict(head_dim=12, num_experts=6, num_experts_per_tok=2, moe_intermediate_size=40),
    "gemma3_text": dict(head_dim=12, sliding_window_pattern=2),
    "olmo3": dict(rope_theta=500000.0, sliding_window=9),
}
LLAMA3 = VARIANTS["llama3"]["rope_scaling"]
LINEAR = dict(rope_type="linear", factor=4.0)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32)
LONGROPE = dict(rope_type="longrope", short_factor=[1.0, 1.1, 1.2, 1.4, 1.6, 2.0], factor=4.0,
                long_factor=[1.0, 1.5, 2.0, 4.0, 8.0, 16.0])  # fmt: skip

# Of training, generation, the tokenizer and the library: all at once, without an effect or a word.
HARMLESS = {
    "_name_or_path": "somewhere",
    "architectures": ["Another"],
    "attention_dropout": 0.5,
    "bad_words_ids": [[1]],
    "begin_suppress_tokens": [1],
    "bos_token_id": 3,
    "chunk_size_feed_forward": 4,
    "cross_attention_hidden_size": 8,
    "decoder_start_token_id": 4,
    "diversity_penalty": 0.5,
    "do_sample": True,
    "dtype": "float16",
    "early_stopping": True,
    "embd_pdrop": 0.5,
    "encoder_no_repeat_ngram_size": 2,
    "eos_token_id": [4, 5],
    "exponential_decay_length_penalty": [5, 0.5],
    "finetuning_task": "some",
    "forced_bos_token_id": 1,
    "forced_eos_token_id": 1,
    "id2label": {"0": "a", "1": "b", "2": "c"},
    "initializer_range": 0.5,
    "is_decoder": True,
    "label2id": {"a": 0, "b": 1, "c": 2},
    "length_penalty": 0.5,
    "max_length": 7,
    "max_position_embeddings": 64,
    "min_length": 3,
    "no_repeat_ngram_size": 2,
    "num_beam_groups": 2,
    "num_beams": 2,
    "num_return_sequences": 2,
    "output_attentions": False,
    "output_hidden_states": True,
    "output_router_logits": True,
    "output_scores": True,
    "pad_token_id": 3,
    "prefix": "some",
    "pretraining_tp": 2,
    "problem_type": "regression",
    "remove_invalid_values": True,
    "repetition_penalty": 1.5,
    "resid_pdrop": 0.5,
    # Without it the logits come otherwise, not others.
    "return_dict": True,
    "return_dict_in_generate": True,
    "router_aux_loss_coef": 0.5,
    "router_jitter_noise": 0.5,
    "sep_token_id": 3,
    "suppress_tokens": [3],
    "task_specific_params": {"some": {"prefix": "x"}},
    "temperature": 0.5,
    "tf_legacy_loss": True,
    "tie_encoder_decoder": True,
    "tokenizer_class": "LlamaTokenizer",
    "top_k": 3,
    "top_p": 0.5,
    "torchscript": True,
    "transformers_version": "4.1.0",
    "typical_p": 0.5,
    "use_bfloat16": True,
    "use_cache": False,
}

# Values that make other weights, too: the model is made with them.
SIZES = {
    "attention_bias": [True],
    "decoder_sparse_step": [2],
    "head_dim": [8],
    "hidden_size": [64],
    "intermediate_size": [80],
    "mlp_bias": [True],
    "mlp_only_layers": [[1], None],
    "moe_intermediate_size": [24],
    "num_attention_heads": [2],
    "num_experts": [4],
    "num_hidden_layers": [2],
    "num_key_value_heads": [1, 4, None],
    "num_local_experts": [4],
    "tie_word_embeddings": [True],
    "vocab_size": [200],
}

# Values that `config.json` gets, with others beside them where they need them.
VALUES = {
    "add_cross_attention": [True],
    "_sliding_window_pattern": [2],
    "alibi": [True],
    "attention_multiplier": [0.3],
    "attention_chunk_size": [8],
    "attn_logit_softcapping": [3.0],
    "auto_map": [{"AutoModelForCausalLM": "modeling_x.XForCausalLM"}],
    "embedding_multiplier": [3.0, 0.0],
    "final_logit_softcapping": [3.0],
    "flap_bias": [False],
    "hidden_act": ["swish", "gelu", "relu", "silu"],
    "hidden_activation": ["gelu_pytorch_tanh", "gelu", "silu"],
    "is_causal": [False, True],
    "is_encoder_decoder": [True],
    "layer_types": [
        ["full_attention"] * 3,
        ["full_attention", "sliding_attention", "full_attention"],
        (["full_attention", "sliding_attention", "full_attention"],
         dict(use_sliding_window=True, sliding_window=7)),
    ],
    "logit_scale": [0.5],
    "logits_scaling": [2.0],
    "max_window_layers": [1, (2, dict(use_sliding_window=True, sliding_window=7, layer_types=None))],
    "model_type": ["gpt2"],
    "no_rope_layer_interval": [2, (2, dict(no_rope_layers=None, layer_types=None))],
    "no_rope_layers": [[1, 0, 1], [0, 1], [1, 1, 1], (None, dict(no_rope_layer_interval=2))],
    "no_such_field": [3],
    "norm_topk_prob": [True, False],
    "num_experts_per_tok": [1, 3, 6, 7],
    "original_max_position_embeddings": [8, (8, dict(rope_scaling=LLAMA3))],
    "partial_rotary_factor": [0.5, 1.0],
    "per_layer_config": [{"1": {"rms_norm_eps": 0.5}}, {"1": {}}, {"9": {"num_attention_heads": 2}}],
    "pruned_heads": [{"0": [1]}, {}],
    "query_pre_attn_scalar": [20, 0],
    "quantization_config": [{"quant_method": "gptq", "bits": 4}],
    "residual_multiplier": [0.5],
    "rms_norm_eps": [0.05],
    "rope_local_base_freq": [50.0],
    "rope_parameters": [
        None,
        dict(rope_theta=50.0),
        dict(rope_theta=50.0, rope_type="default"),
        dict(rope_theta=50.0, **LINEAR),
        dict(rope_theta=50.0, **LLAMA3),
        dict(rope_theta=50.0, rope_type="dynamic", factor=2.0),
        dict(rope_theta=50.0, rope_type="default", partial_rotary_factor=0.5),
        (dict(rope_theta=50.0), dict(rope_theta=70.0)),
        (dict(rope_theta=50.0, **LLAMA3), dict(rope_scaling=LINEAR)),
        dict(rope_theta=50.0, **YARN),
        dict(rope_theta=50.0, **LONGROPE),
        dict(rope_theta=50.0, original_max_position_embeddings=32, **LONGROPE),
    ],
    "rope_scaling": [
        None,
        LINEAR,
        LLAMA3,
        dict(type="linear", factor=4.0),
        dict(type="linear", rope_type="default", factor=4.0),
        dict(rope_type="default", factor=4.0),
        dict(factor=4.0),
        YARN,
        (LINEAR, dict(rope_theta=50.0)),
        dict(LINEAR, rope_theta=10000.0),
        dict(LINEAR, attention_factor=2.0),
        dict(rope_type="yarn", factor=4.0),
        dict(YARN, beta_fast=8.0, beta_slow=2.0, truncate=False),
        dict(YARN, attention_factor=1.5, mscale=0.5, mscale_all_dim=1.0),
        dict(YARN, mscale=0.5, mscale_all_dim=1.5),
        dict(YARN, factor=0.5),
        LONGROPE,
        dict(LONGROPE, attention_factor=1.5),
        dict(YARN, truncate=None, beta_fast=0.0, mscale=0.0),
        (LONGROPE, dict(max_position_embeddings=32)),
        (dict(LONGROPE, original_max_position_embeddings=16), dict(original_max_position_embeddings=32)),
        dict(YARN, mscale=1.5),
        dict(LONGROPE, original_max_position_embeddings=32),
        (LONGROPE, dict(original_max_position_embeddings=64)),
        (YARN, dict(original_max_position_embeddings=16)),
        dict(YARN, beta_slow=-1.0),
        dict(LONGROPE, long_factor=[1.0]),
        dict(LONGROPE, factor=None),
    ],
    "rope_theta": [50.0],
    "sliding_window": [7, None, (7, dict(use_sliding_window=True, max_window_layers=1, layer_types=None))],
    "sliding_window_pattern": [2, (2, dict(layer_types=None, sliding_window=7))],
    "use_bidirectional_attention": [True],
    "use_sliding_window": [
        True, (True, dict(sliding_window=7, max_window_layers=1, layer_types=None))
    ],
}  # fmt: skip

# What no family may refuse, by field and place above.
SUPPORTED = {(field, index) for field in SIZES for index in range(len(SIZES[field]))} | {
    ("hidden_act", 0), ("hidden_act", 3), ("is_causal", 1), ("partial_rotary_factor", 1),
    ("pruned_heads", 1), ("rms_norm_eps", 0), ("rope_theta", 0), ("sliding_window", 1),
    *(("rope_scaling", index) for index in (0, 1, 2, 3, 5, *range(7, 22))),
    *(("rope_parameters", index) for index in (0, 1, 2, 3, 4, 8, 9, 10, 11)),
}  # fmt: skip

# Families whose classes do not take all of these, or take them differently in 4.57 and 5.
REFUSED = {
    "mixtral": {("rope_scaling", 9)},
    "phi3": {"rope_scaling", "rope_parameters"},
    "smollm3": {("rope_scaling", 9)},
    "gemma3_text": {"rope_parameters", "sliding_window", *(("rope_scaling", index) for index in (3, 9, 20))},
    "granite": {("rope_scaling", 3)},
    "olmo2": {"rope_scaling", "rope_parameters"},
    "olmo3": {"rope_scaling", "rope_parameters", "rope_theta", "sliding_window"},
}

# Of no class, yet found in files of the families, or of interest in all of them.
FOREIGN = (set(VALUES) - {"rope_parameters"}) | {"attention_bias", "mlp_bias", "torch_dtype"}


def fields_of(family):
    """Those of the class: what it saves and what it is made with."""
    config = AutoConfig.for_model(family)
    parameters = set(inspect.signature(type(config).__init__).parameters) - {"self", "args", "kwargs"}
    return set(config.to_dict()) | parameters


def cases():
    for family in FAMILIES:
        own = fields_of(family)
        for field in sorted(own - set(HARMLESS)):
            for index in range(len(SIZES.get(field, VALUES.get(field, [None])))):
                yield family, field, index
        for field in sorted(FOREIGN & set(VALUES) - own):
            for index in range(len(VALUES[field])):
                yield family, field, index


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A dense model of each family, made once."""
    made = {}

    def of(family, **options):
        key = (family, json.dumps(options))
        if key not in made:
            folder = tmp_path_factory.mktemp(family)
            VARIANTS["of-fields"] = dict(family=family) | BASE | OWN.get(family, {}) | options
            made[key] = make_dense(folder, "of-fields")
            np.save(folder / "tokens.npy", np.load(folder / "tokens.npy")[:4])
        return made[key]

    return of


def edited(folder, destination, changes):
    """A copy with other fields in its config.json; the rotary embedding in one spelling."""
    shutil.copytree(folder, destination)
    config = json.loads((folder / "config.json").read_text())
    if any(name.startswith(("rope_", "original_max")) for name in changes):
        for name in ("rope_theta", "rope_scaling", "rope_parameters"):
            config.pop(name, None)
        if config["model_type"] == "olmo3":
            config["rope_theta"] = 500000.0
    (destination / "config.json").write_text(json.dumps(config | changes))
    return destination


def evaluate(folder):
    command = [COORDINATOR, "eval", "--model", folder, "--data", folder / "tokens.npy", "--compute",
               "f32", "--local-workers", "1", "--threads", "1", "--json", "--quiet"]  # fmt: skip
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)


def theirs(folder):
    return perplexity(load(folder, torch_dtype=torch.float32), np.load(folder / "tokens.npy"))


def test_nobody_has_overlooked_a_field():
    for family in FAMILIES:
        unknown = fields_of(family) - set(HARMLESS) - set(SIZES) - set(VALUES)
        assert not unknown, f"fields of {family} that this test gives no value: {sorted(unknown)}"
    assert len(list(cases())) > 100


@pytest.mark.parametrize("family", FAMILIES)
def test_harmless_fields_change_nothing(models, family, tmp_path):
    dense = models(family)
    folder = edited(dense, tmp_path / "model", HARMLESS)
    ours = evaluate(folder)
    assert ours.returncode == 0, ours.stderr
    assert "warning" not in ours.stderr, ours.stderr
    assert json.loads(ours.stdout)["perplexity"] == pytest.approx(theirs(folder), rel=1e-4)
    assert ours.stdout == evaluate(dense).stdout


@pytest.mark.parametrize("family, field, index", cases())
def test_a_field_is_computed_alike_refused_or_told(models, family, field, index, tmp_path):
    if field in SIZES and field in fields_of(family):
        value = SIZES[field][index]
        options = {field: value}
        if field == "num_attention_heads":
            options["num_key_value_heads"] = 2
        try:
            dense = models(family, **options)
        except Exception as error:
            assert value is None, error
            pytest.skip(f"the class takes no null: {type(error).__name__}")
        folder, others = edited(dense, tmp_path / "model", {field: value}), {}
    else:
        value = VALUES[field][index] if field in VALUES else True
        value, others = value if isinstance(value, tuple) else (value, {})
        folder = edited(models(family), tmp_path / "model", {field: value} | others)
    ours = evaluate(folder)
    if ours.returncode != 0:
        lines = [line for line in ours.stderr.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, ours.stderr
        refusable = REFUSED.get(family, set())
        assert (field, index) not in SUPPORTED or {field, (field, index)} & refusable, ours.stderr
        assert any(name in lines[0] for name in {field} | set(others)), ours.stderr
        return
    told = any("warning" in line and field in line for line in ours.stderr.splitlines())
    try:
        expected = theirs(folder)
    except Exception:
        assert told, f"transformers does not load it, and flap says nothing: {ours.stderr}"
        return
    assert json.loads(ours.stdout)["perplexity"] == pytest.approx(expected, rel=1e-4), ours.stderr


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("field", ["attention_bias", "mlp_bias", "no_such_field"])
def test_a_field_of_another_family_is_told(models, family, field, tmp_path):
    if field in fields_of(family):
        pytest.skip("a field of its own")
    folder = edited(models(family), tmp_path / "model", {field: True})
    ours = evaluate(folder)
    assert ours.returncode == 0, ours.stderr
    assert any("warning" in line and field in line for line in ours.stderr.splitlines())
    assert json.loads(ours.stdout)["perplexity"] == pytest.approx(theirs(folder), rel=1e-4)
