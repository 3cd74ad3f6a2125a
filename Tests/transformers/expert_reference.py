#!/usr/bin/env python3
"""Experts of a mixture in PyTorch: their statistics, their choice and pruned models, to be held against.

    expert_reference.py MODEL [--calibration FILE.npy] [--test FILE.npy] [--seeds 5]

prints the perplexities of the dense model and of those with 25 % and 50 % of the experts of each layer
removed: by REAP, by frequency, at random, and replaced by their mean outputs. Without files:
calibration.npy and test.npy in the model's folder.

Of Qwen3-MoE and Mixtral, in transformers 4.57 (a module for each expert) and 5 (all in one tensor). The
gate g of a token is what its expert's output is multiplied by: after the model's own normalisation.
"""

import argparse
import dataclasses
import json
import pathlib
import re
import shutil

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

EXPERT = re.compile(r"^(model\.layers\.(\d+)\..+\.experts\.)(\d+)(\..+)$")
# Tensors whose first axis is the experts: the router's, and those that transformers 5 fuses if told to.
STACKED = re.compile(r"^model\.layers\.(\d+)\.\w+\.(gate\.weight|experts\.(gate_up_proj|down_proj))$")


@dataclasses.dataclass
class ExpertStatistics:
    """Sums over a layer's tokens, f64; rows are experts. Of an expert that no token reached: zeros."""

    count: np.ndarray  # [experts], int64
    gate_sum: np.ndarray  # [experts], Σ g
    norm_sum: np.ndarray  # [experts], Σ ‖f(x)‖₂
    gated_norm_sum: np.ndarray  # [experts], Σ g·‖f(x)‖₂
    output_mean: np.ndarray  # [experts, hidden], mean of f(x)
    gated_mean: np.ndarray  # [experts, hidden], mean of g·f(x)
    input_mean: np.ndarray  # [experts, intermediate], of down_proj's input
    input_m2: np.ndarray  # [experts, intermediate], Σ (h - mean)²

    @property
    def reap(self):
        """S of arXiv 2510.13999, equation 9: the mean of g·‖f(x)‖₂ over the expert's tokens."""
        return self.gated_norm_sum / np.maximum(self.count, 1)


def mixtures(model):
    """The layers that are mixtures: index → the block of router and experts."""
    blocks = {}
    for index, layer in enumerate(model.model.layers):
        block = getattr(layer, "block_sparse_moe", None) or layer.mlp
        if hasattr(block, "experts"):
            blocks[index] = block
    return blocks


def weights(block):
    """Gate, up and down of all experts: [experts, out, in] each."""
    experts = block.experts
    if hasattr(experts, "gate_up_proj"):
        return *experts.gate_up_proj.chunk(2, dim=1), experts.down_proj
    names = ("w1", "w3", "w2") if hasattr(experts[0], "w1") else ("gate_proj", "up_proj", "down_proj")
    return tuple(torch.stack([getattr(expert, name).weight for expert in experts]) for name in names)


def routes(model, block, x, gone=()):
    """Per token the chosen experts in falling order and their gates: [tokens, top k] each.

    Of experts that are gone the router has no rows."""
    config = model.config
    scores = torch.nn.functional.linear(x, block.gate.weight)
    scores[:, list(gone)] = -torch.inf
    left = scores.shape[1] - len(gone)
    values, chosen = torch.topk(torch.softmax(scores.float(), dim=-1), min(config.num_experts_per_tok, left))
    # Mixtral always normalises; its configuration says nothing of it.
    if getattr(config, "norm_topk_prob", True):
        values = values / values.sum(dim=-1, keepdim=True)
    return chosen, values.to(x.dtype)


@torch.no_grad()
def inputs_of(model, tokens, batch=16):
    """What the mixtures of a model see: index → [tokens, hidden]."""
    seen = {index: [] for index in mixtures(model)}
    hooks = [
        block.register_forward_pre_hook(
            lambda _, inputs, index=index: seen[index].append(inputs[0].reshape(-1, inputs[0].shape[-1]).clone())
        )
        for index, block in mixtures(model).items()
    ]
    for rows in torch.from_numpy(np.asarray(tokens).astype(np.int64)).split(batch):
        model.model(rows, use_cache=False)
    for hook in hooks:
        hook.remove()
    return {index: torch.cat(parts) for index, parts in seen.items()}


