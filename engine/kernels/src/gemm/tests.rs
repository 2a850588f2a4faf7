use super::*;
use crate::isa::Isa;
use proptest::prelude::*;

/// A fixed sequence of numbers in [-1, 1).
fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// Element (i, j) of A·B, in f64.
fn element(
    k: usize,
    a: &[f32],
    a_strides: Strides,
    b: &[f32],
    b_strides: Strides,
    i: usize,
    j: usize,
) -> f64 {
    (0..k)
        .map(|p| {
            f64::from(a[i * a_strides.0 + p * a_strides.1]) * f64::from(b[p * b_strides.0 + j * b_strides.1])
        })
        .sum()
}

fn apply(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::None => x,
        Activation::Relu => x.max(0.0),
        Activation::GeluErf => {
            // erf by its Taylor series: arguments here are small.
            let z = x / 2f64.sqrt();
            let (mut term, mut sum) = (z, z);
            for n in 1..200 {
                term *= -z * z / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            let erf = if z.abs() > 4.0 { z.signum() } else { sum * 2.0 / std::f64::consts::PI.sqrt() };
            0.5 * x * (1.0 + erf)
        }
        Activation::GeluTanh => {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh())
        }
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
    }
}

fn assert_near(what: &str, got: f32, expected: f64, k: usize) {
    let tolerance = 2e-6 * (k as f64).sqrt().max(1.0) + 2e-6 * expected.abs();
    assert!((f64::from(got) - expected).abs() <= tolerance, "{what}: {got} instead of {expected}");
}

fn strides(transposed: bool, rows: usize, cols: usize, gap: usize) -> (Strides, usize) {
    if transposed { ((1, rows + gap), (rows + gap) * cols) } else { ((cols + gap, 1), (cols + gap) * rows) }
}

fn activations() -> impl Strategy<Value = Activation> {
    prop::sample::select(vec![
        Activation::None,
        Activation::Relu,
        Activation::GeluErf,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Tanh,
        Activation::Sigmoid,
    ])
}

/// How B is given.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Packing {
    None,
    Panels,
    Tiles,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn products_agree_with_the_definition(
        (m, n, k) in (prop_oneof![0usize..40, 60usize..130], 0usize..150, prop_oneof![0usize..300, 1000usize..1100]),
        (a_transposed, b_transposed) in any::<(bool, bool)>(),
        packing in prop::sample::select(vec![Packing::None, Packing::Panels, Packing::Tiles]),
        gap in 0usize..3,
        (accumulate, bias, pre, residual) in any::<(bool, bool, bool, bool)>(),
        activation in activations(),
    ) {
        let (a_strides, a_len) = strides(a_transposed, m, k, gap);
        let (b_strides, b_len) = strides(b_transposed, k, n, gap);
        let (a, b) = (numbers(a_len, 1), numbers(b_len, 2));
        let (bias_values, residual_values) = (numbers(n, 3), numbers(m * n, 4));
        let c_row = n + gap;
        let before = numbers(m * c_row, 5);
        let suits = |isa: &Isa| *isa == Isa::Amx || packing != Packing::Tiles;
        for isa in Isa::available().into_iter().filter(suits) {
            isa.force(|| {
                let mut c = before.clone();
                let mut x = vec![0.0; m * n];
                let epilogue = Epilogue {
                    accumulate,
                    bias: bias.then_some(&bias_values[..]),
                    activation,
                    pre_activation: pre.then_some((&mut x[..], n)),
                    residual: residual.then_some((&residual_values[..], n)),
                };
                match packing {
                    Packing::None => {
                        let mut scratch = vec![f32::NAN; gemm_scratch(k)];
                        gemm(m, n, k, &a, a_strides, &b, b_strides, &mut c, c_row, epilogue, &mut scratch);
                    }
                    Packing::Panels => {
                        let mut panels = vec![f32::NAN; packed_len(k, n)];
                        pack_b(k, n, &b, b_strides, &mut panels);
                        gemm_packed(m, n, k, &a, a_strides, &panels, (&mut c, c_row), epilogue, None);
                    }
                    Packing::Tiles => {
                        let mut parts = vec![f32::NAN; packed_tiles_len(Parts::Three, k, n)];
                        pack_tiles(Parts::Three, k, n, &b, b_strides, &mut parts);
                        gemm_tiles(Parts::Three, m, n, k, &a, a_strides, &parts, (&mut c, c_row), epilogue, None);
                    }
                }
                for i in 0..m {
                    for j in 0..n {
                        let mut expected = element(k, &a, a_strides, &b, b_strides, i, j);
                        expected += if bias { f64::from(bias_values[j]) } else { 0.0 };
                        expected += if accumulate { f64::from(before[i * c_row + j]) } else { 0.0 };
                        if pre {
                            assert_near("pre-activation", x[i * n + j], expected, k);
                        }
                        expected = apply(activation, expected);
                        expected += if residual { f64::from(residual_values[i * n + j]) } else { 0.0 };
                        assert_near("c", c[i * c_row + j], expected, k);
                    }
                    assert_eq!(c[i * c_row + n..][..gap], before[i * c_row + n..][..gap], "the gap between rows");
                }
            });
        }
    }

    #[test]
    fn batches_agree_with_single_products(
        (batch, m, n, k) in (0usize..4, 1usize..20, 1usize..50, 1usize..40),
        b_transposed in any::<bool>(),
    ) {
        let (b_strides, b_len) = strides(b_transposed, k, n, 0);
        let (a, b) = (numbers(batch * m * k, 1), numbers(batch * b_len, 2));
        for isa in Isa::available() {
            isa.force(|| {
                let mut scratch = vec![f32::NAN; gemm_scratch(k)];
                let mut together = vec![0.0; batch * m * n];
                batched_gemm(
                    batch, m, n, k, &a, (m * k, (k, 1)), &b, (b_len, b_strides),
                    &mut together, (m * n, n), Epilogue::default(), &mut scratch,
                );
                for i in 0..batch {
                    let mut alone = vec![0.0; m * n];
                    gemm(
                        m, n, k, &a[i * m * k..], (k, 1), &b[i * b_len..], b_strides,
                        &mut alone, n, Epilogue::default(), &mut scratch,
                    );
                    for (&x, &y) in together[i * m * n..].iter().zip(&alone) {
                        assert_near("batch", x, f64::from(y), k);
                    }
                }
            });
        }
    }
}

