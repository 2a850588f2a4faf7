//! Measures a vector function against an f64 oracle.

use std::ops::RangeInclusive;

/// Every `step`-th float of the range, by bit pattern, and its ends.
pub(crate) fn every(step: usize, range: RangeInclusive<f32>) -> impl Iterator<Item = f32> {
    let (low, high) = range.into_inner();
    [0u32, 0x8000_0000]
        .into_iter()
        .flat_map(move |sign| (0u32..=0x7f80_0000).step_by(step).map(move |bits| f32::from_bits(sign | bits)))
        .chain([low, high])
        .filter(move |x| (low..=high).contains(x))
}

/// How far `got` is from `exact`, in units of the last place of an f32 next to `exact`.
pub(crate) fn ulp(got: f32, exact: f64) -> f64 {
    let nearest = exact as f32;
    if nearest.is_nan() || got.is_nan() || nearest.is_infinite() || got.is_infinite() {
        let same = got == nearest || (got.is_nan() && nearest.is_nan());
        return if same { 0.0 } else { f64::INFINITY };
    }
    let exponent = ((nearest.to_bits() >> 23) & 0xff).max(1) as i32;
    (f64::from(got) - exact).abs() / 2f64.powi(exponent - 150)
}

/// The vector function at every float of a slice, with the instruction set in force.
macro_rules! map {
    ($function:path, $x:expr) => {{
        struct Map<'a>(&'a [f32]);
        impl $crate::simd::Kernel for Map<'_> {
            type Output = Vec<f32>;
            #[inline(always)]
            fn run<S: $crate::simd::Simd>(self, s: S) -> Vec<f32> {
                use $crate::simd::Part;
                let mut y = vec![0.0; self.0.len()];
                $crate::simd::each_vector!(s, y.len(), |i, part| {
                    // SAFETY: the macro keeps i and the part inside the slices, of one length.
                    unsafe {
                        let x = part.load(s, self.0.as_ptr().add(i));
                        part.store(s, y.as_mut_ptr().add(i), $function(s, x));
                    }
                });
                y
            }
        }
        $crate::simd::dispatch(Map(&$x[..]))
    }};
}
pub(crate) use map;

/// Checks the largest error over every 1,009th float of a range, on every instruction set.
macro_rules! check {
    ($name:literal, $function:path, $oracle:expr, $range:expr, $bound:expr) => {
        check!($name, $function, $oracle, $range, $bound, $bound)
    };
    ($name:literal, $function:path, $oracle:expr, $range:expr, $bound:expr, $portable:expr) => {
        let x: Vec<f32> = every(1_009, $range).collect();
        let exact: Vec<f64> = x.iter().map(|&x| $oracle(f64::from(x))).collect();
        for isa in $crate::Isa::available() {
            let y = isa.force(|| map!($function, &x));
            let (mut worst, mut at) = (0.0, 0.0);
            for i in 0..x.len() {
                let error = ulp(y[i], exact[i]);
                if error > worst {
                    (worst, at) = (error, x[i]);
                }
            }
            println!("{} {isa}: {worst:.3} ulp at {at:e}", $name);
            let bound = if isa == $crate::Isa::Portable { $portable } else { $bound };
            assert!(worst <= bound, "{} {isa}: {worst} ulp at {at:e}", $name);
        }
    };
}
pub(crate) use check;

/// Checks exact results, NaN and the sign of zero included, on every instruction set.
macro_rules! special {
    ($function:path, $cases:expr) => {
        for isa in $crate::Isa::available() {
            for (x, expected) in $cases {
                let x: f32 = x;
                let expected: f32 = expected;
                let y = isa.force(|| map!($function, &[x]))[0];
                let same = y.to_bits() == expected.to_bits() || (y.is_nan() && expected.is_nan());
                assert!(same, "{isa}: f({x:e}) = {y:e}, not {expected:e}");
            }
        }
    };
}
pub(crate) use special;
