//! From a list of instructions to steps with places for every value.

use std::fmt;

use super::{Access, Binary, Instruction, MAX_OPERANDS, Operand, Program, TILE, Unary};

/// What a step does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Unary(Unary),
    Binary(Binary),
    Select,
    DropoutMask { keep: f32, site: u32 },
}

/// Where a value lies during a tile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    Input(usize),
    Constant(usize),
    Register(usize),
    Output(usize),
}

/// One vector loop over a tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub op: Op,
    pub to: Place,
    /// As many as the operation has operands; the rest repeat one.
    pub from: [Place; 3],
}

/// Why a program was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramError {
    /// More inputs or outputs than [`MAX_OPERANDS`].
    TooMany(usize),
    /// An access of length 0.
    EmptyAccess {
        /// The input.
        input: usize,
    },
    /// An operand that names no input, or no earlier instruction.
    NoSuchOperand {
        /// The instruction, or the number of instructions plus the output.
        at: usize,
        /// The operand.
        operand: String,
    },
    /// A keep probability not in (0, 1].
    BadProbability(String),
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany(n) => write!(f, "{n} inputs or outputs, but at most {MAX_OPERANDS} fit; split it"),
            Self::EmptyAccess { input } => write!(f, "input {input}: an access of length 0"),
            Self::NoSuchOperand { at, operand } => {
                write!(f, "instruction {at}: {operand} is no input and no earlier result")
            }
            Self::BadProbability(keep) => write!(f, "dropout keeps with probability {keep}, not in (0, 1]"),
        }
    }
}

impl std::error::Error for ProgramError {}

pub(super) fn compile(
    inputs: Vec<Access>,
    instructions: Vec<Instruction>,
    outputs: Vec<Operand>,
) -> Result<Program, ProgramError> {
    check(&inputs, &instructions, &outputs)?;
    let (instructions, outputs) = results_only(instructions, outputs);
    let last_use = last_uses(&instructions, &outputs);
    let direct = direct_outputs(instructions.len(), &outputs);

    let mut constants = Vec::new();
    let mut places: Vec<Option<Place>> = vec![None; instructions.len()];
    let mut free = Vec::new();
    let mut registers = 0;
    let mut steps = Vec::new();
    let mut random = false;
    for (i, &instruction) in instructions.iter().enumerate() {
        if last_use[i].is_none() {
            continue; // nothing uses it
        }
        let (op, operands) = parts(instruction);
        random |= matches!(op, Op::DropoutMask { .. });
        let mut from = [Place::Constant(0); 3];
        for (slot, &operand) in operands.iter().enumerate() {
            from[slot] = match operand {
                Operand::Input(k) => Place::Input(k),
                Operand::Const(x) => Place::Constant(constant(&mut constants, x)),
                Operand::Result(k) => places[k].expect("results come before their uses"),
            };
        }
        // A register whose last use this is may take the result: each vector is read before written.
        for (k, place) in places.iter().enumerate().take(i) {
            if let (Some(Place::Register(r)), Some(last)) = (place, last_use[k])
                && last == i
                && !free.contains(r)
            {
                free.push(*r);
            }
        }
        let to = direct[i].map(Place::Output).unwrap_or_else(|| {
            Place::Register(free.pop().unwrap_or_else(|| {
                registers += 1;
                registers - 1
            }))
        });
        places[i] = Some(to);
        steps.push(Step { op, to, from });
    }
    for (output, &result) in outputs.iter().enumerate() {
        let place = places[result].expect("outputs are used");
        if place != Place::Output(output) {
            steps.push(Step { op: Op::Unary(Unary::Copy), to: Place::Output(output), from: [place; 3] });
        }
    }
    let tile = tile_len(&inputs, steps.len());
    Ok(Program { inputs, outputs: outputs.len(), steps, constants, registers, tile, random })
}

