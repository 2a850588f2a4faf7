//! What one core does on the products that training is made of, in GFLOP/s and percent of its peak.
//!
//! `cargo run --release -p bessemer-kernels --example gemm_speed`

use std::hint::black_box;
use std::time::{Duration, Instant};

use bessemer_kernels::Isa;
use bessemer_kernels::arena::Arena;
use bessemer_kernels::gemm::{self, Activation, Epilogue, Half, Parts};
use bessemer_kernels::simd::{Kernel, Simd, dispatch};

fn main() {
    let peak = peak();
    println!("{}: {:.0} GFLOP/s at most (registers only)\n", bessemer_kernels::isa(), peak);
    println!(
        "{:>24} {:>14} {:>14} {:>14} {:>14} {:>14}",
        "m x n x k", "gemm crate", "unpacked", "packed", "bias + relu", "tiles"
    );
    let has_tiles = bessemer_kernels::isa() == Isa::Amx;
    let print = |name: &str, rates: &[f64]| {
        print!("{name:>24}");
        for rate in rates {
            print!(" {rate:>8.0} {:>3.0} %", 100.0 * rate / peak);
        }
        println!();
    };
    for (m, n, k) in [
        (336, 384, 128),
        (336, 128, 128),
        (336, 256, 128),
        (336, 128, 256),
        (8, 96, 5376),
        (16, 512, 512),
        (32, 512, 512),
        (256, 512, 512),
        (1024, 512, 512),
        (84, 256, 256),
        (89, 256, 256),
        (96, 256, 256),
        (128, 256, 256),
        (32, 128, 128),
        (32, 32, 32),
        (64, 64, 64),
        (42, 42, 42),
        (42, 42, 16),
        (1, 512, 512),
    ] {
        let parts = if has_tiles { gemm::packed_tiles_len(Parts::Three, k, n) } else { 0 };
        let lens = [m * k, k * n, m * n, n, gemm::gemm_scratch(k), gemm::packed_len(k, n), parts];
        let mut arenas = lens.map(Arena::new);
        let [a, b, c, bias, scratch, panels, parts] = arenas.each_mut().map(Arena::as_mut_slice);
        [(&mut *a, 0.5), (b, 0.25), (bias, 1.0)].into_iter().for_each(|(to, value)| to.fill(value));
        let (a, b, bias) = (&*a, &*b, &*bias);
        gemm::pack_b(k, n, b, (n, 1), panels);
        let work = 2 * m * n * k;
        let mut rates = vec![
            rate(work, || the_crate(m, n, k, a, (k, 1), b, (n, 1), c)),
            rate(work, || {
                gemm::gemm(m, n, k, a, (k, 1), b, (n, 1), c, n, Epilogue::default(), scratch);
            }),
            rate(work, || {
                gemm::gemm_packed(m, n, k, a, (k, 1), panels, (&mut *c, n), Epilogue::default(), None)
            }),
            rate(work, || {
                let epilogue = Epilogue { activation: Activation::Relu, ..Epilogue::bias(bias) };
                gemm::gemm_packed(m, n, k, a, (k, 1), panels, (&mut *c, n), epilogue, None);
            }),
        ];
        if has_tiles {
            gemm::pack_tiles(Parts::Three, k, n, b, (n, 1), parts);
            rates.push(rate(work, || {
                gemm::gemm_tiles(
                    Parts::Three,
                    m,
                    n,
                    k,
                    a,
                    (k, 1),
                    parts,
                    (&mut *c, n),
                    Epilogue::default(),
                    None,
                );
            }));
        }
        print(&format!("{m} x {n} x {k}"), &rates);
    }

    println!("\nA times the transpose of B, and weight gradients (A transposed), unpacked");
    println!(
        "{:>24} {:>14} {:>14} {:>14} {:>14}",
        "m x n x k", "crate A B'", "A B'", "crate A' B", "A' B +="
    );
    for (m, n, k) in [
        (336, 128, 384),
        (336, 128, 256),
        (384, 128, 336),
        (128, 128, 336),
        (256, 128, 336),
        (128, 256, 336),
        (256, 256, 80),
        (256, 256, 84),
        (256, 256, 88),
        (256, 256, 92),
        (256, 256, 96),
        (256, 256, 112),
        (256, 256, 128),
        (96, 5376, 8),
        (512, 512, 16),
        (512, 512, 256),
        (512, 512, 1024),
        (16, 512, 512),
        (32, 512, 512),
        (1, 512, 512),
    ] {
        let mut arenas = [m * k, k * n, m * n, gemm::gemm_scratch(k)].map(Arena::new);
        let [a, b, c, scratch] = arenas.each_mut().map(Arena::as_mut_slice);
        [(&mut *a, 0.5), (b, 0.25)].into_iter().for_each(|(to, value)| to.fill(value));
        let (a, b) = (&*a, &*b);
        let work = 2 * m * n * k;
        let rates = [
            rate(work, || the_crate(m, n, k, a, (k, 1), b, (1, k), c)),
            rate(work, || {
                gemm::gemm(m, n, k, a, (k, 1), b, (1, k), c, n, Epilogue::default(), scratch);
            }),
            rate(work, || the_crate(m, n, k, a, (1, m), b, (n, 1), c)),
            rate(work, || {
                gemm::gemm(m, n, k, a, (1, m), b, (n, 1), c, n, Epilogue::accumulate(), scratch);
            }),
        ];
        print(&format!("{m} x {n} x {k}"), &rates);
    }

    println!("\nbf16: pairs ready; A made into pairs first; weight gradients with both made into pairs");
    println!("{:>24} {:>14} {:>14} {:>14}", "m x n x k", "packed", "from f32", "A' B +=");
    for (m, n, k) in [
        (336, 384, 128),
        (336, 128, 128),
        (336, 256, 128),
        (336, 128, 256),
        (32, 512, 512),
        (256, 512, 512),
        (512, 512, 512),
        (1024, 512, 512),
    ] {
        let (a, b) = (vec![0.5; m * k], vec![0.25; k * n]);
        let mut c = vec![0.0; m * n];
        let pairs = gemm::pair_count(k);
        let (mut a_pairs, mut b_pairs) = (vec![0.0; m * pairs], vec![0.0; pairs * n]);
        gemm::pair_columns(Half::Bf16, m, k, &a, k, &mut a_pairs);
        gemm::pair_rows(Half::Bf16, k, n, &b, n, &mut b_pairs);
        let mut panels = vec![0.0; gemm::packed_len(pairs, n)];
        gemm::pack_b(pairs, n, &b_pairs, (n, 1), &mut panels);
        let dy = vec![0.5; m * n];
        let rows = gemm::pair_count(m);
        let (mut dy_pairs, mut x_pairs) = (vec![0.0; rows * n], vec![0.0; rows * k]);
        let mut dw = vec![0.0; n * k];
        let mut scratch = vec![0.0; gemm::gemm_scratch(rows)];
        let work = 2 * m * n * k;
        let rates = [
            rate(work, || {
                let (a, c) = ((&a_pairs[..], (pairs, 1)), (&mut c[..], n));
                gemm::half_gemm_packed(Half::Bf16, (m, n, k), a, &panels, c, Epilogue::default(), None);
            }),
            rate(work, || {
                gemm::pair_columns(Half::Bf16, m, k, &a, k, &mut a_pairs);
                let (a, c) = ((&a_pairs[..], (pairs, 1)), (&mut c[..], n));
                gemm::half_gemm_packed(Half::Bf16, (m, n, k), a, &panels, c, Epilogue::default(), None);
            }),
            rate(work, || {
                gemm::pair_rows(Half::Bf16, m, n, &dy, n, &mut dy_pairs);
                gemm::pair_rows(Half::Bf16, m, k, &a, k, &mut x_pairs);
                let (dy, x) = (&dy_pairs, &x_pairs);
                let epilogue = Epilogue::accumulate();
                let (dy, x) = ((&dy[..], (1, n)), (&x[..], (k, 1)));
                gemm::half_gemm(Half::Bf16, (n, k, m), dy, x, (&mut dw, k), epilogue, &mut scratch);
            }),
        ];
        print(&format!("{m} x {n} x {k}"), &rates);
    }
}

