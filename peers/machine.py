"""The machine that a comparison ran on, and which of its processors to use."""

import os
import platform
import re
from pathlib import Path

VECTOR_FLAGS = (
    "avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "avx512_fp16", "amx_tile", "amx_bf16",
    "asimd", "asimddp", "bf16", "i8mm", "sve",
)


def describe():
    """Name, processors, instruction sets and load of this machine, as plain values."""
    text = _read("/proc/cpuinfo")
    flags = set((_field(text, "flags") or _field(text, "Features") or "").split())
    memory = re.search(r"MemTotal:\s*(\d+) kB", _read("/proc/meminfo"))
    return {
        "processor": _field(text, "model name") or platform.processor() or platform.machine(),
        "family": " ".join(
            f"{name} {value}"
            for name in ("cpu family", "model", "stepping")
            if (value := _field(text, name))
        ),
        "processors": os.cpu_count(),
        "instruction_sets": [flag for flag in VECTOR_FLAGS if flag in flags],
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
        "system": f"{platform.system()} {platform.release()}",
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def choose_processors(count):
    """`count` processors this process may use, each on a core of its own while
    there are enough; None where the system cannot pin a process."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    first_of_core, others, seen = [], [], set()
    for processor in allowed:
        core = _read(f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list")
        (others if core and core in seen else first_of_core).append(processor)
        seen.add(core)
    chosen = (first_of_core + others)[:count]
    return chosen if len(chosen) == count else None


def _field(text, name):
    found = re.search(rf"^{re.escape(name)}\s*:\s*(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else None


def _read(path):
    try:
        return Path(path).read_text()
    except OSError:
        return ""
