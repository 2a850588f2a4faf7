//! Why a sample is of its class: its route through the graph, and what each feature counts for.

use std::fmt::Write;

use bessemer_kernels::pool::Pool;
use bessemer_phase_reader::{STRENGTH_BITS, decide, propagate};

use crate::classifier::Classifier;
use crate::credit::Chain;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::memory::Memory;
use crate::network::Network;
use crate::options::FitOptions;
use crate::radiation::{Finder, Index};
use crate::route::{Message, Route};

/// What became of one sample.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The class, by number.
    pub class: usize,
    /// The logits of all classes; none if no output answered.
    pub logits: Vec<f32>,
    /// The outputs that answered.
    pub outputs: Vec<u16>,
    /// Messages that had a part in what these hold, with the steps they were sent in, counted from 1.
    pub messages: Vec<(usize, Message)>,
    /// What the class's logit rises by with the level of each feature, as long as no message begins or ceases to
    /// arrive.
    pub saliency: Vec<f32>,
}

impl Classifier {
    /// Explains the answer to a sample of `values`, one a feature.
    ///
    /// # Errors
    /// If there are more or fewer values than the model has features.
    pub fn explain(&self, values: &[f32]) -> Result<Explanation> {
        let features = self.columns.features.len();
        if values.len() != features {
            let problem = format!("{} values, but the model has {features} features", values.len());
            return Err(Error::Data { place: "sample".into(), problem });
        }
        let network = &self.network;
        let (shape, d) = (&network.shape, network.shape.dimensions);
        let mut levels = Vec::new();
        self.scaler.levels(values, &mut levels);
        let levels: Vec<f32> = levels.into_iter().map(f32::from).collect();
        let mut indices = Vec::new();
        network.adapter.indices(&network.settings, &levels, &Pool::new(1), &mut indices);
        let (mut memory, mut route) = (Memory::new(shape), Route::default());
        let index = Index::exact(network, &self.options);
        let mut finder = Finder::new(shape.nodes, &FitOptions::default());
        let view = network.view();
        let mut state = memory.state();
        let spread = propagate(&view, &indices, &mut state, &mut finder.on(&index), &mut route);
        let Some(class) = decide(&view, &state, &spread) else {
            return Ok(Explanation {
                class: shape.fallback,
                logits: Vec::new(),
                outputs: Vec::new(),
                messages: Vec::new(),
                saliency: vec![0.0; values.len()],
            });
        };
        let active = &state.active[..spread.active];
        let mut outputs: Vec<u16> =
            active.iter().copied().filter(|node| view.is_output(*node as usize)).collect();
        outputs.sort_unstable();
        let held = |from: &[i16]| -> Vec<i16> {
            outputs.iter().flat_map(|node| &from[*node as usize * d..][..d]).copied().collect()
        };
        let (phase, magnitude) = (held(state.phase), held(state.magnitude));
        let units = network.codes.units(&network.tables);
        let loss = Loss {
            tables: &network.tables,
            units: &units,
            dimensions: d,
            temperature: self.options.temperature,
        };
        let mut logits = vec![0.0; shape.classes];
        loss.logits(&phase, &magnitude, &mut logits);
        // The slope of one logit: as if of a loss that is this logit.
        let only: Vec<f32> = (0..shape.classes).map(|at| f32::from(u8::from(at == class))).collect();
        let mut slopes = vec![0.0; outputs.len() * 2 * d];
        loss.slopes(&phase, &magnitude, &only, &mut slopes);
        let mut own = vec![0.0; network.phase.len() * 2];
        let mut inputs = vec![0.0; shape.rows()];
        Chain::new(shape.nodes, d).take_back(&route, &outputs, &slopes, &mut own, &mut inputs);
        let mut saliency = vec![0.0; values.len()];
        let scale = 1.0 / (1u32 << shape.shift) as f32;
        for (slope, weights) in inputs.iter().zip(network.adapter.weights.chunks_exact(shape.features)) {
            saliency.iter_mut().zip(weights).for_each(|(sum, w)| *sum += slope * f32::from(*w) * scale);
        }
        let messages = leading_to(&outputs, &route, shape.nodes);
        Ok(Explanation { class, logits, outputs, messages, saliency })
    }
}

/// The messages of a route that outputs still hold a part of.
fn leading_to(outputs: &[u16], route: &Route, nodes: usize) -> Vec<(usize, Message)> {
    let mut counts = vec![false; nodes];
    outputs.iter().for_each(|node| counts[*node as usize] = true);
    let mut found = Vec::new();
    for step in (0..route.steps()).rev() {
        let mut before = vec![false; nodes];
        route.active(step).iter().for_each(|node| before[*node as usize] = counts[*node as usize]);
        for message in route.messages(step).iter().filter(|message| counts[message.target as usize]) {
            before[message.source as usize] = true;
            found.push((step + 1, *message));
        }
        counts = before;
    }
    found.reverse();
    found.sort_by_key(|(step, message)| (*step, -message.strength, message.source, message.target));
    found
}

