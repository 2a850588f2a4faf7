//! From values to levels.

use serde::{Deserialize, Serialize};

use super::Table;

/// What level a value becomes: 0 at `low` or below, 255 at `low` + 255 · `step` or above.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaler {
    /// For each feature.
    pub low: Vec<f32>,
    /// For each feature; above 0.
    pub step: Vec<f32>,
}

impl Scaler {
    /// From the least and the largest value of each feature among `rows`, which are those to learn from; of an
    /// image, of all features together. A feature that never varies is always 0.
    pub fn fit(table: &Table, rows: &[usize]) -> Scaler {
        let features = table.features();
        let (mut low, mut high) = (vec![f32::INFINITY; features], vec![f32::NEG_INFINITY; features]);
        for &row in rows {
            for (i, value) in table.row(row).iter().enumerate() {
                (low[i], high[i]) = (low[i].min(*value), high[i].max(*value));
            }
        }
        if table.is_image {
            let least = low.iter().copied().fold(f32::INFINITY, f32::min);
            let most = high.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            low.fill(least);
            high.fill(most);
        }
        let spans = low.iter().zip(&high).map(|(low, high)| (high / 255.0 - low / 255.0).max(0.0));
        let step = spans.map(|step| if step > 0.0 && step.is_normal() { step } else { f32::MAX }).collect();
        Scaler { low, step }
    }

    /// The levels of one sample.
    pub fn levels(&self, values: &[f32], out: &mut Vec<u8>) {
        let scales = self.low.iter().zip(&self.step);
        out.extend(values.iter().zip(scales).map(|(value, (low, step))| {
            ((f64::from(*value) - f64::from(*low)) / f64::from(*step)).round().clamp(0.0, 255.0) as u8
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Columns;
    use super::*;

    #[test]
    fn levels_come_from_the_rows_to_learn_from() {
        let mut table = Table {
            columns: Columns { features: vec!["a".into(), "b".into()], ..Columns::default() },
            values: vec![0.0, 4.0, 10.0, 4.0, 1000.0, -9.0],
            classes: vec!["0".into(), "1".into()],
            labels: vec![0, 1, 1],
            is_image: false,
        };
        let levels = |table: &Table| {
            let scaler = Scaler::fit(table, &[0, 1]);
            let mut levels = Vec::new();
            (0..3).for_each(|row| scaler.levels(table.row(row), &mut levels));
            levels
        };
        assert_eq!(levels(&table), [0, 0, 255, 0, 255, 0]);
        table.is_image = true;
        assert_eq!(levels(&table), [0, 102, 255, 102, 255, 0]);
    }
}
