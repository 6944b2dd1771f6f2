use serde_json::{Value, json};

use super::super::{MAX_RAW_CHARS, MAX_ROW_BYTES};
use super::*;

/// One row below the usual header.
fn row(text: &str) -> Rows {
    csv_rows(HEADER.to_owned() + text)
}

#[test]
fn every_column_arrives_in_its_field_and_the_others_in_data() {
    let content = format!(
        "plan,client_id,event,timestamp,message_id,session_id,page_path,duration_seconds,\"a,b\"\n\
         pro,ada,Report Exported,{TIME},m-1,s-1,/reports?x=1,90,\"say \"\"hi\"\"\"\n"
    );
    let row = csv_rows(content).remove(0).unwrap();
    assert_eq!(row.line, 2);
    assert!(row.raw.starts_with("pro,ada,") && row.raw.ends_with("\"say \"\"hi\"\"\""));
    let event = event(Ok(row));
    assert_eq!(event.client_id, "ada");
    assert_eq!(event.name, "Report Exported");
    assert_eq!(event.event_type, None);
    assert_eq!(event.timestamp.unwrap().to_string(), "2026-05-01T07:30:00Z");
    assert_eq!(event.sent_at, None);
    assert_eq!(event.message_id, "m-1");
    assert_eq!(event.session_id.as_deref(), Some("s-1"));
    assert_eq!(event.page_path.as_deref(), Some("/reports?x=1"));
    assert_eq!(event.duration_seconds, Some(90));
    assert_eq!(Value::Object(event.data), json!({"plan": "pro", "a,b": "say \"hi\""}));
}

#[test]
fn empty_cells_are_left_out() {
    let content = format!("{},plan\nada,login,{TIME},,,,,\n", HEADER.trim_end());
    let event = event(csv_rows(content).remove(0));
    assert_eq!((event.session_id, event.page_path, event.duration_seconds), (None, None, None));
    assert!(event.message_id.starts_with("row-"));
    assert!(event.data.is_empty());
}

#[test]
fn a_cell_is_a_number_only_if_the_number_is_written_exactly_like_it() {
    for (cell, value) in [
        ("253", json!(253)),
        ("-7", json!(-7)),
        ("0", json!(0)),
        ("12.5", json!(12.5)),
        ("9007199254740991", json!(9_007_199_254_740_991_u64)),
        ("9007199254740992", json!("9007199254740992")),
        ("-9007199254740992", json!("-9007199254740992")),
        ("99999999999999999999999", json!("99999999999999999999999")),
        ("007", json!("007")),
        ("1.50", json!("1.50")),
        ("1e5", json!("1e5")),
        ("1E400", json!("1E400")),
        ("+1", json!("+1")),
        ("-0", json!("-0")),
        (".5", json!(".5")),
        ("0.1000000000000000055", json!("0.1000000000000000055")),
        (" 1", json!(" 1")),
        ("1 ", json!("1 ")),
        ("true", json!("true")),
        ("null", json!("null")),
        ("-", json!("-")),
    ] {
        let content = format!("client_id,event,timestamp,x\nada,login,{TIME},{cell}\n");
        assert_eq!(event(csv_rows(content).remove(0)).data["x"], value, "{cell:?}");
    }
}

#[test]
fn rows_are_numbered_by_their_first_line_across_blank_lines_and_quoted_line_ends() {
    let content = format!(
        "\u{feff}\r\n{header},note\r\n\r\n  \n\
         a,login,{TIME},,,,,\"two\r\nlines\"\r\n\
         ,,,,,,,\r\n\
         b,login,{TIME},,,,,\"\n\n\"\r\n\
         c,login\r\n\
         d,login,{TIME},,,,,x",
        header = HEADER.trim_end()
    );
    let rows = csv_rows(content);
    assert_eq!(outcomes(&rows), [(5, true), (8, true), (11, false), (12, true)]);
    let notes: Vec<_> =
        rows.into_iter().flatten().map(|row| event(Ok(row)).data["note"].clone()).collect();
    assert_eq!(notes, ["two\r\nlines", "\n\n", "x"]);
}

#[test]
fn a_file_with_nothing_but_a_header_has_no_rows() {
    assert!(csv_rows(HEADER).is_empty());
    assert!(csv_rows(HEADER.trim_end()).is_empty());
}

