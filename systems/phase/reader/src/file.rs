//! A phase graph in a file.

use core::fmt;

use crate::model::{Long, Model, Shape, Word};

/// What a file begins with.
pub const MAGIC: [u8; 8] = *b"BPHASE1\n";
/// The numbers of a [`Shape`] behind it, 32 bits each.
pub const NUMBERS: usize = 16;
/// Where the arrays begin.
pub const HEADER: usize = MAGIC.len() + 4 * NUMBERS;

/// Why bytes are no phase graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Other bytes at the beginning.
    NoGraph,
    /// A number of the header is out of bounds: which, counted from 0, and what it is.
    OutOfBounds {
        /// Its place.
        number: usize,
        /// What it is.
        value: u32,
    },
    /// The arrays need another number of bytes.
    Length {
        /// Bytes that the header asks for.
        needed: u64,
        /// Bytes that there are.
        held: u64,
    },
    /// An index within an array leads out of its circle, or an edge out of the graph.
    Index(&'static str),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NoGraph => write!(f, "no phase graph; give a file that was exported"),
            Problem::OutOfBounds { number, value } => {
                write!(f, "number {number} of its header is {value}, which makes no sense; export it again")
            }
            Problem::Length { needed, held } => {
                write!(f, "{held} bytes where its header asks for {needed}; copy it again")
            }
            Problem::Index(array) => write!(f, "a number in its {array} is out of bounds; export it again"),
        }
    }
}

impl core::error::Error for Problem {}

impl Shape {
    /// The numbers as they lie in a file.
    pub fn numbers(&self) -> [u32; NUMBERS] {
        [
            self.features as u32,
            self.classes as u32,
            self.nodes as u32,
            self.inputs as u32,
            self.outputs as u32,
            self.dimensions as u32,
            self.phases as u32,
            self.magnitudes as u32,
            self.edges as u32,
            self.radiation as u32,
            self.steps_min,
            self.steps_max,
            self.decay,
            self.strength_min as u32,
            self.shift,
            self.fallback as u32,
        ]
    }

    fn of_numbers(n: [u32; NUMBERS]) -> Result<Shape, Problem> {
        // No sum of the adapter and no strength leaves 32 bits within these bounds.
        let nodes = n[2].clamp(2, 65_535);
        let bounds = [
            (1, 32_768),
            (1, 1024),
            (2, 65_535),
            (1, nodes - 1),
            (1, nodes - 1),
            (1, 64),
            (4, 16_384),
            (4, 16_384),
            (0, 1 << 28),
            (0, (nodes - 1).min(256)),
            (0, 1 << 20),
            (0, 1 << 20),
            (1, 1 << crate::DECAY_BITS),
            (1, 1 << 30),
            (0, 24),
            (0, n[1].saturating_sub(1)),
        ];
        for (number, (value, (least, most))) in n.iter().zip(bounds).enumerate() {
            if !(least..=most).contains(value) {
                return Err(Problem::OutOfBounds { number, value: *value });
            }
        }
        if n[3] + n[4] > n[2] {
            return Err(Problem::OutOfBounds { number: 4, value: n[4] });
        }
        Ok(Shape {
            features: n[0] as usize,
            classes: n[1] as usize,
            nodes: n[2] as usize,
            inputs: n[3] as usize,
            outputs: n[4] as usize,
            dimensions: n[5] as usize,
            phases: n[6] as usize,
            magnitudes: n[7] as usize,
            edges: n[8] as usize,
            radiation: n[9] as usize,
            steps_min: n[10],
            steps_max: n[11],
            decay: n[12],
            strength_min: n[13] as i32,
            shift: n[14],
            fallback: n[15] as usize,
        })
    }

    /// Sums of the adapter, and indices of input nodes: inputs · 2D.
    pub fn rows(&self) -> usize {
        self.inputs * 2 * self.dimensions
    }

