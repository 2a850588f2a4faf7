use proptest::prelude::*;

use super::*;
use crate::Isa;

const STREAM: Stream = Stream { seed: 0x0123_4567_89ab_cdef, step: 42, site: 3 };

proptest! {
    #[test]
    fn vectors_equal_the_scalar_form_bit_for_bit(
        seed: u64, step: u64, site: u32, position0 in 0..u64::MAX / 2, len in 0..300usize,
    ) {
        let stream = Stream { seed, step, site };
        for isa in Isa::available() {
            let (mut uniform, mut normal) = (vec![0.0; len], vec![0.0; len]);
            isa.force(|| {
                fill_uniform(stream, position0, &mut uniform);
                fill_normal(stream, position0, &mut normal);
            });
            for i in 0..len {
                let position = position0 + i as u64;
                prop_assert_eq!(uniform[i].to_bits(), uniform_at(stream, position).to_bits());
                prop_assert_eq!(normal[i].to_bits(), normal_at(stream, position).to_bits());
            }
        }
    }
}

#[test]
fn normals_are_box_muller_of_the_words() {
    for block in 0..2000u64 {
        let position = block / 16 * 64 + block % 16;
        let word = |k: u64| f64::from(philox::word_at(STREAM, position + 16 * k));
        for pair in [0, 2] {
            let u = ((word(pair) / 256.0).floor() + 1.0) / 16_777_216.0;
            let angle = (word(pair + 1) - f64::from(0x2000_0000)) / 4_294_967_296.0 * std::f64::consts::TAU;
            let radius = (-2.0 * u.ln()).sqrt();
            let got = [0, 1].map(|k| f64::from(normal_at(STREAM, position + 16 * (pair + k))));
            assert!((got[0] - radius * angle.cos()).abs() < 2e-6);
            assert!((got[1] - radius * angle.sin()).abs() < 2e-6);
        }
    }
}

#[test]
fn moments_are_those_of_the_distribution() {
    let n = 1 << 20;
    let mut x = vec![0.0; n];
    let moment = |x: &[f32], k: i32| x.iter().map(|&v| f64::from(v).powi(k)).sum::<f64>() / n as f64;
    fill_uniform(STREAM, 0, &mut x);
    assert!(x.iter().all(|v| (0.0..1.0).contains(v)));
    for k in 1..=4 {
        assert!((moment(&x, k) - 1.0 / f64::from(k + 1)).abs() < 1.5e-3, "uniform moment {k}");
    }
    fill_normal(STREAM, 0, &mut x);
    for (k, exact) in [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)] {
        assert!((moment(&x, k) - exact).abs() < 0.04, "normal moment {k}");
    }
}

#[test]
fn dropout_keeps_the_share_that_was_asked_for() {
    let n = 1 << 20;
    let mut factors = vec![0.0; n];
    let fill = |factors: &mut [f32], keep: f32| {
        factors.iter_mut().zip(0..).for_each(|(f, position)| *f = dropout_factor_at(STREAM, position, keep));
    };
    for keep in [1e-9, 0.1, 0.25, 0.8, 1.0f32] {
        fill(&mut factors, keep);
        let kept = factors.iter().filter(|&&f| f != 0.0).count() as f64 / n as f64;
        let keep = f64::from(keep).max(1.0 / 65_536.0);
        // Four standard deviations, and half a step of 2^-16.
        assert!(
            (kept - keep).abs() <= 4.0 * (keep * (1.0 - keep) / n as f64).sqrt() + 1e-5,
            "{kept}, not {keep}"
        );
        let factor = factors.iter().fold(0.0, |a: f32, &b| a.max(b));
        assert!((f64::from(factor) * keep - 1.0).abs() < 1e-4, "{factor} at {keep}");
    }
    // Neighbours, and the two halves of a word, decide by themselves.
    fill(&mut factors, 0.5);
    for distance in [1, 16, 64, 128] {
        let mean: f64 =
            factors.iter().zip(&factors[distance..]).map(|(a, b)| f64::from((a - 1.0) * (b - 1.0))).sum();
        assert!((mean / n as f64).abs() < 4.0 / (n as f64).sqrt(), "correlation {mean} at {distance}");
    }
}

#[test]
fn streams_differ_in_every_part() {
    let streams = [
        STREAM,
        Stream { seed: STREAM.seed ^ 1, ..STREAM },
        Stream { seed: STREAM.seed ^ (1 << 63), ..STREAM },
        Stream { step: STREAM.step + 1, ..STREAM },
        Stream { step: STREAM.step + (1 << 32), ..STREAM },
        Stream { site: STREAM.site + 1, ..STREAM },
    ];
    let words: std::collections::HashSet<u32> = streams.map(|s| philox::word_at(s, 5)).into_iter().collect();
    assert_eq!(words.len(), streams.len());
}
