//! Times one training step in Burn or in Candle and prints it as JSON:
//! `rust_step burn|candle encoder|mlp`. The number of threads comes from
//! `RAYON_NUM_THREADS`, which both frameworks read.

mod burn_step;
mod candle_step;
mod timing;

use std::process::ExitCode;

use timing::Report;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [framework, model] = arguments.as_slice() else {
        eprintln!("usage: rust_step burn|candle encoder|mlp");
        return ExitCode::FAILURE;
    };
    let report: Report = match (framework.as_str(), model.as_str()) {
        ("burn", "encoder") => burn_step::encoder(),
        ("burn", "mlp") => burn_step::mlp(),
        ("candle", "encoder") => candle_step::encoder().expect("Candle runs the encoder"),
        ("candle", "mlp") => candle_step::mlp().expect("Candle runs the MLP"),
        _ => {
            eprintln!("no `{framework} {model}`: expected burn|candle and encoder|mlp");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", report.to_json(framework, model));
    ExitCode::SUCCESS
}
