use proptest::{
    collection::{hash_map, vec},
    prelude::*,
};

use super::*;

/// Random bytes with the delimiters that the readers look for.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "\"", "\"\"", ",", "\n", "\r\n", "\r", "client_id", "event", "timestamp", "x", " ", "é",
            "{", "}", "[", ":", "\"type\":\"track\"", "\"userId\":", "\"timestamp\":\"", "null",
            "\\ud800", "\\u0000", "1e9", "-", TIME, "\u{feff}",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..8),
    ];
    vec(piece, 0..200).prop_map(|pieces| pieces.concat())
}

fn starts() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "client_id,event,timestamp\n",
        "\u{feff}client_id,event,timestamp,x\r\n",
        "{\"type\":\"track\",\"userId\":1,\"event\":\"x\",\"timestamp\":\"2026-05-01T00:00:00Z\"}\n",
    ])
}

/// Reads all rows and checks that every row has its own line of the file.
fn drain(content: &[u8], lines: Option<usize>, format: Option<Format>) {
    let sample = Sample::new("x", content);
    let options = ImportOptions { format, ..ImportOptions::default() };
    let Ok(source) = ImportSource::open(&sample.path, &options) else {
        return;
    };
    let mut before = 0;
    for row in source {
        let Ok(row) = row else { return };
        let (line, raw) = match row {
            Ok(row) => (row.line, row.raw),
            Err(row) => (row.line, row.raw),
        };
        assert!(line > before, "line {line} comes after {before}");
        assert!(raw.chars().count() <= super::super::MAX_RAW_CHARS);
        before = line;
    }
    if let Some(lines) = lines {
        assert!(before <= lines as u64, "line {before} of {lines}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(start in starts(), bytes in bytes(), cut in any::<prop::sample::Index>()) {
        let content = [start.as_bytes(), &bytes].concat();
        let lines = content.split(|byte| *byte == b'\n').count();
        let packed = gzipped(&content);
        for format in [None, Some(Format::Csv), Some(Format::Ndjson)] {
            drain(&content, Some(lines), format);
            drain(&packed, Some(lines), format);
            drain(&packed[..cut.index(packed.len())], None, format);
        }
    }

    #[test]
    fn no_bytes_behind_the_mark_of_gzip_make_a_reader_panic(bytes in vec(any::<u8>(), 0..100)) {
        drain(&[b"\x1f\x8b\x08\x00", bytes.as_slice()].concat(), None, None);
    }

    /// What the csv crate writes is read back unchanged.
    #[test]
    fn written_cells_are_read_back(
        cells in vec(hash_map("[a-z]{1,3}", "\\PC{0,6}|[\",\r\n x]{0,6}", 2), 1..5),
        clients in vec("[a-z\",\n]{1,8}", 5),
        crlf in any::<bool>(),
    ) {
        let mut columns: Vec<&String> = cells.iter().flat_map(|row| row.keys()).collect();
        columns.sort();
        columns.dedup();
        let terminator = if crlf { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') };
        let mut writer = ::csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
        let names = columns.iter().map(|name| name.as_str());
        writer.write_record(["client_id", "event", "timestamp"].into_iter().chain(names)).unwrap();
        for (row, client) in cells.iter().zip(&clients) {
            let values = columns.iter().map(|name| row.get(*name).map_or("", String::as_str));
            writer.write_record([client.as_str(), "login", TIME].into_iter().chain(values)).unwrap();
        }
        let content = writer.into_inner().unwrap();

        let rows = csv_rows(&content);
        prop_assert_eq!(rows.len(), cells.len());
        for ((row, cells), client) in rows.into_iter().zip(&cells).zip(&clients) {
            let event = event(row);
            prop_assert_eq!(&event.client_id, client);
            let written = cells.iter().filter(|(_, value)| !value.is_empty());
            prop_assert_eq!(event.data.len(), written.clone().count());
            for (name, value) in written {
                let read = &event.data[name];
                let read = read.as_str().map_or_else(|| read.to_string(), str::to_owned);
                prop_assert_eq!(&read, value);
            }
        }
    }
}
