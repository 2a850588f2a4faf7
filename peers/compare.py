"""Runs comparisons: every side in a process of its own, in turn, round after round.

Meant to be started by `run.sh`, which installs and builds what is needed.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import machine
import report
import sides

STEPS = ["encoder", "mlp", "lstm", "attention-1k", "attention-4k", "attention-16k"]
WAVES = ["waves-1d", "waves-4d", "waves-6d", "siren", "siren-image"]
FITS = {
    "neuralforecast-dlinear": "DLinear",
    "neuralforecast-nhits": "NHITS",
    "neuralforecast-patchtst": "PatchTST",
}
GROUPS = {"neuralforecast": list(FITS), "waves": WAVES}
TIME_LIMIT_SECONDS = 1800


def main():
    args = parse_arguments()
    processors = machine.choose_processors(args.threads)
    if processors is None:
        print(f"cannot pin to {args.threads} processors here: the system schedules freely")
    else:
        os.sched_setaffinity(0, processors)  # every process started from here inherits it
    result = {
        "date": datetime.date.today().isoformat(),
        "machine": machine.describe(),
        "threads": args.threads,
        "pinned_to": processors,
        "comparisons": [],
    }
    print(report.machine_line(result))
    if warning := report.busy_warning(result):
        print(warning)
    for name in args.names:
        result["comparisons"].append(compare(name, args))
        print(report.table(result["comparisons"][-1]), flush=True)
    print("\nFor PERFORMANCE.md:\n")
    print(report.markdown(result))
    if args.json:
        Path(args.json).write_text(json.dumps(result, indent=1) + "\n")
        print(f"\nwritten: {args.json}")
    complete = all(comparison["sides"] for comparison in result["comparisons"])
    return 0 if complete else 1


def parse_arguments():
    known = [*STEPS, *WAVES, *FITS, *GROUPS]
    parser = argparse.ArgumentParser(prog="run.sh", description="Compare Bessemer with others.")
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"any of {', '.join(known)}; all by default"
    )
    parser.add_argument("--json", metavar="FILE", help="write every single measurement there")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--rounds", type=int,
        default=7, help="how often the sides take turns; default %(default)s",
    )
    parser.add_argument(
        "--only", default="", metavar="TEXT",
        help="only these sides, comma-separated: by name, or by a part that several names share",
    )
    parser.add_argument(
        "--data", type=Path,
        default=Path(os.environ.get("BESSEMER_DATA", sides.ROOT.parent / "shared" / "data")),
        help="folder that holds ett/ETTh1.csv; default $BESSEMER_DATA, then %(default)s",
    )
    args = parser.parse_args()
    for name in args.names:
        if name not in known:
            parser.error(f"no comparison `{name}`: expected one of {', '.join(known)}")
    names = args.names or [*STEPS, *WAVES, *FITS]
    args.names = [member for name in names for member in GROUPS.get(name, [name])]
    args.only = [text.strip().lower() for text in args.only.split(",") if text.strip()]
    if any(name in FITS for name in args.names) and not (args.data / "ett" / "ETTh1.csv").exists():
        parser.error(f"no {args.data}/ett/ETTh1.csv: name the folder with --data or BESSEMER_DATA")
    return args


def chosen(contenders, texts):
    """The sides that have one of these names; of a text that is no name, those that contain it."""
    names = {side.name.lower() for side in contenders}
    return [
        side for side in contenders
        if any(side.name.lower() == text if text in names else text in side.name.lower() for text in texts)
    ]


def compare(name, args):
    """Run one comparison; a side that fails is left out, and why is kept."""
    if name in STEPS:
        kind, contenders = "step", sides.step_sides(name, args.threads)
    elif name in WAVES:
        kind, contenders = "step", sides.wave_sides(name, args.threads)
    else:
        kind, contenders = "fit", sides.forecast_sides(FITS[name], args.threads, args.data.resolve())
    if args.only:
        contenders = chosen(contenders, args.only)
    rounds = args.rounds
    reports = {side.name: [] for side in contenders}
    left_out = {}
    for number in range(rounds):
        for side in contenders:
            if side.name in left_out:
                continue
            progress(f"{name}: round {number + 1} of {rounds}: {side.name}")
            outcome = run(side, args.threads)
            if isinstance(outcome, str):
                left_out[side.name] = outcome
                progress("")
                print(f"{name}: {side.name} left out: {outcome}", flush=True)
            else:
                reports[side.name].append(outcome)
    progress("")
    present = [side for side in contenders if side.name not in left_out]
    return {
        "name": name,
        "kind": kind,
        "rounds": rounds,
        "sides": [
            {"name": side.name, "family": side.family, "rounds": reports[side.name]}
            for side in present
        ],
        "left_out": left_out,
    }


def run(side, threads):
    """The side's report, or, as text, why there is none."""
    if not Path(side.command[0]).exists():
        return f"{side.command[0]} is not there"
    try:
        done = subprocess.run(
            side.command, env=side.run_environment(threads), capture_output=True, text=True,
            timeout=TIME_LIMIT_SECONDS, cwd=sides.PEERS,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {TIME_LIMIT_SECONDS} s"
    if done.returncode != 0:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["no message"]
        # Python says what went wrong last, a command line first.
        said = lines[-1] if lines[0].startswith("Traceback") else lines[0]
        return f"exit status {done.returncode}: {said}"
    parsed = parse(done.stdout)
    return parsed if parsed else "it printed no JSON report"


def parse(text):
    """The report in what a side printed: all of it, or its last line."""
    for candidate in (text, *reversed(text.strip().splitlines()[-1:])):
        try:
            found = json.loads(candidate)
        except json.JSONDecodeError:
            continue
        if isinstance(found, dict):
            return found
    return None


def progress(text):
    """A line that the next one overwrites, when somebody is watching."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
