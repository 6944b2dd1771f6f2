//! Checks of the sources themselves: that nothing public goes untested, and that every query says
//! whose rows it means.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use mainstay_store::TENANT_TABLES;

pub(crate) fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push((path, text));
            }
        }
    }
    sources
}

/// The names of the public functions in the `impl` blocks of a type.
fn public_methods(of: &str) -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    for (_, text) in sources("src") {
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with("impl ") {
                inside = line == format!("impl {of} {{");
            }
            let Some((visibility, signature)) = line.split_once("fn ") else { continue };
            if inside && visibility.trim_start().starts_with("pub ") {
                let name = signature.split(['(', '<']).next().unwrap();
                methods.insert(name.to_owned());
            }
        }
    }
    methods
}

#[test]
fn every_public_method_of_the_store_is_called_by_the_contract() {
    let methods: BTreeSet<String> =
        public_methods("Tx").union(&public_methods("Store")).cloned().collect();
    for known in
        ["open", "begin", "commit", "store_events", "list_client_facts", "verify_day", "scope"]
    {
        assert!(methods.contains(known), "{known} is not found: is this test blind? {methods:?}");
    }
    let tests: Vec<String> = sources("tests/contract")
        .into_iter()
        .filter(|(path, _)| !path.ends_with("coverage.rs"))
        .map(|(_, text)| text)
        .collect();
    let called = |method: &String| {
        let (dot, path) = (format!(".{method}("), format!("::{method}("));
        tests.iter().any(|text| text.contains(&dot) || text.contains(&path))
    };
    let uncalled: Vec<&String> = methods.iter().filter(|method| !called(method)).collect();
    assert!(uncalled.is_empty(), "no contract test calls {uncalled:?}");
}

/// The string literals of a Rust source, with its escapes but without the comments.
fn literals(source: &str) -> Vec<String> {
    let mut literals = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find(['"', '/', '\'']) {
        rest = &rest[start..];
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if let Some(after) = rest.strip_prefix("'\"'") {
            rest = after;
        } else if let Some(text) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = text
                .char_indices()
                .find(|(_, c)| {
                    let ends = *c == '"' && !escaped;
                    escaped = *c == '\\' && !escaped;
                    ends
                })
                .map_or(text.len(), |(end, _)| end);
            literals.push(text[..end].to_owned());
            rest = text.get(end + 1..).unwrap_or("");
        } else {
            rest = &rest[1..];
        }
    }
    literals
}

/// How often a statement reads from or writes to a tenant's table.
fn uses_of_tenant_tables(sql: &str) -> usize {
    let words: Vec<&str> = sql
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .filter(|pair| {
            matches!(pair[0], "FROM" | "JOIN" | "INTO" | "UPDATE")
                && TENANT_TABLES.contains(&pair[1])
        })
        .count()
}

#[test]
fn every_query_of_a_tenants_table_carries_the_organization() {
    let mut queries = 0;
    for (path, text) in sources("src") {
        for literal in literals(&text) {
            let uses = uses_of_tenant_tables(&literal);
            queries += usize::from(uses > 0);
            assert!(
                literal.matches("organization_id").count() >= uses,
                "{}: this reads {uses} tenants' tables and does not name the organization of each: \
                 {literal}",
                path.display()
            );
        }
    }
    assert!(queries > 60, "only {queries} queries found: is this test blind?");
}

#[test]
fn a_query_without_its_organization_would_be_noticed() {
    let source = r#"
        // "SELECT 1 FROM clients" in a comment is none.
        let quote = '"';
        let sql = "SELECT \"x\" FROM clients c \
                   JOIN members m ON m.organization_id = c.organization_id";
    "#;
    let literals = literals(source);
    assert_eq!(literals.len(), 1);
    assert_eq!(uses_of_tenant_tables(&literals[0]), 2);
    assert_eq!(uses_of_tenant_tables("DELETE FROM daily_activity WHERE client_id = $1"), 1);
    assert_eq!(uses_of_tenant_tables("SELECT * FROM organizations"), 0);
}
