//! The files: real ones, and what could be done to them.

pub mod parquet;

use bessemer_forecast::{FitOptions, Forecaster, Model, air_passengers, configuration};
use bessemer_plan::Pool;

/// CSV files.
pub fn csv() -> Vec<(&'static str, Vec<u8>)> {
    let texts: Vec<(&str, String)> = [
        ("long", "unique_id,ds,y\na,2024-01-31,1\n\"b\",2024-02-29,\na,2024-02-29,2\n"),
        ("wide", "date;a;b\n2024-01-01 10:00;1;2.5\n2024-01-01 10:15;NA;3\n"),
        ("series_per_row", "V1,V2,V3\nY1,1,2\nY2,3,\n"),
        ("single", "ds,y\n1,2\n2,3\n4,5\n"),
        ("carriage_returns", "ds,y\r\n2024-01-01,1\r\n2024-01-02,2\r\n"),
        ("carriage_returns_only", "ds,y\r2024-01-01,1\r2024-01-02,2\r"),
        ("byte_order_mark", "\u{feff}ds,y\n2024-01-01T00:00:00Z,1\n2024-01-01T01:00:00Z,2\n"),
        ("byte_order_mark_twice", "\u{feff}\u{feff}ds,y\n2024-01-01,1\n2024-01-02,2\n"),
        ("empty", ""),
        ("blank", " \r\n\n\t"),
        ("header_only", "unique_id,ds,y"),
        ("quote_left_open", "ds,y\n\"2024-01-01,1\n2024-01-02,2\n"),
        ("quoted_breaks", "unique_id,ds,y\n\"a\nb\",1,1\n\"a\nb\",2,\"2\"\n"),
        ("ragged", "ds,y\n1,1,1\n"),
        ("name_climbs", "unique_id,ds,y\n../../etc/passwd,1,1\n../../etc/passwd,2,2\n"),
        ("nan_and_infinity", "ds,y\n1,nan\n2,-nan\n3,inf\n"),
        ("beyond_floats", "ds,y\n1,1e9999\n2,1\n"),
        ("least_and_most_times", "ds,y\n-9223372036854775808,1\n9223372036854775807,2\n"),
        ("most_times", "ds,y\n9223372036854775806,1\n9223372036854775807,2\n"),
        ("last_day", "ds,y\n9999-12-30,1\n9999-12-31,2\n"),
        ("last_months", "ds,y\n9999-11-30,1\n9999-12-31,2\n"),
        ("first_day", "ds,y\n0000-01-01,1\n0000-01-02,2\n"),
        ("far_apart", "ds,y\n2024-01-01 00:00:00.000001,1\n2024-01-01 00:00:00.000002,1\n9999-12-31,2\n"),
        ("same_time", "ds,y\n2024-01-01,1\n2024-01-01,2\n"),
        ("weekend", "ds,y\n2024-01-05,1\n2024-01-06,2\n2024-01-08,3\n"),
        ("two_columns_of_one_name", "ds,a,a\n1,1,1\n"),
        ("columns_without_names", "ds,,\n1,1,1\n"),
        ("binary", "ds,y\n\0\0\0,1\n"),
        ("long_seconds", "ds,y\n2024-01-01 00:00:00.1234567891,1\n"),
        ("no_break_spaces", "ds,y\n\u{a0}1\u{a0},\u{2003}1\n2,2\n"),
    ]
    .map(|(name, text)| (name, text.to_string()))
    .into();
    let mut files: Vec<(&str, Vec<u8>)> =
        texts.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    files.push(("not_utf8", b"ds,y\n2024-01-01,\xff\xfe\n".to_vec()));
    files.push(("many_columns", ["ds", &",a".repeat(5000), "\n1", &",1".repeat(5000)].concat().into_bytes()));
    files
}

/// Names of frequencies.
pub fn frequencies() -> Vec<(&'static str, Vec<u8>)> {
    [
        ("hour", "h"),
        ("quarter_hour", "15min"),
        ("week_of_sundays", "W-SUN"),
        ("quarter_ends", "2QE"),
        ("number", "10"),
        ("empty", ""),
        ("none", "0h"),
        ("negative", "-1h"),
        ("most", "1000000YS"),
        ("too_many", "1000001D"),
        ("overflowing", "99999999999999999999D"),
        ("digits_of_another_script", "\u{663}h"),
        ("hyphens", "-----"),
    ]
    .map(|(name, text)| (name, text.as_bytes().to_vec()))
    .into()
}

