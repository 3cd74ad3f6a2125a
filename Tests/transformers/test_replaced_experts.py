"""Means in the places of experts (`--replace-experts`), beside PyTorch: remote code in both versions.

Run in both versions of transformers, as test_mixture.py, whose models these are.
"""

import json
import os
import pathlib
import subprocess

import conftest
import expert_reference as reference
import numpy as np
import pytest
import torch
from conftest import COORDINATOR, logits, perplexity, run
from expert_reference import constants, kept_experts, load, places, statistics
from safetensors.torch import load_file
from test_mixture import EXPERTS, VARIANTS, bits, make, plain, sums  # noqa: F401 (two are fixtures)
from test_versions import in_the_other_version
from transformers import AutoModelForCausalLM

TRAINED = os.environ.get("FLAP_MIXTURE")


def replaced(dense, output, *more, ratio=0.5, by="reap", calibration="tokens.npy"):
    run("--model", dense, "--calibration", dense / calibration, "--experts-ratio", ratio, "--metric", by,
        "--replace-experts", "--compute", "f32", "--output", output, *more)  # fmt: skip
    return output


def by_hand(model, sums, kept, dtype):
    """The model with means in the places of experts."""
    downs = {index: reference.weights(block)[2] for index, block in reference.mixtures(model).items()}
    means = {index: torch.from_numpy(constants(layer)).to(dtype).float() for index, layer in sums.items()}

    def output(index, expert, h):
        return h @ downs[index][expert].T if expert in kept[index] else means[index][expert].expand(len(h), -1)

    return reference.with_outputs(model, output)


@pytest.fixture(scope="module", params=sorted(VARIANTS))
def dense(request, tmp_path_factory):
    return make(tmp_path_factory.mktemp("mixture") / request.param, **VARIANTS[request.param])


@pytest.mark.parametrize("ratio", [0.25, 0.5])
def test_means_in_the_places_of_experts(dense, plain, sums, ratio, tmp_path):
    tokens = np.load(dense / "tokens.npy")
    np.save(tmp_path / "few.npy", tokens[:4])
    ours = replaced(dense, tmp_path / "ours", ratio=ratio)
    config = json.loads((ours / "config.json").read_text())
    before, after = reference.read(plain), reference.read(ours)
    begin, down = places(config)
    kept = {}
    for layer, theirs in sums.items():
        gone = config["flap_replaced_experts"][str(layer)]
        assert len(gone) == ratio * EXPERTS
        kept[layer] = [e for e in range(EXPERTS) if e not in gone]
        expected = torch.from_numpy(constants(theirs))
        for expert in gone:
            mean = after.pop(f"model.layers.{layer}.{begin}.{expert}.mean")
            weight = before[f"model.layers.{layer}.{begin}.{expert}.{down}.weight"]
            assert mean.dtype == weight.dtype
            # f32 outputs, summed in another order; in bf16 half a unit in the last place.
            bound = 1e-5 if mean.dtype == torch.float32 else 2.0**-8
            assert (mean.double() - expected[expert]).abs().max() <= bound * expected.abs().max()
    # Everything else is the dense model's, bit for bit.
    for name, tensor in after.items():
        assert np.array_equal(bits(tensor), bits(before[name])), name
    model, told = AutoModelForCausalLM.from_pretrained(
        ours, torch_dtype=torch.float32, trust_remote_code=True, output_loading_info=True)  # fmt: skip
    assert not any(told.values()), told
    got = logits(model.eval(), tokens[:4])
    (dtype,) = {tensor.dtype for tensor in before.values()}
    expected = logits(by_hand(load(plain), sums, kept, dtype), tokens[:4])
    # Means are of f32 outputs in another order; rounded to bf16 they may fall to the other side.
    bound = 1e-5 if dtype == torch.float32 else 2e-3
    assert (got - expected).abs().max() <= bound * expected.abs().max()
    (there,) = in_the_other_version(tmp_path, tmp_path / "few.npy", ours)
    assert there.shape == got.shape, there
    assert abs(got.numpy() - there).max() <= 2e-5 * abs(there).max()
    result = run("eval", "--model", ours, "--data", dense / "tokens.npy", "--compute", "f32")
    assert result["perplexity"] == pytest.approx(perplexity(model, tokens), rel=1e-5)