@torch.no_grad()
def statistics_of(model, block, x):
    """The statistics of a mixture whose inputs are x: [tokens, hidden]."""
    chosen, gates = routes(model, block, x)
    rows = []
    for expert, (gate, up, down) in enumerate(zip(*weights(block))):
        token, place = torch.where(chosen == expert)
        h = torch.nn.functional.silu(x[token] @ gate.T) * (x[token] @ up.T)
        f, h, g = (h @ down.T).double(), h.double(), gates[token, place].double()
        norm, n = f.norm(dim=-1), max(len(token), 1)
        mean = h.sum(0) / n
        rows.append((
            torch.tensor(len(token)), g.sum(), norm.sum(), (g * norm).sum(), f.sum(0) / n,
            (g[:, None] * f).sum(0) / n, mean, ((h - mean) ** 2).sum(0)))  # fmt: skip
    return ExpertStatistics(*(torch.stack(column).numpy() for column in zip(*rows)))


def statistics(model, tokens):
    """Of every mixture of a model: index → statistics over all tokens [samples, tokens]."""
    blocks = mixtures(model)
    return {index: statistics_of(model, blocks[index], x) for index, x in inputs_of(model, tokens).items()}


@torch.no_grad()
def tap_statistics(model, tokens, batch=16):
    """Of what flows into the maps that all tokens go through: (layer, name of the map) → (count, mean, m2)."""
    maps = {(index, "o_proj"): layer.self_attn.o_proj for index, layer in enumerate(model.model.layers)}
    maps |= {(index, "down_proj"): layer.mlp.down_proj for index, layer in enumerate(model.model.layers)
             if index not in mixtures(model)}  # fmt: skip
    seen = {key: [] for key in maps}
    hooks = [
        linear.register_forward_pre_hook(lambda _, inputs, key=key: seen[key].append(inputs[0].flatten(0, 1).double()))
        for key, linear in maps.items()
    ]
    for rows in torch.from_numpy(np.asarray(tokens).astype(np.int64)).split(batch):
        model.model(rows, use_cache=False)
    for hook in hooks:
        hook.remove()
    joined = {key: torch.cat(parts).numpy() for key, parts in seen.items()}
    return {key: (len(x), x.mean(0), ((x - x.mean(0)) ** 2).sum(0)) for key, x in joined.items()}


def channel_scores(metric, moments, weight, samples):
    """FLAP's scores (arXiv 2312.11983) of the inputs of a map; moments are (count, mean, m2)."""
    count, mean, m2 = moments
    weight = weight.detach().double().numpy()
    if metric == "magnitude":
        return np.sqrt((weight**2).sum(0))
    if count < 2:
        return np.zeros(len(mean))
    return {
        "WIFV": m2 / (count - 1) * (weight**2).sum(0),
        "IFV": m2 / (count - 1),
        "WIFN": np.abs(weight).mean(0) * np.sqrt((m2 + count * mean**2) / samples),
    }[metric]


def scores(layer, by, seed=0):
    """What the experts of a layer (index, statistics) are kept for; the least goes first."""
    index, sums = layer
    if by == "reap":
        return sums.reap
    if by == "frequency":
        return sums.count.astype(float)
    return np.random.default_rng([seed, index]).permutation(len(sums.count)).astype(float)


def kept_experts(sums, ratio, by, seed=0):
    """Index → the experts that stay, rising; of equal scores the earlier stays."""
    kept = {}
    for index, layer in sums.items():
        order = np.argsort(-scores((index, layer), by, seed), kind="stable")
        kept[index] = sorted(order[: len(order) - round(ratio * len(order))].tolist())
    return kept


def read(folder):
    """All tensors of a checkpoint by their names."""
    tensors = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            tensors |= {name: file.get_tensor(name) for name in file.keys()}
    return tensors


