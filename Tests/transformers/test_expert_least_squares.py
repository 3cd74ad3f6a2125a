"""Least squares behind the neurons of experts (`--compensation least-squares`, `--method best`), beside PyTorch.

What each expert's down_proj reads is PyTorch's; sums, fits and orders of removal are made of it here, in f64.
The models are those of test_mixture.py, with experts that few tokens reach; for both versions of transformers.
"""

import expert_reference as reference
import numpy as np
import pytest
import torch
from conftest import perplexity, run
from safetensors.numpy import load_file
from safetensors.torch import save_file
from test_mixture import EXPERTS, INTERMEDIATE, LAYERS, VARIANTS, bits, make
from transformers import AutoModelForCausalLM

NAMES = ["qwen3", "qwen3-bf16", "mixtral"]
KINDS = {"given": ["--structure", "UL-UM", "--attention-ratio", 0, "--compensation", "least-squares"],
         "best": ["--method", "best"]}  # fmt: skip
# Leaves of two samples, but the last, of one; every eighth leaf is held out.
SAMPLES, LENGTH, LEAF = 47, 40, ["--tokens-per-leaf", 99]
HELD_OUT = np.repeat(np.arange(SAMPLES) // 2 % 8 == 7, LENGTH)
# Some experts see a token of their own and no other: so often in leaves that are kept and in those held out.
NEVER, FEW, ENOUGH, UNSEEN = range(4)
OWN = {NEVER: (0, 0), FEW: (60, 2 * INTERMEDIATE - 61), ENOUGH: (62, 2 * INTERMEDIATE - 62), UNSEEN: (99, 0)}
ROLES = {(layer, (2 * role + 3 * layer) % EXPERTS): role for layer in range(LAYERS) for role in OWN}
RIDGES = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]


@pytest.fixture(scope="module", params=NAMES)
def dense(request, tmp_path_factory):
    """A channel of the residual stream is the same for all tokens, and one for each role is for its own token."""
    folder = make(tmp_path_factory.mktemp("mixture") / request.param, **VARIANTS[request.param])
    tensors, rng, channels = reference.read(folder), np.random.default_rng(5), 1 + len(OWN)
    tokens = rng.integers(len(OWN), 160, SAMPLES * LENGTH)
    kept, held = [rng.permutation(np.flatnonzero(HELD_OUT == flag)).tolist() for flag in (False, True)]
    embedding = tensors["model.embed_tokens.weight"]
    embedding[:, :channels] = torch.eye(1, channels) * 0.2
    for name, tensor in tensors.items():
        if name.endswith(("o_proj.weight", "down_proj.weight", "w2.weight")):
            tensor[:channels] = 0
        elif name.endswith((".mlp.gate.weight", ".block_sparse_moe.gate.weight")):
            tensor[:, :channels] = 0
            for (layer, expert), role in ROLES.items():
                if name.startswith(f"model.layers.{layer}."):
                    tensor[expert, 0], tensor[expert, 1 + role] = -30, 30
    for role, (of_kept, of_held) in OWN.items():
        embedding[role, 1 + role] = 0.4
        tokens[[kept.pop() for _ in range(of_kept)] + [held.pop() for _ in range(of_held)]] = role
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    np.save(folder / "tokens.npy", tokens.reshape(SAMPLES, LENGTH).astype(np.int32))
    return folder


@pytest.fixture(scope="module", params=KINDS)
def pruned(request, dense, tmp_path_factory):
    output = tmp_path_factory.mktemp("pruned") / request.param
    run("--model", dense, "--calibration", dense / "tokens.npy", "--compute", "f32", "--ratio", 0.3, *LEAF,
        *KINDS[request.param], "--output", output)  # fmt: skip
    return output


