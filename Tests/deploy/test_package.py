"""deploy/package.sh: the packages run in an empty Debian 12, without Swift and without our libraries.

The empty Debian comes from debootstrap, as the super-user and from Debian's mirror, once; it is kept in .build.
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("FLAP_PROGRAMS", ROOT / ".build/release"))
MODEL = ROOT / "deploy/demo/model"
PRUNE = ["--quiet", "--calibration", "calibration.npy", "--ratio", "0.2", "--compute", "f32", "--local-workers", "2"]
sys.path.insert(0, str(ROOT / "deploy/package"))


def make(output, *arguments, **environment):
    return subprocess.run(
        [ROOT / "deploy/package.sh", "--programs", PROGRAMS, "--output", output, *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The folder that deploy/package.sh fills, and the bundle unpacked."""
    for program in ("flap-coord", "flap-worker"):
        if not (PROGRAMS / program).exists():
            pytest.skip(f"{PROGRAMS / program} is not built")
    for tool in ("patchelf", "dpkg-deb"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is missing")
    folder = tmp_path_factory.mktemp("packages")
    result = make(folder)
    assert result.returncode == 0, result.stderr
    print(result.stdout)
    return folder


@pytest.fixture(scope="module")
def bundle(packages, tmp_path_factory):
    (archive,) = packages.glob("*.tar.gz")
    folder = tmp_path_factory.mktemp("bundle")
    subprocess.run(["tar", "-xzf", archive, "-C", folder], check=True)
    (only,) = folder.iterdir()
    assert only.name == archive.name.removesuffix(".tar.gz")
    return only


# Contents


def entries(manifest):
    """(header, path → (digest, mode, bytes)) of MANIFEST or WORKER."""
    lines = manifest.read_text().splitlines()
    header = dict(line.split(" ") for line in lines[:3])
    files = {}
    for line in lines[3:]:
        digest, mode, size, path = line.split("  ")
        files[path] = (digest, mode, int(size))
    assert list(files) == sorted(files, key=str.encode), "in the order of the paths"
    return header, files


def measured(path):
    content = path.read_bytes()
    return hashlib.sha256(content).hexdigest(), f"{path.stat().st_mode & 0o777:o}", len(content)


def test_manifest_names_every_file(bundle):
    header, files = entries(bundle / "MANIFEST")
    version = subprocess.run([PROGRAMS / "flap-worker", "--version"], capture_output=True, text=True).stdout.strip()
    assert header["version"] == version == (bundle / "VERSION").read_text().strip()
    assert header["arch"] == os.uname().machine and bundle.name == f"flap-{version}-linux-{header['arch']}"
    stated = (ROOT / "Sources/Coordination/Messages/WorkerMessage.swift").read_text()
    assert f"protocolVersion = {header['protocol']}\n" in stated
    there = {str(path.relative_to(bundle)) for path in bundle.rglob("*") if not path.is_dir()}
    assert set(files) == there - {"MANIFEST"}
    assert all(measured(bundle / path) == entry for path, entry in files.items())


def test_worker_needs_no_more_than_its_part(bundle, tmp_path):
    """A folder with what WORKER names and nothing else starts; ICU, curl and Foundation are not among it."""
    header, files = entries(bundle / "WORKER")
    assert header == entries(bundle / "MANIFEST")[0]
    for path, entry in files.items():
        assert measured(bundle / path) == entry
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(bundle / path, tmp_path / path)
    assert {path.split("/")[0] for path in files} == {"bin", "lib"} and "bin/flap-worker" in files
    heavy = re.compile(r"lib/(lib_FoundationICU|libFoundation\.|libFoundationNetworking|libFoundationInter|libcurl|libsqlite)")
    assert not [path for path in files if heavy.match(path)]
    loaded = subprocess.run(
        [tmp_path / "bin/flap-worker", "--version"], env={"LD_TRACE_LOADED_OBJECTS": "1"}, capture_output=True, text=True).stdout
    check_origin(loaded, str(tmp_path))
    assert subprocess.run([tmp_path / "bin/flap-worker", "--version"]).returncode == 0


def check_origin(loaded, home):
    """All that the loader lists is of the bundle, but glibc."""
    paths = re.findall(r"=> (\S+)", loaded)
    assert len(paths) > 10, loaded
    for path in paths:
        name = pathlib.PurePath(path).name
        if not re.match(r"(libc|libm|libpthread|libresolv|libdl|librt|ld-linux.*)\.so", name):
            assert path.startswith(home) and ".." not in os.path.relpath(path, home), path


def test_other_versions_on_the_path_do_no_harm(bundle, tmp_path):
    """Clusters set LD_LIBRARY_PATH to what other programs need."""
    for library in (bundle / "lib").iterdir():
        (tmp_path / library.name).write_bytes(b"not this one")
    for program in ("flap-coord", "flap-worker"):
        result = subprocess.run(
            [bundle / "bin" / program, "--version"], env={"LD_LIBRARY_PATH": str(tmp_path)}, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr


def test_checksums(packages):
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=packages, check=True, capture_output=True)
    named = {line.split("  ")[1] for line in (packages / "SHA256SUMS").read_text().splitlines()}
    assert named == {path.name for path in packages.iterdir()} - {"SHA256SUMS"}


def test_bill_of_materials(packages, bundle):
    (path,) = packages.glob("*.spdx.json")
    document = json.loads(path.read_text())
    assert document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0"
    files = {file["fileName"]: file["checksums"][0]["checksumValue"] for file in document["files"]}
    assert files == {f"./lib/{library.name}": measured(library)[0] for library in (bundle / "lib").iterdir()}
    known = {"SPDXRef-DOCUMENT"} | {item["SPDXID"] for item in document["packages"] + document["files"]}
    assert len(known) == 1 + len(document["packages"]) + len(document["files"])
    contained = set()
    for relation in document["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= known
        if relation["relationshipType"] == "CONTAINS":
            contained.add(relation["relatedSpdxElement"])
    assert contained == {file["SPDXID"] for file in document["files"]}, "every library is somebody's"
    names = {package["name"] for package in document["packages"]}
    assert {"flap", "swift", "swift-crypto", "grdb.swift", "libxxhash-dev", "libzmq5", "libsodium23"} <= names
    for package in document["packages"]:
        assert package["versionInfo"]
        assert (bundle / f"share/doc/flap/licences/{package['name']}.txt").stat().st_size > 500, "its licence is there"


@pytest.mark.parametrize("program", ["flap-coord", "flap-worker"])
def test_manual_pages_say_what_the_help_says(bundle, program):
    page = bundle / f"share/man/man1/{program}.1"
    said = page.read_text().replace("\\-", "-")
    helps = [subprocess.run([PROGRAMS / program, "--help"], capture_output=True, text=True).stdout]
    for command in re.findall(r"^  ([a-z-]+)  ", helps[0].partition("SUBCOMMANDS:")[2], re.M):
        assert f'.SS "{command}"' in said
        helps.append(subprocess.run([PROGRAMS / program, command, "--help"], capture_output=True, text=True).stdout)
    for option in set(re.findall(r"^  (--[a-z-]+)", "\n".join(helps), re.M)):
        assert re.search(rf"\\fB{option}\\fR", said), option
    if shutil.which("mandoc"):
        assert subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True).stdout == ""


def test_two_runs_give_the_same_bytes(packages, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    result = make(tmp_path / "again", TMPDIR=str(tmp_path / "elsewhere"), LC_ALL="C", TZ="Asia/Kathmandu")
    assert result.returncode == 0, result.stderr
    assert {path.name: measured(path) for path in packages.iterdir()} == {
        path.name: measured(path) for path in (tmp_path / "again").iterdir()
    }


# In an empty Debian


@pytest.fixture(scope="session")
def pristine():
    """A Debian 12 with what is essential and nothing else."""
    if os.geteuid() != 0:
        pytest.skip("an empty Debian needs the super-user")
    if not shutil.which("debootstrap"):
        pytest.skip("debootstrap is missing")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody mount")
    folder = ROOT / ".build/debian-12"
    if not folder.exists():
        new = folder.with_name(f"debian-12.{os.getpid()}")
        result = subprocess.run(
            ["debootstrap", "--variant=minbase", "bookworm", new, "http://deb.debian.org/debian"],
            capture_output=True, text=True, timeout=900)
        if result.returncode != 0:
            shutil.rmtree(new, ignore_errors=True)
            pytest.skip(f"no Debian 12 from its mirror: {(result.stdout + result.stderr).strip().splitlines()[-1]}")
        new.rename(folder)
    return folder


@pytest.fixture
def debian(pristine, tmp_path):
    """A copy, with the demo's model in /srv and nothing of Swift or of our libraries."""
    root = tmp_path / "debian"
    subprocess.run(["cp", "-a", "--reflink=auto", pristine, root], check=True)
    shutil.copytree(MODEL, root / "srv", dirs_exist_ok=True)
    present = {path.name for path in root.rglob("*.so*")}
    assert not [name for name in present if re.match(r"lib(swift|Foundation|dispatch|zmq|protobuf-c|sodium|sqlite3)", name)]
    yield Debian(root)
    shutil.rmtree(root)


class Debian:
    def __init__(self, root):
        self.root = root

    def run(self, *command):
        """In the root, with /proc and /dev that end with the command."""
        script = 'mount --rbind /proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$0" "$@"'
        result = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, self.root, *command],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def prune(self, program):
        """What it makes of the bundled model."""
        arguments = [*PRUNE, "--model", "/srv", "--output", "/tmp/pruned"]
        arguments[arguments.index("calibration.npy")] = "/srv/calibration.npy"
        self.run(program, *arguments)
        return results(self.root / "tmp/pruned")

    def files(self):
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*")}


def results(folder):
    return {path.name: measured(path)[0] for path in folder.iterdir() if path.suffix in (".safetensors", ".json", ".py")}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What the build itself makes of the model."""
    output = tmp_path_factory.mktemp("expected") / "pruned"
    subprocess.run(
        [PROGRAMS / "flap-coord", *PRUNE, "--model", MODEL, "--output", output], cwd=MODEL, check=True, timeout=120)
    assert "model.safetensors" in results(output)
    return results(output)


def test_bundle_prunes_in_an_empty_debian(bundle, debian, expected):
    shutil.copytree(bundle, debian.root / "opt" / bundle.name)
    home = f"/opt/{bundle.name}"
    for program in ("flap-coord", "flap-worker"):
        check_origin(debian.run("env", "LD_TRACE_LOADED_OBJECTS=1", f"{home}/bin/{program}"), home)
    assert debian.prune(f"{home}/bin/flap-coord") == expected


def test_debian_package_installs_runs_and_leaves(packages, debian, expected):
    (package,) = packages.glob("*.deb")
    shutil.copy(package, debian.root / "srv/flap.deb")
    before = debian.files()
    debian.run("dpkg", "-i", "/srv/flap.deb")

    assert debian.run("flap-coord", "--version") == debian.run("flap-worker", "--version")
    assert debian.prune("flap-coord") == expected
    shutil.rmtree(debian.root / "tmp/pruned")
    _, files = entries(debian.root / "usr/lib/flap/MANIFEST")
    assert {"bin/flap-coord", "bin/flap-worker", "WORKER", "VERSION"} < set(files)
    assert all(measured(debian.root / "usr/lib/flap" / path) == entry for path, entry in files.items())
    new = debian.files() - before
    for program in ("flap-coord", "flap-worker"):
        assert f"usr/share/man/man1/{program}.1.gz" in new
        assert f"usr/share/bash-completion/completions/{program}" in new
        unit = (debian.root / f"usr/lib/systemd/system/{program}.service").read_text()
        assert f"ExecStart=/usr/bin/{program} " in unit and "deploy/" not in unit
    assert not [path for path in new if ".wants/" in path], "nothing is enabled"

    debian.run("dpkg", "-r", "flap")
    removed = debian.files()
    debian.run("dpkg", "-i", "/srv/flap.deb")
    debian.run("dpkg", "-P", "flap")
    for left in (removed, debian.files()):
        assert {path for path in left ^ before if not path.startswith(("var/lib/dpkg/", "var/log/"))} == set()
    listed = debian.run("dpkg-query", "-W", "-f", "${Package}\n").split()
    assert "flap" not in listed and "libc6" in listed


# What is refused


def programs_copied(folder):
    for program in ("flap-coord", "flap-worker"):
        shutil.copy(PROGRAMS / program, folder / program)
    return folder


def refusal(result, output):
    assert result.returncode != 0
    assert not output.exists(), "nothing is made"
    (line,) = result.stderr.splitlines()
    return line


def test_nothing_was_built(tmp_path):
    result = make(tmp_path / "out", "--programs", tmp_path)
    assert refusal(result, tmp_path / "out") == (
        f"package: there is no {tmp_path}/flap-coord: build it with swift build -c release")


def test_programs_of_another_architecture(packages, tmp_path):
    worker = programs_copied(tmp_path) / "flap-worker"
    with open(worker, "r+b") as file:
        file.seek(18)
        other = 183 if os.uname().machine == "x86_64" else 62
        file.write(struct.pack("<H", other))
    line = refusal(make(tmp_path / "out", "--programs", tmp_path), tmp_path / "out")
    name = {183: "aarch64", 62: "x86_64"}[other]
    assert line.startswith(f"package: {worker} is for {name}, this machine is {os.uname().machine}: ")


def test_programs_that_are_none(packages, tmp_path):
    (programs_copied(tmp_path) / "flap-coord").write_text("#!/bin/sh\n")
    line = refusal(make(tmp_path / "out", "--programs", tmp_path), tmp_path / "out")
    assert line == f"package: {tmp_path}/flap-coord is no ELF program"


def test_a_build_that_debian_12_could_not_run(packages, tmp_path, monkeypatch):
    import package
    from trouble import Trouble

    monkeypatch.setattr(package, "NEWEST_GLIBC", (2, 17))
    (tmp_path / "work").mkdir()
    with pytest.raises(Trouble, match=r"(bin|lib)/\S+ needs glibc 2\.\d+, Debian 12 has 2\.17: package on Debian 12"):
        package.make(PROGRAMS, tmp_path / "out", tmp_path / "work")
    assert not (tmp_path / "out").exists()
