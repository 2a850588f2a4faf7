//! What one core does in attention, in GFLOP/s (4 T² d a head forward, 10 T² d backward).
//!
//! `cargo run --release -p bessemer-kernels --example attention_speed`

use std::time::{Duration, Instant};

use bessemer_kernels::attention::{
    Attention, Gradients, Rows, attention_backward, attention_backward_scratch, attention_forward,
    attention_forward_scratch,
};

fn main() {
    println!("{:>33} {:>10} {:>10}", "samples x heads x T x d", "forward", "backward");
    for (batch, heads, len, head_dim, causal, bf16) in [
        (8, 8, 42, 16, false, false),
        (8, 16, 42, 8, false, false),
        (8, 8, 64, 16, false, false),
        (8, 4, 96, 32, false, false),
        (1, 8, 1024, 64, false, false),
        (1, 8, 1024, 64, true, false),
        (1, 8, 4096, 64, true, false),
        (1, 4, 1024, 128, true, false),
        (1, 8, 1024, 64, false, true),
        (1, 8, 1024, 64, true, true),
        (1, 8, 4096, 64, true, true),
        (1, 4, 1024, 128, true, true),
    ] {
        let attention = Attention {
            batch,
            heads,
            kv_heads: heads,
            q_len: len,
            k_len: len,
            head_dim,
            scale: 1.0 / (head_dim as f32).sqrt(),
            causal,
            key_mask: None,
            bias: None,
            bf16,
        };
        let d = heads * head_dim;
        let tokens = batch * len;
        let qkv: Vec<f32> = (0..tokens * 3 * d).map(|i| (i % 97) as f32 / 97.0 - 0.5).collect();
        let d_out: Vec<f32> = (0..tokens * d).map(|i| (i % 89) as f32 / 89.0 - 0.5).collect();
        let [q, k, v] = [0, d, 2 * d].map(|at| Rows { values: &qkv[at..], row: 3 * d });
        let mut out = vec![0.0; tokens * d];
        let mut lse = vec![0.0; attention.lse_len()];
        let mut gradient = vec![0.0; qkv.len()];
        let mut scratch =
            vec![0.0; attention_forward_scratch(&attention).max(attention_backward_scratch(&attention))];
        let forward = seconds(|| attention_forward(&attention, q, k, v, &mut out, d, &mut lse, &mut scratch));
        let out = Rows { values: &out, row: d };
        let d_out = Rows { values: &d_out, row: d };
        let backward = seconds(|| {
            let gradients = Gradients::Packed { values: &mut gradient, row: 3 * d, offsets: [0, d, 2 * d] };
            attention_backward(&attention, q, k, v, out, d_out, &lse, gradients, None, &mut scratch);
        });
        let seen = if causal { 0.5 } else { 1.0 };
        let unit = seen * (batch * heads * len * len * head_dim) as f64 / 1e9;
        println!(
            "{:>33} {:>10.0} {:>10.0}",
            format!(
                "{batch} x {heads} x {len} x {head_dim}{}{}",
                if causal { " causal" } else { "" },
                if bf16 { " bf16" } else { "" }
            ),
            4.0 * unit / forward,
            10.0 * unit / backward
        );
    }
}

/// The fastest of many runs: other work on the machine only ever slows one down.
fn seconds(mut run: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(400) {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    best.as_secs_f64()
}
