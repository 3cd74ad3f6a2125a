"""What the tests of GGUF files share: the programs, small models with every tokenizer, llama.cpp."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import urllib.request

import numpy as np
import pytest
import torch
import xllamacpp
from transformers import AutoConfig, AutoModelForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
COORDINATOR = pathlib.Path(os.environ.get("FLAP_COORD", ROOT / ".build/release/flap-coord"))
TOKENIZERS = ROOT / "Tests/TokenizerTests/Golden"
# Remote code is imported by the folder's name; nothing is downloaded.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

LLAMA3_SCALING = dict(
    rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=32,
)  # fmt: skip
# Every form of attention, bias, rotation and tokenizer at least once.
VARIANTS = {
    "mha": (dict(num_attention_heads=4, num_key_value_heads=4, head_dim=16), "llama2.json"),
    "gqa": (dict(num_attention_heads=6, num_key_value_heads=3, head_dim=8), "llama2.model"),
    "mistral": (
        dict(
            family="mistral", num_attention_heads=6, num_key_value_heads=3, head_dim=12,
            sliding_window=None,
        ),
        "mistral.json",
    ),
    "llama3": (
        dict(
            num_attention_heads=4, num_key_value_heads=2, head_dim=32, tie_word_embeddings=True,
            rope_theta=500000.0, rope_scaling=LLAMA3_SCALING,
        ),
        "llama3.json",
    ),
    "linear": (
        dict(
            num_attention_heads=4, num_key_value_heads=2, head_dim=16,
            rope_scaling=dict(rope_type="linear", factor=4.0),
        ),
        "digits.json",
    ),
    "biases": (
        dict(num_attention_heads=4, num_key_value_heads=2, head_dim=16, attention_bias=True, mlp_bias=True),
        "qwen2.json",
    ),
    # Texts of the tests are longer than the original contexts.
    "yarn": (
        dict(
            family="qwen2", num_attention_heads=4, num_key_value_heads=2,
            rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32,
                              beta_fast=8.0, attention_factor=1.4),
        ),
        "qwen2.json",
    ),
    "longrope": (
        dict(
            num_attention_heads=4, num_key_value_heads=2, head_dim=16, original_max_position_embeddings=32,
            rope_scaling=dict(rope_type="longrope", short_factor=[1.0, 1.0, 1.1, 1.1, 1.3, 1.5, 1.7, 2.0],
                              long_factor=[1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 8.0, 16.0]),
        ),
        "llama2.json",
    ),
    "qwen2": (
        dict(family="qwen2", num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True),
        "qwen2.json",
    ),
}  # fmt: skip
# Of families whose architectures have layers of one size, and of Phi-3, which is a Llama there.
FAMILIES = {
    "phi3": (
        dict(family="phi3", num_attention_heads=4, num_key_value_heads=2, original_max_position_embeddings=32,
             rope_scaling=dict(type="longrope", short_factor=[1.0, 1.0, 1.1, 1.1, 1.3, 1.5, 1.7, 2.0],
                               long_factor=[1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 8.0, 16.0])),
        "llama2.json",
    ),
    "granite": (
        dict(family="granite", num_attention_heads=4, num_key_value_heads=2, embedding_multiplier=3.0,
             logits_scaling=2.0, residual_multiplier=0.5, attention_multiplier=0.2),
        "digits.json",
    ),
    "smollm3": (
        dict(family="smollm3", num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=5),
        "llama3.json",
    ),
    "gemma3": (
        dict(family="gemma3_text", num_attention_heads=4, num_key_value_heads=2, head_dim=16, num_hidden_layers=5,
             query_pre_attn_scalar=16, sliding_window=9, sliding_window_pattern=3, rope_theta=1000.0,
             rope_local_base_freq=50.0, rope_scaling=dict(rope_type="linear", factor=4.0)),
        "llama2.json",
    ),
    "olmo2": (dict(family="olmo2", num_attention_heads=4, num_key_value_heads=2), "llama2.json"),
    "olmo3": (
        dict(family="olmo3", num_attention_heads=4, num_key_value_heads=4, num_hidden_layers=5, sliding_window=9,
             rope_theta=500000.0,
             rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32)),
        "llama3.json",
    ),
}  # fmt: skip
FAMILIES["qwen3"] = (
    dict(family="qwen3", num_attention_heads=4, num_key_value_heads=2, head_dim=16), "qwen2.json")
MIXTURES = {
    "qwen3_moe": (
        dict(family="qwen3_moe", num_attention_heads=4, num_key_value_heads=2, head_dim=16, num_experts=8,
             num_experts_per_tok=2, moe_intermediate_size=32, norm_topk_prob=True),
        "qwen2.json",
    ),
    "mixtral": (
        dict(family="mixtral", num_attention_heads=4, num_key_value_heads=2, num_local_experts=8,
             num_experts_per_tok=2, intermediate_size=32, sliding_window=None),
        "llama2.json",
    ),
}  # fmt: skip
# Rows of the embedding: more than the tokenizers have tokens.
VOCABULARY_SIZE = 2432


def call(*arguments):
    command = [str(COORDINATOR), *map(str, arguments), "--json", "--quiet"]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def run(*arguments):
    """Runs flap-coord and returns its JSON result."""
    result = call(*arguments)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def make_dense(folder, variant, dtype=torch.float32, **sizes):
    settings, tokenizer = (VARIANTS | FAMILIES | MIXTURES)[variant]
    torch.manual_seed(7)
    usual = dict(family="llama", hidden_size=64, intermediate_size=128, num_hidden_layers=3)
    settings = usual | settings | sizes
    family = settings.pop("family")
    if family in ("phi3", "smollm3"):
        # Their classes have numbers of tokens that this vocabulary does not hold.
        settings["pad_token_id"] = None
    config = AutoConfig.for_model(
        family, vocab_size=VOCABULARY_SIZE, max_position_embeddings=256, bos_token_id=1, eos_token_id=2, **settings,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        # Weights and biases large enough that every part of the model matters.
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.3)
            elif family == "gemma3_text" and "norm" in name:
                # Layers add enough to the embedding, which is large.
                parameter.uniform_(9, 14) if "post_" in name else parameter.uniform_(-0.5, 0.5)
            elif "norm" not in name:
                parameter.mul_(6)
    model.to(dtype).save_pretrained(folder)
    shutil.copy(TOKENIZERS / tokenizer, folder / f"tokenizer{pathlib.Path(tokenizer).suffix}")
    rng = np.random.default_rng(3)
    np.save(folder / "tokens.npy", rng.integers(0, VOCABULARY_SIZE, (24, 40)).astype(np.int32))
    return folder


def prune(dense, folder, ratio=0.4, *options):
    return run("--model", dense, "--calibration", dense / "tokens.npy", "--ratio", ratio, "--output", folder,
               "--compute", "f32", *options)  # fmt: skip


class LlamaCpp:
    """A model in llama.cpp's server, in this process, asked over HTTP."""

    def __init__(self, path):
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = 512
        params.n_parallel = 1
        params.cpuparams.n_threads = 2
        params.cpuparams_batch.n_threads = 2
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.warmup = False
        params.verbosity = 1
        params.port = 0
        self.server = xllamacpp.Server(params)

    def ask(self, path, **body):
        request = urllib.request.Request(
            self.server.listening_address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def tokenize(self, text):
        return self.ask("/tokenize", content=text, add_special=True, parse_special=True)["tokens"]

    def detokenize(self, tokens):
        return self.ask("/detokenize", tokens=tokens)["content"]

    def greedy(self, prompt, count):
        """The most probable tokens after token ids, one after another."""
        answer = self.ask(
            "/completion", prompt=prompt, n_predict=count, temperature=0, samplers=["top_k"], top_k=1,
            ignore_eos=True, return_tokens=True, cache_prompt=False,
        )  # fmt: skip
        return answer["tokens"]


@contextlib.contextmanager
def llama_cpp(path):
    model = LlamaCpp(path)
    try:
        yield model
    finally:
        del model.server


def load(folder, **options):
    return AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, **options).eval()


def greedy(model, prompt, count):
    """The same by transformers."""
    return model.generate(
        torch.tensor([prompt]), max_new_tokens=count, min_new_tokens=count, do_sample=False, pad_token_id=0
    )[0, len(prompt) :].tolist()


@pytest.fixture(scope="session", params=sorted(VARIANTS))
def dense(request, tmp_path_factory):
    return make_dense(tmp_path_factory.mktemp(request.param) / request.param, request.param)


@pytest.fixture(scope="session")
def pruned(dense, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pruned") / dense.name
    prune(dense, folder)
    return folder
