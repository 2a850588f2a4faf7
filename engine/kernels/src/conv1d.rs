//! Convolution over one dimension (as in neural networks: no flipping), forward and backward:
//! windows of the input are laid out as columns in scratch, and the rest is matrix products.

use crate::gemm::{Epilogue, gemm, gemm_scratch};

/// Sizes of a convolution: input `[batch, in_channels, length]`, weight
/// `[out_channels, in_channels / groups, kernel]`, output `[batch, out_channels, out_length]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv1d {
    /// Samples.
    pub batch: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Steps of the input.
    pub length: usize,
    /// Steps a window covers.
    pub kernel: usize,
    /// From one window to the next.
    pub stride: usize,
    /// Zeros on either side.
    pub padding: usize,
    /// From one step of a window to the next.
    pub dilation: usize,
    /// Channels are split into this many groups that do not see each other.
    pub groups: usize,
}

impl Conv1d {
    /// Steps of the output.
    ///
    /// # Panics
    /// If the padded input is shorter than a window, or a size makes no sense.
    pub fn out_length(&self) -> usize {
        assert!(self.kernel > 0 && self.stride > 0 && self.dilation > 0, "{self:?}: sizes start at 1");
        let span = self.dilation * (self.kernel - 1) + 1;
        let padded = self.length + 2 * self.padding;
        assert!(padded >= span, "{self:?}: a window of {span} does not fit {padded} steps");
        (padded - span) / self.stride + 1
    }

    /// Floats of scratch for every function here.
    pub fn scratch(&self) -> usize {
        let deepest = self.window().max(self.group_outputs()).max(self.out_length());
        self.window() * self.out_length() + gemm_scratch(deepest)
    }

    /// Values a window covers: `in_channels / groups * kernel`.
    fn window(&self) -> usize {
        self.in_channels / self.groups * self.kernel
    }

    fn group_outputs(&self) -> usize {
        self.out_channels / self.groups
    }

    fn check(&self, input: usize, weight: usize, output: usize, scratch: usize) {
        assert!(
            self.groups > 0
                && self.in_channels.is_multiple_of(self.groups)
                && self.out_channels.is_multiple_of(self.groups),
            "{self:?}: groups must divide the channels"
        );
        assert_eq!(input, self.batch * self.in_channels * self.length, "input: [batch, in_channels, length]");
        assert_eq!(weight, self.out_channels * self.window(), "weight: [out_channels, in/groups, kernel]");
        assert_eq!(
            output,
            self.batch * self.out_channels * self.out_length(),
            "output: [batch, out, length]"
        );
        assert!(scratch >= self.scratch(), "scratch: {scratch} floats, needs {}", self.scratch());
    }

    /// For step `tap` of a window: the windows for which it lies inside the input, and the position
    /// in the input that it has in the first of them.
    fn inside(&self, tap: usize, windows: usize) -> (std::ops::Range<usize>, usize) {
        let offset = tap * self.dilation;
        let first = self.padding.saturating_sub(offset).div_ceil(self.stride).min(windows);
        let end = (self.length + self.padding).saturating_sub(offset).div_ceil(self.stride).min(windows);
        (first..end.max(first), (first * self.stride + offset).saturating_sub(self.padding))
    }

    /// Columns `[channels * kernel, out_length]` of the channels in `input`.
    fn unfold(&self, input: &[f32], columns: &mut [f32]) {
        let windows = self.out_length();
        for (row, to) in columns.chunks_exact_mut(windows).enumerate() {
            let channel = &input[row / self.kernel * self.length..][..self.length];
            let (inside, start) = self.inside(row % self.kernel, windows);
            to[..inside.start].fill(0.0);
            to[inside.end..].fill(0.0);
            let to = &mut to[inside];
            if to.is_empty() {
            } else if self.stride == 1 {
                to.copy_from_slice(&channel[start..start + to.len()]);
            } else {
                for (x, &from) in to.iter_mut().zip(channel[start..].iter().step_by(self.stride)) {
                    *x = from;
                }
            }
        }
    }

