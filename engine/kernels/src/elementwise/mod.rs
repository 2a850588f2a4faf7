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
//!     vec![],
//! )?;
//! let mut scratch = vec![0.0; program.scratch_len()];
//! let mut y = [0.0; 4];
//! program.run(4, &[&[1.0, 2.0, -3.0, -4.0], &[0.5, -5.0]], &mut [&mut y], &mut scratch);
//! assert_eq!(y, [1.5, 0.0, 0.0, 0.0]);
//! # Ok::<(), bessemer_kernels::elementwise::ProgramError>(())
//! ```

mod compile;
mod execute;
mod ops;

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
    /// Value (i / inner) % len, such as a bias per channel of an image.
    Channel {
        /// Channels, all that the input has.
        len: usize,
        /// Neighbouring elements of one channel.
        inner: usize,
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
    /// a * b + c
    MulAdd(Operand, Operand, Operand),
    /// b where a is not 0 (NaN counts as not 0), c where it is
    Select(Operand, Operand, Operand),
    /// 1 / keep with probability keep, and 0 otherwise: the number of [`crate::random`] at the
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
    aliases: Vec<(usize, usize)>,
    steps: Vec<Step>,
    constants: Vec<f32>,
    registers: usize,
    tile: usize,
    random: bool,
}

impl Program {
    /// Checks a program and allots its registers. `aliases` lists pairs (input, output) that share
    /// memory: the input, of [`Access::Full`], is read from where the output is written.
    pub fn new(
        inputs: Vec<Access>,
        instructions: Vec<Instruction>,
        outputs: Vec<Operand>,
        aliases: Vec<(usize, usize)>,
    ) -> Result<Program, ProgramError> {
        compile::compile(inputs, instructions, outputs, aliases)
    }

    /// Floats of scratch that a run needs.
    pub fn scratch_len(&self) -> usize {
        // Registers, then outputs (for `run_sum`), then spread-out inputs, then constants.
        (self.registers + self.outputs + self.inputs.len()) * TILE + self.constants.len() * execute::SPLAT
    }

    /// Whether runs need [`Randomness`].
    pub fn is_random(&self) -> bool {
        self.random
    }

    /// Runs a program without aliases or randomness over `len` elements.
    ///
    /// # Panics
    /// If a slice has not the length its [`Access`] asks for, or the program is not of that kind.
    pub fn run(&self, len: usize, inputs: &[&[f32]], outputs: &mut [&mut [f32]], scratch: &mut [f32]) {
        assert!(!self.random, "a program with dropout runs with `run_random`");
        self.check_outputs(len, outputs);
        let outputs = Some(pointers(outputs.iter_mut().map(|x| x.as_mut_ptr())));
        self.execute(len, inputs.iter().map(|&x| Some(x)), outputs, scratch, Randomness::default());
    }

    /// Runs a program over `len` elements; an input that is `None` is read from the output it is
    /// aliased to.
    ///
    /// # Panics
    /// If a slice has not the length its [`Access`] asks for, or exactly the aliased inputs are not
    /// `None`.
    pub fn run_in_place(
        &self,
        len: usize,
        inputs: &[Option<&[f32]>],
        outputs: &mut [&mut [f32]],
        scratch: &mut [f32],
    ) {
        assert!(!self.random, "a program with dropout runs with `run_random`");
        self.run_random(Randomness::default(), len, inputs, outputs, scratch);
    }

    /// [`Program::run_in_place`] with random numbers.
    pub fn run_random(
        &self,
        randomness: Randomness,
        len: usize,
        inputs: &[Option<&[f32]>],
        outputs: &mut [&mut [f32]],
        scratch: &mut [f32],
    ) {
        self.check_outputs(len, outputs);
        let outputs = Some(pointers(outputs.iter_mut().map(|x| x.as_mut_ptr())));
        self.execute(len, inputs.iter().copied(), outputs, scratch, randomness);
    }

    /// The sum of output 0 over all elements, without storing it: f32 within tiles, f64 across them,
    /// in an order that depends on the length and instruction set only. Other outputs are dropped.
    ///
    /// # Panics
    /// As [`Program::run`], and if the program has no output.
    pub fn run_sum(&self, len: usize, inputs: &[&[f32]], scratch: &mut [f32]) -> f32 {
        assert!(!self.random, "sums of random programs are not supported");
        assert!(self.outputs > 0, "no output to sum");
        self.execute(len, inputs.iter().map(|&x| Some(x)), None, scratch, Randomness::default()) as f32
    }

    fn check_outputs(&self, len: usize, outputs: &[&mut [f32]]) {
        assert_eq!(outputs.len(), self.outputs, "outputs of the program");
        for (k, output) in outputs.iter().enumerate() {
            assert_eq!(output.len(), len, "length of output {k}");
        }
    }

    /// Runs into the outputs, or without them sums output 0.
    fn execute<'a>(
        &self,
        len: usize,
        inputs: impl ExactSizeIterator<Item = Option<&'a [f32]>>,
        outputs: Option<[*mut f32; MAX_OPERANDS]>,
        scratch: &mut [f32],
        randomness: Randomness,
    ) -> f64 {
        assert_eq!(inputs.len(), self.inputs.len(), "inputs of the program");
        assert!(scratch.len() >= self.scratch_len(), "scratch of the program");
        let scratch = scratch.as_mut_ptr();
        let sum = outputs.is_none();
        let outputs = outputs.unwrap_or_else(|| {
            pointers((0..self.outputs).map(|k| scratch.wrapping_add((self.registers + k) * TILE)))
        });
        let mut sources = [std::ptr::null::<f32>(); MAX_OPERANDS];
        for (k, input) in inputs.enumerate() {
            let alias = self.aliases.iter().find(|&&(input, _)| input == k);
            sources[k] = match (input, alias) {
                (Some(x), None) => {
                    let enough = match self.inputs[k] {
                        Access::Full => x.len() == len,
                        Access::Scalar => x.len() == 1,
                        Access::Row { len } | Access::Channel { len, .. } => x.len() == len,
                        Access::Column { len: row } => x.len() == len.div_ceil(row),
                    };
                    assert!(enough, "input {k} has {} values for {:?} of {len}", x.len(), self.inputs[k]);
                    x.as_ptr()
                }
                (None, Some(&(_, output))) if !sum => outputs[output].cast_const(),
                _ => panic!("input {k}: `None` is for inputs aliased to an output, and only for them"),
            };
        }
        Execution { program: self, len, sources, outputs, scratch, randomness, sum }.run()
    }
}

fn pointers(all: impl Iterator<Item = *mut f32>) -> [*mut f32; MAX_OPERANDS] {
    let mut array = [std::ptr::null_mut(); MAX_OPERANDS];
    for (slot, pointer) in array.iter_mut().zip(all) {
        *slot = pointer;
    }
    array
}

#[cfg(test)]
mod tests;
