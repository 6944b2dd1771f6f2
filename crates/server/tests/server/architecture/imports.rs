//! Which module of a crate imports which, read from the sources.
//!
//! A module is a file. Counted is what it names by `use crate::…`, `use super::…` or such a path in its
//! code, and what counts is where a name is defined: re-exports are followed. Not counted are re-exports
//! themselves and what a module names of its own children, which is how it is put together.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
};

/// A path of names, without `crate`.
type Names = Vec<String>;

/// The text of each module.
pub(super) struct Sources(BTreeMap<Names, String>);

/// What modules name of each other: from, to, and the names.
pub(super) type Imports = BTreeMap<(String, String), BTreeSet<String>>;

impl Sources {
    pub(super) fn new<'a>(modules: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let names =
            |path: &str| path.split("::").filter(|it| !it.is_empty()).map(str::to_owned).collect();
        Self(modules.into_iter().map(|(path, text)| (names(path), code_of(text))).collect())
    }

    /// Every file below a folder but those of tests.
    pub(super) fn read(folder: &Path) -> Self {
        let (mut modules, mut folders) = (BTreeMap::new(), vec![(folder.to_owned(), Names::new())]);
        while let Some((folder, names)) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
                let inner = || names.iter().cloned().chain([stem.clone()]).collect::<Names>();
                if stem == "tests" {
                } else if path.is_dir() {
                    folders.push((path, inner()));
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let is_root = matches!(stem.as_str(), "lib" | "mod" | "main");
                    let module = if is_root { names.clone() } else { inner() };
                    let text = code_of(&fs::read_to_string(&path).unwrap());
                    // A crate with a library and a program: one is the other's child.
                    modules
                        .entry(module)
                        .and_modify(|all: &mut String| all.push_str(&text))
                        .or_insert(text);
                }
            }
        }
        Self(modules)
    }

    /// The module that a path leads into, and what is left of the path.
    fn module_of<'a>(&self, path: &'a [String]) -> (&'a [String], &'a [String]) {
        let is_module = |end: &usize| self.0.contains_key(&path[..*end]);
        path.split_at((0..=path.len()).rev().find(is_module).unwrap_or(0))
    }
}

/// A text without comments, literals and the modules in it.
fn code_of(text: &str) -> String {
    let (mut code, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(c) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|it| it.len() - it.trim_start_matches('#').len());
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw
            && rest[1 + hashes..].starts_with('"')
            && !code.ends_with(|c: char| c.is_alphanumeric() || c == '_')
        {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = hashes + 2;
            rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
        } else if c == '"' {
            1 + end_of_literal(&rest[1..], '"')
        } else if rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'') && c == '\'' {
            1 + end_of_literal(&rest[1..], '\'')
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[length..];
    }
    without_inner_modules(&code)
}

fn end_of_literal(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let ends = |(_, c): &(usize, char)| {
        let ends = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    };
    text.char_indices().find(ends).map_or(text.len(), |(at, _)| at + 1)
}

fn without_inner_modules(code: &str) -> String {
    let (mut kept, mut rest) = (String::new(), code);
    while let Some(start) = rest.find("mod ") {
        let (before, module) = rest.split_at(start);
        let head = module[4..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        kept.push_str(before);
        if !head.trim_start().starts_with('{')
            || before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
        {
            kept.push_str("mod ");
            rest = &module[4..];
            continue;
        }
        let mut depth = 0;
        let end = module.char_indices().find(|(_, c)| {
            depth += i32::from(*c == '{') - i32::from(*c == '}');
            *c == '}' && depth == 0
        });
        rest = end.map_or("", |(at, _)| &module[at + 1..]);
    }
    kept + rest
}

/// The pieces of a `use` or a path: names, `::`, braces, commas and stars.
fn pieces(code: &str) -> Vec<&str> {
    let (mut pieces, mut rest) = (Vec::new(), code.trim_start());
    while let Some(c) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = if word > 0 {
            word
        } else if rest.starts_with("::") {
            2
        } else {
            c.len_utf8()
        };
        pieces.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    pieces
}

/// The leaves of a `use`: each path, and what it is called here.
fn leaves(pieces: &mut &[&str], before: &[String], found: &mut Vec<(Names, String)>) {
    let mut path = before.to_vec();
    while let Some((piece, rest)) = pieces.split_first() {
        match *piece {
            "{" => {
                *pieces = rest;
                while !pieces.is_empty() && pieces[0] != "}" {
                    leaves(pieces, &path, found);
                    if pieces.first() == Some(&",") {
                        *pieces = &pieces[1..];
                    }
                }
                *pieces = pieces.get(1..).unwrap_or_default();
                return;
            }
            "}" | "," => break,
            "as" => {
                found.push((path, rest[0].to_owned()));
                *pieces = &rest[1..];
                return;
            }
            "::" => {}
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
        *pieces = rest;
    }
    let name = path.last().cloned().unwrap_or_default();
    found.push((path, name));
}

/// A path as it would begin at the crate's root; `None` when it leads out of the crate.
fn absolute(sources: &Sources, module: &[String], path: &[String]) -> Option<Names> {
    let supers = path.iter().take_while(|name| *name == "super").count();
    let (base, rest) = match path.first()?.as_str() {
        "crate" => (&module[..0], &path[1..]),
        "self" => (module, &path[1..]),
        "super" => (&module[..module.len().checked_sub(supers)?], &path[supers..]),
        name => {
            let child: Names = module.iter().cloned().chain([name.to_owned()]).collect();
            sources.0.contains_key(&child).then_some((module, path))?
        }
    };
    Some(base.iter().chain(rest).cloned().collect())
}

fn is_in_word(before: &str) -> bool {
    before.ends_with(|c: char| c.is_alphanumeric() || "_:.".contains(c))
}

/// A `use`: whether it is a re-export, and the tree of what is used.
type Use<'a> = (bool, &'a str);

/// The `use`s of a code, and what is left of it.
fn uses(code: &str) -> (Vec<Use<'_>>, String) {
    let (mut uses, mut rest, mut others) = (Vec::new(), code, String::new());
    while let Some(start) = rest.find("use ") {
        let (before, found) = rest.split_at(start);
        others.push_str(before);
        let end = found.find(';').unwrap_or(found.len());
        if is_in_word(before) {
            others.push_str("use ");
            rest = &found[4..];
            continue;
        }
        let word = before.trim_end().rsplit(['\n', ';', '}']).next().unwrap_or_default();
        uses.push((word.trim_start().starts_with("pub"), &found[4..end]));
        rest = &found[end..];
    }
    (uses, others + rest)
}

/// The paths in a code that begin at the crate's root or at a parent.
fn paths(code: &str) -> Vec<Names> {
    let mut paths = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start).filter(|(at, _)| !is_in_word(&code[..*at])) {
            let path =
                code[at..].split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next();
            paths.extend(path.map(|path| {
                path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
            }));
        }
    }
    paths
}

