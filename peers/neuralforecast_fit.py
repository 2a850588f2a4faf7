"""Fits one NeuralForecast model on ETTh1 and scores it over the test split.

    python neuralforecast_fit.py --model DLinear|NHITS|PatchTST --data DIR [--threads 2]

The protocol is that of the long-horizon papers: rows [0, 8640) train and set
the standardisation, rows [8640, 11520) are set aside, and every window of
rows [11520, 14400) is forecast, step 1. With horizon 96 that is 2785 windows
of each of the seven series. Errors are over the standardised values.

What is timed is what the library does with data in memory: `fit` from a data
frame, and a rolling prediction from the fitted model, first through
`BaseModel.predict`, the shortest public path, which returns an array, and
then through `NeuralForecast.cross_validation(use_fitted=True)`, which builds a
data frame of all the forecasts. A fit of two steps comes first, so that no
lazy import or first-use set-up is in the figures. Nothing that could be
switched off to save time is on: no progress bar, logger, checkpoint, model
summary, or validation.

Every hyper-parameter that no option here names keeps NeuralForecast's default;
the report lists all of them as the model holds them. Worth knowing, in 3.3.0:

- All three: Adam (betas 0.9, 0.999, eps 1e-8, no weight decay). Each step draws
  `windows_batch_size` windows without replacement from all the windows of all
  the series in the batch (all seven here); a window counts if a single point of
  its horizon lies inside the training rows, the rest being masked in the loss,
  so 7 x 8304 windows. The learning rate halves `num_lr_decays` times over the
  run: 3 times for NHITS, never for DLinear and PatchTST.
- DLinear: moving average over 25 points with the ends repeated; one linear
  layer 336 -> 96 for the trend and one for the rest, shared by all the series;
  the window is not normalised.
- NHITS: three stacks of one block each; the window is reversed in time first,
  and the forecast starts from its last value. Max pooling by 2, 2, 1
  (ceiling mode), then linear -> 512 *without* an activation, three times
  512 -> 512 with ReLU (every block takes the whole of `mlp_units`), and
  linear -> 336 + (24, 48, 96), whose last part is interpolated linearly
  (corners not aligned) to 96 points.
- PatchTST: the window minus its last value, over its standard deviation;
  8 repeated points at the end, patches of 16 every 8, so 42 tokens; width 128,
  16 heads, feed-forward 256, three layers, GELU, dropout 0.2 on the embedded
  tokens, twice after attention, and in and after the feed-forward part, learned
  positions, *batch* normalisation after each half (`batch_normalization`
  switches pre-norm, not the kind of norm), and a linear head 42 * 128 -> 96.
  By default the scores of one layer are added to those of the next
  (`res_attention`); that is switched off here, as the other side has no such
  thing.
"""

import argparse
import json
import logging
import time
import warnings
from pathlib import Path

from measure import peak_memory_mb

