//! How models are trained.

use bessemer::train::{Average, Schedule};
use bessemer::waves::models::{Packets, Quasimoto, Shape};
use bessemer::waves::{AxisScale, FitOptions, Greedy, Loss, Model, Signal, ValueScale};
use clap::ValueEnum;

use crate::error::{CliError, Result};
use crate::number;
use crate::precision::PrecisionName;

/// The training.
#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = "Training")]
pub struct WaveTrainArgs {
    /// Training steps: of `fit`, those after the rounds of packets; of `compare`, all of a model, its rounds among
    /// them [default: 2,000 after 2,400 of the rounds, or 4,400]
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N")]
    steps: Option<u64>,
    /// Learning rate [default: 0.003 for packets, 0.001 for others]
    #[arg(long, value_parser = number::decimal::<f64>, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Learning rate over time [default: cosine]
    #[arg(long, value_enum)]
    schedule: Option<ScheduleName>,
    /// Points in a step [default: all]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N")]
    batch_points: Option<usize>,
    /// What is minimised
    #[arg(long, value_enum, default_value = "mse")]
    loss: LossName,
    /// Arithmetic of products with weights
    #[arg(long, value_enum, default_value_t)]
    precision: PrecisionName,
    /// Largest norm of the gradient [default: not clipped]
    #[arg(long, value_parser = number::decimal::<f32>, value_name = "NORM")]
    clip_norm: Option<f32>,
    /// Keep an exponential average of the weights with this decay, such as 0.999
    #[arg(long, value_parser = number::decimal::<f32>, value_name = "DECAY", conflicts_with = "swa_start")]
    ema: Option<f32>,
    /// Average the weights from this step on (stochastic weight averaging), one in fifty steps, at half the
    /// learning rate
    #[arg(long, value_parser = number::whole::<u64>, value_name = "STEP")]
    swa_start: Option<u64>,
    /// Validations without improvement before training ends [default: none]
    #[arg(long, value_parser = number::whole::<u32>, value_name = "N")]
    patience: Option<u32>,
    /// Seconds after which training ends, whatever steps are left [default: none]
    #[arg(long, value_parser = number::decimal::<f64>, value_name = "SECONDS")]
    max_seconds: Option<f64>,
    /// Rounds in which packets are found one after the other before all are trained; 0 begins with packets
    /// anywhere [default: 8]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N")]
    rounds: Option<usize>,
    /// Leave out packets with less than this share of the energy of all at the end [default: 0]
    #[arg(long, value_parser = number::decimal::<f64>, value_name = "SHARE")]
    drop_below: Option<f64>,
    /// Seed of everything random
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScheduleName {
    /// The same rate throughout
    Constant,
    /// Half a cosine down to 0
    Cosine,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LossName {
    /// Mean squared error
    Mse,
    /// Mean absolute error
    Mae,
}

/// Steps of a training, those of the rounds of packets among them, if none are asked for. The rounds have six
/// elevenths of them.
const STEPS: u64 = 4400;

/// What steps that are asked for count.
#[derive(Clone, Copy, Debug)]
pub enum Steps {
    /// Those that train all packets after the rounds.
    AfterRounds,
    /// All, so that models can be compared; the rounds have their usual share of them, if need be shorter ones.
    InAll,
}

/// What is fitted.
pub struct Asked {
    pub model: Model,
    pub options: FitOptions,
}

impl WaveTrainArgs {
    /// The options for a model of the settings given; `steps` is how many it takes, and what they count.
    pub fn options(&self, model: &Model, validates: bool, steps: Steps) -> Result<FitOptions> {
        let packets = matches!(model, Model::Packets(_));
        let of_packets = [self.rounds.map(|_| "--rounds"), self.drop_below.map(|_| "--drop-below")];
        if let (false, Some(option)) = (packets, of_packets.into_iter().flatten().next()) {
            let problem = format!("`{}` is no model of packets", model.name());
            return Err(CliError::argument(option, problem, "leave it out, or fit packets"));
        }
        let mut options = FitOptions { batch: self.batch_points, ..FitOptions::default() };
        options.precision = self.precision.get();
        options.loss = match self.loss {
            LossName::Mse => Loss::Mse,
            LossName::Mae => Loss::Mae,
        };
        let greedy = Greedy::default();
        if let (true, rounds @ 1..) = (packets, self.rounds.unwrap_or(greedy.rounds)) {
            let drop_below = self.drop_below.unwrap_or(greedy.drop_below);
            options.greedy = Some(Greedy { rounds, drop_below, ..greedy });
        } else if self.drop_below.is_some() {
            let problem = "packets that were not found in rounds are not left out";
            return Err(CliError::argument("--drop-below", problem, "leave it out, or --rounds 0"));
        }
        let train = &mut options.train;
        train.steps = match (&mut options.greedy, steps) {
            (None, _) => self.steps.unwrap_or(STEPS),
            (Some(_), Steps::AfterRounds) => self.steps.unwrap_or(2000),
            (Some(greedy), Steps::InAll) => {
                let all = self.steps.unwrap_or(STEPS);
                let rounds = greedy.rounds as u64 + u64::from(greedy.drop_below > 0.0);
                greedy.steps = greedy.steps.min(all / 11 * 6 / rounds);
                all - rounds * greedy.steps
            }
        };
        train.learning_rate = self.learning_rate.unwrap_or(if packets { 3e-3 } else { 1e-3 });
        train.schedule = match self.schedule {
            Some(ScheduleName::Constant) => Schedule::Constant,
            None | Some(ScheduleName::Cosine) => {
                Schedule::Cosine { warmup: 0, total: train.steps, floor: 0.0 }
            }
        };
        if let Some(start) = self.swa_start.filter(|start| *start >= train.steps) {
            let problem = format!("the training ends after {}, with nothing to average", train.steps);
            return Err(CliError::argument(format!("--swa-start {start}"), problem, "begin earlier"));
        }
        if self.patience == Some(0) {
            let problem = "the training would end before it could get better";
            return Err(CliError::argument("--patience 0", problem, "give 1 or more, or leave it out"));
        }
        train.clip_norm = self.clip_norm;
        train.average = match (self.ema, self.swa_start) {
            (Some(decay), _) => Some(Average::Ema { decay }),
            (None, Some(start)) => {
                let learning_rate = 0.5 * train.learning_rate;
                Some(Average::Swa { start, every: 50, learning_rate, anneal: 50 })
            }
            (None, None) => None,
        };
        train.patience = self.patience;
        train.max_seconds = self.max_seconds;
        train.seed = self.seed;
        if validates {
            train.validate_every = (train.steps / 100).max(1);
        } else if self.patience.is_some() {
            let problem = "there are no validation points to be patient with";
            return Err(CliError::argument("--patience", problem, "give some with --validation"));
        }
        Ok(options)
    }

    /// Of several models, what is meant for this one.
    pub fn of(&self, model: &Model) -> WaveTrainArgs {
        if matches!(model, Model::Packets(_)) { self.clone() } else { self.of_others() }
    }

    /// What is meant for models that are not of packets.
    pub fn of_others(&self) -> WaveTrainArgs {
        WaveTrainArgs { rounds: None, drop_below: None, ..self.clone() }
    }

    /// The reference's model and training for a signal: 16, 8 or 6 packets by the number of axes, coordinates and
    /// values as they are, Adam at a constant rate of 0.001 for 2,000, 1,000 or 500 steps.
    pub fn faithful(&self, signal: &Signal) -> Result<Asked> {
        let (count, steps) = match signal.axes().len() {
            1 | 2 => (16, 2000),
            3 | 4 => (8, 1000),
            _ => (6, 500),
        };
        let model = Model::Quasimoto(Quasimoto { count });
        let given = WaveTrainArgs {
            steps: self.steps.or(Some(steps)),
            learning_rate: self.learning_rate.or(Some(1e-3)),
            schedule: self.schedule.or(Some(ScheduleName::Constant)),
            ..self.clone()
        };
        let mut options = given.options(&model, false, Steps::InAll)?;
        (options.axes, options.values) = (AxisScale::None, ValueScale::None);
        Ok(Asked { model, options })
    }
}

/// A model's name and size.
#[derive(clap::Args, Debug, Clone)]
pub struct SizeArgs {
    /// Packets of a model of packets [default: 24]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N", conflicts_with = "parameters")]
    packets: Option<usize>,
    /// Choose the model's size so that it learns about so many numbers
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N")]
    pub parameters: Option<usize>,
    /// A setting of the model, such as width=32 or chirp=false; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl SizeArgs {
    /// With settings that go before those of the same name.
    pub fn with(&self, settings: impl Iterator<Item = String>) -> SizeArgs {
        let name = |setting: &String| setting.split('=').next().unwrap_or_default().to_string();
        let own: Vec<String> = settings.collect();
        let is_other = |setting: &&String| !own.iter().any(|own| name(own) == name(setting));
        let set = self.set.iter().filter(is_other).chain(&own).cloned().collect();
        SizeArgs { set, ..self.clone() }
    }

    /// Where the model has not the number of parameters that was asked for, what it has.
    pub fn note(&self, model: &Model, shape: Shape) -> Result<Option<String>> {
        let (count, name) = (model.parameter_count(shape)?, model.name());
        Ok(self.parameters.filter(|wanted| *wanted != count).map(|wanted| {
            format!(
                "no `{name}` of these settings has {} parameters; the nearest has {}",
                number::count(wanted),
                number::count(count)
            )
        }))
    }

    /// The model of a name, for a signal.
    pub fn model(&self, name: &str, signal: &Signal, seed: u64) -> Result<Model> {
        let mut model = Model::by_name(name)?;
        if let Some(count) = self.packets {
            match &mut model {
                Model::Packets(Packets { count: of, .. }) | Model::Quasimoto(Quasimoto { count: of }) => {
                    *of = count;
                }
                _ => {
                    let problem = format!("`{}` has no packets", model.name());
                    return Err(CliError::argument("--packets", problem, "give --parameters, or --set"));
                }
            }
        }
        for (place, setting) in self.set.iter().enumerate() {
            let Some((key, value)) = setting.split_once('=') else {
                return Err(CliError::argument(
                    format!("--set {setting}"),
                    "it is no NAME=VALUE",
                    "such as width=32",
                ));
            };
            let same = |other: &&String| other.split_once('=').is_some_and(|(other, _)| other == key);
            let twice = match self.packets {
                Some(packets) if key == "count" => Some(format!("--packets {packets}")),
                _ => self.set[..place].iter().find(same).map(|other| format!("--set {other}")),
            };
            if let Some(other) = twice {
                let problem = format!("it sets the same as {other}");
                return Err(CliError::argument(format!("--set {setting}"), problem, "give one of them"));
            }
            model = model.with(key, value)?;
        }
        let shape = Shape { axes: signal.axes().len(), channels: signal.channels().len(), seed };
        match self.parameters {
            Some(parameters) => Ok(model.with_parameters(parameters, shape)?),
            None => Ok(model),
        }
    }
}
