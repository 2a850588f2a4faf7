//! What packets a model has found, in the units of the signal.

use std::f64::consts::TAU;

use serde::Serialize;

use crate::fitter::{WaveFitter, less};
use crate::models::Model;
use crate::signal::Signal;

/// A packet, as a reader of the signal would describe it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundPacket {
    /// Where it is, along each axis.
    pub centre: Vec<f64>,
    /// The deviation of its bell along each axis, in units of the axis.
    pub width: Vec<f64>,
    /// Periods per unit of each axis, at the centre. The wave rises along each axis where it is positive.
    pub frequency: Vec<f64>,
    /// Change of the frequency per unit of each axis; none without chirp.
    pub chirp: Vec<f64>,
    /// How far the centre moves along each axis but the last per unit of the last; none if it doesn't move.
    pub velocity: Vec<f64>,
    /// The phase at the centre, in periods from -0.5 to 0.5.
    pub phase: f64,
    /// For every channel, in its units.
    pub amplitude: Vec<f64>,
    /// Its share of the summed energies of all packets on the points asked about; 0 where there is none.
    pub energy_share: f64,
}

impl WaveFitter {
    /// The packets of a model of packets, the strongest first; none of other models.
    ///
    /// Energies are sums of squares over the points of `signal`, in units of the standardised channels. Packets may
    /// overlap and cancel, so that energies don't add up to the signal's.
    ///
    /// ```
    /// use bessemer_plan::Pool;
    /// use bessemer_waves::{FitOptions, Generator, Greedy, Model, Split, WaveFitter};
    ///
    /// let signal = Generator::by_name("multi-tone")?.signal()?;
    /// let mut options = FitOptions { greedy: Some(Greedy::default()), ..FitOptions::default() };
    /// options.train.steps = 100;
    /// let packets = Model::by_name("packets")?;
    /// let fitted = WaveFitter::fit(&signal, &Split::all(&signal), &packets, &options, &Pool::new(2))?;
    /// let found = fitted.packets(&signal);
    /// assert_eq!(found.len(), 24);
    /// assert!(found[0].energy_share >= found[1].energy_share);
    /// # Ok::<(), bessemer_waves::Error>(())
    /// ```
    pub fn packets(&self, signal: &Signal) -> Vec<FoundPacket> {
        let Model::Packets(kind) = &self.model else { return Vec::new() };
        let shape = self.shape();
        let (axes, spaces) = (shape.axes, shape.axes - 1);
        let scale = |axis: usize| self.axes[axis].scale.scale;
        let packets = kind.packets(&self.parameters, shape);
        let scales = less(&self.axes, &signal.origin.axis_offsets);
        let coordinates = signal.points().iter().zip(scales.iter().cycle());
        let scaled: Vec<f32> = coordinates.map(|(x, scale)| scale.apply(*x)).collect();
        let energies = kind.energies(&packets, &scaled, axes);
        let mut found: Vec<FoundPacket> = packets
            .iter()
            .zip(energies)
            .map(|(packet, energy)| {
                let row = |number: usize| f64::from(packet.rows[number]);
                let after = 3 * axes + 1;
                let moving_from = after + if kind.chirp { axes } else { 0 };
                let velocities = if kind.moving { spaces } else { 0 };
                let amplitudes = packet.amplitudes.iter().zip(&self.channels);
                let phase = row(3 * axes) / TAU;
                FoundPacket {
                    centre: (0..axes)
                        .map(|axis| {
                            self.axes[axis].offset + (row(axis) * scale(axis) + self.axes[axis].scale.shift)
                        })
                        .collect(),
                    width: (0..axes).map(|axis| row(axes + axis).exp() * scale(axis)).collect(),
                    frequency: (0..axes).map(|axis| row(2 * axes + axis) / TAU / scale(axis)).collect(),
                    // The angle β u² has the derivative 2 β u.
                    chirp: (0..if kind.chirp { axes } else { 0 })
                        .map(|axis| row(after + axis) / (TAU / 2.0) / scale(axis).powi(2))
                        .collect(),
                    velocity: (0..velocities)
                        .map(|axis| row(moving_from + axis) * scale(axis) / scale(spaces))
                        .collect(),
                    phase: phase - phase.round(),
                    amplitude: amplitudes.map(|(a, channel)| f64::from(*a) * channel.scale.scale).collect(),
                    energy_share: energy,
                }
            })
            .collect();
        let all: f64 = found.iter().map(|packet| packet.energy_share).sum();
        if all > 0.0 {
            found.iter_mut().for_each(|packet| packet.energy_share /= all);
        }
        found.sort_by(|a, b| b.energy_share.total_cmp(&a.energy_share));
        found
    }
}
