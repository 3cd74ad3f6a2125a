"""The bundle as a Debian package: the same folder as /usr/lib/flap, and the rest where Debian has it."""

import email.utils
import gzip
import os
import pathlib
import shutil
import subprocess

import manifest

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Who packages says so as for Debian's own tools.
MAINTAINER = f"{os.environ.get('DEBFULLNAME', 'flap maintainers')} <{os.environ.get('DEBEMAIL', 'maintainers@flap.example')}>"
# Where the folders of share/ go.
PLACES = {
    "share/man": "usr/share/man",
    "share/bash-completion": "usr/share/bash-completion",
    "share/zsh/site-functions": "usr/share/zsh/vendor-completions",
    "share/fish": "usr/share/fish",
    "share/flap/systemd": "usr/lib/systemd/system",
    "share/doc/flap": "usr/share/doc/flap",
}


def package(bundle, work, version, architecture, glibc, epoch):
    """Writes flap_VERSION_ARCH.deb. It has no scripts: nothing is started, enabled or left behind."""
    root = work / "debian"
    home = root / "usr/lib/flap"
    shutil.copytree(bundle, home)
    for origin, place in PLACES.items():
        shutil.move(home / origin, root / place)
    shutil.rmtree(home / "share")
    manifest.write_all("".join((home / "MANIFEST").read_text().splitlines(keepends=True)[:3]), home)

    (root / "usr/bin").mkdir()
    for program in (home / "bin").iterdir():
        (root / "usr/bin" / program.name).symlink_to(f"../lib/flap/bin/{program.name}")
    for unit in (root / "usr/lib/systemd/system").iterdir():
        unit.write_text(adjusted(unit))
    for page in (root / "usr/share/man").rglob("*.1"):
        compress(page)
    documents = root / "usr/share/doc/flap"
    (documents / "copyright").write_text(copyright(documents / "licences"))
    changelog = documents / "changelog"
    changelog.write_text(
        f"flap ({version}) unstable; urgency=medium\n\n  * Version {version}.\n\n"
        f" -- {MAINTAINER}  {email.utils.formatdate(epoch)}\n")
    compress(changelog)
    overrides = root / "usr/share/lintian/overrides/flap"
    overrides.parent.mkdir(parents=True)
    overrides.write_text("# For hosts without them.\nflap: embedded-library *\n")

    debian = architecture_name(architecture)
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    control = root / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(f"""Package: flap
Version: {version}
Architecture: {debian}
Maintainer: {MAINTAINER}
Installed-Size: {sum(-(-path.stat().st_size // 1024) for path in files)}
Depends: libc6 (>= {'.'.join(map(str, glibc))})
Recommends: openssh-client
Section: science
Priority: optional
Description: distributed calibration and pruning of language models
 Removes whole attention heads and neurons from models of the LLaMA family,
 without retraining and without a GPU: flap-coord and any number of
 flap-worker, here and on other hosts. What they need of Swift and of other
 libraries is in /usr/lib/flap.
""")
    sums = sorted((str(path.relative_to(root)), path) for path in files)
    (control / "md5sums").write_text("".join(f"{md5(path)}  {name}\n" for name, path in sums))
    target = work / f"flap_{version}_{debian}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--threads-max=1", "-Zxz", "-z1", "--build", root, target],
        check=True, stdout=subprocess.DEVNULL)
    return target


def architecture_name(architecture):
    return ARCHITECTURES.get(architecture, architecture)


def adjusted(unit):
    """A unit with this package's paths; it is in its place already."""
    copying = f"cp deploy/systemd/{unit.name} /etc/systemd/system/; "
    return unit.read_text().replace(copying, "").replace("/usr/local/bin/", "/usr/bin/")


def compress(path):
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    path.unlink()


def md5(path):
    return subprocess.run(["md5sum", path], check=True, capture_output=True, text=True).stdout.split()[0]


def copyright(licences):
    names = "".join(f"  {path.name}\n" for path in sorted(pathlib.Path(licences).iterdir()))
    return f"""flap: distributed calibration and pruning of language models.

Copyright: the flap authors
Licence: Apache License 2.0, /usr/share/common-licenses/Apache-2.0.

Libraries of others are in /usr/lib/flap/lib and linked into the programs. Their
copyright notices and licences are in /usr/share/doc/flap/licences:

{names}"""
