//! What is said of names and values that are refused.

use crate::error::{closest, shorten};

/// What was meant, or all that there is.
pub(super) fn nearest(name: &str, known: &[String]) -> String {
    match closest(name, known, 0.7) {
        Some(best) => format!("did you mean `{best}`?"),
        None if known.is_empty() => "it has none at all".to_string(),
        None => format!("its settings are {}", known.join(", ")),
    }
}

/// A message of serde's without the names of types.
pub(super) fn plain_words(message: &str) -> String {
    let words = [
        ("expected f64", "expected a number"),
        ("expected f32", "expected a number"),
        ("expected usize", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected u32", "expected a whole number"),
        ("expected u8", "expected a whole number"),
        ("expected internally tagged enum", "expected a table with a `kind` for"),
        ("invalid type: null", "invalid type: no finite number"),
        ("expected struct TrainOptions", "expected a section"),
        ("expected struct ", "expected a table for "),
    ];
    words.iter().fold(message.to_string(), |text, (from, to)| text.replace(from, to))
}

/// The problem and the remedy in a message of serde's that a name is unknown: it lists those that it knows.
pub(super) fn unknown_name(problem: &str) -> Option<(String, String)> {
    for unknown in ["unknown field `", "unknown variant `"] {
        let Some((name, known)) =
            problem.strip_prefix(unknown).and_then(|rest| rest.rsplit_once("`, expected "))
        else {
            continue;
        };
        // Every second part stands between two marks.
        let known: Vec<String> = known.split('`').skip(1).step_by(2).map(str::to_string).collect();
        let remedy = match closest(name, &known, 0.7) {
            Some(best) => format!("did you mean `{best}`?"),
            None => format!("it may be {}", known.join(", ")),
        };
        return Some((format!("`{}` is unknown", shorten(name)), remedy));
    }
    None
}

/// The beginning of a message: a value in it may be as long as a file.
pub(super) fn brief(message: &str) -> String {
    const MOST: usize = 200;
    match message.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", &message[..end]),
        None => message.to_string(),
    }
}
