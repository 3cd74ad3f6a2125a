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
from expert_reference import kept_experts, load, statistics
from safetensors.numpy import load_file
from test_mixture import EXPERTS, INTERMEDIATE, VARIANTS, bits, keep_away, key, make, unfused
from test_replaced_experts import places
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
UNIFORM, BARE = {"uniform", "uniform-heads"}, {"uniform", "uniform-heads", "without-biases"}


def prune(dense, output, *options, ratio=0.4, calibration="tokens.npy"):
    data = ["--calibration", dense / calibration] if calibration else []
    run("--model", dense, *data, "--ratio", ratio, "--output", output, "--compute", "f32", *options)
    return output


def measured(model, sums, tokens):
    """Maps whose inputs go: (layer, "o_proj", "down_proj" or expert) → (weight, (count, mean, m2))."""
    maps = {}
    for (layer, name), moments in reference.tap_statistics(model, tokens).items():
        block = model.model.layers[layer]
        maps[layer, name] = (block.self_attn.o_proj if name == "o_proj" else block.mlp.down_proj).weight, moments
    for layer, block in reference.mixtures(model).items():
        for expert, weight in enumerate(reference.weights(block)[2]):
            moments = (getattr(sums[layer], name)[expert] for name in ("count", "input_mean", "input_m2"))
            maps[layer, expert] = weight, tuple(moments)
    return {key: (weight.detach().clone(), moments) for key, (weight, moments) in maps.items()}


