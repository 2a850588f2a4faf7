//! Options for training, shared by all commands that train.

mod vary;

use std::ops::Range;
use std::path::PathBuf;

use bessemer::forecast::configuration::{Setting, Validation};
use bessemer::forecast::{Configuration, FitOptions, Forecaster, Frame, Loss, Model, Sampling, ScalerKind};
use bessemer::plan::Pool;
use bessemer::train::{Average, OnNotFinite, Optimizer, Schedule};
use clap::ValueEnum;

use super::defaults::Defaults;
use crate::error::{CliError, Result};
use crate::number;
use crate::precision::{PrecisionName, TrainingPrecision};
use crate::run::RunArgs;
use crate::tuning::{DivisionArgs, Tuning};

/// How to train; what is left out has a default for each model.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Training")]
pub struct TrainArgs {
    /// Optimiser steps [default: 1000; with `--protocol ltsf`, epochs]
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N", conflicts_with = "epochs")]
    max_steps: Option<u64>,
    /// Passes over all windows, instead of `--max-steps`
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N")]
    epochs: Option<u64>,
    /// Windows in a batch [default: 32; ltsf: 224, patchtst 896]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N")]
    batch_windows: Option<usize>,
    /// Learning rate [default: 0.001; ltsf: 0.001, nlinear and dlinear 0.01, patchtst 0.0005]
    #[arg(long, value_parser = number::decimal::<f64>, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Update rule [default: adam]
    #[arg(long, value_enum)]
    optimizer: Option<OptimizerName>,
    /// Course of the learning rate [default: constant; ltsf: cosine, mlp and nhits halving]
    #[arg(long, value_enum)]
    schedule: Option<ScheduleName>,
    /// What is minimised [default: mse]
    #[arg(long, value_enum)]
    loss: Option<LossName>,
    /// Which windows a step learns from [default: epochs]
    #[arg(long, value_enum)]
    sampling: Option<SamplingName>,
    /// Scaling of each series, by its training rows: none, standard, robust or minmax [default: standard]
    #[arg(long, value_name = "KIND")]
    pub scaler: Option<String>,
    /// Scaling of each window, by its lags: likewise [default: standard; ltsf: none]
    #[arg(long, value_name = "KIND")]
    window_scaler: Option<String>,
    /// Arithmetic of products with weights; weights themselves are f32 [default: f32]
    #[arg(long, value_enum)]
    precision: Option<TrainingPrecision>,
    /// Batches whose gradients make one step together [default: 1]
    #[arg(long, value_parser = number::whole::<u32>, value_name = "N")]
    accumulate: Option<u32>,
    /// Validate and keep an exponential average of the weights, such as 0.999: the share that each step keeps
    #[arg(long, value_parser = number::decimal::<f32>, value_name = "DECAY", conflicts_with = "swa_start")]
    ema: Option<f32>,
    /// Validate and keep the mean of the weights from this step on (stochastic weight averaging)
    #[arg(long, value_parser = number::whole::<u64>, value_name = "STEP")]
    swa_start: Option<u64>,
    /// Steps from one of the averaged weights to the next [default: an epoch]
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N", requires = "swa_start")]
    swa_every: Option<u64>,
    /// Learning rate while weights are averaged [default: half the learning rate]
    #[arg(long, value_parser = number::decimal::<f64>, value_name = "RATE", requires = "swa_start")]
    swa_rate: Option<f64>,
    /// What to do about a loss or a gradient that is infinite or NaN [default: stop]
    #[arg(long, value_enum)]
    on_not_finite: Option<OnNotFiniteName>,
    /// Seconds after which training ends, whatever steps are left [default: none]
    #[arg(long, value_parser = number::decimal::<f64>, value_name = "SECONDS")]
    max_seconds: Option<f64>,
    #[command(flatten)]
    division: DivisionArgs,
    /// Percent of the memory of activations that may be used: what is cheapest to compute again is dropped until then [default: all of it]
    #[arg(long, value_parser = number::percent, value_name = "PERCENT")]
    activations: Option<u8>,
    /// Largest norm of the gradient [default: not clipped]
    #[arg(long, value_parser = number::decimal::<f32>, value_name = "NORM")]
    clip_norm: Option<f32>,
    /// Validations without improvement before training ends [default: none; ltsf: mlp and nhits 3]
    #[arg(long, value_parser = number::whole::<u32>, value_name = "N")]
    patience: Option<u32>,
    /// Steps between validations [default: an epoch, but at least a twentieth and at most a tenth of the steps; ltsf nlinear and dlinear: only at the end]
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N")]
    validate_every: Option<u64>,
    /// Rows at the end of the training data that choose the weights: a count, or a fraction such as 0.1;
    /// 0 for none, then the last weights are kept [default: 0; ltsf: the protocol's]
    #[arg(long, value_name = "ROWS", value_parser = str::parse::<Validation>)]
    pub validation: Option<Validation>,
    /// Seed of everything random [default: 1; ltsf: 2021]
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N")]
    pub seed: Option<u64>,
    /// TOML file of settings, which the command line overrides; `--print-config` shows all there are
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    pub config: Option<PathBuf>,
    /// A setting of the model or the training, such as hidden=256, nhits.pool=4,2,1 or optimizer.beta1=0.8; may
    /// be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting, help_heading = "Configuration")]
    set: Vec<Setting>,
    /// Print all settings as they would be used, as a TOML file for `--config`, and train nothing
    #[arg(long, help_heading = "Configuration")]
    pub print_config: bool,
}