#[test]
fn missing_columns_are_named_with_those_there_are_and_the_option_that_maps_them() {
    let problem = Sample::new("x.csv", "user,event,when\nada,login,now\n").problem();
    assert_says(
        &problem,
        &[
            "no column client_id and no column timestamp",
            "it has user, event, when",
            "--column client_id=NAME --column timestamp=NAME",
        ],
    );
    let wide: String = (0..100).map(|n| n.to_string() + "x,").collect();
    assert_says(&Sample::new("x.csv", wide).problem(), &["19x", "and 81 more"]);
    for (content, hint) in [
        ("client_id|event|timestamp\n", "vertical bars"),
        ("kunde;event;timestamp\n", "it has kunde, event, timestamp"),
        ("kunde\tevent\ttimestamp\n", "it has kunde, event, timestamp"),
        ("{\"type\": \"track\"}\n", "--format ndjson"),
    ] {
        assert_says(&Sample::new("x.csv", content).problem(), &[hint]);
    }
}

#[test]
fn a_header_that_names_a_column_twice_is_refused() {
    let problem = Sample::new("x.csv", "client_id,event, event,timestamp\n").problem();
    assert_says(&problem, &["\"event\" twice", "rename"]);
}

#[test]
fn columns_without_a_name_are_kept_under_their_place() {
    let content = format!(",client_id,event,timestamp,,\n17,ada,login,{TIME},,x\n");
    let event = event(csv_rows(content).remove(0));
    assert_eq!(Value::Object(event.data), json!({"column_1": 17, "column_6": "x"}));
}

#[test]
fn a_header_that_is_not_csv_is_refused_with_its_line() {
    let problem = |content: &[u8]| Sample::new("x.csv", content).problem();
    assert_says(&problem(b"\nclient\"id,event\n"), &["header (line 2)", "quote"]);
    assert_says(
        &problem(b"client_id,\xff,timestamp\n"),
        &["header (line 1)", "UTF-8", "--encoding"],
    );
    let mixed = b"client_id,event,timestamp\rada,login,x\n";
    assert_says(&problem(mixed), &["carriage return", "LF"]);
    assert_says(&problem(&vec![b'x'; MAX_ROW_BYTES + 2]), &["header (line 1)", "1 MiB"]);
}

#[test]
fn ragged_rows_are_refused_one_by_one() {
    let good = format!("ada,login,{TIME},,,,\n");
    let rows =
        row(&format!("ada,login,{TIME}\n{good}{}x\n{good}x\n", good.trim_end().to_owned() + ","));
    assert_eq!(outcomes(&rows), [(2, false), (3, true), (4, false), (5, true), (6, false)]);
    let reasons: Vec<_> = rows.into_iter().filter_map(Result::err).map(|row| row.reason).collect();
    assert_says(&reasons[0], &["has 3 fields where the header has 7"]);
    assert_says(&reasons[1], &["has 8 fields where the header has 7"]);
    assert_says(&reasons[2], &["has 1 field where the header has 7"]);
}

#[test]
fn a_forgotten_quote_costs_one_row_and_not_all_that_follow() {
    let good = |client: &str| format!("{client},login,{TIME},,,,\n");
    // In the last column such a row would have the right number of fields, and swallow the rest.
    let open = format!("bad,login,{TIME},,,,\"1\n");
    let rows = row(&(good("a") + &open + &good("b") + &good("c")));
    assert_eq!(outcomes(&rows), [(2, true), (3, false), (4, true), (5, true)]);
    let refused = rows.into_iter().find_map(Result::err).unwrap();
    assert_says(&refused.reason, &["quote", "not closed", "close it"]);
    assert_eq!(refused.raw, open.trim_end());

    // Two of them look like one quoted text with rows in it.
    let rows = row(&(open.clone() + &good("a") + &open + &good("b")));
    assert_eq!(outcomes(&rows), [(2, false), (3, true), (4, false), (5, true)]);
}

#[test]
fn a_quote_that_stays_open_for_a_mebibyte_costs_one_row() {
    let good = format!("ada,login,{TIME},,,,\n");
    let count = MAX_ROW_BYTES / good.len() + 10;
    let rows = row(&(format!("ada,login,{TIME},,,,\"\n") + &good.repeat(count)));
    assert_eq!(rows.len(), count + 1);
    assert_eq!(rows.iter().filter(|row| row.is_err()).count(), 1);
}

