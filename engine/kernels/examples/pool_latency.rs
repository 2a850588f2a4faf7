//! How long an empty run of the thread pool takes, in microseconds.
//!
//! `cargo run --release -p bessemer-kernels --example pool_latency`

use std::time::Instant;

use bessemer_kernels::pool::Pool;

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in 1..=cores {
        let pool = Pool::new(threads);
        let time = |run: &dyn Fn()| {
            let mut times: Vec<f64> = (0..20_000)
                .map(|_| {
                    let start = Instant::now();
                    run();
                    start.elapsed().as_secs_f64() * 1e6
                })
                .collect();
            times.sort_by(f64::total_cmp);
            (times[0], times[times.len() / 2])
        };
        let shared = time(&|| pool.run(threads, &|_| {}));
        println!("{threads} threads: {:.2} us (median {:.2})", shared.0, shared.1);
    }
}
