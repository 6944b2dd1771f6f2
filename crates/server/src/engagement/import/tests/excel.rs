//! Files as spreadsheets write them.

use jiff::tz::TimeZone;

use super::*;
use crate::engagement::import::{DateFormat, FileEncoding};

fn berlin() -> ImportOptions {
    ImportOptions { time_zone: Some(TimeZone::get("Europe/Berlin").unwrap()), ..Default::default() }
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
}

/// Client, name and time of each row.
fn summaries(rows: Rows) -> Vec<(String, String, String)> {
    rows.into_iter()
        .map(event)
        .map(|event| (event.client_id, event.name, event.timestamp.unwrap().to_string()))
        .collect()
}

fn one(client: &str, name: &str, time: &str) -> Vec<(String, String, String)> {
    vec![(client.to_owned(), name.to_owned(), time.to_owned())]
}

#[test]
fn semicolons_and_tabs_are_recognised_by_the_header() {
    for delimiter in [",", ";", "\t"] {
        let text = format!("client_id;event;timestamp;note\r\nada;login;{TIME};\"a;b,c\"\r\n")
            .replace(';', delimiter)
            .replace(&format!("a{delimiter}b"), "a;b");
        let mut rows = csv_rows(&text);
        assert_eq!(rows.len(), 1, "{text}");
        let event = event(rows.remove(0));
        assert_eq!((event.client_id.as_str(), event.name.as_str()), ("ada", "login"));
        assert_eq!(event.data["note"], "a;b,c");
    }
}

#[test]
fn a_line_that_names_the_separator_is_no_header() {
    for text in ["sep=;\r\n", "SEP=;\n", "\u{feff}sep=;\r\n"] {
        let rows = csv_rows(format!("{text}client_id;event;timestamp\nada;login;{TIME}\n"));
        assert_eq!(outcomes(&rows), [(3, true)], "{text:?}");
    }
    // Another delimiter than the three can be named, too.
    let rows = csv_rows(format!("sep=|\nclient_id|event|timestamp\nada|login|{TIME}\n"));
    assert_eq!(outcomes(&rows), [(3, true)]);
}

#[test]
fn columns_may_be_mapped_whatever_separates_them() {
    let columns = vec!["client_id=Kunde".parse().unwrap(), "timestamp=Zeit".parse().unwrap()];
    let options = ImportOptions { columns, ..Default::default() };
    let rows = read("x.csv", format!("Kunde;event;Zeit\nada;login;{TIME}\n"), &options);
    assert_eq!(summaries(rows), one("ada", "login", "2026-05-01T07:30:00Z"));
}

#[test]
fn unicode_text_of_excel_is_read_in_either_byte_order_packed_or_not() {
    let text = format!("client_id\tevent\ttimestamp\r\nzoë €\tlogin\t{TIME}\r\n");
    for bytes in [utf16(&text, u16::to_le_bytes), utf16(&text, u16::to_be_bytes)] {
        for content in [bytes.clone(), gzipped(&bytes)] {
            assert_eq!(summaries(csv_rows(content)), one("zoë €", "login", "2026-05-01T07:30:00Z"));
        }
    }
}

#[test]
fn a_large_file_in_utf_16_is_read_to_the_end() {
    let rows: Vec<String> = (0..20_000).map(|n| format!("käse-{n};login;{TIME}\n")).collect();
    let text = format!("client_id;event;timestamp\n{}", rows.concat());
    let rows = csv_rows(utf16(&text, u16::to_le_bytes));
    assert_eq!(rows.len(), 20_000);
    let last = event(rows.into_iter().next_back().unwrap());
    assert_eq!(last.client_id, "käse-19999");
}

#[test]
fn utf_16_that_is_cut_in_the_midst_of_a_character_is_said_to_be() {
    let mut bytes =
        utf16(&format!("client_id;event;timestamp\nada;login;{TIME}\n"), u16::to_le_bytes);
    bytes.push(b'x');
    let sample = Sample::new("x.csv", bytes);
    let outcome = sample
        .open()
        .and_then(|rows| rows.map(|row| row.map(drop)).collect::<Result<Vec<()>, _>>());
    assert_says(&outcome.unwrap_err().to_string(), &["not valid UTF-16LE", "--encoding"]);
}

#[test]
fn what_excel_saves_in_western_europe_is_read_when_its_encoding_is_told() {
    let bytes =
        b"client_id;event;timestamp\r\n\x8042 \x84M\xfcller\x93;login;2026-05-01T07:30:00Z\r\n";
    for name in ["windows-1252", "latin1", "ISO-8859-1", "cp1252"] {
        let encoding: FileEncoding = name.parse().unwrap();
        let options = ImportOptions { encoding: Some(encoding), ..Default::default() };
        let rows = read("x.csv", bytes, &options);
        assert_eq!(summaries(rows), one("€42 „Müller“", "login", "2026-05-01T07:30:00Z"), "{name}");
    }
    let (line, reason) = refusal(csv_rows(bytes));
    assert_eq!(line, 2);
    assert_says(&reason, &["client_id", "not UTF-8", "--encoding windows-1252"]);
    let header = b"client_id;event;timestamp;Stra\xdfe\r\nada;login;2026-05-01T07:30:00Z;x\r\n";
    assert_says(&Sample::new("x.csv", header).problem(), &["not UTF-8", "--encoding windows-1252"]);
    assert!("klingon".parse::<FileEncoding>().unwrap_err().to_string().contains("windows-1252"));
}