/// All that the modules of a crate import of each other.
pub(super) fn imports(sources: &Sources) -> Imports {
    let (mut named, mut used) = (HashMap::new(), Vec::new());
    for (module, code) in &sources.0 {
        let (declarations, others) = uses(code);
        for (exported, tree) in declarations {
            let mut found = Vec::new();
            leaves(&mut pieces(tree).as_slice(), &[], &mut found);
            for (path, name) in found {
                let Some(target) = absolute(sources, module, &path) else { continue };
                if !exported && matches!(path[0].as_str(), "crate" | "super") {
                    used.push((module, target.clone()));
                }
                named.insert((module.clone(), name), target);
            }
        }
        let others = paths(&others).into_iter();
        used.extend(others.filter_map(|path| Some((module, absolute(sources, module, &path)?))));
    }
    let mut imports = Imports::new();
    for (module, path) in used {
        let (to, name) = definition(sources, &named, path);
        if to != *module {
            imports.entry((shown(module), shown(&to))).or_default().extend(name);
        }
    }
    imports
}

/// The module in which a name is defined, and the name; none when the path is the module's.
fn definition(
    sources: &Sources,
    named: &HashMap<(Names, String), Names>,
    mut path: Names,
) -> (Names, Option<String>) {
    // Two modules may re-export each other's names for ever.
    for _ in 0..10 {
        let (module, rest) = sources.module_of(&path);
        let Some((name, after)) = rest.split_first() else { break };
        match named.get(&(module.to_vec(), name.clone())) {
            Some(target) => path = target.iter().chain(after).cloned().collect(),
            None => return (module.to_vec(), Some(name.clone())),
        }
    }
    (sources.module_of(&path).0.to_vec(), None)
}

fn shown(module: &[String]) -> String {
    if module.is_empty() { "the crate's root".to_owned() } else { module.join("::") }
}

fn arrow(((from, to), names): (&(String, String), &BTreeSet<String>)) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let colon = if names.is_empty() { "" } else { ": " };
    format!("{from} -> {to}{colon}{}", names.join(", "))
}

/// The circles of imports: in each, every module reaches every other.
pub(super) fn circles(imports: &Imports) -> Vec<String> {
    let reached = |from: &String| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(module) = open.pop() {
            let next = imports.keys().filter(|(from, _)| from == module).map(|(_, to)| to);
            open.extend(next.filter(|to| reached.insert((*to).clone())));
        }
        reached
    };
    let modules: BTreeSet<&String> = imports.keys().map(|(from, _)| from).collect();
    let reach: BTreeMap<&String, BTreeSet<String>> =
        modules.into_iter().map(|module| (module, reached(module))).collect();
    let mut circles = BTreeSet::new();
    for (module, to) in reach.iter().filter(|(module, to)| to.contains(**module)) {
        let back = |other: &&String| reach.get(other).is_some_and(|back| back.contains(*module));
        circles.insert(to.iter().filter(back).cloned().collect::<Vec<String>>());
    }
    let told = |circle: Vec<String>| {
        let within = imports
            .iter()
            .filter(|((from, to), _)| circle.contains(from) && circle.contains(to))
            .map(|import| format!("\n  {}", arrow(import)));
        format!("{}{}", circle.join(", "), within.collect::<String>())
    };
    circles.into_iter().map(told).collect()
}

/// Imports of a surface from below it.
pub(super) fn upward(imports: &Imports, surfaces: &[&str], above: &[&str]) -> Vec<String> {
    let top = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
    let rank = |module: &String| surfaces.iter().position(|surface| *surface == top(module));
    let is_upward = |(from, to): &(String, String)| {
        rank(to).is_some_and(|to| rank(from).is_none_or(|from| from < to))
            && !above.contains(&top(from).as_str())
    };
    imports.iter().filter(|(ends, _)| is_upward(ends)).map(arrow).collect()
}
