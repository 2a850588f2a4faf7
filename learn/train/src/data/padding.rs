//! Sequences of different lengths in one batch.

use bessemer_plan::as_words;

/// A length with its padding: the next multiple, and never 0.
pub(super) fn padded_len(tokens: usize, multiple: usize) -> usize {
    tokens.max(1).next_multiple_of(multiple)
}

/// Writes sequences as the first of `rows` rows of equal length, that of the longest or the next multiple of
/// `multiple`, and gives that length. Padding has the token 0 and the mask 0; tokens have the mask 1. Tokens
/// are passed by their bits, as inputs are, see [`as_words`].
///
/// ```
/// use bessemer_train::data::pad;
///
/// let (mut ids, mut mask) = (Vec::new(), Vec::new());
/// let length = pad([&[7, 8, 9][..], &[5]], 2, 4, &mut ids, &mut mask);
/// assert_eq!(length, 4);
/// assert_eq!(ids.iter().map(|id| id.to_bits()).collect::<Vec<_>>(), [7, 8, 9, 0, 5, 0, 0, 0]);
/// assert_eq!(mask, [1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
/// ```
///
/// # Panics
/// If there are more sequences than rows, or `multiple` is 0.
pub fn pad<'a>(
    sequences: impl IntoIterator<Item = &'a [i32], IntoIter: Clone>,
    rows: usize,
    multiple: usize,
    ids: &mut Vec<f32>,
    mask: &mut Vec<f32>,
) -> usize {
    let sequences = sequences.into_iter();
    let longest = sequences.clone().map(<[i32]>::len).max().unwrap_or(0);
    let length = padded_len(longest, multiple);
    for input in [&mut *ids, &mut *mask] {
        input.clear();
        input.resize(rows * length, 0.0);
    }
    let mut places = ids.chunks_exact_mut(length).zip(mask.chunks_exact_mut(length));
    for sequence in sequences {
        let (ids, mask) = places.next().expect("a row for each sequence");
        ids[..sequence.len()].copy_from_slice(as_words(sequence));
        mask[..sequence.len()].fill(1.0);
    }
    length
}

/// How much of what is computed is padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    /// Tokens of the sequences.
    pub tokens: u64,
    /// Tokens with their padding.
    pub padded: u64,
}

impl Padding {
    /// Padding as a fraction of all that is computed.
    pub fn share(&self) -> f64 {
        1.0 - self.tokens as f64 / self.padded.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_long_as_the_longest_or_the_next_multiple() {
        for (lengths, rows, multiple, expected) in [
            (vec![3, 5, 1], 3, 1, 5),
            (vec![3, 5, 1], 4, 4, 8),
            (vec![8], 1, 8, 8),
            (vec![0], 2, 1, 1),
            (vec![], 2, 3, 3),
        ] {
            let sequences: Vec<Vec<i32>> =
                lengths.iter().map(|n| (1..=*n).map(|token| token as i32).collect()).collect();
            // What was there before doesn't matter.
            let (mut ids, mut mask) = (vec![9.0; 100], vec![9.0; 1]);
            let views = sequences.iter().map(Vec::as_slice);
            assert_eq!(pad(views, rows, multiple, &mut ids, &mut mask), expected, "{lengths:?}");
            assert_eq!((ids.len(), mask.len()), (rows * expected, rows * expected));
            for (row, (ids, mask)) in ids.chunks(expected).zip(mask.chunks(expected)).enumerate() {
                let length = lengths.get(row).copied().unwrap_or(0);
                for place in 0..expected {
                    let token = if place < length { place as u32 + 1 } else { 0 };
                    assert_eq!((ids[place].to_bits(), mask[place]), (token, f32::from(u8::from(token > 0))));
                }
            }
        }
    }
}
