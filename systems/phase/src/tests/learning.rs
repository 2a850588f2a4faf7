use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bessemer_kernels::pool::Pool;
use bessemer_phase_reader::{Needs, Problem, Scan, classify, parse, propagate};
use bessemer_train::data::Split;

use super::{drawn, held, memory, random, small};
use crate::adapter::Adapter;
use crate::classifier::{Classifier, samples};
use crate::codes::Codes;
use crate::data::{Columns, Table};
use crate::graph::Graph;
use crate::network::Network;
use crate::options::{Credit, FitOptions};
use crate::samples::Samples;
use crate::schedule::Schedule;
use crate::settings::Settings;
use crate::ways::Ways;

/// Points around six corners of a cube, not all of which a plane can set apart.
pub(super) fn table() -> Table {
    let noise = drawn(7, 300 * 4, 100);
    let corner = |i: usize, axis: usize| f32::from(u8::from(((i % 6) >> axis) & 1 == 1));
    Table {
        columns: Columns { features: (0..4).map(|i| i.to_string()).collect(), ..Columns::default() },
        values: (0..300 * 4).map(|at| corner(at / 4, at % 4) + f32::from(noise[at]) / 250.0).collect(),
        classes: (0..3).map(|i| i.to_string()).collect(),
        labels: (0..300).map(|i| [0, 1, 1, 2, 0, 2][i % 6]).collect(),
        is_image: false,
    }
}

pub(super) fn fitted(options: &FitOptions, threads: usize) -> Classifier {
    let settings = Settings { inputs: 12, intermediate: 12, outputs: 10, ..Settings::default() };
    fitted_as(&settings, options, threads)
}

pub(super) fn fitted_as(settings: &Settings, options: &FitOptions, threads: usize) -> Classifier {
    let table = table();
    let split = Split::by_fraction(table.len(), 0.2, 0.2, 5).unwrap();
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    Classifier::fit(&table, &split, settings, options, &Pool::new(threads), go_on).unwrap().0
}

fn accuracy(classifier: &Classifier) -> f64 {
    let table = table();
    let split = Split::by_fraction(table.len(), 0.2, 0.2, 5).unwrap();
    classifier.classify(&table, &split.test, &Pool::new(1)).unwrap().1.accuracy()
}

/// Chance is a third.
#[test]
fn it_learns_what_it_has_not_seen() {
    let options = FitOptions { epochs: 25, batch: 8, ..FitOptions::default() };
    let found = accuracy(&fitted(&options, 2));
    assert!(found > 0.9, "{found}");
    let untrained = FitOptions { rate_nodes: 0.0, rate_adapter: 0.0, epochs: 1, ..options };
    assert!(accuracy(&fitted(&untrained, 2)) < 0.7);
}

/// Four layers and six steps: the settings are those of a flat graph, the ways are not.
#[test]
fn a_deep_graph_learns_at_the_same_settings() {
    let settings = Settings {
        inputs: 12,
        intermediate: 60,
        outputs: 10,
        layers: 4,
        steps_min: 6,
        radiation: 0,
        ..Settings::default()
    };
    let ways = Ways::at_rest(&settings, 42);
    assert!(ways.from_inputs > 50.0, "{ways:?}");
    let options = FitOptions { epochs: 25, batch: 8, ..FitOptions::default() };
    let found = accuracy(&fitted_as(&settings, &options, 2));
    assert!(found > 0.9, "{found}");
}

