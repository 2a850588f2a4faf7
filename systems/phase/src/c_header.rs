//! A phase graph as a C header: all of its numbers, and integer code that answers.

use std::fmt::Write;

use bessemer_phase_reader::{COSINE_BITS, DECAY_BITS, MAGNITUDE_BITS, STRENGTH_BITS};

use crate::network::Network;

/// The functions, for any graph. They follow `bessemer-phase-reader` line by line.
const CODE: &str = include_str!("c_header/phase_graph.h");

impl Network {
    /// A header of C99 that stands for itself: `phase_graph_classify(levels)` gives the class of
    /// `PHASE_GRAPH_FEATURES` levels, the same as in Rust, and works in static memory.
    pub fn c_header(&self) -> String {
        let shape = &self.shape;
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
        let mut text = String::from(
            "/* A phase graph, exported by Bessemer. */\n#ifndef PHASE_GRAPH_H\n#define PHASE_GRAPH_H\n#include <stdint.h>\n\n",
        );
        for (name, value) in numbers {
            _ = writeln!(text, "#define PHASE_GRAPH_{name} {value}");
        }
        array(&mut text, "uint32_t", "first", &self.graph.first);
        array(&mut text, "uint16_t", "targets", &self.graph.targets);
        array(&mut text, "int16_t", "cosines", &self.tables.cosines);
        array(&mut text, "int16_t", "sizes", &self.tables.sizes);
        array(&mut text, "int16_t", "phase", &self.phase);
        array(&mut text, "int16_t", "magnitude", &self.magnitude);
        array(&mut text, "int16_t", "codes", &self.fixed);
        array(&mut text, "int32_t", "bias", &self.adapter.bias);
        array(&mut text, "int8_t", "weights", &self.adapter.weights);
        text + "\n" + CODE + "\n#endif\n"
    }
}

fn array<T: std::fmt::Display>(text: &mut String, kind: &str, name: &str, values: &[T]) {
    _ = write!(text, "\nstatic const {kind} phase_graph_{name}[] = {{");
    for (place, value) in values.iter().enumerate() {
        _ = write!(text, "{}{value},", if place % 24 == 0 { "\n" } else { "" });
    }
    text.push_str("\n};\n");
}
