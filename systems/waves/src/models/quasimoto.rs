//! The packets of the Quasimoto reference, as they are there: all bells begin at the origin.

use bessemer_graph::ops::concat::Concat;
use bessemer_graph::ops::wave_packets::{Form, WavePackets};
use bessemer_kernels::random::{Stream, normal_at};
use bessemer_nn::{GraphError, Init, Trace, Value};
use bessemer_plan::Parameters;
use serde::{Deserialize, Serialize};

use super::{MAX_WIDTH, Network, Shape, out_of_bounds};

/// What initial values are drawn for, apart from other uses of a seed.
const SITE: u32 = 0x5155_4153;

/// Packets A cos(k x - ω t) exp(-|x - v t|² / (2 σ²)) sin(φ + ε cos(λ x)) of points (x, t), and a linear map to the
/// channels. A starts at 1, ε at 0.1, log σ and φ at 0; k, ω, v and λ are normal; the map starts as PyTorch's.
///
/// The last axis is time. A single axis is x, at time 0 throughout, as in the reference; then ω and v have no
/// gradient, and every bell stays around the origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quasimoto {
    /// Packets; the model's size.
    pub count: usize,
}

impl Default for Quasimoto {
    fn default() -> Self {
        Quasimoto { count: 16 }
    }
}

impl Quasimoto {
    /// Whether ω and v are exactly as they began.
    pub(crate) fn is_frozen(&self, parameters: &Parameters, shape: Shape) -> bool {
        let mut begun = Parameters::new(parameters.specs());
        self.start(&mut begun, shape);
        let space = space(shape);
        // Of A, k, omega, v: those after the first two.
        let rows = (1 + space) * self.count..(2 + 2 * space) * self.count;
        let place = parameters.find("packets");
        place.is_some_and(|place| parameters.get(place)[rows.clone()] == begun.get(place)[rows])
    }
}

/// Axes of space.
fn space(shape: Shape) -> usize {
    (shape.axes - 1).max(1)
}

impl Network for Quasimoto {
    fn forward(&self, t: &mut Trace, points: Value, shape: Shape) -> Result<Value, GraphError> {
        let form = Form::Faithful { space: space(shape) };
        let points = match shape.axes {
            1 => {
                let time = t.graph.scale(points, 0.0)?;
                t.apply(Concat { axis: 1 }, &[points, time])?
            }
            _ => points,
        };
        let packets = t.parameter("packets", &[form.rows().len(), self.count], Init::ZEROS)?;
        let init = Init::fan_in(self.count);
        let head = t.parameter("head.weight", &[shape.channels, self.count], init)?;
        let bias = t.parameter("head.bias", &[shape.channels], init)?;
        let sum = t.graph.wave_packets(points, packets, head, WavePackets { form, order: 0 })?[0];
        t.graph.add(sum, bias)
    }

    fn start(&self, parameters: &mut Parameters, shape: Shape) {
        let space = space(shape);
        let place = parameters.specs().iter().position(|spec| spec.name == "packets");
        let packets = parameters.get_mut(place.expect("it is declared by `forward`"));
        for (row, numbers) in packets.chunks_exact_mut(self.count).enumerate() {
            // A, k, omega, v, log sigma, phi, epsilon, lambda.
            let constant = match row {
                0 => Some(1.0),
                _ if row == 2 * space + 2 || row == 2 * space + 3 => Some(0.0),
                _ if row == 2 * space + 4 => Some(0.1),
                _ => None,
            };
            for (place, number) in numbers.iter_mut().enumerate() {
                let stream = Stream { seed: shape.seed, step: row as u64, site: SITE };
                *number = constant.unwrap_or_else(|| normal_at(stream, place as u64));
            }
        }
    }

    fn check(&self, _: Shape) -> Option<String> {
        out_of_bounds(&[("count", self.count, MAX_WIDTH)])
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.count
    }
}