#[test]
fn shared_columns_are_those_of_the_whole() {
    let (n, k) = (101, 77);
    let pool = Pool::new(3);
    for (isa, m) in [1, 3, 5, 16, 19, 40, 70]
        .map(|m| Isa::available().into_iter().map(move |isa| (isa, m)))
        .into_iter()
        .flatten()
        .chain([(Isa::Scalar, 1), (Isa::Scalar, 6)])
    {
        let (a, b, bias) = (numbers(m * k, 1), numbers(n * k, 2), numbers(n, 3));
        let residual = numbers(m * n, 4);
        let epilogue = || Epilogue {
            bias: Some(&bias),
            activation: Activation::GeluErf,
            residual: Some((&residual, n)),
            ..Epilogue::default()
        };
        isa.force(|| {
            let run = |run: &dyn Fn(&mut [f32], &mut [f32])| {
                let mut c = vec![f32::NAN; m * n];
                run(&mut c, &mut vec![f32::NAN; gemm_scratch(k)]);
                c
            };
            let whole = run(&|c, scratch| {
                let plain = FewRows {
                    m,
                    n,
                    k,
                    a: Strided { ptr: a.as_ptr(), batch: 0, row: k, col: 1 },
                    b: Strided { ptr: b.as_ptr(), batch: 0, row: 1, col: k },
                    finish: epilogue().finish(m, n, c.as_mut_ptr(), n),
                    scratch: scratch.as_mut_ptr(),
                };
                few_rows(plain, None);
            });
            let parts = run(&|c, scratch| gemm_shared((m, n, k), &a, &b, c, epilogue(), scratch, &pool));
            assert_eq!(whole, parts, "{isa}, {m} rows");
            let gemm = run(&|c, scratch| gemm(m, n, k, &a, (k, 1), &b, (1, k), c, n, epilogue(), scratch));
            for (x, y) in gemm.iter().zip(&whole) {
                assert_near("gemm", *x, f64::from(*y), k);
            }

            let mut panels = vec![f32::NAN; packed_len(k, n)];
            pack_b(k, n, &b, (1, k), &mut panels);
            let packed =
                |pool| run(&|c, _| gemm_packed(m, n, k, &a, (k, 1), &panels, (c, n), epilogue(), pool));
            assert_eq!(packed(None), packed(Some(&pool)), "{isa}, {m} rows, packed");

            for numbers in [Parts::One, Parts::Three].into_iter().filter(|_| isa == Isa::Amx) {
                let mut parts = vec![f32::NAN; packed_tiles_len(numbers, k, n)];
                pack_tiles(numbers, k, n, &b, (1, k), &mut parts);
                let tiles = |pool| {
                    run(&|c, _| gemm_tiles(numbers, m, n, k, &a, (k, 1), &parts, (c, n), epilogue(), pool))
                };
                assert_eq!(tiles(None), tiles(Some(&pool)), "{m} rows in tiles, {numbers:?}");
            }

            for half in [Half::Bf16, Half::F16] {
                let pairs = pair_count(k);
                let (mut rows, mut columns) = (vec![f32::NAN; m * pairs], vec![f32::NAN; n * pairs]);
                pair_columns(half, m, k, &a, k, &mut rows);
                pair_columns(half, n, k, &b, k, &mut columns);
                let mut panels = vec![f32::NAN; packed_len(pairs, n)];
                pack_b(pairs, n, &columns, (1, pairs), &mut panels);
                let rows = (&rows[..], (pairs, 1));
                let product = |pool| {
                    run(&|c, _| half_gemm_packed(half, (m, n, k), rows, &panels, (c, n), epilogue(), pool))
                };
                assert_eq!(product(None), product(Some(&pool)), "{isa}, {m} rows, {half:?}");
            }

            let shape = Int8Shape { n, k };
            let mut panels = vec![f32::NAN; shape.packed_len()];
            pack_int8(shape, &b, &mut panels);
            let mut rows = vec![f32::NAN; shape.rows_len(m)];
            quantize_rows(m, k, &a, &mut rows);
            let product = |pool| run(&|c, _| int8_gemm(m, shape, &rows, &panels, (c, n), epilogue(), pool));
            assert_eq!(product(None), product(Some(&pool)), "{isa}, {m} rows, int8");
        });
    }
}
