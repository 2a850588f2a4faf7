//! Kernels by themselves: `cargo bench -p bessemer-kernels`.

use std::hint::black_box;

use bessemer_kernels::attention::{Attention, Rows, attention_forward, attention_forward_scratch};
use bessemer_kernels::gemm::{
    Epilogue, Half, Int8Shape, gemm_packed, half_gemm_packed, int8_gemm, pack_b, pack_int8, packed_len,
    pair_columns, pair_count, pair_rows, quantize_rows,
};
use bessemer_kernels::softmax::softmax;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn products(c: &mut Criterion) {
    let (m, n, k) = (512, 512, 512);
    let (a, b) = (vec![0.5; m * k], vec![0.25; k * n]);
    let mut out = vec![0.0; m * n];
    let mut group = c.benchmark_group("512 x 512 x 512");
    group.throughput(Throughput::Elements((2 * m * n * k) as u64));

    let mut panels = vec![0.0; packed_len(k, n)];
    pack_b(k, n, &b, (n, 1), &mut panels);
    group.bench_function("f32", |bench| {
        bench.iter(|| {
            gemm_packed(m, n, k, black_box(&a), (k, 1), &panels, (&mut out, n), Epilogue::default(), None)
        });
    });
    for (name, half) in [("bf16", Half::Bf16), ("f16", Half::F16)] {
        let pairs = pair_count(k);
        let mut words = vec![0.0; pairs * n];
        pair_rows(half, k, n, &b, n, &mut words);
        let mut panels = vec![0.0; packed_len(pairs, n)];
        pack_b(pairs, n, &words, (n, 1), &mut panels);
        let mut rows = vec![0.0; m * pairs];
        group.bench_function(name, |bench| {
            bench.iter(|| {
                pair_columns(half, m, k, black_box(&a), k, &mut rows);
                let a = (&rows[..], (pairs, 1));
                half_gemm_packed(half, (m, n, k), a, &panels, (&mut out, n), Epilogue::default(), None);
            });
        });
    }
    let shape = Int8Shape { n, k };
    let mut panels = vec![0.0; shape.packed_len()];
    pack_int8(shape, &b, &mut panels);
    let mut rows = vec![0.0; shape.rows_len(m)];
    group.bench_function("int8", |bench| {
        bench.iter(|| {
            quantize_rows(m, k, black_box(&a), &mut rows);
            int8_gemm(m, shape, &rows, &panels, (&mut out, n), Epilogue::default(), None);
        });
    });
    group.finish();
}

fn attention(c: &mut Criterion) {
    let (heads, len, head_dim) = (8, 1024, 64);
    let d = heads * head_dim;
    let qkv: Vec<f32> = (0..len * 3 * d).map(|i| (i % 97) as f32 / 97.0 - 0.5).collect();
    let [q, k, v] = [0, d, 2 * d].map(|at| Rows { values: &qkv[at..], row: 3 * d });
    let mut out = vec![0.0; len * d];
    let mut group = c.benchmark_group("attention, 8 heads of 64, 1024 positions");
    group.throughput(Throughput::Elements((2 * len * len * d) as u64));
    for (name, bf16) in [("f32", false), ("bf16", true)] {
        let attention = Attention {
            batch: 1,
            heads,
            kv_heads: heads,
            q_len: len,
            k_len: len,
            head_dim,
            scale: 0.125,
            causal: true,
            key_mask: None,
            bias: None,
            bf16,
        };
        let mut lse = vec![0.0; attention.lse_len()];
        let mut scratch = vec![0.0; attention_forward_scratch(&attention)];
        group.bench_function(name, |bench| {
            bench.iter(|| {
                attention_forward(&attention, black_box(q), k, v, &mut out, d, &mut lse, &mut scratch);
            });
        });
    }
    group.finish();
}

fn rows(c: &mut Criterion) {
    let x: Vec<f32> = (0..1024 * 256).map(|i| (i % 89) as f32 / 89.0).collect();
    let mut y = vec![0.0; x.len()];
    let mut group = c.benchmark_group("1024 x 256");
    group.throughput(Throughput::Bytes(8 * x.len() as u64));
    group.bench_function("softmax", |bench| bench.iter(|| softmax(black_box(&x), &mut y, 1024, 256)));
    group.finish();
}

criterion_group!(benches, products, attention, rows);
criterion_main!(benches);
