use proptest::prelude::*;

use super::*;
use crate::Isa;
use crate::random::{Stream, dropout_factor_at, uniform_at};

/// Exact operations, so that the oracle can ask for equality: what is tested is where values come
/// from and go to.
fn exact_instruction(inputs: usize, earlier: usize) -> impl Strategy<Value = Instruction> {
    let operand = move || {
        prop_oneof![
            (0..inputs).prop_map(Operand::Input),
            (0..earlier.max(1)).prop_map(move |k| if k < earlier {
                Operand::Result(k)
            } else {
                Operand::Const(3.0)
            }),
            (-3i8..3).prop_map(|x| Operand::Const(f32::from(x))),
        ]
    };
    let unary =
        prop::sample::select(vec![Unary::Neg, Unary::Abs, Unary::Relu, Unary::Step, Unary::Sign, Unary::Not]);
    let binary = prop::sample::select(vec![
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Min,
        Binary::Max,
        Binary::Less,
        Binary::GreaterEqual,
    ]);
    prop_oneof![
        (unary, operand()).prop_map(|(op, a)| Instruction::Unary(op, a)),
        (binary, operand(), operand()).prop_map(|(op, a, b)| Instruction::Binary(op, a, b)),
        (operand(), operand(), operand()).prop_map(|(a, b, c)| Instruction::Select(a, b, c)),
    ]
}

fn exact_instructions(inputs: usize) -> impl Strategy<Value = Vec<Instruction>> {
    (1..9usize).prop_flat_map(move |n| (0..n).map(|k| exact_instruction(inputs, k)).collect::<Vec<_>>())
}

fn truth(x: bool) -> f32 {
    if x { 1.0 } else { 0.0 }
}

fn evaluate(instructions: &[Instruction], inputs: &[f32]) -> Vec<f32> {
    let mut results: Vec<f32> = Vec::new();
    for &instruction in instructions {
        let value = |operand| match operand {
            Operand::Input(k) => inputs[k],
            Operand::Result(k) => results[k],
            Operand::Const(x) => x,
        };
        let result = match instruction {
            Instruction::Unary(op, a) => {
                let x = value(a);
                match op {
                    Unary::Neg => -x,
                    Unary::Abs => x.abs(),
                    Unary::Relu if x <= 0.0 => 0.0,
                    Unary::Relu => x,
                    Unary::Step => truth(x > 0.0),
                    Unary::Sign if x == 0.0 || x.is_nan() => x,
                    Unary::Sign => x.signum(),
                    Unary::Not => truth(x == 0.0),
                    other => unreachable!("{other:?} is not exact"),
                }
            }
            Instruction::Binary(op, a, b) => {
                let (a, b) = (value(a), value(b));
                match op {
                    Binary::Add => a + b,
                    Binary::Sub => a - b,
                    Binary::Mul => a * b,
                    Binary::Div => a / b,
                    Binary::Min | Binary::Max if a.is_nan() || b.is_nan() => f32::NAN,
                    Binary::Min => a.min(b),
                    Binary::Max => a.max(b),
                    Binary::Less => truth(a < b),
                    Binary::GreaterEqual => truth(a >= b),
                }
            }
            Instruction::Select(mask, a, b) => {
                if value(mask) == 0.0 {
                    value(b)
                } else {
                    value(a)
                }
            }
            other => unreachable!("{other:?} is not exact"),
        };
        results.push(result);
    }
    results
}

fn index(access: Access, i: usize) -> usize {
    match access {
        Access::Full => i,
        Access::Scalar => 0,
        Access::Row { len } => i % len,
        Access::Column { len } => i / len,
    }
}

fn values(access: Access, len: usize, seed: u64) -> Vec<f32> {
    let n = match access {
        Access::Full => len,
        Access::Scalar => 1,
        Access::Row { len } => len,
        Access::Column { len: row } => len.div_ceil(row),
    };
    let stream = Stream { seed, step: 0, site: 0 };
    (0..n as u64).map(|i| (uniform_at(stream, i) * 9.0).floor() - 4.0).collect()
}

fn same(a: f32, b: f32) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

fn access() -> impl Strategy<Value = Access> {
    prop_oneof![
        Just(Access::Full),
        Just(Access::Scalar),
        prop_oneof![1..40usize, 900..1100usize, 1..5000usize].prop_map(|len| Access::Row { len }),
        prop_oneof![1..40usize, 900..1100usize, 1..5000usize].prop_map(|len| Access::Column { len }),
    ]
}

