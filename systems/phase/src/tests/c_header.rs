//! What a C compiler makes of an exported graph.

use std::path::Path;
use std::process::Command;

use bessemer_kernels::pool::Pool;
use bessemer_phase_reader::COSINE_BITS;

use super::learning::{fitted, fitted_as, table};
use crate::classifier::Classifier;
use crate::options::FitOptions;
use crate::settings::Settings;

/// Two graphs in one program, which is C and C++: for each sample of four floats the class of both, the scores of the
/// first and what its class is called.
const PROGRAM: &str = r#"
#include <stdio.h>
#include "digits.h"
#include "other.h"
int main(void) {
    float x[DIGITS_FEATURES];
    while (fread(x, 1, sizeof x, stdin) == sizeof x) {
        uint8_t levels[DIGITS_FEATURES], others[OTHER_MODEL_FEATURES];
        int64_t scores[DIGITS_CLASSES];
        int i, found;
        for (i = 0; i < DIGITS_FEATURES; i++) {
            levels[i] = digits_level((uint32_t)i, x[i]);
            others[i] = other_model_level((uint32_t)i, x[i]);
        }
        found = digits_score(levels, scores);
        if (found != digits_classify(levels)) return 1;
        printf("%d %d", found, other_model_classify(others));
        for (i = 0; i < DIGITS_CLASSES; i++) printf(" %lld", (long long)scores[i]);
        printf(" %s\n", digits_classes[found]);
    }
    return 0;
}
"#;

/// What the program prints when it is compiled so, if there is such a compiler.
fn printed(folder: &Path, compiler: &str, options: &[&str], file: &str, input: &[u8]) -> Option<String> {
    std::fs::write(folder.join(file), PROGRAM).unwrap();
    std::fs::write(folder.join("input"), input).unwrap();
    let strict = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"];
    let checked = ["-fsanitize=undefined", "-fno-sanitize-recover", "-o", "answer"];
    let compiled = Command::new(compiler)
        .args(options)
        .args(strict)
        .args(checked)
        .arg(file)
        .current_dir(folder)
        .output();
    let Ok(compiled) = compiled else {
        println!("SKIPPED: no compiler `{compiler}`");
        return None;
    };
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let input = std::fs::File::open(folder.join("input")).unwrap();
    let output = Command::new(folder.join("answer")).stdin(input).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Names that a careless header would not survive.
fn named(mut classifier: Classifier) -> Classifier {
    classifier.classes = ["a\"b\\?\u{3f}/1", "é*/\t2", "%d\u{7}3"].map(String::from).into();
    classifier
}

#[test]
fn c_and_cpp_answer_the_same() {
    let options = FitOptions { epochs: 3, ..FitOptions::default() };
    let digits = named(fitted(&options, 2));
    let other = Settings { inputs: 9, intermediate: 8, outputs: 7, radiation: 0, ..Settings::default() };
    let other = fitted_as(&other, &options, 2);
    let table = table();
    let rows: Vec<usize> = (0..table.len()).collect();
    let answers = |classifier: &Classifier| {
        let unlabelled = classifier.predict(&table, &Pool::new(2)).unwrap();
        unlabelled.into_iter().map(|said| said.class).collect::<Vec<_>>()
    };
    let expected = [answers(&digits), answers(&other)];
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("digits.h"), digits.c_header("digits").unwrap()).unwrap();
    std::fs::write(folder.path().join("other.h"), other.c_header("other_model").unwrap()).unwrap();
    let input: Vec<u8> = table.values.iter().flat_map(|value| value.to_le_bytes()).collect();
    for (compiler, options, file) in [("cc", ["-std=c99"], "main.c"), ("c++", ["-std=c++11"], "main.cpp")] {
        let Some(printed) = printed(folder.path(), compiler, &options, file, &input) else { continue };
        assert_eq!(printed.lines().count(), rows.len());
        let mut compared = 0;
        for (row, line) in printed.lines().enumerate() {
            let mut words = line.splitn(6, ' ');
            let mut number = || words.next().unwrap().parse::<i64>().unwrap();
            assert_eq!(
                [number() as usize, number() as usize],
                [expected[0][row], expected[1][row]],
                "{line}"
            );
            let scores = [number(), number(), number()];
            assert_eq!(words.next(), Some(&*digits.classes[expected[0][row]]));
            let explanation = digits.explain(table.row(row)).unwrap();
            if explanation.logits.is_empty() {
                assert_eq!(scores, [0; 3]);
                continue;
            }
            compared += 1;
            // Mean cosines, but for their rounding to 14 bits in each of five dimensions.
            for (score, logit) in scores.iter().zip(&explanation.logits) {
                let sum = *score as f64 / f64::from(1 << (2 * COSINE_BITS));
                let mean = sum / explanation.outputs.len() as f64;
                let cosine = f64::from(logit * digits.options.temperature);
                assert!((mean - cosine).abs() < 5.0 / f64::from(1 << 14), "{mean} {cosine}");
            }
        }
        assert!(compared > 100, "{compared} answers to compare");
    }
}

#[test]
fn a_prefix_is_a_name_in_c() {
    let classifier = fitted(&FitOptions { epochs: 1, ..FitOptions::default() }, 1);
    for prefix in ["", "8x8", "a-b", "_a", "é", "a b", "a\n", &"a".repeat(41)] {
        let said = classifier.c_header(prefix).unwrap_err().to_string();
        assert!(said.starts_with(&format!("prefix is {prefix}: names in C begin with it")), "{said}");
    }
    for prefix in ["a", "Int8_t", &"a".repeat(40)] {
        let text = classifier.c_header(prefix).unwrap();
        let guard = format!("#ifndef {}_H\n", prefix.to_uppercase());
        assert!(text.contains(&guard) && !text.to_lowercase().contains("phase_graph"), "{prefix}");
    }
}
