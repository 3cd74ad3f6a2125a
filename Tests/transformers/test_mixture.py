"""Mixtures of experts: evaluated, measured and pruned by flap, beside PyTorch (expert_reference.py).

Run in both versions of transformers: each saves the dense models, both load what was made of them, as
the stock class and without remote code.
"""

import json
import os
import pathlib

import conftest
import expert_reference as reference
import numpy as np
import pytest
import torch
import transformers
from conftest import logits, perplexity, run
from expert_reference import kept_experts, load, statistics
from safetensors.torch import load_file, save_file
from test_versions import in_the_other_version
from transformers import AutoConfig, AutoModelForCausalLM

EXPERTS, LAYERS, INTERMEDIATE = 8, 3, 40
QWEN3 = dict(family="qwen3_moe", num_experts=EXPERTS, moe_intermediate_size=INTERMEDIATE, intermediate_size=64,
             num_attention_heads=4, num_key_value_heads=2, head_dim=16, num_experts_per_tok=2,
             norm_topk_prob=True)  # fmt: skip
VARIANTS = {
    "qwen3": QWEN3,
    "qwen3-bf16": QWEN3 | dict(dtype=torch.bfloat16),
    "qwen3-unnormalized": QWEN3 | dict(norm_topk_prob=False, num_experts_per_tok=3),
    "qwen3-step": QWEN3 | dict(decoder_sparse_step=2),
    "qwen3-dense-between": QWEN3 | dict(mlp_only_layers=[1], tie_word_embeddings=True),
    # What transformers 5 has in memory, and saves if told to: all experts in one tensor.
    "qwen3-fused": QWEN3 | dict(fused=True),
    "mixtral": dict(family="mixtral", num_local_experts=EXPERTS, intermediate_size=INTERMEDIATE,
                    num_attention_heads=6, num_key_value_heads=3, num_experts_per_tok=2, sliding_window=None),
    "mixtral-fused": dict(family="mixtral", num_local_experts=EXPERTS, intermediate_size=INTERMEDIATE,
                          num_attention_heads=4, num_key_value_heads=2, num_experts_per_tok=2,
                          sliding_window=None, fused=True),
}  # fmt: skip
# The layers of a variant that are mixtures, where not all are.
MIXED = {"qwen3-step": [1], "qwen3-dense-between": [0, 2]}


# The words of the command line and of the files, in this one place.


def prune(dense, output, ratio, by, *more, calibration="tokens.npy"):
    data = [] if by == RANDOM[0] else ["--calibration", dense / calibration]
    run("--model", dense, *data, "--experts-ratio", ratio, "--metric", by, "--output", output, "--compute", "f32",
        *more)  # fmt: skip
    return output


# The rule that draws, and the option whose value decides what is drawn.
RANDOM = ("random", "--experts-seed")
REPLACE = "--replace-experts"
# Whether what replaces an expert is Σ g·f(x) / Σ g; else the mean of f(x), as in the paper.
WEIGHTED = False


def calibrate(dense, output):
    run("calibrate", "--model", dense, "--calibration", dense / "tokens.npy", "--compute", "f32", "--output",
        output)  # fmt: skip
    return load_file(output)


def key(layer, name):
    return f"model.layers.{layer}.mlp.down_proj.expert_{name}"


# Models


def make(folder, dtype=torch.float32, family="", fused=False, **options):
    torch.manual_seed(11)
    config = AutoConfig.for_model(
        family, vocab_size=160, hidden_size=48, num_hidden_layers=LAYERS, max_position_embeddings=128,
        bos_token_id=1, eos_token_id=2, **options)  # fmt: skip
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("q_norm.weight", "k_norm.weight")):
                parameter.uniform_(0.5, 1.5)
            elif "norm" not in name:
                parameter.normal_(0, 0.12)
        # Experts differ in use and in size, so that there is something to choose.
        for index, block in reference.mixtures(model).items():
            scales = 1 + 0.3 * (torch.arange(EXPERTS).roll(3 * index) / EXPERTS)
            block.gate.weight *= scales.flip(0)[:, None]
            for expert, down in enumerate(reference.weights(block)[2] * scales[:, None, None]):
                if hasattr(block.experts, "down_proj"):
                    block.experts.down_proj[expert] = down
                else:
                    getattr(block.experts[expert], "w2" if family == "mixtral" else "down_proj").weight.copy_(down)
    model.to(dtype).save_pretrained(folder)
    if fused:
        fuse(folder)
    rng = np.random.default_rng(3)
    np.save(folder / "tokens.npy", rng.integers(0, 160, (24, 40)).astype(np.int32))
    return folder


