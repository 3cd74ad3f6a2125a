#!/usr/bin/env python3
"""Writes the golden values of LeastSquaresTests: python3 make_golden.py (needs numpy only).

Least squares and the order of removal, written the obvious way in f64: every error from a solve of
its own, no update formulas. Channels are mixtures of fewer sources with noise, of scales over two
decades, with means; weights are small integers over 128, exact in f32; masks are strings of 0 and 1.
"""
import json
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent / "Golden"


def statistics(x):
    mean = x.mean(0)
    covariance = (x - mean).T @ (x - mean) / len(x)
    return {"tokenCount": len(x), "mean": mean, "covariance": covariance}


def samples(random, tokens, channels, constants):
    """Tokens to fit to, and held-out ones whose means have moved a little."""
    mixing = random.normal(size=(channels // 2, channels))
    scale = np.exp(random.normal(size=channels))
    mean = random.normal(size=channels)
    sets = []
    for count, moved in ((tokens, 0), (tokens // 2, 0.1)):
        source = random.normal(size=(count, channels // 2)) ** 3 / 4
        x = (source @ mixing + 0.3 * random.normal(size=(count, channels))) * scale
        x += mean + moved * random.normal(size=channels)
        x[:, constants] = [2.5 - c for c in range(len(constants))]
        sets.append(x)
    return sets


def solve(w, kept, target, x, ridge):
    """W' and b for a wanted output y: ridge regression of what is wanted beyond W_K x_K."""
    s = statistics(x)
    k = np.flatnonzero(kept)
    centred, residual = x - s["mean"], target - x[:, k] @ w[:, k].T
    varying = k[s["covariance"].diagonal()[k] > 1e-12]
    a = s["covariance"][np.ix_(varying, varying)]
    a = a + ridge * np.diag(a.diagonal())
    cross = residual.T @ centred[:, varying] / len(x)
    fitted = w.copy()
    fitted[:, varying] += np.linalg.solve(a, cross.T).T
    fitted = fitted[:, k]
    return fitted, target.mean(0) - fitted @ s["mean"][k]


def error(w, kept, fitted, bias, target, x):
    k = np.flatnonzero(kept)
    return (((target - x[:, k] @ fitted.T - bias) ** 2).sum(1)).mean()


def objective(w, c, left):
    """Least tr (W − W')·C·(W − W')ᵀ with W' of the channels left, C with its ridge."""
    gone = np.setdiff1d(np.arange(len(c)), left)
    part = w[:, gone] @ c[np.ix_(gone, left)]
    rest = np.linalg.solve(c[np.ix_(left, left)], part.T) if len(left) else np.zeros((0, len(w)))
    return np.trace(w[:, gone] @ c[np.ix_(gone, gone)] @ w[:, gone].T) - np.trace(part @ rest)


def removal_order(w, covariance, width, batch, ridge):
    varying = covariance.diagonal() > 1e-12
    c = covariance + ridge * np.diag(covariance.diagonal())
    c[~varying] = 0
    c[:, ~varying] = 0
    c[~varying, ~varying] = 1
    w = w * varying
    units = len(c) // width
    is_constant = [not varying[u * width : u * width + width].any() for u in range(units)]
    order = [u for u in reversed(range(units)) if is_constant[u]]
    errors = [0.0] * (len(order) + 1)
    left = [u for u in range(units) if not is_constant[u]]

    def without(u):
        return objective(w, c, np.array([v * width + i for v in left if v != u for i in range(width)], int))

    while len(left) > 1:
        ranked = sorted((without(u), -u) for u in left)
        pool = [-u for _, u in ranked[: 2 * batch]]
        for _ in range(min(batch, len(left) - 1)):
            cost, u = min((without(u), -u) for u in pool)
            left.remove(-u)
            pool.remove(-u)
            order.append(-u)
            errors.append(cost)
    return {"width": width, "batch": batch, "ridge": ridge, "order": order + left, "errors": errors}


def fixture(name, seed, outputs, channels, constants, orders):
    random = np.random.default_rng(seed)
    w = random.integers(-128, 129, size=(outputs, channels)) / 128
    x, held = samples(random, 60 * channels, channels, constants)
    kept = random.random(channels) < 0.6
    # One constant channel stays, one goes.
    kept[constants] = np.arange(len(constants)) % 2 == 0

    def fit(ridge, target, held_target):
        fitted, bias = solve(w, kept, target, x, ridge)
        return {
            "ridge": ridge,
            "weight": fitted,
            "bias": bias,
            "error": error(w, kept, fitted, bias, target, x),
            "heldOutError": error(w, kept, fitted, bias, held_target, held),
        }

    # Another output to aim at, as an error of the residual stream adds one.
    shift = random.normal(size=(channels, outputs)) / 8
    target, held_target = (y @ w.T + np.tanh(y @ shift) for y in (x, held))
    value = {
        "weight128": (w * 128).astype(int),
        "kept": "".join("1" if k else "0" for k in kept),
        "statistics": statistics(x),
        "heldOut": statistics(held),
        "fits": [fit(ridge, x @ w.T, held @ w.T) for ridge in (1e-5, 1e-3, 1e-1)],
        "target": aim(target, x),
        "heldOutTarget": aim(held_target, held),
        "targetFit": fit(1e-3, target, held_target),
        "orders": [
            removal_order(w, statistics(x)["covariance"], width, batch, ridge)
            for width, batch, ridge in orders
        ],
    }
    text = json.dumps(value, default=plain, separators=(",", ":"))
    (FOLDER / f"{name}.json").write_text(text)


def aim(y, x):
    cross = (y - y.mean(0)).T @ (x - x.mean(0)) / len(x)
    return {"cross": cross, "mean": y.mean(0), "variance": y.var(0)}


def plain(value):
    if isinstance(value, np.ndarray):
        return value.ravel().tolist()
    return value.item()


FOLDER.mkdir(exist_ok=True)
fixture("neurons", 1, 9, 40, [], [(1, 1, 1e-3), (1, 4, 1e-3), (1, 16, 1e-5), (1, 100, 1e-1)])
fixture("constants", 2, 5, 18, [3, 7, 11], [(1, 1, 1e-3), (1, 4, 1e-3), (3, 1, 1e-3)])
fixture("groups", 3, 12, 30, [], [(5, 1, 1e-3), (10, 1, 1e-5), (2, 1, 1e-2)])