/// Whatever the graph: indices of a wide circle, so that their rounding counts for little. The median,
/// as a message that comes and goes turns an output by any angle; ways differ from output to output, which a
/// factor of 1.5 allows for.
#[test]
fn outputs_swing_as_asked() {
    let levels: Vec<u8> = drawn(5, 100 * 40, 256).into_iter().map(|level| level as u8).collect();
    let samples = Samples { features: 40, levels, labels: vec![0; 100] };
    let rows: Vec<usize> = (0..100).collect();
    for (layers, steps_min) in [(1, 1), (4, 5)] {
        let settings =
            Settings { layers, steps_min, phases: 16_384, inputs: 100, radiation: 0, ..Settings::default() };
        let swing = 0.006 / Ways::at_rest(&settings, 3).from_inputs as f32;
        let adapter = Adapter::random(&settings, &samples, &rows, swing, 3);
        let (graph, first) = (Graph::random(&settings, 3), Network::first_indices(&settings, 3));
        let codes = Codes::cross_polytope(2, 5, 16_384, 3);
        let network = Network::assemble(settings.clone(), graph, first, adapter, codes, 0);
        let mut memory = memory(&network);
        let (view, mut first) = (network.view(), vec![0; network.shape.rows()]);
        // By output and dimension.
        let mut turned: BTreeMap<(u16, usize), Vec<f64>> = BTreeMap::new();
        for row in rows.iter() {
            bessemer_phase_reader::adapt(&view, samples.sample(*row), &mut first);
            let mut state = memory.state();
            let spread = propagate(&view, &first, &mut state, &mut Scan, &mut ());
            for (node, _, indices) in held(&state, spread.active, 5) {
                for d in (0..5).filter(|_| view.is_output(node as usize)) {
                    turned.entry((node, d)).or_default().push(f64::from(indices[d]));
                }
            }
        }
        let mut swings: Vec<f64> = turned
            .values()
            .map(|held| {
                let by = |index: f64| ((index - held[0] + 8192.0).rem_euclid(16_384.0) - 8192.0) / 16_384.0;
                let mean = held.iter().map(|index| by(*index)).sum::<f64>() / held.len() as f64;
                let squares = held.iter().map(|index| (by(*index) - mean).powi(2)).sum::<f64>();
                (squares / held.len() as f64).sqrt()
            })
            .collect();
        assert!(swings.len() > 50);
        swings.sort_by(f64::total_cmp);
        let found = swings[swings.len() / 2];
        assert!((0.004..0.009).contains(&found), "{found} with {layers} layers");
    }
}

#[test]
fn thresholds_go_their_way() {
    let still = FitOptions { epochs: 1, rate_adapter: 0.0, threshold: 100.0, batch: 8, ..Default::default() };
    let begun = fitted(&FitOptions { rate_nodes: 0.0, ..still.clone() }, 1).network.phase.to_vec();
    // The end makes no difference to one that stays as it is, nor the way to one that ends where it begins.
    assert_eq!(fitted(&still, 1).network.phase[..], begun);
    let falling = |threshold_schedule| FitOptions { threshold_schedule, ..still.clone() };
    let level = FitOptions { threshold: 1.0, ..still.clone() };
    let moved = fitted(&level, 1).network.phase.to_vec();
    for schedule in [Schedule::Linear, Schedule::Cosine] {
        assert_ne!(fitted(&falling(schedule), 1).network.phase[..], begun);
        let level = FitOptions { threshold_schedule: schedule, ..level.clone() };
        assert_eq!(fitted(&level, 1).network.phase[..], moved);
    }
}

#[test]
fn threads_change_no_bit() {
    let options = FitOptions { epochs: 2, accumulate: 2, rate_codes: 1.0, ..FitOptions::default() };
    for credit in [Credit::Chain, Credit::Local] {
        let options = FitOptions { credit, ..options.clone() };
        let one = fitted(&options, 1).export();
        assert_ne!(one, fitted(&FitOptions { seed: 1, ..options.clone() }, 1).export());
        for threads in [2, 3] {
            assert_eq!(fitted(&options, threads).export(), one);
        }
        // What radiation remembers makes no difference either.
        assert_eq!(fitted(&FitOptions { cache: 50, ..options }, 2).export(), one);
    }
}

#[test]
fn only_what_has_a_rate_moves() {
    let none = FitOptions { epochs: 1, rate_nodes: 0.0, rate_adapter: 0.0, ..FitOptions::default() };
    let before = fitted(&none, 1).network;
    for (nodes, adapter, codes) in [(30.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 9.0)] {
        let options =
            FitOptions { rate_nodes: nodes, rate_adapter: adapter, rate_codes: codes, ..none.clone() };
        let after = fitted(&options, 1).network;
        assert_eq!(after.phase[..] != before.phase[..], nodes > 0.0);
        assert_eq!(after.adapter != before.adapter, adapter > 0.0);
        assert_eq!(after.codes != before.codes, codes > 0.0);
        assert_eq!(after.graph, before.graph);
    }
}

