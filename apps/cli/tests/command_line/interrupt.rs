//! Ctrl-C.

#[cfg(unix)]
#[test]
fn ctrl_c_during_training_writes_nothing() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};

    let place = crate::place::Place::new();
    let arguments = "forecast fit series.csv --horizon 7 --model nhits --max-steps 1000000 --out model";
    let mut child = place.command(arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    // The note on the file comes just before the training; the line about a step well within it.
    while !text.contains("nhits: step") {
        assert_ne!(stderr.read_line(&mut text).unwrap(), 0, "{text}");
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    stderr.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: interrupted while nhits was at training step "), "{text}");
    assert!(last.ends_with("nothing was written"), "{text}");
    assert_eq!(place.names(), ["series.csv"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_trainings_that_run_side_by_side() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};

    let place = crate::place::Place::new();
    // The first trial is soon done, and says so; the others would go on for hours.
    let arguments = "forecast search series.csv --model mlp --horizon 7 --json found.json --threads 2 \
                     --vary max-steps=1,1000000000,1000000001,1000000002";
    let mut child = place.command(arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("trained 1 of 4 models") {
        assert_ne!(stderr.read_line(&mut text).unwrap(), 0, "{text}");
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    stderr.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last = text.lines().last().unwrap_or_default();
    assert_eq!(last, "error: interrupted while training, after 1 of 4 models; nothing was written", "{text}");
    assert_eq!(place.names(), ["series.csv"]);
}
