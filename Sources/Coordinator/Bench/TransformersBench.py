"""Tokens per second of checkpoints in transformers, in turn: a JSON object on standard output.

Its one argument is a JSON object: prompt, generate, rounds, threads, models (folders).
"""

import json
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
import torch
import transformers

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])


def load(folder):
    with open(os.path.join(folder, "config.json")) as file:
        # Code of a folder runs only where flap has written it.
        own = json.load(file)["model_type"].startswith("flap_")
    return transformers.AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=own, torch_dtype="auto").eval()


@torch.inference_mode()
def rates(model):
    count, generate = settings["prompt"], settings["generate"]
    tokens = torch.arange(count) * 7 % model.config.vocab_size
    start = time.perf_counter()
    model(tokens[None], use_cache=True, logits_to_keep=1)
    prefill = count / (time.perf_counter() - start)
    cache, token = None, tokens[:1][None]
    start = time.perf_counter()
    for _ in range(generate):
        result = model(token, past_key_values=cache, use_cache=True)
        cache, token = result.past_key_values, result.logits[:, -1].argmax(-1, keepdim=True)
    return prefill, generate / (time.perf_counter() - start)


models = [load(folder) for folder in settings["models"]]
for model in models:
    rates(model)
rounds = [[] for _ in models]
for number in range(settings["rounds"]):
    order = list(enumerate(models))
    for index, model in order if number % 2 == 0 else reversed(order):
        rounds[index].append(rates(model))
json.dump(
    {
        "version": f"{transformers.__version__} with PyTorch {torch.__version__.split('+')[0]}, "
        + str(models[0].dtype).removeprefix("torch."),
        "models": [{"prefill": [r[0] for r in each], "decode": [r[1] for r in each]} for each in rounds],
    },
    sys.stdout,
)