/// Answers of the reader, one sample at a time.
fn read_answers(file: &[u8], classifier: &Classifier, table: &Table) -> Vec<usize> {
    let model = parse(file).unwrap();
    let needs = Needs::of(&model.shape);
    // Whatever was in the memory before makes no difference.
    let (mut indices, mut strengths) = (vec![-7; needs.indices], vec![9; needs.strengths]);
    let mut lists = vec![8; needs.lists];
    let samples = samples(table, &classifier.scaler);
    let answer = |row| classify(&model, samples.sample(row), &mut indices, &mut strengths, &mut lists).0;
    (0..table.len()).map(answer).collect()
}

#[test]
fn saved_and_exported_it_answers_the_same() {
    let classifier = fitted(&FitOptions { epochs: 3, rate_codes: 1.0, ..FitOptions::default() }, 2);
    let table = table();
    let rows: Vec<usize> = (0..table.len()).collect();
    let answers = classifier.classify(&table, &rows, &Pool::new(2)).unwrap().0;
    assert_eq!(read_answers(&classifier.export(), &classifier, &table), answers);

    let folder = tempfile::tempdir().unwrap();
    classifier.save(folder.path()).unwrap();
    let loaded = Classifier::load(folder.path()).unwrap();
    assert_eq!(loaded.export(), classifier.export());
    assert_eq!(loaded.classify(&table, &rows, &Pool::new(1)).unwrap().0, answers);

    assert_eq!((&loaded.columns, &loaded.classes), (&classifier.columns, &classifier.classes));

    // Without labels it says the same.
    let unlabelled = Table { labels: Vec::new(), classes: Vec::new(), ..table.clone() };
    for threads in [1, 2] {
        let said = classifier.predict(&unlabelled, &Pool::new(threads)).unwrap();
        assert_eq!(said.iter().map(|said| said.class).collect::<Vec<_>>(), answers);
        assert_eq!(classifier.predict(&table, &Pool::new(1)).unwrap(), said);
        for (row, said) in said.iter().enumerate().take(20) {
            let logits = classifier.explain(table.row(row)).unwrap().logits;
            let all: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
            let expected = (!logits.is_empty()).then(|| f64::from(logits[said.class]).exp() / all);
            let apart = expected.zip(said.probability).map(|(a, b)| (a - f64::from(b)).abs());
            assert!(apart.is_none_or(|apart| apart < 1e-5), "{expected:?} {said:?}");
            assert_eq!(expected.is_none(), said.probability.is_none());
        }
    }

    let graph = folder.path().join("graph.phase");
    let mut bytes = std::fs::read(&graph).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&graph, bytes).unwrap();
    let said = Classifier::load(folder.path()).unwrap_err().to_string();
    assert!(said.contains("not the graph that model.toml was written for"), "{said}");
}

