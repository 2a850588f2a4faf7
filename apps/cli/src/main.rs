//! The `bessemer` command line.

mod bench;

use clap::Parser;

/// Train and serve small and mid-size neural networks, fast.
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Measure this machine and this build
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() {
    let result = match Command::parse() {
        Command::Bench(bench) => bench.run(),
    };
    if let Err(error) = result {
        eprintln!("error: {error}");
        std::process::exit(2);
    }
}
