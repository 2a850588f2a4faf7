//! A phase graph as a C header: all of its numbers, and integer code that answers.

use std::fmt::Write;

use bessemer_phase_reader::{COSINE_BITS, DECAY_BITS, MAGNITUDE_BITS, STRENGTH_BITS};

use crate::classifier::Classifier;
use crate::error::{Result, setting};

/// The functions, for any graph, of the prefix `phase_graph`. They follow `bessemer-phase-reader` line by line.
const CODE: &str = include_str!("c_header/phase_graph.h");
/// The longest prefix, in bytes: C compilers need not tell names apart beyond 63.
const MAX_PREFIX: usize = 40;

impl Classifier {
    /// A header of C99 and C++11 that stands for itself: of a `prefix` `digits`, `digits_classify(levels)` gives the
    /// class of `DIGITS_FEATURES` levels, the same as in Rust, and works in static memory; `digits_score` gives the
    /// scores of all classes, too, `digits_level` makes a level of a value, and `digits_classes` are names. Headers of
    /// several prefixes can be included by one file, unless these differ in nothing but capitals.
    ///
    /// # Errors
    /// If the prefix is no name in C.
    pub fn c_header(&self, prefix: &str) -> Result<String> {
        let is_name = prefix.starts_with(|c: char| c.is_ascii_alphabetic())
            && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name || prefix.len() > MAX_PREFIX {
            let remedy = format!(
                "names in C begin with it: it must be a letter and up to {} letters, digits and underscores",
                MAX_PREFIX - 1
            );
            return setting("prefix", prefix, remedy);
        }
        let network = &self.network;
        let shape = &network.shape;
        let numbers = [
            ("FEATURES", shape.features as i64),
            ("CLASSES", shape.classes as i64),
            ("NODES", shape.nodes as i64),
            ("INPUTS", shape.inputs as i64),
            ("OUTPUTS", shape.outputs as i64),
            ("DIMENSIONS", shape.dimensions as i64),
            ("PHASES", shape.phases as i64),
            ("MAGNITUDES", shape.magnitudes as i64),
            ("RADIATION", shape.radiation as i64),
            ("STEPS_MIN", shape.steps_min.into()),
            ("STEPS_MAX", shape.steps_max.into()),
            ("DECAY", shape.decay.into()),
            ("STRENGTH_MIN", shape.strength_min.into()),
            ("SHIFT", shape.shift.into()),
            ("FALLBACK", shape.fallback as i64),
            ("COSINE_BITS", COSINE_BITS.into()),
            ("MAGNITUDE_BITS", MAGNITUDE_BITS.into()),
            ("STRENGTH_BITS", STRENGTH_BITS.into()),
            ("DECAY_BITS", DECAY_BITS.into()),
        ];
        let upper = prefix.to_ascii_uppercase();
        let mut text = format!(
            "/* A phase graph, exported by Bessemer: {prefix}_classify() answers, {prefix}_score() with the scores. */\n\
             #ifndef {upper}_H\n#define {upper}_H\n#include <stdint.h>\n\n"
        );
        for (name, value) in numbers {
            _ = writeln!(text, "#define {upper}_{name} {value}");
        }
        let mut arrays = Arrays { text, prefix };
        arrays.text += "\n/* Names of the classes, by number. */\n";
        arrays.add("char *const", "classes", self.classes.iter().map(|name| literal(name)), 1);
        arrays.text += "\n/* The value of level 0 of each feature, and what it rises by with each level, up to 255. */\n";
        let floats = |values: &[f32]| values.iter().map(|value| format!("{value:?}f")).collect::<Vec<_>>();
        arrays.add("float", "low", floats(&self.scaler.low), 12);
        arrays.add("float", "step", floats(&self.scaler.step), 12);
        arrays.add("uint32_t", "first", &network.graph.first, 24);
        arrays.add("uint16_t", "targets", &network.graph.targets, 24);
        arrays.add("int16_t", "cosines", &network.tables.cosines, 24);
        arrays.add("int16_t", "sizes", &network.tables.sizes, 24);
        arrays.add("int16_t", "phase", &network.phase[..], 24);
        arrays.add("int16_t", "magnitude", &network.magnitude, 24);
        arrays.add("int16_t", "codes", &network.fixed, 24);
        arrays.add("int32_t", "bias", &network.adapter.bias, 24);
        arrays.add("int8_t", "weights", &network.adapter.weights, 24);
        let code = CODE.replace("phase_graph", prefix).replace("PHASE_GRAPH", &upper);
        Ok(arrays.text + "\n" + &code + "\n#endif\n")
    }
}

/// A text of arrays.
struct Arrays<'a> {
    text: String,
    prefix: &'a str,
}

impl Arrays<'_> {
    /// Adds one with so many values in a line.
    fn add<T: std::fmt::Display>(
        &mut self,
        kind: &str,
        name: &str,
        values: impl IntoIterator<Item = T>,
        in_line: usize,
    ) {
        let Arrays { text, prefix } = self;
        _ = write!(text, "\nstatic const {kind} {prefix}_{name}[] = {{");
        for (place, value) in values.into_iter().enumerate() {
            _ = write!(text, "{}{value},", if place % in_line == 0 { "\n" } else { "" });
        }
        text.push_str("\n};\n");
    }
}

/// A string as C has it, whatever the text.
fn literal(text: &str) -> String {
    let mut literal = String::from("\"");
    for byte in text.bytes() {
        match byte {
            // Two question marks may begin a trigraph.
            b'"' | b'\\' | b'?' => literal.extend(['\\', byte.into()]),
            b' '..=b'~' => literal.push(byte.into()),
            // Of octal escapes, three digits are all.
            _ => _ = write!(literal, "\\{byte:03o}"),
        }
    }
    literal + "\""
}
