//! Sums of wave packets against the same mathematics from elementary operations, values and gradients, of
//! every form: the operation's own evaluation in f64, and its kernels.

mod elementary_waves;

use bessemer_graph::ops::reduce::Reduction;
use bessemer_graph::ops::unary::Unary;
use bessemer_graph::ops::wave_packets::{Form, WavePackets};
use bessemer_graph::{
    Bindings, Graph, GraphError, Op, Tensor, Type, ValueId, differentiate, evaluate, gradients_of,
};
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, Pool};

type Built = Result<ValueId, GraphError>;

const POINTS: usize = 9;
const WAVES: usize = 2;
const OUTPUTS: usize = 2;

fn forms() -> Vec<Form> {
    let packets = (1..=8).flat_map(|axes| {
        [(false, false), (false, true), (true, false), (true, true)]
            .into_iter()
            .filter(move |(_, moving)| axes > 1 || !moving)
            .map(move |(chirp, moving)| Form::Packet { axes, chirp, moving })
    });
    (1..=7).map(|space| Form::Faithful { space }).chain(packets).collect()
}

/// y and derivatives `[n, m, axes]` by differentiating twice.
fn elementary_jet(
    g: &mut Graph,
    op: WavePackets,
    points: ValueId,
    packets: ValueId,
    head: ValueId,
) -> Result<Vec<ValueId>, GraphError> {
    let y = elementary_waves::waves(g, op.form, points, packets, head)?;
    let mut jet = vec![y];
    let (n, axes) = (g.shape(y)[0], op.form.axes());
    let ones = g.constant(&[n, 1], vec![1.0; n]);
    let zeros = g.constant(&[n, axes], vec![0.0; n * axes]);
    // A point's values depend on no other point, so the gradient of a sum is theirs.
    let slope = |g: &mut Graph, column: ValueId| -> Built {
        Ok(gradients_of(g, &[(column, ones)], &[points], false)?[0].first().copied().unwrap_or(zeros))
    };
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for o in 0..if op.order > 0 { OUTPUTS } else { 0 } {
        let column = g.slice(y, 1, o, 1)?;
        let by_axis = slope(g, column)?;
        first.push(g.reshape(by_axis, &[n, 1, axes])?);
        let mut bends = Vec::new();
        for axis in 0..if op.order > 1 { axes } else { 0 } {
            let column = g.slice(by_axis, 1, axis, 1)?;
            let bend = slope(g, column)?;
            let bend = g.slice(bend, 1, axis, 1)?;
            bends.push(g.reshape(bend, &[n, 1, 1])?);
        }
        if op.order > 1 {
            second.push(joined(g, 2, &bends)?);
        }
    }
    for parts in [first, second] {
        if !parts.is_empty() {
            jet.push(joined(g, 1, &parts)?);
        }
    }
    Ok(jet)
}

fn joined(g: &mut Graph, axis: usize, parts: &[ValueId]) -> Built {
    g.apply1(bessemer_graph::ops::concat::Concat { axis }, parts)
}

/// A loss in which every value counts differently and beside others.
fn loss(g: &mut Graph, jet: &[ValueId]) -> Result<(), GraphError> {
    let n = g.shape(jet[0])[0];
    let mut y = jet[0];
    g.output("y", y);
    if let Some(first) = jet.get(1) {
        g.output("first", *first);
        let sum = g.reduce(*first, Reduction::Sum, 2)?;
        let sum = g.reshape(sum, &[n, OUTPUTS])?;
        y = g.mul(y, sum)?;
    }
    if let Some(second) = jet.get(2) {
        g.output("second", *second);
        let square = g.apply1(Unary::Sin, &[*second])?;
        let sum = g.reduce(square, Reduction::Sum, 2)?;
        let sum = g.reshape(sum, &[n, OUTPUTS])?;
        y = g.add(y, sum)?;
    }
    let y = g.apply1(Unary::Sin, &[y])?;
    let loss = g.sum_all(y)?;
    g.set_loss(loss);
    Ok(())
}

fn trace(op: WavePackets, samples: usize, fused: bool) -> Result<Graph, GraphError> {
    let mut g = Graph::new();
    let points = g.input("points", Type::f32([samples, op.form.axes()]));
    let packets = g.parameter("packets", &[op.form.rows().len(), WAVES])?;
    let head = g.parameter("head", &[OUTPUTS, WAVES])?;
    let jet = match fused {
        true => g.wave_packets(points, packets, head, op)?,
        false => elementary_jet(&mut g, op, points, packets, head)?,
    };
    loss(&mut g, &jet)?;
    Ok(g)
}

fn pseudo_random(i: usize) -> f32 {
    ((i as f64 * 0.754_877_666_2 + 0.1).fract() * 2.0 - 1.0) as f32
}

