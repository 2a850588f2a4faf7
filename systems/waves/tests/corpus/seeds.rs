//! The files: whole ones, and what could be done to them.

use std::io::Cursor;

use hound::{Sample, SampleFormat, WavSpec, WavWriter};
use png::{BitDepth, ColorType};

/// An NPY file of version 1.
fn array(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

/// NumPy's arrays.
pub fn npy() -> Vec<(&'static str, Vec<u8>)> {
    let header = |descr: &str, shape: &str| {
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n")
    };
    let floats = [1.5f32, -2.0, 1e-40, 3e38].map(f32::to_le_bytes).concat();
    let plane = array(&header("<f4", "(2, 2)"), &floats);
    let mut long_header = plane.clone();
    long_header[8..10].copy_from_slice(&[255, 255]);
    let second = [b"\x93NUMPY\x02\x00\xff\xff\xff\xff", &floats[..]].concat();
    vec![
        ("plane", plane.clone()),
        ("whole_numbers", array(&header("|i1", "(16,)"), &floats)),
        ("big_endian", array(&header(">u4", "(4,)"), &floats)),
        ("eight_axes", array(&header("|u1", "(2, 2, 2, 2, 1, 1, 1, 1)"), &floats)),
        ("nine_axes", array(&header("|u1", "(2, 2, 2, 2, 1, 1, 1, 1, 1)"), &floats)),
        ("no_axes", array(&header("<f4", "()"), &floats[..4])),
        ("empty_axis", array(&header("<f4", "(0, 5)"), b"")),
        ("shape_overflows", array(&header("<f4", "(4294967296, 4294967296, 4)"), &floats)),
        ("shape_beyond_words", array(&header("<f4", "(99999999999999999999,)"), &floats)),
        ("shape_negative", array(&header("<f4", "(-4,)"), &floats)),
        ("shape_left_open", array("{'descr': '<f4', 'fortran_order': False, 'shape': (4", &floats)),
        ("too_short", plane[..plane.len() - 1].to_vec()),
        ("too_long", [&plane[..], &[0]].concat()),
        ("infinite", array(&header("<f8", "(1,)"), &f64::MAX.to_le_bytes())),
        ("objects", array(&header("|O", "(2,)"), &floats)),
        ("structured", array("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (4,)}", &floats)),
        ("of_no_type", array("{'descr': '', 'fortran_order': False, 'shape': (4,)}", &floats)),
        ("of_no_width", array(&header("<f0", "(4,)"), &floats)),
        ("fortran_order", array("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}", &floats)),
        ("no_header", array("", &floats)),
        ("not_utf8", [b"\x93NUMPY\x01\x00\x02\x00\xff\xfe", &floats[..]].concat()),
        ("long_header", long_header),
        ("long_second_header", second),
        ("version_9", [b"\x93NUMPY\x09\x00", &floats[..]].concat()),
        ("empty", Vec::new()),
    ]
}

fn image(color: ColorType, depth: BitDepth, size: (u32, u32), pixels: &[u8]) -> Vec<u8> {
    let mut contents = Vec::new();
    let mut encoder = png::Encoder::new(&mut contents, size.0, size.1);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == ColorType::Indexed {
        encoder.set_palette(vec![255, 0, 0, 0, 0, 255]);
        encoder.set_trns(vec![0, 128]);
    }
    let mut writer = encoder.write_header().expect("a size");
    writer.write_image_data(pixels).expect("as many pixels");
    writer.finish().expect("the end");
    contents
}

/// Images.
pub fn png() -> Vec<(&'static str, Vec<u8>)> {
    let (eight, sixteen) = (BitDepth::Eight, BitDepth::Sixteen);
    let grey = image(ColorType::Grayscale, eight, (4, 3), &[7; 12]);
    let sized = |width: u32, height: u32| {
        let mut lying = grey.clone();
        lying[16..20].copy_from_slice(&width.to_be_bytes());
        lying[20..24].copy_from_slice(&height.to_be_bytes());
        let sum = checksum(&lying[12..29]);
        lying[29..33].copy_from_slice(&sum.to_be_bytes());
        lying
    };
    vec![
        ("grey", grey.clone()),
        ("colours", image(ColorType::Rgb, eight, (2, 1), &[255, 0, 9, 0, 255, 0])),
        ("transparent", image(ColorType::Rgba, sixteen, (1, 1), &[1, 2, 3, 4, 5, 6, 7, 8])),
        ("palette", image(ColorType::Indexed, BitDepth::One, (2, 1), &[0b0100_0000])),
        ("bits", image(ColorType::Grayscale, BitDepth::Two, (5, 1), &[0b0001_1011, 0b1100_0000])),
        ("blank", image(ColorType::Grayscale, eight, (300, 300), &[0; 90_000])),
        ("no_width", sized(0, 3)),
        ("no_height", sized(4, 0)),
        ("higher", sized(4, 30)),
        ("wider_than_words", sized(u32::MAX, u32::MAX)),
        ("widest", sized((1 << 31) - 1, 1)),
        ("wide", sized(1 << 20, 1)),
        ("wide_and_high", sized(5000, 5000)),
        ("wide_and_higher", sized(1 << 15, 1 << 15)),
        ("cut", grey[..grey.len() - 20].to_vec()),
        ("signature_only", grey[..8].to_vec()),
        ("empty", Vec::new()),
    ]
}

/// The checksum of PNG's chunks (CRC-32).
fn checksum(bytes: &[u8]) -> u32 {
    let shift = |crc: u32, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
    !bytes.iter().fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), shift))
}

