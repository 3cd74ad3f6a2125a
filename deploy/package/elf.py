"""Programs and the shared libraries that they need."""

import pathlib
import re
import shutil
import struct
import subprocess

from trouble import Trouble

MACHINES = {62: "x86_64", 183: "aarch64"}
# glibc is the host's own: its parts fit each other, the kernel and the host's name services.
GLIBC = re.compile(r"(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util|anl|mvec))\.so\.\d+")


def machine(path):
    """The architecture that an ELF file is for."""
    head = path.read_bytes()[:20]
    if head[:4] != b"\x7fELF":
        raise Trouble(f"{path} is no ELF program")
    number = struct.unpack_from("<H", head, 18)[0]
    return MACHINES.get(number, f"machine {number}")


def gather(program, bundle):
    """Puts a program into bin/ and what it needs into lib/, stripped, looking for it there alone.

    Returns library → where it came from, of this program."""
    found = locations(program)
    libraries = {}

    def add(names):
        for name in names:
            if name in libraries or GLIBC.fullmatch(name):
                continue
            if name not in found:
                raise Trouble(f"{program} needs {name}, which is nowhere here")
            libraries[name] = found[name]
            add(needed(found[name]))

    add(needed(program))
    target = bundle / "bin" / program.name
    place(program, target, ["--strip-all"], 0o755)
    # DT_RPATH, not DT_RUNPATH: LD_LIBRARY_PATH, which clusters set to other versions, comes after it.
    run("patchelf", "--force-rpath", "--set-rpath", "$ORIGIN/../lib", target)
    for name, origin in libraries.items():
        target = bundle / "lib" / name
        if not target.exists():
            place(origin, target, ["--strip-unneeded"], 0o644)
            run("patchelf", "--force-rpath", "--set-rpath", "$ORIGIN", target)
    return libraries


def locations(program):
    """Library → file, as the loader finds them here."""
    found = {}
    for line in run("ldd", program).splitlines():
        if match := re.match(r"\s*(\S+) => (\S+)", line):
            if match[2] == "not":
                raise Trouble(f"{program} needs {match[1]}, which is nowhere here: build it on this machine")
            found[match[1]] = pathlib.Path(match[2])
    return found


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-dW", path))


def newest_glibc(bundle):
    """The newest version of glibc that a symbol of the bundle asks for, and who asks."""
    newest = ((0, 0), None)
    for path in sorted([*(bundle / "bin").iterdir(), *(bundle / "lib").iterdir()]):
        for version in re.findall(r"\bGLIBC_(\d+(?:\.\d+)+)", run("readelf", "-VW", path)):
            newest = max(newest, (tuple(map(int, version.split("."))), str(path.relative_to(bundle))))
    return newest


def place(origin, target, strip, mode):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(origin, target)
    run("strip", *strip, target)
    target.chmod(mode)


def run(*command):
    try:
        result = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise Trouble(f"there is no {command[0]}: apt-get install binutils patchelf libc-bin") from None
    if result.returncode != 0:
        raise Trouble(f"{' '.join(map(str, command))} failed: {result.stderr.strip()}")
    return result.stdout
