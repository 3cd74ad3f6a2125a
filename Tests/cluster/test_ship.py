"""Hosts that have nothing but ssh: flap-coord copies its worker there, and the model where it is asked to."""

import contextlib
import hashlib
import os
import pathlib
import pwd
import re
import shutil
import signal

import pytest
from bundles import Bundle, hidden_from_hosts
from cluster_programs import COORDINATOR, MODEL, ROOT, WORKER, Run, checksums, is_running, missing, options, wait_until

HOME = pathlib.Path(pwd.getpwuid(os.getuid()).pw_dir)
CACHE = HOME / ".cache/flap"


@pytest.fixture
def bare(network, tmp_path):
    """The hosts see neither this project, nor a Swift runtime, nor its other libraries; each has a home of its own."""
    assert not network.folder.is_relative_to(ROOT), "the tests' folders lie within what is hidden"
    folders, ours = hidden_from_hosts()
    folders.append(HOME)
    for host in network.hosts:
        for folder in folders:
            host.inside_mounts("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", folder)
        for library in ours:
            host.inside_mounts("mount", "--bind", "/dev/null", library)
        assert host.inside_mounts("ls", ROOT) == ""
    yield network.hosts
    for host in network.hosts:
        host.kill_sessions()
        for path in [*folders, *ours]:
            with contextlib.suppress(OSError):
                host.inside_mounts("umount", "-l", path)


@pytest.fixture(scope="session")
def packed(programs, tmp_path_factory):
    if reason := missing("patchelf", "dpkg-deb"):
        pytest.skip(f"{reason} (Debian: patchelf dpkg)")
    return Bundle.pack(tmp_path_factory.mktemp("packed"))


@pytest.fixture
def bundle(network, packed, tmp_path):
    """Seen by the coordinator alone."""
    folder = network.private / tmp_path.name / "bundle"
    shutil.copytree(packed.folder, folder)
    yield Bundle(folder)
    shutil.rmtree(folder)


@pytest.fixture
def start(network, reference, bundle, tmp_path):
    """Starts the bundle's flap-coord over all hosts; ended after the test."""
    runs = []

    def start(*more, hosts=None, model=MODEL, program=None):
        run = Run(
            tmp_path / f"log-{len(runs)}",
            *options(reference.tokens, output := network.private / tmp_path.name / f"out-{len(runs)}", model),
            "--workers", network.hosts_file(tmp_path / "hosts.txt", hosts), *network.ssh_options(),
            "--gather", "--listen", network.bridge, *more,
            program=program or bundle.coordinator,
        )  # fmt: skip
        run.output = output
        runs.append(run)
        return run

    yield start
    for run in runs:
        run.__exit__()


def place(bundle):
    return CACHE / f"worker-{bundle.identity[:16]}"


def files(host, folder):
    """Path → (bytes, time of the last change) of all that lies there on the host."""
    listing = host.inside_mounts("find", folder, "-type", "f", "-printf", "%P %s %T@\n")
    return {path: (int(size), time) for path, size, time in (line.rsplit(" ", 2) for line in listing.splitlines())}


def entries(host, folder):
    return host.inside_mounts("ls", "-A", folder).split()


def size(host, path):
    with contextlib.suppress(OSError):
        return int(host.inside_mounts("stat", "-c", "%s", path))
    return 0


def line_about(run, host):
    found = [line for line in run.log.splitlines() if line.strip().startswith(f"{host.address}: ")]
    assert len(found) == 1, run.log
    return found[0]


def copied(run, what):
    """MiB that went out, and that were there, as the log tells."""
    (line,) = re.findall(rf"^copying {what}: \d hosts?, (.*)$", run.log, flags=re.M)
    if line == "nothing to copy":
        return 0, None
    units = {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}
    sent, unit = re.match(r"([\d.]+) (\w+) in ", line).groups()
    there = re.search(r", ([\d.]+) (\w+) were there$", line)
    return float(sent) * units[unit], float(there[1]) * units[there[2]] if there else 0


def megabytes(count):
    return count / (1 << 20)


