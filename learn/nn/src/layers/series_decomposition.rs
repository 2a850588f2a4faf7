//! Trend and remainder of a series.

use bessemer_graph::GraphError;
use bessemer_graph::ops::avg_pool1d::AvgPool1d;
use bessemer_graph::ops::pad::{Pad, PadMode};

use crate::trace::{Trace, Value};

/// Splits a series into a centred moving average and the rest, as in Autoformer (Wu et al. 2021) and
/// DLinear (Zeng et al. 2023). Ends are continued by their own value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesDecomposition {
    /// Positions averaged, usually odd.
    pub kernel: usize,
}

impl Default for SeriesDecomposition {
    /// 25 positions, as in both papers.
    fn default() -> SeriesDecomposition {
        SeriesDecomposition { kernel: 25 }
    }
}

impl SeriesDecomposition {
    /// `[.., time]` to (trend, remainder), both of the same shape; they add up to x.
    pub fn forward(&self, t: &mut Trace, x: Value) -> Result<(Value, Value), GraphError> {
        let axis = t.graph.shape(x).len().saturating_sub(1);
        let before = self.kernel.saturating_sub(1) / 2;
        let after = self.kernel.saturating_sub(1) - before;
        let padded = t.apply(Pad { axis, before, after, mode: PadMode::Replicate }, &[x])?;
        let average = AvgPool1d { kernel: self.kernel, stride: 1, padding: 0, ceil_mode: false };
        let trend = t.apply(average, &[padded])?;
        let remainder = t.graph.sub(x, trend)?;
        Ok((trend, remainder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;
    use bessemer_graph::{Bindings, Tensor, evaluate};

    #[test]
    fn gradients() {
        check(2, &[&[2, 6]], |t, x| Ok(SeriesDecomposition { kernel: 3 }.forward(t, x[0])?.0));
        check(2, &[&[2, 6]], |t, x| Ok(SeriesDecomposition { kernel: 4 }.forward(t, x[0])?.1));
    }

    #[test]
    fn ends_are_continued() {
        let mut t = Trace::new(1, 1, false);
        let x = t.input("x", &[4]);
        let (trend, remainder) = SeriesDecomposition { kernel: 3 }.forward(&mut t, x).unwrap();
        let series = Tensor::new([1, 4], vec![3.0, 6.0, 0.0, 3.0]);
        let values = evaluate(&t.graph, &Bindings { inputs: vec![series], ..Default::default() });
        assert_eq!(values[trend.index()].data, [4.0, 3.0, 3.0, 2.0]);
        assert_eq!(values[remainder.index()].data, [-1.0, 3.0, -3.0, 1.0]);
    }
}
