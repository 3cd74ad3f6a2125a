#!/usr/bin/env python3
"""Writes multiple-choice tasks of lm-evaluation-harness as lines for `flap-coord eval --tasks`, on
standard output or to --output, one question each:

    {"task": …, "id": …, "context": …, "choices": […], "gold": …}

Contexts, choices and their delimiter are the harness' own, few-shot examples included; its data sets
come as it loads them. For one that is there already: HF_HUB_OFFLINE=1.

    .venv/bin/python deploy/tasks.py boolq piqa hellaswag winogrande arc_easy arc_challenge openbookqa \\
      --output tasks.jsonl

Needs lm_eval of deploy/requirements.txt.
"""

import argparse
import json
import logging
import sys


def leaves(tasks):
    """The tasks in what get_task_dict gives, where groups hold others."""
    for value in tasks.values():
        if isinstance(value, dict):
            yield from leaves(value)
        else:
            yield value


def number(gold, choices):
    """The number of a choice; the harness also takes its text."""
    return choices.index(gold) if isinstance(gold, str) else int(gold)


def line(task, document, name, requests):
    """One question from the requests that the harness would send for it."""
    choices = list(task.doc_to_choice(document))
    # What mutual information asks besides is no choice.
    requests = sorted(requests, key=lambda request: request.idx)[: len(choices)]
    contexts = [request.args[0] for request in requests]
    continuations = [request.args[1] for request in requests]
    delimiter = task.config.target_delimiter
    gold = task.doc_to_text(document) if task.multiple_input else task.doc_to_target(document)
    question = {"task": task.config.task, "id": name}
    if task.multiple_input:
        question |= {"contexts": contexts, "choices": [continuations[0][len(delimiter) :]]}
    else:
        question |= {"context": contexts[0], "choices": choices}
    if delimiter != " ":
        question["delimiter"] = delimiter
    golds = gold if isinstance(gold, list) else [gold]
    golds = [number(gold, choices) for gold in golds]
    question["gold"] = golds if isinstance(gold, list) else golds[0]
    return question


def questions(names, limit, shots, include):
    from lm_eval.tasks import TaskManager, get_task_dict

    manager = TaskManager(include_path=include)
    # One after another: together they come in an order of the harness' own.
    named = [task for name in names for task in leaves(get_task_dict([name], manager))]
    for task in {task.config.task: task for task in named}.values():
        if task.OUTPUT_TYPE != "multiple_choice":
            sys.exit(f"{task.config.task} is no task of multiple choice: {task.OUTPUT_TYPE}")
        if shots is not None:
            task.set_config(key="num_fewshot", value=shots)
        task.set_fewshot_seed(seed=1234)  # As the harness' --seed.
        task.build_all_requests(limit=limit)
        requests = {}
        for request in task.instances:
            requests.setdefault(request.doc_id, []).append(request)
        for name, group in requests.items():
            yield line(task, group[0].doc, name, group)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="+", help="names of tasks or groups: lm_eval ls tasks")
    parser.add_argument("--limit", type=int, help="the first so many questions of each")
    parser.add_argument("--num-fewshot", type=int, help="examples before each question")
    parser.add_argument("--include-path", help="a folder with tasks of your own")
    parser.add_argument("--output", help="the file to write")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    count = 0
    output = open(arguments.output, "w") if arguments.output else sys.stdout
    with output:
        for question in questions(
            arguments.tasks, arguments.limit, arguments.num_fewshot, arguments.include_path
        ):
            output.write(json.dumps(question, ensure_ascii=False) + "\n")
            count += 1
    print(f"{count} questions", file=sys.stderr)


if __name__ == "__main__":
    main()
