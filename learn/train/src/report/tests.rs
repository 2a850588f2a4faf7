//! Whole reports: what every page must and must not hold.

use super::*;

/// A small report with one of everything.
fn sample() -> Report {
    let actual = (0..6).map(|month| (date_seconds(1960, 1 + month, 1), 400.0 + 10.0 * f64::from(month)));
    let forecast = (3..6).map(|month| (date_seconds(1960, 1 + month, 1), 405.0 + 11.0 * f64::from(month)));
    let line_chart = LineChart {
        title: "Passengers".into(),
        y_label: "thousands".into(),
        lines: vec![
            Line::new("actual", LineStyle::Actual, actual),
            Line::new("linear", LineStyle::Forecast(0), forecast),
        ],
        x_axis: XAxis::Time,
        shade: Some(Shade {
            from: date_seconds(1960, 4, 1),
            to: date_seconds(1960, 6, 1),
            label: "forecast".into(),
        }),
        caption: "The last three months were hidden from the model.".into(),
        ..LineChart::default()
    };
    let table = Table::new([Column::text("model"), Column::number("error", "thousands")])
        .row(RowKind::Best, ["linear", "4.0"])
        .row(RowKind::Baseline, ["last value", "21.0"]);
    let bars = BarChart {
        title: "Speed".into(),
        unit: "×".into(),
        bars: vec![
            Bar::new("plain loop", 1.0, RowKind::Baseline),
            Bar::new("transposed", 0.8, RowKind::Plain),
            Bar::new("blocked", 6.5, RowKind::Best),
        ],
        origin: 1.0,
        log: true,
        ..BarChart::default()
    };
    let grid = ChartGrid { charts: vec![line_chart.clone(), line_chart.clone()], ..ChartGrid::default() };
    Report::new("Passengers & planes")
        .subtitle("A year ahead")
        .section("Result", [Block::from(line_chart), table.into(), bars.into(), grid.into()])
        .section(
            "Setting",
            [
                Block::paragraph("One.\n\nTwo."),
                Block::key_values("Machine", [("cores", "4")]),
                Block::code("How to reproduce", "bessemer forecast passengers.csv"),
                Block::note("All times are UTC."),
                Block::warning("One month is missing."),
            ],
        )
        .footer("bessemer 0.1.0")
}

fn one_chart(chart: LineChart) -> String {
    Report::new("chart").section("", [chart]).render()
}

#[test]
fn a_page_needs_nothing_but_itself() {
    let page = sample().render();
    for forbidden in ["http", "<script", "<link", "<img", "@import", "url(", "javascript", " style="] {
        assert!(!page.contains(forbidden), "found `{forbidden}`");
    }
    for required in
        ["<!DOCTYPE html>", "name=\"viewport\"", "prefers-color-scheme", "viewBox", "@media print"]
    {
        assert!(page.contains(required), "missing `{required}`");
    }
    assert!(!page.contains("NaN") && !page.contains("inf\""), "a coordinate is not a number");
}

#[test]
fn a_page_opens_and_closes_every_element() {
    let page = sample().render();
    for element in ["section", "figure", "svg", "g", "text", "title", "table", "tr", "td", "aside", "dl"] {
        let opened =
            page.matches(&format!("<{element}>")).count() + page.matches(&format!("<{element} ")).count();
        assert!(opened > 0, "no <{element}>");
        assert_eq!(opened, page.matches(&format!("</{element}>")).count(), "<{element}>");
    }
}

#[test]
fn a_mean_shows_what_it_is_the_mean_of() {
    let bars = BarChart {
        bars: vec![
            Bar::new("a", 2.0, RowKind::Best).over(vec![1.0, 3.0, f64::NAN], Some(1.25)),
            Bar::new("b", 1.0, RowKind::Plain),
        ],
        ..BarChart::default()
    };
    let page = Report::new("bars").section("", [bars]).render();
    // Wide and narrow, and nothing for what is no number.
    assert_eq!(page.matches("class=\"part\"").count(), 4);
    assert!(page.contains(">2 ± 1.25<") && page.contains(">1<") && !page.contains("NaN"));
}

