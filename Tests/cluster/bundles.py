"""A bundle as deploy/package.sh lays it out, made from the build under test: programs, libraries, the list WORKER."""

import hashlib
import json
import pathlib
import re
import shutil
import subprocess

from cluster_programs import COORDINATOR, MODEL, WORKER

# Of glibc: every host has its own.
SYSTEM_LIBRARIES = re.compile(r"(ld-linux|lib(c|m|dl|rt|pthread|resolv|anl|util|nss_\w+)\.so)")

# Finds the libraries beside it, as the RPATH of a packaged worker does.
WRAPPER = """#!/bin/sh
here=$(cd "${0%/*}" && pwd)
LD_LIBRARY_PATH="$here/../lib" exec "$here/../libexec/flap-worker" "$@"
"""


def libraries(program):
    """The shared libraries that a program loads, but for those of glibc."""
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    paths = [pathlib.Path(path) for path in re.findall(r"=> (/\S+)", listing)]
    return [path for path in paths if not SYSTEM_LIBRARIES.match(path.name)]


def versions():
    """Software and protocol of the build, as its worker tells them."""
    output = subprocess.run(
        [WORKER, "--preflight", "--connect", "tcp://127.0.0.1:1", "--model", MODEL],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    ).stdout  # fmt: skip
    report = json.loads(output.partition("flap-preflight ")[2])
    return report["softwareVersion"], report["protocolVersion"]


class Bundle:
    def __init__(self, folder):
        self.folder = folder
        for name in ("bin", "lib", "libexec"):
            (folder / name).mkdir(parents=True)
        shutil.copy(WORKER, folder / "libexec/flap-worker")
        (folder / "bin/flap-worker").write_text(WRAPPER)
        (folder / "bin/flap-worker").chmod(0o755)
        for library in libraries(WORKER):
            shutil.copy(library, folder / "lib" / library.name)
        self.version, self.protocol = versions()
        self.architecture = subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout.strip()
        self.write_list()
        # No part of what hosts get.
        shutil.copy(COORDINATOR, folder / "bin/flap-coord")

    @property
    def coordinator(self):
        return self.folder / "bin/flap-coord"

    @property
    def list(self):
        return self.folder / "WORKER"

    def write_list(self, **changes):
        facts = {"version": self.version, "arch": self.architecture, "protocol": self.protocol, **changes}
        lines = [f"{key} {value}" for key, value in facts.items()]
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            if path != self.list and path.name != "flap-coord":
                content = path.read_bytes()
                digest = hashlib.sha256(content).hexdigest()
                lines.append(f"{digest}  {path.stat().st_mode & 0o777:o}  {len(content)}  {path.relative_to(self.folder)}")
        self.list.write_text("".join(f"{line}\n" for line in lines))

    @property
    def identity(self):
        return hashlib.sha256(self.list.read_bytes()).hexdigest()

    @property
    def byte_count(self):
        listed = re.findall(r"^[0-9a-f]{64}  \d+  (\d+)  ", self.list.read_text(), flags=re.M)
        return self.list.stat().st_size + sum(map(int, listed))
