"""What one major version of transformers saved, pruned by flap, loads in the other one.

deploy/test.sh runs this with 4.57 and with 5: each saves the dense models, and both load what was made
of them. 5 saves `rope_parameters`, of which 4.57 knows nothing.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import transformers
from conftest import COORDINATOR, ROOT, VARIANTS, load, logits, make_dense, perplexity, run
from logits_of import logits_of

OTHER = ROOT / ".venv-transformers-5"
# A theta and a scaling that show within 40 tokens.
ROTARY = {
    "theta": dict(rope_theta=50.0),
    "linear": dict(rope_theta=200.0, rope_scaling=dict(rope_type="linear", factor=4.0)),
    "llama3": dict(rope_theta=500.0, rope_scaling=dict(VARIANTS["llama3"]["rope_scaling"])),
    "yarn": dict(rope_theta=500.0, rope_scaling=dict(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=32, beta_fast=8.0, attention_factor=1.3)),
    "longrope": dict(rope_theta=500.0, original_max_position_embeddings=32, rope_scaling=dict(
        VARIANTS["longrope"]["rope_scaling"])),
}  # fmt: skip
FAMILIES = {
    "llama": dict(head_dim=16),
    "mistral": dict(sliding_window=11, head_dim=16),
    "qwen2": dict(use_sliding_window=True, sliding_window=9, max_window_layers=1, hidden_size=64),
    "qwen3": dict(head_dim=16),
    "phi3": dict(sliding_window=11),
    "smollm3": dict(no_rope_layers=[1, 0, 1], use_sliding_window=True, sliding_window=9,
                    head_dim=16),
    # 5 looks for the original length in the object alone, 4.57 beside it alone.
    "gemma3_text": dict(layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                        sliding_window=9, head_dim=16, rope_local_base_freq=20.0),
    "granite": dict(embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.5,
                    attention_multiplier=0.2, head_dim=16),
    "olmo2": dict(head_dim=16),
    "olmo3": dict(layer_types=["sliding_attention", "full_attention", "sliding_attention"], sliding_window=9),
}  # fmt: skip
# Of families that do not take all of them.
OWN_ROTARY = {
    "phi3": {
        "theta": dict(rope_theta=50.0, partial_rotary_factor=0.5),
        "longrope": dict(rope_theta=500.0, original_max_position_embeddings=32, rope_scaling=dict(
            type="longrope", short_factor=[1.0, 1.0, 1.1, 1.1, 1.3, 1.5],
            long_factor=[1.0, 1.2, 1.5, 2.0, 3.0, 5.0])),
    },
    "gemma3_text": ROTARY | {
        "longrope": dict(ROTARY["longrope"], rope_scaling=ROTARY["longrope"]["rope_scaling"] | dict(
            original_max_position_embeddings=32)),
    },
    "olmo2": {"theta": dict(rope_theta=50.0)},
    # 5 takes no other theta than 500,000 in layers with a window, unless both kinds have their own.
    "olmo3": {
        "linear": dict(rope_theta=500000.0, rope_scaling=dict(rope_type="linear", factor=4.0)),
        "yarn": dict(rope_theta=500000.0, rope_scaling=dict(ROTARY["yarn"]["rope_scaling"])),
    },
}  # fmt: skip


def in_the_other_version(tmp_path, tokens, *folders):
    """Logits of folders, computed by the version that this is not."""
    environment = dict(os.environ)
    if transformers.__version__.startswith("4."):
        assert OTHER.is_dir(), "deploy/python.sh installs the other version of transformers"
        environment["PYTHONPATH"] = str(OTHER)
    else:
        environment.pop("PYTHONPATH", None)
    script = ROOT / "Tests/transformers/logits_of.py"
    result = tmp_path / "logits.npz"
    subprocess.run([sys.executable, script, result, tokens, *folders], env=environment, check=True,
                   timeout=600, capture_output=True)  # fmt: skip
    arrays = np.load(result)
    ours, theirs = transformers.__version__, str(arrays["version"])
    assert ours.split(".")[0] != theirs.split(".")[0]
    return [arrays.get(str(index), arrays.get(f"error {index}")) for index in range(len(folders))]


@pytest.mark.parametrize("family", FAMILIES)
def test_both_versions_load_what_this_one_saved(family, tmp_path, monkeypatch):
    folders, tokens = [], None
    for name, rotary in OWN_ROTARY.get(family, ROTARY).items():
        options = dict(family=family, num_attention_heads=4, num_key_value_heads=2)
        monkeypatch.setitem(VARIANTS, name, options | FAMILIES[family] | rotary)
        dense = tmp_path / f"{family}-{name}"
        dense.mkdir()
        make_dense(dense, name)
        tokens = dense / "tokens.npy"
        for kind in ([], ["--uniform"]):
            folder = tmp_path / f"{dense.name}-{'uniform' if kind else 'flap'}"
            run("--model", dense, "--calibration", tokens, "--ratio", 0.3, "--output", folder,
                "--compute", "f32", *kind)  # fmt: skip
            folders.append(folder)
        # What is tested shows: another theta makes another model.
        config = json.loads((folders[-1] / "config.json").read_text())
        assert config["rope_theta"] == rotary["rope_theta"]
        assert (config.get("rope_scaling") or {}).get("factor") == rotary.get("rope_scaling", {}).get("factor")
    np.save(tmp_path / "few.npy", np.load(tokens)[:2])
    theirs = in_the_other_version(tmp_path, tmp_path / "few.npy", *folders)
    few = np.load(tmp_path / "few.npy")
    for folder, other in zip(folders, theirs):
        ours = logits_of(folder, few)
        assert other.shape == ours.shape, f"{folder.name}: {other}"
        # f32 sums in another order: a few ulp of the largest logit, over three layers.
        assert abs(ours - other).max() <= 2e-5 * abs(ours).max(), folder.name
    # eval of one of each kind, as this version computes it; of those that go by an original context of
    # 32 tokens in windows within it, too.
    scaled = [folder for folder in folders if "yarn" in folder.name or "longrope" in folder.name]
    for folder, lengths in [(f, [40]) for f in folders[:2]] + [(f, [40, 24]) for f in scaled]:
        for length in lengths:
            np.save(tmp_path / "windows.npy", few[:, :length])
            result = run("eval", "--model", folder, "--data", tmp_path / "windows.npy", "--compute", "f32")
            expected = perplexity(load(folder), few[:, :length])
            assert result["perplexity"] == pytest.approx(expected, rel=1e-5), f"{folder.name}, {length}"


def test_an_original_length_in_the_object_alone(tmp_path, monkeypatch):
    """Of longrope 5 reads it, 4.57 does not: what 5 saved becomes what both read, the rest is refused."""
    inside = dict(original_max_position_embeddings=32, factor=4.0)
    rotary = dict(rope_theta=500.0, rope_scaling=ROTARY["longrope"]["rope_scaling"] | inside)
    options = dict(num_attention_heads=4, num_key_value_heads=2, head_dim=16)
    monkeypatch.setitem(VARIANTS, "inside", options | rotary)
    dense, pruned = tmp_path / "dense", tmp_path / "pruned"
    dense.mkdir()
    make_dense(dense, "inside")
    few = np.load(dense / "tokens.npy")[:2]
    np.save(tmp_path / "few.npy", few)
    command = ["--model", dense, "--calibration", dense / "tokens.npy", "--ratio", 0.3, "--output", pruned,
               "--compute", "f32"]  # fmt: skip
    if transformers.__version__.startswith("4."):
        refused = subprocess.run([COORDINATOR, *map(str, command)], capture_output=True, text=True)
        assert refused.returncode != 0
        assert "rope_scaling.original_max_position_embeddings is 32, and there is none beside" in refused.stderr
        return
    run(*command)
    (other,) = in_the_other_version(tmp_path, tmp_path / "few.npy", pruned)
    ours = logits_of(pruned, few)
    assert abs(ours - other).max() <= 2e-5 * abs(ours).max()


def test_remote_code_reads_what_the_other_version_saved_again(tmp_path, monkeypatch):
    """Saved by 5, the configuration of a pruned model has `rope_parameters` alone again."""
    options = dict(num_attention_heads=4, num_key_value_heads=2, head_dim=16)
    monkeypatch.setitem(VARIANTS, "again", options | ROTARY["llama3"])
    dense, pruned, again = tmp_path / "dense", tmp_path / "pruned", tmp_path / "again"
    dense.mkdir()
    make_dense(dense, "again")
    run("--model", dense, "--calibration", dense / "tokens.npy", "--ratio", 0.3, "--output", pruned,
        "--compute", "f32")  # fmt: skip
    model = load(pruned)
    model.save_pretrained(again)
    few = np.load(dense / "tokens.npy")[:2]
    np.save(tmp_path / "few.npy", few)
    expected = logits(model, few).numpy()
    (other,) = in_the_other_version(tmp_path, tmp_path / "few.npy", again)
    assert other.shape == expected.shape, other
    assert abs(other - expected).max() <= 2e-5 * abs(expected).max()
