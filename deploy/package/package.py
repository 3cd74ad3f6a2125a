"""Makes the packages that deploy/package.sh speaks of. Needs Python's standard library alone, and of
Debian binutils, patchelf and dpkg."""

import argparse
import concurrent.futures
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

import debian
import elf
import licences
import manifest
import manual
import sbom
from trouble import Trouble

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ["flap-coord", "flap-worker"]
# Debian 12's; Ubuntu 24.04 has 2.39.
NEWEST_GLIBC = (2, 36)


def main():
    parser = argparse.ArgumentParser(
        prog="deploy/package.sh", description="Package a release build for hosts without Swift.", allow_abbrev=False)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / ".build/package", metavar="DIR", help="where the packages go (default: .build/package)")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / ".build/release", metavar="DIR", help="package the programs there, and build nothing")
    options = parser.parse_args()
    os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(prefix="flap-package.") as work:
            make(options.programs, options.output, pathlib.Path(work))
    except (Trouble, OSError) as trouble:
        sys.exit(f"package: {trouble}")


def make(programs, output, work):
    architecture = platform.machine()
    for name in PROGRAMS:
        check(programs / name, architecture)
    version = stated_version(programs)
    epoch = source_date()
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    name = f"flap-{version}-linux-{architecture}"
    bundle = work / name

    libraries = {program: elf.gather(programs / program, bundle) for program in PROGRAMS}
    glibc, where = elf.newest_glibc(bundle)
    if glibc > NEWEST_GLIBC:
        raise Trouble(
            f"{where} needs glibc {dotted(glibc)}, Debian 12 has {dotted(NEWEST_GLIBC)}: "
            "package on Debian 12, for example in the image that deploy/Containerfile builds in")
    share(programs, bundle, version, epoch)
    all_libraries = libraries["flap-coord"] | libraries["flap-worker"]
    components = licences.copy(ROOT, all_libraries, bundle / "share/doc/flap/licences")
    (bundle / "VERSION").write_text(f"{version}\n")
    header = manifest.header(version, architecture, protocol_version())
    worker = ["bin/flap-worker", *(f"lib/{library}" for library in libraries["flap-worker"])]
    (bundle / "WORKER").write_text(manifest.text(header, bundle, worker))
    manifest.write_all(header, bundle)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        # Compressing is most of the work.
        jobs = [
            pool.submit(archive, bundle, work, epoch),
            pool.submit(debian.package, bundle, work, version, architecture, glibc, epoch),
            pool.submit(sbom.write, work / f"{name}.spdx.json", bundle, version, epoch, components),
        ]
    made = [job.result() for job in jobs]
    sums = work / "SHA256SUMS"
    sums.write_text("".join(f"{manifest.digest(file)}  {file.name}\n" for file in made))
    output.mkdir(parents=True, exist_ok=True)
    for file in [*made, sums]:
        # Whole or not at all, also where the folder is on another disk.
        shutil.copyfile(file, output / f".{file.name}")
        os.replace(output / f".{file.name}", output / file.name)

    print(f"flap {version} for linux-{architecture}; the host needs glibc {dotted(glibc)} (for {where}) and nothing else")
    print(f"  all       {size(bundle, PROGRAMS, all_libraries)}")
    print(f"  a worker  {size(bundle, ['flap-worker'], libraries['flap-worker'])}, bundle {manifest.digest(bundle / 'WORKER')}")
    for file in made:
        print(f"{output / file.name}  {file.stat().st_size / 1e6:.1f} MB")


def check(program, architecture):
    if not program.is_file():
        raise Trouble(f"there is no {program}: build it with swift build -c release")
    machine = elf.machine(program)
    if machine != architecture:
        raise Trouble(f"{program} is for {machine}, this machine is {architecture}: package on a machine of its kind")


def stated_version(programs):
    """What the programs say of themselves (SoftwareVersion.current); both say the same."""
    versions = {}
    for name in PROGRAMS:
        result = subprocess.run([programs / name, "--version"], capture_output=True, text=True)
        if result.returncode != 0:
            raise Trouble(f"{programs / name} does not start here: {result.stderr.strip() or result.returncode}")
        versions[name] = result.stdout.strip()
    if len(set(versions.values())) != 1:
        told = ", ".join(f"{name} {version}" for name, version in versions.items())
        raise Trouble(f"{programs} has programs of different builds ({told}): build both again")
    return versions["flap-coord"]


def protocol_version():
    path = ROOT / "Sources/Coordination/Messages/WorkerMessage.swift"
    match = re.search(r"static let protocolVersion = (\d+)", path.read_text())
    if not match:
        raise Trouble(f"{path} names no protocolVersion")
    return int(match[1])


def source_date():
    """The last commit's time, so that the same sources give the same bytes."""
    if stated := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(stated)
    result = subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%ct"], capture_output=True, text=True)
    if result.returncode != 0:
        raise Trouble("no date: set SOURCE_DATE_EPOCH, or package from a git clone")
    return int(result.stdout)


def share(programs, bundle, version, epoch):
    """Manual pages, completions and units."""
    places = {
        "bash": "bash-completion/completions/{}",
        "zsh": "zsh/site-functions/_{}",
        "fish": "fish/vendor_completions.d/{}.fish",
    }
    for name in PROGRAMS:
        page = bundle / f"share/man/man1/{name}.1"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(manual.page(programs / name, version, epoch))
        for shell, place in places.items():
            script = bundle / "share" / place.format(name)
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text(subprocess.run(
                [programs / name, "--generate-completion-script", shell], check=True, capture_output=True, text=True).stdout)
    shutil.copytree(ROOT / "deploy/systemd", bundle / "share/flap/systemd", copy_function=shutil.copyfile)


def archive(bundle, work, epoch):
    path = work / f"{bundle.name}.tar.gz"
    with open(path, "wb") as file:
        tar = subprocess.Popen(
            ["tar", "--sort=name", f"--mtime=@{epoch}", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu",
             "-C", work, "-cf", "-", bundle.name], stdout=subprocess.PIPE)
        subprocess.run(["gzip", "-n"], stdin=tar.stdout, stdout=file, check=True)
        if tar.wait() != 0:
            raise Trouble(f"tar could not pack {bundle}")
    return path


def size(bundle, programs, libraries):
    files = [bundle / "bin" / name for name in programs] + [bundle / "lib" / name for name in libraries]
    return f"{sum(file.stat().st_size for file in files) / 1e6:.1f} MB unpacked, {len(libraries)} libraries"


def dotted(version):
    return ".".join(map(str, version))


if __name__ == "__main__":
    main()
