"""flap-coord as the tests call it: always ended, its progress watched, its result compared."""

import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("FLAP_PROGRAMS", ROOT / ".build/release")).absolute()
COORDINATOR = PROGRAMS / "flap-coord"
WORKER = PROGRAMS / "flap-worker"
MODEL = ROOT / "deploy/demo/model"
# Nothing that this project promises takes longer to end.
END_SECONDS = 15


def options(tokens, output, model=MODEL):
    """Many small tasks of the same bits on every machine: f32, one sample a leaf and a task."""
    return [
        "--model", model, "--calibration", tokens, "--output", output, "--ratio", "0.2",
        "--compute", "f32", "--tokens-per-leaf", "128", "--leaves-per-unit", "1",
    ]  # fmt: skip


def checksums(folder):
    """Relative path → SHA-256 of every safetensors file."""
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.safetensors"))
    }
    assert found, f"{folder} holds no safetensors file"
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what):
    """Polls; returns the first value of the condition that is true."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def is_running(process_id):
    """Zombies, which only wait for their parent, do not run."""
    try:
        return pathlib.Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes():
    """(process id, name, arguments) of all processes of this machine."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name = (entry / "comm").read_text().strip()
                arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            yield int(entry.name), name, arguments


def children(process_id):
    try:
        paths = list(pathlib.Path(f"/proc/{process_id}/task").glob("*/children"))
        return [int(child) for path in paths for child in path.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Metrics:
    """What flap-coord --metrics tells; empty while there is nobody to ask."""

    def __init__(self, port):
        self.port = port
        self.joins = self.losses = 0
        self.tasks = {}  # host → the most that a worker there was seen to have ended
        self.phase, self.progress = None, 0.0

    def read(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=2) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError, OSError):
            return
        for name, labels, value in re.findall(r"^flap_(\w+)(?:\{(.*)\})? (\S+)$", text, flags=re.M):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            match name:
                case "worker_joins_total":
                    self.joins = int(float(value))
                case "worker_losses_total":
                    self.losses = int(float(value))
                case "phase_progress_ratio":
                    self.phase, self.progress = labels["phase"], float(value)
                case "worker_tasks_total":
                    host = labels["host"]
                    self.tasks[host] = max(self.tasks.get(host, 0), int(float(value)))

    def is_halfway(self, worker_count):
        """All workers are there and calibration has begun, but is far from its end."""
        self.read()
        return self.joins >= worker_count and self.phase == "calibration" and 0.1 <= self.progress < 0.6


class Run:
    """A running flap-coord; as a context it is gone at the end, whatever happens."""

    def __init__(self, folder, *arguments, environment=None, program=COORDINATOR):
        folder.mkdir(parents=True, exist_ok=True)
        self.metrics = Metrics(free_port())
        self.standard_output, self.standard_error = folder / "stdout", folder / "stderr"
        command = [program, *arguments, "--metrics", f"127.0.0.1:{self.metrics.port}"]
        with self.standard_output.open("w") as output, self.standard_error.open("w") as error:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=error,
                env={**os.environ, **(environment or {})},
            )  # fmt: skip
        self.started = time.monotonic()
        self.seconds = None
        # Of its own: ssh clients, local workers.
        self.helpers = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.helpers |= set(children(self.process.pid))
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(END_SECONDS)
        # What the program should end itself is looked at in the tests; here only no litter counts.
        deadline = time.monotonic() + 5
        while any(map(is_running, self.helpers)) and time.monotonic() < deadline:
            time.sleep(0.05)
        for helper in filter(is_running, self.helpers):
            os.kill(helper, signal.SIGKILL)

    @property
    def log(self):
        return self.standard_error.read_text(errors="replace")

    @property
    def is_over(self):
        self.helpers |= set(children(self.process.pid))
        return self.process.poll() is not None

    def wait_until(self, condition, seconds, what):
        """Polls until the condition is met; the run has to go on until then."""

        def check():
            is_over = self.is_over
            met = condition()
            assert met or not is_over, f"the run ended before: {what}\n{self.log[-2000:]}"
            return met

        return wait_until(check, seconds, what)

    def wait_halfway(self, worker_count):
        self.wait_until(lambda: self.metrics.is_halfway(worker_count), 60, "the middle of calibration")

    def end(self, seconds=90):
        """Waits; returns the exit code."""

        def check():
            is_over = self.is_over
            self.metrics.read()
            return is_over

        wait_until(check, seconds, f"the end of the run\n{self.log[-2000:]}")
        self.seconds = time.monotonic() - self.started
        return self.process.returncode

    def succeed(self, seconds=90):
        code = self.end(seconds)
        assert code == 0, f"exit code {code}\n{self.log[-3000:]}"

    def interrupt(self, signal_number):
        self.helpers |= set(children(self.process.pid))
        self.process.send_signal(signal_number)


def missing(*programs):
    """Why a test cannot run, if programs are missing; they may lie outside the user's PATH."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    absent = [program for program in programs if not shutil.which(program, path=path)]
    return f"missing: {', '.join(absent)}" if absent else None
