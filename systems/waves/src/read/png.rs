//! Images.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Limits, Transformations};

use crate::error::{Error, Result};
use crate::signal::{Signal, check_size};

/// What the decoder may allocate besides the image, in bytes.
const DECODER_MAX: usize = 64 << 20;

/// Times by which the data in an image can grow as it is unpacked: what deflate can do at most, and a margin.
const UNPACKED_MAX: u64 = 1100;

pub(super) fn read(file: &str, contents: &[u8]) -> Result<Signal> {
    let refuse = |problem: String| Error::File {
        file: file.into(),
        problem,
        remedy: "save it again as PNG, or copy it again",
    };
    let broken = |error: png::DecodingError| refuse(format!("it is no whole PNG image ({error})"));
    let mut decoder = Decoder::new_with_limits(Cursor::new(contents), Limits { bytes: DECODER_MAX });
    decoder.set_transformations(Transformations::EXPAND);
    // Neither is looked at, and both can be packed tight.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info().map_err(broken)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let (color, depth) = reader.output_color_type();
    // Of how many numbers a pixel is, the first so many count.
    let (numbers, names): (usize, &[&str]) = match color {
        ColorType::Grayscale => (1, &["grey"]),
        ColorType::GrayscaleAlpha => (2, &["grey"]),
        ColorType::Rgb => (3, &["red", "green", "blue"]),
        ColorType::Rgba => (4, &["red", "green", "blue"]),
        ColorType::Indexed => return Err(refuse("its palette is missing".into())),
    };
    check_size((width as u64).saturating_mul(height as u64), 2, names.len())?;
    let length = reader.output_buffer_size().ok_or_else(|| refuse("it is too large".into()))?;
    if length as u64 / UNPACKED_MAX > contents.len() as u64 {
        let bytes = contents.len();
        return Err(refuse(format!("it claims {width} by {height} pixels in {bytes} bytes")));
    }
    let mut pixels = vec![0; length];
    reader.next_frame(&mut pixels).map_err(broken)?;
    let bytes = if depth == BitDepth::Sixteen { 2 } else { 1 };
    let number = |bytes: &[u8]| match bytes {
        [high, low] => f32::from(u16::from_be_bytes([*high, *low])) / 65535.0,
        [byte, ..] => f32::from(*byte) / 255.0,
        [] => 0.0,
    };
    let of_pixel =
        |pixel: &[u8]| pixel.chunks_exact(bytes).take(names.len()).map(number).collect::<Vec<f32>>();
    let values: Vec<f32> = pixels.chunks_exact(numbers * bytes).flat_map(of_pixel).collect();
    let along = |length: usize| (0..length).map(|place| place as f32).collect::<Vec<f32>>();
    let mut signal = Signal::on_grid(&[("y", along(height)), ("x", along(width))], names, |_| values)?;
    signal.origin.value_bytes = Some(bytes);
    signal.origin.range = Some(1.0);
    Ok(signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(color: ColorType, depth: BitDepth, size: (u32, u32), pixels: &[u8]) -> Vec<u8> {
        let mut contents = Vec::new();
        let mut encoder = png::Encoder::new(&mut contents, size.0, size.1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![255, 0, 0, 0, 0, 255]);
        }
        encoder.write_header().unwrap().write_image_data(pixels).unwrap();
        contents
    }

    #[test]
    fn images_of_every_kind_are_read() {
        let (eight, sixteen, one) = (BitDepth::Eight, BitDepth::Sixteen, BitDepth::One);
        for (color, depth, pixels, channels, expected) in [
            (ColorType::Grayscale, eight, vec![0, 51], 1, vec![0.0, 0.2]),
            (ColorType::Grayscale, one, vec![0b0100_0000], 1, vec![0.0, 1.0]),
            (ColorType::Grayscale, sixteen, vec![0, 0, 255, 255], 1, vec![0.0, 1.0]),
            (ColorType::GrayscaleAlpha, eight, vec![255, 0, 51, 255], 1, vec![1.0, 0.2]),
            (ColorType::Rgb, eight, vec![255, 0, 51, 0, 255, 0], 3, vec![1.0, 0.0, 0.2, 0.0, 1.0, 0.0]),
            (
                ColorType::Rgba,
                eight,
                vec![255, 0, 51, 9, 0, 255, 0, 9],
                3,
                vec![1.0, 0.0, 0.2, 0.0, 1.0, 0.0],
            ),
            (ColorType::Indexed, one, vec![0b0100_0000], 3, vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
        ] {
            let signal = read("a.png", &file(color, depth, (2, 1), &pixels)).unwrap();
            assert_eq!((signal.channels().len(), signal.values()), (channels, &expected[..]), "{color:?}");
            assert_eq!(signal.peak(), 1.0);
        }
    }

    #[test]
    fn rows_run_down_and_columns_to_the_right() {
        let signal =
            read("a.png", &file(ColorType::Grayscale, BitDepth::Eight, (2, 3), &[0, 1, 2, 3, 4, 255]))
                .unwrap();
        assert_eq!((signal.axes(), signal.point(5)), (&["y".into(), "x".into()][..], &[2.0, 1.0][..]));
        assert_eq!((signal.value(5), &signal.origin.grid), (&[1.0][..], &vec![3, 2]));
    }

    #[test]
    fn images_that_lie_are_refused() {
        let whole = file(ColorType::Grayscale, BitDepth::Eight, (4, 4), &[7; 16]);
        let end = whole.windows(4).position(|word| word == b"IEND").unwrap() - 4;
        for cut in 0..end {
            let error = read("a.png", &whole[..cut]).unwrap_err().to_string();
            assert!(error.starts_with("`a.png`: it"), "cut at {cut}: {error}");
        }
        // Another size, with a checksum that fits it.
        let sized = |width: u32, height: u32| {
            let mut lying = whole.clone();
            lying[16..20].copy_from_slice(&width.to_be_bytes());
            lying[20..24].copy_from_slice(&height.to_be_bytes());
            let sum = crc32(&lying[12..29]);
            lying[29..33].copy_from_slice(&sum.to_be_bytes());
            read("a.png", &lying).unwrap_err().to_string()
        };
        assert!(sized(0, 4).contains("no whole PNG image"), "{}", sized(0, 4));
        assert!(sized(5000, 5000).contains("claims 5000 by 5000 pixels in"), "{}", sized(5000, 5000));
        assert!(sized(1 << 15, 1 << 15).contains("are more numbers than"), "{}", sized(1 << 15, 1 << 15));
        assert!(sized(1 << 30, 1 << 30).contains("limits are exceeded"), "{}", sized(1 << 30, 1 << 30));
        assert!(sized(100, 100).contains("no whole PNG image"), "{}", sized(100, 100));
    }

    /// The checksum of PNG's chunks.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
            })
        })
    }

    #[test]
    fn damaged_images_are_read_or_refused() {
        let whole = file(ColorType::Rgb, BitDepth::Eight, (2, 1), &[1, 2, 3, 4, 5, 6]);
        for place in 0..whole.len() {
            for value in 0..=255 {
                let mut damaged = whole.clone();
                damaged[place] = value;
                _ = read("a", &damaged);
            }
        }
    }
}