proptest! {
    #[test]
    fn programs_equal_element_by_element_evaluation(
        accesses in prop::collection::vec(access(), 3),
        instructions in exact_instructions(3),
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0..8u8), 1..4),
        len in prop_oneof![0..70usize, 1000..3300usize],
        seed: u64,
    ) {
        let outputs: Vec<Operand> = picks
            .iter()
            .map(|(pick, kind)| match kind {
                0 => Operand::Input(pick.index(3)),
                1 => Operand::Const(2.5),
                _ => Operand::Result(pick.index(instructions.len())),
            })
            .collect();
        let inputs: Vec<Vec<f32>> =
            accesses.iter().enumerate().map(|(k, &a)| values(a, len, seed ^ k as u64)).collect();
        let slices: Vec<&[f32]> = inputs.iter().map(|x| &x[..]).collect();
        let program = Program::new(accesses.clone(), instructions.clone(), outputs.clone()).unwrap();

        for isa in Isa::available() {
            let mut results = vec![vec![f32::NAN; len]; outputs.len()];
            let mut scratch = vec![f32::NAN; program.scratch_len()];
            let mut to: Vec<&mut [f32]> = results.iter_mut().map(|x| &mut x[..]).collect();
            isa.force(|| program.run(len, &slices, &mut to, &mut scratch));
            for i in 0..len {
                let x: Vec<f32> = (0..3).map(|k| inputs[k][index(accesses[k], i)]).collect();
                let all = evaluate(&instructions, &x);
                for (k, &output) in outputs.iter().enumerate() {
                    let expected = match output {
                        Operand::Input(k) => x[k],
                        Operand::Result(k) => all[k],
                        Operand::Const(c) => c,
                    };
                    prop_assert!(same(results[k][i], expected), "{isa}: output {k}[{i}] = {} not {expected}", results[k][i]);
                }
            }
        }
    }

    #[test]
    fn dropout_masks_follow_the_positions(keep in 0.1f32..=1.0, len in 0..2500usize, position0 in 0..1u64 << 40) {
        let program = Program::new(
            vec![Access::Full],
            vec![
                Instruction::DropoutMask { keep_probability: keep, site: 9 },
                Instruction::Binary(Binary::Mul, Operand::Input(0), Operand::Result(0)),
            ],
            vec![Operand::Result(1)],
        ).unwrap();
        let x = vec![2.0; len];
        for isa in Isa::available() {
            let mut y = vec![0.0; len];
            let mut scratch = vec![0.0; program.scratch_len()];
            let randomness = Randomness { seed: 5, step: 6, position0 };
            isa.force(|| program.run_random(randomness, len, &[&x], &mut [&mut y], &mut scratch));
            let stream = Stream { seed: 5, step: 6, site: 9 };
            for (i, &y) in y.iter().enumerate() {
                prop_assert_eq!(y, 2.0 * dropout_factor_at(stream, position0 + i as u64, keep));
            }
        }
    }
}

fn cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn gelu_tanh(x: f64) -> f64 {
    x * sigmoid(2.0 * std::f64::consts::FRAC_2_PI.sqrt() * (x + 0.044715 * x.powi(3)))
}

/// The central difference with fourth-order error.
fn slope(f: fn(f64) -> f64, x: f64) -> f64 {
    let h = 1e-3;
    (8.0 * (f(x + h) - f(x - h)) - (f(x + 2.0 * h) - f(x - 2.0 * h))) / (12.0 * h)
}

