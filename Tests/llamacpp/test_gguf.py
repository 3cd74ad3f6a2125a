"""llama.cpp and the package gguf read what flap-coord exports, and compute and tokenize the same."""

import hashlib
import json
import shutil

import gguf
import numpy as np
import pytest
import sentencepiece
import torch
from conftest import FAMILIES, MIXTURES, ROOT, TOKENIZERS, call, greedy, llama_cpp, load, make_dense, prune, run
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

PROMPT = [1, 317, 733, 905, 64]
# More than the original context of the model with longrope: transformers' cache keeps what was rotated
# by the short factors, llama.cpp never takes these in a context of 512.
LONG_PROMPT = PROMPT + list(range(100, 140))
TEXTS = [
    "The quick brown fox jumps over 1234567 lazy dogs.",
    "Zwölf Boxkämpfer jagen Viktor über den Sylter Deich — 12 345,67 €",
    "def f(x):\n    return x ** 2  # square\n\n\nprint(f(3))",
    "日本語とвідповідь and العربية 🙂👍🏽 e\u0301 tail   ",
    "I'm we'll THEY'RE it's\ttabs\r\nand  double  spaces",
]


def read(path):
    reader = gguf.GGUFReader(path)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    return fields, {tensor.name: tensor for tensor in reader.tensors}


def values(tensor):
    """The numbers of a tensor, in the order of PyTorch's shape."""
    shape = tuple(int(n) for n in reversed(tensor.shape))
    return gguf.dequantize(tensor.data, tensor.tensor_type).reshape(shape)


def original(model, name):
    return dict(model.named_parameters())[name].detach().float().numpy()


# What is computed


@pytest.mark.parametrize("kind", ["dense", "pruned"])
def test_greedy_tokens_are_those_of_transformers(kind, dense, pruned, tmp_path):
    folder, path = {"dense": dense, "pruned": pruned}[kind], tmp_path / "model.gguf"
    result = run("export", "--model", folder, "--output", path)
    assert result["architecture"] == {"dense": "llama", "pruned": "deci"}[kind]
    prompt = LONG_PROMPT if dense.name == "longrope" else PROMPT
    expected = greedy(load(folder), prompt, 64)
    assert len(set(expected)) > 5, "a model that repeats itself shows little"
    with llama_cpp(path) as model:
        assert model.greedy(prompt, 64) == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_other_families(family, tmp_path):
    """Dense and pruned to layers of one size; of Phi-3 also to any."""
    folder = make_dense(tmp_path / family, family)
    options = [] if family == "phi3" else ["--uniform"]
    if family in ("qwen3", "smollm3"):
        options += ["--compensation", "none"]
    if family.startswith("olmo"):
        options += ["--attention-ratio", 0]
    prune(folder, tmp_path / "pruned", 0.3, *options, "--format", "gguf")
    architecture = {"phi3": "llama", "olmo3": "olmo2"}.get(family, family)
    for model in (folder, tmp_path / "pruned"):
        path = tmp_path / f"{model.name}.gguf"
        result = run("export", "--model", model, "--output", path)
        kind = "deci" if family == "phi3" and model.name == "pruned" else architecture
        assert result["architecture"] == kind
        prompt = LONG_PROMPT if family == "phi3" else PROMPT
        expected = greedy(load(model), prompt, 64)
        assert len(set(expected)) > 5, "a model that repeats itself shows little"
        with llama_cpp(path) as loaded:
            assert loaded.greedy(prompt, 64) == expected