def fuse(folder):
    """The tensors as `save_pretrained(save_original_format=False)` of transformers 5 names and shapes them."""
    tensors = load_file(folder / "model.safetensors")
    fused = {n.replace("block_sparse_moe", "mlp"): t for n, t in tensors.items() if ".experts." not in n}
    for layer in range(LAYERS):
        def stacked(*names):
            return torch.stack([tensors[name] for e in range(EXPERTS) for name in tensors if name in [
                f"model.layers.{layer}.{block}.experts.{e}.{one}.weight"
                for block in ("mlp", "block_sparse_moe") for one in names]])  # fmt: skip

        gate_up = torch.cat([stacked("gate_proj", "w1"), stacked("up_proj", "w3")], dim=1)
        fused[f"model.layers.{layer}.mlp.experts.gate_up_proj"] = gate_up
        fused[f"model.layers.{layer}.mlp.experts.down_proj"] = stacked("down_proj", "w2")
    save_file(fused, folder / "model.safetensors", {"format": "pt"})


def unfused(folder, scratch):
    """The folder with a tensor for each expert's linear: 4.57 knows no other, 5 writes no other."""
    tensors = load_file(folder / "model.safetensors")
    if not any(name.endswith("gate_up_proj") for name in tensors):
        return folder
    config = json.loads((folder / "config.json").read_text())
    mixtral = config["model_type"] == "mixtral"
    names = ("w1", "w3", "w2") if mixtral else ("gate_proj", "up_proj", "down_proj")
    apart = {}
    for name, tensor in tensors.items():
        if name.endswith("gate_up_proj"):
            begin = name.removesuffix("gate_up_proj")
            for e in range(EXPERTS):
                gate, up = tensor[e].chunk(2)
                apart[f"{begin}{e}.{names[0]}.weight"], apart[f"{begin}{e}.{names[1]}.weight"] = gate, up
                apart[f"{begin}{e}.{names[2]}.weight"] = tensors[begin + "down_proj"][e]
        elif not name.endswith("experts.down_proj"):
            apart[name] = tensor
    if mixtral:
        apart = {name.replace(".mlp.", ".block_sparse_moe."): tensor for name, tensor in apart.items()}
    scratch.mkdir(exist_ok=True)
    save_file({n: t.contiguous() for n, t in apart.items()}, scratch / "model.safetensors", {"format": "pt"})
    for name in ("config.json", "tokens.npy"):
        (scratch / name).write_bytes((folder / name).read_bytes())
    return scratch


@pytest.fixture(scope="module", params=sorted(VARIANTS))
def dense(request, tmp_path_factory):
    folder = make(tmp_path_factory.mktemp("mixture") / request.param, **VARIANTS[request.param])
    return folder


@pytest.fixture(scope="module")
def plain(dense, tmp_path_factory):
    """The dense model as every version loads it."""
    return unfused(dense, tmp_path_factory.mktemp("plain") / dense.name)


@pytest.fixture(scope="module")
def sums(plain):
    """The reference's statistics: layer → of its experts."""
    return statistics(load(plain), np.load(plain / "tokens.npy"))


# Tests


def test_perplexity_is_that_of_transformers(dense, plain):
    result = run("eval", "--model", dense, "--data", dense / "tokens.npy", "--compute", "f32")
    expected = perplexity(load(plain), np.load(dense / "tokens.npy"))
    assert result["perplexity"] == pytest.approx(expected, rel=1e-5)


def test_statistics_are_the_references(dense, sums, tmp_path):
    assert list(sums) == MIXED.get(dense.name, list(range(LAYERS)))
    ours = calibrate(dense, tmp_path / "statistics.safetensors")
    for layer, theirs in sums.items():
        assert np.array_equal(ours[key(layer, "count")].double().numpy().ravel(), theirs.count)
        for name in ("gate_sum", "norm_sum", "gated_norm_sum"):
            got, expected = ours[key(layer, name)].double().numpy().ravel(), getattr(theirs, name).ravel()
            # f32 products in another order; means near zero have the layer's size for their scale.
            assert np.abs(got - expected).max() <= 1e-4 * np.abs(expected).max(), (layer, name)


def test_gates_below_normal_numbers_choose_as_in_transformers(tmp_path):
    """Second experts with gates of some 1e-40 are no ties; below 1e-45 they are, as they are zeros there, too."""
    dense = make(tmp_path, **VARIANTS["mixtral"])
    tensors = load_file(dense / "model.safetensors")
    for name in tensors:
        if name.endswith("gate.weight"):
            tensors[name] *= 60
    save_file(tensors, dense / "model.safetensors", {"format": "pt"})
    ours = calibrate(dense, tmp_path / "statistics.safetensors")
    model = load(dense)
    inputs = reference.inputs_of(model, np.load(dense / "tokens.npy"))
    tiny = 0
    for layer, block in reference.mixtures(model).items():
        chosen, gates = reference.routes(model, block, inputs[layer])
        tiny += int(((gates[:, 1] < 1e-38) & (gates[:, 1] > 0)).sum())
        counts = np.bincount(chosen.numpy().ravel(), minlength=EXPERTS)
        got = ours[key(layer, "count")].numpy().ravel()
        # Inputs differ in their last digits, and logits of a hundred with them.
        assert np.abs(got - counts).sum() <= 4, layer
    assert tiny > 20