    /// Adds columns back to where they came from.
    fn fold(&self, columns: &[f32], input: &mut [f32]) {
        let windows = self.out_length();
        for (row, from) in columns.chunks_exact(windows).enumerate() {
            let channel = &mut input[row / self.kernel * self.length..][..self.length];
            let (inside, start) = self.inside(row % self.kernel, windows);
            let from = &from[inside];
            if from.is_empty() {
            } else if self.stride == 1 {
                for (x, &d) in channel[start..].iter_mut().zip(from) {
                    *x += d;
                }
            } else {
                for (x, &d) in channel[start..].iter_mut().step_by(self.stride).zip(from) {
                    *x += d;
                }
            }
        }
    }
}

/// output = input * weight + bias.
///
/// # Panics
/// If a length does not match the sizes.
pub fn conv1d_forward(
    conv: &Conv1d,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    output: &mut [f32],
    scratch: &mut [f32],
) {
    conv.check(input.len(), weight.len(), output.len(), scratch.len());
    let (k, m, n) = (conv.window(), conv.group_outputs(), conv.out_length());
    let (columns, scratch) = scratch.split_at_mut(k * n);
    if let Some(bias) = bias {
        assert_eq!(bias.len(), conv.out_channels, "bias: one value an output channel");
        for (row, to) in output.chunks_exact_mut(n).enumerate() {
            to.fill(bias[row % conv.out_channels]);
        }
    }
    let (in_group, out_group) = (conv.in_channels / conv.groups * conv.length, m * n);
    for block in 0..conv.batch * conv.groups {
        let group = block % conv.groups;
        conv.unfold(&input[block * in_group..][..in_group], columns);
        let epilogue = Epilogue { accumulate: bias.is_some(), ..Epilogue::default() };
        let weight = &weight[group * m * k..][..m * k];
        let output = &mut output[block * out_group..][..out_group];
        gemm(m, n, k, weight, (k, 1), columns, (n, 1), output, n, epilogue, scratch);
    }
}

/// The gradient of the input, replacing what is in `d_input`.
///
/// # Panics
/// If a length does not match the sizes.
pub fn conv1d_backward_input(
    conv: &Conv1d,
    d_output: &[f32],
    weight: &[f32],
    d_input: &mut [f32],
    scratch: &mut [f32],
) {
    conv.check(d_input.len(), weight.len(), d_output.len(), scratch.len());
    let (m, k, n) = (conv.window(), conv.group_outputs(), conv.out_length());
    let (columns, scratch) = scratch.split_at_mut(m * n);
    d_input.fill(0.0);
    let (in_group, out_group) = (conv.in_channels / conv.groups * conv.length, k * n);
    for block in 0..conv.batch * conv.groups {
        let group = block % conv.groups;
        let weight = &weight[group * m * k..][..m * k];
        let d_output = &d_output[block * out_group..][..out_group];
        gemm(m, n, k, weight, (1, m), d_output, (n, 1), columns, n, Epilogue::default(), scratch);
        conv.fold(columns, &mut d_input[block * in_group..][..in_group]);
    }
}