#[test]
fn unary_operations_match_f64() {
    type Oracle = fn(f64) -> f64;
    let cases: [(Unary, Oracle); 22] = [
        (Unary::Copy, |x| x),
        (Unary::Exp, f64::exp),
        (Unary::Log, f64::ln),
        (Unary::Sqrt, f64::sqrt),
        (Unary::Rsqrt, |x| 1.0 / x.sqrt()),
        (Unary::Recip, |x| 1.0 / x),
        (Unary::Square, |x| x * x),
        (Unary::Tanh, f64::tanh),
        (Unary::Sigmoid, sigmoid),
        (Unary::GeluErf, |x| x * cdf(x)),
        (Unary::GeluErfGrad, |x| slope(|x| x * cdf(x), x)),
        (Unary::GeluTanh, gelu_tanh),
        (Unary::GeluTanhGrad, |x| slope(gelu_tanh, x)),
        (Unary::Silu, |x| x * sigmoid(x)),
        (Unary::SiluGrad, |x| slope(|x| x * sigmoid(x), x)),
        (Unary::Elu, |x| if x > 0.0 { x } else { x.exp_m1() }),
        (Unary::EluGrad, |x| if x > 0.0 { 1.0 } else { x.exp() }),
        (Unary::Erf, libm::erf),
        (Unary::Sin, f64::sin),
        (Unary::Cos, f64::cos),
        (Unary::Relu, |x| x.max(0.0)),
        (Unary::Neg, |x| -x),
    ];
    let x: Vec<f32> = (-6000..6000).map(|i| (i as f32 + 0.5) * 0.004).collect();
    for (op, oracle) in cases {
        let program = Program::new(
            vec![Access::Full],
            vec![Instruction::Unary(op, Operand::Input(0))],
            vec![Operand::Result(0)],
        )
        .unwrap();
        for isa in Isa::available() {
            let mut y = vec![0.0; x.len()];
            let mut scratch = vec![0.0; program.scratch_len()];
            isa.force(|| program.run(x.len(), &[&x], &mut [&mut y], &mut scratch));
            for (&x, &y) in x.iter().zip(&y) {
                let exact = oracle(f64::from(x));
                if exact.is_nan() {
                    assert!(y.is_nan(), "{isa} {op:?}({x}) = {y}");
                    continue;
                }
                // Activations round relative to their input, not to their vanishing tails.
                let tolerance = match op {
                    Unary::GeluErf => 6e-8 + 1.3e-7 * exact.abs(),
                    _ => 8e-7 * (exact.abs() + 1.0f64.min(f64::from(x.abs()))),
                };
                assert!((f64::from(y) - exact).abs() <= tolerance, "{isa} {op:?}({x}) = {y}, not {exact}");
            }
        }
    }
}

#[test]
fn activations_are_finite_at_extremes_and_keep_nan() {
    use Unary::*;
    let x = [f32::MAX, f32::MIN, 1e15, -1e15, f32::NAN];
    for op in [GeluErf, GeluErfGrad, GeluTanh, GeluTanhGrad, Silu, SiluGrad, Elu, EluGrad, Relu, Sign, Tanh] {
        let program = Program::new(
            vec![Access::Full],
            vec![Instruction::Unary(op, Operand::Input(0))],
            vec![Operand::Result(0)],
        )
        .unwrap();
        for isa in Isa::available() {
            let mut y = [0.0; 5];
            let mut scratch = vec![0.0; program.scratch_len()];
            isa.force(|| program.run(5, &[&x], &mut [&mut y], &mut scratch));
            assert!(y[..4].iter().all(|y| y.is_finite()) && y[4].is_nan(), "{isa} {op:?}: {y:?}");
        }
    }
}

#[test]
fn programs_that_make_no_sense_are_refused() {
    let new = |inputs: &[Access], instructions: &[Instruction], outputs: &[Operand]| {
        Program::new(inputs.to_vec(), instructions.to_vec(), outputs.to_vec()).unwrap_err()
    };
    let negate = Instruction::Unary(Unary::Neg, Operand::Input(0));
    let full = Access::Full;
    assert!(matches!(new(&[], &[negate], &[]), ProgramError::NoSuchOperand { at: 0, .. }));
    let itself = Instruction::Unary(Unary::Neg, Operand::Result(0));
    assert!(matches!(new(&[full], &[itself], &[]), ProgramError::NoSuchOperand { at: 0, .. }));
    assert!(matches!(
        new(&[full], &[negate], &[Operand::Result(1)]),
        ProgramError::NoSuchOperand { at: 1, .. }
    ));
    assert_eq!(new(&[Access::Row { len: 0 }], &[], &[]), ProgramError::EmptyAccess { input: 0 });
    let never = Instruction::DropoutMask { keep_probability: 0.0, site: 0 };
    assert_eq!(new(&[], &[never], &[]), ProgramError::BadProbability("0".into()));
    assert_eq!(new(&[full; 33], &[], &[]), ProgramError::TooMany(33));
}