    /// Bytes of a file.
    pub fn bytes(&self) -> u64 {
        let (d, rows) = (self.dimensions as u64, self.rows() as u64);
        let longs = self.nodes as u64 + 1 + rows;
        let words = self.phases as u64
            + self.magnitudes as u64
            + self.edges as u64
            + 2 * self.nodes as u64 * d
            + self.classes as u64 * d;
        HEADER as u64 + 4 * longs + 2 * words + rows * self.features as u64
    }
}

/// A phase graph from the bytes of a file, which stay where they are. Whatever the bytes, what is returned can be
/// run without a number leading out of its array.
///
/// # Errors
/// If the bytes are no phase graph.
pub fn parse(bytes: &[u8]) -> Result<Model<'_>, Problem> {
    let (header, mut rest) = bytes.split_at_checked(HEADER).ok_or(Problem::NoGraph)?;
    let (magic, numbers) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(Problem::NoGraph);
    }
    let mut values = [0; NUMBERS];
    for (value, bytes) in values.iter_mut().zip(numbers.as_chunks().0) {
        *value = u32::from_le_bytes(*bytes);
    }
    let shape = Shape::of_numbers(values)?;
    if shape.bytes() != bytes.len() as u64 {
        return Err(Problem::Length { needed: shape.bytes(), held: bytes.len() as u64 });
    }
    let nodes = shape.nodes * shape.dimensions;
    let model = Model {
        shape,
        first: longs(&mut rest, shape.nodes + 1),
        bias: longs(&mut rest, shape.rows()),
        cosines: words(&mut rest, shape.phases),
        sizes: words(&mut rest, shape.magnitudes),
        targets: words(&mut rest, shape.edges),
        phase: words(&mut rest, nodes),
        magnitude: words(&mut rest, nodes),
        codes: words(&mut rest, shape.classes * shape.dimensions),
        weights: rest,
    };
    let below =
        |array: &[Word], limit: usize| array.iter().all(|w| usize::from(u16::from_le_bytes(*w)) < limit);
    let is_rising =
        model.first.windows(2).all(|pair| u32::from_le_bytes(pair[0]) <= u32::from_le_bytes(pair[1]));
    let ends = [model.first[0], model.first[shape.nodes]].map(|end| u32::from_le_bytes(end) as usize);
    // Values of the tables that cannot come from cosines and exponentials could overflow.
    let within = |array: &[Word], most: i16| {
        array.iter().all(|w| i16::from_le_bytes(*w).unsigned_abs() <= most as u16)
    };
    let checks = [
        ("edges", is_rising && ends == [0, shape.edges] && below(model.targets, shape.nodes)),
        ("phases", below(model.phase, shape.phases)),
        ("magnitudes", below(model.magnitude, shape.magnitudes)),
        ("table of cosines", within(model.cosines, 1 << 14)),
        ("table of magnitudes", within(model.sizes, 3 << 12)),
        ("codes", within(model.codes, 1 << 14)),
    ];
    match checks.iter().find(|(_, is_sound)| !is_sound) {
        Some((array, _)) => Err(Problem::Index(array)),
        None => Ok(model),
    }
}

fn words<'a>(rest: &mut &'a [u8], count: usize) -> &'a [Word] {
    let (array, after) = rest.split_at(2 * count);
    *rest = after;
    array.as_chunks().0
}

fn longs<'a>(rest: &mut &'a [u8], count: usize) -> &'a [Long] {
    let (array, after) = rest.split_at(4 * count);
    *rest = after;
    array.as_chunks().0
}

impl Model<'_> {
    /// The bytes of a file, piece by piece; [`parse`] gives the same model again.
    pub fn write(&self, mut piece: impl FnMut(&[u8])) {
        piece(&MAGIC);
        self.shape.numbers().iter().for_each(|number| piece(&number.to_le_bytes()));
        [self.first, self.bias].iter().for_each(|array| piece(array.as_flattened()));
        let words = [self.cosines, self.sizes, self.targets, self.phase, self.magnitude, self.codes];
        words.iter().for_each(|array| piece(array.as_flattened()));
        piece(self.weights);
    }
}
