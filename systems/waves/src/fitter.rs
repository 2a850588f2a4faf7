//! Fitting a model to a signal.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use bessemer_nn::Trace;
use bessemer_plan::{Parameters, Pool, Precision};
use bessemer_train::{Checkpoints, Event, History, weights};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::lesson::Lesson;
use crate::models::{Model, Shape};
use crate::options::FitOptions;
use crate::predictor::Predictor;
use crate::rounds::Rounds;
use crate::scale::{AxisScale, Scale, ValueScale};
use crate::scores::{Note, Outcome, Score, means, parts};
use crate::signal::{Origin, Signal};
use crate::source::Source;
use crate::split::Split;
use crate::task::{PointTask, Samples};

/// Numbers that a saved model may compute on its way to the values of a point, at most.
const MAX_COMPUTED: u128 = 1 << 28;

/// An axis or a channel, with its scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scaled {
    pub name: String,
    /// Of the signal that the scale was fitted to: the scale is one of numbers less this.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: f64,
    pub scale: Scale,
}

fn is_zero(offset: &f64) -> bool {
    *offset == 0.0
}

impl Scaled {
    /// The scale of numbers that are less another offset.
    pub fn less(&self, offset: f64) -> Scale {
        Scale { shift: self.scale.shift + (self.offset - offset), ..self.scale }
    }
}

/// A model that was fitted to a signal.
///
/// ```
/// use bessemer_plan::Pool;
/// use bessemer_waves::{FitOptions, Generator, Model, Part, Split, SplitOptions, WaveFitter};
///
/// let signal = Generator::by_name("moving-packet")?.signal()?;
/// let options = SplitOptions { interleaved: Some(5), ..SplitOptions::default() };
/// let split = Split::new(&signal, &options)?;
/// let mut options = FitOptions { batch: Some(512), ..FitOptions::default() };
/// options.train.steps = 60;
/// let pool = Pool::new(2); // the result is the same for any number of threads
/// let mut fitted = WaveFitter::fit(&signal, &split, &Model::by_name("gaussian")?, &options, &pool)?;
/// let outcome = fitted.evaluate(&signal, &split, &pool)?;
/// let score = outcome.score(Part::Interleaved).unwrap();
/// assert!(score.mse < score.mean_mse);
/// let values = fitted.predict(&[0.5, 0.25, -1.0, 0.75], &pool)?; // at two points (x, t)
/// assert_eq!(values.len(), 2);
/// # Ok::<(), bessemer_waves::Error>(())
/// ```
pub struct WaveFitter {
    pub(crate) model: Model,
    pub(crate) options: FitOptions,
    pub(crate) axes: Vec<Scaled>,
    pub(crate) channels: Vec<Scaled>,
    pub(crate) parameters: Parameters,
    pub(crate) source: Source,
    /// What training did, and how long all of the fit took, but for what an earlier run of it took to find packets;
    /// of a model that was loaded, nothing.
    pub history: History,
    predictor: Option<Predictor>,
}

impl WaveFitter {
    /// Fits a model to the training points of a signal; scales are taken from these alone. With validation
    /// points, the weights that are best on them are kept.
    ///
    /// # Errors
    /// If settings make no sense for this signal, the split is another signal's, or the loss is no number any
    /// more.
    pub fn fit(
        signal: &Signal,
        split: &Split,
        model: &Model,
        options: &FitOptions,
        pool: &Pool,
    ) -> Result<WaveFitter> {
        let watch = &mut |_: Event| ControlFlow::Continue(());
        WaveFitter::fit_watched(signal, split, model, options, None, pool, watch)
    }