fn check(inputs: &[Access], instructions: &[Instruction], outputs: &[Operand]) -> Result<(), ProgramError> {
    let most = inputs.len().max(outputs.len());
    if most > MAX_OPERANDS {
        return Err(ProgramError::TooMany(most));
    }
    for (input, access) in inputs.iter().enumerate() {
        let empty = match *access {
            Access::Full | Access::Scalar => false,
            Access::Row { len } | Access::Column { len } => len == 0,
        };
        if empty {
            return Err(ProgramError::EmptyAccess { input });
        }
    }
    let known = |at: usize, operand: Operand| {
        let exists = match operand {
            Operand::Input(k) => k < inputs.len(),
            Operand::Result(k) => k < at.min(instructions.len()),
            Operand::Const(_) => true,
        };
        let missing = || ProgramError::NoSuchOperand { at, operand: format!("{operand:?}") };
        exists.then_some(()).ok_or_else(missing)
    };
    for (at, &instruction) in instructions.iter().enumerate() {
        let (op, operands) = parts(instruction);
        operands.iter().try_for_each(|&operand| known(at, operand))?;
        if let Op::DropoutMask { keep, .. } = op
            && !(keep > 0.0 && keep <= 1.0)
        {
            return Err(ProgramError::BadProbability(keep.to_string()));
        }
    }
    for (k, &operand) in outputs.iter().enumerate() {
        known(instructions.len() + k, operand)?;
    }
    Ok(())
}

/// Puts copies of inputs and constants that are outputs before everything else, so that each output
/// is some instruction's result.
fn results_only(instructions: Vec<Instruction>, outputs: Vec<Operand>) -> (Vec<Instruction>, Vec<usize>) {
    let mut copies = Vec::new();
    for &output in &outputs {
        if !matches!(output, Operand::Result(_)) {
            copies.push(Instruction::Unary(Unary::Copy, output));
        }
    }
    let shift = copies.len();
    let mut copied = 0;
    let results = outputs
        .iter()
        .map(|output| match *output {
            Operand::Result(k) => k + shift,
            _ => {
                copied += 1;
                copied - 1
            }
        })
        .collect();
    let moved = |operand| match operand {
        Operand::Result(k) => Operand::Result(k + shift),
        other => other,
    };
    copies.extend(instructions.into_iter().map(|instruction| match instruction {
        Instruction::Unary(op, a) => Instruction::Unary(op, moved(a)),
        Instruction::Binary(op, a, b) => Instruction::Binary(op, moved(a), moved(b)),
        Instruction::Select(a, b, c) => Instruction::Select(moved(a), moved(b), moved(c)),
        mask @ Instruction::DropoutMask { .. } => mask,
    }));
    (copies, results)
}

/// The last instruction that reads each result (outputs read theirs after the last); `None` where
/// nothing that matters does.
fn last_uses(instructions: &[Instruction], outputs: &[usize]) -> Vec<Option<usize>> {
    let mut last: Vec<Option<usize>> = vec![None; instructions.len()];
    for &result in outputs {
        last[result] = Some(instructions.len());
    }
    for i in (0..instructions.len()).rev() {
        if last[i].is_some() {
            for operand in parts(instructions[i]).1 {
                if let Operand::Result(k) = operand {
                    last[k] = last[k].max(Some(i));
                }
            }
        }
    }
    last
}

/// The output that each result is written straight to.
fn direct_outputs(instructions: usize, outputs: &[usize]) -> Vec<Option<usize>> {
    let mut direct = vec![None; instructions];
    for (output, &result) in outputs.iter().enumerate() {
        direct[result].get_or_insert(output);
    }
    direct
}

fn parts(instruction: Instruction) -> (Op, Vec<Operand>) {
    match instruction {
        Instruction::Unary(op, a) => (Op::Unary(op), vec![a]),
        Instruction::Binary(op, a, b) => (Op::Binary(op), vec![a, b]),
        Instruction::Select(a, b, c) => (Op::Select, vec![a, b, c]),
        Instruction::DropoutMask { keep_probability: keep, site } => (Op::DropoutMask { keep, site }, vec![]),
    }
}

/// The index of a constant, by its bits.
fn constant(constants: &mut Vec<f32>, x: f32) -> usize {
    constants.iter().position(|c| c.to_bits() == x.to_bits()).unwrap_or_else(|| {
        constants.push(x);
        constants.len() - 1
    })
}

/// A tile that is a whole number of periods of the first periodic input, where one fits, so that the
/// input is spread out once and not for every tile; a long one for a single step that keeps nothing.
fn tile_len(inputs: &[Access], steps: usize) -> usize {
    if steps == 1 && inputs.iter().all(|access| matches!(access, Access::Full | Access::Scalar)) {
        return 16 * TILE;
    }
    let period = inputs.iter().find_map(|access| match *access {
        Access::Row { len } => Some(len),
        _ => None,
    });
    match period {
        Some(period) if period <= TILE => TILE - TILE % period,
        _ => TILE,
    }
}
