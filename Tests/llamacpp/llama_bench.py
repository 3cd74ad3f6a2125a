#!/usr/bin/env python3
"""llama-bench for those who have llama.cpp as a library only: the options that flap-coord bench gives it,
and of its JSON what that reads. The figures are of the same functions of llama.cpp.
"""

import argparse
import json
import pathlib
import sys

import llama_library

parser = argparse.ArgumentParser(prog="llama-bench")
parser.add_argument("-m", dest="model", required=True)
parser.add_argument("-p", dest="prompt", type=int, default=512)
parser.add_argument("-n", dest="generate", type=int, default=128)
parser.add_argument("-t", dest="threads", type=int, default=2)
parser.add_argument("-r", dest="repetitions", type=int, default=5)
parser.add_argument("-ngl", dest="layers", type=int, default=0)
parser.add_argument("-o", dest="output", choices=["json"], default="json")
options = parser.parse_args()

try:
    results = []
    for prompt, generate in ((options.prompt, 0), (0, options.generate)):
        samples = llama_library.speed(options.model, prompt, generate, options.threads, options.repetitions)
        with llama_library.opened(options.model, 8) as context:
            size = llama_library.lib.llama_model_size(context.model)
            parameters = llama_library.lib.llama_model_n_params(context.model)
        results.append({
            "build_commit": "library", "build_number": 0, "model_filename": options.model, "model_size": size,
            "model_n_params": parameters, "n_threads": options.threads, "n_prompt": prompt, "n_gen": generate,
            "avg_ts": sum(samples) / len(samples), "samples_ts": samples,
        })  # fmt: skip
    print(json.dumps(results, indent=2))
except RuntimeError as error:
    sys.exit(f"error: {error} ({pathlib.Path(options.model).name})")
