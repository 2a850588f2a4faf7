use super::*;
use crate::gemm::{Strides, gemm, gemm_scratch};
use crate::random::{Stream, normal_at};

fn numbers(len: usize, seed: u64) -> Vec<f32> {
    (0..len as u64).map(|i| normal_at(Stream { seed, step: 0, site: 0 }, i)).collect()
}

/// Runs what needs tile registers, or says that there are none.
fn with_tiles(body: impl FnOnce()) {
    if Isa::available().contains(&Isa::Amx) {
        Isa::Amx.force(body);
    } else {
        eprintln!("skipped: this machine has no tile registers");
    }
}

fn packed(k: usize, n: usize, b: &[f32], strides: Strides) -> Vec<f32> {
    let mut out = vec![f32::NAN; packed_tiles_len(Parts::Three, k, n)];
    pack_tiles(Parts::Three, k, n, b, strides, &mut out);
    out
}

fn product(sizes: (usize, usize, usize), a: &[f32], b: &[f32]) -> Vec<f32> {
    let (m, n, k) = sizes;
    let mut c = vec![f32::NAN; m * n];
    let b = packed(k, n, b, (n, 1));
    gemm_tiles(Parts::Three, m, n, k, a, (k, 1), &b, (&mut c, n), Epilogue::default(), None);
    c
}

#[test]
fn parts_add_up_to_the_number() {
    with_tiles(|| {
        // Of every size that parts keep, and with all 24 bits in use.
        let x: Vec<f32> = numbers(BLOCK * BLOCK, 1)
            .iter()
            .enumerate()
            .map(|(i, x)| x * 2f32.powi(i as i32 % 220 - 100))
            .collect();
        let words = packed(BLOCK, BLOCK, &x, (BLOCK, 1));
        for (i, &x) in x.iter().enumerate() {
            let (row, column) = (i / BLOCK, i % BLOCK);
            let at = column / TILE * TILE_LEN + row % TILE * TILE + column % TILE;
            let part = |part: usize| {
                let bits = words[part * 2 * TILE_LEN + at].to_bits();
                f64::from(f32::from_bits(if row < TILE { bits << 16 } else { bits & 0xffff_0000 }))
            };
            let (high, middle, low) = (part(0), part(1), part(2));
            assert_eq!(high + middle + low, f64::from(x));
            assert!(middle.abs() <= high.abs() / 256.0 && low.abs() <= high.abs() / 65536.0);
        }
    });
}

#[test]
fn any_strides_give_the_same_parts() {
    with_tiles(|| {
        let (k, n) = (45, 51);
        let b = numbers(k * n, 1);
        let rows = packed(k, n, &b, (n, 1));
        let transposed: Vec<f32> = (0..k * n).map(|i| b[i % k * n + i / k]).collect();
        assert_eq!(packed(k, n, &transposed, (1, k)), rows);
        let spread: Vec<f32> = b.iter().flat_map(|&x| [x, f32::NAN]).collect();
        assert_eq!(packed(k, n, &spread, (2 * n, 2)), rows);
    });
}

/// The largest error of an element, in units of the sum of its products' magnitudes.
fn error((m, n, k): (usize, usize, usize), a: &[f32], b: &[f32], c: &[f32]) -> f64 {
    let mut worst = 0.0_f64;
    for i in 0..m {
        for j in 0..n {
            let products = (0..k).map(|p| f64::from(a[i * k + p]) * f64::from(b[p * n + j]));
            let (sum, size) =
                products.fold((0.0, 0.0), |(sum, size): (f64, f64), x| (sum + x, size + x.abs()));
            worst = worst.max((f64::from(c[i * n + j]) - sum).abs() / size);
        }
    }
    worst
}

#[test]
fn products_are_as_exact_as_those_of_floats() {
    with_tiles(|| {
        for sizes in [(64, 64, 32), (70, 33, 257), (32, 40, 2000)] {
            let (m, n, k) = sizes;
            // Numbers of very different sizes beside each other.
            let spread = |x: Vec<f32>| -> Vec<f32> {
                x.iter().enumerate().map(|(i, x)| x * 2f32.powi(i as i32 * 7 % 31 - 15)).collect()
            };
            let (a, b) = (spread(numbers(m * k, 1)), spread(numbers(k * n, 2)));
            let mut floats = vec![0.0; m * n];
            Isa::Avx512.force(|| {
                let mut scratch = vec![0.0; gemm_scratch(k)];
                gemm(m, n, k, &a, (k, 1), &b, (n, 1), &mut floats, n, Epilogue::default(), &mut scratch);
            });
            let tiles = product(sizes, &a, &b);
            assert_ne!(tiles, floats, "the same bits: were tiles used?");
            let (tiles, floats) = (error(sizes, &a, &b, &tiles), error(sizes, &a, &b, &floats));
            // Twice 2^-24 for what is left out of a product, beside what sums are rounded by.
            assert!(tiles <= floats.max(1.2e-7), "{sizes:?}: {tiles:e}, floats {floats:e}");
        }
    });
}

