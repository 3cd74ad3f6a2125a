"""What llama.cpp's own quantization makes of exported files: dense, with sizes per layer, uniform."""

import gguf
import numpy as np
import pytest
from conftest import MIXTURES, ROOT, make_dense, prune, run
from llama_library import greedy, perplexity, quantize

K_QUANTS = {"Q4_K", "Q6_K"}


def types(path):
    """Names of the matrices' types, by their tensors; llama-quantize leaves routers as they are."""
    tensors = gguf.GGUFReader(path).tensors
    return {t.name: t.tensor_type.name for t in tensors if len(t.shape) >= 2 and "ffn_gate_inp" not in t.name}


def exported(folder, path, kind="f16"):
    return run("export", "--model", folder, "--output", path, "--type", kind)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A dense model whose every row is a multiple of 256."""
    folder = tmp_path_factory.mktemp("wide") / "dense"
    sizes = dict(hidden_size=256, intermediate_size=1024, num_attention_heads=8, num_key_value_heads=8, head_dim=256)
    return make_dense(folder, "mha", **sizes)


@pytest.mark.parametrize("options", [[], ["--uniform"]], ids=["per-layer", "uniform"])
@pytest.mark.parametrize("kind", ["Q8_0", "Q4_K_M"])
def test_rounded_sizes_are_quantized_whole(wide, options, kind, tmp_path):
    """--round-to 256: no matrix is left as it was, and it still is a model of the same sizes."""
    prune(wide, tmp_path / "pruned", 0.3, "--round-to", 256, *options)
    result = exported(tmp_path / "pruned", tmp_path / "f16.gguf")
    assert result["architecture"] == ("llama" if options else "deci")
    assert not any("multiple" in note for note in result["notes"])
    quantize(tmp_path / "f16.gguf", tmp_path / "small.gguf", kind)
    kinds = types(tmp_path / "small.gguf")
    assert set(kinds.values()) <= ({"Q8_0"} if kind == "Q8_0" else K_QUANTS), kinds
    assert len(kinds) == len(types(tmp_path / "f16.gguf"))
    source, small = (gguf.GGUFReader(tmp_path / f"{name}.gguf").fields for name in ("f16", "small"))
    for name in source:
        if name not in ("general.file_type", "GGUF.tensor_count", "GGUF.kv_count"):
            assert source[name].contents() == small[name].contents(), name
    assert len(greedy(tmp_path / "small.gguf", [1, 317, 733], 8, 64)) == 8


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_K_M"])
def test_other_sizes_stay_f16(kind, tmp_path):
    """What the export says of layers whose neurons are no multiple of 32."""
    dense = make_dense(tmp_path / "dense", "mha")
    prune(dense, tmp_path / "pruned", 0.3)
    result = exported(tmp_path / "pruned", tmp_path / "f16.gguf")
    (note,) = [note for note in result["notes"] if "multiple of 32" in note]
    quantize(tmp_path / "f16.gguf", tmp_path / "small.gguf", kind)
    kinds = types(tmp_path / "small.gguf")
    odd = [name for name, kind in kinds.items() if kind == "F16" and "ffn_down" in name]
    assert note.startswith(f"{len(odd)} of 3 layers") and odd
    assert set(kinds.values()) - {"F16"} <= {"Q8_0", "Q5_0", "Q5_1", "Q6_K", "Q4_K"}
    assert len(greedy(tmp_path / "small.gguf", [1, 317, 733], 8, 64)) == 8


@pytest.mark.parametrize("family", sorted(MIXTURES))
@pytest.mark.parametrize("multiple", [256, 4])
def test_narrower_experts(family, multiple, tmp_path):
    """Experts of rows of a multiple of 256 are quantized whole; of others ffn_down stays as it was, which is said."""
    size = {"mixtral": "intermediate_size", "qwen3_moe": "moe_intermediate_size"}[family]
    sizes = {"hidden_size": 256, "num_attention_heads": 4, "head_dim": 64, size: 512}
    dense = make_dense(tmp_path / "dense", family, **sizes)
    prune(dense, tmp_path / "pruned", 0.4, "--structure", "UL-UM", "--attention-ratio", 0, "--uniform",
          "--round-to", multiple)  # fmt: skip
    result = exported(tmp_path / "pruned", tmp_path / "f16.gguf")
    notes = [note for note in result["notes"] if "multiple of 32" in note]
    whole = multiple == 256
    assert [note.startswith("3 of 3 layers") for note in notes] == ([] if whole else [True])
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "f16.gguf").tensors}
    neurons, channels, experts = map(int, tensors["blk.1.ffn_down_exps.weight"].shape)
    assert (channels, experts) == (256, 8) and 0 < neurons < 512 and neurons % multiple == 0
    assert whole or neurons % 32
    for kind in ("Q8_0", "Q4_K_M"):
        quantize(tmp_path / "f16.gguf", tmp_path / "small.gguf", kind)
        kinds = types(tmp_path / "small.gguf")
        left = {name for name, type in kinds.items() if type == "F16"}
        assert left == (set() if whole else {f"blk.{layer}.ffn_down_exps.weight" for layer in range(3)})
        # llama-quantize gives some maps of mixtures more bits.
        assert set(kinds.values()) - {"F16"} <= ({"Q8_0"} if kind == "Q8_0" else K_QUANTS | {"Q5_K", "Q8_0"}), kinds
        assert len(greedy(tmp_path / "small.gguf", [1, 317, 733], 8, 64)) == 8


@pytest.fixture(params=["bundled", "larger"])
def trained(request):
    """A trained model, its calibration data, windows of a test text."""
    model = ROOT / "deploy/demo/model"
    if request.param == "larger":
        model = ROOT.parent / "shared/models/llama-mha"
        if not model.exists():
            pytest.skip(f"no larger trained model in {model}")
    return model, model / "calibration.npy", np.load(model / "test.npy")[:16]


@pytest.mark.parametrize("options", [[], ["--uniform"]], ids=["per-layer", "uniform"])
def test_perplexity_survives(trained, options, tmp_path):
    """f16 is eval's perplexity; 8 bits cost next to nothing, 4 to 6 some percent."""
    model, calibration, windows = trained
    np.save(tmp_path / "test.npy", windows)
    run("--model", model, "--calibration", calibration, "--samples", 64, "--ratio", 0.2, "--round-to", 32, "--output",
        tmp_path / "pruned", *options)  # fmt: skip
    expected = run("eval", "--model", tmp_path / "pruned", "--data", tmp_path / "test.npy", "--compute", "f32")
    exported(tmp_path / "pruned", tmp_path / "f16.gguf")
    # llama.cpp keeps keys and values, and here the weights, in 16 bits.
    assert perplexity(tmp_path / "f16.gguf", windows) == pytest.approx(expected["perplexity"], rel=3e-3)
    for kind, loss in (("Q8_0", 0.01), ("Q4_K_M", 0.1)):
        quantize(tmp_path / "f16.gguf", tmp_path / f"{kind}.gguf", kind)
        measured = perplexity(tmp_path / f"{kind}.gguf", windows)
        assert abs(measured / expected["perplexity"] - 1) < loss, kind
        assert (tmp_path / f"{kind}.gguf").stat().st_size < 0.75 * (tmp_path / "f16.gguf").stat().st_size