/// Adds the gradients of weight and bias.
///
/// # Panics
/// If a length does not match the sizes.
pub fn conv1d_backward_weight(
    conv: &Conv1d,
    input: &[f32],
    d_output: &[f32],
    d_weight: &mut [f32],
    d_bias: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    conv.check(input.len(), d_weight.len(), d_output.len(), scratch.len());
    let (n, m, k) = (conv.window(), conv.group_outputs(), conv.out_length());
    let (columns, scratch) = scratch.split_at_mut(n * k);
    let (in_group, out_group) = (conv.in_channels / conv.groups * conv.length, m * k);
    for block in 0..conv.batch * conv.groups {
        let group = block % conv.groups;
        conv.unfold(&input[block * in_group..][..in_group], columns);
        let d_output = &d_output[block * out_group..][..out_group];
        let d_weight = &mut d_weight[group * m * n..][..m * n];
        gemm(m, n, k, d_output, (k, 1), columns, (1, k), d_weight, n, Epilogue::accumulate(), scratch);
    }
    if let Some(d_bias) = d_bias {
        assert_eq!(d_bias.len(), conv.out_channels, "bias: one value an output channel");
        for (row, from) in d_output.chunks_exact(k).enumerate() {
            d_bias[row % conv.out_channels] += from.iter().sum::<f32>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use proptest::prelude::*;

    fn numbers(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.5 - 1.0).collect()
    }

    /// Calls `visit(input, weight, output)` with the positions of every product of the definition.
    fn each_product(conv: &Conv1d, mut visit: impl FnMut(usize, usize, usize)) {
        let (in_group, out_group) = (conv.in_channels / conv.groups, conv.out_channels / conv.groups);
        let out_length = conv.out_length();
        for b in 0..conv.batch {
            for o in 0..conv.out_channels {
                for t in 0..out_length {
                    for c in 0..in_group {
                        for tap in 0..conv.kernel {
                            let at = t * conv.stride + tap * conv.dilation;
                            if at >= conv.padding && at - conv.padding < conv.length {
                                let channel = o / out_group * in_group + c;
                                visit(
                                    (b * conv.in_channels + channel) * conv.length + at - conv.padding,
                                    (o * in_group + c) * conv.kernel + tap,
                                    (b * conv.out_channels + o) * out_length + t,
                                );
                            }
                        }
                    }
                }
            }
        }
    }

    fn assert_near(what: &str, got: &[f32], expected: &[f64]) {
        for (&x, &y) in got.iter().zip(expected) {
            assert!((f64::from(x) - y).abs() < 1e-4 + 1e-5 * y.abs(), "{what}: {x} instead of {y}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn all_three_products_agree_with_the_definition(
            (batch, groups, in_group, out_group) in (1usize..3, 1usize..4, 1usize..4, 1usize..6),
            (length, kernel, stride) in (1usize..40, 1usize..6, 1usize..4),
            (padding, dilation, with_bias) in (0usize..6, 1usize..4, any::<bool>()),
        ) {
            let conv = Conv1d {
                batch, in_channels: groups * in_group, out_channels: groups * out_group,
                length, kernel, stride, padding, dilation, groups,
            };
            prop_assume!(length + 2 * padding > dilation * (kernel - 1));
            let input = numbers(batch * conv.in_channels * length, 1);
            let weight = numbers(conv.out_channels * in_group * kernel, 2);
            let bias = numbers(conv.out_channels, 3);
            let n = conv.out_length();
            let d_output = numbers(batch * conv.out_channels * n, 4);
            let mut output = vec![0.0f64; d_output.len()];
            let mut d_input = vec![0.0f64; input.len()];
            let mut d_weight = vec![1.0f64; weight.len()];
            each_product(&conv, |i, w, o| {
                output[o] += f64::from(input[i]) * f64::from(weight[w]);
                d_input[i] += f64::from(d_output[o]) * f64::from(weight[w]);
                d_weight[w] += f64::from(d_output[o]) * f64::from(input[i]);
            });
            let mut d_bias = vec![1.0f64; bias.len()];
            for (row, from) in d_output.chunks(n).enumerate() {
                d_bias[row % bias.len()] += from.iter().map(|&x| f64::from(x)).sum::<f64>();
            }
            if with_bias {
                for (row, to) in output.chunks_mut(n).enumerate() {
                    to.iter_mut().for_each(|x| *x += f64::from(bias[row % bias.len()]));
                }
            }
            for isa in Isa::available() {
                isa.force(|| {
                    let mut scratch = vec![f32::NAN; conv.scratch()];
                    let mut got = vec![f32::NAN; output.len()];
                    conv1d_forward(&conv, &input, &weight, with_bias.then_some(&bias), &mut got, &mut scratch);
                    assert_near("output", &got, &output);
                    let mut got = vec![f32::NAN; input.len()];
                    conv1d_backward_input(&conv, &d_output, &weight, &mut got, &mut scratch);
                    assert_near("d_input", &got, &d_input);
                    let (mut got, mut got_bias) = (vec![1.0; weight.len()], vec![1.0; bias.len()]);
                    conv1d_backward_weight(&conv, &input, &d_output, &mut got, Some(&mut got_bias), &mut scratch);
                    assert_near("d_weight", &got, &d_weight);
                    assert_near("d_bias", &got_bias, &d_bias);
                });
            }
        }
    }
}
