//! `bessemer phase benchmark`.

use serde::Serialize;

use super::measure::{Costs, Searches, costs, render, searches};
use super::settings::ConfigArgs;
use crate::error::Result;
use crate::run::RunArgs;

/// Time propagation, credit and radiation on made-up samples, and count what caches hit
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  bessemer phase benchmark --production --set radiation=1

With --json:
  {\"costs\": {\"nodes\", \"messages\", \"ways\", \"propagation_us\", \"propagation_scan_us\", \"training_us\", \"chain_us\",
   \"chain_per_node_us\", \"chain_difference\", \"local_us\", \"local_per_node_us\", \"local_difference\",
   \"cache\": {\"hits\", \"misses\", \"invalidations\"}, \"cache_hit_rate\", \"training_cached_us\"},
   \"searches\": [{\"nodes\", \"scan_us\", \"tree_us\", \"tree_recall\", \"bounded_us\", \"bounded_recall\"}]}")]
pub struct Benchmark {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Serialize)]
struct Measured {
    costs: Costs,
    searches: Vec<Searches>,
}

impl Benchmark {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        self.run.pool()?;
        let config = self.config.config()?;
        let measured = Measured {
            costs: costs(&config.graph)?,
            searches: [1_000, 10_000, 100_000].map(searches).into(),
        };
        if let Some(json) = &self.run.json {
            json.write(&measured)?;
        }
        self.run.print(&render(&measured.costs, &measured.searches))
    }
}
