//! Exported phase graphs.

use bessemer_phase::reader::{Needs, classify, parse};

/// Steps that are worth waiting for.
const STEPS: u32 = 100;

/// What is said of a file with these bytes; what is read is run, too.
///
/// # Panics
/// If an answer is no class.
pub fn read(bytes: &[u8]) -> Result<(), String> {
    let model = parse(bytes).map_err(|problem| problem.to_string())?;
    if model.shape.steps_max > STEPS {
        return Ok(());
    }
    let needs = Needs::of(&model.shape);
    let (mut indices, mut strengths) = (vec![0; needs.indices], vec![0; needs.strengths]);
    let (mut lists, levels) = (vec![0; needs.lists], vec![255; model.shape.features]);
    let class = classify(&model, &levels, &mut indices, &mut strengths, &mut lists).0;
    assert!(class < model.shape.classes);
    Ok(())
}