/// The column that a node is drawn in: 0 for inputs, then the layers, then outputs.
fn column(network: &Network, node: u16) -> usize {
    let settings = &network.settings;
    let layer = settings.intermediate.div_ceil(settings.layers).max(1);
    let node = usize::from(node);
    match node {
        _ if node < settings.inputs => 0,
        _ if node >= settings.nodes() - settings.outputs => settings.layers + 1,
        _ => 1 + (node - settings.inputs) / layer,
    }
}

impl Explanation {
    /// A drawing of the `most` strongest messages under a title: inputs on the left, outputs on the right, edges in
    /// full lines and radiation in broken ones, the wider the stronger.
    pub fn svg(&self, network: &Network, most: usize, title: &str) -> String {
        const WIDTH: f64 = 900.0;
        const HEIGHT: f64 = 660.0;
        // Title and legend are above the nodes.
        const TOP: f64 = 60.0;
        let columns = network.settings.layers + 2;
        let mut drawn: Vec<&(usize, Message)> = self.messages.iter().collect();
        drawn.sort_by_key(|(step, message)| (-message.strength, *step, message.source, message.target));
        drawn.truncate(most);
        let mut nodes: Vec<u16> = drawn.iter().flat_map(|(_, m)| [m.source, m.target]).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let place = |node: u16| {
            let here = column(network, node);
            let beside: Vec<u16> =
                nodes.iter().copied().filter(|other| column(network, *other) == here).collect();
            let row = beside.iter().position(|other| *other == node).unwrap_or(0);
            let x = 60.0 + (WIDTH - 120.0) * here as f64 / (columns - 1) as f64;
            (x, TOP + 30.0 + (HEIGHT - TOP - 60.0) * (row as f64 + 0.5) / beside.len() as f64)
        };
        let strongest = drawn.first().map_or(1, |(_, message)| message.strength).max(1);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"9\" fill=\"{NODE}\" style=\"background: white\">\n\
             <title>{title}</title>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
             <text x=\"20\" y=\"24\" font-size=\"15\">{title}</text>\n{}",
            legend(),
            title = escaped(title),
        );
        for (step, message) in drawn {
            let ((x1, y1), (x2, y2)) = (place(message.source), place(message.target));
            let width = 0.3 + 2.2 * f64::from(message.strength) / f64::from(strongest);
            let line = line(message.radiated);
            _ = writeln!(
                svg,
                "<path d=\"M{x1:.1} {y1:.1} Q{:.1} {:.1} {x2:.1} {y2:.1}\" fill=\"none\" {line} stroke-opacity=\"0.5\" \
                 stroke-width=\"{width:.2}\"><title>step {step}: {} to {}, strength {:.2}</title></path>",
                (x1 + x2) / 2.0 + if x1 == x2 { 40.0 } else { 0.0 },
                (y1 + y2) / 2.0,
                message.source,
                message.target,
                strength(message),
            );
        }
        for node in &nodes {
            let (x, y) = place(*node);
            let fill = if self.outputs.contains(node) { OUTPUT } else { NODE };
            _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{fill}\"/><text x=\"{:.1}\" y=\"{:.1}\">{node}</text>",
                x + 5.0,
                y + 3.0
            );
        }
        svg + "</svg>\n"
    }
}

/// The colour of outputs that answered, and of other nodes.
const OUTPUT: &str = "#15803d";
const NODE: &str = "#334155";

/// How messages of a kind are drawn.
fn line(radiated: bool) -> &'static str {
    match radiated {
        true => "stroke=\"#c2410c\" stroke-dasharray=\"4 3\"",
        false => "stroke=\"#1d4ed8\"",
    }
}

/// What is what, below the title.
fn legend() -> String {
    let mut legend = String::new();
    let name = |x: i32, name: &str| format!("<text x=\"{x}\" y=\"47\" font-size=\"11\">{name}</text>\n");
    for (x, radiated, kind) in [(20, false, "edge"), (100, true, "radiation")] {
        _ = write!(
            legend,
            "<line x1=\"{x}\" y1=\"43\" x2=\"{}\" y2=\"43\" {} stroke-width=\"2\"/>",
            x + 30,
            line(radiated)
        );
        legend += &name(x + 36, kind);
    }
    for (x, colour, kind) in [(220, NODE, "node"), (280, OUTPUT, "output that answered")] {
        _ = write!(legend, "<circle cx=\"{x}\" cy=\"43\" r=\"4\" fill=\"{colour}\"/>");
        legend += &name(x + 8, kind);
    }
    legend + &name(440, "inputs are on the left, outputs on the right; the wider a line, the stronger")
}

/// Text of any kind, as XML has it.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            // There is no way to write them.
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The strength of a message as a number.
pub fn strength(message: &Message) -> f64 {
    f64::from(message.strength) / f64::from(1 << STRENGTH_BITS)
}
