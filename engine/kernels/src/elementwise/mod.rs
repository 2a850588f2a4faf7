//! Fused elementwise programs: a short list of instructions run over tiles that stay in the L1 cache.
//!
//! Each instruction is one vector loop over a tile of about [`TILE`] floats, so its dispatch costs
//! next to nothing, and intermediate values never leave the cache. Inputs that cover all elements are
//! read where they lie, and results go straight to the output where nothing forbids it, so a program
//! of one instruction runs at the speed of memory.
//!
//! ```
//! use bessemer_kernels::elementwise::{Access, Binary, Instruction, Operand, Program, Unary};
//!
//! // relu(x + bias), with one bias per column of a row of 2
//! let program = Program::new(
//!     vec![Access::Full, Access::Row { len: 2 }],
//!     vec![
//!         Instruction::Binary(Binary::Add, Operand::Input(0), Operand::Input(1)),
//!         Instruction::Unary(Unary::Relu, Operand::Result(0)),
//!     ],
//!     vec![Operand::Result(1)],
//! )?;
//! let mut scratch = vec![0.0; program.scratch_len()];
//! let mut y = [0.0; 4];
//! program.run(4, &[&[1.0, 2.0, -3.0, -4.0], &[0.5, -5.0]], &mut [&mut y], &mut scratch);
//! assert_eq!(y, [1.5, 0.0, 0.0, 0.0]);
//! # Ok::<(), bessemer_kernels::elementwise::ProgramError>(())
//! ```

mod compile;
mod execute;
pub(crate) mod ops;

pub use compile::ProgramError;
pub use ops::{Binary, Unary};

use compile::Step;
use execute::Execution;

/// Floats in a tile: 4 KiB, so that several registers fit in a 32 KiB L1 cache.
pub const TILE: usize = 1024;

/// The most inputs, and the most outputs, a program may have.
pub const MAX_OPERANDS: usize = 32;

/// Which value of an input belongs to element i.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Value i: the input has one value per element.
    Full,
    /// Value 0, the only one.
    Scalar,
    /// Value i % len, such as a bias added to each row.
    Row {
        /// Values in a row, all that the input has.
        len: usize,
    },
    /// Value i / len: one per row.
    Column {
        /// Elements in a row.
        len: usize,
    },
}

/// Where an instruction finds a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand {
    /// The input of this index.
    Input(usize),
    /// The result of the instruction of this index, an earlier one.
    Result(usize),
    /// The same number for every element.
    Const(f32),
}

/// One operation on all elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Instruction {
    /// f(a)
    Unary(Unary, Operand),
    /// f(a, b)
    Binary(Binary, Operand, Operand),
    /// b where a is not 0 (NaN counts as not 0), c where it is
    Select(Operand, Operand, Operand),
    /// 1 / keep with probability keep, and 0 otherwise: [`crate::random::dropout_factor_at`] the
    /// element's position. The same site, seed, step and position give the same mask, so that the
    /// backward pass repeats it.
    DropoutMask {
        /// The probability of keeping an element, above 0 and at most 1.
        keep_probability: f32,
        /// Which random operation of the model this is.
        site: u32,
    },
}

/// What the random numbers of a run depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Randomness {
    /// The run's seed.
    pub seed: u64,
    /// The training step.
    pub step: u64,
    /// The position of element 0: sample index in the data set times elements per sample.
    pub position0: u64,
}

/// A checked program, its registers allotted.
#[derive(Clone, Debug)]
pub struct Program {
    inputs: Vec<Access>,
    outputs: usize,
    steps: Vec<Step>,
    constants: Vec<f32>,
    registers: usize,
    tile: usize,
    random: bool,
}

impl Program {
    /// Checks a program and allots its registers.
    pub fn new(
        inputs: Vec<Access>,
        instructions: Vec<Instruction>,
        outputs: Vec<Operand>,
    ) -> Result<Program, ProgramError> {
        compile::compile(inputs, instructions, outputs)
    }

    /// Floats of scratch that a run needs.
    pub fn scratch_len(&self) -> usize {
        // Registers, then spread-out inputs, then constants.
        (self.registers + self.inputs.len()) * TILE + self.constants.len() * execute::SPLAT
    }

    /// Runs a program without random numbers over `len` elements.
    ///
    /// # Panics
    /// If a slice has not the length its [`Access`] asks for, or the program has random numbers.
    pub fn run(&self, len: usize, inputs: &[&[f32]], outputs: &mut [&mut [f32]], scratch: &mut [f32]) {
        assert!(!self.random, "a program with dropout runs with `run_random`");
        self.run_random(Randomness::default(), len, inputs, outputs, scratch);
    }

    /// Runs a program over `len` elements.
    ///
    /// # Panics
    /// If a slice has not the length its [`Access`] asks for.
    pub fn run_random(
        &self,
        randomness: Randomness,
        len: usize,
        inputs: &[&[f32]],
        outputs: &mut [&mut [f32]],
        scratch: &mut [f32],
    ) {
        assert_eq!(inputs.len(), self.inputs.len(), "inputs of the program");
        assert_eq!(outputs.len(), self.outputs, "outputs of the program");
        assert!(scratch.len() >= self.scratch_len(), "scratch of the program");
        let mut sources = [std::ptr::null(); MAX_OPERANDS];
        for (k, (x, access)) in inputs.iter().zip(&self.inputs).enumerate() {
            let enough = match *access {
                Access::Full => x.len() == len,
                Access::Scalar => x.len() == 1,
                Access::Row { len } => x.len() == len,
                Access::Column { len: row } => x.len() == len.div_ceil(row),
            };
            assert!(enough, "input {k} has {} values for {access:?} of {len}", x.len());
            sources[k] = x.as_ptr();
        }
        let mut results = [std::ptr::null_mut(); MAX_OPERANDS];
        for (k, output) in outputs.iter_mut().enumerate() {
            assert_eq!(output.len(), len, "length of output {k}");
            results[k] = output.as_mut_ptr();
        }
        let scratch = scratch.as_mut_ptr();
        Execution { program: self, len, sources, outputs: results, scratch, randomness }.run();
    }
}

#[cfg(test)]
mod tests;
