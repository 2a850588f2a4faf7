use bessemer_phase::*;
use bessemer_phase::data::*;
use bessemer_kernels::pool::Pool;
use bessemer_train::data::Split;
use std::collections::HashMap;
fn main() {
    let args: HashMap<String, String> = std::env::args().skip(1).map(|a| { let (k, v) = a.split_once('=').unwrap(); (k.to_string(), v.to_string()) }).collect();
    let g = |k: &str, d: f64| args.get(k).map_or(d, |v| v.parse().unwrap());
    let set = args.get("data").map_or("digits", |s| s);
    let seed = g("seed", 1.) as u64;
    let (table, split) = if set == "digits" {
        let r = |f: &str| read(format!("/work/shared/data/small/optdigits.{f}").as_ref(), &ReadOptions::default()).unwrap();
        let mut t = r("tra"); let n = t.len(); t.append(r("tes"), "x").unwrap();
        let mut s = Split::by_fraction(n, 0.15, 0.0, seed).unwrap(); s.test = (n..t.len()).collect();
        (t, s)
    } else {
        let t = read("/work/shared/data/mnist/t10k-images-idx3-ubyte.gz".as_ref(), &ReadOptions::default()).unwrap();
        let s = Split::by_fraction(t.len(), 0.1, 0.2, seed).unwrap(); (t, s)
    };
    let b = Settings::default();
    let settings = Settings {
        intermediate: g("mid", b.intermediate as f64) as usize, inputs: g("in", b.inputs as f64) as usize, outputs: g("out", b.outputs as f64) as usize, layers: g("layers", b.layers as f64) as usize,
        cardinality: g("card", 6.) as usize, dimensions: g("d", 5.) as usize, phases: g("n", b.phases as f64) as usize, magnitudes: g("m", b.magnitudes as f64) as usize,
        radiation: g("k", b.radiation as f64) as usize, decay: g("decay", 0.6), strength_min: g("smin", 1.0), steps_min: g("tmin", b.steps_min as f64) as u32, steps_after_path: g("after", b.steps_after_path as f64) as u32, steps_max: g("tmax", 40.) as u32,
    };
    let o = FitOptions::default();
    let options = FitOptions { epochs: g("epochs", 10.) as usize, batch: g("batch", 64.) as usize, temperature: g("t", 0.1) as f32, rate_nodes: g("rn", o.rate_nodes as f64) as f32, rate_adapter: g("ra", o.rate_adapter as f64) as f32, rate_codes: g("rc", 0.) as f32, weight_decay: g("wd", 0.0) as f32, swing: g("swing", o.swing as f64) as f32, seed, cache: g("cache", 0.) as usize, credit: if args.contains_key("local") { Credit::Local } else { Credit::Chain }, ..o };
    let pool = Pool::new(g("threads", 2.) as usize);
    let (c, h) = Classifier::fit(&table, &split, &settings, &options, &pool, &mut |e| { if args.contains_key("v") { println!("{}: {:.3} {:.3} | {:.3} {:.3}", e.epoch, e.train.mean_loss(), e.train.accuracy(), e.validation.unwrap().mean_loss(), e.validation.unwrap().accuracy()); } std::ops::ControlFlow::Continue(()) }).unwrap();
    let e = h.epochs.last().unwrap();
    let (_, t) = c.classify(&table, &split.test, &pool).unwrap();
    println!("train {:.3} val {:.3} best {} test {:.4} silent {} msgs {} {:.1}s {:?}", e.train.accuracy(), e.validation.unwrap().accuracy(), h.best_epoch, t.accuracy(), t.silent, t.messages / t.samples as u64, h.elapsed.as_secs_f64(), h.cache);
}
