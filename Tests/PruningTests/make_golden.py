#!/usr/bin/env python3
"""Writes the golden values of PruningTests: python3 make_golden.py (needs numpy only).

The formulas of FLAP (arXiv 2312.11983), written the obvious way in numpy, on small random models:
plain attention, grouped queries, and layers of different sizes as a pruned model has them.
Weights are small integers over 128, exact in every format; masks are strings of 0 and 1.
"""
import json
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent / "Golden"
NEURON_COST = 3


def shape(hidden, head_dimension, layers):
    return {
        "hiddenSize": hidden,
        "headDimension": head_dimension,
        "layers": [
            {"headCount": h, "keyValueHeadCount": kv, "intermediateSize": i} for h, kv, i in layers
        ],
    }


def group_cost(model, layer):
    g = layer["headCount"] // layer["keyValueHeadCount"]
    return 2 * g * model["headDimension"] + 2 * model["headDimension"]


def random_tap(random, hidden, channels, tokens):
    weight = random.integers(-128, 129, size=(hidden, channels)) / 128
    # Channels of very different scale and mean, as activations have them.
    scale = np.exp(random.normal(size=channels))
    x = random.normal(size=(tokens, channels)) * scale + random.normal(size=channels)
    mean = x.mean(0)
    return {"weight": weight, "mean": mean, "m2": ((x - mean) ** 2).sum(0)}


def channel_scores(metric, tap, tokens, samples):
    weight = tap["weight"]
    variance = tap["m2"] / (tokens - 1)
    if metric == "IFV":
        return variance
    if metric == "WIFV":
        return variance * (weight**2).sum(0)
    if metric == "WIFN":
        square_sum = tap["m2"] + tokens * tap["mean"] ** 2
        return np.abs(weight).mean(0) * np.sqrt(square_sum / samples)
    return np.sqrt((weight**2).sum(0))


def standardize(x):
    return (x - x.mean()) / x.std(ddof=1)


def keep_lowest_out(scores, removed):
    return scores >= np.sort(scores)[removed]


def keep_highest(scores, removed):
    """Over all layers together: the removed lowest go."""
    if removed == 0:
        return [np.ones(len(s), bool) for s in scores]
    threshold = np.sort(np.concatenate(scores))[::-1][-removed]
    return [s > threshold for s in scores]


def search(structure, ratio, removed, model, attention, mlp):
    layers = model["layers"]
    groups = [layer["keyValueHeadCount"] for layer in layers]
    costs = [group_cost(model, layer) for layer in layers]
    layer_costs = [
        c * g + NEURON_COST * layer["intermediateSize"] for c, g, layer in zip(costs, groups, layers)
    ]
    sums = [a.reshape(g, -1).sum(1) for a, g in zip(attention, groups)]
    means = [standardize(a).reshape(g, -1).mean(1) for a, g in zip(attention, groups)]
    neurons = [standardize(m) for m in mlp]
    if structure == "AL-AM":
        scores = np.concatenate(means + neurons)
        cost = np.concatenate(
            [np.full(g, c / NEURON_COST) for g, c in zip(groups, costs)]
            + [np.ones(len(m)) for m in mlp]
        )
        order = np.argsort(-scores, kind="stable")
        kept = np.cumsum(cost[order])
        threshold = scores[order[np.argmin(np.abs(kept - cost.sum() * (1 - ratio)))]]
        keep = [u > threshold for u in means], [u > threshold for u in neurons]
    elif structure == "UL-UM":
        keep = (
            [keep_lowest_out(s, int(ratio * len(s))) for s in sums],
            [keep_lowest_out(m, int(ratio * len(m))) for m in mlp],
        )
    elif structure == "AL-MM":
        kept_groups = keep_highest(means, removed)
        gone = sum(c * int((~k).sum()) for c, k in zip(costs, kept_groups))
        count = int((ratio * sum(layer_costs) - gone) / NEURON_COST)
        keep = kept_groups, keep_highest(neurons, count)
    else:
        each = removed // len(layers)
        keep = (
            [keep_lowest_out(s, each) for s in sums],
            [
                keep_lowest_out(m, int((ratio * total - each * c) / NEURON_COST))
                for m, c, total in zip(mlp, costs, layer_costs)
            ],
        )
    restored = 0
    for layer in range(len(layers)):
        for flags, scores in ((keep[0][layer], sums[layer]), (keep[1][layer], mlp[layer])):
            if not flags.any():
                flags[np.argmax(scores)] = True
                restored += 1
    if structure.endswith("MM"):
        assert restored == 0, "the published rule differs here; choose other numbers"
    kept_cost = sum(
        c * int(g.sum()) + NEURON_COST * int(n.sum()) for c, g, n in zip(costs, *keep)
    )
    return keep, restored, 1 - kept_cost / sum(layer_costs)


