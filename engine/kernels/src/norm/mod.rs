//! Layer norm and RMS norm over rows, forward and backward.
//!
//! Layer norm (Ba et al., 2016): y = (x - mean) rstd gamma + beta with rstd = 1 / sqrt(var + eps) and
//! the variance over d, not d - 1. RMS norm (Zhang and Sennrich, 2019) leaves the mean out:
//! y = x rstd gamma with rstd = 1 / sqrt(mean(x^2) + eps). The variance is taken about the mean in a
//! second pass over the row, which is in the L1 cache by then, so that it keeps its digits.

mod backward;
mod forward;

pub use backward::{layer_norm_backward, rms_norm_backward};
pub use forward::{layer_norm, rms_norm};

#[cfg(test)]
mod tests;
