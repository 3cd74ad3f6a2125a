"""deploy/bench.sh: all contestants but PyTorch take their turns on a tiny model."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "deploy/bench"))
import report  # noqa: E402

RATES = {"median", "min", "max"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the quick mode writes."""
    if not (ROOT / ".build/release/flap-worker").exists():
        pytest.skip("flap-worker is not built")
    folder = tmp_path_factory.mktemp("bench")
    path = folder / "results.json"
    result = subprocess.run(
        [ROOT / "deploy/bench.sh", "--quick", "--contestants", "flap,onednn,products,peak",
         "--cache", folder, "--json", path],
        env={**os.environ, "FLAP_PYTHON": sys.executable}, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stderr[-2000:]
    return {"json": json.loads(path.read_text()), "text": result.stdout}


def test_every_contestant_has_a_rate_per_round(results):
    (shape,) = results["json"]["shapes"]
    contestants = {one["name"]: one for one in shape["contestants"]}
    assert {"flap 32", "flap 16", "oneDNN plain", "oneDNN packed", "products", "peak"} == set(contestants)
    for one in contestants.values():
        rate = one["tokensPerSecond"]
        assert len(rate["all"]) == results["json"]["rounds"]
        assert 0 < rate["min"] <= rate["median"] <= rate["max"]
        assert set(one["gigaflopsPerSecond"]) == RATES
        assert one["name"] in results["text"]
    for name in ("flap 32", "flap 16"):
        flap = contestants[name]
        assert flap["peakBytes"] > 0
        # The phases and what the threads wait are all of their time.
        assert {"products", "attention", "norms", "activation", "observers", "packing", "idle"} <= set(flap["phaseShares"])
        assert sum(flap["phaseShares"].values()) == pytest.approx(1)
        assert all(0 <= share <= 1 for share in flap["phaseShares"].values())


def test_ratios_are_paired(results):
    (shape,) = results["json"]["shapes"]
    speeds = {one["name"]: one["tokensPerSecond"]["all"] for one in shape["contestants"]}
    ratios = {one["what"]: one for one in shape["ratios"]}
    pairs = [a / b for a, b in zip(speeds["products"], speeds["peak"])]
    assert ratios["products ÷ peak"]["max"] == pytest.approx(max(pairs))
    assert ratios["products ÷ peak"]["pairs"] == len(pairs)
    assert "flap 16 ÷ flap 32" in ratios


def test_workers_and_start_are_measured(results):
    scaling, start = results["json"]["scaling"], results["json"]["startup"]
    cores = results["json"]["machine"]["threads"]
    assert scaling[0]["workers"] == 1 and scaling[0]["threads"] == cores
    assert all(one["workers"] * one["threads"] <= cores for one in scaling)
    assert all(one["tokensPerSecond"]["median"] > 0 for one in scaling)
    seconds = [one["median"] for one in start]
    assert seconds == sorted(seconds) and start[-1]["step"] == "computed" and start[-1]["bar"] == 1


def test_tokenizers_take_turns_with_their_packages(results):
    for one in results["json"]["tokenizers"]:
        assert one["sameTokenCount"] and one["bar"] == 5
        assert 0 < one["min"] <= one["median"] <= one["max"]
        assert one["packageMegabytesPerSecond"]["min"] > 0
        assert one["tokenizer"] in results["text"]


# The arithmetic of the report


def turn(tokens, seconds, **more):
    return {"units": 1, "tokens": tokens, "productOperations": 0, "seconds": seconds, **more}


def test_ratio_compares_rounds_and_not_medians():
    """A machine that is slow for a while is slow for both."""
    fast = report.summary("a", {}, [turn(200, 1), turn(20, 1), turn(2, 1)], 1)
    slow = report.summary("b", {}, [turn(100, 1), turn(10, 1), turn(1, 1)], 1)
    assert report.ratio("a ÷ b", fast, slow, bar=2) == {
        "what": "a ÷ b", "median": 2, "min": 2, "max": 2, "pairs": 3, "bar": 2, "atLeast": True, "met": True}
    assert report.ratio("b ÷ a", slow, fast, bar=0.6)["met"] is False


def test_products_count_as_tokens():
    alone = report.summary("c", {}, [{**turn(0, 2), "productOperations": 1000}], 100)
    assert alone["tokensPerSecond"]["median"] == 5
    assert alone["gigaflopsPerSecond"]["median"] == pytest.approx(5e-7)


def test_bars_hold_in_both_directions():
    assert report.judged({"median": 1.1}, 1, at_least=False)["met"] is False
    assert report.judged({"median": 0.9}, 1, at_least=False)["met"] is True
    assert report.judged({"median": 0.9}, None, at_least=True)["met"] is None


def test_phases_are_shares_of_all_time():
    turns = [turn(1, 1, phaseSeconds={"products": 3, "idle": 1}), turn(1, 1, phaseSeconds={"products": 4})]
    assert report.summary("d", {}, turns, 1)["phaseShares"] == {"idle": 1 / 8, "products": 7 / 8}


def test_disagreement_is_noticed():
    same = [{"varianceSum": 100.0}, {"varianceSum": 110.0}, {"varianceSum": None}]
    assert report.agreement(same) == pytest.approx(0.1)
    assert report.agreement(same[1:]) is None
