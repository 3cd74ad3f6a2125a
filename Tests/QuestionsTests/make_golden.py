#!/usr/bin/env python3
"""Writes Golden/pairs.json, the tokens that lm-evaluation-harness makes of contexts and continuations,
and Golden/scores.json, what it counts given log-likelihoods, with the harness' own code: HFLM over the
tokenizers of ../TokenizerTests/Golden, and ConfigurableTask. Needs lm_eval of deploy/requirements.txt."""

import json
import pathlib
import random
import tempfile

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import mean, mean_stderr
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
TOKENIZERS = HERE.parent / "TokenizerTests" / "Golden"
# What tokenizer_config.json says of them: beginning and end.
SPECIAL = {
    "llama2": ("<s>", "</s>"),
    "mistral": ("<s>", "</s>"),
    "llama3": ("<|begin_of_text|>", "<|end_of_text|>"),
    "qwen2": (None, "<|endoftext|>"),
}
POSITIONS = 24

PAIRS = [
    ("The capital of France is", " Paris"),
    ("The capital of France is ", "Paris"),
    ("The capital of France is   ", " Paris"),
    ("Question: Why?\nAnswer:", " yes"),
    ("Question: Why?\nAnswer:\n\n", " yes"),
    ("The trophy does not fit because the trophy", " is too large."),
    ("", " Paris is large"),
    ("", "Paris"),
    ("", "<s> of a text"),
    ("", "<|endoftext|> of a text"),
    ("", "<|begin_of_text|>a"),
    ("<s>The capital", " of France"),
    ("<|begin_of_text|>The capital", " of France"),
    ("<|endoftext|>The capital", " of France"),
    ("   ", "Paris"),
    ("a\u00a0\u2003\u3000", " b"),
    ("a\x1f", "b"),
    ("a\u200b", "b"),
    ("e", "\u0301t\u00e9"),
    ("Gr\u00f6\u00dfe \u00fcber", " Stra\u00dfe \u4e2d\u6587 \U0001f600"),
    ("un", "believable"),
    ("12", "345 678"),
    ("one two three four five six seven eight nine ten eleven twelve thirteen fourteen", " fifteen"),
    ("word " * 30, "the last of them is longer than the others are"),
]


class Encoder(HFLM):
    """Shows what would go to the model."""

    def _loglikelihood_tokens(self, requests, **_):
        return requests


def pairs():
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
            num_attention_heads=1, max_position_embeddings=POSITIONS))
    for name, (beginning, end) in SPECIAL.items():
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_file=str(TOKENIZERS / f"{name}.json"), bos_token=beginning, eos_token=end)
        harness = Encoder(pretrained=model, tokenizer=tokenizer, device="cpu")
        cases = []
        for context, continuation in PAIRS:
            case = {"context": context, "continuation": continuation}
            try:
                request = Instance("loglikelihood", {}, (context, continuation), 0)
                ((_, before, after),) = harness.loglikelihood([request])
                # As _loglikelihood_tokens has it.
                assert before and after and len(after) <= harness.max_length
                whole = (before + after)[-(harness.max_length + 1):]
                case |= {"input": whole[:-1], "tokens": after}
            except (AssertionError, IndexError):
                pass
            cases.append(case)
        yield {
            "tokenizer": name, "positions": POSITIONS, "prefix": harness.prefix_token_id,
            "prefix_text": tokenizer.decode(harness.prefix_token_id), "cases": cases,
        }


def scores():
    """Lines of two forms with log-likelihoods, many of them equal, and what the harness counts."""
    generator = random.Random(5)
    words = ["a", "bc", "d\u00e9f", "\u4e2d", "\U0001f600\U0001f600", "to the end", "e\u0301"]
    for name in ["plain", "contexts"]:
        lines, likelihoods = [], []
        for index in range(60):
            count = generator.randint(2, 5)
            choices = [" ".join(generator.choices(words, k=generator.randint(1, 4))) for _ in range(count)]
            line = {"task": name, "id": index, "gold": generator.randrange(count)}
            if name == "contexts":
                line |= {"contexts": choices, "choices": ["of it."]}
            else:
                line |= {"context": "Which?", "choices": choices}
            lines.append(line)
            likelihoods.append([-generator.randint(1, 24) / 4 for _ in range(count)])
        with tempfile.TemporaryDirectory() as folder:
            data = pathlib.Path(folder) / "data.jsonl"
            data.write_text("".join(json.dumps(line) + "\n" for line in lines))
            several = name == "contexts"
            task = ConfigurableTask(
                config={
                    "task": name, "dataset_path": "json", "output_type": "multiple_choice",
                    "dataset_kwargs": {"data_files": {"test": str(data)}}, "test_split": "test",
                    "doc_to_text": (lambda line: line["gold"]) if several else "{{context}}",
                    "doc_to_target": (lambda line: line["choices"][0]) if several else "gold",
                    "doc_to_choice": (lambda line: line["contexts"]) if several else "choices",
                    "metric_list": [{"metric": m} for m in ("acc", "acc_norm", "acc_bytes")],
                })
            results = [
                task.process_results(document, [(value, False) for value in values])
                for document, values in zip(task.test_docs(), likelihoods)
            ]
        yield {
            "lines": [json.dumps(line) for line in lines], "log_likelihoods": likelihoods,
            "scores": {
                metric: [mean(values), mean_stderr(values)]
                for metric in ("acc", "acc_norm", "acc_bytes")
                for values in [[result[metric] for result in results]]
            },
        }


if __name__ == "__main__":
    torch.manual_seed(0)
    for name, make in (("pairs", pairs), ("scores", scores)):
        text = json.dumps(list(make()), indent=0, sort_keys=True)
        (HERE / "Golden" / f"{name}.json").write_text(text + "\n")
