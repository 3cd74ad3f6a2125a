#!/usr/bin/env python3
"""Trains small tokenizers of every kind that is read, in the form in which the models ship them, and
writes them with the ids that the packages `tokenizers` and `sentencepiece` give for the text of
mixed_text.py: Golden/NAME.json or NAME.model, and Golden/expected.json.

`--dump FOLDER` also writes the text and all the ids there."""

import argparse
import io
import json
import pathlib

import numpy as np
import sentencepiece
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

import mixed_text

GOLDEN = pathlib.Path(__file__).parent / "Golden"
VOCABULARY_SIZE = 2400

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def training_text(fragments):
    """Other documents than the tested ones."""
    return [mixed_text.document(4 * index + 400, fragments, has_oddities=False) for index in range(30)]


def added(content, id, special=True, normalized=False, lstrip=False, rstrip=False, single_word=False):
    return {
        "id": id, "content": content, "single_word": single_word, "lstrip": lstrip, "rstrip": rstrip,
        "normalized": normalized, "special": special,
    }


def template(before):
    """TemplateProcessing with tokens [(text, id)] before the text."""
    pieces = [{"SpecialToken": {"id": text, "type_id": 0}} for text, _ in before]
    second = [{"SpecialToken": {"id": text, "type_id": 1}} for text, _ in before]
    first_text, second_text = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    return {
        "type": "TemplateProcessing", "single": pieces + [first_text],
        "pair": pieces + [first_text] + second + [second_text],
        "special_tokens": {text: {"id": text, "ids": [id], "tokens": [text]} for text, id in before},
    }


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def byte_level(**settings):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True} | settings


def model_file(model, added_tokens, **parts):
    empty = {"truncation": None, "padding": None, "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None}
    return {"version": "1.0"} | empty | {"added_tokens": added_tokens} | parts | {"model": model}


# SentencePiece and its descendants in tokenizer.json

def train_pieces(texts, **settings):
    output = io.BytesIO()
    lines = [line for text in texts for line in text.replace("\0", "").split("\n") if line.strip()]
    defaults = dict(
        model_type="bpe", vocab_size=VOCABULARY_SIZE, character_coverage=0.9995, byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
        allow_whitespace_only_pieces=True, num_threads=1, minloglevel=2, max_sentence_length=10**6,
    )
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=output, **(defaults | settings)
    )
    return output.getvalue()