    /// As [`WaveFitter::fit`]. With `checkpoints` the training can go on where it was stopped; `watch` sees every
    /// step and may end the training.
    pub fn fit_watched(
        signal: &Signal,
        split: &Split,
        model: &Model,
        options: &FitOptions,
        checkpoints: Option<&Checkpoints>,
        pool: &Pool,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<WaveFitter> {
        options.check()?;
        if !matches!(model, Model::Packets(_)) && options.greedy.is_some() {
            let problem = format!("`{}` is no model of packets", model.name());
            return Err(Error::Option { what: "greedy", problem, remedy: "leave it out, or fit `packets`" });
        }
        split.check(signal.len())?;
        let mut options = options.clone();
        if options.precision == Precision::F16 {
            options.train.grad_scaler.get_or_insert_default();
        }
        let (axes, channels) = scales(signal, split, &options);
        let shape = Shape { axes: axes.len(), channels: channels.len(), seed: options.train.seed };
        model.parameter_count(shape)?;
        let samples = |numbers: &[usize]| samples(signal, numbers, model, &axes, &channels);

        let training = samples(&split.train)?;
        let batch = options.batch.map_or(training.inputs.len(), |batch| batch.min(training.inputs.len()));
        let of_data = [training.inputs.points(), &training.targets];
        let mut checkpoints = checkpoints.map(|checkpoints| Checkpoints {
            about: options.about(model, &of_data, &checkpoints.about),
            ..checkpoints.clone()
        });
        let validation = match split.validation.len() {
            0 => None,
            len => Some((samples(&split.validation)?, Predictor::new(model, shape, options.precision, len)?)),
        };
        let seed = options.train.seed;
        let task = PointTask {
            training,
            validation,
            channels: channels.len(),
            loss: options.loss,
            batch,
            seed,
            order: None,
        };
        let mut lesson = Lesson { task, shape, options: &options, pool };
        let start = Instant::now();
        let mut begun = None;
        if let (Some(greedy), Model::Packets(kind)) = (&options.greedy, model) {
            let resumed = checkpoints.as_ref().filter(|checkpoints| checkpoints.resume);
            let rounds =
                resumed.map(|resumed| Rounds::read(resumed, greedy, kind, shape)).transpose()?.flatten();
            // A training of all packets that goes on has them in its own checkpoint.
            if rounds.is_some() || resumed.is_none() {
                begun = Some(lesson.find_packets(greedy, kind, rounds, checkpoints.as_ref(), watch)?);
                checkpoints.iter_mut().for_each(|checkpoints| checkpoints.resume = false);
            }
        }
        let rounds = start.elapsed();
        let before = options.greedy.map_or(0, |greedy| greedy.rounds as u64 * greedy.steps);
        let (parameters, mut history) =
            lesson.learn(model, begun, &options.train, before, checkpoints.as_ref(), watch)?;
        let start = Instant::now();
        let (model, parameters) = match (&options.greedy, model) {
            (Some(greedy), Model::Packets(kind)) if greedy.drop_below > 0.0 => {
                lesson.drop_weak(greedy, kind, parameters, before + options.train.steps, watch)?
            }
            _ => (model.clone(), parameters),
        };
        // Finding packets and leaving some out is part of the fit.
        history.elapsed += rounds + start.elapsed();
        Ok(WaveFitter::fitted(model, options, axes, channels, parameters, Source::of(signal), history))
    }

    /// A model that was fitted elsewhere.
    pub(crate) fn fitted(
        model: Model,
        options: FitOptions,
        axes: Vec<Scaled>,
        channels: Vec<Scaled>,
        parameters: Parameters,
        source: Source,
        history: History,
    ) -> WaveFitter {
        WaveFitter { model, options, axes, channels, parameters, source, history, predictor: None }
    }

    /// An untrained model whose weights are still to be read from the file `weights`, which must be large enough
    /// for what its settings ask for.
    pub(crate) fn untrained(
        model: Model,
        options: FitOptions,
        axes: Vec<Scaled>,
        channels: Vec<Scaled>,
        source: Source,
        weights: &Path,
    ) -> Result<WaveFitter> {
        options.check()?;
        crate::signal::check_size(1, axes.len(), channels.len())?;
        let shape = Shape { axes: axes.len(), channels: channels.len(), seed: options.train.seed };
        let learned = model.parameter_count(shape)? as u64;
        let failed = |problem| Error::ModelFolder { path: weights.to_path_buf(), problem };
        let bytes = std::fs::metadata(weights).map_err(|e| failed(e.to_string()))?.len();
        if learned * size_of::<f32>() as u64 > bytes.min(weights::MAX_BYTES) {
            return Err(failed(format!(
                "its {bytes} bytes cannot hold the {learned} parameters of this model; copy or save it again"
            )));
        }
        let mut t = Trace::new(1, 1, false);
        let points = t.input("points", &[shape.axes]);
        model.network().forward(&mut t, points, shape).map_err(crate::options::failed)?;
        let numbers = |shape: &Vec<usize>| shape.iter().map(|n| *n as u128).product::<u128>();
        let computed: u128 = t.graph.types().iter().map(|ty| numbers(&ty.shape)).sum();
        if computed - u128::from(learned) > MAX_COMPUTED {
            let problem = format!("a value would take more than {MAX_COMPUTED} numbers; fit a smaller model");
            return Err(Error::ModelSettings { model: model.name(), problem });
        }
        let parameters = Parameters::new(t.graph.parameters());
        Ok(WaveFitter::fitted(model, options, axes, channels, parameters, source, History::default()))
    }

    /// The model with its settings.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How it was fitted.
    pub fn options(&self) -> &FitOptions {
        &self.options
    }

    /// The names of the axes.
    pub fn axes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.axes.iter().map(|axis| axis.name.as_str())
    }

