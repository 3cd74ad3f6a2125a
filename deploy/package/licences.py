"""Whose work is in a bundle, and under which terms."""

import dataclasses
import json
import pathlib
import re
import shutil
import subprocess

from trouble import Trouble

# What Package.resolved leaves out. BoringSSL and ICU are parts of swift-crypto and of Foundation, whose
# licence texts name them.
SWIFT_LICENCES = {
    "flyingfox": "MIT",
    "grdb.swift": "MIT",
    "swift-argument-parser": "Apache-2.0 WITH Swift-exception",
    "swift-asn1": "Apache-2.0",
    "swift-crypto": "Apache-2.0",
    "swift-log": "Apache-2.0",
    "swift-system": "Apache-2.0 WITH Swift-exception",
    "yams": "MIT",
}

# Debian's packages of which the programs take in headers.
HEADER_LICENCES = {"libxxhash-dev": "BSD-2-Clause"}


@dataclasses.dataclass
class Component:
    """A work of others, as far as it is in the bundle."""

    name: str
    version: str
    locator: str
    """purl, github.com/package-url/purl-spec"""
    licence: str | None
    """An SPDX expression; None where only the text tells."""
    comment: str
    libraries: list[str]
    """Files of lib/; none: linked into the programs."""


def copy(root, libraries, folder):
    """Copies all licence texts; returns the components.

    libraries: library → where it came from."""
    folder.mkdir(parents=True)
    shutil.copyfile(root / "LICENSE", folder / "flap.txt")
    return [*swift_packages(root, folder), *headers(folder), *shared_libraries(root, libraries, folder)]


def swift_packages(root, folder):
    """What is linked into the programs."""
    resolved = root / "Package.resolved"
    if not resolved.exists():
        raise Trouble(f"there is no {resolved}: build with swift build -c release first")
    components = []
    for pin in json.loads(resolved.read_text())["pins"]:
        name, version = pin["identity"], pin["state"].get("version", pin["state"]["revision"])
        location = re.sub(r"^https://|\.git$", "", pin["location"])
        checkout = root / ".build/checkouts" / pathlib.PurePath(location).name
        texts = sorted([*checkout.glob("LICENSE*"), *checkout.glob("NOTICE*")])
        if not texts:
            raise Trouble(f"{checkout} has no licence text: build with swift build -c release first")
        (folder / f"{name}.txt").write_text("\n".join(path.read_text() for path in texts))
        components.append(Component(name, version, f"pkg:swift/{location}@{version}", SWIFT_LICENCES.get(name), "", []))
    return components


def headers(folder):
    """What is compiled into the programs."""
    components = []
    for package, licence in HEADER_LICENCES.items():
        told = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version} ${Architecture}", package], capture_output=True, text=True)
        if told.returncode != 0:
            raise Trouble(f"{package} is not installed: run deploy/setup.sh first")
        version, architecture = told.stdout.split()
        components.append(debian_component(package, version, architecture, folder, licence, []))
    return components


def shared_libraries(root, libraries, folder):
    owners = debian_packages(libraries.values())
    by_package, swift = {}, []
    for library in sorted(libraries):
        if package := owners.get(libraries[library]):
            by_package.setdefault(package, []).append(library)
        else:
            swift.append(library)
    components = [swift_runtime(libraries, swift, folder)] if swift else []
    for (name, version, architecture), names in sorted(by_package.items()):
        components.append(debian_component(name, version, architecture, folder, None, names))
    return components


def debian_component(name, version, architecture, folder, licence, libraries):
    """Copies the package's copyright file, too."""
    copyright = pathlib.Path("/usr/share/doc") / name / "copyright"
    if not copyright.exists():
        raise Trouble(f"{name} has no {copyright}: apt-get install --reinstall {name}")
    shutil.copyfile(copyright, folder / f"{name}.txt")
    stated = sorted(set(re.findall(r"^License: *(\S.*)$", copyright.read_text(errors="replace"), re.M)))
    comment = f"{copyright} names: {', '.join(stated)}" if stated else ""
    locator = f"pkg:deb/{distribution()}/{name}@{version}?arch={architecture}"
    return Component(name, version, locator, licence, comment, libraries)


def debian_packages(paths):
    """File → (name, version, architecture) of the package that owns it, where one does."""
    # dpkg knows a file by the path that it was unpacked to, /lib or /usr/lib.
    spellings = {}
    for path in paths:
        real = str(path.resolve())
        for spelling in (real, real.removeprefix("/usr"), f"/usr{real}"):
            spellings[spelling] = path
    # It exits with 1 where a spelling is of no package.
    answer = subprocess.run(["dpkg-query", "-S", *spellings], capture_output=True, text=True).stdout
    names = {}
    for line in answer.splitlines():
        name, _, spelling = line.partition(": ")
        if spelling in spellings:
            names[spellings[spelling]] = name
    if not names:
        return {}
    states = subprocess.run(
        ["dpkg-query", "-W", "-f", "${binary:Package} ${Package} ${Version} ${Architecture}\n", *set(names.values())],
        capture_output=True, text=True, check=True).stdout
    packages = {words[0]: tuple(words[1:]) for words in map(str.split, states.splitlines())}
    return {path: packages[name] for path, name in names.items()}


def swift_runtime(libraries, names, folder):
    """Libraries that no package owns: those of the toolchain."""
    outside = [name for name in names if not re.match(r"lib(_?swift|_?Foundation|dispatch|BlocksRuntime)", name)]
    if outside:
        raise Trouble(f"{libraries[outside[0]]} is of no Debian package: its licence is unknown")
    # …/usr/lib/swift/linux/libswiftCore.so
    toolchain = libraries[names[0]].resolve().parents[3]
    licence = toolchain / "share/swift/LICENSE.txt"
    if not licence.exists():
        raise Trouble(f"there is no {licence}, the licence of the Swift runtime")
    shutil.copyfile(licence, folder / "swift.txt")
    told = subprocess.run([toolchain / "bin/swiftc", "--version"], capture_output=True, text=True).stdout
    version = re.search(r"Swift version (\S+)", told)
    if not version:
        raise Trouble(f"{toolchain}/bin/swiftc does not tell its version")
    return Component(
        "swift", version[1], f"pkg:github/swiftlang/swift@swift-{version[1]}-RELEASE",
        "Apache-2.0 WITH Swift-exception", "Runtime, Dispatch and Foundation with its ICU.", names)


def distribution():
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("ID="):
            return line[3:].strip('"')
    return "debian"
