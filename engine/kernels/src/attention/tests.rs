use super::*;
use crate::isa::Isa;
use proptest::prelude::*;

fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 22) as f32 - 2.0
        })
        .collect()
}

/// Everything in f64, straight from the definition: (out, lse, dq, dk, dv, d_bias), dense rows.
fn oracle(a: &Attention, q: &[f32], k: &[f32], v: &[f32], d_out: &[f32]) -> [Vec<f64>; 6] {
    let width = a.heads * a.head_dim;
    let mut out = vec![0.0; a.batch * a.q_len * width];
    let mut lse = vec![0.0; a.lse_len()];
    let mut dq = out.clone();
    let kv_width = a.kv_heads * a.head_dim;
    let mut dk = vec![0.0; a.batch * a.k_len * kv_width];
    let mut dv = dk.clone();
    let bias = a.bias.map_or(vec![], |bias| bias.values().to_vec());
    let mut d_bias = vec![0.0; bias.len()];
    for b in 0..a.batch {
        for h in 0..a.heads {
            let at = |t: usize, len: usize, c: usize| (b * len + t) * width + h * a.head_dim + c;
            let shared = h / (a.heads / a.kv_heads);
            let kv_at = |t: usize, c: usize| (b * a.k_len + t) * kv_width + shared * a.head_dim + c;
            for i in 0..a.q_len {
                let bias_at = |j: usize| match a.bias {
                    Some(Bias::Distances(_)) => h * (a.q_len + a.k_len - 1) + i + a.k_len - 1 - j,
                    _ => (((b * a.heads + h) * a.q_len + i) * a.k_len + j) % bias.len().max(1),
                };
                let scores: Vec<f64> = (0..a.k_len)
                    .map(|j| {
                        let hidden =
                            (a.causal && j > i) || a.key_mask.is_some_and(|m| m[b * a.k_len + j] == 0.0);
                        if hidden {
                            return f64::NEG_INFINITY;
                        }
                        let dot: f64 = (0..a.head_dim)
                            .map(|c| f64::from(q[at(i, a.q_len, c)]) * f64::from(k[kv_at(j, c)]))
                            .sum();
                        dot * f64::from(a.scale) + bias.get(bias_at(j)).map_or(0.0, |&x| f64::from(x))
                    })
                    .collect();
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = scores
                    .iter()
                    .map(|x| if *x > f64::NEG_INFINITY { (x - largest).exp() } else { 0.0 })
                    .sum();
                lse[(b * a.heads + h) * a.q_len + i] = largest + sum.ln();
                if sum == 0.0 {
                    lse[(b * a.heads + h) * a.q_len + i] = f64::NEG_INFINITY;
                    continue;
                }
                let p: Vec<f64> = scores.iter().map(|x| (x - largest).exp() / sum).collect();
                for c in 0..a.head_dim {
                    out[at(i, a.q_len, c)] = (0..a.k_len).map(|j| p[j] * f64::from(v[kv_at(j, c)])).sum();
                }
                let dp: Vec<f64> = (0..a.k_len)
                    .map(|j| {
                        (0..a.head_dim)
                            .map(|c| f64::from(d_out[at(i, a.q_len, c)]) * f64::from(v[kv_at(j, c)]))
                            .sum()
                    })
                    .collect();
                let mean: f64 = p.iter().zip(&dp).map(|(p, d)| p * d).sum();
                for j in 0..a.k_len {
                    let ds = p[j] * (dp[j] - mean);
                    if a.bias.is_some() {
                        d_bias[bias_at(j)] += ds;
                    }
                    for c in 0..a.head_dim {
                        dv[kv_at(j, c)] += p[j] * f64::from(d_out[at(i, a.q_len, c)]);
                        dq[at(i, a.q_len, c)] += ds * f64::from(a.scale) * f64::from(k[kv_at(j, c)]);
                        dk[kv_at(j, c)] += ds * f64::from(a.scale) * f64::from(q[at(i, a.q_len, c)]);
                    }
                }
            }
        }
    }
    [out, lse, dq, dk, dv, d_bias]
}

fn assert_near(what: &str, got: &[f32], expected: &[f64]) {
    assert_within(what, got, expected, 2e-5);
}