@pytest.mark.parametrize("family", sorted(MIXTURES))
def test_mixtures(family, tmp_path):
    """Dense and with a quarter of the experts gone: the architecture, the tokens, the sizes."""
    folder = make_dense(tmp_path / family, family)
    run("--model", folder, "--calibration", folder / "tokens.npy", "--experts-ratio", 0.25, "--output",
        tmp_path / "pruned", "--format", "gguf")  # fmt: skip
    architecture = {"mixtral": "llama", "qwen3_moe": "qwen3moe"}[family]
    for model, count in ((folder, 8), (tmp_path / "pruned", 6)):
        path = tmp_path / f"{model.name}.gguf"
        assert run("export", "--model", model, "--output", path)["architecture"] == architecture
        fields, tensors = read(path)
        assert fields[f"{architecture}.expert_count"] == count
        assert fields[f"{architecture}.expert_used_count"] == 2
        assert values(tensors["blk.1.ffn_gate_exps.weight"]).shape == (count, 32, 64)
        assert values(tensors["blk.1.ffn_down_exps.weight"]).shape == (count, 64, 32)
        expected = greedy(load(model), PROMPT, 64)
        assert len(set(expected)) > 5, "a model that repeats itself shows little"
        with llama_cpp(path) as loaded:
            assert loaded.greedy(PROMPT, 64) == expected


# What goes of a mixture of its own class, and what is left: experts, their neurons (a multiple of 8), heads.
NARROWED = {
    "neurons": (
        ["--structure", "UL-UM", "--attention-ratio", 0, "--ratio", 0.4, "--round-to", 4], dict(neurons=16)),
    "neurons-and-experts": (
        ["--structure", "AL-AM", "--experts-ratio", 0.25, "--ratio", 0.4], dict(experts=6, neurons=24)),
    "heads-too": (
        ["--structure", "AL-AM", "--attention-ratio", 0.5, "--experts-ratio", 0.25, "--ratio", 0.5],
        dict(experts=6, neurons=24, heads=2)),
}  # fmt: skip


@pytest.mark.parametrize("kind", NARROWED)
@pytest.mark.parametrize("family", sorted(MIXTURES))
def test_mixtures_of_narrower_experts(family, kind, tmp_path):
    """The model's own class with other sizes: no biases, the tokens, the sizes, every expert's weights."""
    folder, path = make_dense(tmp_path / family, family), tmp_path / "pruned/model.gguf"
    options, left = NARROWED[kind]
    left = dict(experts=8, neurons=32, heads=4) | left
    result = run("--model", folder, "--calibration", folder / "tokens.npy", "--uniform", *options, "--compute", "f32",
                 "--output", tmp_path / "pruned", "--format", "gguf")  # fmt: skip
    architecture = {"mixtral": "llama", "qwen3_moe": "qwen3moe"}[family]
    assert result["gguf"]["architecture"] == architecture
    # llama.cpp reads such rows, and does not quantize them.
    assert any("multiple of 32" in note for note in result["gguf"]["notes"])
    config = json.loads((tmp_path / "pruned/config.json").read_text())
    size, count = {"mixtral": ("intermediate_size", "num_local_experts"),
                   "qwen3_moe": ("moe_intermediate_size", "num_experts")}[family]  # fmt: skip
    assert config["architectures"] == [{"mixtral": "Mixtral", "qwen3_moe": "Qwen3Moe"}[family] + "ForCausalLM"]
    sizes = dict(experts=config[count], neurons=config[size], heads=config["num_attention_heads"])
    assert sizes == left and "auto_map" not in config

    fields, tensors = read(path)
    assert not any(name.endswith(".bias") for name in tensors)
    key = {"mixtral": "feed_forward_length", "qwen3_moe": "expert_feed_forward_length"}[family]
    assert fields[f"{architecture}.{key}"] == left["neurons"]
    assert fields[f"{architecture}.expert_count"] == left["experts"]
    assert fields[f"{architecture}.expert_used_count"] == 2
    assert fields[f"{architecture}.attention.head_count"] == left["heads"]
    assert fields[f"{architecture}.attention.head_count_kv"] == left["heads"] // 2
    weights = {}
    for file in (tmp_path / "pruned").glob("*.safetensors"):
        weights |= load_file(file)
    module, maps = {
        "mixtral": ("block_sparse_moe", dict(gate="w1", down="w2", up="w3")),
        "qwen3_moe": ("mlp", dict(gate="gate_proj", down="down_proj", up="up_proj")),
    }[family]
    for layer in range(3):
        for ours, theirs in maps.items():
            names = [f"model.layers.{layer}.{module}.experts.{n}.{theirs}.weight" for n in range(left["experts"])]
            expected = torch.stack([weights[name] for name in names]).float().numpy()
            assert np.array_equal(values(tensors[f"blk.{layer}.ffn_{ours}_exps.weight"]), expected), (layer, ours)

    expected = greedy(load(tmp_path / "pruned"), PROMPT, 64)
    assert len(set(expected)) > 5, "a model that repeats itself shows little"
    assert expected != greedy(load(folder), PROMPT, 64), "what went is nothing that tells"
    with llama_cpp(path) as loaded:
        assert loaded.greedy(PROMPT, 64) == expected


