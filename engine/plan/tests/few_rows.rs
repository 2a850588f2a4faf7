//! A step of a single micro-batch: wide layers are shared out among the threads.

use bessemer_graph::ops::unary::Unary;
use bessemer_graph::{Graph, GraphError, Type};
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, Pool, Precision};

fn trace(samples: usize, rows: usize) -> Result<Graph, GraphError> {
    let mut g = Graph::new();
    let x = g.input("x", Type::f32([samples, rows, 300]));
    let wide = g.parameter("wide", &[700, 300])?;
    let bias = g.parameter("bias", &[700])?;
    let back = g.parameter("back", &[300, 700])?;
    let small = g.parameter("small", &[7, 300])?;
    let h = g.linear(x, wide, Some(bias))?;
    let h = g.apply1(Unary::Relu, &[h])?;
    let h = g.linear(h, back, None)?;
    let h = g.add(h, x)?;
    let y = g.linear(h, small, None)?;
    g.output("y", y);
    Ok(g)
}

/// The outputs of a sample of so many rows are those of one thread for any number of them, from this
/// kernel.
fn check(rows: usize, precision: Precision, kernel: &'static str) {
    let x: Vec<f32> = (0..300 * rows).map(|i| (i as f32 * 0.7).sin()).collect();
    let mut expected: Option<Vec<f32>> = None;
    for threads in [1, 2, 3, 5] {
        let options = PlanOptions { precision, ..PlanOptions::INFER };
        let mut step = Executable::compile(&|samples| trace(samples, rows), 1, &options).unwrap();
        let got: Vec<_> = step.plan().steps.iter().map(|s| (s.kernel, s.shared)).collect();
        assert_eq!(got, [(kernel, true), (kernel, true), ("gemm", false)], "{rows} rows in {precision:?}");
        let mut parameters = Parameters::new(step.parameters());
        for (i, w) in parameters.as_mut_slice().iter_mut().enumerate() {
            *w = (i as f32 * 0.37).cos() * 0.1;
        }
        let batch = Batch { inputs: &[&x], loss_scale: 1.0, seed: 0, step: 0 };
        step.run(&Pool::new(threads), &parameters, &batch).unwrap();
        let y = step.output("y").unwrap();
        assert!(y.iter().all(|y| y.is_finite()) && y.iter().any(|y| *y != 0.0));
        assert_eq!(expected.get_or_insert_with(|| y.to_vec()), y, "{threads} threads");
    }
}

#[test]
fn rows_are_shared_out_and_have_the_same_bits() {
    for rows in [1, 4, 20] {
        check(rows, Precision::F32, "gemm");
    }
}

#[test]
fn rows_by_packed_integers_too() {
    for rows in [1, 20] {
        check(rows, Precision::Int8, "int8_gemm");
    }
}