/// Descriptions of saved models.
pub fn descriptions() -> Vec<(&'static str, Vec<u8>)> {
    let text = |model: &str| {
        let model = Model::by_name(model).expect("a model");
        let mut options = FitOptions::new(3, 8);
        (options.train.steps, options.windows) = (1, 2);
        let frame = air_passengers::frame();
        let fitted = Forecaster::fit(&frame, &model, &options, &Pool::new(1)).expect("a model");
        let folder = tempfile::tempdir().expect("a folder");
        fitted.save(folder.path()).expect("a folder");
        std::fs::read_to_string(folder.path().join("model.toml")).expect("a file")
    };
    let [mlp, nlinear, dlinear, nhits, patchtst] =
        ["mlp", "nlinear", "dlinear", "nhits", "patchtst"].map(text);
    let change = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        text.replacen(from, to, 1)
    };
    // Small enough for the reader to make weights for them.
    let [mlp, nhits] = [mlp, nhits].map(|text| change(&text, "hidden = 512", "hidden = 8"));
    // The scale of the series is the last entry.
    let scaled = |entry: &str, value: &str| {
        let (before, rest) = nlinear.rsplit_once(&format!("{entry} = ")).expect("an entry");
        let after = rest.split_once('\n').map_or("", |(_, after)| after);
        format!("{before}{entry} = {value}\n{after}")
    };
    let most = i64::MAX.to_string();
    let stacks = |count: usize| format!("pool = [{}]", vec!["1"; count].join(","));
    let of_stacks = |count: usize| {
        let text = change(&nhits, "pool = [2, 2, 1]", &stacks(count));
        change(&text, "downsample = [4, 2, 1]", &stacks(count).replace("pool", "downsample"))
    };
    let wide = change(&patchtst, "lookback = 8", "lookback = 1048576");
    [
        ("hidden_none", change(&mlp, "hidden = 8", "hidden = 0")),
        ("hidden_most", change(&mlp, "hidden = 8", &format!("hidden = {most}"))),
        ("hidden_a_million", change(&mlp, "hidden = 8", "hidden = 1048576")),
        ("hidden_negative", change(&mlp, "hidden = 8", "hidden = -1")),
        ("hidden_beyond_words", change(&mlp, "hidden = 8", "hidden = 99999999999999999999")),
        ("hidden_a_fraction", change(&mlp, "hidden = 8", "hidden = 5.5")),
        ("layers_most", change(&mlp, "layers = 2", &format!("layers = {most}"))),
        ("layers_most_allowed", change(&mlp, "layers = 2", "layers = 256")),
        ("horizon_none", change(&nlinear, "horizon = 3", "horizon = 0")),
        ("horizon_most", change(&nlinear, "horizon = 3", &format!("horizon = {most}"))),
        ("horizon_a_million", change(&nlinear, "horizon = 3", "horizon = 1048576")),
        ("horizon_of_knots", change(&nhits, "horizon = 3", "horizon = 1048576")),
        ("lookback_none", change(&nlinear, "lookback = 8", "lookback = 0")),
        ("windows_none", change(&nlinear, "windows = 2", "windows = 0")),
        ("moving_average_most", change(&dlinear, "moving_average = 25", &format!("moving_average = {most}"))),
        ("moving_average_even", change(&dlinear, "moving_average = 25", "moving_average = 0")),
        ("stacks_none", of_stacks(0)),
        ("stacks_many", of_stacks(10_000)),
        ("downsample_none", change(&nhits, "downsample = [4, 2, 1]", "downsample = [0, 2, 1]")),
        ("pool_most", change(&nhits, "pool = [2, 2, 1]", &format!("pool = [{most}, 2, 1]"))),
        ("patch_most", change(&patchtst, "patch = 16", &format!("patch = {most}"))),
        ("stride_most", change(&patchtst, "stride = 8", &format!("stride = {most}"))),
        ("width_most", change(&patchtst, "width = 16", &format!("width = {most}"))),
        ("heads_of_another", change(&patchtst, "heads = 4", "heads = 5")),
        ("feedforward_none", change(&patchtst, "feedforward = 128", "feedforward = 0")),
        ("patches_many", change(&wide, "stride = 8", "stride = 1")),
        ("dropout_nan", change(&patchtst, "dropout = 0.3", "dropout = nan")),
        ("learning_rate_nan", change(&nlinear, "learning_rate = 0.001", "learning_rate = nan")),
        ("shift_infinite", scaled("shift", "inf")),
        ("scale_nan", scaled("scale", "nan")),
        ("scale_none", scaled("scale", "0.0")),
        ("scale_negative", scaled("scale", "-1.0")),
        ("scale_subnormal", scaled("scale", "5e-324")),
        ("scale_most", scaled("scale", "1.7976931348623157e308")),
        ("scale_beyond_floats", scaled("scale", "1e999")),
        ("series_climbs", change(&nlinear, "id = \"air_passengers\"", "id = \"../../etc/passwd\"")),
        ("format_2", change(&nlinear, "format = 1", "format = 2")),
        ("no_format", change(&nlinear, "format = 1\n", "")),
        ("format_twice", change(&nlinear, "format = 1", "format = 1\nformat = 1")),
        ("unknown_entry", change(&nlinear, "format = 1", "format = 1\nmore = 1")),
        ("unknown_model", change(&nlinear, "kind = \"nlinear\"", "kind = \"../nlinear\"")),
        ("no_frequency", change(&nlinear, "frequency = \"monthly\"", "frequency = \"\"")),
        ("integers", change(&mlp, "precision = \"f32\"", "precision = \"int8\"")),
        ("carriage_returns", nlinear.replace('\n', "\r\n")),
        ("byte_order_mark", format!("\u{feff}{nlinear}")),
        ("cut", nlinear[..nlinear.len() / 2].to_string()),
        ("nested", format!("format = {}", "[".repeat(50_000))),
        ("nested_tables", format!("format = {}", "{a=".repeat(50_000))),
        ("dotted", format!("{}a = 1", "a.".repeat(50_000))),
        ("empty", String::new()),
        ("mlp", mlp),
        ("nlinear", nlinear.clone()),
        ("dlinear", dlinear),
        ("nhits", nhits),
        ("patchtst", patchtst),
    ]
    .map(|(name, text)| (name, text.into_bytes()))
    .into_iter()
    .chain([("not_utf8", [nlinear.as_bytes(), b"\n# \xff"].concat())])
    .collect()
}