@pytest.mark.parametrize("family", sorted(MIXTURES))
def test_experts_of_an_odd_number_of_neurons(family, tmp_path):
    """Layers of one size without biases, though pruned without --uniform."""
    folder, path = make_dense(tmp_path / family, family), tmp_path / "model.gguf"
    prune(folder, tmp_path / "pruned", 0.28, "--structure", "UL-UM", "--attention-ratio", 0, "--compensation", "none")
    run("export", "--model", tmp_path / "pruned", "--output", path)
    _, tensors = read(path)
    assert values(tensors["blk.1.ffn_gate_exps.weight"]).shape == (8, 21, 64)
    expected = greedy(load(tmp_path / "pruned"), PROMPT, 64)
    assert len(set(expected)) > 5, "a model that repeats itself shows little"
    with llama_cpp(path) as loaded:
        assert loaded.greedy(PROMPT, 64) == expected


def test_gates_that_llama_cpp_would_divide_are_refused(tmp_path):
    folder = make_dense(tmp_path / "model", "qwen3_moe")
    edit_json(folder / "config.json", norm_topk_prob=False)
    refused(tmp_path, folder, saying=["cannot become GGUF", "norm_topk_prob is false"])


def test_compensation_counts(dense, pruned, tmp_path):
    """The biases that pruning adds are used: without them other tokens follow."""
    path, without = tmp_path / "model.gguf", tmp_path / "without"
    run("export", "--model", pruned, "--output", path)
    _, tensors = read(path)
    biases = [values(t) for name, t in tensors.items() if name.endswith(("attn_output.bias", "ffn_down.bias"))]
    assert len(biases) == 6 and any(np.abs(bias).max() > 0.01 for bias in biases)
    prune(dense, without, 0.4, "--compensation", "none")
    assert greedy(load(pruned), PROMPT, 64) != greedy(load(without), PROMPT, 64)


# What is in the file


