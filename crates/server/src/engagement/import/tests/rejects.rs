use super::super::RejectsFile;
use super::*;

fn refused(line: u64, raw: &str) -> RejectedRow {
    RejectedRow { line, reason: "has 1 field, not \"3\"".to_owned(), raw: raw.to_owned() }
}

#[test]
fn refused_rows_stand_beside_the_file_and_are_no_formulas() {
    let sample = Sample::new("x.csv.gz", "");
    let mut rejects = RejectsFile::beside(&sample.path);
    assert!(rejects.path().ends_with("x.csv.gz.rejects.csv"));
    rejects.write(&refused(7, "=a,\"b\nc\"")).unwrap();
    rejects.write(&refused(9, "\0")).unwrap();
    assert_eq!(rejects.count(), 2);
    let path = rejects.finish().unwrap().unwrap();
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        "line,reason,row\n7,\"has 1 field, not \"\"3\"\"\",\"'=a,\"\"b\nc\"\"\"\n\
         9,\"has 1 field, not \"\"3\"\"\",\0\n"
    );
}

#[test]
fn nothing_refused_leaves_no_list_and_removes_that_of_an_earlier_run() {
    let sample = Sample::new("x.csv", "");
    let path = RejectsFile::beside(&sample.path).path().to_owned();
    assert_eq!(RejectsFile::beside(&sample.path).finish().unwrap(), None);
    assert!(!exists(&path));

    let mut earlier = RejectsFile::beside(&sample.path);
    earlier.write(&refused(2, "x")).unwrap();
    earlier.finish().unwrap();
    assert!(exists(&path));
    assert_eq!(RejectsFile::beside(&sample.path).finish().unwrap(), None);
    assert!(!exists(&path));
}

#[test]
fn a_new_list_replaces_that_of_an_earlier_run() {
    let sample = Sample::new("x.csv", "");
    for line in [2, 3] {
        let mut rejects = RejectsFile::beside(&sample.path);
        rejects.write(&refused(line, "x")).unwrap();
        let path = rejects.finish().unwrap().unwrap();
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains(&format!("\n{line},")));
    }
}

#[test]
fn an_import_that_is_given_up_leaves_the_rows_refused_until_then() {
    let sample = Sample::new("x.csv", "");
    let mut rejects = RejectsFile::beside(&sample.path);
    rejects.write(&refused(2, "x")).unwrap();
    let path = rejects.path().to_owned();
    drop(rejects);
    assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 2);
}

#[test]
fn a_file_of_somebody_else_is_neither_overwritten_nor_removed() {
    let sample = Sample::new("x.csv", "");
    let mut rejects = RejectsFile::beside(&sample.path);
    let path = rejects.path().to_owned();
    fs::write(&path, "my notes").unwrap();
    let error = rejects.write(&refused(2, "x")).unwrap_err();
    assert_says(&error.to_string(), &["x.csv.rejects.csv: exists", "move it"]);
    assert_eq!(RejectsFile::beside(&sample.path).finish().unwrap(), None);
    assert_eq!(fs::read_to_string(path).unwrap(), "my notes");
}

#[test]
fn a_list_that_cannot_be_written_is_an_error_and_not_a_silence() {
    let missing = Path::new("/nonexistent/x.csv");
    let error = RejectsFile::beside(missing).write(&refused(2, "x")).unwrap_err();
    assert_says(&error.to_string(), &["/nonexistent/x.csv.rejects.csv", "cannot be written"]);
}

#[test]
fn a_row_refused_after_reading_keeps_its_line_and_text() {
    let row = csv_rows(format!("{HEADER}ada,login,{TIME},,,,-5\n")).remove(0).unwrap();
    assert_eq!(row.line, 2);
    assert_eq!(row.raw, format!("ada,login,{TIME},,,,-5"));
}
