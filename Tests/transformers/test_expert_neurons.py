"""Neurons of experts, and heads and experts beside them (`--structure AL-AM`, `UL-UM`), beside PyTorch.

Run in both versions of transformers, as test_mixture.py, whose models these are.
"""

import json
import os
import pathlib

import conftest
import expert_reference as reference
import numpy as np
import pytest
import torch
from conftest import logits, perplexity, run
from expert_reference import kept_experts, load, maps_of, plan_of, statistics, vectors_of
from safetensors.numpy import load_file
from test_mixture import EXPERTS, INTERMEDIATE, VARIANTS, bits, keep_away, key, make, plain, sums  # noqa: F401
from test_mixture import prune as prune_experts
from test_versions import in_the_other_version
from transformers import AutoModelForCausalLM

NAMES = ["qwen3-unnormalized", "qwen3-bf16", "qwen3-dense-between", "mixtral", "mixtral-fused"]
KINDS = {
    "neurons": ["--structure", "UL-UM", "--attention-ratio", 0],
    "heads": ["--structure", "AL-AM", "--attention-ratio", 0.3],
    "all": ["--structure", "AL-AM"],
    "experts": ["--structure", "UL-UM", "--attention-ratio", 0.5, "--experts-ratio", 0.25],
    "replaced": ["--structure", "AL-AM", "--attention-ratio", 0.3, "--experts-ratio", 0.25, "--replace-experts"],
    "without-biases": ["--structure", "AL-AM", "--attention-ratio", 0.3, "--compensation", "none"],
    "uniform": ["--structure", "UL-UM", "--attention-ratio", 0, "--uniform"],
    "uniform-heads": ["--structure", "AL-AM", "--attention-ratio", 0.5, "--experts-ratio", 0.25, "--uniform"],
}
UNIFORM = {"uniform", "uniform-heads"}


def prune(dense, output, *options, ratio=0.4, calibration="tokens.npy"):
    data = ["--calibration", dense / calibration] if calibration else []
    run("--model", dense, *data, "--ratio", ratio, "--output", output, "--compute", "f32", *options)
    return output


def calibrate(dense, output):
    run("calibrate", "--model", dense, "--calibration", dense / "tokens.npy", "--expert-neurons", "--compute", "f32",
        "--output", output)  # fmt: skip
    return output


def check_choice(metric, maps, plan, groups):
    """Of every map the best units stay, and as many of every expert that does."""
    for (layer, name), (weight, moments) in maps.items():
        kept = plan.kept[layer, name]
        if name in plan.gone.get(layer, []):
            assert not kept.any()
            continue
        scores = reference.channel_scores(metric, moments, weight, samples=24)
        if name == "o_proj":
            # Heads go by groups: by sums of squares, as the published code has it.
            scores = (scores if metric == "magnitude" else scores**2).reshape(groups, -1).sum(1)
            kept = kept.reshape(groups, -1)[:, 0]
        assert kept.any()
        # Sums of f32 in another order do not turn units so close around.
        assert kept.all() or scores[kept].min() >= scores[~kept].max() * (1 - 1e-5), (layer, name, scores, kept)
    sizes = {kept.sum() for (layer, name), kept in plan.kept.items()
             if isinstance(name, int) and name not in plan.gone[layer]}  # fmt: skip
    assert len(sizes) == 1, sizes


@pytest.fixture(scope="module", params=NAMES)
def dense(request, tmp_path_factory):
    return make(tmp_path_factory.mktemp("mixture") / request.param, **VARIANTS[request.param])


@pytest.fixture(scope="module")
def maps(plain, sums):
    return maps_of(load(plain), sums, np.load(plain / "tokens.npy"))


def test_moments_are_the_references(dense, maps, tmp_path):
    ours = load_file(calibrate(dense, tmp_path / "statistics.safetensors"))
    for (layer, name), (_, (count, mean, m2)) in maps.items():
        if isinstance(name, int):
            assert ours[key(layer, "count")][name] == count
            found = [ours[key(layer, f"input_{sum}")].reshape(EXPERTS, INTERMEDIATE)[name] for sum in ("sum", "sumsq")]
            expected = [count * mean, m2 + count * mean**2]
        else:
            module = f"model.layers.{layer}.{'self_attn' if name == 'o_proj' else 'mlp'}.{name}"
            found, expected = [ours[f"{module}.input_{sum}"] for sum in ("mean", "m2")], [mean, m2]
        for got, wanted in zip(found, expected):
            # f32 products in another order; means near zero have the map's size for their scale.
            assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max(), (layer, name)