def plan_of(folder, maps):
    """What a plan keeps: map → flags of its inputs, and layer → experts that go."""
    arrays = load_file(folder / "flap/plan.safetensors")
    flags, gone = {}, {}
    for (layer, name), (weight, _) in maps.items():
        groups, neurons = (arrays[f"model.layers.{layer}.{one}"].astype(bool)
                           for one in ("self_attn.kept_groups", "mlp.kept_neurons"))  # fmt: skip
        if name == "o_proj":
            flags[layer, name] = np.repeat(groups, weight.shape[1] // len(groups))
        else:
            flags[layer, name] = neurons.reshape(-1, weight.shape[1])[0 if name == "down_proj" else name]
        if isinstance(name, int):
            gone[layer] = np.flatnonzero(arrays[f"model.layers.{layer}.mlp.kept_experts"] == 0).tolist()
    return flags, gone


def check_choice(metric, maps, flags, gone, groups):
    """Of every map the best units stay, and as many of every expert."""
    for (layer, name), (weight, moments) in maps.items():
        kept = flags[layer, name]
        if name in gone.get(layer, []):
            assert not kept.any()
            continue
        scores = reference.channel_scores(metric, moments, weight, samples=24)
        if name == "o_proj":
            # Heads go by groups, and by sums of squares as the published code has it.
            scores = (scores if metric == "magnitude" else scores**2).reshape(groups, -1).sum(1)
            kept = kept.reshape(groups, -1)[:, 0]
        assert kept.any()
        # Sums of f32 in another order do not turn units so close around.
        assert kept.all() or scores[kept].min() >= scores[~kept].max() * (1 - 1e-5), (layer, name, scores, kept)
    sizes = {flags[k].sum() for k in maps if isinstance(k[1], int) and k[1] not in gone[k[0]]}
    assert len(sizes) == 1, sizes


def leavings(maps, flags, gone, sums, config):
    """Biases and means, each with the name of its tensor: map → (name, vector)."""
    (begin, down), replaces, found = places(config), "flap_replaced_experts" in config, {}
    for (layer, name), (weight, (_, mean, _)) in maps.items():
        bias = weight.double() @ torch.from_numpy(np.where(flags[layer, name], 0.0, mean))
        block = f"model.layers.{layer}."
        if isinstance(name, str):
            found[layer, name] = f"{block}{'self_attn' if name == 'o_proj' else 'mlp'}.{name}.bias", bias
        elif name not in gone[layer]:
            number = name if replaces else name - sum(expert < name for expert in gone[layer])
            found[layer, name] = f"{block}{begin}.{number}.{down}.bias", bias
        elif replaces:
            found[layer, name] = f"{block}{begin}.{name}.mean", torch.from_numpy(sums[layer].output_mean[name])
    return found


def by_hand(model, maps, flags, gone, left, dtype):
    """The dense model with zeros for what goes, and with what is left of it; its router knows no expert that went."""
    experts = {}
    for (layer, name), (weight, _) in maps.items():
        weight = weight * torch.from_numpy(flags[layer, name])
        _, bias = left.get((layer, name), (None, torch.zeros(len(weight))))
        bias = bias.to(dtype).float()
        if isinstance(name, int):
            experts[layer, name] = weight, bias
        else:
            block = model.model.layers[layer]
            linear = block.self_attn.o_proj if name == "o_proj" else block.mlp.down_proj
            linear.weight, linear.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
    unknown = {layer: [e for e in some if (layer, e) not in left] for layer, some in gone.items()}
    return reference.with_outputs(
        model, lambda layer, expert, h: torch.nn.functional.linear(h, *experts[layer, expert]), unknown)  # fmt: skip


@pytest.fixture(scope="module", params=NAMES)
def dense(request, tmp_path_factory):
    return make(tmp_path_factory.mktemp("mixture") / request.param, **VARIANTS[request.param])


@pytest.fixture(scope="module")
def plain(dense, tmp_path_factory):
    return unfused(dense, tmp_path_factory.mktemp("plain") / dense.name)


@pytest.fixture(scope="module")
def sums(plain):
    return statistics(load(plain), np.load(plain / "tokens.npy"))


@pytest.fixture(scope="module")
def maps(plain, sums):
    return measured(load(plain), sums, np.load(plain / "tokens.npy"))


def test_moments_are_the_references(dense, maps, tmp_path):
    run("calibrate", "--model", dense, "--calibration", dense / "tokens.npy", "--expert-neurons", "--compute", "f32",
        "--output", tmp_path / "statistics.safetensors")  # fmt: skip
    ours = load_file(tmp_path / "statistics.safetensors")
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
    """The same share of each layer's heads as is asked for, of neurons everywhere what meets the ratio."""
    ratio, config = 0.4, load(plain).config
    ours = prune(dense, tmp_path / "ours", "--structure", "UL-UM", "--attention-ratio", attention, "--metric", metric,
                 ratio=ratio, calibration=None if metric == "magnitude" else "tokens.npy")  # fmt: skip
    groups = config.num_key_value_heads
    flags, gone = plan_of(ours, maps)
    assert not any(gone.values())
    check_choice(metric, maps, flags, gone, groups)
    # Weights, divided by the hidden size: of q, k, v and o; of gate, up and down; the router's.
    kept = groups - int(attention * groups)
    heads = {k: weight.shape[1] * 2 * (1 + groups / config.num_attention_heads)
             for k, (weight, _) in maps.items() if k[1] == "o_proj"}  # fmt: skip
    left = sum(heads.values()) * kept / groups
    mlps = sum(3 * weight.shape[1] for k, (weight, _) in maps.items() if k not in heads) + EXPERTS * len(gone)
    share = 1 - ((sum(heads.values()) + mlps) * (1 - ratio) - left) / mlps
    for k, kept_inputs in flags.items():
        n = len(kept_inputs)
        assert kept_inputs.sum() == (n // groups * kept if k in heads else n - int(share * n)), k


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written(dense, plain, sums, maps, kind, tmp_path):
    ours = prune(dense, tmp_path / "ours", *KINDS[kind])
    tokens, model = np.load(dense / "tokens.npy"), load(plain)
    config, before, after = json.loads((ours / "config.json").read_text()), reference.read(plain), reference.read(ours)
    flags, gone = plan_of(ours, maps)
    check_choice("WIFV", maps, flags, gone, model.config.num_key_value_heads)
    # Without a share of them AL-AM finds how many experts go, UL-UM none.
    (fewer,) = {len(some) for some in gone.values()}
    if "--experts-ratio" in KINDS[kind] or "UL-UM" in KINDS[kind]:
        assert fewer == EXPERTS * 0.25 * ("--experts-ratio" in KINDS[kind])
    for layer, some in gone.items():
        assert sorted({*range(EXPERTS)} - {*some}) == kept_experts(sums, fewer / EXPERTS, "reap")[layer]
    left = {} if kind in BARE else leavings(maps, flags, gone, sums, config)
    assert {n for n in after if n.endswith((".bias", ".mean"))} == {name for name, _ in left.values()}
    (dtype,) = {tensor.dtype for tensor in before.values()}
    assert {tensor.dtype for tensor in after.values()} == {dtype}
    for name, expected in left.values():
        # Means of f32 inputs, summed in another order; in bf16 half a unit in the last place.
        bound = 1e-5 if dtype == torch.float32 else 2.0**-8
        assert (after[name].double() - expected).abs().max() <= bound * expected.abs().max(), name
    assert bool(list(ours.glob("*.py"))) == (kind not in UNIFORM)
    pruned, told = AutoModelForCausalLM.from_pretrained(
        ours, torch_dtype=torch.float32, trust_remote_code=kind not in UNIFORM, output_loading_info=True)  # fmt: skip
    assert not any(told.values()), told
    assert (type(pruned) is type(model)) == (kind in UNIFORM)
    got = logits(pruned.eval(), tokens[:4])
    expected = logits(by_hand(model, maps, flags, gone, left, dtype), tokens[:4])
    # Sums of f32 in another order; a bias that is rounded to bf16 may fall to the other side.
    bound = 2e-5 if dtype == torch.float32 or kind in BARE else 2e-3
    assert (got - expected).abs().max() <= bound * expected.abs().max()
    result = run("eval", "--model", ours, "--data", dense / "tokens.npy", "--compute", "f32")
    assert result["perplexity"] == pytest.approx(perplexity(pruned, tokens), rel=1e-5)


def test_the_other_version_loads_all(tmp_path):
    folders = []
    for name in ("qwen3-dense-between", "mixtral"):
        dense = make(tmp_path / name, **VARIANTS[name])
        folders += [prune(dense, tmp_path / f"{name}-{kind}", *options) for kind, options in KINDS.items()]
        # What transformers saves of the model with biases and means.
        conftest.load(tmp_path / f"{name}-replaced").save_pretrained(tmp_path / f"{name}-again")
        folders.append(tmp_path / f"{name}-again")
    few = np.load(dense / "tokens.npy")[:2]
    np.save(tmp_path / "few.npy", few)
    for folder, there in zip(folders, in_the_other_version(tmp_path, tmp_path / "few.npy", *folders)):
        here = logits(conftest.load(folder, torch_dtype=torch.float32), few).numpy()
        assert there.shape == here.shape, f"{folder.name}: {there}"
        # f32 sums in another order: a few ulp of the largest logit, over three layers.
        assert abs(here - there).max() <= 2e-5 * abs(here).max(), folder.name


def test_step_by_step_and_twice(tmp_path):
    """The steps write the bits of all at once; what has biases already is pruned again."""
    dense, once, twice = make(tmp_path / "dense", **VARIANTS["mixtral"]), tmp_path / "once", tmp_path / "twice"
    data, asked = ["--calibration", dense / "tokens.npy", "--compute", "f32"], ["--ratio", 0.4, *KINDS["heads"]]
    run("calibrate", "--model", dense, *data, "--expert-neurons", "--output", tmp_path / "s.safetensors")
    run("search", "--statistics", tmp_path / "s.safetensors", *asked, "--output", tmp_path / "plan.safetensors")
    run("write", "--model", dense, "--plan", tmp_path / "plan.safetensors", "--statistics", tmp_path / "s.safetensors",
        "--output", once)  # fmt: skip
    steps, whole = reference.read(once), reference.read(prune(dense, tmp_path / "whole", *KINDS["heads"]))
    assert set(steps) == set(whole)
    assert all(np.array_equal(bits(tensor), bits(whole[name])) for name, tensor in steps.items())
    run("--model", once, *data, *asked, "--output", twice)
    result = run("eval", "--model", twice, "--data", dense / "tokens.npy", "--compute", "f32")
    expected = perplexity(conftest.load(twice), np.load(dense / "tokens.npy"))
    assert result["perplexity"] == pytest.approx(expected, rel=1e-5)


def test_an_expert_that_no_token_reached_leaves_no_bias(tmp_path):
    dense = make(tmp_path / "dense", **VARIANTS["qwen3"])
    keep_away(dense, {0: [6], 1: [0, 5], 2: []})
    tokens, model = np.load(dense / "tokens.npy"), load(dense)
    sums = statistics(model, tokens)
    maps = measured(model, sums, tokens)
    ours = prune(dense, tmp_path / "ours", *KINDS["neurons"])
    check_choice("WIFV", maps, *plan_of(ours, maps), model.config.num_key_value_heads)
    for name, bias in reference.read(ours).items():
        if name.endswith("down_proj.bias"):
            layer, expert = int(name.split(".")[2]), int(name.split(".")[5])
            assert bias.isfinite().all() and bias.any() == (sums[layer].count[expert] > 0)


@pytest.mark.skipif("FLAP_MIXTURE" not in os.environ, reason="FLAP_MIXTURE names no model of deploy/demo/train.py")
def test_of_a_trained_mixture_neurons_are_better_than_experts(tmp_path):
    """At the same ratio of 50 %; what is computed is what PyTorch computes of the dense model by hand."""
    trained = pathlib.Path(os.environ["FLAP_MIXTURE"])
    data, few = dict(calibration="calibration.npy", ratio=0.5), np.load(trained / "test.npy")[:32]
    np.save(tmp_path / "few.npy", few)
    neurons = prune(trained, tmp_path / "neurons", *KINDS["neurons"], **data)
    experts = prune(trained, tmp_path / "experts", "--structure", "experts", **data)
    found = {folder.name: run("eval", "--model", folder, "--data", trained / "test.npy", "--compute", "f32")
             for folder in (neurons, experts)}  # fmt: skip
    print({name: result["perplexity"] for name, result in found.items()})
    assert found["neurons"]["perplexity"] < found["experts"]["perplexity"]
    model = load(trained)
    sums = statistics(model, np.load(trained / "calibration.npy"))
    maps = measured(model, sums, np.load(trained / "calibration.npy"))
    flags, gone = plan_of(neurons, maps)
    left = leavings(maps, flags, gone, sums, json.loads((neurons / "config.json").read_text()))
    expected = perplexity(by_hand(model, maps, flags, gone, left, torch.bfloat16), few)
    result = run("eval", "--model", neurons, "--data", tmp_path / "few.npy", "--compute", "f32")
    assert result["perplexity"] == pytest.approx(expected, rel=1e-3)
