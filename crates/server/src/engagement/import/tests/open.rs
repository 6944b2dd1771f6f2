use std::io;

use super::super::ImportProblem;
use super::*;

/// `client_id,event,timestamp` and one row, as gzip packs it.
const SMALL_GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\xce\xc9\x4c\xcd\x2b\x89\xcf\
    \x4c\xd1\x49\x2d\x03\x32\x74\x4a\x32\x73\x53\x8b\x4b\x12\x73\x0b\xb8\x12\x53\x12\x75\x72\xf2\
    \xd3\x33\xf3\x74\x8c\x0c\x8c\xcc\x74\x0d\x4c\x75\x0d\x0c\x43\x0c\x2c\xad\x8c\x0d\xac\x0c\x0c\
    \xb4\x0d\x8c\x80\x24\x17\x00\xa1\x89\xa7\x47\x3e\x00\x00\x00";

fn csv_of(clients: std::ops::Range<u32>) -> String {
    clients.map(|client| format!("client-{client},login,{TIME},,,,\n")).collect::<Vec<_>>().concat()
}

#[test]
fn a_gzip_file_is_recognised_by_its_bytes_whatever_its_name() {
    for name in ["x.csv.gz", "x.csv", "export"] {
        let rows = read(name, SMALL_GZIP, &ImportOptions::default());
        assert_eq!(outcomes(&rows), [(2, true)]);
        let event = event(rows.into_iter().next().unwrap());
        assert_eq!((event.client_id.as_str(), event.name.as_str()), ("ada", "login"));
        assert_eq!(event.timestamp.unwrap().to_string(), "2026-05-01T07:30:00Z");
    }
}

#[test]
fn gzip_files_that_were_put_one_behind_the_other_are_read_to_the_end() {
    let mut packed = gzipped(HEADER.to_owned() + &csv_of(0..2));
    packed.extend(gzipped(csv_of(2..5)));
    assert_eq!(csv_rows(packed).len(), 5);
}

#[test]
fn the_rows_before_a_cut_in_a_gzip_file_are_read_and_then_it_is_named() {
    let content = HEADER.to_owned()
        + &(0..20_000)
            .map(|n| format!("client-{},login,{TIME},{:x},,,\n", n * 7919 % 1000, n * 104_729))
            .collect::<Vec<_>>()
            .concat();
    let packed = gzipped(&content);
    let sample = Sample::new("x.csv.gz", &packed[..packed.len() * 2 / 3]);
    let mut rows = 0;
    let mut source = sample.open().unwrap();
    let error = loop {
        match source.next() {
            Some(Ok(row)) => {
                row.unwrap();
                rows += 1;
            }
            Some(Err(error)) => break error,
            None => panic!("the cut was not noticed"),
        }
    };
    assert!(rows > 5_000, "{rows}");
    assert_says(&error.to_string(), &["x.csv.gz: ", "is cut off", &format!("line {}", rows + 1)]);
    assert!(source.next().is_none(), "nothing comes behind a fatal error");
}

#[test]
fn a_gzip_file_with_a_flipped_bit_is_never_taken_for_a_whole_one() {
    let content = HEADER.to_owned() + &csv_of(0..50);
    let packed = gzipped(&content);
    let texts = |rows: ImportSource| -> Result<Vec<String>, ImportError> {
        rows.map(|row| row.map(|row| row.map_or_else(|row| row.raw, |row| row.raw))).collect()
    };
    let expected: Vec<&str> = content.lines().skip(1).collect();
    // The header has bytes without meaning (time, system), and so are the last bits of the data.
    for byte in 10..packed.len() {
        let mut packed = packed.clone();
        packed[byte] ^= 0x10;
        let sample = Sample::new("x.csv.gz", packed);
        if let Ok(rows) = sample.open().and_then(texts) {
            assert_eq!(rows, expected, "a bit of byte {byte} was flipped without notice");
        }
    }
}

