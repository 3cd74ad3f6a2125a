"""`eval --tasks` against lm-evaluation-harness: the same answers to 200 made-up questions in each of the
forms of its seven usual tasks (forms.py), of the bundled model dense, pruned with code of its own and
pruned alike in every layer. The harness computes with transformers in f32, through its command line."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from forms import TASKS, write

ROOT = pathlib.Path(__file__).resolve().parents[2]
COORDINATOR = pathlib.Path(os.environ.get("FLAP_COORD", ROOT / ".build/release/flap-coord"))
MODEL = ROOT / "deploy/demo/model"
QUESTIONS = 200
# Log-likelihoods are sums of up to some ten f32 logits of about 20: products and sums in another order
# differ by 1e-6 of these, a hundredfold grown through the layers.
TOLERANCE = 1e-3
METRICS = ("acc", "acc_norm", "acc_bytes")
MODELS = {
    "dense": None,
    "pruned": ["--ratio", 0.3],
    "uniform": ["--ratio", 0.3, "--structure", "UL-UM", "--uniform"],
}
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


def run(*command, **options):
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=900,
        env=os.environ | OFFLINE, **options)  # fmt: skip
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout


@pytest.fixture(scope="session")
def tasks(tmp_path_factory):
    """The folder of the tasks' definitions."""
    folder = tmp_path_factory.mktemp("tasks")
    write(folder, QUESTIONS)
    return folder


@pytest.fixture(scope="session")
def questions(tasks):
    """The same tasks as lines."""
    path = tasks / "questions.jsonl"
    names = [f"own_{name}" for name in TASKS]
    run(sys.executable, ROOT / "deploy/tasks.py", *names, "--include-path", tasks, "--output", path)
    return path


@pytest.fixture(scope="session", params=MODELS)
def model(request, tmp_path_factory):
    options = MODELS[request.param]
    if options is None:
        return MODEL
    folder = tmp_path_factory.mktemp(request.param) / "model"
    run(COORDINATOR, "--model", MODEL, "--calibration", MODEL / "calibration.npy", "--samples", 64,
        *options, "--output", folder, "--quiet")  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def harness(model, tasks, tmp_path_factory):
    """The harness' figures by task, and log-likelihoods by task and question."""
    folder = tmp_path_factory.mktemp("harness")
    run(pathlib.Path(sys.executable).parent / "lm_eval", "--model", "hf", "--model_args",
        f"pretrained={model},trust_remote_code=True,dtype=float32", "--tasks",
        ",".join(f"own_{name}" for name in TASKS), "--include_path", tasks, "--device", "cpu",
        "--batch_size", 64, "--output_path", folder, "--log_samples")  # fmt: skip
    (results,) = folder.glob("**/results_*.json")
    figures = json.loads(results.read_text())["results"]
    samples = {}
    for path in folder.glob("**/samples_own_*.jsonl"):
        for line in path.read_text().splitlines():
            sample = json.loads(line)
            name = path.name.removeprefix("samples_").rsplit("_", 1)[0]
            samples[name, str(sample["doc_id"])] = [
                (float(value), str(greedy) == "True") for value, greedy in sample["filtered_resps"]
            ]
    return figures, samples


@pytest.fixture(scope="session")
def ours(model, questions, tmp_path_factory):
    answers = tmp_path_factory.mktemp("answers") / "answers.jsonl"
    output = run(COORDINATOR, "eval", "--model", model, "--tasks", questions, "--answers", answers,
                 "--compute", "f32", "--json", "--quiet")  # fmt: skip
    return json.loads(output)["tasks"], [json.loads(line) for line in answers.open()]


def gap(values):
    """Between the best and what comes after it."""
    best, second = sorted(values, reverse=True)[:2]
    return best - second


def test_log_likelihoods(ours, harness):
    _, samples = harness
    _, answers = ours
    assert len(answers) == len(samples) == QUESTIONS * len(TASKS)
    worst, ties = 0.0, 0
    for answer in answers:
        expected = samples[answer["task"], answer["id"]]
        found = answer["log_likelihoods"]
        assert len(found) == len(expected)
        errors = [abs(a - b) for a, (b, _) in zip(found, expected)]
        worst = max(worst, *errors)
        assert answer["are_greedy"] == [greedy for _, greedy in expected]
        chosen = max(range(len(expected)), key=lambda choice: expected[choice][0])
        if answer["chosen"] != chosen:
            # Only where the harness itself hardly decides.
            assert gap([value for value, _ in expected]) <= 2 * TOLERANCE, answer
            ties += 1
    print(f"largest difference {worst:.1e}, {ties} near ties decided otherwise")
    assert worst <= TOLERANCE


def test_accuracies(ours, harness):
    figures, _ = harness
    summary, _ = ours
    assert [task["task"] for task in summary["tasks"]] == [f"own_{name}" for name in TASKS]
    for task in summary["tasks"]:
        expected = figures[task["task"]]
        assert task["questions"] == QUESTIONS
        for metric in METRICS:
            assert task[metric] == pytest.approx(expected[f"{metric},none"], abs=1e-12)
            error = expected[f"{metric}_stderr,none"]
            assert task[f"{metric}_stderr"] == pytest.approx(error, abs=1e-12)


def test_examples_before_the_question(tasks, tmp_path):
    """Few-shot contexts are the harness' own, so that they are longer is all that is new."""
    path = tmp_path / "shots.jsonl"
    run(sys.executable, ROOT / "deploy/tasks.py", "own_boolq", "own_winogrande", "--limit", 5,
        "--num-fewshot", 2, "--include-path", tasks, "--output", path)  # fmt: skip
    lines = [json.loads(line) for line in path.open()]
    assert len(lines) == 10
    assert all(line["context"].count("\nAnswer:") == 3 for line in lines[:5])
    assert all(len(line["contexts"]) == 2 for line in lines[5:])
