"""How far two trainings of one model are apart: python loss_curves.py A.json B.json

Both are written by `bessemer forecast backtest … --json`. Prints, for every model that both trained, the
greatest difference of the losses, step by step and as means over 20 steps, in percent of the first
file's, and both errors on the test windows.
"""

import json
import sys

MEAN_OVER = 20


def means(losses):
    return [sum(losses[i:i + MEAN_OVER]) / MEAN_OVER for i in range(len(losses) - MEAN_OVER + 1)]


def apart(a, b):
    return max(abs(y - x) / x for x, y in zip(a, b)) * 100


def main():
    first, second = (
        {model["name"]: model for model in json.load(open(path))["models"] if not model["baseline"]}
        for path in sys.argv[1:3]
    )
    for name in first.keys() & second.keys():
        a, b = first[name], second[name]
        for model in (a, b):
            if not all(model["losses"]):
                sys.exit(f"{name}: a loss is 0 or no number, so that nothing can be a percentage of it")
        if len(a["losses"]) != len(b["losses"]):
            sys.exit(f"{name}: {len(a['losses'])} steps beside {len(b['losses'])}")
        print(
            f"{name}: {len(a['losses'])} steps, losses apart by at most {apart(a['losses'], b['losses']):.2f} %,"
            f" their means over {MEAN_OVER} steps by {apart(means(a['losses']), means(b['losses'])):.2f} %;"
            f" test MSE {a['mse']:.4f} and {b['mse']:.4f}"
        )


main()
