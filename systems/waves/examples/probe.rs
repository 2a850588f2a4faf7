use bessemer_plan::Pool;
use bessemer_waves::*;
fn main() {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap();
    let model = args.next().unwrap();
    let steps: u64 = args.next().unwrap().parse().unwrap();
    let lr: f64 = args.next().unwrap().parse().unwrap();
    let greedy = args.next().unwrap() == "g";
    let params: usize = args.next().unwrap().parse().unwrap();
    let pool = Pool::new(2);
    let signal = Generator::by_name(&name).unwrap().signal().unwrap();
    for seed in 1..=5 {
        let split = Split::new(
            &signal,
            &SplitOptions { interleaved: Some(5), validation: 0.1, seed, ..Default::default() },
        )
        .unwrap();
        let shape = models::Shape { axes: signal.axes().len(), channels: 1, seed };
        let m = Model::by_name(&model).unwrap().with_parameters(params, shape).unwrap();
        let mut o = FitOptions::default();
        o.train.steps = steps;
        o.train.learning_rate = lr;
        o.train.seed = seed;
        o.train.validate_every = 20;
        o.train.schedule = bessemer_train::Schedule::Cosine { warmup: 0, total: steps, floor: 0.0 };
        if greedy {
            o.greedy = Some(Greedy::default());
        }
        let t = std::time::Instant::now();
        let mut f = WaveFitter::fit(&signal, &split, &m, &o, &pool).unwrap();
        let out = f.evaluate(&signal, &split, &pool).unwrap();
        let s: Vec<String> =
            out.scores.iter().map(|s| format!("{}: {:.2e}/{:.1e}", s.part, s.mse, s.mean_mse)).collect();
        println!(
            "{name} {model} p={} seed {seed} best@{:?} {:.1}s {}",
            out.parameters,
            f.history.best_step,
            t.elapsed().as_secs_f64(),
            s.join("  ")
        );
    }
}
