//! Rows of a table by index, and gradients back to them.

use std::fmt;

/// An index that the table has no row for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexError {
    /// Where it stands among the indices.
    pub position: usize,
    /// The index.
    pub index: i32,
    /// Rows of the table.
    pub rows: usize,
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IndexError { position, index, rows } = self;
        write!(f, "index {index} at position {position} is out of a table of {rows} rows")
    }
}

impl std::error::Error for IndexError {}

/// `output[i] = table[indices[i]]`, for a table `[rows, width]` and output `[indices, width]`.
/// Nothing is written if an index is out of range.
///
/// # Panics
/// If the lengths are not multiples of `width`, or do not match.
pub fn embedding_forward(
    table: &[f32],
    width: usize,
    indices: &[i32],
    output: &mut [f32],
) -> Result<(), IndexError> {
    check(table.len(), width, indices, output.len())?;
    if width > 0 {
        for (to, &index) in output.chunks_exact_mut(width).zip(indices) {
            to.copy_from_slice(&table[index as usize * width..][..width]);
        }
    }
    Ok(())
}

/// `d_table[indices[i]] += d_output[i]`, in the order of i. Nothing is written if an index is out of
/// range.
///
/// # Panics
/// If the lengths are not multiples of `width`, or do not match.
pub fn embedding_backward(
    d_output: &[f32],
    width: usize,
    indices: &[i32],
    d_table: &mut [f32],
) -> Result<(), IndexError> {
    check(d_table.len(), width, indices, d_output.len())?;
    if width > 0 {
        for (from, &index) in d_output.chunks_exact(width).zip(indices) {
            for (to, &d) in d_table[index as usize * width..][..width].iter_mut().zip(from) {
                *to += d;
            }
        }
    }
    Ok(())
}

fn check(table: usize, width: usize, indices: &[i32], output: usize) -> Result<(), IndexError> {
    assert_eq!(output, indices.len() * width, "output: one row an index");
    let rows = table.checked_div(width).unwrap_or(0);
    assert_eq!(table, rows * width, "table: whole rows");
    if width == 0 {
        return Ok(());
    }
    match indices.iter().position(|&index| usize::try_from(index).map_or(true, |index| index >= rows)) {
        Some(position) => Err(IndexError { position, index: indices[position], rows }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_gathered_and_gradients_added_back() {
        let table = [0.0, 1.0, 10.0, 11.0, 20.0, 21.0];
        let mut output = [0.0; 8];
        embedding_forward(&table, 2, &[2, 0, 2, 1], &mut output).unwrap();
        assert_eq!(output, [20.0, 21.0, 0.0, 1.0, 20.0, 21.0, 10.0, 11.0]);
        let mut d_table = [1.0; 6];
        embedding_backward(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], 2, &[2, 0, 2, 1], &mut d_table)
            .unwrap();
        assert_eq!(d_table, [4.0, 5.0, 8.0, 9.0, 7.0, 9.0]);
    }

    #[test]
    fn an_index_out_of_range_is_reported_and_nothing_written() {
        for index in [-1, 3, i32::MIN, i32::MAX] {
            let mut output = [7.0; 4];
            let error = embedding_forward(&[0.0; 6], 2, &[0, index], &mut output).unwrap_err();
            assert_eq!(error, IndexError { position: 1, index, rows: 3 });
            assert_eq!(output, [7.0; 4]);
            let mut d_table = [7.0; 6];
            assert!(embedding_backward(&output, 2, &[0, index], &mut d_table).is_err());
            assert_eq!(d_table, [7.0; 6]);
        }
    }
}