def test_tensors_and_sizes(pruned, tmp_path):
    path = tmp_path / "model.gguf"
    run("export", "--model", pruned, "--output", path)
    fields, tensors = read(path)
    model = load(pruned)
    config, layers = model.config, model.model.layers
    architecture = fields["general.architecture"]
    heads = fields[f"{architecture}.attention.head_count"]
    groups = fields[f"{architecture}.attention.head_count_kv"]
    assert heads == [layer.self_attn.q_proj.out_features // config.head_dim for layer in layers]
    assert groups == [layer.self_attn.k_proj.out_features // config.head_dim for layer in layers]
    assert fields[f"{architecture}.feed_forward_length"] == [layer.mlp.up_proj.out_features for layer in layers]
    for key in ("attention.head_count", "attention.head_count_kv", "feed_forward_length"):
        types = [int(t) for t in gguf.GGUFReader(path).fields[f"{architecture}.{key}"].types]
        assert types == [gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.INT32]
    assert fields[f"{architecture}.rope.freq_base"] == config.rope_theta
    assert ("output.weight" in tensors) == (not config.tie_word_embeddings)

    def permuted(weight, heads):
        """convert_hf_to_gguf.py, LlamaModel.permute."""
        return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)

    expected = {
        "token_embd.weight": original(model, "model.embed_tokens.weight"),
        "output_norm.weight": original(model, "model.norm.weight"),
    }
    if not config.tie_word_embeddings:
        expected["output.weight"] = original(model, "lm_head.weight")
    names = {
        "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    }  # fmt: skip
    for name, _ in model.named_parameters():
        if not name.startswith("model.layers."):
            continue
        layer, module, kind = int(name.split(".")[2]), ".".join(name.split(".")[3:-1]), name.split(".")[-1]
        value = original(model, name)
        if module == "self_attn.q_proj":
            value = permuted(value, heads[layer])
        if module == "self_attn.k_proj":
            value = permuted(value, groups[layer])
        expected[f"blk.{layer}.{names[module]}.{kind}"] = value
    scaling = str(getattr(config, "rope_scaling", None))
    extra = {"rope_freqs.weight"} if "llama3" in scaling else set()
    if "longrope" in scaling:
        for kind in ("long", "short"):
            expected[f"rope_factors_{kind}.weight"] = np.float32(config.rope_scaling[f"{kind}_factor"])
    assert set(tensors) == set(expected) | extra
    for name, value in expected.items():
        assert np.array_equal(values(tensors[name]), value), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=["bf16", "f16", "f32"])
@pytest.mark.parametrize("kind", ["auto", "bf16", "f16", "f32"])
def test_types(dtype, kind, tmp_path):
    folder, path = make_dense(tmp_path / "dense", "biases", dtype), tmp_path / "model.gguf"
    run("export", "--model", folder, "--output", path, "--type", kind)
    fields, tensors = read(path)
    target = dtype if kind == "auto" else dict(bf16=torch.bfloat16, f16=torch.float16, f32=torch.float32)[kind]
    code = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 30}[target]
    assert fields["general.file_type"] == {0: 0, 1: 1, 30: 32}[code]
    weights = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        vector = len(tensor.shape) == 1
        assert tensor.tensor_type == (0 if vector else code), name
        assert tensor.data_offset % 32 == 0
    for ours, theirs in (("ffn_up.weight", "mlp.up_proj.weight"), ("attn_v.bias", "self_attn.v_proj.bias")):
        weight = weights[f"model.layers.1.{theirs}"]
        expected = weight.to(target) if weight.ndim == 2 else weight
        assert np.array_equal(values(tensors[f"blk.1.{ours}"]), expected.float().numpy())


def test_same_bytes_again_and_with_a_run(dense, pruned, tmp_path):
    first = run("export", "--model", pruned, "--output", tmp_path / "a.gguf")
    run("export", "--model", pruned, "--output", tmp_path / "b.gguf")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()
    assert hashlib.sha256((tmp_path / "a.gguf").read_bytes()).hexdigest() == first["sha256"]
    result = prune(dense, tmp_path / "pruned", 0.4, "--format", "gguf")
    assert result["gguf"]["sha256"] == first["sha256"]
    assert (tmp_path / "pruned/model.gguf").read_bytes() == (tmp_path / "a.gguf").read_bytes()
    assert (tmp_path / "pruned/config.json").exists()


# The tokenizer


def test_tokens_of_texts(dense, tmp_path):
    path = tmp_path / "model.gguf"
    run("export", "--model", dense, "--output", path)
    json_file = dense / "tokenizer.json"
    if json_file.exists():
        tokenizer = Tokenizer.from_file(str(json_file))
        encode = lambda text: tokenizer.encode(text).ids  # noqa: E731
    else:
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(dense / "tokenizer.model"))
        encode = lambda text: [1] + pieces.encode(text)  # noqa: E731
    if json_file.exists() and json.loads(json_file.read_text())["normalizer"] == {"type": "NFC"}:
        # llama.cpp does not compose characters.
        texts = [text.replace("e\u0301", "\u00e9") for text in TEXTS]
    else:
        texts = TEXTS
    with llama_cpp(path) as model:
        for text in texts:
            assert model.tokenize(text) == encode(text), text
            assert model.detokenize(encode(text)).strip().endswith(text.strip()), text


