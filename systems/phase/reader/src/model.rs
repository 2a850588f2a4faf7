//! A phase graph's numbers, wherever they lie.

/// A 16-bit number as it lies in a file, least byte first.
pub type Word = [u8; 2];
/// A 32-bit number as it lies in a file, least byte first.
pub type Long = [u8; 4];

/// Binary places of the table of cosines and of the classes' codes.
pub const COSINE_BITS: u32 = 14;
/// Binary places of the table of magnitudes.
pub const MAGNITUDE_BITS: u32 = 12;
/// Binary places of strengths.
pub const STRENGTH_BITS: u32 = 16;
/// Binary places of the decay.
pub const DECAY_BITS: u32 = 16;

/// The numbers that say how large a graph is and how signals spread in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// What a sample is made of: levels of 0 to 255.
    pub features: usize,
    /// What is told apart.
    pub classes: usize,
    /// All nodes: inputs come first, outputs last.
    pub nodes: usize,
    /// Nodes that the adapter feeds.
    pub inputs: usize,
    /// Nodes that are read.
    pub outputs: usize,
    /// Phases of a node, and as many magnitudes: D.
    pub dimensions: usize,
    /// Steps of a full circle: N.
    pub phases: usize,
    /// Steps of the magnitudes' circle: M.
    pub magnitudes: usize,
    /// Static edges.
    pub edges: usize,
    /// Nodes that an active node radiates to.
    pub radiation: usize,
    /// The first step after which an active output ends the spreading.
    pub steps_min: u32,
    /// The last step.
    pub steps_max: u32,
    /// What is left of a strength after a step, in [`DECAY_BITS`].
    pub decay: u32,
    /// A node of less strength falls silent, in [`STRENGTH_BITS`].
    pub strength_min: i32,
    /// Binary places of the adapter's sums.
    pub shift: u32,
    /// The answer where no output becomes active.
    pub fallback: usize,
}

/// A phase graph, ready to run. See [`parse`](crate::parse) for where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    /// Sizes and rules.
    pub shape: Shape,
    /// cos(2πi / N), `[N]`, in [`COSINE_BITS`].
    pub cosines: &'a [Word],
    /// exp(sin u), `[M]`, in [`MAGNITUDE_BITS`].
    pub sizes: &'a [Word],
    /// Where the edges of a node begin, `[nodes + 1]`.
    pub first: &'a [Long],
    /// Where edges lead, `[edges]`.
    pub targets: &'a [Word],
    /// The nodes' own phases, `[nodes, D]`.
    pub phase: &'a [Word],
    /// The nodes' own magnitudes, `[nodes, D]`.
    pub magnitude: &'a [Word],
    /// The adapter, `[inputs, 2, D, features]`: phases before magnitudes, 8-bit signed.
    pub weights: &'a [u8],
    /// What is added to its sums, `[inputs, 2, D]`.
    pub bias: &'a [Long],
    /// Unit vectors of the classes, `[classes, D]`, in [`COSINE_BITS`].
    pub codes: &'a [Word],
}

/// A signed number.
#[inline(always)]
pub(crate) fn word(bytes: Word) -> i16 {
    i16::from_le_bytes(bytes)
}

impl Model<'_> {
    /// The numbers of the edges of a node.
    #[inline(always)]
    fn edges(&self, node: usize) -> core::ops::Range<usize> {
        let at = |node: usize| u32::from_le_bytes(self.first[node]) as usize;
        at(node)..at(node + 1)
    }

    /// Where the edges of a node lead.
    #[inline(always)]
    pub fn targets(&self, node: usize) -> impl ExactSizeIterator<Item = u16> {
        self.targets[self.edges(node)].iter().map(|target| u16::from_le_bytes(*target))
    }

    /// Whether an edge leads from one node to another.
    pub fn leads(&self, source: usize, target: u16) -> bool {
        self.targets[self.edges(source)].contains(&target.to_le_bytes())
    }

    /// Whether a node is read.
    #[inline(always)]
    pub fn is_output(&self, node: usize) -> bool {
        node >= self.shape.nodes - self.shape.outputs
    }

    /// cos φ · exp(sin m) of a phase and a magnitude, in [`COSINE_BITS`] + [`MAGNITUDE_BITS`].
    #[inline(always)]
    pub fn signal(&self, phase: i16, magnitude: i16) -> i32 {
        let cosine = word(self.cosines[phase as usize]);
        let size = word(self.sizes[magnitude as usize]);
        i32::from(cosine) * i32::from(size)
    }
}
