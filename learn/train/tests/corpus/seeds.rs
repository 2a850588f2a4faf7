//! The files: real ones, and what could be done to them.

use std::collections::BTreeMap;
use std::fs;

use bessemer_kernels::gemm::round_int8;
use bessemer_train::weights;

use crate::checkpoint;

/// A safetensors file of any header and data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// The same file with another header.
fn with_header(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let length = u64::from_le_bytes(*bytes.first_chunk().expect("a length")) as usize;
    let (header, data) = bytes[8..].split_at(length);
    let header = std::str::from_utf8(header).expect("a header");
    assert!(header.contains(from), "{from} in {header}");
    file(&header.replace(from, to), data)
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 0x10;
    flipped
}

fn saved(int8: &[usize]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    let mut parameters = crate::weights::parameters();
    parameters.get_mut(0).copy_from_slice(&[1.0, -2.0, 0.5, 3.0, 0.25, -1.0]);
    int8.iter().for_each(|i| round_int8(3, parameters.get_mut(*i)));
    weights::save(&path, &parameters, int8, BTreeMap::new()).expect("a file");
    fs::read(&path).expect("a file")
}

/// Weights of the model that `weights.rs` has.
pub fn weights() -> Vec<(&'static str, Vec<u8>)> {
    let (whole, integers) = (saved(&[]), saved(&[0]));
    let tensor = |dtype: &str, shape: &str, from: u64, to: u64| {
        format!("{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{from},{to}]}}")
    };
    let good = |from: u64| tensor("F32", "[2,3]", from, from + 24);
    let vector = |from: u64| tensor("F32", "[2]", from, from + 8);
    let both = |w: String, b: String| format!("{{\"w\":{w},\"b\":{b}}}");
    let data = [0u8; 32];
    let scaled = |scale: &str| {
        let (w, b) = (tensor("I8", "[2,3]", 0, 6), tensor("F32", "[2]", 6, 14));
        format!("{{\"w\":{w},\"b\":{b}{scale}}}")
    };
    let part = 1u64 << 60;
    let endless: Vec<String> = (0..15)
        .map(|i| format!("\"{i}\":{}", tensor("I8", &format!("[{part}]"), i * part, (i + 1) * part)))
        .collect();
    let last = tensor("I8", &format!("[{}]", part - 1), 15 * part, u64::MAX);
    let with_nan = [&f32::NAN.to_le_bytes()[..], &data[4..]].concat();
    let infinite = [&data[..14], &f32::INFINITY.to_le_bytes()[..], &data[..4]].concat();
    vec![
        ("whole", whole.clone()),
        ("integers", integers.clone()),
        ("without_checksum", file(&both(good(0), vector(24)), &data)),
        ("empty", vec![]),
        ("half_a_length", vec![1, 2, 3]),
        ("cut_in_header", whole[..60].to_vec()),
        ("cut_in_data", whole[..whole.len() - 3].to_vec()),
        ("more_data", [&whole[..], b"more"].concat()),
        ("flipped_in_header", flipped(&whole, 12)),
        ("flipped_in_data", flipped(&whole, whole.len() - 2)),
        ("flipped_in_integers", flipped(&integers, integers.len() - 1)),
        ("header_of_all_words", [&u64::MAX.to_le_bytes(), &whole[8..]].concat()),
        ("header_of_a_terabyte", [&(1u64 << 40).to_le_bytes(), &whole[8..]].concat()),
        ("header_of_99_megabytes", [&99_000_000u64.to_le_bytes(), &whole[8..]].concat()),
        ("header_is_no_text", file("x", &data).iter().map(|b| b | 0x80).collect()),
        ("header_is_a_list", file("[1,2]", &data)),
        ("header_is_nested", file(&"[".repeat(100_000), &[])),
        ("header_is_empty", file("{}", &[])),
        ("metadata_is_a_number", file("{\"__metadata__\":{\"sha256\":1}}", &[])),
        ("name_twice", file(&format!("{{\"w\":{},\"w\":{}}}", good(0), good(24)), &[0; 48])),
        ("name_climbs", file(&format!("{{\"../../etc/w\":{}}}", good(0)), &data[..24])),
        ("name_is_long", file(&format!("{{\"{}\":{}}}", "w".repeat(10_000), good(0)), &data[..24])),
        ("overlapping", file(&both(good(0), vector(16)), &data[..24])),
        ("holed", file(&both(good(0), vector(28)), &[0; 36])),
        ("from_beyond_to", file(&both(tensor("F32", "[2,3]", 24, 0), vector(24)), &data)),
        ("beyond_the_file", file(&both(good(0), tensor("F32", "[2]", 24, 32_000)), &data)),
        ("all_of_the_same_bytes", file(&both(good(0), vector(0)), &data)),
        ("offsets_overflow", file(&format!("{{{},\"w\":{last}}}", endless.join(",")), &[])),
        ("shape_overflows", file(&both(tensor("F32", "[9223372036854775808,4]", 0, 24), vector(24)), &data)),
        ("shape_is_negative", file(&both(tensor("F32", "[-1]", 0, 24), vector(24)), &data)),
        ("shape_of_another", file(&both(tensor("F32", "[3,2]", 0, 24), vector(24)), &data)),
        ("shape_is_empty", file(&both(good(0), tensor("F32", "[0]", 24, 24)), &data[..24])),
        ("unknown_type", file(&both(tensor("F99", "[2,3]", 0, 24), vector(24)), &data)),
        ("type_of_another", file(&both(tensor("F64", "[3]", 0, 24), vector(24)), &data)),
        ("no_scales", file(&scaled(""), &data[..14])),
        (
            "scales_of_another_shape",
            file(&scaled(&format!(",\"w.scale\":{}", tensor("F32", "[1]", 14, 18))), &data[..18]),
        ),
        (
            "infinite_scale",
            file(&scaled(&format!(",\"w.scale\":{}", tensor("F32", "[2]", 14, 22))), &infinite),
        ),
        ("nan", file(&both(good(0), vector(24)), &with_nan)),
    ]
}

