//! What it costs to hand over batches made on another thread, and from which batches on that pays: microseconds
//! a step, batches of 32 rows cut from a table, and steps that read them and then compute for a while.
//!
//! `cargo run --release -p bessemer-train --example hand_over`

use std::hint::black_box;
use std::time::{Duration, Instant};

use bessemer_plan::{Parameters, Pool};
use bessemer_train::data::{Permutation, Prefetch, Start, prefetch};
use bessemer_train::{Task, TrainError};

const TABLE: usize = 1 << 22;
const ROWS: usize = 32;

/// Rows from anywhere in the table, of so many numbers.
#[derive(Clone)]
struct Rows<'a> {
    table: &'a [f32],
    len: usize,
}

impl Task for Rows<'_> {
    fn batch(&mut self, number: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
        let order = Permutation::new(TABLE - self.len, 1, 0);
        for (row, place) in inputs[0].chunks_exact_mut(self.len).zip(number as usize * ROWS..) {
            row.copy_from_slice(&self.table[order.get(place % order.len())..][..self.len]);
        }
        Ok(1.0)
    }

    fn validate(&mut self, _: &Pool, _: &Parameters) -> Result<Option<f64>, TrainError> {
        Ok(None)
    }
}

/// Microseconds a step, and of them those of waiting.
fn run(task: &mut dyn Task, len: usize, step: Duration, steps: u64) -> Result<[f64; 2], TrainError> {
    let mut inputs = [vec![0.0; ROWS * len]];
    let (begun, mut waited) = (Instant::now(), Duration::ZERO);
    for number in 0..steps {
        let asked = Instant::now();
        task.batch(number, &mut inputs)?;
        waited += asked.elapsed();
        let computing = Instant::now();
        black_box(inputs[0].iter().sum::<f32>());
        while computing.elapsed() < step {
            std::hint::spin_loop();
        }
    }
    Ok([begun.elapsed(), waited].map(|time| 1e6 * time.as_secs_f64() / steps as f64))
}

fn main() -> Result<(), TrainError> {
    let table: Vec<f32> = (0..TABLE).map(|i| i as f32).collect();
    println!("                    made in between      made ahead");
    println!("numbers   computing   step   waited     step   waited");
    for len in [16, 96, 432, 2000, 20_000] {
        for micros in [20, 80, 500] {
            let (step, steps) = (Duration::from_micros(micros), 400_000 / (micros + len as u64 / 20));
            let mut task = Rows { table: &table, len };
            let [between, making] = run(&mut task, len, step, steps)?;
            let mut ahead = task.clone();
            let makers = vec![move |number: u64, inputs: &mut [Vec<f32>]| ahead.batch(number, inputs)];
            let options = Prefetch { start: Start::AtOnce, ..Prefetch::default() };
            let [shared, waited] =
                prefetch(&mut task, makers, &options, |task| run(task, len, step, steps))??;
            println!(
                "{:>7} {micros:>11} {between:>6.1} {making:>8.2} {shared:>8.1} {waited:>8.2}",
                ROWS * len
            );
        }
    }
    Ok(())
}
