//! Sums of wave packets at many points, forward and backward, with derivatives along the points' axes.
//!
//! y\[n, o\] = sum over w of head\[o, w\] psi_w(x_n). Numbers of all waves lie side by side, `packets`
//! \[rows, waves\]; what the rows are is said by the [`Form`].
//!
//! Waves are few and points are many, so a vector's lanes hold points: for each wave there is one loop over
//! a block of points, whose coordinates were transposed once. What forward evaluates (products of the
//! envelope with sines and cosines) is kept, five numbers a point and wave at most but for derivatives, so
//! that backward evaluates nothing but sums of products: every gradient is one of those, up to a factor that
//! all points share. How the derivatives of a wave follow from those of its factors, and the reverse of that, is
//! the same for all forms (`jets.rs`).
//!
//! Nanoseconds a wave and point on one core at 240 GFLOP/s (`examples/wave_packets_speed.rs`, which counts
//! instructions too: the faithful form's 81 there and 16 back in 1-D would take 0.69 and 0.14):
//!
//! | form | axes | forward, keeping nothing | forward | backward | with second derivatives |
//! |---|---|---|---|---|---|
//! | faithful | 1 + t | 0.66 | 0.89 | 0.41 | 1.5 + 1.9 |
//! | faithful | 3 + t | 0.87 | 1.10 | 0.61 | 2.6 + 3.7 |
//! | faithful | 5 + t | 1.08 | 1.38 | 0.79 | 3.8 + 5.5 |
//! | packet | 1 | 0.38 | 0.45 | 0.33 | 0.7 + 0.9 |
//! | packet, chirp, moving | 2 | 0.51 | 0.59 | 0.53 | 1.1 + 1.9 |
//!
//! Keeping costs 0.2, of which a part is what only backward wants evaluated; evaluating all of it once more
//! would cost backward at least the third column.

mod backward;
mod faithful;
mod forward;
mod jets;
mod packet;
#[cfg(test)]
mod tests;
mod wave;

pub use backward::{Gradients, OutputGradients, wave_packets_backward, wave_packets_backward_scratch};
pub use forward::{Outputs, wave_packets_forward, wave_packets_forward_scratch};

/// The most axes of points.
pub const MAX_AXES: usize = 8;
/// Points are rounded up to whole pairs of the widest vectors.
const ROUND: usize = 32;
/// Points whose coordinates are transposed at a time.
const BLOCK: usize = 256;

/// What a wave is, and so what the rows of `packets` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Points (x of `space` axes, t); rows A, k\[space\], omega, v\[space\], log sigma, phi, epsilon,
    /// lambda\[space\]:
    /// A cos(k x - omega t) exp(-|x - v t|^2 / (2 sigma^2)) sin(phi + epsilon cos(lambda x)).
    Faithful {
        /// Axes of space, 1 to 7.
        space: usize,
    },
    /// Rows centre\[axes\], log width\[axes\], frequency\[axes\], phase, with `chirp` beta\[axes\], with
    /// `moving` v\[axes - 1\]. With u = x - centre, less v times the last axis's u where it moves:
    /// cos(phase + sum of k u + beta u^2) exp(-1/2 sum of (u / width)^2).
    Packet {
        /// Axes, 1 to 8.
        axes: usize,
        /// There is a quadratic phase.
        chirp: bool,
        /// The centre moves along the last axis.
        moving: bool,
    },
}

impl Form {
    /// Axes of a point.
    pub fn axes(self) -> usize {
        match self {
            Form::Faithful { space } => space + 1,
            Form::Packet { axes, .. } => axes,
        }
    }

    /// Rows of `packets`.
    pub fn rows(self) -> usize {
        match self {
            Form::Faithful { space } => 3 * space + 5,
            Form::Packet { axes, chirp, moving } => {
                3 * axes + 1 + if chirp { axes } else { 0 } + if moving { axes - 1 } else { 0 }
            }
        }
    }

    /// Rows that are logarithms of widths.
    fn log_widths(self) -> std::ops::Range<usize> {
        match self {
            Form::Faithful { space } => 2 * space + 2..2 * space + 3,
            Form::Packet { axes, .. } => axes..2 * axes,
        }
    }

    /// Numbers kept of a point and wave.
    fn kept(self, order: usize) -> usize {
        match self {
            Form::Faithful { .. } => 5 + usize::from(order > 0),
            Form::Packet { .. } => 2,
        }
    }
}

/// The shapes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WavePackets {
    /// What a wave is.
    pub form: Form,
    /// Derivatives along the axes: none, the first, or the first and the second.
    pub order: usize,
    /// Number of points.
    pub points: usize,
    /// Number of waves.
    pub waves: usize,
    /// Numbers that waves are summed to at a point.
    pub outputs: usize,
}

impl WavePackets {
    /// Floats that forward keeps for backward.
    pub fn kept_len(&self) -> usize {
        self.kept_rows() * (self.points + ROUND - 1)
    }

    /// The coordinates, and each wave's numbers.
    fn kept_rows(&self) -> usize {
        self.form.axes() + self.waves * self.form.kept(self.order)
    }

    /// From one row of what is kept to the next.
    fn stride(&self) -> usize {
        self.points.next_multiple_of(ROUND)
    }

    /// Values of one wave at one point: itself and its derivatives.
    fn jets(&self) -> usize {
        1 + self.order * self.form.axes()
    }

    /// Checks the waves.
    fn check(&self, packets: &[f32], head: &[f32]) {
        let axes = self.form.axes();
        let moves = matches!(self.form, Form::Packet { axes: 1, moving: true, .. });
        let fits = (1..=MAX_AXES).contains(&axes) && self.form != Form::Faithful { space: 0 } && !moves;
        assert!(fits && self.order <= 2 && self.outputs > 0, "{self:?}");
        assert_eq!(packets.len(), self.form.rows() * self.waves, "packets");
        assert_eq!(head.len(), self.outputs * self.waves, "head");
    }
}