#[test]
fn dots_are_joined_by_nothing_and_stand_at_their_factors() {
    let points = [(1e-4, 3.0), (1e-2, 1.0), (1e-3, 2.0), (0.0, 9.0)];
    let chart = LineChart {
        lines: vec![Line::new("trial", LineStyle::Points(0), points)],
        log_x: true,
        ..LineChart::default()
    };
    let page = one_chart(chart);
    let narrow = &page[page.find("plot narrow").unwrap()..];
    let dots: Vec<f64> = narrow
        .split("<circle class=\"dot\" cx=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
        .collect();
    assert!(!narrow.contains("class=\"line\""), "no line");
    // What isn't positive has no place, and equal factors are equally far apart.
    assert!(dots.len() == 3 && (dots[0] + dots[1] - 2.0 * dots[2]).abs() < 0.3, "{dots:?}");
    for label in ["0.0001", "0.001", "0.01"] {
        assert!(narrow.contains(&format!(">{label}<")), "{label}");
    }
}

#[test]
fn rendering_is_deterministic() {
    assert_eq!(sample().render(), sample().render());
}

#[test]
fn text_from_outside_is_escaped_everywhere() {
    let evil = "<script>alert('\"&')</script>";
    let chart = LineChart {
        title: evil.into(),
        x_label: evil.into(),
        y_label: evil.into(),
        lines: vec![
            Line::new(evil, LineStyle::Actual, [(0.0, 1.0), (1.0, 2.0)]),
            Line::new("b", LineStyle::Curve(0), [(0.0, 1.0), (1.0, 2.0)]),
        ],
        x_axis: XAxis::Labels(vec![(0.0, evil.into())]),
        shade: Some(Shade { from: 0.0, to: 1.0, label: evil.into() }),
        caption: evil.into(),
        ..LineChart::default()
    };
    let bars = BarChart {
        title: evil.into(),
        unit: evil.into(),
        bars: vec![Bar::new(evil, 1.0, RowKind::Best)],
        ..BarChart::default()
    };
    let table =
        Table::new([Column::number(evil, evil)]).title(evil).caption(evil).row(RowKind::Plain, [evil]);
    let blocks = [
        chart.into(),
        bars.into(),
        table.into(),
        Block::paragraph(evil),
        Block::key_values(evil, [(evil, evil)]),
        Block::code(evil, evil),
        Block::note(evil),
    ];
    let page = Report::new(evil).subtitle(evil).footer(evil).section(evil, blocks).render();
    assert!(!page.contains("<script"));
    assert!(!page.contains("'\"&'"));
    assert!(page.contains("&lt;script&gt;"));
}

#[test]
fn missing_values_leave_gaps() {
    let points =
        [(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 2.0), (4.0, 1.0), (5.0, f64::INFINITY), (6.0, 1.5)];
    let page = one_chart(LineChart {
        lines: vec![Line::new("a", LineStyle::Actual, points)],
        ..LineChart::default()
    });
    let path = page.split("class=\"line\" d=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("");
    assert_eq!(path.matches('M').count(), 2, "two runs of two points: {path}");
    assert!(page.contains("class=\"dot\""), "a point between gaps is drawn as a dot");
}

#[test]
fn strange_numbers_still_give_a_chart() {
    let cases: [(&str, Vec<(f64, f64)>); 7] = [
        ("nothing", vec![]),
        ("only gaps", vec![(f64::NAN, 1.0), (1.0, f64::NAN)]),
        ("one point", vec![(5.0, 5.0)]),
        ("constant", vec![(0.0, 0.0), (1.0, 0.0)]),
        ("huge", vec![(0.0, -1e299), (1.0, 1e299), (2.0, f64::MAX)]),
        ("tiny", vec![(0.0, 5e-324), (1.0, 1e-310)]),
        ("close", vec![(1e16, 1.0), (1e16 + 2.0, 1.0 + f64::EPSILON)]),
    ];
    for (name, points) in cases {
        for log_y in [false, true] {
            for x_axis in [XAxis::Number, XAxis::Time, XAxis::Format(|x| format!("{x:.1}"))] {
                let lines = vec![Line::new(name, LineStyle::Curve(9), points.clone())];
                let page = one_chart(LineChart { lines, log_y, x_axis, ..LineChart::default() });
                assert!(!page.contains("NaN") && !page.contains("inf\""), "{name}, log {log_y}");
            }
        }
    }
    for value in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e-300] {
        for log in [false, true] {
            let bars = vec![Bar::new("a", value, RowKind::Plain), Bar::new("b", 2.0, RowKind::Best)];
            let page = Report::new("")
                .section("", [BarChart { bars, log, origin: 1.0, ..BarChart::default() }])
                .render();
            assert!(!page.contains("NaN") && !page.contains("inf\""), "{value}, log {log}");
        }
    }
}

#[test]
fn long_series_give_small_pages() {
    let points = (0..500_000).map(|i| (f64::from(i), f64::from(i).sin()));
    let page = one_chart(LineChart {
        lines: vec![Line::new("a", LineStyle::Actual, points)],
        ..LineChart::default()
    });
    assert!(page.len() < 150_000, "{} bytes", page.len());
}

#[test]
fn lines_that_end_early_are_named_in_the_legend() {
    let chart = |until: f64| LineChart {
        lines: vec![
            Line::new("a", LineStyle::Actual, [(0.0, 1.0), (until, 2.0)]),
            Line::new("b", LineStyle::Forecast(0), [(5.0, 1.0), (10.0, 2.0)]),
        ],
        ..LineChart::default()
    };
    assert!(one_chart(chart(10.0)).contains("class=\"chart labelled\""));
    assert!(!one_chart(chart(5.0)).contains("class=\"chart labelled\""));
}

#[test]
fn values_behind_a_curve_are_drawn_first_and_not_in_the_legend() {
    let page = one_chart(LineChart {
        lines: vec![
            Line::new("training", LineStyle::Curve(0), [(0.0, 1.0), (10.0, 1.0)]),
            Line::new("each batch", LineStyle::Faint(0), [(0.0, 1.5), (10.0, 0.5)]),
            Line::new("validation", LineStyle::Actual, [(0.0, 1.1), (10.0, 1.1)]),
        ],
        ..LineChart::default()
    });
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
    assert!(place("<title>each batch</title>") < place("<title>training</title>"));
    // Its name is in the drawing's description and that title, but neither beside a swatch nor at the line's end.
    assert!(!page.contains("</svg>each batch") && !page.contains(">each batch</text>"));
    assert!(page.contains("</svg>training") && page.contains(">training</text>"));
}

#[test]
fn a_loss_is_drawn_to_the_left_of_the_origin() {
    let page = sample().render();
    let loss = page.split("bar  loss").nth(1).unwrap_or("");
    let value = loss.split("class=\"value\"").nth(1).unwrap_or("");
    assert!(value.split('>').next().is_some_and(|tag| tag.contains("text-anchor=\"end\"")), "{value:.100}");
    assert!(value.split('>').nth(1).is_some_and(|text| text.starts_with("0.8×")), "{value:.100}");
}

#[test]
fn writing_replaces_the_old_page_and_leaves_no_draft() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    std::fs::write(&path, "old").unwrap();
    sample().write(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), sample().render());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_page_that_cannot_be_written_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let missing = sample().write(folder.path().join("no").join("report.html")).unwrap_err();
    assert!(missing.to_string().contains("report.html"), "{missing}");
    let occupied = folder.path().join("occupied");
    std::fs::create_dir(&occupied).unwrap();
    std::fs::write(occupied.join("file"), "").unwrap();
    assert!(sample().write(&occupied).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the draft was removed");
    assert!(sample().write("/").is_err());
}

#[test]
fn a_small_page_looks_like_this() {
    let chart = LineChart {
        title: "Loss".into(),
        x_label: "step".into(),
        lines: vec![Line::new("training", LineStyle::Curve(0), [(0.0, 1.0), (1.0, 0.5), (2.0, 0.25)])],
        ..LineChart::default()
    };
    let table = Table::new([Column::text("model"), Column::number("error", "kW")])
        .row(RowKind::Best, ["linear", "1.25"])
        .row(RowKind::Baseline, ["last value", "2.50"]);
    let page = Report::new("Load").section("Result", [Block::from(table), chart.into()]).render();
    let body = page.split_once("<body>").map_or("", |(_, body)| body);
    let wide_only = body.split("<svg class=\"plot narrow\"").next().unwrap_or("");
    insta::assert_snapshot!(wide_only.replace("></", "> </").replace("><", ">\n<").replace("> </", "></"));
}