TRAIN_ROWS, TEST_START, TEST_END = 8640, 11520, 14400
TEST_ROWS = TEST_END - TEST_START


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["DLinear", "NHITS", "PatchTST"], required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds ett/ETTh1.csv")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--horizon", type=int, default=96)
    parser.add_argument("--lookback", type=int, default=336)
    parser.add_argument("--max-steps", type=int, default=100)
    parser.add_argument("--batch-windows", type=int, default=1024)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--loss", choices=["mse", "mae"], default="mse")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    logging.getLogger("lightning").setLevel(logging.ERROR)

    import neuralforecast
    import numpy as np
    import torch
    from neuralforecast import NeuralForecast, models
    from neuralforecast.losses.pytorch import MAE, MSE

    torch.set_num_threads(args.threads)
    values, frame = read_long(args.data / "ett" / "ETTh1.csv")
    train = frame[frame.groupby("unique_id").cumcount() < TRAIN_ROWS]

    def build(max_steps):
        model = getattr(models, args.model)(
            h=args.horizon,
            input_size=args.lookback,
            loss=MSE() if args.loss == "mse" else MAE(),
            max_steps=max_steps,
            learning_rate=args.learning_rate,
            batch_size=32,
            windows_batch_size=args.batch_windows,
            scaler_type="identity",
            **({"res_attention": False} if args.model == "PatchTST" else {}),
            random_seed=args.seed,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        return NeuralForecast(models=[model], freq="h")

    build(max_steps=2).fit(train, val_size=0)

    forecaster = build(args.max_steps)
    start = time.perf_counter()
    forecaster.fit(train, val_size=0)
    seconds_fit = time.perf_counter() - start

    start = time.perf_counter()
    forecasts = predict_rolling(forecaster, frame)
    seconds_predict = time.perf_counter() - start

    start = time.perf_counter()
    table = forecaster.cross_validation(
        frame, n_windows=None, test_size=TEST_ROWS, step_size=1, use_fitted=True
    )
    seconds_cross_validation = time.perf_counter() - start

    # [series, window, horizon], in the order of `values`.
    windows = TEST_ROWS - args.horizon + 1
    forecasts = forecasts.reshape(len(values), windows, args.horizon)
    actual = np.stack(
        [
            np.lib.stride_tricks.sliding_window_view(series[TEST_START:TEST_END], args.horizon)
            for series in values.values()
        ]
    )
    # Both paths forecast the same windows; the second also carries the actual values.
    column = table[args.model].to_numpy().reshape(forecasts.shape)
    assert np.allclose(column, forecasts, atol=1e-4), "the two ways to predict disagree"
    assert np.allclose(table["y"].to_numpy().reshape(actual.shape), actual, atol=1e-4)
    error = forecasts.astype(np.float64) - actual

    model = forecaster.models[0]
    print(
        json.dumps(
            {
                "models": [
                    {
                        "name": args.model,
                        "mse": float((error**2).mean()),
                        "mae": float(np.abs(error).mean()),
                        "seconds_fit": seconds_fit,
                        "seconds_predict": seconds_predict,
                        "seconds_cross_validation": seconds_cross_validation,
                        "parameters": sum(
                            p.numel() for p in model.parameters() if p.requires_grad
                        ),
                    }
                ],
                "windows": windows,
                "threads": args.threads,
                "peak_memory_mb": round(peak_memory_mb(), 1),
                "hyper_parameters": hyper_parameters(model),
                "versions": {
                    "neuralforecast": neuralforecast.__version__,
                    "torch": torch.__version__,
                },
            }
        )
    )


def read_long(path):
    """ETTh1 standardised on its training rows: as a dict of series, and as the
    long data frame that NeuralForecast takes."""
    import pandas as pd

    wide = pd.read_csv(path, parse_dates=["date"]).iloc[:TEST_END]
    times = wide.pop("date")
    mean = wide[:TRAIN_ROWS].mean()
    deviation = wide[:TRAIN_ROWS].std(ddof=0)
    wide = ((wide - mean) / deviation).astype("float32")
    # Sorted by name, the order in which NeuralForecast returns its series.
    values = {name: wide[name].to_numpy() for name in sorted(wide.columns)}
    frame = pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": times, "y": y}) for name, y in values.items()],
        ignore_index=True,
    )
    return values, frame


def predict_rolling(forecaster, frame):
    """Forecasts of every test window, through the model itself."""
    from neuralforecast.tsdataset import TimeSeriesDataset

    dataset, *_ = TimeSeriesDataset.from_df(
        df=frame, id_col="unique_id", time_col="ds", target_col="y"
    )
    model = forecaster.models[0]
    model.set_test_size(TEST_ROWS)
    return model.predict(dataset, step_size=1)


def hyper_parameters(model):
    """What the model was built with, defaults included, as plain values."""
    plain = {}
    for name, value in sorted(model.hparams.items()):
        simple = value is None or isinstance(value, (bool, int, float, str, list, tuple))
        plain[name] = value if simple else type(value).__name__
    return plain


if __name__ == "__main__":
    main()
