"""Uniform plans load as the model's own class, without remote code, in any transformers."""

import json

import conftest
import numpy as np
import pytest
import torch
from conftest import logits, masked, perplexity, run
from transformers import Gemma3ForCausalLM, LlamaForCausalLM


def load(folder):
    """Without leave to run anything of the folder's."""
    return conftest.load(folder, trust_remote_code=False)


@pytest.fixture(scope="module", params=["bias", "none"])
def uniform(request, dense, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uniform") / f"{dense.name}-{request.param}"
    run("--model", dense, "--calibration", dense / "tokens.npy", "--ratio", 0.4, "--uniform",
        "--round-to", 8, "--output", folder, "--compute", "f32", "--compensation", request.param)  # fmt: skip
    return folder


def test_it_is_the_stock_class(dense, uniform):
    model = load(uniform)
    assert type(model) is type(load(dense))
    assert not list(uniform.glob("*.py"))
    config = json.loads((uniform / "config.json").read_text())
    assert config["intermediate_size"] % 8 == 0
    if isinstance(model, LlamaForCausalLM | Gemma3ForCausalLM):
        assert config["hidden_size"] % config["num_attention_heads"] == 0
    smaller = sum(p.numel() for p in model.model.layers.parameters())
    assert smaller < 0.75 * sum(p.numel() for p in load(dense).model.layers.parameters())


def test_logits_are_those_of_the_masked_dense_model(dense, uniform):
    tokens = np.load(dense / "tokens.npy")[:4]
    pruned = load(uniform)
    expected = logits(masked(dense, uniform, trust_remote_code=False), tokens)
    ours = logits(pruned, tokens)
    # f32 sums in another order: a few ulp of the largest logit, over three layers.
    assert (ours - expected).abs().max() <= 2e-5 * expected.abs().max()


def test_perplexity_is_the_one_of_eval_with_and_without_a_checkpoint(dense, uniform):
    path = dense / "tokens.npy"
    written = run("eval", "--model", uniform, "--data", path, "--compute", "f32")
    theirs = perplexity(load(uniform), np.load(path))
    assert written["perplexity"] == pytest.approx(theirs, rel=1e-4)
    flap = uniform / "flap"
    leave_out = ["--compensation", "none"] if uniform.name.endswith("-none") else []
    tried = run("eval", "--model", dense, "--data", path, "--compute", "f32", "--plan",
                flap / "plan.safetensors", "--statistics", flap / "statistics.safetensors",
                *leave_out)  # fmt: skip
    assert tried["plans"][0]["perplexity"] == written["perplexity"]


def test_generation_and_saving_again(uniform, tmp_path):
    model = load(uniform)
    prompt = torch.tensor([[1, 17, 33, 5]])
    text = model.generate(prompt, max_new_tokens=8, do_sample=False, eos_token_id=-1, pad_token_id=0)
    assert text.shape == (1, 12)
    model.save_pretrained(tmp_path / "again")
    tokens = np.arange(20)[None]
    assert torch.equal(logits(model, tokens), logits(load(tmp_path / "again"), tokens))


def test_several_plans_at_once_are_the_written_ones(dense, tmp_path):
    """The curve of perplexity against the ratio, before anything is written."""
    path = dense / "tokens.npy"
    statistics = tmp_path / "statistics.safetensors"
    run("calibrate", "--model", dense, "--calibration", path, "--output", statistics, "--compute",
        "f32")  # fmt: skip
    curve = run("eval", "--model", dense, "--data", path, "--compute", "f32", "--statistics",
                statistics, "--ratio", "0.2,0.5")  # fmt: skip
    assert curve["perplexity"] == pytest.approx(perplexity(load(dense), np.load(path)), rel=1e-4)
    for ratio, plan in zip((0.2, 0.5), curve["plans"]):
        folder = tmp_path / f"pruned-{ratio}"
        run("--model", dense, "--calibration", path, "--ratio", ratio, "--output", folder,
            "--compute", "f32")  # fmt: skip
        written = run("eval", "--model", folder, "--data", path, "--compute", "f32")
        assert written["perplexity"] == plan["perplexity"]