@pytest.fixture(scope="module")
@torch.no_grad()
def seen(dense):
    """Layer and expert → its map, what flows into that, which rows of it are held out, whether they are enough."""
    model, experts = reference.load(dense), {}
    inputs = reference.inputs_of(model, np.load(dense / "tokens.npy"))
    for layer, block in reference.mixtures(model).items():
        chosen, _ = reference.routes(model, block, inputs[layer])
        for expert, (gate, up, down) in enumerate(zip(*reference.weights(block))):
            token = torch.where((chosen == expert).any(1))[0]
            h = torch.nn.functional.silu(inputs[layer][token] @ gate.T) * (inputs[layer][token] @ up.T)
            enough = len(h) >= 2 * INTERMEDIATE and HELD_OUT[token].any()
            experts[layer, expert] = down.double().numpy(), h.double().numpy(), HELD_OUT[token], enough
    return experts


def fit(weight, kept, h, ridge):
    c, mean = np.cov(h.T, bias=True), h.mean(0)
    ckk = c[np.ix_(kept, kept)]
    change = np.linalg.solve(ckk + ridge * np.diag(np.diag(ckk)), c[np.ix_(kept, ~kept)] @ weight[:, ~kept].T).T
    return weight[:, kept] + change, weight[:, ~kept] @ mean[~kept] - change @ mean[kept]


def error(weight, kept, h, fitted, bias):
    """Mean square of what the fitted map gives other than the whole one."""
    return ((h @ weight.T - h[:, kept] @ fitted.T - bias) ** 2).sum() / len(h)


def chosen_ridge(errors):
    """From the middle as far as errors fall, to smaller ridges or, if none is better, to larger ones."""
    at = middle = len(errors) // 2
    for step in (-1, 1):
        while (at - middle) * step >= 0 and 0 <= at + step < len(errors) and errors[at + step] < errors[at]:
            at += step
    return at


def of_experts(arrays, layer, name):
    return arrays[f"model.layers.{layer}.mlp.{name}"].reshape(EXPERTS, -1)


def test_second_moments(pruned, seen):
    low = np.tril_indices(INTERMEDIATE)
    for (layer, expert), (_, h, held, enough) in seen.items():
        role = ROLES.get((layer, expert), ENOUGH)
        assert enough == (role == ENOUGH) and ((layer, expert) not in ROLES or OWN[role] == (sum(~held), sum(held)))
        file = load_file(pruned / f"flap/second-moments/{layer}-mlp.down_proj.safetensors")
        scale = 2.0 ** file["scale_exponents"].reshape(EXPERTS, -1)[expert].astype(float)
        size = np.sqrt((h**2).sum(0))
        # Sums of squares fill 31 bits but for one or two.
        assert np.all((size * scale > 2**14 * 0.9999) & (size * scale < 2**15 * 1.0001) | (len(h) == 0))
        for prefix, x in ("", h[~held]), ("held_out_", h[held]):
            count, sums, products = (file[prefix + name].reshape(EXPERTS, -1)[expert] for name in
                                     ("expert_token_counts", "input_sums", "second_moments"))  # fmt: skip
            assert count == len(x)
            # Integers are rounded once a leaf: of 24, to less than 2^-24 of the size. The rest is f32: of neurons
            # behind up to three layers, and of a leaf's products. Where no token is, zeros are exact.
            assert np.all(abs(sums / scale / 2**20 - x.sum(0)) <= 2e-6 * size * np.sqrt(len(x))), (layer, expert)
            difference = products / np.outer(scale, scale)[low] - (x.T @ x)[low]
            assert np.all(abs(difference) <= 2e-6 * np.outer(size, size)[low] * (len(x) > 0)), (layer, expert)


