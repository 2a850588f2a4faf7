//! Everything that is refused: where, what and what to do about it, in one line.

use crate::place::{Place, date};

/// Days of one series, with what is to be wrong with them.
fn days(count: usize, value: impl Fn(usize) -> String) -> String {
    let rows: String = (0..count).map(|day| format!("a,{},{}\n", date(day), value(day))).collect();
    format!("unique_id,ds,y\n{rows}")
}

#[test]
fn files() {
    let plain = days(60, |day| day.to_string());
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("not a table", (0..=255).collect(), "`bad.csv`: not a CSV file"),
        ("nothing", vec![], "`bad.csv`: there are no rows"),
        ("no times", b"shop,sold\nx,1\n".into(), "there is no time column"),
        ("no date", format!("{plain}a,soon,1\n").into(), "row 62, column `ds`: \"soon\" is not a date"),
        (
            "twice",
            format!("{plain}a,2024-01-09,1\n").into(),
            "2024-01-09 appears twice, in row 10 and row 62",
        ),
        ("infinite", days(60, |day| ["1", "inf"][usize::from(day == 3)].into()).into(), "row 5, column `y`"),
        ("ragged", format!("{plain}a,2024-03-01\n").into(), "row 62: 2 cells, but the header has 3"),
        ("short", days(20, |_| "1".into()).into(), "20 rows, but lookback 14 + horizon 7 needs at least 21"),
    ];
    let place = Place::new();
    for (what, content, message) in cases {
        place.write("bad.csv", content);
        println!("{what}");
        place.refuse("forecast fit bad.csv --horizon 7 --model nlinear --out model", message);
    }
    let fit = "forecast fit none.csv --horizon 7 --model nlinear --out model";
    place.refuse(fit, "`none.csv`: cannot open the file");
}

#[test]
fn arguments_of_fit() {
    let cases = [
        ("--horizon 0", "horizon is 0; it must be at least 1"),
        ("--horizon -1", "it must be a whole number, without a sign"),
        ("--horizon 7 --lookback 0", "lookback is 0; it must be at least 1"),
        ("--horizon 7 --lookback 54", "60 rows, but lookback 54 + horizon 7 needs at least 61"),
        ("--horizon 7 --threads 0", "--threads 0: it must be from 1 to 1024"),
        ("--horizon 7 --max-steps 0", "--max-steps 0: it must be at least 1"),
        ("--horizon 7 --max-steps 5 --epochs 2", "'--max-steps <N>' cannot be used with '--epochs <N>'"),
        ("--horizon 7 --learning-rate nan", "--learning-rate NaN: it must be a positive number"),
        ("--horizon 7 --learning-rate 1e30", "the loss is"),
        ("--horizon 7 --clip-norm -1", "--clip-norm -1: it must be a positive number"),
        ("--horizon 7 --patience 3", "there are no validation rows"),
        ("--horizon 7 --schedule plateau", "there are no validation rows"),
        ("--horizon 7 --seed 9223372036854775808", "it must be at most 9223372036854775807"),
        ("--horizon 7 --validation 1.5", "a fraction from 0 to 1"),
        ("--horizon 7 --validation 60", "holding out 60 rows for validation needs at least 61"),
        ("--horizon 7 --scaler standrad", "scaler \"standrad\" is not known"),
        ("--horizon 7 --schedule cosin", "a similar value exists: 'cosine'"),
        ("--horizon 7 --frequency fortnight", "frequency \"fortnight\" is not known"),
        ("--horizon 7 --frequency -1D", "frequency \"-1D\" is not known"),
        ("--horizon 7 --id-column shop", "there is no id column `shop`; the columns are `unique_id`"),
        ("--horizon 7 --set hiden=8", "--set hiden=8: mlp has no setting `hiden`; did you mean `hidden`?"),
        ("--horizon 7 --set hidden", "it must be setting=value, such as hidden=256"),
        ("--horizon 7 --set hidden=0", "hidden is 0, but layers need a width"),
        ("--horizon 7 --set hidden=1000000", "20 TB"),
        ("--horizon 7 --sed 1", "a similar argument exists: '--seed'"),
        ("", "required arguments were not provided: --horizon <STEPS>"),
    ];
    let place = Place::new();
    for (arguments, message) in cases {
        place.refuse(&format!("forecast fit series.csv --model mlp --out model {arguments}"), message);
    }
    let model = "forecast fit series.csv --horizon 7 --out model --model";
    place.refuse(&format!("{model} nlinaer"), "there is no model `nlinaer` (did you mean `nlinear`?)");
}

