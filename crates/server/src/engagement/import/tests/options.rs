use super::super::{ColumnMapping, EventTypeMapping, Field};
use super::*;

fn parsed(columns: &[&str], event_types: &[&str]) -> ImportOptions {
    ImportOptions {
        format: None,
        columns: columns.iter().map(|text| text.parse().unwrap()).collect(),
        event_types: event_types.iter().map(|text| text.parse().unwrap()).collect(),
        ..ImportOptions::default()
    }
}

#[test]
fn columns_with_other_names_are_mapped_and_their_own_names_are_free_for_data() {
    let options = parsed(&["client_id=user", "event=Action = what", "timestamp=at"], &[]);
    assert_eq!(options.columns[1].column, "Action = what");
    let content = format!("client_id,user,Action = what,at\nrow-7,ada,login,{TIME}\n");
    let event = event(read("x.csv", content, &options).remove(0));
    assert_eq!((event.client_id.as_str(), event.name.as_str()), ("ada", "login"));
    assert_eq!(event.data.len(), 1);
    assert_eq!(event.data["client_id"], "row-7");
}

#[test]
fn one_column_may_hold_two_fields() {
    let options = parsed(&["page_path=event"], &[]);
    let content = format!("client_id,event,timestamp\nada,/home,{TIME}\n");
    let event = event(read("x.csv", content, &options).remove(0));
    assert_eq!((event.name.as_str(), event.page_path.as_deref()), ("/home", Some("/home")));
    assert!(event.data.is_empty());
}

#[test]
fn a_mapped_event_name_may_hold_an_equals_sign_and_counts_as_its_type() {
    let options = parsed(&[], &["a=b=export_downloaded", "Signed In=login"]);
    let content = format!("client_id,event,timestamp\nada,a=b,{TIME}\nada,login,{TIME}\n");
    let types: Vec<_> =
        read("x.csv", content, &options).into_iter().map(|row| event(row).event_type).collect();
    // What is not mapped here is left to the organization's own mapping.
    assert_eq!(types, [Some(EventType::ExportDownloaded), None]);
}

#[test]
fn a_mapping_applies_to_pages_too() {
    let options = parsed(&[], &["page_view=custom", "Export=export_downloaded"]);
    let message = |fields: &str| {
        let content = format!(r#"{{{fields},"userId":"ada","timestamp":"{TIME}"}}"#);
        let sample = Sample::new("x.ndjson", content);
        let mut source = ImportSource::open(&sample.path, &options).unwrap();
        let json = message_of(source.next().unwrap().unwrap());
        event_in(message_with(&json, ClientIdentity::User, |name| source.type_of(name))).event_type
    };
    assert_eq!(message(r#""type":"page""#), EventType::Custom);
    assert_eq!(message(r#""type":"screen","name":"Export""#), EventType::ExportDownloaded);
    assert_eq!(message(r#""type":"track","event":"Export""#), EventType::ExportDownloaded);
    // What is not mapped stays what it is.
    assert_eq!(message(r#""type":"page","name":"login""#), EventType::PageView);
    assert_eq!(message(r#""type":"track","event":"login""#), EventType::Login);
}

#[test]
fn mistakes_in_mappings_are_named_with_the_remedy() {
    let column = |text: &str| text.parse::<ColumnMapping>().unwrap_err().to_string();
    for text in ["user", "client_id=", "client_id= ", ""] {
        assert_says(&column(text), &["FIELD=COLUMN", "client_id=user"]);
    }
    assert_says(&column("user=client_id"), &["unknown field \"user\"", "client_id, event, timest"]);

    let event_type = |text: &str| text.parse::<EventTypeMapping>().unwrap_err().to_string();
    for text in ["login", "=login", " =login"] {
        assert_says(&event_type(text), &["NAME=TYPE"]);
    }
    assert_says(&event_type("Signed In=signin"), &["unknown event type \"signin\"", "login, "]);
    assert_eq!(
        "tsv".parse::<Format>().unwrap_err().to_string(),
        "unknown format \"tsv\": use csv or ndjson"
    );
}

#[test]
fn mappings_that_contradict_each_other_or_the_file_are_refused() {
    let sample = Sample::new("x.csv", HEADER);
    let problem = |options: &ImportOptions| {
        ImportSource::open(&sample.path, options).unwrap_err().problem.to_string()
    };
    assert_says(&problem(&parsed(&["event=a", "event=b"], &[])), &["event=…", "twice"]);
    assert_says(&problem(&parsed(&[], &["a=login", "a=custom"])), &["a=…", "twice"]);
    assert_says(
        &problem(&parsed(&["session_id=visit"], &[])),
        &["session_id=visit", "no column \"visit\"", "it has client_id, event"],
    );
    let ndjson = Sample::new("x.ndjson", "{}");
    let error = ImportSource::open(&ndjson.path, &parsed(&["client_id=user"], &[])).unwrap_err();
    assert_says(&error.to_string(), &["--column", "CSV", "--format csv"]);
}

#[test]
fn every_field_is_parsed_from_its_own_name() {
    for field in Field::ALL {
        assert_eq!(field.as_str().parse(), Ok(field));
    }
}
