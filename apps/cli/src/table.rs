//! Scores as a table in the terminal.

use bessemer::forecast::Score;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use crate::number;
use crate::results::{RankBy, Results};

/// A rule below the header and none elsewhere.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─'));

/// The names of the columns, the first of which holds words.
fn header(by: RankBy) -> Vec<&'static str> {
    match by {
        RankBy::Mae => vec!["model", "MAE", "sMAPE, %", "MASE", "fit", "predict", "parameters"],
        RankBy::Mse => vec!["model", "MSE", "MAE", "MASE", "fit", "predict", "parameters"],
    }
}

/// The cells of a row, as text.
pub fn cells(score: &Score, by: RankBy) -> Vec<String> {
    let mase = score.mase.map_or("n/a".into(), |mase| format!("{mase:.3}"));
    let errors = match by {
        RankBy::Mae => [number::digits(score.mae), format!("{:.2}", score.smape)],
        RankBy::Mse => [format!("{:.4}", score.mse), format!("{:.4}", score.mae)],
    };
    let trained = |text: String| if score.baseline { "-".to_string() } else { text };
    let mut cells = vec![score.name.clone()];
    cells.extend(errors);
    cells.push(mase);
    cells.push(trained(number::seconds(score.seconds_fit)));
    cells.push(number::seconds(score.seconds_predict));
    cells.push(trained(number::count(score.parameters)));
    cells
}

/// A table whose first column holds words and whose others hold numbers.
pub fn plain<R: IntoIterator<Item = String>>(header: Vec<&str>, rows: impl IntoIterator<Item = R>) -> Table {
    words(header, 1, rows)
}

/// A table whose first `words` columns hold words and whose others hold numbers.
pub fn words<R: IntoIterator<Item = String>>(
    header: Vec<&str>,
    words: usize,
    rows: impl IntoIterator<Item = R>,
) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for row in rows {
        table.add_row(row.into_iter().collect::<Vec<String>>());
    }
    for column in table.column_iter_mut().skip(words) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The table, best first, with a line below that says what it shows. `unit` is that of the data.
pub fn render(results: &Results, by: RankBy, unit: &str) -> String {
    let rows = results.models.iter().map(|score| {
        let mut cells = cells(score, by);
        if score.baseline {
            cells[0].push_str(" (baseline)");
        }
        cells
    });
    let table = plain(header(by), rows);
    let errors = match by {
        RankBy::Mae => format!("MAE is in {unit}"),
        RankBy::Mse => "errors are those of standardised values".into(),
    };
    format!(
        "{table}\n{}, {} ahead from {} back; {errors}.\n",
        number::counted(results.windows, "test window"),
        number::counted(results.horizon, "step"),
        results.lookback,
    )
}
