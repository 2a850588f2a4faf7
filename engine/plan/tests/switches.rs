//! Each switch of the planner changes which kernels run, and only that.

use bessemer_graph::ops::attention::Attention;
use bessemer_graph::ops::unary::Unary;
use bessemer_graph::{Graph, GraphError, Type};
use bessemer_kernels::{Isa, isa};
use bessemer_plan::{Executable, PlanOptions};

fn trace(samples: usize) -> Result<Graph, GraphError> {
    let mut g = Graph::new();
    let x = g.input("x", Type::f32([samples, 20, 8]));
    let w = g.parameter("w", &[24, 8])?;
    let qkv = g.linear(x, w, None)?;
    let attention = Attention::new(2, 0.5);
    let h = g.apply1(attention, &[qkv])?;
    let v = g.parameter("v", &[8, 8])?;
    let h = g.linear(h, v, None)?;
    let h = g.apply1(Unary::GeluErf, &[h])?;
    let square = g.apply1(Unary::Square, &[h])?;
    let shifted = g.add_scalar(square, 1.0)?;
    let loss = g.sum_all(shifted)?;
    g.set_loss(loss);
    Ok(g)
}

/// (operation, kernel) of every call.
fn calls(options: PlanOptions) -> Vec<(&'static str, &'static str)> {
    let step = Executable::compile(&trace, 64, &options).unwrap();
    step.plan().steps.iter().map(|s| (s.operation, s.kernel)).collect()
}

#[test]
fn every_switch_chooses_its_kernels() {
    let all = calls(PlanOptions::TRAIN);
    let has = |calls: &[(&str, &str)], operation, kernel| calls.contains(&(operation, kernel));
    assert!(has(&all, "linear+activation", "gemm_packed"), "{all:?}");
    assert!(has(&all, "attention", "attention"));
    assert!(has(&all, "attention_grad", "attention_backward"));

    let plain = calls(PlanOptions { pack: false, ..PlanOptions::TRAIN });
    assert!(has(&plain, "linear+activation", "gemm") && !plain.iter().any(|c| c.1 == "gemm_packed"));

    let apart = calls(PlanOptions { fuse: false, ..PlanOptions::TRAIN });
    assert!(!apart.iter().any(|c| c.0 == "linear+activation"));
    let sweeps = |calls: &[(&str, &str)]| calls.iter().filter(|c| c.1 == "elementwise").count();
    assert!(sweeps(&apart) > sweeps(&all), "{} sweeps instead of {}", sweeps(&apart), sweeps(&all));

    let spelled_out = calls(PlanOptions { attention: false, ..PlanOptions::TRAIN });
    assert!(!spelled_out.iter().any(|c| c.1.starts_with("attention")));
    assert!(has(&spelled_out, "softmax", "softmax") && has(&spelled_out, "matmul", "batched_gemm"));

    let memory = |reuse| {
        let options = PlanOptions { reuse, ..PlanOptions::TRAIN };
        Executable::compile(&trace, 64, &options).unwrap().plan().arena_len
    };
    assert!(memory(true) < memory(false), "{} beside {}", memory(true), memory(false));

    let repeated = calls(PlanOptions { simplify: false, ..PlanOptions::TRAIN });
    assert!(repeated.len() > all.len());
}

#[test]
fn products_of_enough_rows_take_tile_registers_where_there_are_any() {
    let trace = |samples| {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([samples, 70]));
        let w = g.parameter("w", &[65, 70])?;
        let v = g.parameter("v", &[8, 65])?;
        let h = g.linear(x, w, None)?;
        let h = g.apply1(Unary::Tanh, &[h])?;
        let y = g.linear(h, v, None)?;
        let loss = g.sum_all(y)?;
        g.set_loss(loss);
        Ok(g)
    };
    let kernels = |micro_batch| {
        let options = PlanOptions { micro_batch: Some(micro_batch), ..PlanOptions::TRAIN };
        let step = Executable::compile(&trace, 256, &options).unwrap();
        let steps = step.plan().steps.iter().filter(|s| s.operation.starts_with("linear"));
        steps.map(|s| s.kernel).collect::<Vec<_>>()
    };
    let large = if isa() == Isa::Amx { "gemm_tiles" } else { "gemm_packed" };
    assert_eq!(kernels(64), [large, "gemm_packed"], "the second has 8 columns only");
    assert_eq!(kernels(8), ["gemm_packed"; 2], "too few rows");
}