#[test]
fn a_file_that_is_missing_or_a_directory_is_named_with_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let open =
        |path: &Path| ImportSource::open(path, &ImportOptions::default()).unwrap_err().to_string();
    let missing = directory.path().join("nothing.csv");
    assert_eq!(
        open(&missing),
        format!("{}: the file does not exist; check the path", missing.display())
    );
    assert_says(&open(directory.path()), &["is a directory", "give one file"]);
}

#[test]
fn a_file_that_may_not_be_read_is_told_from_a_missing_one() {
    // As root every file may be read, so the error is made here.
    let error = ImportError::opening(Path::new("x.csv"), io::ErrorKind::PermissionDenied.into());
    assert_says(&error.to_string(), &["x.csv: is not readable", "permissions"]);
}

#[test]
fn an_empty_file_is_refused_packed_or_not_and_whatever_blank_it_holds() {
    for content in ["", "\n", "\r\n \n\t", "\u{feff}", "\u{feff}\n\n"] {
        for name in ["x.csv", "x.ndjson", "x"] {
            assert_says(&Sample::new(name, content).problem(), &["is empty"]);
            let packed = Sample::new(name, gzipped(content)).problem();
            assert_says(&packed, &["empty gzip file"]);
        }
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_has_no_size_and_can_be_empty_too() {
    let error = ImportSource::open(Path::new("/dev/null"), &ImportOptions::default()).unwrap_err();
    assert!(matches!(error.problem, ImportProblem::Empty));
}

#[test]
fn other_kinds_of_files_are_named_with_the_remedy() {
    assert_says(&Sample::new("x.csv", b"PK\x03\x04rest").problem(), &["ZIP", "CSV"]);
    assert_says(&Sample::new("x.zst", b"\x28\xb5\x2f\xfdrest").problem(), &["zstd", "gzip"]);
    assert_says(&Sample::new("x.xz", b"\xfd7zXZ\0").problem(), &["xz", "gzip"]);
    assert_says(&Sample::new("x.bz2", b"BZh91AY&SY").problem(), &["bzip2", "gzip"]);
    assert_says(&Sample::new("x.gz", gzipped(gzipped("x"))).problem(), &["twice", "gunzip"]);
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    assert_says(&Sample::new("x.tar.gz", gzipped(tar)).problem(), &["tar archive", "extract"]);
}

#[test]
fn the_format_comes_from_the_option_then_the_name_then_the_first_byte() {
    let csv = HEADER.to_owned() + &csv_of(0..1);
    let json = format!(r#"{{"type":"track","userId":"a","event":"b","timestamp":"{TIME}"}}"#);
    for (name, content, format) in [
        ("x.csv", &csv, Format::Csv),
        ("x.CSV.GZ", &csv, Format::Csv),
        ("x.txt", &csv, Format::Csv),
        ("x", &csv, Format::Csv),
        ("x.ndjson", &json, Format::Ndjson),
        ("x.jsonl.gz", &json, Format::Ndjson),
        ("x.json", &csv, Format::Ndjson),
        ("export.2026", &json, Format::Ndjson),
        ("x.gz", &format!("\u{feff}\n {json}"), Format::Ndjson),
    ] {
        assert_eq!(Sample::new(name, content).open().unwrap().format(), format, "{name}");
    }
    let source = Sample::new("x.ndjson", &csv).open_as(Format::Csv).unwrap();
    assert_eq!(source.format(), Format::Csv);
}

#[test]
fn a_progress_bar_ends_at_the_size_of_the_file_on_disk() {
    let content = HEADER.to_owned() + &csv_of(0..20_000);
    for content in [content.as_bytes(), &gzipped(&content)] {
        let sample = Sample::new("x.csv", content);
        let mut source = sample.open().unwrap();
        let total = source.total_bytes().unwrap();
        assert_eq!(total, content.len() as u64);
        let mut before = source.bytes_read();
        while source.next().is_some() {
            assert!(source.bytes_read() >= before);
            before = source.bytes_read();
        }
        assert_eq!((source.bytes_read(), source.lines_read()), (total, 20_001));
    }
}
