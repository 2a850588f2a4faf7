//! Parquet files.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{
    FileMetaData, ParquetMetaDataBuilder, ParquetMetaDataReader, ParquetMetaDataWriter,
};
use parquet::file::properties::WriterProperties;

const DAY: i64 = 86_400_000_000;

fn file(columns: Vec<(&str, ArrayRef)>, compression: Compression) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("an end");
    bytes
}

fn long(compression: Compression) -> Vec<u8> {
    let ids: ArrayRef = Arc::new(StringArray::from(vec!["a", "a", "b", "b"]));
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, DAY, 0, DAY]));
    let values: ArrayRef = Arc::new(Float32Array::from(vec![Some(1.0), None, Some(2.5), Some(f32::MAX)]));
    file(vec![("unique_id", ids), ("ds", times), ("y", values)], compression)
}

/// One series with so many rows of the same value, at the times 0, 1 …, or all at 0.
fn counted(rows: i64, apart: i64) -> Vec<u8> {
    let times: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|row| row * apart)));
    let values: ArrayRef = Arc::new(Float32Array::from(vec![1.0; rows as usize]));
    file(vec![("ds", times), ("y", values)], Compression::UNCOMPRESSED)
}

/// The same file whose metadata claim another number of rows.
fn claiming(bytes: &[u8], rows: i64) -> Vec<u8> {
    let end = bytes.len() - 8;
    let length = u32::from_le_bytes(*bytes[end..].first_chunk().expect("a length")) as usize;
    let metadata = ParquetMetaDataReader::decode_metadata(&bytes[end - length..end]).expect("metadata");
    let own = metadata.file_metadata();
    let created_by = own.created_by().map(String::from);
    let entries = own.key_value_metadata().cloned();
    let orders = own.column_orders().cloned();
    let claimed = FileMetaData::new(own.version(), rows, created_by, entries, own.schema_descr_ptr(), orders);
    let groups = metadata
        .row_groups()
        .iter()
        .map(|group| group.clone().into_builder().set_num_rows(rows).build().expect("a group"));
    let claimed = ParquetMetaDataBuilder::new(claimed).set_row_groups(groups.collect()).build();
    let mut changed = bytes[..end - length].to_vec();
    ParquetMetaDataWriter::new(&mut changed, &claimed).finish().expect("metadata");
    changed
}

/// A file without rows whose schema has so many groups, each within the one before.
fn nested(groups: u16) -> Vec<u8> {
    // In Thrift's compact protocol: a name and one child, a column, no rows and no groups of rows.
    let group = [0x48, 1, b'g', 0x15, 2, 0];
    let column = [0x15, 8, 0x25, 0, 0x18, 1, b'y', 0];
    let count = groups + 1;
    let count = [(count & 127) as u8 | 128, (count >> 7 & 127) as u8 | 128, (count >> 14) as u8];
    let schema = [group.repeat(groups.into()), column.to_vec()].concat();
    let footer = [&[0x15, 2, 0x19, 0xfc][..], &count, &schema, &[0x16, 0, 0x19, 0x0c, 0]].concat();
    [&b"PAR1"[..], &footer, &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat()
}

/// All of them.
pub fn files() -> Vec<(&'static str, Vec<u8>)> {
    let plain = long(Compression::UNCOMPRESSED);
    let flipped = |at: usize| {
        let mut flipped = plain.clone();
        flipped[at] ^= 0x10;
        flipped
    };
    let end = plain.len();
    let with_length = |length: u32| [&plain[..end - 8], &length.to_le_bytes(), b"PAR1"].concat();
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["2024-01-01", "2024-01-02"]));
    let zoned: ArrayRef =
        Arc::new(TimestampMicrosecondArray::from(vec![0, DAY]).with_timezone("Europe/Berlin"));
    let far: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![i64::MIN, i64::MAX]));
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    let large: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 1e300]));
    let ids: ArrayRef = Arc::new(["a", "b"].into_iter().collect::<DictionaryArray<Int32Type>>());
    let nobody: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    let whole = Compression::UNCOMPRESSED;
    let few = counted(40, 1);
    vec![
        ("plain", plain.clone()),
        ("snappy", long(Compression::SNAPPY)),
        ("zstandard", long(Compression::ZSTD(ZstdLevel::default()))),
        ("texts_as_dates", file(vec![("date", dates), ("a", numbers.clone())], whole)),
        ("zoned", file(vec![("date", zoned.clone()), ("a", numbers.clone())], whole)),
        ("dictionary", file(vec![("id", ids), ("ds", zoned.clone()), ("y", numbers.clone())], whole)),
        ("no_name", file(vec![("id", nobody), ("ds", zoned.clone()), ("y", numbers.clone())], whole)),
        ("far_apart", file(vec![("ds", far), ("y", numbers)], whole)),
        ("beyond_floats", file(vec![("ds", zoned), ("y", large)], whole)),
        ("magic_only", b"PAR1".to_vec()),
        ("magic_twice", b"PAR1PAR1".to_vec()),
        ("cut", plain[..end / 2].to_vec()),
        ("flipped_in_a_page", flipped(30)),
        ("flipped_in_the_footer", flipped(end - 40)),
        ("footer_of_all_words", with_length(u32::MAX)),
        ("footer_of_nothing", with_length(0)),
        ("rows_of_a_terabyte", claiming(&few, 1 << 40)),
        ("rows_negative", claiming(&few, -1)),
        ("rows_most_negative", claiming(&few, i64::MIN)),
        ("rows_more_than_there_are", claiming(&few, 1 << 19)),
        ("rows_less_than_there_are", claiming(&few, 1)),
        ("rows_too_many", claiming(&few, (1 << 20) + 1)),
        ("groups_within_groups", nested(20_000)),
        ("one_value_many_times", counted(1 << 16, 0)),
    ]
}
