"""Comparison with an independent implementation in PyTorch on a larger trained model.

Runs where the folder `shared` lies beside this repository (or where FLAP_SHARED points): it holds
`oracle/flap_oracle.py` and `models/llama-mha`. Elsewhere every test here says that it was skipped.
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "transformers"))
from conftest import load, perplexity, run  # noqa: E402

SHARED = pathlib.Path(os.environ.get("FLAP_SHARED", ROOT.parent / "shared"))
ORACLE = SHARED / "oracle" / "flap_oracle.py"
MODEL = SHARED / "models" / "llama-mha"
SAMPLES, TEST_SAMPLES, LAYERS = 256, 64, 8
TAPS = {"attn": "self_attn.o_proj", "mlp": "mlp.down_proj"}

pytestmark = pytest.mark.skipif(
    not (ORACLE.exists() and MODEL.exists()), reason=f"no oracle and model in {SHARED}"
)


def oracle(*arguments):
    command = [sys.executable, str(ORACLE), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracle")
    np.save(folder / "calibration.npy", np.load(MODEL / "calibration.npy")[:SAMPLES])
    np.save(folder / "test.npy", np.load(MODEL / "test.npy")[:TEST_SAMPLES])
    return folder


@pytest.fixture(scope="session")
def oracle_statistics(work):
    oracle("stats", MODEL, work / "calibration.npy", work / "oracle.npz")
    return work / "oracle.npz"


@pytest.fixture(scope="session")
def statistics(work):
    files = {}
    for compute in ("f32", "bf16"):
        files[compute] = work / f"{compute}.safetensors"
        run("calibrate", "--model", MODEL, "--calibration", work / "calibration.npy",
            "--compute", compute, "--output", files[compute])  # fmt: skip
    return files


def as_npz(path, target):
    """Our statistics in the oracle's form."""
    ours, count = load_file(path), SAMPLES * 128
    out = {"count": np.int64(count), "samples": np.int64(SAMPLES)}
    for layer in range(LAYERS):
        for kind, name in TAPS.items():
            mean = ours[f"model.layers.{layer}.{name}.input_mean"]
            m2 = ours[f"model.layers.{layer}.{name}.input_m2"]
            out[f"{kind}_mean.{layer}"] = mean
            out[f"{kind}_var.{layer}"] = m2 / (count - 1)
            out[f"{kind}_sumsq.{layer}"] = m2 + count * mean**2
    np.savez(target, **out)
    return target


def search(statistics, structure, ratio, output):
    # The oracle cuts where the published code does.
    cut = ["--published-cut"] if structure == "AL-AM" else []
    run("search", "--statistics", statistics, "--ratio", ratio, "--structure", structure, *cut,
        "--output", output)  # fmt: skip
    plan = load_file(output)
    return [
        plan[f"model.layers.{layer}.{name}"].astype(bool)
        for layer in range(LAYERS)
        for name in ("self_attn.kept_groups", "mlp.kept_neurons")
    ]


def oracle_masks(path):
    plan = np.load(path)
    return [plan[f"{kind}_keep.{layer}"] for layer in range(LAYERS) for kind in TAPS]


def agreement(ours, theirs):
    return np.mean(np.concatenate(ours) == np.concatenate(theirs))


def test_f32_means_and_variances(statistics, oracle_statistics):
    theirs, ours = np.load(oracle_statistics), load_file(statistics["f32"])
    errors = []
    for layer in range(LAYERS):
        for kind, name in TAPS.items():
            variance = theirs[f"{kind}_var.{layer}"]
            counts = variance > 1e-6 * variance.max()
            m2 = ours[f"model.layers.{layer}.{name}.input_m2"] / (SAMPLES * 128 - 1)
            errors.append(np.abs(m2 / variance - 1)[counts])
            # A mean near zero has no meaningful relative error: the channel's spread is its scale.
            mean = theirs[f"{kind}_mean.{layer}"]
            scale = np.maximum(np.abs(mean), np.sqrt(variance))
            difference = np.abs(ours[f"model.layers.{layer}.{name}.input_mean"] - mean)
            errors.append((difference / scale)[counts])
    errors = np.concatenate(errors)
    print(f"relative error: median {np.median(errors):.2e}, largest {errors.max():.2e}")
    assert errors.max() <= 1e-3
    assert np.median(errors) <= 1e-5


@pytest.mark.parametrize("structure", ["AL-AM", "UL-UM"])
@pytest.mark.parametrize("ratio", [0.2, 0.5])
def test_masks(statistics, oracle_statistics, work, structure, ratio):
    ours = search(statistics["f32"], structure, ratio, work / "plan.safetensors")
    same = as_npz(statistics["f32"], work / "same.npz")
    oracle("search", MODEL, same, work / "same-plan.npz", "--ratio", ratio, "--structure", structure)
    assert agreement(ours, oracle_masks(work / "same-plan.npz")) == 1, "from the same statistics"

    oracle("search", MODEL, oracle_statistics, work / "own-plan.npz", "--ratio", ratio,
           "--structure", structure)  # fmt: skip
    end_to_end = agreement(ours, oracle_masks(work / "own-plan.npz"))
    bf16 = search(statistics["bf16"], structure, ratio, work / "plan-bf16.safetensors")
    print(f"{structure} {ratio}: end to end {end_to_end:.4%}, bf16 {agreement(ours, bf16):.4%}")
    assert end_to_end >= 0.999
    assert agreement(ours, bf16) >= 0.99


@pytest.mark.parametrize("ratio", [0.2, 0.5])
def test_perplexity_of_the_written_checkpoint(statistics, work, ratio):
    plan, output = work / f"plan-{ratio}.safetensors", work / f"pruned-{ratio}"
    search(statistics["f32"], "AL-AM", ratio, plan)
    run("write", "--model", MODEL, "--plan", plan, "--statistics", statistics["f32"], "--output", output)
    same = as_npz(statistics["f32"], work / "same.npz")
    oracle("search", MODEL, same, work / "oracle-plan.npz", "--ratio", ratio)
    expected = oracle("ppl", MODEL, work / "test.npy", "--plan", work / "oracle-plan.npz")["ppl"]
    ours = {
        compute: run("eval", "--model", output, "--data", work / "test.npy", "--compute", compute)
        for compute in ("f32", "bf16")
    }
    theirs = perplexity(load(output, torch_dtype=torch.float32), np.load(work / "test.npy"))
    print(f"ratio {ratio}: oracle {expected:.4f}, transformers {theirs:.4f}, eval f32 "
          f"{ours['f32']['perplexity']:.4f}, bf16 {ours['bf16']['perplexity']:.4f}")  # fmt: skip
    assert theirs == pytest.approx(expected, rel=5e-3)
    assert ours["f32"]["perplexity"] == pytest.approx(expected, rel=5e-3)
    assert ours["bf16"]["perplexity"] == pytest.approx(expected, rel=5e-3)
