"""How fast text becomes token ids, on one thread, beside the packages that made the tokenizers."""

import pathlib
import sys

import report
from contestants import Contestant, Field, take_rounds

TESTS = pathlib.Path(__file__).resolve().parent.parent.parent / "Tests/TokenizerTests"
# One of each kind; small vocabularies, trained on text like that which is read.
TOKENIZERS = ["llama2.json", "llama2.model", "llama3.json", "qwen2.json"]
# Megabytes of text per second and core.
BAR = 5


def texts(cache, is_quick):
    """A folder with the mixed text of the tokenizers' tests; makes it once. Returns it and its bytes."""
    sys.path.insert(0, str(TESTS))
    import mixed_text

    count = 4 if is_quick else mixed_text.DOCUMENT_COUNT
    folder = cache / f"texts-{count}"
    if not folder.exists():
        folder.mkdir(parents=True)
        fragments = (TESTS / "Golden/fragments.txt").read_bytes().decode().split("\x1e")
        for index in range(count):
            text = mixed_text.document(index, fragments)
            (folder / f"{index:03}.txt").write_bytes(text.encode())
    return folder, sum(file.stat().st_size for file in folder.iterdir())


def measure(arguments, note):
    """Rates of both for each tokenizer, with the bar."""
    folder, size = texts(arguments.cache, arguments.quick)
    paths = [TESTS / "Golden" / name for name in TOKENIZERS]
    if arguments.model is not None:
        paths += sorted(arguments.model.resolve().glob("tokenizer.json"))
    results = []
    for path in paths:
        package = "sentencepiece" if path.suffix == ".model" else "tokenizers"
        script = pathlib.Path(__file__).with_name("tokenizer_contestant.py")
        made = [
            Contestant("flap", [arguments.program, "tokenize", "--tokenizer", path, "--texts", folder]),
            Contestant(package, [sys.executable, script, path, folder])]
        with Field(made) as contestants:
            turns = take_rounds(
                contestants, arguments.rounds, min(1, arguments.seconds),
                lambda text: note(f"{path.name}: {text}"))
        note("")
        rates = [[size * turn["units"] / turn["seconds"] / 1e6 for turn in turns[one.name]] for one in made]
        counts = [{turn["tokens"] // turn["units"] for turn in turns[one.name]} for one in made]
        results.append({
            "tokenizer": path.name, "package": package, "sameTokenCount": counts[0] == counts[1],
            "packageMegabytesPerSecond": report.spread(rates[1]),
            "ofPackage": report.spread([ours / theirs for ours, theirs in zip(*rates)]),
            **report.judged(
                {"what": f"MB/s, {path.name}", "pairs": len(rates[0]), **report.spread(rates[0])},
                BAR, at_least=True)})
    return results


def table(results):
    rows = [
        [one["tokenizer"], report.ranged(one, 1), report.ranged(one["packageMegabytesPerSecond"], 1),
         report.ranged(one["ofPackage"]), f"≥ {one['bar']} MB/s", "met" if one["met"] else "not met"]
        for one in results]
    return report.table(["tokenizer", "flap, MB/s", "its package, MB/s", "ratio", "bar", ""], rows)
