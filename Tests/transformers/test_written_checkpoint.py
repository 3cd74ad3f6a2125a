"""transformers loads, generates from, and saves again what flap-coord writes."""

import numpy as np
import pytest
import torch
from conftest import ROOT, load, logits, masked, perplexity, run
from safetensors.numpy import load_file
from transformers import AutoTokenizer


@pytest.fixture(scope="session", params=["bias", "none"])
def pruned(request, dense, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pruned") / f"{dense.name}-{request.param}"
    run("--model", dense, "--calibration", dense / "tokens.npy", "--ratio", 0.4, "--output", folder,
        "--compute", "f32", "--max-shard-size", "100KB", "--compensation", request.param)  # fmt: skip
    return folder


def test_logits_are_those_of_the_masked_dense_model(dense, pruned):
    tokens = np.load(dense / "tokens.npy")[:4]
    ours, expected = logits(load(pruned), tokens), logits(masked(dense, pruned), tokens)
    # f32 sums in another order: a few ulp of the largest logit, over three layers.
    assert (ours - expected).abs().max() <= 2e-5 * expected.abs().max()


def test_perplexity_is_the_one_of_eval(dense, pruned):
    path = dense / "tokens.npy"
    ours = run("eval", "--model", pruned, "--data", path, "--compute", "f32")
    assert ours["tokens"] == 24 * 39
    assert ours["perplexity"] == pytest.approx(perplexity(load(pruned), np.load(path)), rel=1e-4)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_generation_with_cache_follows_the_logits(pruned, attention):
    model = load(pruned, attn_implementation=attention)
    prompt = torch.tensor([[1, 17, 33, 5]])
    text = model.generate(prompt, max_new_tokens=12, do_sample=False, eos_token_id=-1, pad_token_id=0)
    assert text.shape == (1, 16)
    # Greedy tokens by whole forward passes, without a cache.
    for position in range(4, 16):
        best = logits(model, text[:, :position].numpy())[0, -1].argmax()
        assert text[0, position] == best


def test_save_and_load_again(pruned, tmp_path):
    model = load(pruned)
    model.save_pretrained(tmp_path / "again")
    again = load(tmp_path / "again")
    tokens = np.arange(20)[None]
    assert torch.equal(logits(model, tokens), logits(again, tokens))
    assert (tmp_path / "again" / "modeling_flap.py").exists()


def test_pruning_twice(dense, pruned, tmp_path):
    twice = tmp_path / "twice"
    run("--model", pruned, "--calibration", dense / "tokens.npy", "--ratio", 0.3, "--output", twice,
        "--compute", "f32")  # fmt: skip
    ours = run("eval", "--model", twice, "--data", dense / "tokens.npy", "--compute", "f32")
    theirs = perplexity(load(twice), np.load(dense / "tokens.npy"))
    assert ours["perplexity"] == pytest.approx(theirs, rel=1e-4)


def test_bundled_model(tmp_path):
    """The demonstration's model in bf16, with its tokenizer."""
    model, output = ROOT / "deploy/demo/model", tmp_path / "pruned"
    run("--model", model, "--calibration", model / "calibration.npy", "--ratio", 0.2, "--output", output)
    written = load_file(output / "flap/statistics.safetensors")
    assert written["model.layers.0.mlp.down_proj.input_mean"].dtype == np.float64
    tokens = np.load(model / "test.npy")[:16]
    np.save(tmp_path / "test.npy", tokens)
    ours = run("eval", "--model", output, "--data", tmp_path / "test.npy")
    # bf16 activations here, f32 there.
    assert ours["perplexity"] == pytest.approx(
        perplexity(load(output, torch_dtype=torch.float32), tokens), rel=5e-3
    )
    tokenizer = AutoTokenizer.from_pretrained(output)
    prompt = tokenizer("the", return_tensors="pt").input_ids
    assert load(output).generate(prompt, max_new_tokens=8, pad_token_id=0).shape[1] > prompt.shape[1]
