"""What is compared with what: every side is a command that prints one JSON report."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

PEERS = Path(__file__).resolve().parent
ROOT = PEERS.parent
PYTHON = str(PEERS / ".venv" / "bin" / "python")
BESSEMER = str(ROOT / "target" / "release" / "bessemer")
RUST_STEP = str(PEERS / "target" / "release" / "rust_step")
MKL_AVX512 = PEERS / "target" / "libmkl_avx512.so"

# How Bessemer is asked for the same work; `{}` are filled in below.
BESSEMER_STEP = "bench step --model {model} --threads {threads} --json -"
BESSEMER_FORECAST = (
    "forecast backtest {data}/ett/ETTh1.csv --models {model} --protocol ltsf"
    " --horizon 96 --lookback 336 --max-steps 100 --batch-windows 1024"
    " --sampling random --learning-rate 0.001 --validation 0"
    " --threads {threads} --json -"
)
# NeuralForecast's defaults, where ours differ.
BESSEMER_SETTINGS = {
    "DLinear": " --schedule constant",
    "NHITS": " --schedule thirds",
    "PatchTST": " --schedule constant --set width=128 --set heads=16 --set feedforward=256 --set dropout=0.2"
    " --set subtract_last=true",
}

OURS = "Bessemer"
OURS_BF16 = "Bessemer, bf16"


@dataclass
class Side:
    """One way to do the work."""

    name: str
    command: list[str]
    # The ratio is taken against the fastest side of the family of opponents.
    family: str
    environment: dict[str, str] = field(default_factory=dict)

    def run_environment(self, threads):
        """The process's environment: every library's own number of threads, and
        what belongs to this side."""
        count = str(threads)
        names = (
            "OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "CANDLE_NUM_THREADS", "NPROC"
        )
        return dict(os.environ) | {"BESSEMER_RUNS": ""} | dict.fromkeys(names, count) | self.environment


def step_sides(model, threads):
    """A training step of `model`."""
    torch = [PYTHON, str(PEERS / "torch_step.py"), "--model", model, "--threads", str(threads)]
    jax = [PYTHON, str(PEERS / "jax_step.py"), "--model", model, "--threads", str(threads)]
    ours = BESSEMER_STEP.format(model=model, threads=threads).split()
    eager = [
        Side(OURS, [BESSEMER, *ours], OURS),
        Side(OURS_BF16, [BESSEMER, *ours, "--precision", "bf16"], OURS_BF16),
        *with_and_without_avx512("PyTorch eager", torch, "PyTorch"),
    ]
    if model.startswith("attention"):
        return [*eager, Side("PyTorch eager, autocast bf16", [*torch, "--autocast"], "PyTorch bf16")]
    both = [
        *eager,
        *with_and_without_avx512("PyTorch compiled", [*torch, "--compile"], "PyTorch"),
        # bf16 products are oneDNN's, which asks no processor for its maker.
        Side("PyTorch eager, autocast bf16", [*torch, "--autocast"], "PyTorch bf16"),
        Side("PyTorch compiled, autocast bf16", [*torch, "--autocast", "--compile"], "PyTorch bf16"),
    ]
    if model == "lstm":
        return both
    return [
        *both,
        Side("JAX", jax, "JAX"),
        Side("Burn (flex)", [RUST_STEP, "burn", model], "Burn"),
        Side("Candle", [RUST_STEP, "candle", model], "Candle"),
    ]


def wave_sides(model, threads):
    """A full-batch training step of a wave network. One module for every packet is the reference's architecture."""
    script = [PYTHON, str(PEERS / "torch_waves.py"), "--model", model, "--threads", str(threads)]
    ours = BESSEMER_STEP.format(model=model, threads=threads).split()
    sides = [
        Side(OURS, [BESSEMER, *ours], OURS),
        *with_and_without_avx512("PyTorch eager", script, "vectorised"),
        *with_and_without_avx512("PyTorch compiled", [*script, "--compile"], "vectorised"),
        Side("JAX", [PYTHON, str(PEERS / "jax_waves.py"), "--model", model, "--threads", str(threads)], "vectorised"),
    ]
    if model.startswith("waves"):
        sides.append(Side("PyTorch eager, a module a packet", [*script, "--modules"], "a module a packet"))
    return sides


def forecast_sides(model, threads, data):
    """A fit and a rolling forecast of `model` (`DLinear`, `NHITS` or `PatchTST`)."""
    command = BESSEMER_FORECAST + BESSEMER_SETTINGS[model]
    ours = command.format(model=model.lower(), threads=threads, data="{data}").split()
    ours = [word.replace("{data}", str(data)) for word in ours]
    theirs = [
        PYTHON, str(PEERS / "neuralforecast_fit.py"),
        "--model", model, "--data", str(data), "--threads", str(threads),
    ]
    return [
        Side(OURS, [BESSEMER, *ours], OURS),
        Side(OURS_BF16, [BESSEMER, *ours, "--precision", "bf16"], OURS_BF16),
        *with_and_without_avx512("NeuralForecast", theirs, "NeuralForecast"),
    ]


def with_and_without_avx512(name, command, family):
    """The stock process, and one whose MKL is told to use AVX-512."""
    sides = [Side(name, command, family)]
    if sys.platform.startswith("linux"):
        environment = {"LD_PRELOAD": str(MKL_AVX512)}
        sides.append(Side(f"{name}, MKL on AVX-512", command, family, environment))
    return sides
