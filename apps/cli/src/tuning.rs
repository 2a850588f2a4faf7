//! A division of the batch that was chosen by the clock.

use bessemer::plan::Candidate;
use serde::Serialize;

use crate::number;
use crate::table::plain;

/// How a batch is divided.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct DivisionArgs {
    /// Samples in a micro-batch [default: by the cost model]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N")]
    pub micro_batch: Option<usize>,
    /// Lanes [default: by the cost model]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N")]
    pub lanes: Option<usize>,
    /// Time other micro-batches and lanes on this machine first, and take the fastest
    #[arg(long, conflicts_with_all = ["micro_batch", "lanes"])]
    pub tune: bool,
}

/// What was timed, and what is used.
#[derive(Serialize)]
pub struct Tuning {
    micro_batch: usize,
    lanes: usize,
    candidates: Vec<Candidate>,
}

impl Tuning {
    /// Of what was timed, the cost model's choice first, this is used.
    pub fn new(micro_batch: Option<usize>, lanes: Option<usize>, candidates: Vec<Candidate>) -> Tuning {
        Tuning { micro_batch: micro_batch.unwrap_or(0), lanes: lanes.unwrap_or(0), candidates }
    }

    /// A table of all, and how to have the choice again.
    pub fn render(&self) -> String {
        let line = |(i, candidate): (usize, &Candidate)| {
            let Candidate { micro_batch, lanes, seconds } = *candidate;
            let used = (micro_batch, lanes) == (self.micro_batch, self.lanes);
            let note = match (i == 0, used) {
                (true, true) => "the cost model's, used",
                (true, false) => "the cost model's",
                (false, true) => "used",
                (false, false) => "",
            };
            [micro_batch.to_string(), lanes.to_string(), format!("{:.3}", 1e3 * seconds), note.to_string()]
        };
        let table = plain(
            vec!["micro-batch", "lanes", "fastest step, ms", ""],
            self.candidates.iter().enumerate().map(line),
        );
        format!("{table}\nthe same again: --micro-batch {} --lanes {}\n", self.micro_batch, self.lanes)
    }
}
