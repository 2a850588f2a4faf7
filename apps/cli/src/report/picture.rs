//! Numbers as pictures.

use bessemer::train::report::Picture;
use png::{BitDepth, ColorType, Encoder};

/// Colours from dark to bright, evenly spaced in lightness, so that they can be told apart in grey as well:
/// (red, green, blue) at equal distances.
const COLOURS: [[f32; 3]; 6] = [
    [10.0, 8.0, 40.0],
    [66.0, 20.0, 110.0],
    [150.0, 45.0, 110.0],
    [220.0, 85.0, 70.0],
    [250.0, 160.0, 50.0],
    [252.0, 245.0, 180.0],
];

/// The colour of a number from 0 to 1.
fn colour(x: f32) -> [u8; 3] {
    let place = if x.is_nan() { 0.0 } else { x.clamp(0.0, 1.0) } * (COLOURS.len() - 1) as f32;
    let below = (place as usize).min(COLOURS.len() - 2);
    let share = place - below as f32;
    std::array::from_fn(|i| (COLOURS[below][i] + share * (COLOURS[below + 1][i] - COLOURS[below][i])) as u8)
}

/// Rows of numbers, the first at the top, dark where they are `least` and bright where they are `most`.
pub fn heat(title: &str, rows: &[Vec<f32>], least: f32, most: f32) -> Picture {
    let span = if most > least { most - least } else { 1.0 };
    let pixels = rows.iter().flatten().flat_map(|x| colour((x - least) / span)).collect::<Vec<u8>>();
    picture(title, rows.first().map_or(0, Vec::len), rows.len(), &pixels)
}

/// Pixels of red, green and blue.
pub fn picture(title: &str, width: usize, height: usize, rgb: &[u8]) -> Picture {
    let mut png = Vec::new();
    let mut encoder = Encoder::new(&mut png, width as u32, height as u32);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    // Writing to memory fails for pictures without pixels only, of which nothing is shown.
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(rgb));
    if written.is_err() {
        png.clear();
    }
    Picture { title: title.to_string(), png, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_from_dark_to_bright() {
        let lightness = |x: f32| {
            let [r, g, b] = colour(x).map(f32::from);
            0.299 * r + 0.587 * g + 0.114 * b
        };
        for n in 0..100 {
            assert!(lightness((n + 1) as f32 / 100.0) >= lightness(n as f32 / 100.0), "{n}");
        }
        assert_eq!((colour(-3.0), colour(f32::NAN)), (colour(0.0), [10, 8, 40]));
    }

    #[test]
    fn a_picture_has_the_size_of_its_rows() {
        let picture = heat("two by three", &[vec![0.0; 3], vec![1.0; 3]], 0.0, 1.0);
        let reader = png::Decoder::new(std::io::Cursor::new(&picture.png)).read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), (3, 2));
    }
}