/// Folders of earlier versions say neither what the label is called nor whether features have names.
#[test]
fn folders_without_the_label_are_read() {
    let mut classifier = fitted(&FitOptions { epochs: 1, ..FitOptions::default() }, 1);
    let folder = tempfile::tempdir().unwrap();
    for (features, label, named) in [
        (["x", "y", "z", "4"], Some("kind"), true),
        (["1", "2", "3", "5"], Some("4"), false),
        (["0,0", "0,1", "1,0", "1,1"], None, false),
    ] {
        let features = features.map(String::from).to_vec();
        classifier.columns = Columns { features, label: label.map(String::from), named };
        classifier.save(folder.path()).unwrap();
        assert_eq!(Classifier::load(folder.path()).unwrap().columns, classifier.columns);
        let path = folder.path().join("model.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let is_new = |line: &&str| line.starts_with("label = ") || line.starts_with("named = ");
        assert_eq!(text.lines().filter(is_new).count(), 1 + usize::from(label.is_some()));
        let old: Vec<&str> = text.lines().filter(|line| !is_new(line)).collect();
        std::fs::write(&path, old.join("\n")).unwrap();
        let expected = Columns { label: None, ..classifier.columns.clone() };
        assert_eq!(Classifier::load(folder.path()).unwrap().columns, expected);
    }
}

/// Damaged at any place, a file is refused, or it can be run.
#[test]
fn damaged_files_do_no_harm() {
    let network = random(2, &small());
    let mut bytes = Vec::new();
    network.view().write(|piece| bytes.extend_from_slice(piece));
    assert_eq!(parse(&bytes[..40]).unwrap_err(), Problem::NoGraph);
    assert_eq!(
        parse(&bytes[..bytes.len() - 1]).unwrap_err(),
        Problem::Length { needed: bytes.len() as u64, held: bytes.len() as u64 - 1 }
    );
    let mut ran = 0;
    for (place, by) in (0..bytes.len()).flat_map(|place| [(place, 0x80u8), (place, 0x01)]) {
        let mut damaged = bytes.clone();
        damaged[place] ^= by;
        let Ok(model) = parse(&damaged) else { continue };
        if model.shape.steps_max > 1000 {
            continue;
        }
        let needs = Needs::of(&model.shape);
        let (mut indices, mut strengths) = (vec![0; needs.indices], vec![0; needs.strengths]);
        let levels = vec![200; model.shape.features];
        let class = classify(&model, &levels, &mut indices, &mut strengths, &mut vec![0; needs.lists]).0;
        assert!(class < model.shape.classes);
        ran += 1;
    }
    assert!(ran > 100);
}

#[test]
fn an_explanation_is_of_the_answer() {
    let classifier = fitted(&FitOptions { epochs: 3, ..FitOptions::default() }, 1);
    let table = table();
    let answers = classifier.classify(&table, &[0, 1, 2, 3], &Pool::new(1)).unwrap().0;
    for (row, class) in answers.into_iter().enumerate() {
        let explanation = classifier.explain(table.row(row)).unwrap();
        assert_eq!(explanation.class, class);
        let most = explanation.logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(explanation.logits[class], most);
        assert_eq!(explanation.saliency.len(), 4);
        // The way leads from inputs to outputs.
        let (first, last) = (explanation.messages.first().unwrap(), explanation.messages.last().unwrap());
        assert_eq!(first.0, 1);
        assert!(usize::from(first.1.source) < 12 && explanation.outputs.contains(&last.1.target));
        let svg = explanation.svg(&classifier.network, 40, "what <is> it & why\u{1}");
        assert!(
            svg.ends_with("</svg>\n") && svg.contains(">what &lt;is&gt; it &amp; why\u{fffd}</text>"),
            "{svg}"
        );
        assert_eq!(svg.matches("<path ").count(), 40.min(explanation.messages.len()));
        for part in [">edge<", ">radiation<", ">output that answered<", "background: white"] {
            assert!(svg.contains(part), "no {part} in the drawing");
        }
        let none = explanation.svg(&classifier.network, 0, "");
        assert!(none.ends_with("</svg>\n") && !none.contains("<path "));
    }
    assert!(
        classifier
            .explain(&[1.0])
            .unwrap_err()
            .to_string()
            .contains("1 values, but the model has 4 features")
    );
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let said = |settings: Settings| settings.check().unwrap_err().to_string();
    let usual = Settings::default;
    insta::assert_snapshot!(
        [
            said(Settings { inputs: 0, ..usual() }),
            said(Settings { intermediate: 70_000, ..usual() }),
            said(Settings { cardinality: 65, ..usual() }),
            said(Settings { phases: 4094, ..usual() }),
            said(Settings { decay: f64::NAN, ..usual() }),
            said(Settings { steps_min: 50, ..usual() }),
            FitOptions { batch: 60_000, ..FitOptions::default() }
                .check(&Settings { intermediate: 60_000, ..usual() })
                .unwrap_err()
                .to_string(),
            FitOptions { cache: 1 << 23, ..FitOptions::default() }.check(&usual()).unwrap_err().to_string(),
            FitOptions { pattern_width: 0, ..FitOptions::default() }.check(&usual()).unwrap_err().to_string(),
            FitOptions { hnsw_m: 1, ..FitOptions::default() }.check(&usual()).unwrap_err().to_string(),
            FitOptions { hnsw_ef: 5000, ..FitOptions::default() }.check(&usual()).unwrap_err().to_string(),
            FitOptions { cache_candidates: 60_000, ..FitOptions::default() }
                .check(&Settings { intermediate: 60_000, ..usual() })
                .unwrap_err()
                .to_string(),
            FitOptions { batch: 0, ..FitOptions::default() }.check(&usual()).unwrap_err().to_string(),
            FitOptions { threshold_end: 0.0, ..FitOptions::default() }
                .check(&usual())
                .unwrap_err()
                .to_string(),
            FitOptions { temperature: 0.0, ..FitOptions::default() }.check(&usual()).unwrap_err().to_string(),
        ]
        .join("\n")
    );
}
