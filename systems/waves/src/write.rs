//! Writing signals, such as what a model has made of one.

use std::io::{self, Cursor, Write};
use std::path::Path;

use bessemer_train::write_whole;
use hound::{SampleFormat, WavSpec, WavWriter};
use png::{BitDepth, ColorType};

use crate::error::{Error, Result};
use crate::signal::Signal;

/// The formats that are written, for messages.
const KNOWN: &str = "`.csv`, `.wav` or `.png`";

/// Writes a signal, in the format that the name of the file tells:
///
/// - `.csv`: a row for each point, its coordinates and then its values, in the units of the file it was read from.
/// - `.wav`: a signal that was read from a sound, as whole numbers of 16 bits.
/// - `.png`: a signal on a grid of two axes, as an image of 8 bits: of one channel grey, of three red, green and
///   blue.
///
/// Sounds beyond -1 .. 1 and images beyond 0 .. 1 are cut off there. The file appears whole or not at all.
///
/// # Errors
/// If the signal does not fit the format, or the disk refuses.
///
/// ```
/// use bessemer_waves::{Generator, ReadOptions, read, write};
///
/// let signal = Generator::by_name("multi-tone")?.with_size(50).signal()?;
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("tones.csv");
/// write(&path, &signal)?;
/// assert_eq!(read(&path, &ReadOptions::default())?.values(), signal.values());
/// # Ok::<(), bessemer_waves::Error>(())
/// ```
pub fn write(path: impl AsRef<Path>, signal: &Signal) -> Result<()> {
    let path = path.as_ref();
    match form(path, signal)? {
        Form::Csv => write_whole(path, |to| csv(to, signal)),
        Form::Wav { sample_rate } => whole(path, || wav(signal, sample_rate)),
        Form::Png { width, height } => whole(path, || png(signal, width, height)),
    }
    .map_err(|source| Error::Write { path: path.to_path_buf(), source })
}

/// Refuses, before there is anything to write, what [`write()`] would refuse to write of a signal on these points.
///
/// ```
/// use bessemer_waves::{Generator, check_writing};
///
/// let signal = Generator::by_name("step")?.signal()?;
/// assert!(check_writing("again.csv", &signal).is_ok());
/// assert!(check_writing("again.wav", &signal).is_err(), "it comes from no sound");
/// # Ok::<(), bessemer_waves::Error>(())
/// ```
///
/// # Errors
/// If the signal does not fit the format.
pub fn check_writing(path: impl AsRef<Path>, signal: &Signal) -> Result<()> {
    form(path.as_ref(), signal).map(|_| ())
}

/// A format, and what it takes of a signal.
enum Form {
    Csv,
    Wav { sample_rate: u32 },
    Png { width: usize, height: usize },
}

fn form(path: &Path, signal: &Signal) -> Result<Form> {
    let file = path.display().to_string();
    let refuse = |problem: String, remedy| Err(Error::File { file: file.clone(), problem, remedy });
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let (grid, channels) = (signal.origin.grid.as_slice(), signal.channels().len());
    match extension.to_str() {
        Some("csv") => Ok(Form::Csv),
        Some("wav") => match (grid, signal.origin.sample_rate) {
            ([_], Some(sample_rate)) => Ok(Form::Wav { sample_rate }),
            _ => refuse("a signal that comes from no sound has no samples a second".into(), "write `.csv`"),
        },
        Some("png") => match (grid, channels) {
            ([height, width], 1 | 3) => Ok(Form::Png { width: *width, height: *height }),
            _ => {
                let axes =
                    if grid.is_empty() { "no grid".into() } else { format!("a grid of {} axes", grid.len()) };
                let problem = format!("an image cannot be made of {axes} and {channels} channels");
                refuse(problem, "write `.csv`, or give a grid of 2 axes with 1 or 3 channels")
            }
        },
        _ => Err(Error::UnknownFormat { file, known: KNOWN }),
    }
}

fn whole(path: &Path, contents: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<()> {
    let contents = contents()?;
    write_whole(path, |to| to.write_all(&contents))
}

fn csv(to: &mut dyn Write, signal: &Signal) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(signal.axes().iter().chain(signal.channels()))?;
    for number in 0..signal.len() {
        let along = signal.point(number).iter().enumerate().map(|(axis, x)| (*x, signal.axis_offset(axis)));
        let values =
            signal.value(number).iter().enumerate().map(|(channel, y)| (*y, signal.channel_offset(channel)));
        writer.write_record(along.chain(values).map(|(x, offset)| written(x, offset)))?;
    }
    writer.flush()
}

