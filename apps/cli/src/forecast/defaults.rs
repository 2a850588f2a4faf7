//! How models are trained unless the command line says otherwise: one table.

use bessemer::forecast::{FitOptions, ScalerKind};

use super::protocol::Protocol;
use super::training::{Amount, ScheduleName};

/// Defaults of one model under one protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    /// How long to train.
    pub amount: Amount,
    /// Windows in a batch.
    pub batch_windows: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// Its course.
    pub schedule: ScheduleName,
    /// Validations without improvement before the end; needs validation rows.
    pub patience: Option<u32>,
    /// Keep the weights that are best on the validation rows, not the last ones.
    pub keep_best: bool,
    /// Scaling of each window.
    pub window_scaler: ScalerKind,
    /// Seed.
    pub seed: u64,
}

/// For models without published settings, and outside the benchmarks.
const GENERAL: Defaults = Defaults {
    amount: Amount::Steps(1000),
    batch_windows: 32,
    learning_rate: 1e-3,
    schedule: ScheduleName::Constant,
    patience: None,
    keep_best: true,
    window_scaler: ScalerKind::Standard,
    seed: 1,
};

/// Zeng et al. 2023: 32 origins x 7 series in a batch, at most 10 epochs, the rate halved each epoch.
const LTSF: Defaults = Defaults {
    amount: Amount::Epochs(10),
    batch_windows: 224,
    learning_rate: 1e-3,
    schedule: ScheduleName::Halving,
    patience: Some(3),
    keep_best: true,
    window_scaler: ScalerKind::None,
    seed: 2021,
};

/// The same batches and epochs, with the rate falling to 0 over all of them.
const ANNEALED: Defaults = Defaults { schedule: ScheduleName::Cosine, patience: None, ..LTSF };

/// The defaults of a model.
pub fn of(protocol: Protocol, model: &str) -> Defaults {
    match (protocol, model) {
        (Protocol::Holdout, _) => GENERAL,
        // Annealed to the end and kept as it is there: which epoch validates best before that is mostly chance.
        (Protocol::Ltsf, "nlinear" | "dlinear") => {
            Defaults { learning_rate: 1e-2, keep_best: false, ..ANNEALED }
        }
        // Nie et al. 2023: 128 origins x 7 series, but annealed over 15 epochs instead of up to 100.
        (Protocol::Ltsf, "patchtst") => {
            Defaults { amount: Amount::Epochs(15), batch_windows: 896, learning_rate: 5e-4, ..ANNEALED }
        }
        (Protocol::Ltsf, _) => LTSF,
    }
}

/// The lookback, where it is not given: that of the published experiments, or two horizons or two seasons,
/// whichever is longer.
pub fn lookback(protocol: Protocol, horizon: usize, season: usize) -> usize {
    match protocol {
        Protocol::Ltsf => 336,
        Protocol::Holdout => horizon.max(season).saturating_mul(2),
    }
}

impl Defaults {
    /// Options with everything but the amount of training and the schedule, which depend on the data.
    pub fn options(&self, horizon: usize, lookback: usize) -> FitOptions {
        let mut options = FitOptions::new(horizon, lookback);
        options.windows = self.batch_windows;
        options.window_scaler = self.window_scaler;
        options.train.learning_rate = self.learning_rate;
        options.train.seed = self.seed;
        options
    }
}
