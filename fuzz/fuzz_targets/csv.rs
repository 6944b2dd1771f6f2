//! Whatever a file says, each row is read or refused with its line, and reading comes to an end.
#![no_main]

use std::{fs, path::PathBuf, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use mainstay::engagement::import::{ImportOptions, ImportSource};

static FOLDER: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a folder for the file"));
static FILE: LazyLock<PathBuf> = LazyLock::new(|| FOLDER.path().join("fuzzed.csv"));

fuzz_target!(|bytes: &[u8]| {
    fs::write(&*FILE, bytes).expect("the file is written");
    let Ok(source) = ImportSource::open(&FILE, &ImportOptions::default()) else { return };
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let mut last = 0;
    for row in source {
        let line = match row {
            Ok(Ok(row)) => row.line,
            Ok(Err(rejected)) => rejected.line,
            Err(_) => return,
        };
        assert!(line > last, "line {line} after {last}");
        // A packed file has more lines than its bytes show.
        assert!(line <= lines || bytes.starts_with(&[0x1f, 0x8b]), "line {line} of {lines}");
        last = line;
    }
});