/// Checkpoints of the training in `checkpoint.rs`, after one of its steps.
pub fn checkpoints() -> Vec<(&'static str, Vec<u8>)> {
    let folder = tempfile::tempdir().expect("a folder");
    checkpoint::run(folder.path(), false).expect("a training");
    let read = |step: u64| {
        let bytes = fs::read(folder.path().join(format!("step-{step:010}.safetensors"))).expect("a file");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // How long the step took is not for the corpus.
        let seconds = text.split("seconds = ").nth(1).and_then(|rest| rest.split('\\').next());
        with_header(&bytes, &format!("seconds = {}", seconds.expect("seconds")), "seconds = 0.5")
    };
    let whole = read(1);
    let change = |from: &str, to: &str| checkpoint::with_checksum(&with_header(&whole, from, to));
    vec![
        ("whole", whole.clone()),
        ("at_its_end", read(3)),
        ("empty", vec![]),
        ("cut_in_header", whole[..100].to_vec()),
        ("cut_in_data", whole[..whole.len() - 1].to_vec()),
        ("flipped_in_header", flipped(&whole, 30)),
        ("flipped_in_data", flipped(&whole, whole.len() - 1)),
        ("header_of_all_words", [&u64::MAX.to_le_bytes(), &whole[8..]].concat()),
        ("another_format", change("bessemer checkpoint 1", "bessemer checkpoint 9")),
        ("other_settings", change("learning_rate = 0.001", "learning_rate = 0.002")),
        ("another_description", change("\"about\":\"ones\"", "\"about\":\"twos\"")),
        ("unknown_counter", change("updates = 1", "updates = 1\\nmore = 2")),
        ("no_counters", change("updates = 1", "updates")),
        ("most_steps", change("\"progress\":\"steps = 1", "\"progress\":\"steps = 18446744073709551615")),
        ("many_steps", change("\"progress\":\"steps = 1", "\"progress\":\"steps = 9223372036854775807")),
        ("negative_steps", change("\"progress\":\"steps = 1", "\"progress\":\"steps = -1")),
        ("many_updates", change("updates = 1", "updates = 9223372036854775807")),
        ("many_skipped", change("skipped = 0", "skipped = 9223372036854775807")),
        ("long_waited", change("waited = 0\\nseconds", "waited = 4294967295\\nseconds")),
        ("nan_seconds", change("seconds = 0.5", "seconds = nan")),
        ("negative_seconds", change("seconds = 0.5", "seconds = -1.0")),
        ("endless_seconds", change("seconds = 0.5", "seconds = 1e300")),
        ("many_averaged", change("averaged = 0", "averaged = 9223372036854775807")),
        ("nan_plateau", change("factor = 1.0", "factor = nan")),
        (
            "scale_of_no_scaler",
            change(
                "factor = 1.0",
                "factor = 1.0\\n[grad_scaler]\\nscale = 2.0\\ngood_steps = 0\\nupdates = 1\\noverflows = 0",
            ),
        ),
        ("no_losses", change("\"history.losses\"", "\"history.loses\"")),
        ("losses_of_integers", change("\"dtype\":\"F64\",\"shape\":[1]", "\"dtype\":\"I64\",\"shape\":[1]")),
        ("no_weights", change("\"weights.", "\"weight.")),
        ("weights_of_another", change("\"shape\":[2,3]", "\"shape\":[3,2]")),
        ("weights_climb", change("\"weights.weight\"", "\"weights./../etc/weight\"")),
        ("no_memory", change("\"optimizer.1.", "\"optimiser.1.")),
        ("no_best", change("\"best.", "\"last.")),
        ("best_to_come", change("4513, 1]", "4513, 9]")),
    ]
}

