"""What a user would run instead: FLAP's calibration with PyTorch, transformers and hooks.

The model runs layer by layer as the published implementation does (every sample through layer i,
then through layer i + 1), with mean and variance per channel taken at the inputs of o_proj and
down_proj. Only decoder layers are timed: no embedding, no output projection, no loading.

A contestant: see contestants.py.
"""

import argparse
import json
import sys
import time

import numpy
import torch
import transformers


class Moments:
    """Count, mean and M2 per channel of what flows into a module (Chan's merge)."""

    def __init__(self):
        self.count, self.mean, self.m2 = 0, 0.0, 0.0

    def __call__(self, _, inputs):
        x = inputs[0].reshape(-1, inputs[0].shape[-1]).float()
        count, mean = x.shape[0], x.mean(0)
        m2 = (x - mean).pow(2).sum(0)
        delta, total = mean - self.mean, self.count + count
        self.m2 = self.m2 + m2 + delta * delta * (self.count * count / total)
        self.mean = self.mean + delta * (count / total)
        self.count = total

    def variance_sum(self):
        return (self.m2.double() / (self.count - 1)).sum().item()


class Calibration:
    def __init__(self, arguments):
        torch.set_num_threads(arguments.threads)
        dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[arguments.compute]
        self.model = transformers.AutoModelForCausalLM.from_pretrained(arguments.model, dtype=dtype).eval()
        ids = numpy.load(arguments.tokens).reshape(-1)[: arguments.samples * arguments.tokens_per_sample]
        ids = torch.from_numpy(ids.astype(numpy.int64)).reshape(arguments.samples, 1, -1)
        self.token_count = ids.numel()
        self.embedded = [self.model.model.embed_tokens(sample) for sample in ids]
        positions = torch.arange(arguments.tokens_per_sample)[None]
        self.rotary = self.model.model.rotary_emb(self.embedded[0], positions)
        self.peak_bytes = 0

    def run(self):
        """One work unit. Returns Σ of the variances of all channels."""
        states = [sample.clone() for sample in self.embedded]
        variance_sum = 0.0
        for layer in self.model.model.layers:
            modules = [layer.self_attn.o_proj]
            # Experts have a map each, whose statistics hooks do not see.
            if hasattr(layer.mlp, "down_proj"):
                modules.append(layer.mlp.down_proj)
            taps = [Moments() for _ in modules]
            hooks = [module.register_forward_pre_hook(tap) for module, tap in zip(modules, taps)]
            for index, state in enumerate(states):
                result = layer(state, position_embeddings=self.rotary, attention_mask=None)
                states[index] = result[0] if isinstance(result, tuple) else result
            self.peak_bytes = max(self.peak_bytes, anonymous_bytes())
            for hook in hooks:
                hook.remove()
            variance_sum += sum(tap.variance_sum() for tap in taps)
        return variance_sum

    def turn(self, seconds):
        units, start, took = 0, time.monotonic(), 0.0
        while units == 0 or took < seconds:
            variance_sum = self.run()
            units += 1
            took = time.monotonic() - start
        return {
            "units": units, "tokens": units * self.token_count, "seconds": took,
            "varianceSum": variance_sum, "peakBytes": self.peak_bytes}


def anonymous_bytes():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) << 10
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokens", required=True)
    parser.add_argument("--tokens-per-sample", type=int, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--compute", choices=["bf16", "f32"], required=True)
    transformers.utils.logging.disable_progress_bar()
    with torch.no_grad():
        calibration = Calibration(parser.parse_args())
        details = {"torch": torch.__version__, "transformers": transformers.__version__,
                   "threads": str(torch.get_num_threads())}
        print(json.dumps({"details": details}), flush=True)
        for line in sys.stdin:
            command, seconds = line.split()
            assert command == "turn", line
            print(json.dumps(calibration.turn(float(seconds))), flush=True)


if __name__ == "__main__":
    main()