def llama_model(pieces):
    """As transformers converts such a model: merges are all splits of a piece into two, by score."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=pieces)
    vocabulary = {processor.id_to_piece(id): id for id in range(processor.vocab_size())}
    merges = []
    for piece, id in vocabulary.items():
        local = [
            (piece[:cut], piece[cut:], id) for cut in range(1, len(piece))
            if piece[:cut] in vocabulary and piece[cut:] in vocabulary
        ]
        merges += sorted(local, key=lambda merge: (vocabulary[merge[0]], vocabulary[merge[1]]))
    merges.sort(key=lambda merge: -processor.get_score(merge[2]))
    return {
        "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
        "vocab": vocabulary, "merges": [[left, right] for left, right, _ in merges],
    }


def llama_special_tokens(normalized=False):
    return [added(text, id, normalized=normalized) for id, text in enumerate(["<unk>", "<s>", "</s>"])]


LLAMA2_NORMALIZER = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ],
}


def metaspace(scheme, split):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


# Byte-level tokenizers

def train_byte_level(texts, pattern):
    tokenizer = Tokenizer(models.BPE())
    steps = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)]
    if pattern:
        steps.insert(0, pre_tokenizers.Split(Regex(pattern), "isolated"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model | {"unk_token": None, "byte_fallback": False, "fuse_unk": False}


def tokenizer_files(texts):
    pieces = train_pieces(texts)
    llama = llama_model(pieces)
    size = len(llama["vocab"])
    yield "llama2.model", pieces
    # Meta's Llama 2, converted; the older conversion has the special tokens normalized.
    parts = dict(normalizer=LLAMA2_NORMALIZER, post_processor=template([("<s>", 1)]))
    yield "llama2.json", model_file(llama, llama_special_tokens(), **parts)
    strings = llama | {"merges": [" ".join(pair) for pair in llama["merges"]]}
    extra = [added("<extra>", size, special=False, normalized=True), added("keep", size + 1, special=False, normalized=True, single_word=True)]
    yield "llama1.json", model_file(strings, llama_special_tokens(normalized=True) + extra, **parts)
    # legacy=False, and Mistral 0.3
    first = dict(pre_tokenizer=metaspace("first", False), post_processor=template([("<s>", 1)]))
    instructions = [added("[INST]", size), added("[/INST]", size + 1)]
    yield "mistral.json", model_file(llama, llama_special_tokens() + instructions, **first)
    # Words only, unknown tokens that are fused, and a token before and after.
    without_bytes = {
        "vocab": {t: i for t, i in llama["vocab"].items()},
        "merges": llama["merges"],
    }
    around = template([("<s>", 1)])
    around["single"].append({"SpecialToken": {"id": "</s>", "type_id": 0}})
    around["special_tokens"]["</s>"] = {"id": "</s>", "ids": [2], "tokens": ["</s>"]}
    yield "words.json", model_file(
        llama | without_bytes | {"byte_fallback": False}, llama_special_tokens(),
        pre_tokenizer=metaspace("always", True), post_processor=around,
    )
    yield "unfused.json", model_file(
        llama | {"byte_fallback": False, "fuse_unk": False}, llama_special_tokens(),
        pre_tokenizer=metaspace("never", False),
    )
    # Pieces over spaces, rules for characters, extra spaces removed, unknown pieces, symbols.
    yield "nfkc.model", train_pieces(
        texts, normalization_rule_name="nmt_nfkc", remove_extra_whitespaces=True, byte_fallback=False,
        split_by_whitespace=False, split_by_unicode_script=False, character_coverage=0.98,
        user_defined_symbols=["<extra>", "keep", "<mask> "], control_symbols=["<pad>"], vocab_size=1600,
    )
    yield "suffix.model", train_pieces(
        texts, treat_whitespace_as_suffix=True, remove_extra_whitespaces=True, vocab_size=1600,
    )
    yield "noprefix.model", train_pieces(
        texts, add_dummy_prefix=False, vocab_size=1600, user_defined_symbols=["  ", "def", "▁▁the"],
    )

    llama3 = train_byte_level(texts, LLAMA3)
    size = len(llama3["vocab"])
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    yield "llama3.json", model_file(
        llama3 | {"ignore_merges": True}, [added(name, size + i) for i, name in enumerate(names)],
        pre_tokenizer={"type": "Sequence", "pretokenizers": [split(LLAMA3), byte_level(use_regex=False)]},
        post_processor={"type": "Sequence", "processors": [byte_level(), template([("<|begin_of_text|>", size)])]},
        decoder=byte_level(),
    )
    qwen2 = train_byte_level(texts, QWEN2)
    qwen2 = qwen2 | {
        "continuing_subword_prefix": "", "end_of_word_suffix": "", "ignore_merges": False,
        "merges": [" ".join(pair) for pair in qwen2["merges"]],
    }
    size = len(qwen2["vocab"])
    bare = byte_level(trim_offsets=False, use_regex=False)
    yield "qwen2.json", model_file(
        qwen2,
        [added(name, size + i) for i, name in enumerate(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])]
        + [added("<tool_call>", size + 3, special=False)],
        normalizer={"type": "NFC"},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [split(QWEN2), bare]},
        post_processor=bare, decoder=bare,
    )
    gpt2 = train_byte_level(texts, None)
    size = len(gpt2["vocab"])
    flags = [
        added("<mask>", size, lstrip=True), added("<pad>", size + 1, rstrip=True),
        added("<extra>", size + 2, special=False, lstrip=True, rstrip=True, normalized=True),
        added("keep", size + 3, special=False, single_word=True),
        added("the", size + 4, special=False, single_word=True, normalized=True, lstrip=True),
    ]
    yield "digits.json", model_file(
        gpt2, flags,
        pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level()]},
    )
    yield "gpt2.json", model_file(gpt2, flags, pre_tokenizer=byte_level(add_prefix_space=True))


def encoder(name, content):
    if name.endswith(".model"):
        processor = sentencepiece.SentencePieceProcessor(model_proto=content)
        return lambda text: processor.encode(text, add_bos=True)
    tokenizer = Tokenizer.from_str(content.decode())
    return lambda text: tokenizer.encode(text).ids


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--dump", type=pathlib.Path)
    arguments.add_argument("--only-text", action="store_true", help="keep the tokenizers that are there")
    arguments = arguments.parse_args()
    GOLDEN.mkdir(exist_ok=True)
    fragments = mixed_text.fragments()
    (GOLDEN / "fragments.txt").write_bytes("\x1e".join(fragments).encode())
    documents = [mixed_text.document(index, fragments) for index in range(mixed_text.DOCUMENT_COUNT)]
    # Documents that are nearly nothing.
    documents += ["", " ", "  ", "\n", "a", "▁", "\0", "<s>", " <s> ", "\u0301", "\U0010ffff"]
    if not arguments.only_text:
        for name, content in tokenizer_files(training_text(fragments)):
            if isinstance(content, dict):
                content = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
            (GOLDEN / name).write_bytes(content)
    expected = {"texts": [f"{mixed_text.fnv64(text.encode()):016x}" for text in documents], "tokens": {}}
    if arguments.dump:
        arguments.dump.mkdir(exist_ok=True)
        write_framed(arguments.dump / "text", [text.encode() for text in documents], 1)
    for path in sorted(GOLDEN.glob("*.json")) + sorted(GOLDEN.glob("*.model")):
        if path.name == "expected.json":
            continue
        encode = encoder(path.name, path.read_bytes())
        ids = [np.array(encode(text), dtype="<i4").tobytes() for text in documents]
        expected["tokens"][path.name] = [f"{len(row) // 4} {mixed_text.fnv64(row):016x}" for row in ids]
        print(path.name, sum(map(len, ids)) // 4, "tokens")
        if arguments.dump:
            write_framed(arguments.dump / (path.name + ".ids"), ids, 4)
    for step in (1, 16):
        expected.setdefault("scalarClasses", {})[str(step)] = scalar_classes(step)
        expected.setdefault("compositions", {})[str(step)] = compositions(step)
    (GOLDEN / "expected.json").write_text(json.dumps(expected, indent=0))
    print(sum(len(text.encode()) for text in documents), "bytes of text")


def all_scalars(step):
    return [chr(value) for value in range(0, 0x110000, step) if not 0xD800 <= value < 0xE000]


def scalar_classes(step):
    """A byte a scalar: 1 letter, 2 number, 4 space, as the package's regular expressions see it."""
    members = []
    for pattern in (r"\p{L}", r"\p{N}", r"\s"):
        find = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
        scalars = all_scalars(1)
        parts = ["".join(scalars[start : start + 4096]) for start in range(0, len(scalars), 4096)]
        members.append({scalar for part in parts for word, _ in find.pre_tokenize_str(part) for scalar in word})
    classes = bytes(sum(1 << bit for bit in range(3) if scalar in members[bit]) for scalar in all_scalars(step))
    return f"{mixed_text.fnv64(classes):016x}"


def compositions(step):
    compose = normalizers.NFC().normalize_str
    text = "".join(compose(f"e{scalar}\u0323{scalar}\n") for scalar in all_scalars(step))
    return f"{mixed_text.fnv64(text.encode()):016x}"


def write_framed(path, rows, width):
    with open(path, "wb") as file:
        for row in rows:
            file.write(np.uint32(len(row) // width).tobytes() + row)


if __name__ == "__main__":
    main()
