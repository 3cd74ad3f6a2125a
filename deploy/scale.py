#!/usr/bin/env python3
"""Measures what one flap-coord bears: many connections, reports of the size of large models.

Makes a checkpoint of the shape asked for (sparse files: headers and holes) and token ids, starts
`flap-coord calibrate --launcher none` and `flap-load` against it, and watches the coordinator in
/proc meanwhile. Prints one table and, with --json, one line of JSON per run.

    swift build -c release --product flap-coord
    swift build -c release --product flap-load
    deploy/scale.py --shape 7b --connections 1000 --reports 1000
    deploy/scale.py --shape 70b --connections 64 --security curve --scratch /mnt/scratch
    deploy/scale.py --shape 70b --connections 16 --reports 1024 --leaves-per-unit 32 --second-moments

The scratch folder needs room for the journal: what is not merged yet, at worst one report per
connection. Everything that is made there is removed at the end.
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

# hidden, intermediate, layers, heads, key-value heads, vocabulary
SHAPES = {
    "7b": (4096, 11008, 32, 32, 32, 32000),
    "70b": (8192, 28672, 80, 64, 8, 32000),
    "405b": (16384, 53248, 126, 128, 8, 128256),
}
SHARD_BYTES = 40 << 30


def tensors(shape):
    hidden, intermediate, layers, heads, kv_heads, vocabulary = shape
    head = hidden // heads
    yield "model.embed_tokens.weight", [vocabulary, hidden]
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        yield f"{prefix}.input_layernorm.weight", [hidden]
        yield f"{prefix}.self_attn.q_proj.weight", [heads * head, hidden]
        yield f"{prefix}.self_attn.k_proj.weight", [kv_heads * head, hidden]
        yield f"{prefix}.self_attn.v_proj.weight", [kv_heads * head, hidden]
        yield f"{prefix}.self_attn.o_proj.weight", [hidden, heads * head]
        yield f"{prefix}.post_attention_layernorm.weight", [hidden]
        yield f"{prefix}.mlp.gate_proj.weight", [intermediate, hidden]
        yield f"{prefix}.mlp.up_proj.weight", [intermediate, hidden]
        yield f"{prefix}.mlp.down_proj.weight", [hidden, intermediate]
    yield "model.norm.weight", [hidden]
    yield "lm_head.weight", [vocabulary, hidden]


def bfloat16_bytes(dimensions):
    count = 2
    for dimension in dimensions:
        count *= dimension
    return count


def make_checkpoint(folder, shape):
    """A checkpoint whose weights are all zeros and take no room on disk."""
    hidden, intermediate, layers, heads, kv_heads, vocabulary = shape
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": False, "vocab_size": vocabulary,
    }))
    shards, room = [], 0
    for name, dimensions in tensors(shape):
        count = bfloat16_bytes(dimensions)
        if count > room:
            shards.append([])
            room = SHARD_BYTES
        shards[-1].append((name, dimensions, count))
        room -= count
    weight_map = {}
    for number, shard in enumerate(shards, 1):
        file_name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        header, offset = {}, 0
        for name, dimensions, count in shard:
            header[name] = {
                "dtype": "BF16", "shape": dimensions, "data_offsets": [offset, offset + count]}
            offset += count
            weight_map[name] = file_name
        text = json.dumps(header).encode()
        with open(folder / file_name, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            file.truncate(8 + len(text) + offset)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def memory_folder():
    """For the model: the few pages that its digest touches stay few where nothing is read ahead."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def make_tokens(path, samples, tokens_per_sample):
    header = f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({samples}, {tokens_per_sample}), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(bytes(4 * samples * tokens_per_sample))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Watch(threading.Thread):
    """Memory, CPU time by thread, and the size of the journal of a coordinator."""

    def __init__(self, pid, journal):
        super().__init__(daemon=True)
        self.pid, self.journal = pid, journal
        self.stopped = threading.Event()
        self.peak_rss_anon = self.peak_rss = self.peak_journal = 0
        self.cpu_seconds = {}

    def run(self):
        while not self.stopped.wait(0.02):
            self.sample()

    def sample(self):
        try:
            fields = dict(
                line.split(":", 1)
                for line in open(f"/proc/{self.pid}/status").read().splitlines() if ":" in line)
            kib = lambda name: int(fields[name].split()[0]) << 10
            self.peak_rss_anon = max(self.peak_rss_anon, kib("RssAnon"))
            self.peak_rss = max(self.peak_rss, kib("VmHWM"))
            for task in os.listdir(f"/proc/{self.pid}/task"):
                name, _, rest = open(f"/proc/{self.pid}/task/{task}/stat").read().rpartition(")")
                times = rest.split()
                user, system = (int(times[i]) / os.sysconf("SC_CLK_TCK") for i in (11, 12))
                label = "main" if int(task) == self.pid else name.split("(", 1)[1]
                self.cpu_seconds[f"{label}/{task}"] = (label, user, system)
        except (FileNotFoundError, ProcessLookupError, KeyError, ValueError):
            pass
        try:
            size = sum(entry.stat().st_size for entry in os.scandir(self.journal))
            self.peak_journal = max(self.peak_journal, size)
        except FileNotFoundError:
            pass

    def stop(self):
        self.stopped.set()
        self.join()

    def cpu(self):
        """User and system seconds of the main thread, of ZeroMQ's I/O threads, of all others."""
        totals = {"main": [0, 0], "io": [0, 0], "other": [0, 0]}
        for label, user, system in self.cpu_seconds.values():
            kind = "main" if label == "main" else "io" if "/IO/" in label else "other"
            totals[kind][0] += user
            totals[kind][1] += system
        return {kind: [round(value, 2) for value in pair] for kind, pair in totals.items()}