def prune(folder, kept, output):
    """A checkpoint of the stock class with the kept experts alone, numbered anew; the bits as they were."""
    folder, output = pathlib.Path(folder), pathlib.Path(output)
    output.mkdir(parents=True)
    tensors = {}
    for name, tensor in read(folder).items():
        if match := EXPERT.match(name):
            layer, expert = kept[int(match[2])], int(match[3])
            if expert not in layer:
                continue
            name = f"{match[1]}{layer.index(expert)}{match[4]}"
        elif match := STACKED.match(name):
            tensor = tensor[kept[int(match[1])]].contiguous()
        tensors[name] = tensor
    save_file(tensors, output / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (left,) = {len(layer) for layer in kept.values()}
    # 5 reads either name, 4.57 only its own: of Qwen3-MoE `num_experts`, of Mixtral `num_local_experts`.
    config.pop("num_experts", None), config.pop("num_local_experts", None)
    config["num_experts" if config["model_type"] == "qwen3_moe" else "num_local_experts"] = left
    config["num_experts_per_tok"] = min(config["num_experts_per_tok"], left)
    (output / "config.json").write_text(json.dumps(config, indent=2))
    return output


class Novice(torch.nn.Module):
    """What stands for a removed expert (arXiv 2507.00390): a constant, multiplied by the token's gate."""

    def __init__(self, value):
        super().__init__()
        self.value = torch.nn.Parameter(torch.from_numpy(value).float())

    def forward(self, x):
        return self.value.to(x.dtype).expand(len(x), -1)


def constants(layer, weighted=False):
    """[experts, hidden]: means of f(x), as the paper's; weighted by the gates: Σ g·f(x) / Σ g."""
    if not weighted:
        return layer.output_mean
    return layer.gated_mean * (layer.count / np.maximum(layer.gate_sum, 1e-30))[:, None]


def replace(model, sums, kept, weighted=False):
    """Puts constants in the places of removed experts: the router keeps its rows. transformers 4.57 only."""
    for index, block in mixtures(model).items():
        for expert, value in enumerate(constants(sums[index], weighted)):
            if expert not in kept[index]:
                block.experts[expert] = Novice(value)
    return model


def with_outputs(model, output, gone=None):
    """The model, in whichever version, with blocks that call `output(layer, expert, h)` for what an expert gives:
    [tokens, hidden], of its down_proj's inputs; gone: layer → experts without a row of the router."""
    for index, block in mixtures(model).items():

        def forward(x, index=index, block=block):
            flat = x.reshape(-1, x.shape[-1])
            chosen, gates = routes(model, block, flat, (gone or {}).get(index, ()))
            result = torch.zeros_like(flat)
            for expert, (gate, up, _) in enumerate(zip(*weights(block))):
                token, place = torch.where(chosen == expert)
                rows = flat[token]
                h = torch.nn.functional.silu(rows @ gate.T) * (rows @ up.T)
                result.index_add_(0, token, gates[token, place, None] * output(index, expert, h))
            result = result.reshape(x.shape)
            # transformers 4 gives the router's logits, too.
            return (result, None) if isinstance(block.experts, torch.nn.ModuleList) else result

        block.forward = forward
    return model


@dataclasses.dataclass
class Plan:
    """What stays of a model, by the maps of `maps_of`."""

    kept: dict  # (layer, map) → flags of its inputs
    gone: dict  # layer → experts that go

    def size(self, config):
        """Weights, divided by the hidden size: of q, k, v and o; of gate, up and down; of routers."""
        channel = 2 * (1 + config.num_key_value_heads / config.num_attention_heads)
        attention = sum(channel * kept.sum() for (_, name), kept in self.kept.items() if name == "o_proj")
        neurons = sum(kept.sum() for (_, name), kept in self.kept.items() if name != "o_proj")
        experts = sum(isinstance(name, int) and name not in self.gone[layer] for layer, name in self.kept)
        return attention, 3 * neurons, experts


def linear_of(model, layer, name):
    block = model.model.layers[layer]
    return block.self_attn.o_proj if name == "o_proj" else block.mlp.down_proj


def maps_of(model, sums, tokens):
    """Maps whose inputs may go: (layer, "o_proj", "down_proj" or expert) → (weight, (count, mean, m2))."""
    maps = {}
    for (layer, name), moments in tap_statistics(model, tokens).items():
        maps[layer, name] = linear_of(model, layer, name).weight.detach().clone(), moments
    for layer, block in mixtures(model).items():
        of = sums[layer]
        for expert, weight in enumerate(weights(block)[2].detach().clone()):
            maps[layer, expert] = weight, (of.count[expert], of.input_mean[expert], of.input_m2[expert])
    return maps


def plan_of(folder, maps):
    """The plan that flap wrote into a folder."""
    arrays, plan = load_file(pathlib.Path(folder) / "flap/plan.safetensors"), Plan({}, {})
    for (layer, name), (weight, _) in maps.items():
        groups, neurons = (arrays[f"model.layers.{layer}.{units}"].numpy().astype(bool)
                           for units in ("self_attn.kept_groups", "mlp.kept_neurons"))  # fmt: skip
        if name == "o_proj":
            plan.kept[layer, name] = np.repeat(groups, weight.shape[1] // len(groups))
            continue
        plan.kept[layer, name] = neurons.reshape(-1, weight.shape[1])[0 if name == "down_proj" else name]
        if name != "down_proj":
            plan.gone[layer] = np.flatnonzero(arrays[f"model.layers.{layer}.mlp.kept_experts"] == 0).tolist()
    return plan


def places(config):
    """Of the tensors of experts: how their names begin, and the map that gives their outputs."""
    mixtral = config["model_type"].endswith("mixtral")
    return ("block_sparse_moe.experts", "w2") if mixtral else ("mlp.experts", "down_proj")


def vectors_of(plan, maps, sums, config):
    """What makes up for what goes, a bias or an expert's mean output: map → (its tensor's name, the vector)."""
    (begin, down), replaces, vectors = places(config), "flap_replaced_experts" in config, {}
    for (layer, name), (weight, (_, mean, _)) in maps.items():
        bias = weight.double() @ torch.from_numpy(np.where(plan.kept[layer, name], 0.0, mean))
        start = f"model.layers.{layer}."
        if isinstance(name, str):
            vectors[layer, name] = f"{start}{'self_attn' if name == 'o_proj' else 'mlp'}.{name}.bias", bias
        elif name not in plan.gone[layer]:
            # Experts move up, but those beside which others are replaced.
            number = name if replaces else name - sum(expert < name for expert in plan.gone[layer])
            vectors[layer, name] = f"{start}{begin}.{number}.{down}.bias", bias
        elif replaces:
            vectors[layer, name] = f"{start}{begin}.{name}.mean", torch.from_numpy(sums[layer].output_mean[name])
    return vectors


def masked(model, maps, plan, vectors, dtype):
    """The dense model with zeros for what goes and vectors added, rounded to a dtype; routers know no expert
    that goes without leaving one."""
    experts = {}
    for (layer, name), (weight, _) in maps.items():
        weight = weight * torch.from_numpy(plan.kept[layer, name])
        _, bias = vectors.get((layer, name), (None, torch.zeros(len(weight))))
        bias = bias.to(dtype).float()
        if isinstance(name, int):
            experts[layer, name] = weight, bias
        else:
            linear = linear_of(model, layer, name)
            linear.weight, linear.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
    unknown = {layer: [e for e in gone if (layer, e) not in vectors] for layer, gone in plan.gone.items()}
    return with_outputs(
        model, lambda layer, expert, h: torch.nn.functional.linear(h, *experts[layer, expert]), unknown)  # fmt: skip


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()


@torch.no_grad()
def perplexity(model, tokens, batch=16):
    """Of all tokens [samples, tokens] but the first of each sample."""
    total = 0.0
    for rows in torch.from_numpy(np.asarray(tokens).astype(np.int64)).split(batch):
        logits = model(rows, use_cache=False).logits[:, :-1]
        total += torch.nn.functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]).double(), rows[:, 1:].reshape(-1), reduction="sum").item()
    return float(np.exp(total / (tokens.shape[0] * (tokens.shape[1] - 1))))


