//! Phase graphs, from samples to an exported file.

use crate::place::Place;

/// Two clouds of points, labelled.
fn points() -> String {
    let noise = |i: usize, by: usize| (i * by % 97) as f64 / 97.0;
    let row = |i: usize| {
        let kind = ["near", "far"][i % 2];
        format!("{},{kind},{}\n", noise(i, 37) + 1.5 * (i % 2) as f64, noise(i, 53) - (i % 2) as f64)
    };
    format!("x,kind,y\n{}", (0..480).map(row).collect::<String>())
}

const TRAIN: &str = "phase train points.csv --label kind --epochs 15 --set inputs=8 --set intermediate=8 \
                     --set outputs=8 --set batch=8 --quiet";

fn json(place: &Place, name: &str) -> serde_json::Value {
    serde_json::from_str(&place.read(name)).unwrap()
}

#[test]
fn a_graph_is_trained_scored_explained_and_exported() {
    let place = Place::new();
    place.write("points.csv", points());
    place.succeed(&format!("{TRAIN} --out model --json trained.json --threads 2"));
    let trained = json(&place, "trained.json");
    for score in ["test_accuracy", "validation_accuracy"] {
        assert!(trained[score].as_f64().unwrap() > 0.9, "{trained}");
    }
    assert!(trained["seconds"].as_f64().unwrap() > 0.0);
    assert!(trained["baselines"]["majority"]["test_accuracy"].as_f64().unwrap() < 0.8);
    assert_eq!(trained["baselines"].as_object().unwrap().len(), 4);

    place.succeed("phase evaluate model points.csv --label kind --json scored.json");
    assert!(json(&place, "scored.json")["accuracy"].as_f64().unwrap() > 0.9);
    let told = place.succeed("phase explain model points.csv --label kind --sample 2 --svg route.svg");
    assert!(told.contains("sample 2 is `far`, labelled `far`"), "{told}");
    assert!(place.read("route.svg").contains("</svg>"));
    place.succeed("phase export model --out points.phase --c-header points.h");
    assert_eq!(
        std::fs::read(place.path("points.phase")).unwrap(),
        std::fs::read(place.path("model/graph.phase")).unwrap()
    );
    assert!(place.read("points.h").contains("#define PHASE_GRAPH_CLASSES 2"));
}

#[test]
fn a_run_can_be_had_again_and_does_not_depend_on_threads() {
    let place = Place::new();
    place.write("points.csv", points());
    place.succeed(&format!("{TRAIN} --no-baselines --run first --threads 1"));
    place.succeed(&format!("{TRAIN} --no-baselines --no-run --out second --threads 3"));
    let bytes = |name: &str| std::fs::read(place.path(name)).unwrap();
    assert_eq!(bytes("first/model/graph.phase"), bytes("second/graph.phase"));
    assert!(place.read("first/run.toml").contains("test_accuracy"));
    let report = place.read("first/report.html");
    for part in ["Loss by epoch", "Samples right by epoch", "threshold_schedule"] {
        assert!(report.contains(part), "no {part} in the report");
    }
    let again = place.succeed("runs repeat first --to again");
    assert!(again.contains("model/graph.phase: the same bytes"), "{again}");
}

/// Of 480 samples, 48 validate.
#[test]
fn fewer_samples_may_validate_or_be_scored() {
    let place = Place::new();
    place.write("points.csv", points());
    for (most, number) in [(7, 7), (1000, 48)] {
        place.succeed(&format!(
            "{TRAIN} --no-baselines --out model --eval-samples {most} --json trained.json"
        ));
        assert_eq!(json(&place, "trained.json")["samples"]["validation"], number);
        place.succeed("phase evaluate model points.csv --label kind --eval-samples 5 --json scored.json");
        assert_eq!(json(&place, "scored.json")["samples"], 5);
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Place::new();
    place.write("points.csv", points());
    place.write("one.csv", "x,kind\n1,odd\n".to_string() + &"2,odd\n".repeat(30));
    place.write("other.csv", "x,kind,y\n1,odd,2\n2,even,2\n");
    place.succeed(&format!("{TRAIN} --no-baselines --out model"));
    for (arguments, message) in [
        ("phase train points.csv", "column `kind`: `near` is no number"),
        ("phase train points.csv --label colour", "no column `colour`; there are x, kind, y"),
        ("phase train points.csv --label kind --set decay=2", "decay is 2: it must be above 0 and at most 1"),
        ("phase train none.csv", "none.csv"),
        ("phase train one.csv", "all samples are of one class"),
        ("phase evaluate model other.csv --label kind", "class `odd` is not among those to learn from"),
        ("phase evaluate points.csv points.csv", "points.csv/model.toml"),
        ("phase explain model points.csv --label kind --sample 0", "there are samples 1 to 480"),
        ("phase export model --out a --c-header a", "it is the same file as --out"),
    ] {
        place.refuse(arguments, message);
    }
}
