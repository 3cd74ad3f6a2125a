"""Made-up questions in the forms of seven usual tasks of lm-evaluation-harness: data sets with the
columns of the published ones, and the harness' own definitions of the tasks pointed at them.

    python forms.py FOLDER [COUNT]     writes COUNT lines of each, and a definition of each task
"""

import json
import pathlib
import random
import sys

import lm_eval.tasks
import yaml

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2] / "deploy" / "demo"))
import grammar  # noqa: E402

DEFINITIONS = pathlib.Path(lm_eval.tasks.__file__).parent
# The harness' file of each task.
TASKS = {
    "boolq": "super_glue/boolq/default.yaml",
    "piqa": "piqa/piqa.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
    "winogrande": "winogrande/default.yaml",
    "arc_easy": "arc/arc_easy.yaml",
    "arc_challenge": "arc/arc_challenge.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
}
# Now and then texts have what tokenizers treat in a way of its own.
ODDITIES = ["  ", " \u00e9", " \u4e2d", "\t", " 1,234", " it's", " [title]", " [step]", "\n"]


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.stories = grammar.Storyteller(1000 + seed)
        self.sentences = []

    def sentence(self):
        if not self.sentences:
            parts = self.stories.story().split(".")
            self.sentences = [part.strip() + "." for part in parts if part.strip()]
        return self.sentences.pop(0)

    def passage(self, count):
        return " ".join(self.sentence() for _ in range(count))

    def words(self, least, most):
        words = self.sentence().rstrip(".").split()
        text = " ".join(words[-self.random.randint(least, most) :])
        if self.random.random() < 0.1:
            text += self.random.choice(ODDITIES) + self.random.choice(words)
        return text

    def thing(self):
        kind = self.random.choice(sorted(grammar.THINGS))
        return self.random.choice(self.random.choice(grammar.THINGS[kind]))

    # MARK: The forms

    def boolq(self):
        return {
            "passage": self.passage(self.random.randint(1, 4)),
            "question": "does " + self.words(2, 6),
            "label": self.random.randint(0, 1),
        }

    def piqa(self):
        return {
            "goal": "To " + self.words(2, 8),
            "sol1": self.words(2, 14).capitalize() + ".",
            "sol2": self.words(1, 14).capitalize(),
            "label": self.random.randint(0, 1),
        }

    def hellaswag(self):
        return {
            "ind": self.random.randint(0, 9),
            "activity_label": self.words(1, 2).capitalize(),
            "ctx_a": self.passage(self.random.randint(1, 2)),
            "ctx_b": self.words(1, 3),
            "endings": [self.words(1, 12) + "." for _ in range(4)],
            "label": str(self.random.randint(0, 3)),
        }

    def winogrande(self):
        first, second = self.thing(), self.thing()
        return {
            "sentence": f"{self.sentence()} The {first} is near the {second}, and the _ "
            f"{self.words(2, 6)}.",
            "option1": first,
            "option2": second,
            "answer": str(self.random.randint(1, 2)),
        }

    def arc(self):
        labels = self.random.choice([list("ABCD"), list("1234"), list("ABC"), list("ABCDE")])
        return {
            "question": self.passage(self.random.randint(1, 2)) + " Which?",
            "choices": {"text": [self.words(1, 6) for _ in labels], "label": labels},
            "answerKey": self.random.choice(labels),
        }

    arc_easy = arc
    arc_challenge = arc

    def openbookqa(self):
        document = self.arc()
        return {
            "question_stem": document["question"].removesuffix(" Which?"),
            "choices": document["choices"],
            "answerKey": document["answerKey"],
        }


def write(folder, count=200):
    """Returns the names of the tasks, which a TaskManager with this include_path knows."""
    folder = pathlib.Path(folder)
    for seed, (name, definition) in enumerate(TASKS.items()):
        writer = Writer(seed)
        data = folder / f"{name}.jsonl"
        data.write_text(
            "".join(json.dumps(getattr(writer, name)()) + "\n" for _ in range(count)))
        split = {"test": str(data)}
        task = {
            "include": str(DEFINITIONS / definition),
            "task": f"own_{name}",
            "tag": None,
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": split},
            "training_split": None,
            "validation_split": None,
            "test_split": "test",
            "metric_list": [{"metric": metric} for metric in ("acc", "acc_norm", "acc_bytes")],
        }
        (folder / f"own_{name}.yaml").write_text(yaml.safe_dump(task))
    return [f"own_{name}" for name in TASKS]


if __name__ == "__main__":
    print(*write(sys.argv[1], *map(int, sys.argv[2:])))
