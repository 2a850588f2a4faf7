//! Optimiser updates, each one fused sweep over flat slices of parameters, gradients and state.
//!
//! The formulas are PyTorch's. Every sweep multiplies the gradient by `grad_scale` on the fly (for
//! clipping by norm), and takes its options per call, so that parameter groups are separate calls.
//! Slices of one call have the same length, or the call panics.

mod adam;
mod gradients;
mod rmsprop;
mod sgd;

pub use adam::{Adam, adam, adamw};
pub use gradients::{sum_lanes, sum_lanes_and_squares};
pub use rmsprop::{RmsProp, rmsprop};
pub use sgd::{Sgd, sgd};

fn check<const N: usize>(params: &[f32], others: [&[f32]; N]) {
    for other in others {
        assert_eq!(other.len(), params.len(), "slices of one sweep differ in length");
    }
}
