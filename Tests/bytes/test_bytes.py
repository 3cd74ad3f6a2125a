"""Every byte of what the programs make is as it was recorded: what must not change them can be shown not to.

`bundled.json` is of the bundled model. `llama-mha.json` is of a larger one that lies in the folder `shared` beside
this repository (or where FLAP_SHARED points), elsewhere its tests are skipped; FLAP_BYTES_ALL=1 runs all of its cases
instead of the usual ones. FLAP_BUILD is the folder of other programs than this repository's .build/release.

Bits depend on the kernels that a CPU gets, so that each list has those that made it as its key; kernels without a list
are skipped. On such a machine, with a build that is known to be right:

    FLAP_BUILD=folder python Tests/bytes/test_bytes.py --record [model ...]

writes the lists of this machine's kernels anew, and the one that holds on every CPU, and leaves all others.
"""

import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from bytes_cases import ANY, cases  # noqa: E402
from bytes_workspace import COORDINATOR, MODELS, Workspace, kernels  # noqa: E402

ALL = os.environ.get("FLAP_BYTES_ALL") == "1"
ABOUT = (
    "Lists of SHA-256 by the kernels that computed: CPU level/engine of the matrix products/format of the products. "
    "'any': no kernel has a part in it. In a list: case → file → SHA-256, or 'refused' where the program refuses the "
    "options, or perplexities, as the program prints them. Written by test_bytes.py --record."
)


def file_of(model):
    return HERE / f"{model}.json"


def recorded(model):
    return json.loads(file_of(model).read_text()) if file_of(model).exists() else {}


def key_of(case):
    """Which list a case belongs to."""
    return ANY if case.compute == ANY else kernels(case.compute)


def made(space, case):
    """What a case makes now; the folder that it fills is gone afterwards."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=space.folder))
    try:
        return case.make(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def differences(expected, found):
    """One line per file that is not as recorded."""
    if not (isinstance(expected, dict) and isinstance(found, dict)):
        return [] if expected == found else [f"recorded: {summary(expected)}; now: {summary(found)}"]
    return [
        f"{name}: recorded {expected.get(name, 'no such file')}, now {found.get(name, 'no such file')}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]


def summary(record):
    return f"{len(record)} files" if isinstance(record, dict) else str(record)


# Recorded and made


ALL_CASES = [(name, case) for name, model in MODELS.items() for case in cases(Workspace(model, ""))]


@pytest.fixture(scope="session")
def spaces(tmp_path_factory):
    """A workspace per model, so that each calibrates once, with its cases by list and name."""
    found = {}
    for name, model in MODELS.items():
        space = Workspace(model, tmp_path_factory.mktemp(name))
        found[name] = space, {(case.compute, case.name): case for case in cases(space)}
    return found


def skip_where_not_to_be_run(model, case):
    if not COORDINATOR.exists():
        pytest.skip(f"{COORDINATOR.name} is not built")
    if not MODELS[model].folder.exists():
        pytest.skip(f"no model {model}")
    if model != "bundled" and not (ALL or case.is_default):
        pytest.skip(f"one of the many cases of {model}: FLAP_BYTES_ALL=1 runs them")
    if key_of(case) not in recorded(model):
        pytest.skip(
            f"nothing is recorded of {model} for the kernels {key_of(case)}: with a build that is known to be right, "
            f"FLAP_BUILD=folder python Tests/bytes/test_bytes.py --record {model}"
        )


@pytest.mark.parametrize("model, case", ALL_CASES, ids=[f"{m}-{c.compute}-{c.name}" for m, c in ALL_CASES])
def test_same_bytes(spaces, model, case):
    skip_where_not_to_be_run(model, case)
    space, by_name = spaces[model]
    records = recorded(model)[key_of(case)]
    name = case.same_as or case.name
    assert name in records, f"{model}, {key_of(case)}: nothing is recorded of '{name}'"
    found = made(space, by_name[case.compute, case.name])
    if lines := differences(records[name], found):
        where = f"{model}, {key_of(case)}, case '{case.name}'" + (f", as '{name}'" if case.same_as else "")
        pytest.fail("\n  ".join([f"{where}: other bytes than recorded", *lines]), pytrace=False)


@pytest.mark.parametrize("model", MODELS)
def test_every_list_is_of_the_cases_there_are(model):
    """Neither a case that nothing is recorded of nor a record that nothing is compared with."""
    for key, records in recorded(model).items():
        if key != "about":
            compute = key.rsplit("/")[-1]
            assert records.keys() == {
                case.name for name, case in ALL_CASES if (name, case.compute, case.same_as) == (model, compute, None)
            }


def test_lists_stay_small():
    assert all(path.stat().st_size < 200_000 for path in map(file_of, MODELS) if path.exists())


def test_differences_are_found():
    """The comparison can fail: another digest, a file that is missing, one that is new, another refusal."""
    assert differences({"a": "1", "b": "2"}, {"b": "2", "a": "1"}) == []
    assert differences({"a": "1", "b": "2"}, {"a": "3", "c": "4"}) == [
        "a: recorded 1, now 3",
        "b: recorded 2, now no such file",
        "c: recorded no such file, now 4",
    ]
    assert differences("refused", "refused") == []
    assert differences("refused", {"a": "1"}) == ["recorded: refused; now: 1 files"]
    assert differences({"a": "1"}, "refused") == ["recorded: 1 files; now: refused"]


# Recording


def record(model):
    """Writes a model's lists of this machine's kernels; those of other kernels stay."""
    lists = {}
    with tempfile.TemporaryDirectory() as folder:
        space = Workspace(MODELS[model], folder)
        for case in cases(space):
            if case.same_as is None:
                print(f"{model} {key_of(case)}: {case.name}", flush=True)
                lists.setdefault(key_of(case), {})[case.name] = made(space, case)
    everything = {**recorded(model), **lists, "about": ABOUT}
    file_of(model).write_text(json.dumps(everything, indent=0, sort_keys=True) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", nargs="*", choices=MODELS, required=True, metavar="model",
                        help=f"of which models: {', '.join(MODELS)} (default: all that are there)")  # fmt: skip
    wanted = parser.parse_args().record
    for model in wanted or [name for name, model in MODELS.items() if model.folder.exists()]:
        record(model)


if __name__ == "__main__":
    main()