fn sound<S: Sample + Copy>(
    bits_per_sample: u16,
    sample_format: SampleFormat,
    channels: u16,
    samples: &[S],
) -> Vec<u8> {
    let spec = WavSpec { channels, sample_rate: 8000, bits_per_sample, sample_format };
    let mut contents = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut contents, spec).expect("a specification");
    samples.iter().for_each(|sample| writer.write_sample(*sample).expect("in range"));
    writer.finalize().expect("memory");
    contents.into_inner()
}

/// Sounds.
pub fn wav() -> Vec<(&'static str, Vec<u8>)> {
    let whole_numbers = |bits, channels, samples: &[i32]| sound(bits, SampleFormat::Int, channels, samples);
    let floats = |samples: &[f32]| sound(32, SampleFormat::Float, 1, samples);
    let samples = [0, 1, -1, 100];
    let whole = whole_numbers(16, 2, &samples);
    let with = |place: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[place..place + bytes.len()].copy_from_slice(bytes);
        changed
    };
    // Of such a file the `fmt ` chunk begins at byte 12, and `data` at byte 36.
    assert_eq!((&whole[12..16], &whole[36..40]), (&b"fmt "[..], &b"data"[..]));
    vec![
        ("stereo", whole.clone()),
        ("eight_bits", whole_numbers(8, 1, &samples)),
        ("24_bits", whole_numbers(24, 1, &samples)),
        ("floats", floats(&[0.5, -2.0])),
        ("nan", floats(&[0.0, f32::NAN])),
        ("silent", whole_numbers(16, 1, &[])),
        ("claims_a_little_more", with(40, &12u32.to_le_bytes())),
        ("claims_much_more", with(40, &(1u32 << 31).to_le_bytes())),
        ("claims_half_a_sample", with(40, &7u32.to_le_bytes())),
        ("no_channels", with(22, &[0, 0])),
        ("many_channels", with(22, &[255, 255])),
        ("no_rate", with(24, &[0; 8])),
        ("no_bits", with(34, &[0, 0])),
        ("many_bits", with(34, &[255, 255])),
        ("no_blocks", with(32, &[0, 0])),
        ("compressed", with(20, &[85, 0])),
        ("format_is_short", with(16, &[2, 0, 0, 0])),
        ("format_is_long", with(16, &[255; 4])),
        ("no_data", with(36, b"last")),
        ("cut", whole[..whole.len() - 3].to_vec()),
        ("empty", Vec::new()),
    ]
}
