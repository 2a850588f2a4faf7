//! The nodes' own phases, and when they were last written.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

/// The last version that was given out, in the whole process.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Phases, `[nodes, D]`, with a version: phases of the same version are the same, whichever copy of a network
/// they belong to. So an index of them, or an answer, need not be compared with them to be known as stale.
#[derive(Clone, Debug)]
pub struct Phases {
    values: Vec<i16>,
    version: u64,
}

impl Phases {
    /// As they are, under a new version.
    pub fn new(values: Vec<i16>) -> Phases {
        Phases { values, version: next() }
    }

    /// To be changed: from here on they are of another version.
    pub fn write(&mut self) -> &mut Vec<i16> {
        self.version = next();
        &mut self.values
    }

    /// Which phases these are.
    pub fn version(&self) -> u64 {
        self.version
    }
}

fn next() -> u64 {
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl Deref for Phases {
    type Target = [i16];

    fn deref(&self) -> &[i16] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_stands_for_one_set_of_phases() {
        let mut phases = Phases::new(vec![1, 2]);
        let copy = phases.clone();
        assert_eq!(copy.version(), phases.version());
        phases.write()[0] = 5;
        assert_ne!(copy.version(), phases.version());
        assert_eq!((&copy[..], &phases[..]), (&[1, 2][..], &[5, 2][..]));
        // Equal by chance is not known to be equal.
        assert_ne!(Phases::new(vec![1, 2]).version(), copy.version());
    }
}
