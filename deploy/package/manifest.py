"""Lists of files that can be compared and verified anywhere with sha256sum.

    version 0.1.0
    arch x86_64
    protocol 5
    SHA256  MODE  BYTES  PATH

One line per file, in the order of the paths' bytes; PATH is relative to the folder of the list, MODE
octal. There are two lists in a bundle: MANIFEST names all files but itself, WORKER what a host needs
that only works. The SHA-256 of WORKER is the identity of a worker's bundle.
"""

import hashlib


def header(version, architecture, protocol):
    return f"version {version}\narch {architecture}\nprotocol {protocol}\n"


def text(header, folder, paths):
    lines = [header]
    for path in sorted(paths, key=str.encode):
        status = (folder / path).stat()
        lines.append(f"{digest(folder / path)}  {status.st_mode & 0o777:o}  {status.st_size}  {path}\n")
    return "".join(lines)


def write_all(header, folder):
    """MANIFEST of all that the folder holds."""
    paths = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    (folder / "MANIFEST").write_text(text(header, folder, [path for path in paths if path != "MANIFEST"]))


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
