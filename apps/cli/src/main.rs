//! The `bessemer` command line.

fn main() {}
