//! MNIST's idx files: bytes behind a short header of big-endian numbers.

use std::io::Read;
use std::path::Path;

use bessemer_train::read_whole;

use super::{Columns, ReadOptions, Table};
use crate::error::{Error, Result};
use crate::settings::MAX_FEATURES;

/// Images, and their labels from the file beside it.
pub(super) fn read(path: &Path, name: &str, options: &ReadOptions) -> Result<Table> {
    let failed = |path: &Path, problem: String| Error::File { path: path.to_path_buf(), problem };
    if options.label.is_some() || !options.features.is_empty() {
        let problem =
            "an idx file has no columns, and its labels lie beside it; name neither label nor features";
        return Err(failed(path, problem.into()));
    }
    if !name.contains("images-idx3") {
        let problem = "the name of an idx file of images has `images-idx3` in it; give that one".into();
        return Err(failed(path, problem));
    }
    let (images, sizes) = numbers::<3>(path, options.bytes_max).map_err(|problem| failed(path, problem))?;
    let [samples, height, width] = sizes;
    let features = height.saturating_mul(width);
    if samples == 0 || features == 0 || features > MAX_FEATURES {
        let problem = format!(
            "{samples} images of {height} x {width} points; there must be 1 to {MAX_FEATURES} points"
        );
        return Err(failed(path, problem));
    }
    let labels = match options.labelled {
        true => labels(&path.with_file_name(name.replace("images-idx3", "labels-idx1")), samples, options)?,
        false => Vec::new(),
    };
    let classes = labels.iter().max().map_or(0, |most| usize::from(*most) + 1);
    Ok(Table {
        columns: Columns {
            features: (0..features).map(|point| format!("{},{}", point / width, point % width)).collect(),
            label: None,
            named: false,
        },
        values: images.into_iter().map(f32::from).collect(),
        classes: (0..classes).map(|class| class.to_string()).collect(),
        labels: labels.into_iter().map(u16::from).collect(),
        is_image: true,
    })
}

/// The labels of so many images.
fn labels(path: &Path, samples: usize, options: &ReadOptions) -> Result<Vec<u8>> {
    let failed = |problem: String| Error::File { path: path.to_path_buf(), problem };
    if !path.exists() {
        return Err(failed(
            "the labels of the images must lie beside them, in this file; put it there".into(),
        ));
    }
    let (labels, [count]) = numbers::<1>(path, options.bytes_max).map_err(failed)?;
    if samples != count {
        return Err(failed(format!(
            "{count} labels for {samples} images; the two files do not belong together"
        )));
    }
    Ok(labels)
}

/// The bytes of a file of D dimensions, and their sizes.
fn numbers<const D: usize>(path: &Path, bytes_max: u64) -> Result<(Vec<u8>, [usize; D]), String> {
    let packed = read_whole(path, bytes_max).map_err(|error| error.to_string())?;
    let mut bytes = packed;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        let reader = flate2::read::MultiGzDecoder::new(&bytes[..]);
        reader
            .take(bytes_max.saturating_add(1))
            .read_to_end(&mut unpacked)
            .map_err(|error| format!("damaged gzip data: {error}; copy the file again"))?;
        if unpacked.len() as u64 > bytes_max {
            return Err(format!("more than {bytes_max} bytes when unpacked"));
        }
        bytes = unpacked;
    }
    let header = 4 + 4 * D;
    if bytes.len() < header || bytes[..4] != [0, 0, 8, D as u8] {
        return Err(format!("no idx file of bytes in {D} dimensions"));
    }
    let sizes = std::array::from_fn(|i| {
        let at = 4 + 4 * i;
        u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
    });
    let claimed = sizes.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    let held = bytes.len() - header;
    if claimed != Some(held) {
        return Err(format!("{held} bytes of values where its header says {sizes:?}; copy the file again"));
    }
    bytes.drain(..header);
    Ok((bytes, sizes))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::{ReadOptions, read};

    #[test]
    fn packed_and_plain_files_are_the_same_and_lies_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6];
        let labels = [0, 0, 8, 1, 0, 0, 0, 2, 1, 0];
        let place = |name: &str| folder.path().join(name);
        std::fs::write(place("t-images-idx3-ubyte"), images).unwrap();
        std::fs::write(place("t-labels-idx1-ubyte"), labels).unwrap();
        for (name, bytes) in [("t-images-idx3-ubyte.gz", &images[..]), ("t-labels-idx1-ubyte.gz", &labels)] {
            let file = std::fs::File::create(place(name)).unwrap();
            let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::default());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap();
        }
        let options = ReadOptions::default();
        let table = read(&place("t-images-idx3-ubyte"), &options).unwrap();
        assert_eq!((table.row(1), &table.labels[..]), (&[7.0, 6.0][..], &[1, 0][..]));
        assert_eq!(read(&place("t-images-idx3-ubyte.gz"), &options).unwrap(), table);

        let said = |images: &[u8], labels: &[u8]| {
            std::fs::write(place("t-images-idx3-ubyte"), images).unwrap();
            std::fs::write(place("t-labels-idx1-ubyte"), labels).unwrap();
            let error = read(&place("t-images-idx3-ubyte"), &options).unwrap_err();
            error.to_string().replace(&folder.path().display().to_string(), "folder")
        };
        let huge = [0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        insta::assert_snapshot!(
            [
                said(&images[..19], &labels),
                said(&images, &[0, 0, 8, 1, 0, 0, 0, 1, 1]),
                said(&huge, &labels),
                said(b"", &labels),
                said(b"\x1f\x8bno", &labels),
                said(&images, &images),
            ]
            .join("\n")
        );
    }
}