fn assert_within(what: &str, got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (i, (&x, &y)) in got.iter().zip(expected).enumerate() {
        let near = f64::from(x) == y || (f64::from(x) - y).abs() <= tolerance * (1.0 + y.abs());
        assert!(near, "{what}[{i}]: {x} instead of {y}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Added {
    Nothing,
    Scores,
    ScoresEach,
    Distances,
}

fn check(sizes: (usize, usize, usize, usize, usize), causal: bool, masked: bool, added: Added, bf16: bool) {
    check_grouped(sizes, sizes.1, causal, masked, added, bf16);
}

fn check_grouped(
    (batch, heads, q_len, k_len, head_dim): (usize, usize, usize, usize, usize),
    kv_heads: usize,
    causal: bool,
    masked: bool,
    added: Added,
    bf16: bool,
) {
    let (width, kv_width) = (heads * head_dim, kv_heads * head_dim);
    let (q, k) = (numbers(batch * q_len * width, 1), numbers(batch * k_len * kv_width, 2));
    let (v, d_out) = (numbers(batch * k_len * kv_width, 3), numbers(batch * q_len * width, 4));
    let mask: Vec<f32> =
        numbers(batch * k_len, 5).iter().map(|&x| if x > -0.5 { 1.0 } else { 0.0 }).collect();
    let bias_len = match added {
        Added::Nothing => 0,
        Added::Scores => heads * q_len * k_len,
        Added::ScoresEach => batch * heads * q_len * k_len,
        Added::Distances => heads * (q_len + k_len).saturating_sub(1),
    };
    let bias_values = numbers(bias_len, 6);
    let attention = Attention {
        batch,
        heads,
        kv_heads,
        q_len,
        k_len,
        head_dim,
        scale: 0.7 / (head_dim as f32).sqrt(),
        causal,
        key_mask: masked.then_some(&mask),
        bias: match added {
            Added::Nothing => None,
            Added::Scores | Added::ScoresEach => Some(Bias::Scores(&bias_values)),
            Added::Distances => Some(Bias::Distances(&bias_values)),
        },
        bf16,
    };
    let [out, lse, dq, dk, dv, d_bias] = oracle(&attention, &q, &k, &v, &d_out);
    // Operands have 8 bits of precision. A score is off by a few thousandths, which its exponential
    // inherits.
    let tolerance = if bf16 { 4e-2 } else { 2e-5 };
    // Gradients come from sums over a head of products of such numbers, of up to 2 each. In bf16 the products
    // are rounded by 0.0021 on the average: six deviations of such a sum, as there are a hundred thousand of
    // them. In f32 it is the sums: after k products one is 4/3 sqrt(k) on the average and rounded by 2.5e-8 of
    // that, which makes 2.4e-8 of the head's length at its end. A score has the same error and passes it on
    // through its probability (3.3e-8 together), and a bias of distances adds up to a few such gradients of
    // two samples: ten deviations of one.
    let of_gradients = if bf16 {
        (6.0 * 0.0021 * (head_dim as f64).sqrt()).max(tolerance)
    } else {
        (10.0 * 3.3e-8 * head_dim as f64).max(tolerance)
    };
    let assert_near = |what: &str, got: &[f32], expected: &[f64]| {
        let tolerance = if what.starts_with('d') { of_gradients } else { tolerance };
        assert_within(what, got, expected, tolerance);
    };
    fn dense(values: &[f32], row: usize) -> Rows<'_> {
        Rows { values, row }
    }
    for isa in Isa::available() {
        isa.force(|| {
            let mut got_out = vec![f32::NAN; out.len()];
            let mut got_lse = vec![f32::NAN; lse.len()];
            let mut scratch = vec![f32::NAN; attention_forward_scratch(&attention)];
            attention_forward(
                &attention,
                dense(&q, width),
                dense(&k, kv_width),
                dense(&v, kv_width),
                &mut got_out,
                width,
                &mut got_lse,
                &mut scratch,
            );
            assert_near("out", &got_out, &out);
            assert_near("lse", &got_lse, &lse);
            let mut got = [&dq, &dk, &dv].map(|x| vec![f32::NAN; x.len()]);
            let [got_dq, got_dk, got_dv] = &mut got;
            let mut got_d_bias = vec![0.0; d_bias.len()];
            let mut scratch = vec![f32::NAN; attention_backward_scratch(&attention)];
            attention_backward(
                &attention,
                dense(&q, width),
                dense(&k, kv_width),
                dense(&v, kv_width),
                dense(&got_out, width),
                dense(&d_out, width),
                &got_lse,
                Gradients::Separate { dq: (got_dq, width), dk: (got_dk, kv_width), dv: (got_dv, kv_width) },
                attention.bias.is_some().then_some(&mut got_d_bias[..]),
                &mut scratch,
            );
            assert_near("dq", &got[0], &dq);
            assert_near("dk", &got[1], &dk);
            assert_near("dv", &got[2], &dv);
            assert_near("d_bias", &got_d_bias, &d_bias);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn forward_and_backward_agree_with_the_definition(
        sizes in (1usize..3, 1usize..4, 0usize..150, 0usize..150, prop::sample::select(vec![1usize, 5, 8, 16, 20, 32, 64, 128])),
        (causal, masked) in any::<(bool, bool)>(),
        added in prop::sample::select(vec![
            Added::Nothing, Added::Scores, Added::ScoresEach, Added::Distances,
        ]),
        bf16 in any::<bool>(),
    ) {
        check(sizes, causal, masked, added, bf16);
    }
}

#[test]
fn several_groups_of_queries() {
    let attention = |q_len| Attention {
        batch: 1,
        heads: 1,
        kv_heads: 1,
        q_len,
        k_len: 200,
        head_dim: 256,
        scale: 1.0,
        causal: false,
        key_mask: None,
        bias: None,
        bf16: false,
    };
    // 200 queries are four chunks, in groups of two.
    assert_eq!(super::backward::group::<super::operands::Plain>(&attention(200)), 2);
    check((1, 1, 200, 200, 256), true, true, Added::Scores, false);
    check((2, 1, 210, 130, 256), false, false, Added::Nothing, false);
    check((1, 1, 300, 300, 256), true, false, Added::Nothing, true);
}

#[test]
fn several_groups_of_queries_forward() {
    // Of 256 floats, 6 chunks of 64 queries are a group in f32, and 8 in bf16.
    check((1, 1, 450, 450, 256), true, false, Added::Nothing, false);
    check((1, 1, 600, 450, 256), true, false, Added::Nothing, true);
    check_grouped((1, 2, 450, 600, 256), 1, true, true, Added::Nothing, false);
    let attention = Attention {
        batch: 1,
        heads: 1,
        kv_heads: 1,
        q_len: 600,
        k_len: 600,
        head_dim: 256,
        scale: 1.0,
        causal: true,
        key_mask: None,
        bias: None,
        bf16: false,
    };
    assert_eq!(super::forward::group::<super::operands::Plain>(&attention), 6);
    assert_eq!(super::forward::group::<super::operands::Pairs>(&attention), 8);
}

#[test]
fn scores_may_rise_from_block_to_block() {
    // Over the keys, a query's scores rise from -20 to 80: what is summed before is brought down to the
    // new largest in some blocks, and left as it is where they rise by less than the headroom.
    let (q_len, k_len) = (70, 400);
    let attention = Attention {
        batch: 1,
        heads: 1,
        kv_heads: 1,
        q_len,
        k_len,
        head_dim: 1,
        scale: 1.0,
        causal: false,
        key_mask: None,
        bias: None,
        bf16: false,
    };
    let q = vec![1.0; q_len];
    let k: Vec<f32> = (0..k_len).map(|j| j as f32 / 4.0 - 20.0).collect();
    let v = numbers(k_len, 3);
    let [out, lse, ..] = oracle(&attention, &q, &k, &v, &q);
    for isa in Isa::available() {
        isa.force(|| {
            let (mut got, mut got_lse) = (vec![0.0; q_len], vec![0.0; q_len]);
            let mut scratch = vec![f32::NAN; attention_forward_scratch(&attention)];
            let rows = |values| Rows { values, row: 1 };
            attention_forward(
                &attention,
                rows(&q),
                rows(&k),
                rows(&v),
                &mut got,
                1,
                &mut got_lse,
                &mut scratch,
            );
            assert_near("out", &got, &out);
            assert_near("lse", &got_lse, &lse);
        });
    }
}

#[test]
fn heads_may_share_keys_and_values() {
    check_grouped((2, 4, 40, 40, 16), 2, false, true, Added::Scores, false);
    check_grouped((1, 6, 130, 70, 8), 2, true, false, Added::Nothing, false);
    check_grouped((2, 3, 130, 130, 20), 1, true, false, Added::Nothing, true);
}

#[test]
fn encoder_shapes() {
    check((2, 8, 42, 42, 16), false, false, Added::Nothing, false);
    check((1, 2, 42, 42, 16), true, true, Added::Scores, false);
}

#[test]
fn heads_of_few_keys_take_the_short_path() {
    let attention = |q_len, k_len| Attention {
        batch: 8,
        heads: 8,
        kv_heads: 8,
        q_len,
        k_len,
        head_dim: 16,
        scale: 0.25,
        causal: false,
        key_mask: None,
        bias: None,
        bf16: false,
    };
    for (q_len, k_len, expected) in
        [(42, 42, true), (64, 64, true), (96, 96, true), (500, 42, true), (97, 97, false), (1, 0, false)]
    {
        assert_eq!(short::is_short(&attention(q_len, k_len)), expected, "{q_len} queries, {k_len} keys");
    }
}

#[test]
fn a_query_that_sees_nothing_gives_zero_and_no_gradient() {
    let attention = Attention {
        batch: 1,
        heads: 1,
        kv_heads: 1,
        q_len: 3,
        k_len: 5,
        head_dim: 4,
        scale: 1.0,
        causal: false,
        key_mask: Some(&[0.0; 5]),
        bias: None,
        bf16: false,
    };
    let (q, k, v, d_out) = (numbers(12, 1), numbers(20, 2), numbers(20, 3), numbers(12, 4));
    let rows = |values| Rows { values, row: 4 };
    let (mut out, mut lse) = ([1.0; 12], [1.0; 3]);
    let mut scratch = vec![0.0; attention_forward_scratch(&attention)];
    attention_forward(&attention, rows(&q), rows(&k), rows(&v), &mut out, 4, &mut lse, &mut scratch);
    assert_eq!((out, lse), ([0.0; 12], [f32::NEG_INFINITY; 3]));
    let (mut dq, mut dk, mut dv) = ([1.0; 12], [1.0; 20], [1.0; 20]);
    let mut scratch = vec![0.0; attention_backward_scratch(&attention)];
    attention_backward(
        &attention,
        rows(&q),
        rows(&k),
        rows(&v),
        rows(&out),
        rows(&d_out),
        &lse,
        Gradients::Separate { dq: (&mut dq, 4), dk: (&mut dk, 4), dv: (&mut dv, 4) },
        None,
        &mut scratch,
    );
    assert_eq!((dq, dk, dv), ([0.0; 12], [0.0; 20], [0.0; 20]));
}

#[test]
fn a_packed_projection_is_read_and_its_gradient_written_in_place() {
    let (batch, heads, len, head_dim) = (2, 2, 10, 8);
    let d = heads * head_dim;
    let attention = Attention {
        batch,
        heads,
        kv_heads: heads,
        q_len: len,
        k_len: len,
        head_dim,
        scale: 0.3,
        causal: false,
        key_mask: None,
        bias: None,
        bf16: false,
    };
    let qkv = numbers(batch * len * 3 * d, 1);
    let d_out = numbers(batch * len * d, 2);
    let [q, k, v] = [0, d, 2 * d]
        .map(|at| qkv.chunks(3 * d).flat_map(|row| row[at..at + d].to_vec()).collect::<Vec<f32>>());
    let [out, _, dq, dk, dv, _] = oracle(&attention, &q, &k, &v, &d_out);
    let packed = |at: usize| Rows { values: &qkv[at..], row: 3 * d };
    let (mut got_out, mut lse) = (vec![0.0; batch * len * d], vec![0.0; attention.lse_len()]);
    let mut scratch = vec![0.0; attention_backward_scratch(&attention)];
    attention_forward(
        &attention,
        packed(0),
        packed(d),
        packed(2 * d),
        &mut got_out,
        d,
        &mut lse,
        &mut scratch,
    );
    assert_near("out", &got_out, &out);
    let mut gradient = vec![0.0; qkv.len()];
    attention_backward(
        &attention,
        packed(0),
        packed(d),
        packed(2 * d),
        Rows { values: &got_out, row: d },
        Rows { values: &d_out, row: d },
        &lse,
        Gradients::Packed { values: &mut gradient, row: 3 * d, offsets: [0, d, 2 * d] },
        None,
        &mut scratch,
    );
    for (at, expected) in [(0, dq), (d, dk), (2 * d, dv)] {
        let got: Vec<f32> = gradient.chunks(3 * d).flat_map(|row| row[at..at + d].to_vec()).collect();
        assert_near("gradient", &got, &expected);
    }
}