#[test]
fn arguments_of_backtest() {
    let cases = [
        ("--models mlp,nhit --horizon 7", "there is no model `nhit` (did you mean `nhits`?)"),
        ("--models mlp,mlp --horizon 7", "mlp is named twice"),
        ("--models mlp --horizon 0", "horizon is 0"),
        ("--models mlp --horizon 60", "holding out 0 rows for validation and 60 for test needs at least 61"),
        ("--models mlp --horizon 7 --test-rows 6", "with targets in rows 55 to 60"),
        ("--models mlp --horizon 7 --drop-last 0", "drop-last is 0; it must be at least 1"),
        ("--models mlp --horizon 7 --protocol ltsf", "lookback 336 + horizon 7"),
        ("--models mlp --horizon 7 --protocol ltsf --scaler robust", "every series is standardised"),
        ("--models mlp --horizon 7 --protocol ltsf --test-rows 9", "its own division of the rows"),
        ("--models mlp --horizon 7 --set nhits.hidden=8", "nhits is not among the models"),
    ];
    let place = Place::new();
    for (arguments, message) in cases {
        place.refuse(&format!("forecast backtest series.csv --json scores.json {arguments}"), message);
    }
}

#[test]
fn arguments_of_bench() {
    let cases = [
        ("--seconds -1", "--seconds -1: it must be more than 0"),
        ("--batch 0", "--batch 0: it must be from 1 to"),
        ("--lanes 0", "--lanes 0: it must be from 1 to the batch, 32"),
        ("--micro-batch 33", "--micro-batch 33: it must be from 1 to the batch, 32"),
    ];
    let place = Place::new();
    for (arguments, message) in cases {
        place.refuse(&format!("bench step --model mlp --json step.json {arguments}"), message);
    }
}

#[test]
fn places_that_cannot_be_written() {
    let place = Place::new();
    let cases = [
        ("forecast fit series.csv --horizon 7 --model mlp --out series.csv", "`series.csv` is a file"),
        ("forecast fit series.csv --horizon 7 --model mlp --out series.csv/model", "`series.csv` is a file"),
        (
            "forecast backtest series.csv --horizon 7 --models mlp --report series.csv",
            "it is the same file as the data",
        ),
        (
            "forecast backtest series.csv --horizon 7 --models mlp --report r.html --json ./r.html",
            "it is the same file as --report",
        ),
        (
            "forecast fit series.csv --horizon 7 --model mlp --out model --json no/x.json",
            "`no/x.json`: cannot",
        ),
        ("forecast backtest series.csv --horizon 7 --models mlp --report no/x.html", "`no/x.html`: cannot"),
        ("demo --report no/x.html", "`no/x.html`: cannot write the file"),
        ("demo --report .", "it is a folder"),
    ];
    for (arguments, message) in cases {
        place.refuse(arguments, message);
    }
    #[cfg(target_os = "linux")] // where not even root may create files there
    place.refuse(
        "forecast fit series.csv --horizon 7 --model mlp --out /proc/model",
        "cannot write the folder",
    );
}

#[test]
fn data_that_no_window_can_learn_from() {
    let place = Place::new();
    let day = |i: usize| format!("2024-{:02}-{:02}", 1 + i / 28, 1 + i % 28);
    let row = |i| format!("a,{},{}\n", day(i), if i % 20 == 0 { "1" } else { "" });
    let sparse: String = (0..28).map(row).collect();
    place.write("sparse.csv", format!("unique_id,ds,y\n{sparse}"));
    let fit = "forecast fit sparse.csv --model nlinear --horizon 3 --lookback 6 --out model";
    place.refuse(fit, "has both an observed lag and an observed target");
    let deep = "forecast fit series.csv --horizon 7 --model mlp --set layers=100000 --out model";
    place.refuse(deep, "layers is 100000, but at most 256");
    let wide = "forecast fit series.csv --horizon 7 --model patchtst --set width=4096 --batch-windows 1048576 --out model";
    place.refuse(wide, "take at least");
}

#[test]
fn an_instruction_set_that_is_not_there() {
    let place = Place::new();
    let mut command = place.command("demo");
    command.env("BESSEMER_ISA", "abacus");
    place.refuse_command(command, "BESSEMER_ISA=abacus: this machine has scalar, portable");
}
