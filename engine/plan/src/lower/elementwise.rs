//! Element-wise groups.

use bessemer_graph::ops::binary::Binary;
use bessemer_graph::ops::fused::{Fused, Instruction};
use bessemer_graph::ops::unary::Unary;
use bessemer_graph::shape::{Spread, spread};
use bessemer_kernels::elementwise::{self as kernel, Access, MAX_OPERANDS, Operand, Program};

use super::{Lowered, Site};
use crate::error::PlanError;
use crate::frame::{Frame, Place};

pub(super) fn lower(op: &Fused, site: &mut Site) -> Result<Lowered, PlanError> {
    let len: usize = op.shape.iter().product();
    let inputs: Option<Vec<Access>> = (0..site.reads.len())
        .map(|i| {
            Some(match spread(&site.input(i).shape, &op.shape)? {
                Spread::Full => Access::Full,
                Spread::Scalar => Access::Scalar,
                Spread::Row(len) => Access::Row { len },
                Spread::Column(len) => Access::Column { len },
            })
        })
        .collect();
    let inputs = inputs.ok_or_else(|| site.unsupported("an operand is spread in no simple way"))?;
    let count = inputs.len();
    // Registers of literals become constants in place; the others are renumbered.
    let mut operands: Vec<Operand> = (0..count).map(Operand::Input).collect();
    let mut instructions = Vec::new();
    let mut samples = 1;
    for instruction in &op.instructions {
        let lowered = match *instruction {
            Instruction::Literal(x) => {
                operands.push(Operand::Const(x));
                continue;
            }
            Instruction::Unary(op, a) => kernel::Instruction::Unary(unary(op), operands[a]),
            Instruction::Binary(op, a, b) => {
                kernel::Instruction::Binary(binary(op), operands[a], operands[b])
            }
            Instruction::Select(c, a, b) => {
                kernel::Instruction::Select(operands[c], operands[a], operands[b])
            }
            Instruction::Dropout(op, a) => {
                samples = op.samples;
                let mask = kernel::Operand::Result(instructions.len());
                instructions.push(kernel::Instruction::DropoutMask {
                    keep_probability: 1.0 - op.rate,
                    site: op.site,
                });
                kernel::Instruction::Binary(kernel::Binary::Mul, operands[a], mask)
            }
        };
        operands.push(Operand::Result(instructions.len()));
        instructions.push(lowered);
    }
    let outputs: Vec<Operand> = op.outputs.iter().map(|&r| operands[r]).collect();
    let program =
        Program::new(inputs, instructions, outputs).map_err(|error| site.unsupported(error.to_string()))?;
    let scratch = program.scratch_len();
    let work = Work { program, len, per_sample: (len / samples) as u64 };
    // The usual sizes take the short way through fixed-size operand lists.
    let (reads, writes) = (site.reads.clone(), site.writes.clone());
    Ok(match (reads.len(), writes.len()) {
        (0..=4, 1) => Lowered::new("elementwise", move |f| work.run::<4, 1>(f, &reads, &writes)),
        (0..=4, 2) => Lowered::new("elementwise", move |f| work.run::<4, 2>(f, &reads, &writes)),
        (0..=8, 0..=8) => Lowered::new("elementwise", move |f| work.run::<8, 8>(f, &reads, &writes)),
        _ => Lowered::new("elementwise", move |f| {
            work.run::<MAX_OPERANDS, MAX_OPERANDS>(f, &reads, &writes);
        }),
    }
    .with_scratch(scratch))
}

/// A program and what it runs over.
struct Work {
    program: Program,
    len: usize,
    per_sample: u64,
}

impl Work {
    fn run<const R: usize, const W: usize>(&self, f: &mut Frame, reads: &[Place], writes: &[Place]) {
        let read: [&Place; R] = std::array::from_fn(|i| reads.get(i).unwrap_or(&Place::Nowhere));
        let write: [&Place; W] = std::array::from_fn(|i| writes.get(i).unwrap_or(&Place::Nowhere));
        let random = f.randomness;
        let randomness = kernel::Randomness {
            seed: random.seed,
            step: random.step,
            position0: random.first_sample * self.per_sample,
        };
        let mut x = f.operands(read, write);
        let (inputs, outputs) = (&x.reads[..reads.len()], &mut x.writes[..writes.len()]);
        self.program.run_random(randomness, self.len, inputs, outputs, x.scratch);
    }
}

fn binary(op: Binary) -> kernel::Binary {
    match op {
        Binary::Add => kernel::Binary::Add,
        Binary::Sub => kernel::Binary::Sub,
        Binary::Mul => kernel::Binary::Mul,
        Binary::Div => kernel::Binary::Div,
        Binary::Min => kernel::Binary::Min,
        Binary::Max => kernel::Binary::Max,
        Binary::Less => kernel::Binary::Less,
    }
}

fn unary(op: Unary) -> kernel::Unary {
    match op {
        Unary::Neg => kernel::Unary::Neg,
        Unary::Abs => kernel::Unary::Abs,
        Unary::Sign => kernel::Unary::Sign,
        Unary::Exp => kernel::Unary::Exp,
        Unary::Log => kernel::Unary::Log,
        Unary::Sqrt => kernel::Unary::Sqrt,
        Unary::Rsqrt => kernel::Unary::Rsqrt,
        Unary::Recip => kernel::Unary::Recip,
        Unary::Square => kernel::Unary::Square,
        Unary::Tanh => kernel::Unary::Tanh,
        Unary::Sigmoid => kernel::Unary::Sigmoid,
        Unary::Relu => kernel::Unary::Relu,
        Unary::Step => kernel::Unary::Step,
        Unary::GeluErf => kernel::Unary::GeluErf,
        Unary::GeluErfGrad => kernel::Unary::GeluErfGrad,
        Unary::GeluTanh => kernel::Unary::GeluTanh,
        Unary::GeluTanhGrad => kernel::Unary::GeluTanhGrad,
        Unary::Silu => kernel::Unary::Silu,
        Unary::SiluGrad => kernel::Unary::SiluGrad,
        Unary::Elu => kernel::Unary::Elu,
        Unary::EluGrad => kernel::Unary::EluGrad,
        Unary::Erf => kernel::Unary::Erf,
        Unary::Sin => kernel::Unary::Sin,
        Unary::Cos => kernel::Unary::Cos,
        Unary::Detach => kernel::Unary::Copy,
    }
}
