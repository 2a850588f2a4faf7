//! Writes a report with made-up results, to show what reports look like:
//! `cargo run -p bessemer-train --example sample_report -- report.html`

use bessemer_train::report::{
    Bar, BarChart, Block, ChartGrid, Column, Line, LineChart, LineStyle, Report, RowKind, Shade, Table,
    XAxis, date_seconds,
};

const MODELS: [&str; 4] = ["TSMixer", "N-HiTS", "linear", "GRU"];
const SEASON: [f64; 12] = [0.91, 0.88, 1.01, 0.98, 0.98, 1.11, 1.23, 1.22, 1.06, 0.92, 0.80, 0.90];
/// Months from January 1949 to December 1960; the last year is forecast.
const MONTHS: i32 = 144;
const FIRST_FORECAST: i32 = 132;

fn main() -> std::io::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "sample_report.html".into());
    let report = Report::new("Airline passengers, one year ahead")
        .subtitle("Four models forecast twelve months of traffic. TSMixer's error is a third of that of repeating last year.")
        .section("Forecasts", [forecasts(1958, "The last three years"), scores().into()])
        .section("Training", [losses(), speed()])
        .section("How this was made", setting())
        .footer("Made with Bessemer 0.1.0 from made-up data.");
    report.write(&path)
}

/// A number in -1..1 that looks random and is always the same.
fn noise(seed: i32) -> f64 {
    let value = (f64::from(seed) * 12.9898).sin() * 43_758.547;
    2.0 * (value - value.floor()) - 1.0
}

fn month(index: i32) -> f64 {
    date_seconds(1949, 1 + index, 1)
}

fn passengers(index: i32) -> f64 {
    let trend = 126.0 * (1.0104_f64).powi(index);
    (trend * SEASON[(index % 12) as usize] * (1.0 + 0.018 * noise(index))).round()
}

fn forecasts(from_year: i32, title: &str) -> Block {
    let first = (from_year - 1949) * 12;
    let past = (first..MONTHS).map(|index| (month(index), passengers(index)));
    let mut lines = vec![Line::new("actual", LineStyle::Actual, past)];
    for (n, name) in MODELS.into_iter().enumerate() {
        let error = [0.012, 0.03, -0.045, 0.085][n];
        let forecast = (FIRST_FORECAST..MONTHS).map(|index| {
            let drift = error * (0.4 + f64::from(index - FIRST_FORECAST) / 14.0);
            (month(index), passengers(index) * (1.0 + drift + 0.4 * error * noise(index * 7 + n as i32)))
        });
        lines.push(Line::new(name, LineStyle::Forecast(n), forecast));
    }
    let window = FIRST_FORECAST..MONTHS;
    let last_year = window.clone().map(|index| (month(index), passengers(index - 12)));
    let last_value = window.map(|index| (month(index), passengers(FIRST_FORECAST - 1)));
    lines.push(Line::new("last year", LineStyle::Baseline(0), last_year));
    lines.push(Line::new("last value", LineStyle::Baseline(1), last_value));
    LineChart {
        title: title.into(),
        y_label: "passengers per month, thousands".into(),
        lines,
        x_axis: XAxis::Time,
        shade: Some(Shade {
            from: month(FIRST_FORECAST),
            to: month(MONTHS - 1),
            label: "hidden from the models".into(),
        }),
        caption: "Monthly passengers and forecasts of 1960, made at the end of 1959. \
                  Dashed lines are the baselines: the same month of last year, and the last value."
            .into(),
        ..LineChart::default()
    }
    .into()
}

fn scores() -> Table {
    let columns = [
        Column::text("model"),
        Column::number("MAE", "thousands"),
        Column::number("sMAPE", "%"),
        Column::number("MASE", ""),
        Column::number("parameters", ""),
        Column::number("training", "s"),
    ];
    Table::new(columns)
        .title("Accuracy on the hidden year")
        .row(RowKind::Best, ["TSMixer", "15.3", "3.11", "0.52", "18,912", "4.1"])
        .row(RowKind::Plain, ["N-HiTS", "18.9", "3.84", "0.64", "41,236", "6.8"])
        .row(RowKind::Plain, ["linear", "22.7", "4.60", "0.77", "444", "0.6"])
        .row(RowKind::Plain, ["GRU", "36.4", "7.52", "1.23", "12,801", "19.4"])
        .row(RowKind::Baseline, ["last year", "47.8", "10.52", "1.62", "–", "–"])
        .row(RowKind::Baseline, ["last value", "76.0", "14.25", "2.57", "–", "–"])
        .caption(
            "MAE: mean absolute error. sMAPE: symmetric mean absolute percentage error. \
             MASE: error relative to repeating the same month of last year within the training years; below 1 is better.",
        )
}

fn losses() -> Block {
    let panel = |(n, name): (usize, &str)| {
        let floor = [0.011, 0.014, 0.03, 0.05][n];
        let curve = |end: f64, jitter: f64, seed: i32| {
            (0..=60).map(move |step| {
                let decay = (-f64::from(step) / 9.0).exp();
                let value = end + 0.9 * decay + jitter * end * noise(step * 3 + seed);
                (f64::from(step) * 50.0, value)
            })
        };
        LineChart {
            title: name.into(),
            x_label: "step".into(),
            y_label: "mean squared error".into(),
            lines: vec![
                Line::new("training", LineStyle::Curve(0), curve(floor, 0.18, n as i32)),
                Line::new("validation", LineStyle::Curve(1), curve(floor * 1.6, 0.1, 50 + n as i32)),
            ],
            log_y: true,
            ..LineChart::default()
        }
    };
    ChartGrid {
        title: "Loss while training".into(),
        charts: MODELS.into_iter().enumerate().map(panel).collect(),
        caption: "All four share one axis. Training stops when validation has not improved for 500 steps."
            .into(),
        ..ChartGrid::default()
    }
    .into()
}

fn speed() -> Block {
    BarChart {
        title: "Where the speed comes from".into(),
        unit: "×".into(),
        bars: vec![
            Bar::new("plain loops", 1.0, RowKind::Baseline),
            Bar::new("inputs transposed first", 0.84, RowKind::Plain),
            Bar::new("blocked for the cache", 3.1, RowKind::Plain),
            Bar::new("vector instructions", 14.6, RowKind::Plain),
            Bar::new("no allocation per step", 17.2, RowKind::Plain),
            Bar::new("four threads", 52.0, RowKind::Best),
        ],
        origin: 1.0,
        log: true,
        caption: "Training steps per second relative to plain loops; lengths are on a log scale.".into(),
    }
    .into()
}

fn setting() -> Vec<Block> {
    vec![
        Block::paragraph(
            "Every model saw the same eleven years, was chosen by its error on 1959, and was then judged once on 1960.",
        ),
        Block::key_values(
            "Configuration",
            [
                ("lookback", "36 months"),
                ("horizon", "12 months"),
                ("optimiser", "AdamW, 0.001"),
                ("batch", "32 windows"),
                ("steps", "3,000"),
                ("seed", "7"),
            ],
        ),
        Block::key_values(
            "Machine",
            [("processor", "4 cores, AVX-512"), ("memory", "16 GiB"), ("threads", "4"), ("time", "31 s")],
        ),
        Block::code(
            "How to reproduce",
            "bessemer forecast train passengers.csv --models all --lookback 36 --horizon 12 --seed 7\n\
             bessemer forecast report runs/passengers --out report.html",
        ),
        Block::note("Times are the median of five runs after one run to warm up."),
        Block::warning(
            "One year of one series is a small test: differences of a few percent are within its noise.",
        ),
    ]
}
