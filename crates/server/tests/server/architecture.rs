//! The architecture page names places in the code: each must exist.

use std::path::Path;

#[test]
fn every_path_on_the_architecture_page_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let paths: Vec<&str> =
        page.split('`').skip(1).step_by(2).filter(|code| code.starts_with("crates/")).collect();
    assert!(paths.len() > 20, "the page names hardly anything: {paths:?}");
    let gone: Vec<&&str> = paths.iter().filter(|path| !root.join(path).exists()).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md names what is not there: {gone:?}");
}