/// Records of runs.
pub fn run_records() -> Vec<(&'static str, Vec<u8>)> {
    let whole = "format = 1\nversion = \"0.1.0\"\nstarted = \"2026-11-21T20:15:00Z\"\nstatus = \"finished\"\n\
                 seconds = 1.5\nseed = 7\nthreads = 2\narguments = [\"demo\"]\nfolder = \"/somewhere\"\n\n\
                 [machine]\nprocessor = \"abacus\"\n\n[results.mlp]\nloss = 0.25\nmae = nan\n";
    let with = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        whole.replace(from, to).into_bytes()
    };
    vec![
        ("whole", whole.into()),
        ("empty", Vec::new()),
        ("cut", whole.as_bytes()[..150].to_vec()),
        ("crlf", with("\n", "\r\n")),
        ("no_text", vec![0xff, 0xfe, 0x00]),
        ("no_format", with("format = 1\n", "")),
        ("other_format", with("format = 1", "format = 99")),
        ("unknown_key", with("seed", "sead")),
        ("negative_seed", with("seed = 7", "seed = -7")),
        ("huge_threads", with("threads = 2", "threads = 99999999999999999999")),
        ("no_date", with("2026-11-21", "2026-13-41")),
        ("unknown_status", with("finished", "flown")),
        ("status_found_out", with("finished", "killed")),
        ("data", with("[machine]", "[data]\npath = \"a.csv\"\nbytes = 9\nsha256 = \"0\"\n\n[machine]")),
        (
            "data_negative",
            with("[machine]", "[data]\npath = \"a.csv\"\nbytes = -9\nsha256 = \"0\"\n\n[machine]"),
        ),
        ("seconds_nan", with("seconds = 1.5", "seconds = nan")),
        ("a_key_twice", with("seed = 7", "seed = 7\nseed = 8")),
        ("deep", [b"x = ".to_vec(), b"[".repeat(5000)].concat()),
        ("long_name", with("seed", &"s".repeat(50_000))),
    ]
}

/// Metrics, line by line.
pub fn metrics() -> Vec<(&'static str, Vec<u8>)> {
    let line = "{\"step\":1,\"seconds\":0.5,\"loss\":2.5,\"grad_norm\":1.0,\"learning_rate\":0.001}\n";
    let with = |from: &str, to: &str| line.replace(from, to).into_bytes();
    vec![
        ("whole", line.repeat(3).into()),
        ("empty", Vec::new()),
        ("cut", line.repeat(2).as_bytes()[..100].to_vec()),
        ("no_text", vec![0xff, 0xfe, b'\n']),
        ("empty_line", b"\n\n".to_vec()),
        ("crlf", with("\n", "\r\n")),
        ("bom", [b"\xef\xbb\xbf".to_vec(), line.into()].concat()),
        ("negative_step", with("\"step\":1", "\"step\":-1")),
        ("huge_step", with("\"step\":1", "\"step\":1e400")),
        ("no_step", with("\"step\":1,", "")),
        ("step_twice", with("\"step\":1", "\"step\":1,\"step\":2")),
        ("loss_of_text", with("2.5", "\"much\"")),
        ("loss_null", with("2.5", "null")),
        ("unknown_key", with("loss", "lass")),
        ("deep", [b"[".repeat(5000), b"\n".to_vec()].concat()),
        ("a_list", b"[1,2,3]\n".to_vec()),
    ]
}