#[test]
fn rounded_products_are_those_of_the_nearest_numbers() {
    let nearest = |x: f32| {
        // Up to the tie, and over it if the last digit that stays is odd.
        let bits = x.to_bits();
        f64::from(f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000))
    };
    with_tiles(|| {
        for (m, n, k) in [(5, 40, 33), (64, 64, 64), (70, 33, 1100)] {
            let (a, b, before) = (numbers(m * k, 1), numbers(k * n, 2), numbers(m * n, 3));
            let a_turned: Vec<f32> = (0..m * k).map(|i| a[i % m * k + i / m]).collect();
            let mut packed = vec![f32::NAN; packed_tiles_len(Parts::One, k, n)];
            pack_tiles(Parts::One, k, n, &b, (n, 1), &mut packed);
            let (mut by_packed, mut by_rows) = (before.clone(), before.clone());
            let sum = Epilogue::accumulate;
            gemm_tiles(Parts::One, m, n, k, &a, (k, 1), &packed, (&mut by_packed, n), sum(), None);
            bf16_gemm_tiles(m, n, k, &a_turned, (1, m), &b, (n, 1), (&mut by_rows, n), sum());
            assert_eq!(by_packed, by_rows);
            for (at, &got) in by_rows.iter().enumerate() {
                let (i, j) = (at / n, at % n);
                let products = (0..k).map(|p| nearest(a[i * k + p]) * nearest(b[p * n + j]));
                let (sum, size) =
                    products.fold((0.0, 0.0), |(sum, size): (f64, f64), x| (sum + x, size + x.abs()));
                let expected = sum + f64::from(before[at]);
                assert!((f64::from(got) - expected).abs() <= 1e-6 * (size + 4.0), "{got}, not {expected}");
            }
        }
    });
}

#[test]
fn products_of_any_strides_take_tiles_where_they_pay() {
    with_tiles(|| {
        let (m, n, k) = (64, 70, 90);
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
        let mut c = vec![f32::NAN; m * n];
        let mut scratch = vec![f32::NAN; gemm_scratch(k)];
        gemm(m, n, k, &a, (k, 1), &b, (n, 1), &mut c, n, Epilogue::default(), &mut scratch);
        assert_eq!(c, product((m, n, k), &a, &b));
    });
}

#[test]
fn what_is_not_finite_is_not_hidden() {
    with_tiles(|| {
        let (m, n, k) = (35, 37, 40);
        for bad in [f32::NAN, f32::from_bits(0x7fff_ffff), f32::INFINITY, f32::NEG_INFINITY] {
            let (mut a, mut b) = (numbers(m * k, 1), numbers(k * n, 2));
            a[3 * k + 33] = bad;
            b[5 * n + 36] = bad;
            for (i, x) in product((m, n, k), &a, &b).iter().enumerate() {
                assert_eq!(x.is_finite(), i / n != 3 && i % n != 36, "{bad} at row {}", i / n);
            }
        }
    });
}

#[test]
fn sums_of_nothing_are_zero() {
    with_tiles(|| {
        assert_eq!(product((3, 2, 0), &[], &[]), [0.0; 6]);
        assert_eq!(product((0, 2, 3), &[], &[1.0; 6]), []);
        assert_eq!(product((2, 0, 3), &[1.0; 6], &[]), []);
    });
}

#[test]
fn large_products_take_tiles_and_small_ones_do_not() {
    let (one, three) = (|m, n, k| tiles_pay(Parts::One, m, n, k), |m, n, k| tiles_pay(Parts::Three, m, n, k));
    with_tiles(|| {
        assert!(three(64, 64, 64) && !three(63, 64, 64));
        assert!(three(16, 512, 512) && !parts_pay(31, 512, 512) && parts_pay(32, 512, 512));
        assert!(!three(15, 512, 512) && !three(512, 31, 512) && !three(512, 512, 31));
        assert!(one(4, 32, 32) && !one(3, 512, 512) && !one(512, 31, 512) && !one(512, 512, 31));
    });
    for isa in Isa::available().into_iter().filter(|isa| *isa != Isa::Amx) {
        assert!(!isa.force(|| one(512, 512, 512) || three(512, 512, 512)));
    }
}