/// The shortest text of a number that is less an offset, from which it is read again.
fn written(x: f32, offset: f64) -> String {
    if offset == 0.0 {
        return x.to_string();
    }
    if x.fract() == 0.0 && offset.fract() == 0.0 {
        return (offset as i128 + x as i128).to_string();
    }
    let sum = offset + f64::from(x);
    let is_same = |text: &String| text.parse::<f64>().is_ok_and(|read| (read - offset) as f32 == x);
    (0..=17).map(|places| format!("{sum:.places$}")).find(is_same).unwrap_or_else(|| sum.to_string())
}

fn wav(signal: &Signal, sample_rate: u32) -> io::Result<Vec<u8>> {
    let channels = signal.channels().len() as u16;
    let spec = WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut contents = Cursor::new(Vec::new());
    let mut written = || -> hound::Result<()> {
        let mut writer = WavWriter::new(&mut contents, spec)?;
        for value in signal.values() {
            // 32,768 steps below 0 and one less above it.
            writer.write_sample((value * 32768.0).round().clamp(-32768.0, 32767.0) as i16)?;
        }
        writer.finalize()
    };
    written().map_err(io::Error::other)?;
    Ok(contents.into_inner())
}

fn png(signal: &Signal, width: usize, height: usize) -> io::Result<Vec<u8>> {
    let length = |length: usize| u32::try_from(length).map_err(io::Error::other);
    let mut contents = Vec::new();
    let mut encoder = png::Encoder::new(&mut contents, length(width)?, length(height)?);
    encoder.set_color(if signal.channels().len() == 3 { ColorType::Rgb } else { ColorType::Grayscale });
    encoder.set_depth(BitDepth::Eight);
    let pixels: Vec<u8> =
        signal.values().iter().map(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8).collect();
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Generator, ReadOptions, read};

    /// Written, read, and written again, a file has the same bytes.
    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut sound = Generator::by_name("multi-tone").unwrap().signal().unwrap();
        sound.origin.sample_rate = Some(8000);
        let mut axes = [("y", vec![0.0, 1.0]), ("x", vec![0.0, 1.0, 2.0])];
        let grey = Signal::on_grid(&axes, &["grey"], |_| vec![0.0, 0.2, 1.0, 0.4, 0.6, 0.8]).unwrap();
        axes[1].1.truncate(1);
        let colour =
            Signal::on_grid(&axes, &["red", "green", "blue"], |_| vec![0.0, 0.2, 1.0, 0.4, 0.6, 0.8])
                .unwrap();
        let table =
            Signal::new(&["a", "b, \"c\""], vec![0.1, -1e-30, 3e7, 4.0], &["y"], vec![1.5, -2.0]).unwrap();
        for (name, signal, step) in [
            ("a.wav", &sound, 0.5 / 32768.0),
            ("a.png", &grey, 0.5 / 255.0),
            ("b.png", &colour, 0.5 / 255.0),
            ("a.csv", &table, 0.0),
        ] {
            let path = folder.path().join(name);
            write(&path, signal).unwrap();
            let back = read(&path, &ReadOptions::default()).unwrap();
            assert_eq!(
                (back.len(), back.origin.grid.as_slice()),
                (signal.len(), signal.origin.grid.as_slice())
            );
            let close = |(a, b): (&f32, &f32)| (a - b).abs() <= step + 1e-6 * step;
            assert!(back.values().iter().zip(signal.values()).all(close), "{name}");
            let first = std::fs::read(&path).unwrap();
            write(&path, &back).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), first, "{name}");
        }
        assert_eq!(read(folder.path().join("a.csv"), &ReadOptions::default()).unwrap(), table);
    }

    #[test]
    fn what_is_out_of_range_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let axes = [("y", vec![0.0]), ("x", vec![0.0, 1.0])];
        write(&path, &Signal::on_grid(&axes, &["grey"], |_| vec![-0.5, 7.0]).unwrap()).unwrap();
        assert_eq!(read(&path, &ReadOptions::default()).unwrap().values(), [0.0, 1.0]);
    }

    #[test]
    fn what_fits_no_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let signal = Generator::by_name("step").unwrap().signal().unwrap();
        for (name, expected) in [
            ("a.wav", "comes from no sound"),
            ("a.png", "cannot be made of a grid of 1 axes and 1 channels"),
            ("a.txt", "unknown extension; name the file `.csv`, `.wav` or `.png`"),
            ("none/a.csv", "cannot be written"),
        ] {
            let error = write(folder.path().join(name), &signal).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }
}
