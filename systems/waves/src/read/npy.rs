//! NumPy's arrays: the format of `numpy.lib.format`, versions 1 to 3.

use crate::error::{Error, Result, shorten};
use crate::exact::Exact;
use crate::signal::{MAX_AXES, Signal, check_size};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header; NumPy's own are of 128 bytes.
const HEADER_MAX: usize = 1 << 16;

/// How a number is stored.
struct Kind {
    letter: u8,
    bytes: usize,
    is_big: bool,
}

pub(super) fn read(file: &str, contents: &[u8]) -> Result<Signal> {
    let refuse = |problem: String, remedy| Error::File { file: file.into(), problem, remedy };
    let Some((header, data)) = split(contents) else {
        let remedy = "write it with `numpy.save`, or copy it again";
        return Err(refuse("it is no whole NPY file".into(), remedy));
    };
    let value = |key: &str| {
        let missing = || refuse(format!("its header has no `{key}`"), "write it again with `numpy.save`");
        entry(header, key).ok_or_else(missing)
    };
    let descr = value("descr")?;
    let Some(kind) = kind(descr) else {
        let problem = format!("its numbers are of the type {}", shorten(descr));
        return Err(refuse(problem, "save it as float32, float64 or whole numbers"));
    };
    if value("fortran_order")? == "True" {
        let remedy = "save `numpy.ascontiguousarray` of it";
        return Err(refuse("its first axis runs fastest".into(), remedy));
    }
    let text = value("shape")?;
    let Some(shape) = shape(text) else {
        let problem = format!("its shape {} makes no sense", shorten(text));
        return Err(refuse(problem, "write it again with `numpy.save`"));
    };
    if !(1..=MAX_AXES).contains(&shape.len()) {
        let problem = format!("it has {} axes", shape.len());
        return Err(refuse(problem, "save 1 to 8 axes, `array[None]` of a single number"));
    }
    let count = shape.iter().fold(1u64, |count, len| count.saturating_mul(*len));
    if count.saturating_mul(kind.bytes as u64) != data.len() as u64 {
        let bytes = data.len();
        let problem = format!("its shape {} is not that of {bytes} bytes of data", shorten(text));
        return Err(refuse(problem, "copy or save it again"));
    }
    check_size(count, shape.len(), 1)?;
    let mut exact = Exact::default();
    data.chunks_exact(kind.bytes).for_each(|bytes| kind.read(bytes, &mut exact));
    if let Some((place, value)) = exact.not_single() {
        let mut index = Vec::new();
        shape.iter().rev().fold(place as u64, |rest, len| {
            index.insert(0, rest % len);
            rest / len
        });
        let problem = format!("the number at {index:?} is {value}");
        return Err(refuse(problem, "replace what is missing, infinite or beyond single precision"));
    }
    let along = |(axis, len): (usize, &u64)| (format!("i{axis}"), (0..*len).map(|i| i as f32).collect());
    let axes: Vec<(String, Vec<f32>)> = shape.iter().enumerate().map(along).collect();
    let mut signal = Signal::of_column_on_grid(&axes, "value", exact)?;
    signal.origin.value_bytes = Some(kind.bytes);
    Ok(signal)
}

/// The header's text, and the data behind it.
fn split(contents: &[u8]) -> Option<(&str, &[u8])> {
    let rest = contents.strip_prefix(MAGIC)?;
    let ([major, _minor], rest) = rest.split_first_chunk()?;
    let (length, rest) = match major {
        1 => rest.split_first_chunk().map(|(bytes, rest)| (usize::from(u16::from_le_bytes(*bytes)), rest))?,
        2 | 3 => rest.split_first_chunk().map(|(bytes, rest)| (u32::from_le_bytes(*bytes) as usize, rest))?,
        _ => return None,
    };
    let (header, data) =
        rest.split_at_checked(length.min(HEADER_MAX + 1)).filter(|_| length <= HEADER_MAX)?;
    Some((std::str::from_utf8(header).ok()?, data))
}

/// The text of an entry of the header, a Python dictionary of a text, a truth and a tuple.
fn entry<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let after = |quote: char| {
        let quoted = format!("{quote}{key}{quote}");
        header.find(&quoted).map(|place| &header[place + quoted.len()..])
    };
    let rest = after('\'').or_else(|| after('"'))?.trim_start().strip_prefix(':')?.trim_start();
    let end = match rest.chars().next()? {
        '(' => rest.find(')')? + 1,
        quote @ ('\'' | '"') => rest[1..].find(quote)? + 2,
        _ => rest.find([',', '}'])?,
    };
    Some(rest[..end].trim())
}

/// The type of numbers, such as `'<f4'`.
fn kind(descr: &str) -> Option<Kind> {
    let [quote, order, letter, size @ .., last] = descr.as_bytes() else { return None };
    let bytes: usize = std::str::from_utf8(size).ok()?.parse().ok()?;
    let is_known = match letter {
        b'f' => matches!(bytes, 4 | 8),
        b'i' | b'u' => matches!(bytes, 1 | 2 | 4 | 8),
        b'b' => bytes == 1,
        _ => false,
    };
    let is_big = *order == b'>';
    let is_sound =
        quote == last && matches!(quote, b'\'' | b'"') && matches!(order, b'<' | b'>' | b'|' | b'=');
    (is_known && is_sound).then_some(Kind { letter: *letter, bytes, is_big })
}

