//! The `bessemer` command line.

#![forbid(unsafe_code)]

mod bench;
mod dashboard;
mod demo;
mod error;
mod fitting;
mod forecast;
mod interrupt;
mod machine;
mod number;
mod output;
mod pace;
mod parallel;
mod phase;
mod precision;
mod preflight;
mod profile;
mod progress;
mod recomputed;
mod report;
mod results;
mod run;
mod runs;
mod smoothed;
mod table;
mod tuning;
mod usage;
mod waves;

use std::process::ExitCode;

use clap::Parser;

use crate::error::CliError;

/// Train and serve small and mid-size neural networks, fast, on a CPU.
#[derive(Parser)]
#[command(name = "bessemer", version, max_term_width = 100, after_help = "Example:\n  bessemer demo")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Demo(demo::Demo),
    #[command(subcommand)]
    Forecast(Box<forecast::Forecast>),
    /// Measure this machine and this build
    #[command(subcommand, after_help = "Example:\n  bessemer bench step --model encoder --threads 2")]
    Bench(bench::Bench),
    Machine(machine::MachineCommand),
    #[command(subcommand)]
    Phase(phase::Phase),
    Profile(profile::ProfileCommand),
    #[command(subcommand)]
    Waves(waves::Waves),
    #[command(subcommand)]
    Runs(runs::Runs),
}

impl Command {
    fn run(&self) -> error::Result<()> {
        match self {
            Command::Demo(demo) => demo.run(),
            Command::Forecast(command) => command.run(),
            Command::Bench(bench) => bench.run(),
            Command::Machine(machine) => machine.run(),
            Command::Phase(phase) => phase.run(),
            Command::Profile(profile) => profile.run(),
            Command::Waves(waves) => waves.run(),
            Command::Runs(runs) => runs.run(),
        }
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return usage::answer(&refusal),
    };
    interrupt::install();
    match cli.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Runs a command given by its arguments, after the program's name.
fn execute(arguments: Vec<String>) -> error::Result<()> {
    let words = std::iter::once("bessemer".to_string()).chain(arguments);
    let cli = Cli::try_parse_from(words).map_err(|refusal| {
        let problem = usage::one_line(&refusal.to_string());
        CliError::argument("the command of the run", problem, "it may be of another version")
    })?;
    cli.command.run()
}

/// Says what went wrong, in one line.
fn fail(error: &CliError) -> ExitCode {
    eprintln!("error: {}", usage::one_line(&error.to_string()));
    match error {
        CliError::Interrupted { .. } | CliError::Paused { .. } => ExitCode::from(interrupt::EXIT_CODE),
        _ => ExitCode::from(2),
    }
}
