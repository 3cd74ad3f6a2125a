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
from conftest import ROOT, VARIANTS, load, logits, make_dense, run
from logits_of import logits_of

OTHER = ROOT / ".venv-transformers-5"
# A theta and a scaling that show within 40 tokens.
ROTARY = {
    "theta": dict(rope_theta=50.0),
    "linear": dict(rope_theta=200.0, rope_scaling=dict(rope_type="linear", factor=4.0)),
    "llama3": dict(rope_theta=500.0, rope_scaling=dict(VARIANTS["llama3"]["rope_scaling"])),
}
FAMILIES = {
    "llama": dict(head_dim=16),
    "mistral": dict(sliding_window=11, head_dim=16),
    "qwen2": dict(use_sliding_window=True, sliding_window=9, max_window_layers=1),
    "qwen3": dict(head_dim=16),
}


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
    for name, rotary in ROTARY.items():
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
    # eval of one of each kind, as this version computes it.
    from conftest import perplexity

    for folder in folders[:2]:
        result = run("eval", "--model", folder, "--data", tmp_path / "few.npy", "--compute", "f32")
        assert result["perplexity"] == pytest.approx(perplexity(load(folder), few), rel=1e-4)


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