/// Outputs in order, and gradients of packets and head, in f64.
fn evaluated(graph: &mut Graph, points: &[f32], parameters: &Parameters) -> Vec<Vec<f64>> {
    differentiate(graph).unwrap();
    let tensor = |shape: &[usize], data: &[f32]| Tensor::new(shape, data.iter().map(|&v| v as f64).collect());
    let bindings = Bindings {
        parameters: (0..2).map(|i| tensor(&graph.parameters()[i].shape, parameters.get(i))).collect(),
        inputs: vec![tensor(&graph.inputs()[0].ty.shape, points)],
        loss_scale: 1.0,
    };
    let values = evaluate(graph, &bindings);
    let outputs = graph.outputs().iter().map(|(_, v)| values[v.index()].data.clone());
    let gradients = (0..2).map(|parameter| {
        let mut sum = vec![0.0; parameters.get(parameter).len()];
        for (_, v) in graph.gradients().iter().filter(|(p, _)| *p == parameter) {
            sum.iter_mut().zip(&values[v.index()].data).for_each(|(sum, g)| *sum += g);
        }
        sum
    });
    outputs.chain(gradients).collect()
}

#[test]
fn waves_are_what_elementary_operations_make() {
    for form in forms() {
        for order in 0..3 {
            let op = WavePackets { form, order };
            let points: Vec<f32> = (0..POINTS * form.axes()).map(pseudo_random).collect();
            let mut fused = trace(op, POINTS, true).unwrap();
            assert!(fused.nodes().iter().any(|n| matches!(n.op, Op::WavePackets(_))));
            let mut parameters = Parameters::new(fused.parameters());
            for (i, value) in parameters.as_mut_slice().iter_mut().enumerate() {
                *value = 0.8 * pseudo_random(1000 + i);
            }
            let want = evaluated(&mut trace(op, POINTS, false).unwrap(), &points, &parameters);
            let exact = evaluated(&mut fused, &points, &parameters);
            for (part, (exact, want)) in exact.iter().zip(&want).enumerate() {
                for (exact, want) in exact.iter().zip(want) {
                    let close = (exact - want).abs() <= 1e-10 * (1.0 + want.abs());
                    assert!(close, "{op:?}, part {part}: {exact} instead of {want}");
                }
            }

            let options = PlanOptions { micro_batch: Some(5), lanes: Some(2), ..PlanOptions::TRAIN };
            let mut step = Executable::compile(&|n| trace(op, n, true), POINTS, &options).unwrap();
            let batch = Batch { inputs: &[&points], loss_scale: 1.0, seed: 0, step: 0 };
            step.run(&Pool::new(2), &parameters, &batch).unwrap();
            let names = ["y", "first", "second"];
            let mut got: Vec<Vec<f32>> =
                names[..=order].iter().map(|name| step.output(name).unwrap().to_vec()).collect();
            let ranges = parameters.ranges().to_vec();
            step.with_gradients(|lanes| {
                got.extend(ranges.iter().map(|range| {
                    range.clone().map(|i| lanes.iter().map(|lane| lane[i]).sum::<f32>()).collect::<Vec<_>>()
                }));
            });
            for (part, (got, want)) in got.iter().zip(&want).enumerate() {
                // Sums of many terms, of which each is as large as the largest.
                let size = want.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
                for (got, want) in got.iter().zip(want) {
                    let close = (*got as f64 - want).abs() <= 3e-5 * size;
                    assert!(close, "{op:?}, part {part}: {got} instead of {want}");
                }
            }
        }
    }
}

/// A thousand points and sixteen waves, the size of a small fit, are shared out evenly.
#[test]
fn points_are_divided_over_lanes() {
    let trace = |samples: usize| {
        let mut g = Graph::new();
        let form = Form::Faithful { space: 1 };
        let points = g.input("points", Type::f32([samples, 2]));
        let packets = g.parameter("packets", &[form.rows().len(), 16])?;
        let head = g.parameter("head", &[1, 16])?;
        let y = g.wave_packets(points, packets, head, WavePackets { form, order: 0 })?;
        let square = g.apply1(Unary::Square, &[y[0]])?;
        let loss = g.sum_all(square)?;
        g.set_loss(loss);
        Ok(g)
    };
    let step = Executable::compile(&trace, 1000, &PlanOptions::TRAIN).unwrap();
    let batching = step.batching();
    assert_eq!((batching.micro_batch, batching.lanes), (250, 4));
    let kernels: Vec<&str> = step.plan().steps.iter().map(|step| step.kernel).collect();
    assert_eq!(kernels.iter().filter(|k| k.starts_with("wave_packets")).count(), 2, "{kernels:?}");
    // A prediction keeps nothing for a gradient.
    let predict = Executable::compile(&trace, 1000, &PlanOptions::INFER).unwrap();
    assert!(predict.plan().arena_len < 1000, "{}", predict.plan().arena_len);
}