def test_saved_again_it_loads_again(tmp_path):
    for name in ("qwen3", "mixtral"):
        dense = make(tmp_path / name, **VARIANTS[name])
        few = np.load(dense / "tokens.npy")[:2]
        np.save(tmp_path / "few.npy", few)
        ours = replaced(dense, tmp_path / f"{name}-ours")
        model = conftest.load(ours)
        again = tmp_path / f"{name}-again"
        model.save_pretrained(again)
        assert set(load_file(again / "model.safetensors")) == set(load_file(ours / "model.safetensors"))
        expected = logits(model, few).numpy()
        (there,) = in_the_other_version(tmp_path, tmp_path / "few.npy", again)
        assert there.shape == expected.shape, there
        assert abs(there - expected).max() <= 2e-5 * abs(expected).max()
        result = run("eval", "--model", again, "--data", tmp_path / "few.npy", "--compute", "f32")
        assert result["perplexity"] == pytest.approx(perplexity(model, few), rel=1e-5)


def test_generation_goes_on_with_a_cache(tmp_path):
    dense = make(tmp_path / "dense", **VARIANTS["qwen3"])
    model = conftest.load(replaced(dense, tmp_path / "ours"))
    begin = torch.from_numpy(np.load(dense / "tokens.npy")[:1, :8].astype(np.int64))
    options = dict(max_new_tokens=8, do_sample=False, pad_token_id=0)
    assert torch.equal(model.generate(begin, **options), model.generate(begin, use_cache=False, **options))


def test_what_has_no_place_for_means_is_refused(tmp_path):
    dense = make(tmp_path / "dense", **VARIANTS["qwen3"])
    ours = replaced(dense, tmp_path / "ours")
    start = ["--model", dense, "--calibration", dense / "tokens.npy", "--experts-ratio", 0.25,
             "--output", tmp_path / "none"]  # fmt: skip
    run("calibrate", "--model", dense, "--calibration", dense / "tokens.npy", "--output", tmp_path / "s.safetensors")
    for arguments, message in [
        ([*start, "--replace-experts", "--uniform"], "leave out it or --uniform"),
        ([*start, "--replace-experts", "--format", "gguf"], "--format gguf has no place"),
        (["search", "--statistics", tmp_path / "s.safetensors", "--experts-ratio", 0.25, "--replace-experts"],
         "calibrate with --replace-experts"),
        (["--model", ours, *start[2:]], "prune the dense one"),
    ]:  # fmt: skip
        outcome = subprocess.run([COORDINATOR, *map(str, arguments)], capture_output=True, text=True)
        assert outcome.returncode != 0
        (line,) = outcome.stderr.strip().splitlines()
        assert message in line, line


@pytest.mark.skipif(not TRAINED, reason="FLAP_MIXTURE names no model of deploy/demo/train.py")
@pytest.mark.parametrize("by", ["reap", "frequency"])
@pytest.mark.parametrize("ratio", [0.25, 0.5])
def test_of_a_trained_mixture_means_are_better_than_nothing(ratio, by, tmp_path):
    trained = pathlib.Path(TRAINED)
    test, sums = np.load(trained / "test.npy"), statistics(load(trained), np.load(trained / "calibration.npy"))
    ours = replaced(trained, tmp_path / "ours", ratio=ratio, by=by, calibration="calibration.npy")
    found = run("eval", "--model", ours, "--data", trained / "test.npy", "--compute", "f32")["perplexity"]
    kept = kept_experts(sums, ratio, by)
    expected = perplexity(by_hand(load(trained), sums, kept, torch.bfloat16), test)
    print(ratio, by, found, expected)
    assert found == pytest.approx(expected, rel=1e-3)
    removed = perplexity(load(reference.prune(trained, kept, tmp_path / "removed")), test)
    assert found < removed