/// Configuration files of trainings.
pub fn configurations() -> Vec<(&'static str, Vec<u8>)> {
    let whole = |name: &str| {
        let model = Model::by_name(name).expect("a model");
        configuration::render(&model, &FitOptions::new(3, 8), Some(configuration::Validation::Fraction(0.1)))
    };
    let text = str::to_string;
    let most = u64::MAX;
    [
        ("mlp", whole("mlp")),
        ("nhits", whole("nhits")),
        ("patchtst", whole("patchtst")),
        ("empty", String::new()),
        ("zero", text("\0")),
        ("rows", text("validation = 24")),
        ("share_of_nothing", text("validation = 0.0")),
        ("share_too_large", text("validation = 1.0")),
        ("validation_text", text("validation = '0.1'")),
        ("validation_not_a_number", text("validation = nan")),
        ("sgd", text("[fit.train.optimizer]\nmomentum = 0.9\nkind = 'sgd'")),
        ("schedule", text("fit.train.schedule = { kind = 'step', every = 5, gamma = 0.5 }")),
        ("schedule_cut_short", text("fit.train.schedule.kind = 'step'")),
        ("schedule_without_settings", text("fit.train.schedule.gamma = 0.5")),
        ("average", text("[fit.train.average]\nkind = 'swa'\nstart = 1\nevery = 2\nlearning_rate = 1e-5\nanneal = 3")),
        ("scaler", text("[fit.train.grad_scaler]\nscale = 8\ngrowth_interval = 2\nleast = 1\nmost = 16")),
        ("groups", text("[[fit.train.groups]]\nprefix = ''\nrate = 0.1\n[[fit.train.groups]]\nprefix = \"\\n\\u0000\"")),
        ("group_with_a_slip", text("[[fit.train.groups]]\nprefx = ''")),
        ("infinite", text("fit.train.learning_rate = inf")),
        ("infinite_in_single_precision", text("fit.train.clip_norm = 1e39")),
        ("single_precision", text("fit.train.learning_rate = 0.10000000149011612")),
        ("tiny", text("validation = 5e-324\nfit.train.learning_rate = 5e-324")),
        ("date", text("fit.horizon = 2024-01-01")),
        ("seed_beyond_words", format!("fit.train.seed = {most}")),
        ("seed_negative", text("fit.train.seed = -1")),
        ("hidden_large", text("model.hidden = 1048577")),
        ("pool_of_pools", text("model.pool = [[1], [2]]")),
        ("pool_with_infinity", text("model.pool = [inf]")),
        ("kind_unknown", text("model.kind = 'nhit'")),
        ("kind_no_text", text("model.kind = [1]")),
        ("key_empty", text("[fit]\n\"\" = 1")),
        ("key_with_marks", text("[fit.train.optimizer]\n\"`, expected `\" = 1")),
        ("key_long", format!("fit.train.optimizer.{} = 1", "a".repeat(50_000))),
        ("value_long", format!("fit.loss = '{}'", "a".repeat(50_000))),
        ("model_value_long", format!("model.interpolation = '{}'", "a".repeat(50_000))),
        ("kind_that_sounds_missing", format!("fit.train.schedule.kind = 'missing field {}'", "a".repeat(50_000))),
        ("model_without_kind", text("[model]\nsteps = 5")),
        ("deep", format!("fit.{}x = 1", "a.".repeat(20_000))),
        ("deep_list", format!("model.pool = {}", "[".repeat(20_000))),
        ("many_keys", (0..5000).map(|n| format!("model.a{n} = {n}\n")).collect()),
        ("many_of_a_kind", (0..5000).map(|n| format!("fit.train.schedule.a{n} = {n}\n")).collect()),
        ("loss_unknown", text("fit.loss = 'huber'")),
        ("section_is_a_number", text("fit = 3")),
    ]
    .map(|(name, text)| (name, text.into_bytes()))
    .into_iter()
    .chain([("not_utf8", b"validation = 3 # \xff".to_vec())])
    .collect()
}
