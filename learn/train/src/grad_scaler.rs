//! Scaling of gradients for training in f16 (Micikevicius et al., "Mixed Precision Training", 2018), with
//! the constants and the rule of PyTorch's `GradScaler`.

use serde::{Deserialize, Serialize};

/// Settings: the loss is multiplied by a scale, so that small gradients are not lost below f16's range;
/// the optimiser divides by it again. A step whose gradients are not all finite changes nothing, and
/// lowers the scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradScaler {
    /// The first scale.
    pub scale: f32,
    /// Good steps in a row after which it doubles.
    pub growth_interval: u32,
    /// The least scale.
    pub least: f32,
    /// The greatest scale.
    pub most: f32,
}

impl Default for GradScaler {
    /// 2^16, doubled after 2,000 good steps, from 1 to 2^24.
    fn default() -> GradScaler {
        GradScaler { scale: 65536.0, growth_interval: 2000, least: 1.0, most: 16_777_216.0 }
    }
}

/// The scale at work, and what happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradScalerState {
    /// The scale of the next step.
    pub scale: f32,
    /// Good steps since it last changed.
    pub good_steps: u32,
    /// Steps that changed the weights.
    pub updates: u64,
    /// Steps that did not, as gradients were not finite.
    pub overflows: u64,
}

impl GradScaler {
    /// Before the first step.
    pub fn begin(&self) -> GradScalerState {
        GradScalerState { scale: self.scale, good_steps: 0, updates: 0, overflows: 0 }
    }

    /// After a step.
    ///
    /// ```
    /// use bessemer_train::GradScaler;
    ///
    /// let scaler = GradScaler { growth_interval: 2, ..GradScaler::default() };
    /// let mut state = scaler.begin();
    /// scaler.update(&mut state, false);
    /// assert_eq!((state.scale, state.overflows), (32768.0, 1));
    /// scaler.update(&mut state, true);
    /// scaler.update(&mut state, true);
    /// assert_eq!((state.scale, state.updates), (65536.0, 2));
    /// ```
    pub fn update(&self, state: &mut GradScalerState, finite: bool) {
        if finite {
            state.updates += 1;
            state.good_steps += 1;
            if state.good_steps >= self.growth_interval {
                state.scale = (state.scale * 2.0).min(self.most);
                state.good_steps = 0;
            }
        } else {
            state.overflows += 1;
            state.good_steps = 0;
            state.scale = (state.scale * 0.5).max(self.least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_stays_within_its_bounds() {
        let scaler = GradScaler { growth_interval: 1, ..GradScaler::default() };
        let mut state = scaler.begin();
        for _ in 0..40 {
            scaler.update(&mut state, true);
        }
        assert_eq!((state.scale, state.updates, state.overflows), (16_777_216.0, 40, 0));
        for _ in 0..40 {
            scaler.update(&mut state, false);
        }
        assert_eq!((state.scale, state.updates, state.overflows), (1.0, 40, 40));
    }

    #[test]
    fn an_overflow_begins_the_count_anew() {
        let scaler = GradScaler::default();
        let mut state = scaler.begin();
        for _ in 0..1999 {
            scaler.update(&mut state, true);
        }
        scaler.update(&mut state, false);
        assert_eq!(state.scale, 32768.0);
        for _ in 0..1999 {
            scaler.update(&mut state, true);
        }
        assert_eq!(state.scale, 32768.0);
        scaler.update(&mut state, true);
        assert_eq!((state.scale, state.good_steps), (65536.0, 0));
    }
}
