//! A group of element-wise operations run in one sweep over memory.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::ops::binary::Binary;
use crate::ops::dropout::Dropout;
use crate::ops::select::Select;
use crate::ops::unary::Unary;
use crate::shape::{Type, broadcast};
use crate::tensor::Tensor;

/// A register: the inputs come first, then one per instruction.
pub type Register = usize;

/// One element-wise step of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Instruction {
    /// A number.
    Literal(f32),
    /// A function of one register.
    Unary(Unary, Register),
    /// A function of two registers.
    Binary(Binary, Register, Register),
    /// The second where the first is not zero, else the third.
    Select(Register, Register, Register),
    /// A register with some of its elements dropped.
    Dropout(Dropout, Register),
}

impl Instruction {
    /// The operation's name, if it is one.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Instruction::Literal(_) => None,
            Instruction::Unary(op, _) => Some(op.name()),
            Instruction::Binary(op, ..) => Some(op.name()),
            Instruction::Select(..) => Some(Select.name()),
            Instruction::Dropout(op, _) => Some(op.name()),
        }
    }

    /// The registers read.
    pub fn reads(&self) -> Vec<Register> {
        match *self {
            Instruction::Literal(_) => vec![],
            Instruction::Unary(_, a) | Instruction::Dropout(_, a) => vec![a],
            Instruction::Binary(_, a, b) => vec![a, b],
            Instruction::Select(a, b, c) => vec![a, b, c],
        }
    }

    /// The same instruction reading other registers.
    pub fn map(&self, f: impl Fn(Register) -> Register) -> Instruction {
        match *self {
            Instruction::Literal(x) => Instruction::Literal(x),
            Instruction::Unary(op, a) => Instruction::Unary(op, f(a)),
            Instruction::Binary(op, a, b) => Instruction::Binary(op, f(a), f(b)),
            Instruction::Select(a, b, c) => Instruction::Select(f(a), f(b), f(c)),
            Instruction::Dropout(op, a) => Instruction::Dropout(op, f(a)),
        }
    }
}

/// A straight program over the elements of its inputs, broadcast to one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Fused {
    /// The shape of every output.
    pub shape: Vec<usize>,
    /// The steps, each defining the next register.
    pub instructions: Vec<Instruction>,
    /// The registers that are outputs.
    pub outputs: Vec<Register>,
}

impl Operation for Fused {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        for x in inputs {
            if broadcast(&x.shape, &self.shape).as_ref() != Some(&self.shape) {
                return Err(format!("{:?} doesn't broadcast to {:?}", x.shape, self.shape));
            }
        }
        Ok(vec![Type::f32(self.shape.clone()); self.outputs.len()])
    }

    fn flops(&self, _: &[Type], outputs: &[Type]) -> f64 {
        let each: f64 = self
            .instructions
            .iter()
            .map(|i| match i {
                Instruction::Literal(_) => 0.0,
                Instruction::Unary(op, _) => op.element_flops(),
                _ => 1.0,
            })
            .sum();
        each * outputs[0].len() as f64
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(false) // made after differentiation only
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let mut outputs: Vec<Tensor> =
            self.outputs.iter().map(|_| Tensor::full(self.shape.clone(), 0.0)).collect();
        let mut position = 0;
        Tensor::from_fn(self.shape.clone(), |index| {
            let mut registers: Vec<f64> = inputs.iter().map(|x| x.at(index)).collect();
            for instruction in &self.instructions {
                registers.push(match *instruction {
                    Instruction::Literal(x) => x as f64,
                    Instruction::Unary(op, a) => op.eval(registers[a]),
                    Instruction::Binary(op, a, b) => op.eval(registers[a], registers[b]),
                    // As in the reference of `Dropout` itself.
                    Instruction::Dropout(_, a) => registers[a],
                    Instruction::Select(c, a, b) => {
                        if registers[c] != 0.0 {
                            registers[a]
                        } else {
                            registers[b]
                        }
                    }
                });
            }
            for (output, &register) in outputs.iter_mut().zip(&self.outputs) {
                output.data[position] = registers[register];
            }
            position += 1;
            0.0
        });
        outputs
    }
}
