//! Sounds.

use std::io::Cursor;

use hound::{SampleFormat, WavReader, WavSpec};

use crate::error::{Error, Result};
use crate::signal::{MAX_CHANNELS, Signal, check_size};

pub(super) fn read(file: &str, contents: &[u8]) -> Result<Signal> {
    let refuse = |problem: String| {
        let remedy = "save it as WAV of whole numbers of 8 to 32 bits or of 32-bit floats";
        Error::File { file: file.into(), problem, remedy }
    };
    let mut reader = WavReader::new(Cursor::new(contents))
        .map_err(|error| refuse(format!("it is no whole WAV file ({error})")))?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    let channels = usize::from(channels);
    if channels > MAX_CHANNELS {
        return Err(Error::Channels { channels });
    }
    if sample_rate == 0 {
        return Err(refuse("it has 0 samples a second".into()));
    }
    let claimed = reader.len() as usize;
    let bytes = usize::from(bits_per_sample / 8);
    // No sample takes less than its bits.
    if claimed.saturating_mul(bytes) > contents.len() || !claimed.is_multiple_of(channels) {
        let length = contents.len();
        return Err(refuse(format!(
            "it claims {claimed} samples of {bytes} bytes in a file of {length} bytes"
        )));
    }
    check_size((claimed / channels) as u64, 1, channels)?;
    let samples = match sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<hound::Result<Vec<f32>>>(),
        SampleFormat::Int => {
            let full = 2f64.powi(i32::from(bits_per_sample) - 1);
            let share = |sample| (f64::from(sample) / full) as f32;
            reader.samples::<i32>().map(|sample| sample.map(share)).collect()
        }
    };
    let values = samples.map_err(|error| refuse(format!("its samples end too early ({error})")))?;
    if let Some(place) = values.iter().position(|value| !value.is_finite()) {
        return Err(refuse(format!("sample {} is {}", place / channels, values[place])));
    }
    let names: Vec<String> = match channels {
        1 => vec!["sound".into()],
        2 => vec!["left".into(), "right".into()],
        _ => (1..=channels).map(|number| format!("channel{number}")).collect(),
    };
    let times = (0..claimed / channels).map(|n| (n as f64 / f64::from(sample_rate)) as f32).collect();
    let mut signal = Signal::on_grid(&[("seconds".to_string(), times)], &names, |_| values)?;
    signal.origin.sample_rate = Some(sample_rate);
    signal.origin.value_bytes = Some(bytes);
    Ok(signal)
}

#[cfg(test)]
mod tests {
    use hound::WavWriter;

    use super::*;

    fn file<S: hound::Sample + Copy>(
        bits: u16,
        format: SampleFormat,
        channels: u16,
        samples: &[S],
    ) -> Vec<u8> {
        let spec = WavSpec { channels, sample_rate: 8000, bits_per_sample: bits, sample_format: format };
        let mut contents = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut contents, spec).unwrap();
        samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
        contents.into_inner()
    }

    #[test]
    fn samples_of_every_width_are_shares_of_the_whole() {
        for bits in [8u16, 16, 24, 32] {
            let full = 1i64 << (bits - 1);
            let samples = [0, full / 2, -full, full - 1].map(|sample| sample as i32);
            let signal = read("a.wav", &file(bits, SampleFormat::Int, 1, &samples)).unwrap();
            let least = 1.0 - 1.0 / full as f32;
            assert_eq!(signal.values(), [0.0, 0.5, -1.0, least], "{bits} bits");
            assert_eq!(signal.points(), [0.0, 1.0, 2.0, 3.0].map(|n| n / 8000.0));
            assert_eq!(signal.raw_bytes(), 4 * u64::from(bits / 8));
        }
        let floats = file(32, SampleFormat::Float, 2, &[0.25f32, -3.0, 1e-9, 0.0]);
        let signal = read("a.wav", &floats).unwrap();
        assert_eq!(
            (signal.len(), signal.value(0), signal.value(1)),
            (2, &[0.25, -3.0][..], &[1e-9, 0.0][..])
        );
        assert_eq!(signal.channels(), ["left", "right"]);
    }

    #[test]
    fn sounds_that_lie_are_refused() {
        let whole = file(16, SampleFormat::Int, 1, &[1i16, 2, 3, 4]);
        let place = whole.windows(4).position(|word| word == b"data").unwrap() + 4;
        for claimed in [16u32, 1 << 31, u32::MAX - 1] {
            let mut lying = whole.clone();
            lying[place..place + 4].copy_from_slice(&claimed.to_le_bytes());
            let error = read("a.wav", &lying).unwrap_err().to_string();
            let expected = claimed / 2;
            // Little enough to be within the file's length, the header counted, it is missed on the way.
            let named =
                error.contains(&format!("claims {expected} samples")) || error.contains("end too early");
            assert!(named, "{error}");
        }
        for end in 0..whole.len() {
            let error = read("a.wav", &whole[..end]).unwrap_err().to_string();
            assert!(error.starts_with("`a.wav`: it"), "cut at {end}: {error}");
        }
        let silent = file::<i16>(16, SampleFormat::Int, 1, &[]);
        assert!(matches!(read("a.wav", &silent), Err(Error::NoPoints)));
        let mut still = whole.clone();
        still[24..28].fill(0); // samples a second
        still[28..32].fill(0); // bytes a second
        assert!(read("a.wav", &still).unwrap_err().to_string().contains("0 samples a second"));
        let nan = file(32, SampleFormat::Float, 1, &[0.0f32, f32::NAN]);
        assert!(read("a.wav", &nan).unwrap_err().to_string().contains("sample 1 is NaN"));
    }

    #[test]
    fn damaged_sounds_are_read_or_refused() {
        let whole = file(16, SampleFormat::Int, 2, &[1i16, 2, 3, 4]);
        for place in 0..whole.len() {
            for value in 0..=255 {
                let mut damaged = whole.clone();
                damaged[place] = value;
                _ = read("a", &damaged);
            }
        }
    }
}
