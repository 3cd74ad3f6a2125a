"""The bundle that deploy/package.sh makes of the build under test."""

import hashlib
import pathlib
import re
import subprocess
import tarfile

from cluster_programs import PROGRAMS, ROOT, WORKER


def libraries(program):
    """The shared libraries that a program loads here."""
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [pathlib.Path(path) for path in re.findall(r"=> (/\S+)", listing)]


def hidden_from_hosts():
    """What a host without any of our files lacks: folders, and libraries among those of the system."""
    found = libraries(WORKER)
    swift = next(path.parent for path in found if path.name == "libswiftCore.so")
    ours = [path.resolve() for path in found if re.match(r"lib(zmq|protobuf-c|pgm|norm|sodium)\b", path.name)]
    return [ROOT, swift], ours


class Bundle:
    def __init__(self, folder):
        """A bundle that lies there."""
        self.folder = folder
        self.list = folder / "WORKER"
        self.coordinator = folder / "bin/flap-coord"

    @staticmethod
    def pack(folder):
        subprocess.run(
            [ROOT / "deploy/package.sh", "--programs", PROGRAMS, "--output", folder],
            check=True, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as contents:
            contents.extractall(folder, filter="tar")
        (list_,) = folder.glob("*/WORKER")
        return Bundle(list_.parent)

    @property
    def identity(self):
        return hashlib.sha256(self.list.read_bytes()).hexdigest()

    @property
    def files(self):
        """(SHA-256, mode, bytes, path) of what a host gets besides the list."""
        return re.findall(r"^([0-9a-f]{64})  (\d+)  (\d+)  (\S+)$", self.list.read_text(), flags=re.M)

    @property
    def byte_count(self):
        return self.list.stat().st_size + sum(int(count) for _, _, count, _ in self.files)

    @property
    def version(self):
        return re.match(r"version (.*)", self.list.read_text())[1]

    def pretend(self, key, value):
        """The list says another version, architecture or protocol."""
        self.list.write_text(re.sub(rf"^{key} .*$", f"{key} {value}", self.list.read_text(), flags=re.M))