#[test]
fn lines_that_end_with_a_carriage_return_alone_are_lines() {
    let rows = csv_rows(format!("client_id;event;timestamp\rada;login;{TIME}\rbob;login;{TIME}\r"));
    assert_eq!(outcomes(&rows), [(2, true), (3, true)]);
}

#[test]
fn local_times_are_read_in_the_zone_and_counted() {
    for (text, at) in [
        ("2026-11-28 09:30:00", "2026-11-28T08:30:00Z"),
        ("2026-11-28T09:30", "2026-11-28T08:30:00Z"),
        ("2026-11-28 09:30:00.250", "2026-11-28T08:30:00.25Z"),
        ("2026-07-01 09:30", "2026-07-01T07:30:00Z"),
        ("2026-11-28", "2026-11-27T23:00:00Z"),
    ] {
        let content = format!("client_id,event,timestamp\nada,login,{text}\n");
        let sample = Sample::new("x.csv", &content);
        let mut source = ImportSource::open(&sample.path, &berlin()).unwrap();
        let row = source.next().unwrap().unwrap();
        assert_eq!(event(row).timestamp.unwrap().to_string(), at, "{text}");
        assert_eq!(source.local_times(), 1);
        // Without a zone nobody guesses one.
        assert_says(&refusal(csv_rows(&content)).1, &["timestamp", "offset"]);
    }
}

#[test]
fn a_time_with_an_offset_is_no_local_time() {
    let sample = Sample::new("x.csv", format!("client_id,event,timestamp\nada,login,{TIME}\n"));
    let mut source = ImportSource::open(&sample.path, &berlin()).unwrap();
    let row = source.next().unwrap().unwrap();
    assert_eq!(event(row).timestamp.unwrap().to_string(), "2026-05-01T07:30:00Z");
    assert_eq!(source.local_times(), 0);
}

#[test]
fn whether_day_or_month_comes_first_is_never_guessed() {
    for text in ["28.11.2026 09:30", "11/28/2026 9:30 AM", "03/04/2026", "28/11/26 09:30"] {
        let content = format!("client_id;event;timestamp\nada;login;{text}\n");
        let (_, reason) = refusal(read("x.csv", content, &berlin()));
        assert_says(&reason, &["day or the month", "--date-format \"%d.%m.%Y %H:%M\""]);
    }
}

#[test]
fn a_date_format_reads_what_it_says_and_nothing_else() {
    for (format, text, at) in [
        ("%d.%m.%Y %H:%M", "28.11.2026 09:30", "2026-11-28T08:30:00Z"),
        ("%d.%m.%Y %H:%M:%S", "28.11.2026 09:30:05", "2026-11-28T08:30:05Z"),
        ("%m/%d/%Y %I:%M %p", "11/28/2026 9:30 AM", "2026-11-28T08:30:00Z"),
        ("%d.%m.%Y", "28.11.2026", "2026-11-27T23:00:00Z"),
        ("%d/%m/%y %H:%M", "03/04/26 09:30", "2026-04-03T07:30:00Z"),
        ("%d.%m.%Y %H:%M %z", "28.11.2026 09:30 -0500", "2026-11-28T14:30:00Z"),
    ] {
        let date_format = Some(format.parse::<DateFormat>().unwrap());
        let options = ImportOptions { date_format, ..berlin() };
        let content =
            format!("client_id;event;timestamp\nada;login;{text}\nbob;login;31.31.2026\n");
        let mut rows = read("x.csv", content, &options);
        assert_says(&rows.pop().unwrap().unwrap_err().reason, &["31.31.2026", "--date-format"]);
        assert_eq!(summaries(rows), one("ada", "login", at), "{format}");
    }
}

#[test]
fn a_date_format_that_reads_no_date_is_refused_with_examples() {
    for format in ["", "dd.mm.yyyy", "%H:%M", "%Q"] {
        let summaries = format.parse::<DateFormat>().unwrap_err().to_string();
        assert_says(&summaries, &["%d.%m.%Y %H:%M"]);
    }
}

#[test]
fn times_of_ndjson_say_their_offset() {
    let options = ImportOptions { date_format: Some("%d.%m.%Y".parse().unwrap()), ..berlin() };
    let sample = Sample::new("x.ndjson", "{}\n");
    let problem = ImportSource::open(&sample.path, &options).unwrap_err().problem.to_string();
    assert_says(&problem, &["--date-format", "CSV"]);
}
