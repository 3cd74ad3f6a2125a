#!/usr/bin/env python3
"""Writes Golden/chat.json: the token ids that `apply_chat_template` of transformers 4.57 gives in
checkpoint folders that name templates and special tokens in all the ways there are, with the
tokenizers of Tests/TokenizerTests/Golden."""

import json
import pathlib
import shutil
import tempfile

from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).parent
TOKENIZERS = HERE.parent / "TokenizerTests" / "Golden"
TEMPLATES = HERE.parent / "ChatTemplateTests" / "Templates"

CONVERSATIONS = [
    [{"role": "user", "content": "Hello, how are you?"}, {"role": "assistant", "content": "Well – thank you!"}],
    [
        {"role": "system", "content": "Answer in verse."}, {"role": "user", "content": "  Grüße aus 東京 👩‍👧 \n"},
        {"role": "assistant", "content": "…\n\n    def f():\n\treturn 1234567"}, {"role": "user", "content": ""},
    ],
]
TOOLS = [{"type": "function", "function": {"name": "f", "description": "é", "parameters": {"type": "object"}}}]
SHOW = "{{ bos_token }}|{{ eos_token }}|{{ unk_token }}|{{ pad_token }}|{{ sep_token is defined }}|{{ additional_special_tokens }}|{{ image_token }}|{{ messages | length }}"


def template(name):
    return (TEMPLATES / f"{name}.jinja").read_text()


def added(content, **more):
    return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False} | more


LLAMA3 = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
DECODER = {"added_tokens_decoder": {}}
# (tokenizer, files, whether with tools)
FOLDERS = [
    ("llama3", {"tokenizer_config.json": LLAMA3, "chat_template.jinja": template("llama-3")}, False),
    ("llama3", {"tokenizer_config.json": LLAMA3 | {"chat_template": template("llama-3.1")}}, True),
    ("mistral", {"tokenizer_config.json": {"tokenizer_class": "LlamaTokenizerFast", "chat_template": template("llama-2")}}, False),
    ("mistral", {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}, "chat_template.jinja": template("zephyr")}, False),
    ("llama2", {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}, "chat_template.jinja": template("llama-2")}, False),
    ("qwen2", {"tokenizer_config.json": {"tokenizer_class": "Qwen2TokenizerFast"}, "chat_template.jinja": template("qwen-2.5")}, True),
    ("qwen2", {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"}, "chat_template.jinja": template("qwen-3")}, False),
    # Which template.
    ("llama3", {"tokenizer_config.json": LLAMA3 | {"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D{{ bos_token }}"}]}}, False),
    ("llama3", {"tokenizer_config.json": LLAMA3 | {"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]}}, True),
    ("llama3", {"tokenizer_config.json": LLAMA3 | {"chat_template": "old"}, "chat_template.jinja": "new\r\n{% if true %}\r\nx{% endif %}\n\n"}, False),
    ("llama3", {"tokenizer_config.json": LLAMA3, "chat_template.jinja": "new", "additional_chat_templates/tool_use.jinja": "tool"}, True),
    ("llama3", {"tokenizer_config.json": LLAMA3 | {"chat_template": "old"}, "additional_chat_templates/default.jinja": "named"}, False),
    ("llama3", {"tokenizer_config.json": LLAMA3 | {"chat_template": "old"}, "chat_templates/default.jinja": "forgotten"}, False),
    # Which special tokens.
    ("qwen2", {"tokenizer_config.json": {"tokenizer_class": "Qwen2TokenizerFast"}, "chat_template.jinja": SHOW}, False),
    ("qwen2", {"tokenizer_config.json": {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": None}, "chat_template.jinja": SHOW}, False),
    ("qwen2", {"tokenizer_config.json": {"eos_token": "<|im_end|>"}, "config.json": {"model_type": "qwen3"}, "chat_template.jinja": SHOW}, False),
    ("llama2", {"tokenizer_config.json": {"tokenizer_class": "LlamaTokenizerFast"}, "chat_template.jinja": SHOW}, False),
    ("llama2", {"tokenizer_config.json": {}, "config.json": {"model_type": "mistral"}, "chat_template.jinja": SHOW}, False),
    ("llama3", {"tokenizer_config.json": LLAMA3 | {"pad_token": added("<|eot_id|>"), "additional_special_tokens": ["<|start_header_id|>", added("<|end_header_id|>")]}, "chat_template.jinja": SHOW}, False),
    ("llama3", {"tokenizer_config.json": LLAMA3, "special_tokens_map.json": {"bos_token": {"content": "<|end_of_text|>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}, "unk_token": "<|eot_id|>"}, "chat_template.jinja": SHOW}, False),
    ("llama3", {"tokenizer_config.json": LLAMA3 | DECODER, "special_tokens_map.json": {"bos_token": "<|end_of_text|>", "unk_token": "<|eot_id|>"}, "chat_template.jinja": SHOW}, False),
    ("llama3", {"tokenizer_config.json": LLAMA3 | {"extra_special_tokens": {"image_token": "<|eot_id|>"}}, "chat_template.jinja": SHOW}, False),
]


def ids(tokenizer, files, tools):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shutil.copy(TOKENIZERS / f"{tokenizer}.json", folder / "tokenizer.json")
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes((content if isinstance(content, str) else json.dumps(content)).encode())
        loaded = AutoTokenizer.from_pretrained(folder)
        return [loaded.apply_chat_template(messages, tools=tools, tokenize=True) for messages in CONVERSATIONS]


def main():
    folders = []
    for tokenizer, files, has_tools in FOLDERS:
        tools = TOOLS if has_tools else None
        lines = [json.dumps({"messages": messages, "tools": tools}) for messages in CONVERSATIONS]
        texts = {name: content if isinstance(content, str) else json.dumps(content) for name, content in files.items()}
        folders.append({
            "tokenizer": tokenizer, "files": texts, "lines": "\n".join(lines), "ids": sum(ids(tokenizer, files, tools), []),
        })
    with open(HERE / "Golden" / "chat.json", "w") as file:
        json.dump(folders, file, indent=0)
        file.write("\n")


main()
