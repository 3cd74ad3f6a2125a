"""The packages `tokenizers` and `sentencepiece` on the texts of a folder, on one thread.

A contestant: see contestants.py.
"""

import json
import os
import pathlib
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"


def encoder(path):
    if path.suffix == ".model":
        import sentencepiece

        return sentencepiece.SentencePieceProcessor(model_file=str(path)).encode
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def main(path, folder):
    encode = encoder(pathlib.Path(path))
    texts = [file.read_bytes().decode() for file in sorted(pathlib.Path(folder).iterdir())]
    print(json.dumps({"details": {}}), flush=True)
    for line in sys.stdin:
        seconds = float(line.split()[1])
        units, tokens, start, took = 0, 0, time.monotonic(), 0.0
        while units == 0 or took < seconds:
            tokens += sum(len(encode(text)) for text in texts)
            units += 1
            took = time.monotonic() - start
        print(json.dumps({"units": units, "tokens": tokens, "seconds": took}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