def test_hosts_without_any_of_our_files(network, bare, bundle, start, reference):
    """They get worker and model, and compute the run's bytes; a second run copies nothing."""
    first = start("--ship-model")
    first.succeed()
    assert checksums(first.output) == reference.checksums
    assert {host for host, count in first.metrics.tasks.items() if count > 0} == {host.name for host in bare}
    assert copied(first, "flap-worker")[0] == pytest.approx(3 * megabytes(bundle.byte_count), rel=0.01)
    before = {}
    for host in bare:
        # Not a lock, not a part of anything is left.
        assert entries(host, CACHE) == [place(bundle).name]
        before[host] = files(host, place(bundle)), files(host, MODEL)
        assert len(before[host][0]) == len(bundle.files) + 1
        for digest, mode, _, path in bundle.files:
            assert host.inside_mounts("sha256sum", place(bundle) / path).startswith(digest)
            assert host.inside_mounts("stat", "-c", "%a", place(bundle) / path).strip() == mode
        for path in before[host][1]:
            assert host.inside_mounts("sha256sum", MODEL / path).startswith(
                hashlib.sha256((MODEL / path).read_bytes()).hexdigest()
            )

    second = start("--ship-model")
    second.succeed()
    assert checksums(second.output) == reference.checksums
    assert copied(second, "flap-worker")[0] == 0
    assert "copying model" not in second.log
    assert {host: (files(host, place(bundle)), files(host, MODEL)) for host in bare} == before


def test_an_interrupted_copy_goes_on(network, bare, bundle, start, reference):
    """The coordinator is killed in the middle of the copy; the next one sends the rest."""
    partial = place(bundle).with_suffix(".partial")
    for host in bare:
        host.slow_down_arrivals()
    try:
        run = start("--ship-model")
        run.wait_until(lambda: all(size(host, partial) > 1 << 20 for host in bare), 30, "the middle of the copy")
        run.interrupt(signal.SIGKILL)
        run.end()
        wait_until(lambda: not network.sessions(), 15, "the end of what received")
    finally:
        for host in bare:
            host.speed_up()
    arrived = [size(host, partial) for host in bare]
    assert all(1 << 20 < count < bundle.byte_count for count in arrived), arrived
    assert all(entries(host, CACHE) == [partial.name] for host in bare)

    again = start("--ship-model")
    again.succeed()
    assert checksums(again.output) == reference.checksums
    sent, were_there = copied(again, "flap-worker")
    assert were_there == pytest.approx(megabytes(sum(arrived)), abs=0.1)
    assert sent == pytest.approx(megabytes(3 * bundle.byte_count - sum(arrived)), abs=0.1)
    assert all(entries(host, CACHE) == [place(bundle).name] for host in bare)


def test_a_killed_ssh_is_told_with_its_host(network, bare, bundle, start):
    host = bare[0]
    host.slow_down_arrivals()
    try:
        run = start(hosts=[f"{host.address} threads=1"])
        partial = place(bundle).with_suffix(".partial")
        run.wait_until(lambda: size(host, partial) > 1 << 20, 30, "the middle of the copy")
        (client,) = filter(is_running, run.helpers)
        os.kill(client, signal.SIGKILL)
        assert run.end(30) != 0
    finally:
        host.speed_up()
    assert "killed by signal 9" in line_about(run, host)
    assert not run.output.exists()


def test_hosts_that_cannot_take_it(network, bare, bundle, start):
    """No programs from the home, no room, nothing to be written: one line each, all at once."""
    for host, option in zip(bare, ("noexec", f"size={bundle.byte_count // 2}", "ro"), strict=True):
        host.inside_mounts("mount", "-o", f"remount,{option}", HOME)
    run = start()
    assert run.end(30) != 0
    for host, phrase in zip(bare, ("mounted noexec?", "MB are needed", "cannot be written"), strict=True):
        assert phrase in line_about(run, host)
    assert not run.output.exists()
    assert entries(bare[1], CACHE) == []