def flags(mask):
    return "".join("1" if m else "0" for m in mask)


def bias(tap, kept_channels):
    return (tap["weight"] @ (tap["mean"] * ~kept_channels)).tolist()


def case(name, model, seed, removed):
    random = np.random.default_rng(seed)
    tokens, samples = 96, 6
    d = model["headDimension"]
    taps = [
        (
            random_tap(random, model["hiddenSize"], layer["headCount"] * d, tokens),
            random_tap(random, model["hiddenSize"], layer["intermediateSize"], tokens),
        )
        for layer in model["layers"]
    ]
    metrics = []
    for metric in ("WIFV", "IFV", "WIFN", "magnitude"):
        attention = [channel_scores(metric, a, tokens, samples) for a, _ in taps]
        if metric != "magnitude":
            attention = [a**2 for a in attention]
        mlp = [channel_scores(metric, m, tokens, samples) for _, m in taps]
        searches = []
        for structure in ("AL-AM", "AL-MM", "UL-MM", "UL-UM"):
            for ratio in (0.2, 0.5, 0.8):
                given = removed.get((structure, ratio))
                if structure.endswith("MM") and given is None:
                    continue
                keep, restored, reached = search(structure, ratio, given, model, attention, mlp)
                found = {
                    "structure": structure, "ratio": ratio, "groupsRemoved": given,
                    "keptGroups": [flags(k) for k in keep[0]],
                    "keptNeurons": [flags(k) for k in keep[1]],
                    "restored": restored, "reached": reached,
                }
                if metric == "WIFV" and structure in ("AL-AM", "UL-UM"):
                    found["biases"] = [
                        {
                            "attentionOutput": bias(a, np.repeat(
                                groups, len(a["mean"]) // len(groups))),
                            "mlpDown": bias(m, neurons),
                        }
                        for (a, m), groups, neurons in zip(taps, *keep)
                    ]
                searches.append(found)
        metrics.append({
            "metric": metric,
            "scores": [
                {"attentionOutput": a.tolist(), "mlpDown": m.tolist()}
                for a, m in zip(attention, mlp)
            ],
            "searches": searches,
        })
    as_lists = [
        [
            {
                "mean": tap["mean"].tolist(), "m2": tap["m2"].tolist(),
                "weight128": (tap["weight"] * 128).astype(int).ravel().tolist(),
                "squareSum": (tap["weight"] ** 2).sum(0).tolist(),
                "absoluteMean": np.abs(tap["weight"]).mean(0).tolist(),
            }
            for tap in layer
        ]
        for layer in taps
    ]
    write(name, {
        "shape": model, "tokenCount": tokens, "sampleCount": samples,
        "taps": [{"attentionOutput": a, "mlpDown": m} for a, m in as_lists],
        "metrics": metrics,
    })


def sums():
    """Sums and standard deviations of frac(i · golden ratio), i = 1 … n: made alike anywhere."""
    out = []
    for count in (1, 2, 7, 8, 9, 15, 100, 128, 129, 136, 255, 1000, 4097, 28672):
        product = np.arange(1, count + 1) * 0.6180339887498949
        values = product - np.floor(product)
        last = float(standardize(values)[-1]) if count > 1 else 0.0
        out.append({"count": count, "sum": float(values.sum()), "lastStandardized": last})
    write("sums", out)


def write(name, value):
    text = json.dumps(value, separators=(",", ":"))
    (FOLDER / f"{name}.json").write_text(text + "\n")
    print(f"{name}.json: {len(text)} bytes")


if __name__ == "__main__":
    case("multi-head", shape(12, 4, [(4, 4, 32)] * 4), 1,
         {("AL-MM", 0.2): 2, ("AL-MM", 0.5): 5, ("UL-MM", 0.2): 4, ("UL-MM", 0.5): 8})
    case("grouped-query", shape(12, 4, [(6, 3, 40)] * 3), 2,
         {("AL-MM", 0.2): 1, ("AL-MM", 0.5): 3, ("UL-MM", 0.2): 0, ("UL-MM", 0.5): 3})
    case("uneven", shape(12, 4, [(8, 4, 40), (2, 1, 24), (6, 3, 11), (4, 2, 33)]), 3,
         {("AL-MM", 0.2): 1, ("AL-MM", 0.5): 2, ("UL-MM", 0.2): 0})
    sums()
