//! The architecture as it is written down, held against the code: the paths on its page exist, modules
//! import each other in one direction, and nothing imports the surfaces above it.

mod imports;
mod templates;

use std::{
    fs,
    path::{Path, PathBuf},
};

use imports::{Sources, circles, imports, upward};

/// The modules of the server that others may not import, from the lowest up. Each may import those before
/// it; everything that is not listed is below all of them.
const SURFACES: [&str; 3] = ["api", "web", "cli"];
/// What puts the surfaces together.
const ABOVE_PAGES: [&str; 1] = ["http"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_path_on_the_architecture_page_exists() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let paths: Vec<&str> =
        page.split('`').skip(1).step_by(2).filter(|code| code.starts_with("crates/")).collect();
    assert!(paths.len() > 20, "the page names hardly anything: {paths:?}");
    let gone: Vec<&&str> = paths.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md names what is not there: {gone:?}");
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    for name in ["core", "store", "server", "bench"] {
        let sources = Sources::read(&root().join("crates").join(name).join("src"));
        let imports = imports(&sources);
        assert!(imports.len() > 5, "{name}: only {} imports: is this test blind?", imports.len());
        let circles = circles(&imports);
        assert!(circles.is_empty(), "{name} has circles of imports:\n{}", circles.join("\n"));
    }
}

#[test]
fn no_service_imports_a_surface() {
    let sources = Sources::read(&root().join("crates/server/src"));
    let upward = upward(&imports(&sources), &SURFACES, &ABOVE_PAGES);
    assert!(upward.is_empty(), "imports point down, never up:\n{}", upward.join("\n"));
}

/// A small house with a circle that only a re-export shows, and a service that asks a page.
fn sample_score() -> Sources {
    Sources::new([
        ("", "mod low; mod api; mod web; pub use low::Thing;"),
        ("low", "mod part; pub(crate) use part::Part; fn f() { part::g() }"),
        (
            "low::part",
            "use crate::web::{Page as P, show}; // use crate::cli::Cli;\npub struct Part;",
        ),
        ("api", "use super::low::Part; const S: &str = \"crate::web::Page\";"),
        ("web", "use crate::api; fn show() { let c = '\"'; crate::low::Part; }"),
        ("cli", "use super::{web::Page, api}; mod tests { use super::*; use crate::low::Part; }"),
    ])
}

#[test]
fn a_circle_and_an_upward_import_would_be_noticed() {
    let imports = imports(&sample_score());
    let circles = circles(&imports);
    assert_eq!(
        circles,
        ["api, low::part, web\n  api -> low::part: Part\n  low::part -> web: Page, show\n  \
          web -> api\n  web -> low::part: Part"]
    );
    assert_eq!(upward(&imports, &SURFACES, &ABOVE_PAGES), ["low::part -> web: Page, show"]);
}

#[test]
fn a_parent_that_names_its_child_is_no_circle() {
    let sources = Sources::new([
        ("", "mod web;"),
        ("web", "mod page; pub struct Web; fn pages() { page::show() }"),
        ("web::page", "use super::Web; pub fn show() {}"),
    ]);
    assert!(circles(&imports(&sources)).is_empty());
}