@pytest.mark.parametrize("by", ["reap", "frequency"])
@pytest.mark.parametrize("ratio", [0.25, 0.5])
def test_the_kept_experts_and_their_bits(dense, plain, sums, ratio, by, tmp_path):
    ours = prune(dense, tmp_path / "ours", ratio, by)
    kept = kept_in(plain, ours, sums)
    for layer, theirs in sums.items():
        scores = reference.scores((layer, theirs), by)
        left = [scores[e] for e in kept[layer]]
        gone = [scores[e] for e in range(EXPERTS) if e not in kept[layer]]
        assert (len(left), len(gone)) == (EXPERTS - ratio * EXPERTS, ratio * EXPERTS)
        assert kept[layer] == sorted(kept[layer])
        # Counts may be equal; sums of f32 in another order do not turn experts so close around.
        assert min(left) >= max(gone) * (1 - 1e-6), (layer, scores, kept[layer])
    same_bits(ours, reference.prune(plain, kept, tmp_path / "theirs"))


def test_at_random_the_seed_decides(dense, plain, sums, tmp_path):
    by, seed = RANDOM
    folders = [prune(dense, tmp_path / str(index), 0.5, by, seed, value) for index, value in enumerate((1, 1, 2))]
    first, again, other = [kept_in(plain, folder, sums) for folder in folders]
    assert first == again
    assert first != other
    assert all(len(layer) == EXPERTS // 2 for layer in first.values())
    if len(sums) > 1:
        assert len({tuple(layer) for layer in first.values()}) > 1, "layers draw for themselves"
    same_bits(folders[0], reference.prune(plain, first, tmp_path / "theirs"))


def test_both_versions_load_the_stock_class(dense, plain, sums, tmp_path):
    tokens = np.load(dense / "tokens.npy")
    np.save(tmp_path / "few.npy", tokens[:4])
    folders = [prune(dense, tmp_path / f"ours-{ratio}", ratio, "reap") for ratio in (0.25, 0.5)]
    elsewhere = in_the_other_version(tmp_path, tmp_path / "few.npy", *folders)
    for ours, there in zip(folders, elsewhere):
        assert not list(ours.glob("*.py"))
        model, told = AutoModelForCausalLM.from_pretrained(
            ours, torch_dtype=torch.float32, output_loading_info=True)  # fmt: skip
        assert type(model) is type(load(plain))
        assert not any(told.values()), told
        theirs = reference.prune(plain, kept_in(plain, ours, sums), tmp_path / f"{ours.name}-theirs")
        here, expected = logits(model.eval(), tokens[:4]).numpy(), logits(load(theirs), tokens[:4]).numpy()
        assert np.isfinite(here).all()
        assert np.array_equal(here, expected)
        assert there.shape == here.shape, there
        # f32 sums in another order: a few ulp of the largest logit, over three layers.
        assert abs(here - there).max() <= 2e-5 * abs(here).max()
        result = run("eval", "--model", ours, "--data", dense / "tokens.npy", "--compute", "f32")
        assert result["perplexity"] == pytest.approx(perplexity(model, tokens), rel=1e-5)


def test_no_more_experts_for_a_token_than_are_left(tmp_path):
    dense = make(tmp_path / "dense", **VARIANTS["qwen3-unnormalized"])
    ours = prune(dense, tmp_path / "ours", 0.75, "reap")
    config = json.loads((ours / "config.json").read_text())
    assert (config["num_experts"], config["num_experts_per_tok"]) == (2, 2)
    tokens = np.load(dense / "tokens.npy")
    result = run("eval", "--model", ours, "--data", dense / "tokens.npy", "--compute", "f32")
    assert result["perplexity"] == pytest.approx(perplexity(conftest.load(ours), tokens), rel=1e-5)


@pytest.mark.parametrize("by", ["reap", "frequency"])
def test_experts_that_no_token_reached_go_first(by, tmp_path):
    dense = make(tmp_path / "dense", **VARIANTS["qwen3"])
    unreached = {0: [6], 1: [0, 5], 2: []}
    keep_away(dense, unreached)
    sums = statistics(load(dense), np.load(dense / "tokens.npy"))
    for layer, experts in unreached.items():
        assert np.flatnonzero(sums[layer].count == 0).tolist() == experts
    ours = calibrate(dense, tmp_path / "statistics.safetensors")
    assert all(torch.isfinite(values.double()).all() for values in ours.values())
    kept = kept_in(dense, prune(dense, tmp_path / "ours", 0.25, by), sums)
    for layer, experts in unreached.items():
        assert not set(experts) & set(kept[layer])


@pytest.mark.skipif("FLAP_MIXTURE" not in os.environ, reason="FLAP_MIXTURE names no model of deploy/demo/train.py")
@pytest.mark.parametrize("ratio", [0.25, 0.5])
def test_of_a_trained_mixture_reap_keeps_the_better_experts(ratio, tmp_path):
    trained = pathlib.Path(os.environ["FLAP_MIXTURE"])
    test, sums = np.load(trained / "test.npy"), statistics(load(trained), np.load(trained / "calibration.npy"))
    found = {}
    for by, seeds in (("reap", [None]), ("frequency", [None]), (RANDOM[0], range(5))):
        for seed in seeds:
            drawn = [] if seed is None else [RANDOM[1], seed]
            ours = prune(trained, tmp_path / f"{by}-{seed}", ratio, by, *drawn, calibration="calibration.npy")
            result = run("eval", "--model", ours, "--data", trained / "test.npy", "--compute", "f32")
            found.setdefault(by, []).append(result["perplexity"])
        if by != RANDOM[0]:
            theirs = reference.prune(trained, kept_experts(sums, ratio, by), tmp_path / f"{by}-theirs")
            assert found[by][0] == pytest.approx(perplexity(load(theirs), test), rel=1e-4)
    print(ratio, found)
    assert found["reap"][0] <= found["frequency"][0] <= np.mean(found[RANDOM[0]])


def test_means_in_the_places_of_experts(tmp_path):
    """Remote code: the router keeps its rows, and a removed expert's output is a constant."""
    if not transformers.__version__.startswith("4."):
        pytest.skip("the reference replaces modules, which are one in transformers 5")
    dense = make(tmp_path / "dense", **VARIANTS["qwen3"])
    tokens = np.load(dense / "tokens.npy")
    sums = statistics(load(dense), tokens)
    kept = kept_experts(sums, 0.5, "reap")
    ours = prune(dense, tmp_path / "ours", 0.5, "reap", REPLACE)
    expected = logits(reference.replace(load(dense), sums, kept, WEIGHTED), tokens[:4])
    got = logits(conftest.load(ours), tokens[:4])
    # Constants are means of f32 outputs, summed in another order.
    assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()
    np.save(tmp_path / "few.npy", tokens[:4])
    (there,) = in_the_other_version(tmp_path, tmp_path / "few.npy", ours)
    assert there.shape == got.shape, there
    assert abs(got.numpy() - there).max() <= 2e-5 * abs(there).max()


# What they share


def kept_in(plain, pruned, layers):
    """Layer → the dense model's experts that a pruned one has, found by their rows of the router."""
    before, after = reference.read(plain), reference.read(pruned)
    kept = {}
    for layer in layers:
        (name,) = [n for n in before if n.startswith(f"model.layers.{layer}.") and n.endswith(".gate.weight")]
        rows = [row.tobytes() for row in bits(before[name])]
        kept[layer] = [rows.index(row.tobytes()) for row in bits(after[name])]
    return kept


def bits(tensor):
    return tensor.contiguous().view(torch.uint8).numpy()


def same_bits(ours, theirs):
    """Two checkpoints have the same tensors, and configurations say the same of experts."""
    tensors, expected = reference.read(ours), reference.read(theirs)
    assert set(tensors) == set(expected)
    for name, tensor in tensors.items():
        assert (tensor.dtype, tensor.shape) == (expected[name].dtype, expected[name].shape), name
        assert np.array_equal(bits(tensor), bits(expected[name])), name
    config, other = (json.loads((folder / "config.json").read_text()) for folder in (ours, theirs))
    for name in ("model_type", "architectures", "num_experts_per_tok", "moe_intermediate_size", "intermediate_size",
                 "norm_topk_prob", "decoder_sparse_step", "mlp_only_layers"):  # fmt: skip
        assert config.get(name) == other.get(name), name
    # transformers 5 saves Qwen3-MoE's count as `num_local_experts`, which 4.57 does not read.
    count = "num_experts" if config["model_type"] == "qwen3_moe" else "num_local_experts"
    assert config[count] == other[count]


def keep_away(folder, unreached):
    """Makes a channel of the residual stream always positive, and routers that shun experts by it."""
    tensors = load_file(folder / "model.safetensors")
    tensors["model.embed_tokens.weight"][:, 0] = 0.2
    for name, tensor in tensors.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            tensor[0] = 0
    for layer, experts in unreached.items():
        router = tensors[f"model.layers.{layer}.mlp.gate.weight"]
        router[:, 0] = 0
        router[experts, 0] = -100
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
