"""The files of deploy/ agree with each other, with their formats and with the programs' options.

Offline: no cluster, no registry, no daemon. The schemas of Kubernetes come with kubernetes-validate.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PROGRAMS = pathlib.Path(os.environ.get("FLAP_PROGRAMS", ROOT / ".build/release"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MANIFESTS = sorted(set((DEPLOY / "kubernetes").glob("*.yaml")) - {DEPLOY / "kubernetes/kustomization.yaml"})


def documents():
    """All resources, by kind and name."""
    found = {}
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text()):
            found[document["kind"], document["metadata"]["name"]] = document
    return found


RESOURCES = documents()
JOBS = {name: job for (kind, name), job in RESOURCES.items() if kind == "Job"}


def pod(job):
    return job["spec"]["template"]["spec"]


def container(job):
    (only,) = pod(job)["containers"]
    return only


# Usage


@pytest.mark.parametrize(
    "path",
    [*UNITS, *MANIFESTS, DEPLOY / "kubernetes/kustomization.yaml", DEPLOY / "flap.sbatch", DEPLOY / "Containerfile"],
    ids=lambda path: path.name,
)
def test_begins_with_three_steps(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#!")]
    head = [line for line in lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]]
    steps = [match[1] for line in head if (match := re.match(r"# (\d)\. ", line))]
    assert steps == ["1", "2", "3"]


# Kubernetes


@pytest.mark.parametrize("version", ["1.29.0", "1.32.0", None], ids=["1.29", "1.32", "latest"])
@pytest.mark.parametrize("resource", RESOURCES, ids="/".join)
def test_manifest_fits_the_schema(resource, version):
    validate = pytest.importorskip("kubernetes_validate")  # kubernetes-validate 1.37.0
    version = version or validate.latest_version()
    validate.validate(RESOURCES[resource], desired_version=version, strict=True)


def test_schema_would_object():
    """The check above can fail: an unknown key and a wrong type are found."""
    validate = pytest.importorskip("kubernetes_validate")
    for key, value in (("completion", 4), ("completions", "four")):
        job = yaml.safe_load(yaml.safe_dump(JOBS["flap-worker"]))
        job["spec"][key] = value
        with pytest.raises(validate.ValidationError):
            validate.validate(job, desired_version=validate.latest_version(), strict=True)


def test_kustomization_names_every_manifest():
    kustomization = yaml.safe_load((DEPLOY / "kubernetes/kustomization.yaml").read_text())
    assert kustomization["apiVersion"] == "kustomize.config.k8s.io/v1beta1"
    assert sorted(kustomization["resources"]) == [path.name for path in MANIFESTS]
    images = {image["name"] for image in kustomization["images"]}
    assert images == {container(job)["image"] for job in JOBS.values()}


def test_no_namespace_is_assumed():
    for resource in RESOURCES.values():
        assert "namespace" not in resource["metadata"]


def test_service_leads_to_the_coordinator_alone():
    service = RESOURCES["Service", "flap-coord"]["spec"]
    assert service["clusterIP"] == "None"
    reached = [
        name
        for name, job in JOBS.items()
        if service["selector"].items() <= job["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert reached == ["flap-coord"]
    (port,) = service["ports"]
    ports = {p["name"]: p["containerPort"] for p in container(JOBS["flap-coord"])["ports"]}
    assert ports[port["targetPort"]] == port["port"]


def test_coordinator_listens_where_the_service_leads():
    arguments = dict(argument.split("=", 1) for argument in container(JOBS["flap-coord"])["args"] if "=" in argument)
    ports = {p["name"]: p["containerPort"] for p in container(JOBS["flap-coord"])["ports"]}
    assert arguments["--listen"] == f"$(POD_IP):{ports['flap']}"
    assert arguments["--metrics"] == f"$(POD_IP):{ports['metrics']}"
    # The keys' endpoint, as the instructions say it.
    text = (DEPLOY / "kubernetes/kustomization.yaml").read_text()
    assert f"--endpoint tcp://flap-coord:{ports['flap']}" in text


def test_variables_are_set():
    for job in JOBS.values():
        defined = {variable["name"] for variable in container(job)["env"]}
        used = set(re.findall(r"\$\((\w+)\)", " ".join(container(job)["args"])))
        assert used == defined


def test_secret_is_the_one_of_the_instructions():
    text = (DEPLOY / "kubernetes/kustomization.yaml").read_text()
    (created,) = re.findall(r"kubectl create secret generic (\S+) ((?:--from-file=\S+ ?)+)", text)
    files = set(re.findall(r"--from-file=(\S+)", created[1]))
    mounted = set()
    for job in JOBS.values():
        volumes = {volume["name"]: volume for volume in pod(job)["volumes"]}
        secret = volumes["keys"]["secret"]
        assert secret["secretName"] == created[0]
        assert secret["defaultMode"] & 0o037 == 0, "nobody else reads or writes a key"
        mount = next(m for m in container(job)["volumeMounts"] if m["name"] == "keys")
        # Each side sees its own file and no other.
        (item,) = secret["items"]
        mounted.add(item["key"])
        assert f"{mount['mountPath']}/{item['path']}" in " ".join(container(job)["args"])
    assert mounted == files


def test_volumes_are_declared_claimed_and_mounted():
    claims = {name for kind, name in RESOURCES if kind == "PersistentVolumeClaim"}
    used = set()
    for job in JOBS.values():
        volumes = {volume["name"]: volume for volume in pod(job)["volumes"]}
        assert set(volumes) == {mount["name"] for mount in container(job)["volumeMounts"]}
        used |= {v["persistentVolumeClaim"]["claimName"] for v in volumes.values() if "persistentVolumeClaim" in v}
        # Every path among the arguments lies on a volume.
        mounts = [mount["mountPath"] for mount in container(job)["volumeMounts"]]
        for path in re.findall(r"=(/\S+)", "\n".join(container(job)["args"])):
            assert any(path.startswith(mount + "/") for mount in mounts), path
    assert used == claims


@pytest.mark.parametrize("name", JOBS)
def test_pods_are_confined(name):
    spec = pod(JOBS[name])
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(JOBS[name])["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    resources = container(JOBS[name])["resources"]
    assert "memory" in resources["limits"] and {"cpu", "memory"} <= set(resources["requests"])


def test_exit_codes_decide_who_is_started_again():
    for name, fatal in (("flap-coord", [64]), ("flap-worker", [3, 64])):
        spec = JOBS[name]["spec"]
        assert pod(JOBS[name])["restartPolicy"] == "Never"  # what podFailurePolicy asks for
        fail, *ignored = spec["podFailurePolicy"]["rules"]
        assert fail["action"] == "FailJob" and fail["onExitCodes"]["values"] == fatal
        assert fail["onExitCodes"]["containerName"] == name
        assert all(rule["action"] == "Ignore" for rule in ignored)
        # A worker that was asked to leave ends with 4; a coordinator is always wanted again.
        left = [code for rule in ignored for code in rule.get("onExitCodes", {}).get("values", [])]
        assert left == ([4] if name == "flap-worker" else [])
    worker = JOBS["flap-worker"]["spec"]
    assert worker["completionMode"] == "Indexed" and worker["completions"] == worker["parallelism"]
    unit = (DEPLOY / "systemd/flap-worker.service").read_text()
    assert "RestartPreventExitStatus=3 64\n" in unit
    assert "SuccessExitStatus=4\n" in unit


# Options


def used_options():
    """(file, program, option) of everything that calls one of the programs."""
    commands = []
    for job in JOBS.values():
        commands.append((f"kubernetes/{job['metadata']['name']}", container(job)["command"] + container(job)["args"]))
    texts = {path.name: path for path in [*UNITS, *MANIFESTS, DEPLOY / "flap.sbatch", DEPLOY / "hosts.example"]}
    texts["kustomization.yaml"] = DEPLOY / "kubernetes/kustomization.yaml"
    texts["Containerfile"] = DEPLOY / "Containerfile"
    for name, path in texts.items():
        # Continued lines as one; comments hold commands, too.
        text = re.sub(r"\\\n#?", " ", path.read_text())
        for line in text.splitlines():
            for match in re.finditer(r"(?:^|[\s/])(flap-coord|flap-worker)[\"}]*( .*)", line):
                arguments = re.split(r";|&&", match[2])[0]
                commands.append((name, [match[1], *arguments.split()]))
        for match in re.finditer(r"(FLAP_COORD|FLAP_RUN|FLAP_WORKER_OPTIONS)[^\n]*?((?: |\")--.*)", text):
            program = "flap-worker" if "WORKER" in match[1] else "flap-coord"
            commands.append((name, [program, *match[2].split()]))
        # What the files tell their reader to add.
        for option in re.findall(r"\b(?:add|with) (--[a-z-]+)", text):
            if "kubectl" not in text.split(option)[1].split("\n")[0]:
                commands.append((name, ["flap-coord", option]))
    found = set()
    for name, words in commands:
        program = pathlib.PurePath(words[0]).name
        for word in words[1:]:
            if match := re.match(r"[\"(\[]?(--[a-z][a-z-]*)", word):
                found.add((name, program, match[1]))
    return sorted(found)


OPTIONS = used_options()


def test_options_are_found():
    """The search for options finds what is there."""
    assert ("kubernetes/flap-coord", "flap-coord", "--key-file") in OPTIONS
    assert ("kubernetes/flap-worker", "flap-worker", "--connect-file") in OPTIONS
    assert ("flap-coord.service", "flap-coord", "--listen") in OPTIONS
    assert ("flap-coord.service", "flap-coord", "--calibration") in OPTIONS
    assert ("flap-worker.service", "flap-worker", "--threads") in OPTIONS
    assert ("flap.sbatch", "flap-coord", "--launcher") in OPTIONS
    assert ("flap.sbatch", "flap-coord", "--gather") in OPTIONS


@pytest.fixture(scope="module")
def known_options():
    """Program → all options that its help names, those of subcommands included."""
    known = {}
    for program, subcommands in (("flap-coord", ["", "prune", "keys"]), ("flap-worker", [""])):
        path = PROGRAMS / program
        if not path.exists():
            pytest.skip(f"{path} is not built")
        text = ""
        for subcommand in subcommands:
            command = [path, *subcommand.split(), "--help"]
            text += subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
        known[program] = set(re.findall(r"--[a-z][a-z-]*", text)) | {"--help"}
    return known


@pytest.mark.parametrize("file, program, option", OPTIONS, ids=lambda value: str(value))
def test_option_exists(known_options, file, program, option):
    assert option in known_options[program], f"{file} uses {program} {option}"


# systemd


def unit_settings(path):
    settings = {}
    for line in path.read_text().splitlines():
        if match := re.match(r"(\w+)=(.*)", line):
            settings.setdefault(match[1], []).append(match[2])
    return settings


@pytest.fixture
def installed_unit(tmp_path):
    """Makes a copy of a unit whose program exists."""

    def install(unit):
        program = tmp_path / unit.stem
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text().replace(f"/usr/local/bin/{unit.stem}", str(program)))
        return copy

    return install


def analyze(*arguments):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is missing (Debian: systemd)")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_the_unit(unit, installed_unit):
    result = analyze("verify", "--man=no", "--recursive-errors=no", str(installed_unit(unit)))
    assert (result.returncode, result.stderr) == (0, "")


def test_systemd_would_object(installed_unit):
    unit = installed_unit(DEPLOY / "systemd/flap-worker.service")
    unit.write_text(unit.read_text().replace("Restart=on-failure", "Restart=on-falure"))
    result = analyze("verify", "--man=no", "--recursive-errors=no", str(unit))
    assert "on-falure" in result.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_is_confined(unit, installed_unit):
    # Of 100 (a unit without any protection has 96); a service with network and a writable folder keeps some.
    result = analyze("security", "--offline=true", "--threshold=20", str(installed_unit(unit)))
    assert result.returncode == 0, result.stdout[-300:]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_starts_again_what_may_succeed(unit):
    settings = unit_settings(unit)
    assert settings["Restart"] == ["on-failure"]
    assert "64" in settings["RestartPreventExitStatus"][0].split()
    assert settings["User"] == ["flap"]
    # The key is no argument, no variable, and none of the user's files.
    (credential,) = settings["LoadCredential"]
    name, source = credential.split(":")
    (start,) = settings["ExecStart"]
    assert f"%d/{name}" in shlex.split(start)
    assert source in unit.read_text().split("[Unit]")[0]
    # Every variable is told about in the first lines.
    for variable in re.findall(r"\$\{?(\w+)", start):
        assert f"{variable}=" in unit.read_text().split("[Unit]")[0]
    (environment,) = settings["EnvironmentFile"]
    assert environment in unit.read_text().split("[Unit]")[0]


# Slurm


def test_batch_script():
    path = DEPLOY / "flap.sbatch"
    subprocess.run(["bash", "-n", path], check=True, timeout=10)
    lines = path.read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    directives = [line for line in lines if line.startswith("#SBATCH")]
    options = dict(re.fullmatch(r"#SBATCH --([a-z-]+)(?:=(\S+))?", line).groups() for line in directives)
    assert len(options) == len(directives), "no option twice"
    assert {"nodes", "ntasks-per-node", "cpus-per-task", "time", "requeue", "output"} <= set(options)
    assert options["ntasks-per-node"] == "1"
    # sbatch stops reading at the first command.
    first_command = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert not any(line.startswith("#SBATCH") for line in lines[first_command:])


def test_batch_script_calls_the_coordinator(tmp_path):
    """What flap-coord is called with, blanks and a subcommand kept."""
    program = tmp_path / "flap-coord"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    arguments = ["calibrate", "--model", "a b"]
    for environment in ({"PATH": f"{tmp_path}:{os.environ['PATH']}"}, {"FLAP_COORD": str(program)}):
        result = subprocess.run(
            ["bash", DEPLOY / "flap.sbatch", *arguments],
            env={**os.environ, **environment}, capture_output=True, text=True, timeout=10, check=True,
        )
        assert result.stdout.splitlines() == [*arguments, "--launcher", "slurm", "--resume"]


# Container


def instructions():
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Containerfile").read_text(), flags=re.M)
    text = re.sub(r"\\\n", " ", text)
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def test_container_file_parses():
    known = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "STOPSIGNAL", "CMD"}
    assert {name for name, _ in instructions()} <= known
    assert instructions()[0][0] == "FROM"
    for name, value in instructions():
        if name == "RUN":
            subprocess.run(["bash", "-n", "-c", value], check=True, timeout=10)


def test_container_copies_what_is_there():
    stages, current = {}, None
    for name, value in instructions():
        if name == "FROM":
            image, *alias = value.split(" AS ")
            assert ":" in image, "a version is named"
            current = alias[0] if alias else "final"
            stages[current] = []
        if name == "COPY":
            words = value.split()
            source = next((w.split("=")[1] for w in words if w.startswith("--from=")), None)
            paths = [word for word in words[:-1] if not word.startswith("--")]
            stages[current].append((source, paths))
    for source, paths in stages["build"]:
        assert source is None
        assert all((ROOT / path).exists() for path in paths)
    ((source, paths),) = stages["final"]
    assert source == "build"
    assert {pathlib.PurePath(path).name for path in paths} == {"flap-coord", "flap-worker"}


def test_container_runs_as_the_user_of_the_pods():
    users = [value for name, value in instructions() if name == "USER"]
    contexts = [pod(job)["securityContext"] for job in JOBS.values()]
    assert users == [f"{context['runAsUser']}:{context['runAsGroup']}" for context in contexts[:1]]
    assert contexts[0] == contexts[1]


def test_container_has_the_libraries_that_the_programs_need():
    """Each -dev package of the build has its library in the image that runs."""
    runs = [value for name, value in instructions() if name == "RUN"]
    built, installed = runs[0].split(), runs[-1].split()
    libraries = {
        "libzmq3-dev": "libzmq5",
        "libprotobuf-c-dev": "libprotobuf-c1",
        "libsqlite3-dev": "libsqlite3-0",
        "zlib1g-dev": "zlib1g",
        "libzstd-dev": "libzstd1",
        "liblzma-dev": "liblzma5",
        "liblz4-dev": "liblz4-1",
        "libsnappy-dev": "libsnappy1v5",
    }
    # Of xxHash the programs take in the header alone.
    headers = {"libxxhash-dev"}
    assert {word for word in built if word.endswith("-dev")} == set(libraries) | headers
    assert set(libraries.values()) <= set(installed)
    # What setup.sh installs for a build, the container's build has.
    (packages,) = re.findall(r"packages=\(([^)]*)\)", (DEPLOY / "setup.sh").read_text())
    assert set(packages.split()) <= set(built) | {"openssh-client"}


# Hosts file


def test_hosts_example_uses_the_keys_there_are():
    text = (DEPLOY / "hosts.example").read_text()
    (keys,) = re.findall(r'static let keys = "(.*)"', (ROOT / "Sources/Launching/HostLine.swift").read_text())
    keys = {key.split(".")[0] for key in keys.split(", ")}
    explained = {re.match(r"# (\w+)(?:\.\*)? ", line)[1] for line in text.splitlines() if re.match(r"# \w+(\.\*)?  +", line)}
    assert explained == keys
    used = set()
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        used |= {word.split("=")[0].split(".")[0] for word in words[1:]}
        for word in words[1:]:
            key, value = word.split("=", 1)
            assert value.startswith("/") or key not in ("worker", "model")
    assert used == keys


def test_hosts_example_is_read(known_options, tmp_path):
    """The coordinator itself reads it: a dry run names the hosts and starts nothing."""
    model = DEPLOY / "demo/model"
    result = subprocess.run(
        [PROGRAMS / "flap-coord", "--model", model, "--calibration", model / "calibration.npy", "--ratio", "0.2",
         "--output", tmp_path / "out", "--workers", DEPLOY / "hosts.example", "--dry-run", "--listen", "127.0.0.1"],
        capture_output=True, text=True, timeout=60,
    )
    assert result.returncode == 0, result.stderr
    for host in ("node01", "node04", "big.example.org:2222", "10.0.0.7", "2001:db8::7"):
        assert host in result.stdout + result.stderr
    assert not (tmp_path / "out").exists()
