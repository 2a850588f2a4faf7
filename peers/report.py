"""The tables that a comparison prints."""

import statistics
from dataclasses import dataclass

from sides import OURS, OURS_BF16


@dataclass
class Measure:
    """A number taken from each round's report; less is better."""

    title: str
    unit: str
    read: callable


def _first_model(name):
    return lambda report: report["models"][0][name]


def _fit_and_forecast(report):
    model = report["models"][0]
    return model["seconds_fit"] + model["seconds_predict"]


MEASURES = {
    "step": [Measure("step", "ms", lambda report: report["step_ms"]["median"])],
    "fit": [
        Measure("fit", "s", _first_model("seconds_fit")),
        Measure("rolling forecast", "s", _first_model("seconds_predict")),
        Measure("together", "s", _fit_and_forecast),
    ],
}

# Each of our sides, and the families of sides that it is set against.
OPPONENTS = [
    (OURS, ("PyTorch", "NeuralForecast")),
    (OURS_BF16, ("PyTorch", "NeuralForecast")),
    (OURS_BF16, ("PyTorch bf16",)),
    # Wave networks: all packets at once in PyTorch or JAX, and the reference's architecture.
    (OURS, ("vectorised",)),
    (OURS, ("a module a packet",)),
]


@dataclass
class Ratio:
    """Our time over an opponent's, round by round."""

    own: str
    title: str
    opponent: str
    rounds: list[float]

    def __str__(self):
        median = statistics.median(self.rounds)
        return (
            f"{self.own} / {self.opponent}, {self.title}: {median:.3f} "
            f"({min(self.rounds):.3f} to {max(self.rounds):.3f} over {len(self.rounds)} rounds), "
            f"so {1 / median:.2f} times as fast"
        )


def values(side, measure):
    """The measure of each of the side's rounds."""
    return [measure.read(report) for report in side["rounds"]]


def ratios(comparison):
    """The times of each of our sides over those of the fastest side of the main opponent
    (PyTorch for a step, NeuralForecast for a fit), in bf16 also over PyTorch's in bf16; for a fit
    also over NeuralForecast as it is installed. Those whose sides are missing are left out."""
    found = []
    for own, families in OPPONENTS:
        ours = next((side for side in comparison["sides"] if side["family"] == own), None)
        opponents = [side for side in comparison["sides"] if side["family"] in families]
        if ours is None or not opponents:
            continue
        measure = MEASURES[comparison["kind"]][-1]
        best = min(opponents, key=lambda side: statistics.median(values(side, measure)))
        chosen = [best]
        if comparison["kind"] == "fit" and opponents[0] is not best:
            chosen.append(opponents[0])
        for side in chosen:
            pairs = zip(values(ours, measure), values(side, measure))
            found.append(Ratio(own, measure.title, side["name"], [a / b for a, b in pairs]))
    return found


def rows(comparison):
    """The header and one row of text for every side."""
    measures = MEASURES[comparison["kind"]]
    header = ["side", *(f"{measure.title}, {measure.unit}" for measure in measures)]
    header += ["MSE", "MAE"] if comparison["kind"] == "fit" else []
    header += ["peak memory, MiB", "parameters"]
    body = []
    for side in comparison["sides"]:
        row = [side["name"], *(spread(values(side, measure)) for measure in measures)]
        last = side["rounds"][-1]
        model = last["models"][0] if comparison["kind"] == "fit" else last
        if comparison["kind"] == "fit":
            row += [f"{model['mse']:.4f}", f"{model['mae']:.4f}"]
        memory = [report.get("peak_memory_mb") for report in side["rounds"]]
        row.append(f"{max(memory):.0f}" if all(memory) else "-")
        row.append(f"{model.get('parameters', 0):,}")
        body.append(row)
    return header, body


def spread(numbers):
    """Median, least and greatest, to three significant digits."""
    median, low, high = statistics.median(numbers), min(numbers), max(numbers)
    return f"{_short(median)} ({_short(low)} to {_short(high)})"


def _short(number):
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def table(comparison):
    """The comparison as aligned text."""
    header, body = rows(comparison)
    widths = [max(len(row[column]) for row in [header, *body]) for column in range(len(header))]
    lines = [f"\n{comparison['name']}, median (least to greatest) of {comparison['rounds']} rounds"]
    for row in [header, *body]:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells))
    lines += [str(ratio) for ratio in ratios(comparison)] or [f"no ratio: {OURS} or its opponent is missing"]
    lines += [f"versions: {versions(comparison)}", *warnings(comparison)]
    return "\n".join(lines)


def markdown(result):
    """All the comparisons for PERFORMANCE.md."""
    lines = [f"{result['date']}. {machine_line(result)}"]
    for comparison in result["comparisons"]:
        if not comparison["sides"]:
            continue
        header, body = rows(comparison)
        lines += ["", f"### {comparison['name']}", ""]
        lines += [_markdown_row(header), _markdown_row(["---", *["---:"] * (len(header) - 1)])]
        lines += [_markdown_row(row) for row in body]
        lines += ["", f"Median (least to greatest) of {comparison['rounds']} rounds, every side in turn."]
        lines += [f"{ratio}." for ratio in ratios(comparison)]
        lines.append(f"Versions: {versions(comparison)}.")
    return "\n".join(lines)


def _markdown_row(cells):
    return f"| {' | '.join(cells)} |"


def machine_line(result):
    about = result["machine"]
    pinned = result["pinned_to"]
    where = f"pinned to processors {', '.join(map(str, pinned))}" if pinned else "not pinned"
    return (
        f"{about['processor']} ({about['family']}), {about['processors']} processors, "
        f"{' '.join(about['instruction_sets'])}; {about['memory_gib']} GiB; {about['system']}; "
        f"{result['threads']} threads, {where}; load {about['load_average'][0]} at the start."
    )


def busy_warning(result):
    """A line for when other work ran at the start, or None."""
    load = result["machine"]["load_average"][0]
    if load < 0.5:
        return None
    return f"warning: other work was running (load {load}): the times below are not to be trusted"


def versions(comparison):
    """Every version that a side reported, once."""
    found = {}
    for side in comparison["sides"]:
        found |= side["rounds"][-1].get("versions", {})
    return ", ".join(f"{name} {version}" for name, version in found.items())


def warnings(comparison):
    """What makes a comparison doubtful."""
    if comparison["name"].startswith("attention"):
        return []  # there is nothing to learn; what stands for it differs
    counts = {}
    for side in comparison["sides"]:
        last = side["rounds"][-1]
        model = last["models"][0] if comparison["kind"] == "fit" else last
        counts.setdefault(model.get("parameters"), []).append(side["name"])
    if len(counts) > 1:
        told = "; ".join(f"{count}: {', '.join(names)}" for count, names in counts.items())
        return [f"warning: the sides do not hold the same number of parameters ({told})"]
    return []