/// How long to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// Optimiser steps.
    Steps(u64),
    /// Passes over the windows.
    Epochs(u64),
}

/// What to do about NaN, by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnNotFiniteName {
    /// End with an error that names where it came from
    Stop,
    /// Leave the weights as they are, count the step and go on
    Skip,
    /// Go on as if nothing were wrong
    Continue,
}

/// Update rules by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OptimizerName {
    Adam,
    Adamw,
    Sgd,
    Rmsprop,
}

/// Schedules by name.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum ScheduleName {
    /// The same rate throughout
    Constant,
    /// Half a cosine down to 0
    Cosine,
    /// A line down to 0
    Linear,
    /// Half the rate after each epoch
    Halving,
    /// Half the rate after each third of the steps
    Thirds,
    /// Half the rate after 3 validations without improvement
    Plateau,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LossName {
    /// Mean squared error
    Mse,
    /// Mean absolute error
    Mae,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SamplingName {
    /// All windows once per epoch, in a new order each time
    Epochs,
    /// Windows drawn anew at every step
    Random,
}

impl TrainArgs {
    /// Refuses what can be told to be wrong without the data.
    pub fn check(&self) -> Result<()> {
        for kind in [&self.scaler, &self.window_scaler].into_iter().flatten() {
            kind.parse::<ScalerKind>()?;
        }
        let zero = |name: &str| {
            Err(CliError::argument(
                format!("--{name} 0"),
                "it must be at least 1",
                "leave it out for the default",
            ))
        };
        let positive = |name: &str, value: Option<f64>| match value {
            Some(value) if !(value > 0.0 && value.is_finite()) => Err(CliError::argument(
                format!("--{name} {value}"),
                "it must be a positive number",
                "leave it out for the default",
            )),
            _ => Ok(()),
        };
        positive("learning-rate", self.learning_rate)?;
        positive("clip-norm", self.clip_norm.map(f64::from))?;
        positive("max-seconds", self.max_seconds)?;
        positive("swa-rate", self.swa_rate)?;
        if let Some(decay) = self.ema.filter(|decay| !(0.0..1.0).contains(decay)) {
            let problem = "it must be from 0 to less than 1";
            return Err(CliError::argument(format!("--ema {decay}"), problem, "0.999 is usual"));
        }
        match () {
            () if self.max_steps == Some(0) => zero("max-steps"),
            () if self.epochs == Some(0) => zero("epochs"),
            () if self.batch_windows == Some(0) => zero("batch-windows"),
            () if self.patience == Some(0) => zero("patience"),
            () if self.accumulate == Some(0) => zero("accumulate"),
            () if self.swa_every == Some(0) => zero("swa-every"),
            () if self.division.micro_batch == Some(0) => zero("micro-batch"),
            () if self.division.lanes == Some(0) => zero("lanes"),
            // The description of a saved model is TOML, whose whole numbers end there.
            () if self.seed.is_some_and(|seed| i64::try_from(seed).is_err()) => Err(CliError::argument(
                format!("--seed {}", self.seed.unwrap_or_default()),
                format!("it must be at most {}", i64::MAX),
                "any smaller number is as good",
            )),
            () => Ok(()),
        }
    }

    /// The options with a division of the batch chosen by the clock, if that is asked for. Says so where the
    /// precision asked for is of little use.
    pub fn tuned(
        &self,
        model: &Model,
        options: FitOptions,
        pool: &Pool,
        run: &RunArgs,
    ) -> Result<(FitOptions, Option<Tuning>)> {
        let precision = PrecisionName::from(options.precision);
        if precision != PrecisionName::F32 {
            run.note_precision(precision, options.products(model)?);
        }
        if !self.division.tune {
            return Ok((options, None));
        }
        let (options, candidates) = options.tuned(model, pool)?;
        let tuning = Tuning::new(options.micro_batch, options.lanes, candidates);
        Ok((options, Some(tuning)))
    }

    /// Whether the clock divides the batch.
    pub fn tunes(&self) -> bool {
        self.division.tune
    }

    fn average(&self, learning_rate: f64, epoch: u64) -> Option<Average> {
        let swa = |start| {
            let every = self.swa_every.unwrap_or(epoch);
            let learning_rate = self.swa_rate.unwrap_or(0.5 * learning_rate);
            Average::Swa { start, every, learning_rate, anneal: every }
        };
        self.ema.map(|decay| Average::Ema { decay }).or(self.swa_start.map(swa))
    }

    /// The settings of the configuration file and of `--set`.
    pub fn configuration(&self) -> Result<Configuration> {
        let file = self.config.as_deref().map(Configuration::read).transpose()?.unwrap_or_default();
        let configuration = self.set.iter().cloned().fold(file, Configuration::and);
        // Slips are told before any data are read.
        configuration.options(FitOptions::new(1, 1))?;
        Ok(configuration)
    }

    /// The rows to hold back, as given on the command line or in the configuration file.
    pub fn validation(&self, configuration: &Configuration) -> Option<Validation> {
        self.validation.or(configuration.validation)
    }

    /// The options for one model on these rows.
    pub fn options(
        &self,
        configuration: &Configuration,
        defaults: &Defaults,
        (horizon, lookback): (usize, usize),
        frame: &Frame,
        training: &[Range<usize>],
        validates: bool,
    ) -> Result<FitOptions> {
        let mut options = configuration.options(defaults.options(horizon, lookback))?;
        // What is given as an option of its own comes last.
        (options.horizon, options.lookback) = (horizon, lookback);
        for (given, kind) in
            [(&self.scaler, &mut options.scaler), (&self.window_scaler, &mut options.window_scaler)]
        {
            *kind = given.as_ref().map_or(Ok(*kind), |given| given.parse())?;
        }
        options.precision = self.precision.map_or(options.precision, |precision| precision.name().get());
        options.activations = self.activations.or(options.activations);
        options.micro_batch = self.division.micro_batch.or(options.micro_batch);
        options.lanes = self.division.lanes.or(options.lanes);
        options.windows = self.batch_windows.unwrap_or(options.windows);
        options.sampling = match self.sampling {
            Some(SamplingName::Epochs) => Sampling::Epochs,
            Some(SamplingName::Random) => Sampling::Random,
            None => options.sampling,
        };
        options.loss = match self.loss {
            Some(LossName::Mse) => Loss::Mse,
            Some(LossName::Mae) => Loss::Mae,
            None => options.loss,
        };
        let batches = Forecaster::steps_per_epoch(frame, training, &options)?;
        let train = &mut options.train;
        train.accumulate = self.accumulate.unwrap_or(train.accumulate);
        let epoch = batches.div_ceil(u64::from(train.accumulate.max(1)));
        let amount = match (self.max_steps, self.epochs) {
            (Some(steps), _) => Amount::Steps(steps),
            (None, Some(epochs)) => Amount::Epochs(epochs),
            (None, None) if configuration.has(&["train", "steps"]) => Amount::Steps(train.steps),
            (None, None) => defaults.amount,
        };
        train.steps = match amount {
            Amount::Steps(steps) => steps,
            Amount::Epochs(epochs) => epochs.saturating_mul(epoch),
        };
        train.learning_rate = self.learning_rate.unwrap_or(train.learning_rate);
        train.optimizer = self.optimizer.map_or(train.optimizer, OptimizerName::get);
        let schedule = match self.schedule {
            None if configuration.has(&["train", "schedule"]) => None,
            given => Some(given.unwrap_or(defaults.schedule)),
        };
        train.schedule = schedule.map_or(train.schedule, |name| name.get(train.steps, epoch));
        train.clip_norm = self.clip_norm.or(train.clip_norm);
        train.average = self.average(train.learning_rate, epoch).or(train.average);
        train.on_not_finite = match self.on_not_finite {
            Some(OnNotFiniteName::Stop) => OnNotFinite::Stop,
            Some(OnNotFiniteName::Skip) => OnNotFinite::Skip,
            Some(OnNotFiniteName::Continue) => OnNotFinite::Continue,
            None => train.on_not_finite,
        };
        train.max_seconds = self.max_seconds.or(train.max_seconds);
        train.seed = self.seed.unwrap_or(train.seed);
        if validates {
            let every = match amount {
                Amount::Steps(steps) => epoch.clamp(steps.div_ceil(20), steps.div_ceil(10)),
                Amount::Epochs(_) => epoch,
            };
            // 0: only at the end, so that the last weights are kept.
            let default = match configuration.has(&["train", "validate_every"]) {
                true => train.validate_every,
                false if defaults.keep_best => every,
                false => 0,
            };
            train.validate_every = self.validate_every.unwrap_or(default);
            let known = configuration.has(&["train", "patience"]);
            let default = if known { train.patience } else { defaults.patience };
            train.patience = self.patience.or(default);
        } else if self.patience.or(train.patience).is_some()
            || self.validate_every.is_some()
            || train.validate_every > 0
            || matches!(train.schedule, Schedule::Plateau { .. })
        {
            return Err(CliError::argument(
                "--patience, --validate-every and --schedule plateau",
                "there are no validation rows to choose the weights by",
                "give some with --validation, such as --validation 0.1",
            ));
        }
        Ok(options)
    }
}

/// `name=value`, for clap.
fn setting(text: &str) -> std::result::Result<Setting, String> {
    let (name, value) = text.split_once('=').ok_or("it must be setting=value, such as hidden=256")?;
    Ok(Setting::new(format!("--set {text}"), name, value))
}

impl OptimizerName {
    fn get(self) -> Optimizer {
        match self {
            OptimizerName::Adam => Optimizer::ADAM,
            OptimizerName::Adamw => Optimizer::ADAMW,
            OptimizerName::Sgd => Optimizer::SGD,
            OptimizerName::Rmsprop => Optimizer::RMSPROP,
        }
    }
}

impl ScheduleName {
    fn get(self, total: u64, epoch: u64) -> Schedule {
        match self {
            ScheduleName::Constant => Schedule::Constant,
            ScheduleName::Cosine => Schedule::Cosine { warmup: 0, total, floor: 0.0 },
            ScheduleName::Linear => Schedule::Linear { warmup: 0, total, floor: 0.0 },
            ScheduleName::Halving => Schedule::Step { every: epoch, gamma: 0.5 },
            ScheduleName::Thirds => Schedule::Step { every: (total / 3).max(1), gamma: 0.5 },
            ScheduleName::Plateau => Schedule::Plateau { factor: 0.5, patience: 3 },
        }
    }
}