#[test]
fn many_broken_quotes_are_read_in_one_pass() {
    // Read again from each broken line up to the next mebibyte, this would take minutes.
    for line in ["\"\"\"\n", "a\",\",\"\"\n", "\"\n", "x,\"\n,\n", "\"a\"b\n"] {
        let rows = row(&line.repeat(100_000));
        assert!(rows.iter().all(Result::is_err), "{line:?}");
    }
}

#[test]
fn misplaced_quotes_and_carriage_returns_are_refused_with_the_remedy() {
    let time = format!("{TIME},,,,");
    for (text, word) in [
        (format!("5\" pipe,login,{time}\n"), "inside a field without quotes"),
        (format!("\"ada\" b,login,{time}\n"), "after the closing quote"),
        (format!("ada, \"login\",{time}\n"), "from its start"),
        (format!("ada\rb,login,{time}\n"), "carriage return"),
        (format!("ada\r\r\nb,login,{time}\n").replace("\nb", ""), "carriage return"),
    ] {
        let (line, reason) = refusal(row(&text));
        assert_eq!(line, 2);
        assert_says(&reason, &[word]);
    }
}

#[test]
fn a_row_over_a_mebibyte_is_refused_and_the_next_one_read() {
    let good = format!("ada,login,{TIME},,,,\n");
    let rows = row(&format!("{}\n{good}", "x".repeat(3 * MAX_ROW_BYTES)));
    assert_eq!(outcomes(&rows), [(2, false), (3, true)]);
    let refused = rows.into_iter().find_map(Result::err).unwrap();
    assert_says(&refused.reason, &["1 MiB", "shorten"]);
    assert_eq!(refused.raw, "x".repeat(MAX_RAW_CHARS));
}

#[test]
fn a_row_of_exactly_a_mebibyte_is_read() {
    let start = format!("ada,login,{TIME},,,,");
    let row = |bytes: usize| {
        let content = format!(
            "{header},note\n{start},{note}\n",
            header = HEADER.trim_end(),
            note = "x".repeat(bytes - start.len() - 1)
        );
        csv_rows(content).remove(0)
    };
    assert!(row(MAX_ROW_BYTES).is_ok());
    assert!(row(MAX_ROW_BYTES + 1).is_err());
}

#[test]
fn a_row_that_is_not_utf_8_is_refused_and_still_shown() {
    let content = [HEADER.as_bytes(), b"Zo\xeb,login,", TIME.as_bytes(), b",,,,\n"].concat();
    let refused = csv_rows(content).remove(0).unwrap_err();
    assert_says(&refused.reason, &["client_id", "UTF-8", "--encoding"]);
    assert!(refused.raw.starts_with("Zo\u{fffd},login"));
}

#[test]
fn halves_of_a_character_in_two_fields_are_not_put_together() {
    let content = [HEADER.as_bytes(), b"\xc3,\xa9,", TIME.as_bytes(), b",,,,\n"].concat();
    assert_says(&refusal(csv_rows(content)).1, &["client_id", "UTF-8"]);
}

#[test]
fn the_kept_text_of_a_row_is_cut_between_characters() {
    for character in ["é", "€", "🦀"] {
        let raw = row(&format!("{},x\n", character.repeat(3_000))).remove(0).unwrap_err().raw;
        assert_eq!(raw, character.repeat(MAX_RAW_CHARS));
    }
}

#[test]
fn times_and_durations_that_cannot_be_used_are_refused_with_field_and_remedy() {
    for (time, duration, words) in [
        ("", "", ["timestamp: is missing", "RFC 3339"]),
        ("  ", "", ["timestamp: is missing", "RFC 3339"]),
        ("2026-05-01T09:30:00", "", ["timestamp: ", "with an offset"]),
        ("yesterday", "", ["timestamp: \"yesterday\"", "RFC 3339"]),
        ("99999-01-01T00:00:00Z", "", ["timestamp: ", "RFC 3339"]),
        (TIME, "12.0", ["duration_seconds: \"12.0\"", "whole number"]),
        (TIME, "1e3", ["duration_seconds: ", "86400"]),
        (TIME, "00:01:30", ["duration_seconds: ", "for example 90"]),
        (TIME, "99999999999999999999", ["duration_seconds: ", "86400"]),
    ] {
        let (_, reason) = refusal(row(&format!("ada,login,{time},,,,{duration}\n")));
        assert_says(&reason, &words);
    }
    // Numbers out of range are for the check that every event goes through.
    assert_eq!(event(row(&format!("a,b,{TIME},,,, -5 \n")).remove(0)).duration_seconds, Some(-5));
}