def test_vocabulary_is_padded(dense, tmp_path):
    path = tmp_path / "model.gguf"
    run("export", "--model", dense, "--output", path)
    fields, tensors = read(path)
    tokens, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    assert len(tokens) == len(types) == tensors["token_embd.weight"].shape[1] == 2432
    assert len(set(tokens)) == len(tokens)
    assert tokens[-1] == "[PAD2431]" and types[-1] == 5


def test_chat_template_and_special_tokens(tmp_path):
    folder, path = make_dense(tmp_path / "dense", "llama3"), tmp_path / "model.gguf"
    tokens = [token["content"] for token in json.loads((folder / "tokenizer.json").read_text())["added_tokens"]]
    template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    settings = {"bos_token": tokens[0], "eos_token": {"content": tokens[1]}, "chat_template": template}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    run("export", "--model", folder, "--output", path)
    fields, _ = read(path)
    ids = {token: fields["tokenizer.ggml.tokens"].index(token) for token in tokens[:2]}
    assert fields["tokenizer.ggml.bos_token_id"] == ids[tokens[0]]
    assert fields["tokenizer.ggml.eos_token_id"] == ids[tokens[1]]
    assert fields["tokenizer.ggml.add_bos_token"] is True
    assert fields["tokenizer.chat_template"] == template
    assert fields["tokenizer.ggml.token_type"][ids[tokens[0]]] == 3


# Quantization


