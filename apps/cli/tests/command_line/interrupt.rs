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