    /// The names of the channels.
    pub fn channels(&self) -> impl ExactSizeIterator<Item = &str> {
        self.channels.iter().map(|channel| channel.name.as_str())
    }

    /// How many numbers were learned.
    pub fn parameter_count(&self) -> usize {
        self.parameters.count()
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape { axes: self.axes.len(), channels: self.channels.len(), seed: self.options.train.seed }
    }

    /// Values `[N, channels]` at points `[N, axes]`, in the units of the signal. Where these are far from 0 beside
    /// what they differ by, [`WaveFitter::reconstruct`] and [`WaveFitter::render`] have them more exactly.
    ///
    /// # Errors
    /// If the coordinates are not so many for each point, or one is infinite or NaN.
    pub fn predict(&mut self, points: &[f32], pool: &Pool) -> Result<Vec<f32>> {
        self.predict_less(points, &Origin::default(), pool)
    }

    /// Likewise of points and values that are less the offsets of a signal.
    pub(crate) fn predict_less(&mut self, points: &[f32], origin: &Origin, pool: &Pool) -> Result<Vec<f32>> {
        let d = self.axes.len();
        let n = points.len() / d;
        if !points.len().is_multiple_of(d) {
            let (found, expected) = (points.len(), n * d);
            return Err(Error::Mismatch { what: "coordinates", found, points: n, width: d, expected });
        }
        if let Some(place) = points.iter().position(|x| !x.is_finite()) {
            let name = format!("`{}`", self.axes[place % d].name);
            return Err(Error::NotFinite { point: place / d, name, value: points[place] });
        }
        let inputs =
            Inputs::new(&self.model, &less(&self.axes, &origin.axis_offsets), points.iter().copied())?;
        let predictor = match self.predictor.take().filter(|predictor| predictor.is_for(n)) {
            Some(predictor) => predictor,
            None => Predictor::new(&self.model, self.shape(), self.options.precision, n)?,
        };
        let predictor = self.predictor.insert(predictor);
        let mut values = predictor.predict(pool, &self.parameters, &inputs)?;
        let scales = less(&self.channels, &origin.channel_offsets);
        for values in values.chunks_exact_mut(self.channels.len()) {
            values.iter_mut().zip(&scales).for_each(|(y, scale)| *y = scale.undo(*y));
        }
        Ok(values)
    }

    /// The signal as the model has it: its values at the same points.
    ///
    /// # Errors
    /// If the signal has other axes or channels than the one the model was fitted to.
    pub fn reconstruct(&mut self, signal: &Signal, pool: &Pool) -> Result<Signal> {
        self.check_names(signal)?;
        signal.with_values(self.predict_less(signal.points(), &signal.origin, pool)?)
    }

    /// Scores the model on every part of a split that has points.
    ///
    /// # Errors
    /// If the signal has other axes or channels than the one the model was fitted to, or the split is another
    /// signal's.
    pub fn evaluate(&mut self, signal: &Signal, split: &Split, pool: &Pool) -> Result<Outcome> {
        self.check_names(signal)?;
        split.check(signal.len())?;
        let means = means(signal, &split.train);
        let mut scores = Vec::new();
        for (part, numbers) in parts(signal, split) {
            let points: Vec<f32> = numbers.iter().flat_map(|number| signal.point(*number)).copied().collect();
            let predicted = self.predict_less(&points, &signal.origin, pool)?;
            scores.push(Score::new(part, signal, &numbers, &predicted, &means));
        }
        let parameters = self.parameter_count();
        Ok(Outcome {
            scores,
            parameters,
            bytes: (parameters * size_of::<f32>()) as u64,
            raw_bytes: signal.raw_bytes(),
            notes: self.notes(signal, split),
        })
    }

