//! From active outputs to a loss, and back.

use crate::codes::Codes;
use crate::credit::local_slopes;
use crate::settings::MAX_DIMENSIONS;
use crate::tables::Tables;

/// Cross-entropy of the softmax over the cosines to the classes' codes, divided by a temperature. The logit of
/// a class is the mean cosine of the active outputs to its code.
pub(crate) struct Loss<'a> {
    pub tables: &'a Tables,
    /// The codes as unit vectors, `[classes, D]`.
    pub units: &'a [f32],
    pub dimensions: usize,
    /// Cosines lie within -1 and 1: without a temperature well below 1, the softmax of ten classes stays
    /// nearly even.
    pub temperature: f32,
}

impl Loss<'_> {
    /// The logits of active outputs with these indices, `[outputs, D]` each.
    pub fn logits(&self, phase: &[i16], magnitude: &[i16], logits: &mut [f32]) {
        let d = self.dimensions;
        let mut mean = [0.0; MAX_DIMENSIONS];
        let scale = 1.0 / ((phase.len() / d) as f32 * self.temperature);
        for (phase, magnitude) in phase.chunks_exact(d).zip(magnitude.chunks_exact(d)) {
            let (signal, norm) = self.signal(phase, magnitude);
            mean.iter_mut().zip(&signal[..d]).for_each(|(mean, s)| *mean += s / norm * scale);
        }
        for (logit, unit) in logits.iter_mut().zip(self.units.chunks_exact(d)) {
            *logit = unit.iter().zip(&mean).map(|(u, m)| u * m).sum();
        }
    }

    /// What a node signals, and its length.
    fn signal(&self, phase: &[i16], magnitude: &[i16]) -> ([f32; MAX_DIMENSIONS], f32) {
        let mut signal = [0.0; MAX_DIMENSIONS];
        let indices = phase.iter().zip(magnitude);
        signal
            .iter_mut()
            .zip(indices)
            .for_each(|(s, (p, m))| *s = self.tables.cosine(*p) * self.tables.size(*m));
        let norm = signal[..phase.len()].iter().map(|s| s * s).sum::<f32>().sqrt();
        (signal, norm.max(1e-6))
    }

    /// The loss, given logits, and what it changes by with each of them: softmax less the label.
    pub fn of(&self, logits: &mut [f32], label: usize) -> f32 {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let own = logits[label];
        let mut sum = 0.0;
        for logit in logits.iter_mut() {
            *logit = (*logit - most).exp();
            sum += *logit;
        }
        logits.iter_mut().for_each(|p| *p /= sum);
        logits[label] -= 1.0;
        sum.ln() + most - own
    }

    /// What the loss changes by with the indices of active outputs, `[outputs, 2, D]`, given the slopes of the
    /// logits.
    pub fn slopes(&self, phase: &[i16], magnitude: &[i16], logits: &[f32], slopes: &mut [f32]) {
        let d = self.dimensions;
        let scale = 1.0 / ((phase.len() / d) as f32 * self.temperature);
        // Σ_c (p_c - y_c) code_c is the same for all outputs.
        let mut pull = [0.0; MAX_DIMENSIONS];
        for (slope, unit) in logits.iter().zip(self.units.chunks_exact(d)) {
            pull.iter_mut().zip(unit).for_each(|(pull, u)| *pull += slope * u * scale);
        }
        local_slopes(self.tables, phase, magnitude, &pull[..d], slopes);
    }

    /// Adds what the loss changes by with the indices of the codes, `[classes, 2, D]`.
    pub fn slopes_of_codes(
        &self,
        codes: &Codes,
        phase: &[i16],
        magnitude: &[i16],
        logits: &[f32],
        slopes: &mut [f32],
    ) {
        let d = self.dimensions;
        let mut mean = [0.0; MAX_DIMENSIONS];
        let scale = 1.0 / ((phase.len() / d) as f32 * self.temperature);
        for (phase, magnitude) in phase.chunks_exact(d).zip(magnitude.chunks_exact(d)) {
            let (signal, norm) = self.signal(phase, magnitude);
            mean.iter_mut().zip(&signal[..d]).for_each(|(mean, s)| *mean += s / norm * scale);
        }
        let mut of_class = [0.0; 2 * MAX_DIMENSIONS];
        for (class, (slope, sum)) in logits.iter().zip(slopes.chunks_exact_mut(2 * d)).enumerate() {
            let own = class * d..(class + 1) * d;
            let (phase, magnitude) = (&codes.phase[own.clone()], &codes.magnitude[own]);
            local_slopes(self.tables, phase, magnitude, &mean[..d], &mut of_class[..2 * d]);
            sum.iter_mut().zip(&of_class).for_each(|(sum, s)| *sum += slope * s);
        }
    }
}