@pytest.mark.parametrize("metric", ["WIFV", "IFV", "WIFN", "magnitude"])
@pytest.mark.parametrize("attention", [0, 0.5])
def test_the_kept_neurons(dense, plain, maps, metric, attention, tmp_path):
    """By UL-UM: the given share of each layer's groups goes, and of neurons everywhere the one that is left."""
    ratio, config = 0.4, load(plain).config
    ours = prune(dense, tmp_path / "ours", "--structure", "UL-UM", "--attention-ratio", attention, "--metric", metric,
                 ratio=ratio, calibration=None if metric == "magnitude" else "tokens.npy")  # fmt: skip
    plan, groups = plan_of(ours, maps), config.num_key_value_heads
    assert not any(plan.gone.values())
    check_choice(metric, maps, plan, groups)
    stay = groups - int(attention * groups)
    heads, mlps, routers = all_of(plan).size(config)
    share = 1 - ((heads + mlps + routers) * (1 - ratio) - heads * stay / groups - routers) / mlps
    for (layer, name), kept in plan.kept.items():
        n = len(kept)
        assert kept.sum() == (n // groups * stay if name == "o_proj" else n - int(share * n)), (layer, name)


def test_the_ratio_is_met(dense, plain, maps, tmp_path):
    """By AL-AM: no further away than half of the largest step, an expert of every layer."""
    measured, config = calibrate(dense, tmp_path / "statistics.safetensors"), load(plain).config
    (tmp_path / "flap").mkdir()
    missed = {}
    for ratio in (0.03, 0.06, 0.08, 0.14, 0.22, 0.3, 0.38, 0.46, 0.54, 0.62, 0.7):
        run("search", "--statistics", measured, "--structure", "AL-AM", "--ratio", ratio, "--output",
            tmp_path / "flap/plan.safetensors")  # fmt: skip
        plan = plan_of(tmp_path, maps)
        full = sum(all_of(plan).size(config))
        reached = 1 - sum(plan.size(config)) / full
        if abs(reached - ratio) > len(plan.gone) * (3 * INTERMEDIATE + 1) / full / 2:
            missed[ratio] = round(float(reached), 4)
    assert not missed


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written(dense, plain, sums, maps, kind, tmp_path):
    ours = prune(dense, tmp_path / "ours", *KINDS[kind])
    tokens, model, plan = np.load(dense / "tokens.npy"), load(plain), plan_of(ours, maps)
    config, before, after = json.loads((ours / "config.json").read_text()), reference.read(plain), reference.read(ours)
    check_choice("WIFV", maps, plan, model.config.num_key_value_heads)
    # Without a share of them AL-AM finds how many experts go, UL-UM none.
    (fewer,) = {len(gone) for gone in plan.gone.values()}
    if "--experts-ratio" in KINDS[kind] or "UL-UM" in KINDS[kind]:
        assert fewer == EXPERTS * 0.25 * ("--experts-ratio" in KINDS[kind])
    assert plan.gone == {layer: [e for e in range(EXPERTS) if e not in kept]
                         for layer, kept in kept_experts(sums, fewer / EXPERTS, "reap").items()}  # fmt: skip

    vectors = {} if kind in {*UNIFORM, "without-biases"} else vectors_of(plan, maps, sums, config)
    assert {n for n in after if n.endswith((".bias", ".mean"))} == {name for name, _ in vectors.values()}
    (dtype,) = {tensor.dtype for tensor in before.values()}
    assert {tensor.dtype for tensor in after.values()} == {dtype}
    for name, expected in vectors.values():
        # Means of f32 numbers, summed in another order; in bf16 half a unit in the last place.
        bound = 1e-5 if dtype == torch.float32 else 2.0**-8
        assert (after[name].double() - expected).abs().max() <= bound * expected.abs().max(), name

    assert bool(list(ours.glob("*.py"))) == (kind not in UNIFORM)
    pruned, told = AutoModelForCausalLM.from_pretrained(
        ours, torch_dtype=torch.float32, trust_remote_code=kind not in UNIFORM, output_loading_info=True)  # fmt: skip
    assert not any(told.values()), told
    assert (type(pruned) is type(model)) == (kind in UNIFORM)
    got = logits(pruned.eval(), tokens[:4])
    expected = logits(reference.masked(model, maps, plan, vectors, dtype), tokens[:4])
    # Sums of f32 in another order; a bias that is rounded to bf16 may fall to the other side.
    bound = 2e-3 if vectors and dtype == torch.bfloat16 else 2e-5
    assert (got - expected).abs().max() <= bound * expected.abs().max()
    result = run("eval", "--model", ours, "--data", dense / "tokens.npy", "--compute", "f32")
    assert result["perplexity"] == pytest.approx(perplexity(pruned, tokens), rel=1e-5)


def test_the_other_version_loads_all(tmp_path):
    """What flap wrote, and what transformers saved of a model with biases and means."""
    folders = []
    for name in ("qwen3-dense-between", "mixtral"):
        dense, again = make(tmp_path / name, **VARIANTS[name]), tmp_path / f"{name}-again"
        folders += [prune(dense, tmp_path / f"{name}-{kind}", *options) for kind, options in KINDS.items()]
        conftest.load(tmp_path / f"{name}-replaced").save_pretrained(again)
        folders.append(again)
    few = np.load(dense / "tokens.npy")[:2]
    np.save(tmp_path / "few.npy", few)
    for folder, there in zip(folders, in_the_other_version(tmp_path, tmp_path / "few.npy", *folders)):
        here = logits(conftest.load(folder), few).numpy()
        assert there.shape == here.shape, f"{folder.name}: {there}"
        # f32 sums in another order: a few ulp of the largest logit, over three layers.
        assert abs(here - there).max() <= 2e-5 * abs(here).max(), folder.name


def test_step_by_step_and_twice(tmp_path):
    """Steps write the bits of all at once; what has biases already is pruned again."""
    dense, once, twice = make(tmp_path / "dense", **VARIANTS["mixtral"]), tmp_path / "once", tmp_path / "twice"
    measured, plan = calibrate(dense, tmp_path / "statistics.safetensors"), tmp_path / "plan.safetensors"
    run("search", "--statistics", measured, "--ratio", 0.4, *KINDS["heads"], "--output", plan)
    run("write", "--model", dense, "--plan", plan, "--statistics", measured, "--output", once)
    steps, whole = reference.read(once), reference.read(prune(dense, tmp_path / "whole", *KINDS["heads"]))
    assert set(steps) == set(whole)
    assert all(np.array_equal(bits(tensor), bits(whole[name])) for name, tensor in steps.items())
    run("--model", once, "--calibration", dense / "tokens.npy", "--ratio", 0.4, *KINDS["heads"], "--output", twice,
        "--compute", "f32")  # fmt: skip
    result = run("eval", "--model", twice, "--data", dense / "tokens.npy", "--compute", "f32")
    expected = perplexity(conftest.load(twice), np.load(dense / "tokens.npy"))
    assert result["perplexity"] == pytest.approx(expected, rel=1e-5)


def test_an_expert_that_no_token_reached_leaves_no_bias(tmp_path):
    dense = make(tmp_path / "dense", **VARIANTS["qwen3"])
    keep_away(dense, {0: [6], 1: [0, 5], 2: []})
    tokens, model = np.load(dense / "tokens.npy"), load(dense)
    sums = statistics(model, tokens)
    maps, ours = maps_of(model, sums, tokens), prune(dense, tmp_path / "ours", *KINDS["neurons"])
    plan = plan_of(ours, maps)
    check_choice("WIFV", maps, plan, model.config.num_key_value_heads)
    vectors = vectors_of(plan, maps, sums, json.loads((ours / "config.json").read_text()))
    tensors = reference.read(ours)
    for layer, of in sums.items():
        for expert, count in enumerate(of.count):
            bias = tensors[vectors[layer, expert][0]]
            assert bias.isfinite().all() and bias.any() == (count > 0)


@pytest.mark.skipif("FLAP_MIXTURE" not in os.environ, reason="FLAP_MIXTURE names no model of deploy/demo/train.py")
def test_of_a_trained_mixture_neurons_are_better_than_experts(tmp_path):
    """Half of all without heads, beside half of the experts, which is less; PyTorch computes the same by hand."""
    trained = pathlib.Path(os.environ["FLAP_MIXTURE"])
    few, model = np.load(trained / "test.npy")[:32], load(trained)
    np.save(tmp_path / "few.npy", few)
    neurons = prune(trained, tmp_path / "neurons", *KINDS["neurons"], ratio=0.5, calibration="calibration.npy")
    experts = prune_experts(trained, tmp_path / "experts", 0.5, "reap", calibration="calibration.npy")
    found = [run("eval", "--model", folder, "--data", trained / "test.npy", "--compute", "f32")["perplexity"]
             for folder in (neurons, experts)]  # fmt: skip
    print(found)
    assert found[0] < found[1]
    sums = statistics(model, np.load(trained / "calibration.npy"))
    maps = maps_of(model, sums, np.load(trained / "calibration.npy"))
    plan = plan_of(neurons, maps)
    vectors = vectors_of(plan, maps, sums, json.loads((neurons / "config.json").read_text()))
    expected = perplexity(reference.masked(model, maps, plan, vectors, torch.bfloat16), few)
    result = run("eval", "--model", neurons, "--data", tmp_path / "few.npy", "--compute", "f32")
    assert result["perplexity"] == pytest.approx(expected, rel=1e-3)


def all_of(plan):
    return reference.Plan({key: np.ones_like(kept) for key, kept in plan.kept.items()}, dict.fromkeys(plan.gone, ()))
