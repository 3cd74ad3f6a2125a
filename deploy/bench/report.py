"""Medians, paired ratios, bars and tables."""

import statistics


def spread(values):
    """Median and range."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def rates(turns, operations_per_token):
    """Tokens per second of each turn; of products alone, tokens for which they are enough."""
    return [
        (turn["tokens"] or turn["productOperations"] / operations_per_token) / turn["seconds"]
        for turn in turns]


def summary(name, details, turns, operations_per_token):
    """What one contestant did: rates of every round, and what the last turn says besides."""
    speeds = rates(turns, operations_per_token)
    phases = [turn["phaseSeconds"] for turn in turns if turn.get("phaseSeconds")]
    return {
        "name": name, "details": details, "tokensPerSecond": {**spread(speeds), "all": speeds},
        "gigaflopsPerSecond": spread([speed * operations_per_token / 1e9 for speed in speeds]),
        "peakBytes": max((turn.get("peakBytes") or 0 for turn in turns), default=0) or None,
        "varianceSum": turns[-1].get("varianceSum"),
        "phaseShares": phase_shares(phases) if phases else None}


def phase_shares(phases):
    """Each phase's share of all threads' time, in all rounds together."""
    total = sum(sum(phase.values()) for phase in phases)
    names = sorted({name for phase in phases for name in phase})
    return {name: sum(phase.get(name, 0) for phase in phases) / total for name in names}


def ratio(what, above, below, bar=None):
    """The ratio of two contestants' speeds, round by round."""
    pairs = [
        one / other
        for one, other in zip(above["tokensPerSecond"]["all"], below["tokensPerSecond"]["all"])]
    return judged({"what": what, **spread(pairs), "pairs": len(pairs)}, bar, at_least=True)


def judged(measured, bar, at_least):
    """With the bar and whether it is met; a bar of None asks for nothing."""
    value = measured["median"]
    met = None if bar is None else value >= bar if at_least else value <= bar
    return {**measured, "bar": bar, "atLeast": at_least, "met": met}


def agreement(contestants):
    """The largest relative difference between the variances that contestants computed."""
    sums = [one["varianceSum"] for one in contestants if one["varianceSum"]]
    return max(sums) / min(sums) - 1 if len(sums) > 1 else None


# Tables


def table(titles, rows):
    rows = [titles, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(titles))]
    aligned = [
        "| " + " | ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths))) + " |"
        for row in rows]
    rule = "|" + "|".join(
        "-" * (width + 1) + (":" if column else "-") for column, width in enumerate(widths)) + "|"
    return "\n".join([aligned[0], rule, *aligned[1:]])


def ranged(value, digits=2):
    return f"{value['median']:.{digits}f} ({value['min']:.{digits}f}–{value['max']:.{digits}f})"


def speed_table(contestants):
    rows = []
    for one in contestants:
        has_tokens = one["name"] != "peak"
        rows.append([
            one["name"], ranged(one["tokensPerSecond"], 0) if has_tokens else "",
            ranged(one["gigaflopsPerSecond"], 0),
            f"{one['peakBytes'] / 1e6:.0f}" if one["peakBytes"] else ""])
    return table(["contestant", "tokens/s", "GFLOP/s in products", "own memory, MB"], rows)


def phase_table(contestants):
    """Nothing when no contestant keeps times."""
    timed = [one for one in contestants if one["phaseShares"]]
    names = sorted({name for one in timed for name in one["phaseShares"]})
    if not timed:
        return ""
    rows = [
        [one["name"], *(f"{100 * one['phaseShares'].get(name, 0):.1f} %" for name in names)]
        for one in timed]
    return table(["share of the threads' time", *names], rows)


def bar_table(ratios):
    rows = []
    for one in ratios:
        sign = "≥" if one["atLeast"] else "≤"
        bar = "" if one["bar"] is None else f"{sign} {one['bar']:g}"
        verdict = {None: "", True: "met", False: "not met"}[one["met"]]
        rows.append([one["what"], ranged(one), str(one["pairs"]), bar, verdict])
    return table(["what", "median (range)", "pairs", "bar", ""], rows)
