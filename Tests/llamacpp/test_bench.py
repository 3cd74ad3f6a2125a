"""flap-coord bench on a dense and a pruned model, with llama.cpp and PyTorch as they are."""

import json
import os
import pathlib
import statistics
import subprocess
import sys

import pytest
from conftest import COORDINATOR, call, load, make_dense, prune

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def llama_bench(tmp_path_factory):
    """llama-bench by llama.cpp's library, started with this Python."""
    path = tmp_path_factory.mktemp("bin") / "llama-bench"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "llama_bench.py"}" "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    dense = make_dense(folder / "dense", "gqa")
    prune(dense, folder / "pruned", 0.5)
    return dense, folder / "pruned"


def bench(*arguments, path=None, folder=None):
    command = [COORDINATOR, "bench", *arguments, "--json", "--quiet", "--threads", 1, "--prompt-tokens", 24,
               "--generated-tokens", 6, "--rounds", 3]  # fmt: skip
    environment = os.environ | ({"PATH": path} if path else {})
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, cwd=folder,
                            timeout=600)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout), result.stderr


def test_both_engines_and_what_stays(models, llama_bench):
    dense, pruned = models
    result, _ = bench("--model", pruned, "--against", dense, "--llama-bench", llama_bench, "--python", sys.executable)
    assert result["cpu"] in pathlib.Path("/proc/cpuinfo").read_text() or result["cpu"] == "a CPU without a name"
    assert result["not_measured"] == [] and [e["name"] for e in result["engines"]] == ["llama.cpp", "transformers"]
    for engine in result["engines"]:
        for kind in ("prefill", "decode"):
            ours, theirs = engine["model"][kind], engine["against"][kind]
            assert len(ours["rounds"]) == len(theirs["rounds"]) == 3 and min(ours["rounds"]) > 0
            assert ours["tokens_per_second"] == statistics.median(ours["rounds"])
            ratios = [a / b for a, b in zip(ours["rounds"], theirs["rounds"])]
            assert engine[f"{kind}_ratio"] == pytest.approx(statistics.median(ratios))
    import torch
    import transformers

    assert transformers.__version__ in result["engines"][1]["version"]
    assert torch.__version__.split("+")[0] in result["engines"][1]["version"]
    # Sizes as PyTorch has them: linear maps and the output projection, keys and values of 16 bits.
    for name, folder in (("model", pruned), ("against", dense)):
        network = load(folder)
        linear = sum(m.weight.numel() for m in network.modules() if isinstance(m, torch.nn.Linear))
        assert result[name]["flops_per_token"] == 2 * linear
        heads = sum(layer.self_attn.k_proj.out_features for layer in network.model.layers)
        assert result[name]["key_value_cache_bytes_per_token"] == 2 * 2 * heads
        assert result[name]["weight_bytes"] == pytest.approx(4 * sum(p.numel() for p in network.parameters()), rel=0.01)
    # What stays in the folder of the run, once.
    assert json.loads((pruned / "flap/bench.json").read_text()) == result
    bench("--model", pruned, "--against", dense, "--llama-bench", llama_bench, "--python", "/nowhere")
    for file, marker in (("README.md", "## Speed"), ("flap/report.html", 'id="speed"')):
        text = (pruned / file).read_text()
        assert text.count(marker) == 1, file
        assert "llama.cpp prefill, tokens/s" in text and "transformers prefill" not in text
        assert str(pruned) not in text or file != "README.md"
    assert not (dense / "flap").exists()


def test_nothing_installed(models, tmp_path):
    _, pruned = models
    result, errors = bench("--model", pruned, path="/nowhere", folder=tmp_path)
    assert result["engines"] == [] and len(result["not_measured"]) == 2
    assert "no llama-bench in PATH" in errors and "--python" in errors


def test_a_model_that_llama_cpp_does_not_take(tmp_path, llama_bench):
    """Gates that are not divided by their sum have no architecture there; transformers runs them all the same."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model("qwen3_moe", vocab_size=64, hidden_size=32, num_hidden_layers=1, num_experts=4,
                                  moe_intermediate_size=48, num_attention_heads=2, num_key_value_heads=1,
                                  head_dim=16, num_experts_per_tok=2, norm_topk_prob=False)  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "qwen3")
    result, _ = bench("--model", tmp_path / "qwen3", "--llama-bench", llama_bench, "--python", sys.executable)
    assert [e["name"] for e in result["engines"]] == ["transformers"]
    assert "norm_topk_prob is false" in result["not_measured"][0]
    assert not (tmp_path / "qwen3/flap").exists()


def test_gguf_files(models, llama_bench, tmp_path):
    for folder in models:
        assert call("export", "--model", folder, "--output", tmp_path / f"{folder.name}.gguf").returncode == 0
    result, _ = bench("--model", tmp_path / "pruned.gguf", "--against", tmp_path / "dense.gguf", "--llama-bench",
                      llama_bench)  # fmt: skip
    assert [e["name"] for e in result["engines"]] == ["llama.cpp"]
    assert result["model"]["weight_bytes"] == (tmp_path / "pruned.gguf").stat().st_size
    assert "flops_per_token" not in result["model"]
