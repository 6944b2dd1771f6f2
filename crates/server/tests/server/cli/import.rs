use std::{fs, io::Write as _};

use super::sandbox::Sandbox;

const EVENTS: &str = "\
client_id,event,timestamp,message_id,lines
a,login,2024-05-01T10:00:00Z,1,
a,content_generated,2024-05-02T10:00:00+02:00,,12
b,login,2024-05-02T10:00:00Z,3,
";

fn with_organization() -> Sandbox {
    let sandbox = Sandbox::sqlite();
    sandbox.run_ok("org create acme");
    sandbox
}

fn packed(content: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(content.as_bytes()).unwrap();
    packer.finish().unwrap()
}

/// The counts of a summary: read, stored, duplicate, refused.
fn counts(out: &str) -> [u64; 4] {
    ["read", "stored", "duplicate", "refused"].map(|what| {
        let line = out.lines().find(|line| line.trim_start().starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    })
}

#[test]
fn a_second_import_stores_nothing_whether_the_file_is_packed_or_not() {
    let sandbox = with_organization();
    sandbox.write("events.csv", EVENTS);
    sandbox.write("events.csv.gz", packed(EVENTS));
    assert_eq!(counts(&sandbox.run_ok("import events.csv.gz --org acme").out), [3, 3, 0, 0]);
    assert_eq!(counts(&sandbox.run_ok("import events.csv.gz --org acme").out), [3, 0, 3, 0]);
    assert_eq!(counts(&sandbox.run_ok("import events.csv --org acme").out), [3, 0, 3, 0]);
}

#[test]
fn a_dry_run_predicts_the_outcome_and_stores_nothing() {
    let sandbox = with_organization();
    sandbox.write("events.csv", EVENTS);
    let dry = sandbox.run_ok("import events.csv --org acme --dry-run");
    assert!(dry.out.starts_with("dry run of events.csv into acme: nothing was stored"), "{dry:?}");
    assert_eq!(counts(&dry.out), [3, 3, 0, 0]);
    assert_eq!(counts(&sandbox.run_ok("import events.csv --org acme").out), [3, 3, 0, 0]);
}

#[test]
fn a_dry_run_knows_the_rows_that_it_has_seen_before() {
    let sandbox = with_organization();
    // More than go into one transaction, the last of them twice.
    let mut events = "client_id,event,timestamp,message_id\n".to_owned();
    for number in 0..5_001 {
        events.push_str("c,login,2024-05-03T10:00:00Z,m");
        events.push_str(&number.to_string());
        events.push('\n');
    }
    events.push_str("c,login,2024-05-03T10:00:00Z,m0\n");
    sandbox.write("events.csv", events);
    for dry_run in [true, false] {
        let options = if dry_run { "--dry-run --json" } else { "--json" };
        let ran = sandbox.run_ok(&format!("import events.csv --org acme {options}"));
        let told = ran.json();
        let counts = ["read", "stored", "duplicate", "dry_run"].map(|field| told[field].clone());
        assert_eq!(serde_json::json!(counts), serde_json::json!([5_002, 5_001, 1, dry_run]));
    }
}

#[test]
fn refused_rows_are_named_and_the_rest_is_stored() {
    let sandbox = with_organization();
    let events = format!("{EVENTS}c,login,yesterday,4,\nd,login,2024-05-03T10:00:00Z,5,\n");
    sandbox.write("events.csv", events);
    let ran = sandbox.run(["import", "events.csv", "--org", "acme"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(counts(&ran.out), [5, 4, 0, 1]);
    assert!(ran.out.contains("1 refused row, with the reasons: events.csv.rejects.csv"), "{ran:?}");
    let rejects = fs::read_to_string(sandbox.path("events.csv.rejects.csv")).unwrap();
    let line = rejects.lines().nth(1).unwrap();
    assert!(line.starts_with("5,") && line.contains("timestamp: ") && line.contains("yesterday"));

    let ran = sandbox.run(["import", "events.csv", "--org", "acme", "--json"]);
    assert_eq!(ran.code, 2);
    let expected = serde_json::json!({
        "read": 5, "stored": 0, "duplicate": 4, "refused": 1, "waiting": 0, "profiles": 0,
        "local_times": 0, "timezone": "UTC", "rejects": "events.csv.rejects.csv", "dry_run": false,
    });
    assert_eq!(ran.json(), expected);
}

#[test]
fn local_times_use_the_organizations_zone_and_are_reported() {
    let sandbox = Sandbox::sqlite();
    sandbox.run_ok("org create acme --timezone Europe/Berlin");
    sandbox
        .write("excel.csv", b"client_id;event;timestamp\r\nM\xfcller;login;28.11.2026 09:30\r\n");
    let import = ["import", "excel.csv", "--org", "acme", "--encoding", "windows-1252"];
    let format = ["--date-format", "%d.%m.%Y %H:%M", "--dry-run"];
    let ran = sandbox.run(import.into_iter().chain(format));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("1 time without an offset, read as local time of Europe/Berlin"),
        "{ran:?}"
    );
    let zone = ["--timezone", "Asia/Kathmandu", "--json"];
    let ran = sandbox.run(import.into_iter().chain(format).chain(zone));
    assert_eq!(
        (&ran.json()["local_times"], &ran.json()["timezone"]),
        (&1.into(), &"Asia/Kathmandu".into())
    );
    // A day that may be a month is asked for.
    assert_eq!(sandbox.run(import).code, 2);
    let rejects = fs::read_to_string(sandbox.path("excel.csv.rejects.csv")).unwrap();
    assert!(rejects.contains("--date-format"), "{rejects}");
    sandbox.run(import.into_iter().chain(["--timezone", "Mars/Base"])).expect_failure("Mars/Base");
}

#[test]
fn columns_and_event_names_can_be_mapped() {
    let sandbox = with_organization();
    sandbox.write("events.csv", "user,event,at\na,Piece Written,2024-05-01T10:00:00Z\n");
    let ran = sandbox.run([
        "import",
        "events.csv",
        "--org",
        "acme",
        "--column",
        "client_id=user",
        "--column",
        "timestamp=at",
        "--event-type",
        "Piece Written=content_generated",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let scores =
        sandbox.run_ok("score --org acme --as-of 2024-05-02T00:00:00Z --format json").json();
    assert_eq!(scores[0]["progress"], 20);
}

#[test]
fn messages_of_segment_make_profiles_too() {
    let sandbox = with_organization();
    let messages = [
        r#"{"type":"identify","userId":"a","traits":{"name":"Ada"},"timestamp":"2024-05-01T10:00:00Z"}"#,
        r#"{"type":"track","userId":"a","event":"login","timestamp":"2024-05-01T10:00:00Z","messageId":"1"}"#,
    ];
    sandbox.write("export", messages.join("\n"));
    let ran = sandbox.run_ok("import export --org acme --format ndjson");
    assert_eq!(counts(&ran.out), [2, 1, 0, 0]);
    assert!(ran.out.contains("profiles   1"), "{ran:?}");
}

#[test]
fn messages_without_ids_are_stored_once_also_when_they_come_as_csv() {
    let sandbox = with_organization();
    let messages = [
        r#"{"type":"track","userId":"a","event":"login","timestamp":"2024-05-01T10:00:00Z"}"#,
        r#"{"timestamp":"2024-05-01T12:00:00+02:00","event":"login","userId":"a","type":"track"}"#,
        r#"{"type":"page","userId":"a","timestamp":"2024-05-01T10:00:00Z"}"#,
    ];
    sandbox.write("a.ndjson", messages.join("\n"));
    assert_eq!(counts(&sandbox.run_ok("import a.ndjson --org acme").out), [3, 2, 1, 0]);
    assert_eq!(counts(&sandbox.run_ok("import a.ndjson --org acme").out), [3, 0, 3, 0]);
    sandbox.write("a.csv", "client_id,event,timestamp\na,login,2024-05-01T10:00:00Z\n");
    assert_eq!(counts(&sandbox.run_ok("import a.csv --org acme").out), [1, 0, 1, 0]);
}

#[test]
fn a_file_that_cannot_be_read_ends_with_1_and_says_why() {
    let sandbox = with_organization();
    fs::create_dir(sandbox.path("folder.csv")).unwrap();
    sandbox.write("empty.csv", "");
    let whole = packed(&EVENTS.repeat(100));
    sandbox.write("cut.csv.gz", &whole[..whole.len() - 10]);
    sandbox.write("other.csv", "name,colour\nx,y\n");
    for (file, expected) in [
        ("folder.csv", "is a directory"),
        ("missing.csv", "the file does not exist"),
        ("empty.csv", "is empty"),
        ("cut.csv.gz", "is cut off"),
        ("other.csv", "the header has no column client_id"),
    ] {
        sandbox.run(["import", file, "--org", "acme"]).expect_failure(expected);
    }
    sandbox
        .run(["import", "other.csv", "--org", "acme", "--format", "ndjson", "--column", "event=x"])
        .expect_failure("--column is for CSV files");
}
