//! `bessemer phase benchmark`.

use serde::Serialize;

use super::measure::{Costs, SEARCHES, Searches, costs, render, searches};
use super::settings::ConfigArgs;
use crate::error::Result;
use crate::run::RunArgs;

/// Time propagation, credit and radiation on made-up samples, and count what caches hit
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  bessemer phase benchmark --production --set radiation=1

It takes two to four minutes, one of them to make an approximate index of 100,000 nodes.

With --json:
  {\"costs\": {\"nodes\", \"messages\", \"ways\", \"propagation_us\", \"propagation_bf16_us\",
   \"propagation_scan_us\", \"training_us\",
   \"chain_us\", \"chain_per_node_us\", \"chain_difference\",
   \"local_us\", \"local_per_node_us\", \"local_difference\",
   \"caches\": [{\"levels\", \"training_us\", \"hit_rate\", \"statistics\":
    {LEVEL: {\"hits\", \"misses\", \"evictions\", \"invalidations\"}}}],
   \"floored\": {\"pattern_width\", \"answers\", \"hits\", \"wrong\"}},
   \"searches\": [{\"nodes\", \"dimensions\", \"scan_us\", \"tree_us\", \"tree_build_us\", \"tree_recall\",
    \"approximate_us\", \"approximate_build_us\", \"approximate_recall\"}]}
  LEVEL is each of patterns, neighbours and candidates.")]
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
        let measured = Measured { costs: costs(&config.graph)?, searches: SEARCHES.map(searches).into() };
        if let Some(json) = &self.run.json {
            json.write(&measured)?;
        }
        self.run.print(&render(&measured.costs, &measured.searches))
    }
}
