#!/usr/bin/env python3
"""Seconds of transformers for a mixture's layer on this CPU, to hold flap's against.

    mixture_speed.py [--threads 1] [--dtype float32] [--tokens 2048] [--repeats 3]

The layer has the shape of Qwen3-30B-A3B: hidden 2048, 128 experts of 768, 8 for a token; weights and
inputs are random, so that experts are used about alike. Beside it the products alone: each expert's three
over its gathered tokens, without routing, gathering, gates and sums. Best of the repeats.
"""

import argparse
import json
import time

import torch
from expert_reference import routes, weights
from transformers import Qwen3MoeConfig, __version__
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeSparseMoeBlock

HIDDEN, EXPERTS, INTERMEDIATE, TOP = 2048, 128, 768, 8


class Shell(torch.nn.Module):
    """What the reference reads of a model."""

    def __init__(self, config):
        super().__init__()
        self.config = config


def best(repeats, work):
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    config = Qwen3MoeConfig(hidden_size=HIDDEN, num_experts=EXPERTS, moe_intermediate_size=INTERMEDIATE,
                            num_experts_per_tok=TOP, norm_topk_prob=True)  # fmt: skip
    # Of the attributes that `from_pretrained` sets, the one that 5 asks for.
    config._experts_implementation = getattr(config, "_experts_implementation", None) or "grouped_mm"
    torch.set_default_dtype(getattr(torch, arguments.dtype))
    block = Qwen3MoeSparseMoeBlock(config).eval()
    for parameter in block.parameters():
        parameter.normal_(0, 0.02)
    x = torch.randn(1, arguments.tokens, HIDDEN)
    layer = best(arguments.repeats, lambda: block(x))
    chosen, _ = routes(Shell(config), block, x[0])
    parts = [
        (x[0, torch.where(chosen == expert)[0]], *tensors) for expert, tensors in enumerate(zip(*weights(block)))
    ]

    def products():
        for rows, gate, up, down in parts:
            (rows @ gate.T).mul_(rows @ up.T) @ down.T

    alone = best(arguments.repeats, products)
    operations = arguments.tokens * TOP * 3 * 2 * HIDDEN * INTERMEDIATE
    print(json.dumps(dict(
        transformers=__version__, dtype=arguments.dtype, threads=arguments.threads, tokens=arguments.tokens,
        layer_seconds=round(layer, 3), products_seconds=round(alone, 3),
        layer_gflops=round(operations / layer / 1e9, 1),
        products_gflops=round(operations / alone / 1e9, 1))))  # fmt: skip


if __name__ == "__main__":
    main()
