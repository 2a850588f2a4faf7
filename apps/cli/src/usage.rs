//! Answers to arguments that cannot be run: help, the version, or what is wrong in one line.

use std::process::ExitCode;

use clap::error::ErrorKind;

/// Prints what clap has to say: help and version in full, a refusal as one line.
pub fn answer(refusal: &clap::Error) -> ExitCode {
    match refusal.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that has closed its end, such as `head`, has seen enough.
            let _ = refusal.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = refusal.print();
            ExitCode::from(2)
        }
        _ => {
            eprintln!("{}", short(&refusal.render().to_string()));
            ExitCode::from(2)
        }
    }
}

/// The refusal and its tips, without the usage that follows.
fn short(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let mut lines = lines.map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or("error: arguments that make no sense").to_string();
    let line = lines.fold(first, |line, next| match line.ends_with(':') || next.starts_with('[') {
        true => format!("{line} {next}"),
        false => format!("{line}; {next}"),
    });
    format!("{line}; see `--help`")
}

/// A message on one line.
pub fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_left_out() {
        let text = "error: the following required arguments were not provided:\n  --horizon <H>\n  --out <F>\n\n\
                    Usage: bessemer forecast fit\n\nFor more information, try '--help'.\n";
        assert_eq!(
            short(text),
            "error: the following required arguments were not provided: --horizon <H>; --out <F>; see `--help`"
        );
    }
}