def test_another_place_may_be_named(network, bare, bundle, start, reference):
    """What --dry-run says would be copied is copied, into the folder that the line names."""
    for host in bare:
        host.inside_mounts("mount", "-o", "remount,noexec", HOME)
    lines = [f"{host.address} threads=1 env.XDG_CACHE_HOME={ROOT}/cache model={ROOT}/model" for host in bare]
    dry = start("--ship-model", "--dry-run", hosts=lines)
    dry.succeed()
    shown = dry.standard_output.read_text()
    assert f"flap-worker {bundle.version}" in shown
    assert f"{bare[2].address}:{ROOT}/model" in shown
    run = start("--ship-model", hosts=lines)
    run.succeed()
    assert checksums(run.output) == reference.checksums
    for host in bare:
        assert entries(host, ROOT / "cache/flap") == [place(bundle).name]


def test_bundles_that_do_not_fit(network, bare, bundle, start):
    """Of another machine, of another version: a line for each host, and nothing is written there."""
    genuine = bundle.list.read_text()
    for key, value, phrase in (
        ("arch", "riscv64", "which this bundle is not for"),
        ("version", "0.0.1", "is of version 0.0.1"),
        ("protocol", 1, "(protocol 1)"),
    ):
        bundle.list.write_text(genuine)
        bundle.pretend(key, value)
        run = start()
        assert run.end(30) != 0
        for host in bare:
            assert phrase in line_about(run, host)
            assert entries(host, HOME) == []
    (bundle.folder / "WORKER").write_text("version 1\n")
    run = start("--ship")
    assert run.end(30) != 0
    assert "line 2 is not as deploy/package.sh writes it" in run.log


def test_without_a_bundle_the_line_says_what_to_do(network, bare, bundle, start):
    run = start(program=COORDINATOR)
    assert run.end(30) != 0
    for host in bare:
        assert "is missing there" in line_about(run, host)
        assert "deploy/package.sh" in line_about(run, host)
    assert start("--ship", program=COORDINATOR).end(30) != 0
    run = start("--no-ship")
    assert run.end(30) != 0
    for host in bare:
        assert "install flap-worker there" in line_about(run, host)
        assert "deploy/package.sh" not in line_about(run, host)
        assert entries(host, HOME) == []
    # Whoever names a worker installs it; --ship copies it there all the same.
    run = start(hosts=[f"{bare[0].address} worker=/opt/none/flap-worker"])
    assert run.end(30) != 0
    assert "--ship copies it there" in line_about(run, bare[0])


def test_a_model_half_copied(network, bundle, start, reference, tmp_path):
    """One line with the file that is short; with --ship-model only the rest goes out."""
    folders = [host.folder / f"{tmp_path.name} model" for host in network.hosts]
    shard = max(MODEL.glob("*.safetensors"), key=lambda path: path.stat().st_size)
    content = shard.read_bytes()
    for folder in folders:
        shutil.copytree(MODEL, folder)
        (folder / shard.name).write_bytes(content[: len(content) // 2])
    lines = [
        f'{host.address} threads=1 worker={WORKER} model="{folder}"'
        for host, folder in zip(network.hosts, folders, strict=True)
    ]
    run = start(hosts=lines)
    assert run.end(30) != 0
    for host in network.hosts:
        assert shard.name in line_about(run, host)
        assert "--ship-model copies what is missing" in line_about(run, host)

    # One has the beginning under the name of a copy begun, one has another file of that name.
    (folders[1] / shard.name).rename(folders[1] / f"{shard.name}.partial")
    (folders[2] / shard.name).write_bytes(bytes(1000))
    run = start("--ship-model", hosts=lines)
    assert run.end(30) != 0
    assert "there is another file (1000 bytes" in line_about(run, network.hosts[2])
    sent, were_there = copied(run, "model")
    assert sent == pytest.approx(megabytes(len(content)), rel=0.05, abs=0.1)
    assert were_there == pytest.approx(sent, rel=0.05, abs=0.1)
    assert (folders[2] / shard.name).read_bytes() == bytes(1000)

    (folders[2] / shard.name).unlink()
    run = start("--ship-model", hosts=lines)
    run.succeed()
    assert checksums(run.output) == reference.checksums
    for folder in folders:
        assert (folder / shard.name).read_bytes() == content
        assert sorted(os.listdir(folder)) == sorted(os.listdir(MODEL))
