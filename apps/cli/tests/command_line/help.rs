//! What `--help` says.

use crate::place::Place;

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    let commands = [
        "",
        "demo",
        "forecast",
        "forecast fit",
        "forecast predict",
        "forecast backtest",
        "forecast cross-validate",
        "forecast search",
        "forecast quantize",
        "waves",
        "waves fit",
        "waves evaluate",
        "waves render",
        "waves compare",
        "bench",
        "bench step",
        "bench predict",
        "bench start",
        "bench kernels",
        "bench ladder",
        "bench phase",
        "machine",
        "phase",
        "phase train",
        "phase evaluate",
        "phase predict",
        "phase benchmark",
        "phase explain",
        "phase export",
        "profile",
        "runs",
        "runs list",
        "runs show",
        "runs compare",
        "runs repeat",
    ];
    for command in commands {
        let text = place.succeed(&format!("{command} --help"));
        assert!(text.contains("Example"), "{command} --help has no example");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{command} --help has a long line");
        let name = if command.is_empty() { "bessemer".to_string() } else { command.replace(' ', "_") };
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn no_arguments_show_the_help() {
    let output = Place::new().run("");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("bessemer demo"));
}