def quantize(source, destination):
    """Q8_0 where rows are multiples of 32, as llama-quantize does it."""
    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(destination, architecture)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        sub = field.types[1] if len(field.types) > 1 else None
        value = int(gguf.LlamaFileType.MOSTLY_Q8_0) if name == "general.file_type" else field.contents()
        writer.add_key_value(name, value, field.types[0], sub_type=sub)
    count = 0
    for tensor in reader.tensors:
        data = tensor.data
        if len(tensor.shape) == 2 and tensor.shape[0] % 32 == 0:
            data = gguf.quantize(gguf.dequantize(tensor.data, tensor.tensor_type), gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(tensor.name, data, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
            count += 1
        else:
            writer.add_tensor(tensor.name, data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return count


def test_quantized_file_loads(pruned, tmp_path):
    path, small = tmp_path / "model.gguf", tmp_path / "q8.gguf"
    run("export", "--model", pruned, "--output", path)
    assert quantize(path, small) > 10
    with llama_cpp(path) as model, llama_cpp(small) as quantized:
        # The first token of a random model survives 8 bits; later ones need not.
        assert quantized.greedy(PROMPT, 8)[:1] == model.greedy(PROMPT, 8)[:1]


# The bundled model


def test_bundled_model(tmp_path):
    """Trained weights: from the pruned checkpoint to text, in bf16 and quantized."""
    model, folder = ROOT / "deploy/demo/model", tmp_path / "pruned"
    run("--model", model, "--calibration", model / "calibration.npy", "--ratio", 0.2, "--output", folder,
        "--format", "gguf")  # fmt: skip
    path = folder / "model.gguf"
    prompt = np.load(model / "test.npy")[0, :16].tolist()
    # llama.cpp multiplies bf16 weights with rounded activations; f32 is the exact comparison.
    run("export", "--model", folder, "--output", tmp_path / "f32.gguf", "--type", "f32")
    expected = greedy(load(folder, torch_dtype=torch.float32), prompt, 64)
    with llama_cpp(tmp_path / "f32.gguf") as exact:
        assert exact.greedy(prompt, 64) == expected
    quantize(path, tmp_path / "q8.gguf")
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    for file in (path, tmp_path / "q8.gguf"):
        with llama_cpp(file) as loaded:
            assert loaded.greedy(prompt, 64)[:8] == expected[:8]
            text = tokenizer.decode(prompt)
            assert loaded.tokenize(text) == tokenizer.encode(text).ids


# From text to an answer


@pytest.fixture(params=["bundled", "larger"])
def trained(request, tmp_path):
    """A trained model, a file of text and a prompt."""
    if request.param == "bundled":
        model = ROOT / "deploy/demo/model"
        tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        text = "\n".join(tokenizer.decode_batch(np.load(model / "test.npy")[:256].tolist()))
        path = tmp_path / "text.txt"
        path.write_text(text)
        return model, path, text[:60]
    model = ROOT.parent / "shared/models/llama-mha"
    if not model.exists():
        pytest.skip(f"no larger trained model in {model}")
    return model, model / "calibration.txt", "The configuration file is read when the server"


def test_one_command_from_text_to_an_answer(trained, tmp_path):
    model, text, prompt = trained
    folder = tmp_path / "pruned"
    run("--model", model, "--calibration", text, "--samples", 96, "--ratio", 0.2, "--output", folder,
        "--format", "gguf")  # fmt: skip
    tokens = Tokenizer.from_file(str(model / "tokenizer.json")).encode(prompt).ids
    expected = greedy(load(folder, torch_dtype=torch.float32), tokens, 64)
    run("export", "--model", folder, "--output", tmp_path / "f32.gguf", "--type", "f32")
    with llama_cpp(tmp_path / "f32.gguf") as exact:
        assert exact.greedy(tokens, 64) == expected
    with llama_cpp(folder / "model.gguf") as loaded:
        assert loaded.tokenize(prompt) == tokens
        answer = loaded.ask("/completion", prompt=prompt, n_predict=16, temperature=0)["content"]
        assert len(answer.split()) > 3, answer


# Refusals


def refused(tmp_path, folder, *options, saying):
    path = tmp_path / "refused.gguf"
    result = call("export", "--model", folder, "--output", path, *options)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.returncode != 0 and result.stdout == ""
    for part in saying:
        assert part in line
    assert not list(tmp_path.glob("refused.gguf*"))


def edit_json(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.fixture
def model(tmp_path):
    return make_dense(tmp_path / "model", "mha")


@pytest.mark.parametrize(
    "family, changes, options, saying",
    [
        ("qwen3", {}, [], ["layers of one size", "qwen3", "prune with --uniform"]),
        ("granite", {}, [], ["layers of one size", "granite", "prune with --uniform"]),
        ("smollm3", {}, ["--uniform"], ["no place for biases", "--compensation none"]),
        ("smollm3", {"no_rope_layers": [1, 1, 0, 1, 1]}, [], ["every fourth layer of a SmolLM3"]),
        ("gemma3", {"final_logit_softcapping": 30.5}, [], ["final_logit_softcapping"]),
        ("gemma3", {"query_pre_attn_scalar": 20}, [], ["query_pre_attn_scalar"]),
        ("gemma3", {"layer_types": ["full_attention"] * 2 + ["sliding_attention"] * 3}, [], ["layer_types"]),
        ("phi3", {"rope_scaling": None, "partial_rotary_factor": 0.5}, [], ["partial_rotary_factor"]),
        ("olmo2", {}, ["--uniform"], ["OLMo 2", "--attention-ratio 0"]),
        ("qwen3_moe", {}, ["--structure", "AL-AM"], ["layers of one size", "qwen3moe", "prune with --uniform"]),
        ("qwen3_moe", {}, ["--structure", "UL-UM", "--attention-ratio", 0], ["qwen3moe", "prune with --uniform"]),
        ("qwen3_moe", {}, ["--method", "best"], ["layers of one size", "qwen3moe", "prune with --uniform"]),
        ("mixtral", {}, ["--structure", "AL-AM"], ["layers of one size", "llama", "prune with --uniform"]),
        ("mixtral", {}, ["--structure", "UL-UM", "--attention-ratio", 0], ["llama", "prune with --uniform"]),
        ("mixtral", {}, ["--method", "best", "--experts-ratio", 0], ["layers of one size", "prune with --uniform"]),
    ],
)  # fmt: skip
def test_what_an_architecture_has_no_room_for_is_refused_before_work(family, changes, options, saying, tmp_path):
    folder = make_dense(tmp_path / "model", family)
    edit_json(folder / "config.json", **changes)
    result = call("--model", folder, "--calibration", folder / "tokens.npy", "--ratio", 0.3, "--output",
                  tmp_path / "out", "--format", "gguf", *options)  # fmt: skip
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.returncode != 0 and not (tmp_path / "out").exists()
    for part in ["cannot become GGUF", *saying]:
        assert part in line


@pytest.mark.parametrize("options", [["--attention-ratio", 0], ["--experts-ratio", 0.25, "--attention-ratio", 0.5]],
                         ids=["neurons", "heads-and-experts"])  # fmt: skip
@pytest.mark.parametrize("family", sorted(MIXTURES))
def test_biases_behind_experts_are_refused(family, options, tmp_path):
    """A mixture that was pruned without --uniform, exported later."""
    folder = make_dense(tmp_path / "dense", family)
    prune(folder, tmp_path / "pruned", 0.4, "--structure", "UL-UM", *options)
    assert json.loads((tmp_path / "pruned/config.json").read_text())["flap_bias"] is True
    refused(tmp_path, tmp_path / "pruned", saying=["cannot become GGUF", "no place for biases", "--compensation none"])


def test_quantized_input_is_refused(model, tmp_path):
    edit_json(model / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    refused(tmp_path, model, saying=["config.json", "quantized (gptq)", "BF16, F16 or F32"])


def test_missing_tokenizer_is_refused(model, tmp_path):
    (model / "tokenizer.json").unlink()
    refused(tmp_path, model, saying=["neither tokenizer.json nor tokenizer.model"])


@pytest.mark.parametrize(
    "file, parts",
    [
        ("nfkc.model", ["normalizes characters"]),
        ("suffix.model", ["removes repeated spaces"]),
        ("gpt2.json", ["changes the text before"]),
        ("words.json", ["0 byte tokens", "256"]),
    ],
)
def test_unsupported_tokenizers_are_refused(model, tmp_path, file, parts):
    (model / "tokenizer.json").unlink()
    shutil.copy(TOKENIZERS / file, model / ("tokenizer" + file[file.index(".") :]))
    refused(tmp_path, model, saying=["llama.cpp cannot tokenize like this", *parts])


def test_unigram_is_refused(model, tmp_path):
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["model"] = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]]}
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused(tmp_path, model, saying=["tokenizer.json", "not supported"])


def test_too_many_tokens_are_refused(tmp_path, model):
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["added_tokens"].append(
        {"id": 5000, "content": "<far>", "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True})  # fmt: skip
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused(tmp_path, model, saying=["5001 tokens", "2432 rows of the embedding"])


def test_numbers_beyond_f16_are_refused(tmp_path, model):
    weights = load_file(model / "model.safetensors")
    weights["model.layers.2.mlp.up_proj.weight"][3, 5] = 1e6
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    refused(tmp_path, model, "--type", "f16", saying=["layers.2.mlp.up_proj.weight", "--type bf16 or f32"])


def test_a_run_is_refused_before_it_starts(tmp_path, model):
    (model / "tokenizer.json").unlink()
    result = call("--model", model, "--calibration", model / "tokens.npy", "--ratio", 0.2, "--output",
                  tmp_path / "out", "--format", "gguf")  # fmt: skip
    assert result.returncode != 0 and "neither tokenizer.json" in result.stderr
    assert not (tmp_path / "out").exists()


def test_sliding_window_becomes_the_context(tmp_path):
    model = make_dense(tmp_path / "model", "mistral")
    edit_json(model / "config.json", sliding_window=64)
    result = run("export", "--model", model, "--output", tmp_path / "model.gguf")
    assert any("64 tokens" in note for note in result["notes"])
    fields, _ = read(tmp_path / "model.gguf")
    assert fields["llama.context_length"] == 64