    fn notes(&self, signal: &Signal, split: &Split) -> Vec<Note> {
        let mut notes = Vec::new();
        let (parameters, values) = (self.parameter_count(), split.train.len() * self.channels.len());
        if parameters > values {
            notes.push(Note::MoreParametersThanPoints { parameters, values });
        }
        if let Model::Quasimoto(model) = &self.model
            && !self.history.losses.is_empty()
            && model.is_frozen(&self.parameters, self.shape())
        {
            notes.push(Note::Frozen { names: "omega and v", packets: model.count });
        }
        notes.extend(signal.origin.merged.iter().cloned().map(Note::Merged));
        let first = split.train[0];
        let is_constant = |of: &dyn Fn(usize) -> f32| split.train.iter().all(|n| of(*n) == of(first));
        for (place, axis) in self.axes().enumerate() {
            if is_constant(&|number| signal.point(number)[place]) {
                notes.push(Note::ConstantAxis { axis: axis.to_string() });
            }
        }
        for (place, channel) in self.channels().enumerate() {
            if is_constant(&|number| signal.value(number)[place]) {
                notes.push(Note::ConstantChannel { channel: channel.to_string() });
            }
        }
        notes
    }

    fn check_names(&self, signal: &Signal) -> Result<()> {
        let same = |own: &[Scaled], other: &[String]| own.iter().map(|own| &own.name).eq(other);
        if same(&self.axes, signal.axes()) && same(&self.channels, signal.channels()) {
            return Ok(());
        }
        let names = |names: &mut dyn Iterator<Item = &str>| {
            names.map(|name| format!("`{name}`")).collect::<Vec<String>>().join(", ")
        };
        let problem = format!(
            "axes {} and channels {}, but the model was fitted to axes {} and channels {}",
            names(&mut signal.axes().iter().map(String::as_str)),
            names(&mut signal.channels().iter().map(String::as_str)),
            names(&mut self.axes()),
            names(&mut self.channels())
        );
        let remedy = "give a signal of the same kind, or fit again";
        Err(Error::Option { what: "signal", problem, remedy })
    }
}

/// The scales of numbers that are less these offsets, each 0 if there are none.
pub(crate) fn less(scaled: &[Scaled], offsets: &[f64]) -> Vec<Scale> {
    let offset = |place: usize| offsets.get(place).copied().unwrap_or(0.0);
    scaled.iter().enumerate().map(|(place, scaled)| scaled.less(offset(place))).collect()
}

/// Points by number, as a network reads them, with their scaled values.
pub(crate) fn samples(
    signal: &Signal,
    numbers: &[usize],
    model: &Model,
    axes: &[Scaled],
    channels: &[Scaled],
) -> Result<Samples> {
    let points = numbers.iter().flat_map(|number| signal.point(*number)).copied();
    let inputs = Inputs::new(model, &less(axes, &signal.origin.axis_offsets), points)?;
    let values = numbers.iter().flat_map(|number| signal.value(*number));
    let scales = less(channels, &signal.origin.channel_offsets);
    let targets = values.zip(scales.iter().cycle()).map(|(y, scale)| scale.apply(*y)).collect();
    Ok(Samples { inputs, targets })
}

/// Scales of axes and channels, by the training points.
pub(crate) fn scales(signal: &Signal, split: &Split, options: &FitOptions) -> (Vec<Scaled>, Vec<Scaled>) {
    let of_axis = |(place, name): (usize, &String)| {
        let along = split.train.iter().map(|number| &signal.point(*number)[place]);
        let scale = Scale::of_axis(options.axes, along);
        // Coordinates as they are have no offset.
        let offset = if options.axes == AxisScale::None { 0.0 } else { signal.axis_offset(place) };
        Scaled { name: name.clone(), offset, scale }
    };
    let of_channel = |(place, name): (usize, &String)| {
        let values = split.train.iter().map(|number| &signal.value(*number)[place]);
        let scale = Scale::of_channel(options.values, values);
        let offset = if options.values == ValueScale::None { 0.0 } else { signal.channel_offset(place) };
        Scaled { name: name.clone(), offset, scale }
    };
    let axes = signal.axes().iter().enumerate().map(of_axis).collect();
    (axes, signal.channels().iter().enumerate().map(of_channel).collect())
}
