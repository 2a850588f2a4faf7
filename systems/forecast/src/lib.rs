//! Time-series forecasting: frames, windows, models, backtests.
