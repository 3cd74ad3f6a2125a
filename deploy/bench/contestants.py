"""Processes that take turns: each works when it is told to over its standard input."""

import json
import os
import subprocess
import sys


class Contestant:
    """A process that writes one line of JSON when it is ready and one after every turn."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})})
        self.details = None

    def wait_until_ready(self):
        self.details = self._read()["details"]

    def begin_turn(self, seconds):
        try:
            self.process.stdin.write(f"turn {seconds}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self._fail()

    def end_turn(self):
        return self._read()

    def turn(self, seconds):
        """Lets it work for so many seconds, one unit at least."""
        self.begin_turn(seconds)
        return self.end_turn()

    def close(self):
        self.process.stdin.close()
        try:
            code = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process.stdout.close()
        if code != 0:
            self._fail()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            self._fail()
        return json.loads(line)

    def _fail(self):
        code = self.process.wait()
        sys.exit(f"bench: {self.name} ended with {code}: see its messages above")


class Field:
    """Contestants that run side by side, one at a time; all end with the `with`."""

    def __init__(self, contestants):
        self.contestants = contestants

    def __enter__(self):
        try:
            for contestant in self.contestants:
                contestant.wait_until_ready()
        except BaseException:
            self._kill()
            raise
        return self.contestants

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self._kill()
            return
        for contestant in self.contestants:
            contestant.close()

    def _kill(self):
        for contestant in self.contestants:
            contestant.kill()


def take_rounds(contestants, count, seconds, note=lambda text: None):
    """Lets all take a turn per round, another one first each time.

    The first round warms up and does not count. Returns name → its turns, one per round.
    """
    turns = {contestant.name: [] for contestant in contestants}
    for number in range(count + 1):
        start = number % len(contestants)
        for contestant in contestants[start:] + contestants[:start]:
            note(f"round {number} of {count}: {contestant.name}")
            turn = contestant.turn(seconds if number else 0)
            if number:
                turns[contestant.name].append(turn)
    return turns