fn the_crate(
    m: usize,
    n: usize,
    k: usize,
    a: &[f32],
    a_strides: (usize, usize),
    b: &[f32],
    b_strides: (usize, usize),
    c: &mut [f32],
) {
    // SAFETY: the slices hold the shapes.
    unsafe {
        ::gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            a_strides.1 as isize,
            a_strides.0 as isize,
            b.as_ptr(),
            b_strides.1 as isize,
            b_strides.0 as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            ::gemm::Parallelism::None,
        );
    }
}

/// GFLOP/s of the fastest of many short runs: other work on the machine only ever slows one down.
fn rate(flop: usize, mut run: impl FnMut()) -> f64 {
    let times = (2_000_000 / flop).max(1);
    let mut best = Duration::MAX;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(150) {
        let start = Instant::now();
        for _ in 0..times {
            run();
        }
        best = best.min(start.elapsed());
    }
    (flop * times) as f64 / best.as_secs_f64() / 1e9
}

/// GFLOP/s of multiply-adds that touch no memory.
fn peak() -> f64 {
    struct Peak(usize);
    impl Kernel for Peak {
        type Output = f64;
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> f64 {
            let mut sums = [s.splat(0.0); 10];
            let (x, y) = (s.splat(black_box(0.5)), s.splat(black_box(0.25)));
            let start = Instant::now();
            for _ in 0..self.0 {
                for sum in &mut sums {
                    *sum = s.mul_add(x, *sum, y);
                }
            }
            let taken = start.elapsed();
            black_box(sums.map(|sum| s.reduce_add(sum)));
            (2 * 10 * S::LANES * self.0) as f64 / taken.as_secs_f64() / 1e9
        }
    }
    (0..200).map(|_| dispatch(Peak(100_000))).fold(0.0, f64::max)
}