def table(folder, calibration, test, scratch, seeds=5):
    """Lines of the table of perplexities: (ratio, by, perplexity, of each seed)."""
    dense = load(folder)
    sums = statistics(dense, calibration)
    yield 0.0, "dense", perplexity(dense, test), []
    for ratio in (0.25, 0.5):
        for by in ("reap", "frequency", "random"):
            found = []
            for seed in range(seeds if by == "random" else 1):
                output = scratch / f"{by}-{ratio}-{seed}"
                shutil.rmtree(output, ignore_errors=True)
                prune(folder, kept_experts(sums, ratio, by, seed), output)
                found.append(perplexity(load(output), test))
            yield ratio, by, float(np.mean(found)), found
        for by in ("reap", "frequency"):
            for weighted in (False, True):
                model = replace(load(folder), sums, kept_experts(sums, ratio, by), weighted)
                name = f"{by}, {'Σ g·f / Σ g' if weighted else 'mean f'}"
                yield ratio, name, perplexity(model, test), []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--calibration", type=pathlib.Path)
    parser.add_argument("--test", type=pathlib.Path)
    parser.add_argument("--scratch", type=pathlib.Path, help="a folder for the pruned models")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    calibration = np.load(arguments.calibration or arguments.model / "calibration.npy")
    test = np.load(arguments.test or arguments.model / "test.npy")
    scratch = arguments.scratch or arguments.model.with_name(arguments.model.name + "-pruned")
    for index, layer in statistics(load(arguments.model), calibration).items():
        print(f"layer {index}  tokens {layer.count}  REAP {layer.reap.round(3)}")
    for ratio, by, value, each in table(arguments.model, calibration, test, scratch, arguments.seeds):
        print(f"{ratio:4.0%}  {by:22} {value:8.4f}  {[round(one, 3) for one in each] or ''}", flush=True)


if __name__ == "__main__":
    main()