def test_weights_and_biases(dense, pruned, seen):
    before, after, plan = reference.read(dense), reference.read(pruned), load_file(pruned / "flap/plan.safetensors")
    names = {(int(match[2]), int(match[3])): name for name in before if (match := reference.EXPERT.match(name))
             and match[4] in (".down_proj.weight", ".w2.weight")}  # fmt: skip
    for place, (weight, h, held, enough) in seen.items():
        kept = of_experts(plan, place[0], "kept_neurons")[place[1]].astype(bool)
        tensor, bias = after[names[place]], after[names[place].replace(".weight", ".bias")]
        by_mean = weight[:, kept], weight[:, ~kept] @ (h.sum(0) / max(len(h), 1))[~kept]
        written = tensor.double().numpy(), bias.double().numpy()
        # What the type rounds by, and f32 sums in another order behind a system of equations.
        half = 2.0**-24 if tensor.dtype == torch.float32 else 2.0**-8
        fits = [fit(weight, kept, h, ridge) for ridge in RIDGES] if enough else [by_mean]
        same = [index for index, values in enumerate(fits) if all(
            np.all(abs(a - b) <= half * abs(b) + 1e-5 * abs(b).max()) for a, b in zip(written, values))]  # fmt: skip
        assert same, place
        if enough:
            errors = [error(weight, kept, h[held], *fit(weight, kept, h[~held], ridge)) for ridge in RIDGES]
            # Of ridges that err alike either may be chosen.
            assert min(errors[index] for index in same) <= errors[chosen_ridge(errors)] * (1 + 1e-5), place
            assert error(weight, kept, h, *written) < error(weight, kept, h, *by_mean), place
        else:
            assert np.array_equal(bits(tensor), bits(before[names[place]][:, torch.from_numpy(kept)])), place


def test_perplexity_is_that_of_transformers(dense, pruned, tmp_path):
    tokens = np.load(dense / "tokens.npy")[:12]
    np.save(tmp_path / "few.npy", tokens)
    model = AutoModelForCausalLM.from_pretrained(pruned, torch_dtype=torch.float32, trust_remote_code=True).eval()
    result = run("eval", "--model", pruned, "--data", tmp_path / "few.npy", "--compute", "f32")
    assert result["perplexity"] == pytest.approx(perplexity(model, tokens), rel=1e-5)


@pytest.mark.parametrize("pruned", ["best"], indirect=True)
def test_the_best_neurons_stay(pruned, seen):
    """An expert loses next what the rest, fitted anew, can best do without, by the samples that are kept."""
    plan, file = (load_file(pruned / f"flap/{name}.safetensors") for name in ("plan", "statistics"))
    assert len({mask.sum() for layer in range(LAYERS) for mask in of_experts(plan, layer, "kept_neurons")}) == 1
    for (layer, expert), (weight, h, held, enough) in seen.items():
        ranks, errors = (of_experts(file, layer, f"down_proj.removal_{name}")[expert] for name in ("rank", "error"))
        kept, order, x = of_experts(plan, layer, "kept_neurons")[expert], np.argsort(ranks), h[~held]
        assert np.array_equal(ranks[order], np.arange(INTERMEDIATE)), (layer, expert)
        assert 0 < kept.sum() < INTERMEDIATE and np.array_equal(kept, ranks >= INTERMEDIATE - kept.sum())
        if len(x) == 0:
            assert np.array_equal(order, np.arange(INTERMEDIATE)[::-1]) and not errors.any()
            continue
        # Too few tokens tell nothing of pairs. Errors are per token of the layer.
        c = np.cov(x.T, bias=True) * np.where(np.eye(INTERMEDIATE), 1 + 1e-3, enough)
        weight, share, lost = weight.copy(), len(x) / (~HELD_OUT).sum(), 0.0
        for left in (order[rank:] for rank in range(INTERMEDIATE)):
            assert errors[left[0]] == pytest.approx(lost * share, rel=1e-4), (layer, expert)
            inverse = np.linalg.inv(c[np.ix_(left, left)])
            costs = (weight[:, left] ** 2).sum(0) / np.diag(inverse)
            # f32 sums in another order do not turn neurons so close around.
            assert costs[0] <= costs.min() * (1 + 1e-4), (layer, expert)
            weight[:, left] -= np.outer(weight[:, left[0]], inverse[0] / inverse[0, 0])
            lost += costs[0]
