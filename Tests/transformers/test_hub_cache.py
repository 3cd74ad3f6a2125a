"""Where a model named as on the hub is found: as huggingface_hub itself finds it."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from conftest import COORDINATOR, make_dense

COMMITS = {"main": "a" * 40, "v1": "b" * 40}
# Asked in a process of its own: huggingface_hub reads its variables when it is imported.
FIND = """
import sys, huggingface_hub
print(huggingface_hub.snapshot_download(sys.argv[1], revision=sys.argv[2], local_files_only=True))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A cache in each of the places, with two revisions of a model as `hf download` leaves them."""
    home = tmp_path_factory.mktemp("home")
    for number, place in enumerate(
        (".cache/huggingface/hub", "xdg/huggingface/hub", "hf/hub", "older", "newer")
    ):
        repository = home / place / "models--tiny--model"
        (repository / "refs").mkdir(parents=True)
        for revision, commit in COMMITS.items():
            (repository / "refs" / revision).write_text(commit)
            make_dense(repository / "blobs", "mha" if revision == "main" else "gqa")
            snapshot = repository / "snapshots" / commit
            snapshot.mkdir(parents=True)
            for file in (repository / "blobs").iterdir():
                if file.suffix in (".json", ".safetensors"):
                    blob = file.with_name(f"{number}-{revision}-{file.stem}")
                    shutil.move(file, blob)
                    (snapshot / file.name).symlink_to(os.path.relpath(blob, snapshot))
    return home


@pytest.mark.parametrize("revision", ["main", "v1", COMMITS["v1"]])
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"XDG_CACHE_HOME": "xdg"},
        {"HF_HOME": "hf", "XDG_CACHE_HOME": "xdg"},
        {"HF_HOME": "~/hf"},
        {"HUGGINGFACE_HUB_CACHE": "older", "HF_HOME": "hf"},
        {"HF_HUB_CACHE": "newer", "HUGGINGFACE_HUB_CACHE": "older", "HF_HOME": "hf"},
    ],
    ids=lambda variables: "+".join(variables) or "none",
)
def test_finds_what_the_hub_finds(home, variables, revision):
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "HUGGINGFACE_", "XDG_"))
    } | {"HOME": str(home), "HF_HUB_OFFLINE": "1"}
    environment |= {
        name: place if place.startswith("~") else str(home / place)
        for name, place in variables.items()
    }

    def run(*command):
        result = subprocess.run(
            command, env=environment, cwd=home, capture_output=True, text=True, timeout=120
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    expected = run(sys.executable, "-c", FIND, "tiny/model", revision).strip()
    by_path = json.loads(run(COORDINATOR, "inspect", expected, "--json"))
    by_name = json.loads(run(COORDINATOR, "inspect", f"tiny/model@{revision}", "--json"))
    assert by_name == by_path
    wanted = COMMITS.get(revision, revision)
    assert expected.endswith(wanted)