/// The lengths in a tuple such as `(3, 4)` or `(3,)`.
fn shape(text: &str) -> Option<Vec<u64>> {
    let inside = text.strip_prefix('(')?.strip_suffix(')')?.trim();
    let inside = inside.strip_suffix(',').unwrap_or(inside);
    if inside.is_empty() {
        return Some(Vec::new());
    }
    inside.split(',').map(|len| len.trim().parse().ok()).collect()
}

impl Kind {
    /// Reads a number of `bytes` bytes.
    fn read(&self, bytes: &[u8], numbers: &mut Exact) {
        let mut word = [0; 8];
        for (place, byte) in bytes.iter().enumerate() {
            word[if self.is_big { bytes.len() - 1 - place } else { place }] = *byte;
        }
        let unsigned = u64::from_le_bytes(word);
        let unused = 64 - 8 * self.bytes as u32;
        match (self.letter, self.bytes) {
            (b'f', 4) => numbers.push(f32::from_bits(unsigned as u32).into()),
            (b'f', _) => numbers.push(f64::from_bits(unsigned)),
            (b'i', _) => numbers.push_whole((unsigned << unused).cast_signed() >> unused),
            _ => numbers.push_whole(unsigned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of version 1, as `numpy.save` writes it.
    fn file(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        while !(header.len() + 11).is_multiple_of(64) {
            header.push(' ');
        }
        header.push('\n');
        let length = (header.len() as u16).to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    #[test]
    fn numbers_of_every_type_are_read() {
        for (descr, data, expected) in [
            ("<f4", [1.5f32, -2.0].map(f32::to_le_bytes).concat(), [1.5, -2.0]),
            (">f4", [1.5f32, -2.0].map(f32::to_be_bytes).concat(), [1.5, -2.0]),
            ("<f8", [1.5f64, -2.0].map(f64::to_le_bytes).concat(), [1.5, -2.0]),
            (">f8", [1.5f64, -2.0].map(f64::to_be_bytes).concat(), [1.5, -2.0]),
            ("|u1", vec![0, 255], [0.0, 255.0]),
            ("|i1", vec![1, 255], [1.0, -1.0]),
            ("|b1", vec![0, 1], [0.0, 1.0]),
            ("<i2", [7i16, -300].map(i16::to_le_bytes).concat(), [7.0, -300.0]),
            (">u2", [7u16, 65535].map(u16::to_be_bytes).concat(), [7.0, 65535.0]),
            ("<i4", [7i32, -70_000].map(i32::to_le_bytes).concat(), [7.0, -70_000.0]),
            ("<i8", [7i64, -70_000].map(i64::to_le_bytes).concat(), [7.0, -70_000.0]),
        ] {
            let signal = read("a.npy", &file(descr, "(2,)", &data)).unwrap();
            assert_eq!(signal.values(), expected, "{descr}");
            assert_eq!(signal.raw_bytes() as usize, data.len(), "{descr}");
        }
    }

    #[test]
    fn axes_are_indices() {
        let data: Vec<u8> = (0..6).collect();
        let signal = read("a.npy", &file("|u1", "(2, 3)", &data)).unwrap();
        assert_eq!((signal.point(5), signal.value(5)), (&[1.0, 2.0][..], &[5.0][..]));
        assert_eq!((signal.axes(), &signal.origin.grid), (&["i0".into(), "i1".into()][..], &vec![2, 3]));
    }

    #[test]
    fn files_that_lie_are_refused() {
        let mut fortran = file("|u1", "(2, 2)", &[0; 4]);
        let place = fortran.windows(5).position(|word| word == b"False").unwrap();
        fortran[place..place + 5].copy_from_slice(b"True ");
        let wrong = [
            (b"".to_vec(), "no whole NPY file"),
            (file("<f4", "(2,)", &[0; 8])[..60].to_vec(), "no whole NPY file"),
            ([MAGIC, &[2, 0, 255, 255, 255, 255]].concat(), "no whole NPY file"),
            (file("<c8", "(1,)", &[0; 8]), "its numbers are of the type '<c8'; save it as float32"),
            (file("|O", "(1,)", &[0; 8]), "of the type '|O'"),
            (file("<f4", "(3,)", &[0; 8]), "its shape (3,) is not that of 8 bytes of data"),
            (file("<f4", "(4294967296, 4294967296, 4294967296)", &[0; 8]), "not that of 8 bytes"),
            (file("<f4", "(-1,)", &[0; 8]), "its shape (-1,) makes no sense"),
            (file("<f4", "()", &[0; 4]), "it has 0 axes"),
            (file("|u1", "(1, 1, 1, 1, 1, 1, 1, 1, 1)", &[0]), "it has 9 axes"),
            (file("<f4", "(0,)", b""), "the signal has no points"),
            (fortran, "its first axis runs fastest"),
            (
                file("<f8", "(2,)", &[1e300f64, 0.0].map(f64::to_le_bytes).concat()),
                "the number at [0] is inf",
            ),
        ];
        for (contents, expected) in wrong {
            let error = read("a.npy", &contents).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}, not {expected}");
        }
        let nan: Vec<u8> = [0.0, 0.0, f32::NAN, 0.0].map(f32::to_le_bytes).concat();
        let error = read("a.npy", &file("<f4", "(2, 2)", &nan)).unwrap_err().to_string();
        assert!(error.contains("the number at [1, 0] is NaN"), "{error}");
    }

    #[test]
    fn damaged_arrays_are_read_or_refused() {
        let whole = file("<f4", "(1, 2)", &[0; 8]);
        for place in 0..whole.len() {
            for value in 0..=255 {
                let mut damaged = whole.clone();
                damaged[place] = value;
                _ = read("a", &damaged);
            }
        }
    }
}
