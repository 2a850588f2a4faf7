"""The measuring loop that every Python side shares, and the report it prints.

`rust_step/src/timing.rs` holds the same loop for the Rust sides.
"""

import json
import resource
import statistics
import time

WARM_UP_SECONDS = 1.0
WARM_UP_STEPS_MIN = 3
MEASURE_SECONDS = 3.0
MEASURE_STEPS_MIN = 10


def measure(step):
    """Warm up, then time single calls of `step`; returns the milliseconds of each."""
    _run(step, WARM_UP_SECONDS, WARM_UP_STEPS_MIN)
    return _run(step, MEASURE_SECONDS, MEASURE_STEPS_MIN)


def _run(step, seconds, steps_min):
    step_ms = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds or len(step_ms) < steps_min:
        start = time.perf_counter()
        step()
        step_ms.append((time.perf_counter() - start) * 1e3)
    return step_ms


def peak_memory_mb():
    """The largest resident set of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def print_step_report(model, threads, step_ms, parameters, losses, versions):
    """Print one line of JSON, the shape of `bessemer bench step --json -`."""
    print(
        json.dumps(
            {
                "model": model,
                "precision": "f32",
                "threads": threads,
                "step_ms": {
                    "median": statistics.median(step_ms),
                    "min": min(step_ms),
                    "max": max(step_ms),
                },
                "steps": len(step_ms),
                "peak_memory_mb": round(peak_memory_mb(), 1),
                "parameters": parameters,
                "losses": losses,
                "versions": versions,
            }
        )
    )
