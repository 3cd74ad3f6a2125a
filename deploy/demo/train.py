"""Makes the demo model: text, tokenizer, training, checkpoint, calibration and test tokens.

    python train.py [--out model] [--steps 1800] [--threads 2]
    python train.py --mixture qwen3_moe --out FOLDER         a mixture of experts of the same text

Needs torch (any build; it runs on the CPU), transformers 4.57.6, tokenizers, numpy and
safetensors: deploy/requirements.txt. Takes about six minutes on two cores and prints the
loss as it goes. Seeded throughout; another torch build or processor rounds differently, so
the weights agree in quality, not to the bit.

Writes into --out:
    config.json generation_config.json model-0000?-of-0000?.safetensors
    model.safetensors.index.json                                          bfloat16
    tokenizer.json tokenizer_config.json special_tokens_map.json          BPE, Llama-2 kind
    calibration.npy int32 [256, 128], test.npy int32 [128, 128]           one sample per row
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, MixtralConfig, PreTrainedTokenizerFast, Qwen3MoeConfig

from grammar import stories

VOCABULARY = 512
SAMPLE_TOKENS = 128
SPECIAL = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]

# One seed per use, so that no split's stories are another's.
TOKENIZER_SEED, TRAINING_SEED, CALIBRATION_SEED, TEST_SEED, TORCH_SEED = 11, 12, 13, 14, 15
TRAINING_STORIES = 30_000

BATCH = 16
PEAK_RATE, FINAL_RATE, WARM_UP_STEPS = 3e-3, 1e-5, 100
WEIGHT_DECAY, CLIP = 0.1, 1.0

SHAPE = dict(
    vocab_size=VOCABULARY,
    hidden_size=128,
    num_attention_heads=8,
    num_key_value_heads=4,
    head_dim=16,
    max_position_embeddings=512,
    rms_norm_eps=1e-5,
    tie_word_embeddings=False,
    bos_token_id=1,
    eos_token_id=2,
)
CONFIG = LlamaConfig(**SHAPE, num_hidden_layers=6, intermediate_size=352)
# Eight experts, two for a token. The loss that evens out their use is so small that use stays uneven, as
# in large models: of 32,768 tokens from none to 28,130 for an expert, so that there is something to choose.
ROUTING = dict(num_experts_per_tok=2, router_aux_loss_coef=0.001)
MIXTURES = {
    "qwen3_moe": Qwen3MoeConfig(
        **SHAPE, **ROUTING, num_hidden_layers=5, num_experts=8, moe_intermediate_size=96,
        intermediate_size=192, norm_topk_prob=True, decoder_sparse_step=1),
    "mixtral": MixtralConfig(
        **SHAPE, **ROUTING, num_hidden_layers=5, num_local_experts=8, intermediate_size=96,
        sliding_window=None, rope_theta=1e4),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "model")
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mixture", choices=MIXTURES)
    parser.add_argument("--balance", type=float, help="another coefficient of the routers' loss")
    arguments = parser.parse_args()
    torch.manual_seed(TORCH_SEED)
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)

    tokenizer = make_tokenizer()
    training = encode(tokenizer, stories(TRAINING_SEED, TRAINING_STORIES))
    calibration = samples(encode(tokenizer, stories(CALIBRATION_SEED, 800)), 256)
    test = samples(encode(tokenizer, stories(TEST_SEED, 400)), 128)
    print(f"{len(training):,} training tokens", flush=True)

    config = MIXTURES[arguments.mixture] if arguments.mixture else CONFIG
    if arguments.balance is not None:
        config.router_aux_loss_coef = arguments.balance
    model = AutoModelForCausalLM.from_config(config)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    train(model, training, test, arguments.steps)

    model.to(torch.bfloat16).save_pretrained(arguments.out, max_shard_size="1300KB")
    tokenizer.save_pretrained(arguments.out)
    np.save(arguments.out / "calibration.npy", calibration)
    np.save(arguments.out / "test.npy", test)


def make_tokenizer():
    """A byte-fallback BPE tokenizer whose spaces are U+2581, as LLaMA 2's is."""
    pieces, merges = train_pieces()
    vocabulary = {token: index for index, token in enumerate(SPECIAL + BYTES + pieces)}
    tokenizer = Tokenizer(models.BPE(
        vocabulary, merges, byte_fallback=True, unk_token=SPECIAL[0], fuse_unk=True))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("\u2581", " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
        decoders.Strip(" ", 1, 0),
    ])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>",
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=CONFIG.max_position_embeddings, clean_up_tokenization_spaces=False)


def train_pieces():
    """The learned pieces in their order and the merges that make them."""
    tokenizer = Tokenizer(models.BPE())
    # Words and punctuation apart, so that no piece spans both.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Metaspace(),
        pre_tokenizers.Punctuation(),
    ])
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL) - len(BYTES), show_progress=False)
    tokenizer.train_from_iterator(stories(TOKENIZER_SEED, 5_000), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), [tuple(m) for m in model["merges"]]


def encode(tokenizer, texts):
    """All texts' tokens on end, each text between <s> and </s>."""
    rows = tokenizer(texts)["input_ids"]
    return np.array([token for row in rows for token in [*row, CONFIG.eos_token_id]], np.int32)


def samples(tokens, count):
    """The first `count` windows of the tokens, [count, SAMPLE_TOKENS]."""
    return np.ascontiguousarray(tokens[: count * SAMPLE_TOKENS].reshape(count, SAMPLE_TOKENS))


def train(model, tokens, test, steps):
    """AdamW under a cosine schedule over random windows of the tokens, `steps` batches."""
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY},
         {"params": others, "weight_decay": 0.0}],
        lr=PEAK_RATE, betas=(0.9, 0.95))
    tokens = torch.from_numpy(tokens).long()
    generator = torch.Generator().manual_seed(TORCH_SEED)
    # What a mixture's loss adds for uneven use of its experts; the test loss is without.
    routing = {"output_router_logits": True} if hasattr(model.config, "router_aux_loss_coef") else {}
    began, window = time.monotonic(), torch.arange(SAMPLE_TOKENS)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        starts = torch.randint(len(tokens) - SAMPLE_TOKENS, (BATCH, 1), generator=generator)
        batch = tokens[starts + window]
        loss = model(batch, labels=batch, use_cache=False, **routing).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        if step % 200 == 0 or step == steps - 1:
            seconds = time.monotonic() - began
            print(f"step {step:5d}  loss {loss.item():.4f}  test {test_loss(model, test):.4f}  "
                  f"{seconds:.0f} s", flush=True)


def learning_rate(step, steps):
    if step < WARM_UP_STEPS:
        return PEAK_RATE * (step + 1) / WARM_UP_STEPS
    progress = (step - WARM_UP_STEPS) / max(1, steps - WARM_UP_STEPS)
    return FINAL_RATE + (PEAK_RATE - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * progress))


@torch.no_grad()
def test_loss(model, test):
    batch = torch.from_numpy(test).long()
    return model(batch, labels=batch, use_cache=False).loss.item()


if __name__ == "__main__":
    main()
