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
# One thread each: several run at once, and threads that wait for each other on a busy machine take many
# times as long.
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def start(*command):
    return subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | ENVIRONMENT)  # fmt: skip


def end(process):
    output, errors = process.communicate(timeout=1800)
    assert process.returncode == 0, errors[-4000:]
    return output


def run(*command):
    return end(start(*command))


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


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The folder of each model."""
    folders = {}
    for name, options in MODELS.items():
        folders[name] = MODEL
        if options is not None:
            folders[name] = tmp_path_factory.mktemp(name) / "model"
            run(COORDINATOR, "--model", MODEL, "--calibration", MODEL / "calibration.npy",
                "--samples", 64, *options, "--output", folders[name], "--quiet")  # fmt: skip
    return folders


@pytest.fixture(scope="session", params=MODELS)
def name(request):
    return request.param


@pytest.fixture(scope="session")
def model(name, models):
    return models[name]


@pytest.fixture(scope="session")
def harness_runs(models, tasks, tmp_path_factory):
    """The harness at work on all models at once, each with the folder of what it writes."""
    runs = {}
    for name, model in models.items():
        folder = tmp_path_factory.mktemp(f"harness-{name}")
        runs[name] = folder, start(
            pathlib.Path(sys.executable).parent / "lm_eval", "--model", "hf", "--model_args",
            f"pretrained={model},trust_remote_code=True,dtype=float32", "--tasks",
            ",".join(f"own_{task}" for task in TASKS), "--include_path", tasks, "--device", "cpu",
            "--batch_size", 64, "--output_path", folder, "--log_samples")  # fmt: skip
    yield runs
    for _, process in runs.values():
        process.kill()


@pytest.fixture(scope="session")
def harness(name, harness_runs):
    """The harness' figures by task, and log-likelihoods by task and question."""
    folder, process = harness_runs[name]
    end(process)
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