def wait_for(path, process):
    while not path.exists():
        if process.poll() is not None:
            sys.exit("scale.py: flap-coord ended before it listened: see its messages above")
        time.sleep(0.01)


def measure(arguments, folder, model, shape, is_insecure):
    tokens = folder / "tokens.npy"
    ticket, output = folder / "ticket", folder / "statistics.safetensors"
    ticket.unlink(missing_ok=True)
    command = [
        arguments.programs / "flap-coord", "calibrate", "--model", model, "--calibration", tokens,
        "--output", output, "--launcher", "none", "--listen", f"127.0.0.1:{free_port()}",
        "--connect-file", ticket, "--tokens-per-leaf", str(arguments.tokens_per_sample),
        "--leaves-per-unit", str(arguments.leaves_per_unit), "--compute", "f32", "--json"]
    command += ["--second-moments", folder / "sums"] if arguments.second_moments else []
    command += ["--insecure"] if is_insecure else []
    command += ["--verbose"] if arguments.verbose else ["--quiet"]
    command = arguments.prefix.split() + command
    coordinator = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    watch = Watch(coordinator.pid, folder / "statistics.safetensors.run/journal")
    try:
        wait_for(ticket, coordinator)
        watch.start()
        load = subprocess.run(
            [arguments.programs / "flap-load", "--connect-file", ticket, "--model", model,
             "--connections", str(arguments.connections), "--report-delay",
             str(arguments.report_delay), "--json"],
            stdout=subprocess.PIPE, check=True)
        code = coordinator.wait(timeout=120)
    finally:
        coordinator.kill()
        watch.stop()
    if code != 0:
        sys.exit(f"scale.py: flap-coord ended with {code}")
    result = json.loads(load.stdout)
    report_seconds = max(result["reportSeconds"], 1e-9)
    all_bytes = result["reports"] * result["reportBytes"]
    return {
        "shape": shape, "security": "plain" if is_insecure else "CURVE",
        "connections": result["connections"], "reports": result["reports"],
        "sumReports": result["sumReports"], "lostWorkers": result["lostWorkers"], "reportBytes": result["reportBytes"],
        "totalBytes": all_bytes, "seconds": round(result["seconds"], 2),
        "reportSeconds": round(report_seconds, 2),
        "megabytesPerSecond": round(all_bytes / 1e6 / report_seconds, 1),
        "peakRssAnon": watch.peak_rss_anon, "peakRss": watch.peak_rss,
        "peakJournal": watch.peak_journal, "cpuSeconds": watch.cpu()}


COLUMNS = [
    ("shape", "shape", str), ("wire", "security", str), ("connections", "connections", str),
    ("reports", "reports", str), ("sums", "sumReports", str), ("lost", "lostWorkers", str),
    ("report MB", "reportBytes", lambda value: f"{value / 1e6:.1f}"),
    ("total GB", "totalBytes", lambda value: f"{value / 1e9:.2f}"),
    ("seconds", "seconds", str), ("of reports", "reportSeconds", str),
    ("MB/s", "megabytesPerSecond", str),
    ("RssAnon MB", "peakRssAnon", lambda value: f"{value / 1e6:.0f}"),
    ("journal MB", "peakJournal", lambda value: f"{value / 1e6:.0f}"),
    ("CPU s main", "cpuSeconds", lambda value: "{:.1f}+{:.1f}".format(*value["main"])),
    ("CPU s I/O", "cpuSeconds", lambda value: "{:.1f}+{:.1f}".format(*value["io"])),
]


def table(results):
    rows = [[title for title, _, _ in COLUMNS]]
    rows += [[form(result[key]) for _, key, form in COLUMNS] for result in results]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths)) + " |"
             for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return "\n".join(lines)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, action="append", help="may be given again")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--reports", type=int, help="at least (default: one per connection)")
    parser.add_argument("--leaves-per-unit", type=int, default=1)
    parser.add_argument("--second-moments", action="store_true", help="and the sums of maps, which stay with workers")
    parser.add_argument("--report-delay", type=float, default=0, help="seconds of computing")
    parser.add_argument("--security", choices=["plain", "curve", "both"], default="both")
    parser.add_argument("--tokens-per-sample", type=int, default=16)
    parser.add_argument("--programs", type=pathlib.Path, help="folder of flap-coord and flap-load")
    parser.add_argument("--scratch", type=pathlib.Path, help="where to work (default: temporary)")
    parser.add_argument("--prefix", default="", help="in front of flap-coord, such as a profiler")
    parser.add_argument("--verbose", action="store_true", help="the coordinator's log")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parent.parent
    arguments.programs = arguments.programs or root / ".build/release"
    arguments.shape = arguments.shape or ["7b"]
    arguments.reports = arguments.reports or arguments.connections
    return arguments


def main():
    arguments = parse()
    results = []
    for shape in arguments.shape:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="flap-scale-", dir=arguments.scratch))
        model_folder = pathlib.Path(tempfile.mkdtemp(prefix="flap-scale-", dir=memory_folder()))
        model = model_folder / "model"
        try:
            make_checkpoint(model, SHAPES[shape])
            make_tokens(folder / "tokens.npy", arguments.reports, arguments.tokens_per_sample)
            for security in ["plain", "curve"]:
                if arguments.security in (security, "both"):
                    result = measure(arguments, folder, model, shape, is_insecure=security == "plain")
                    results.append(result)
                    if arguments.json:
                        print(json.dumps(result), flush=True)
        finally:
            shutil.rmtree(folder)
            shutil.rmtree(model_folder)
    print(table(results))


if __name__ == "__main__":
    main()
