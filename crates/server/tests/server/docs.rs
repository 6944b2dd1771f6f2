//! The documents say what is true: links lead somewhere, paths exist, and the commands of the guides run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
    process::Stdio,
};

use crate::cli::sandbox::Sandbox;

/// Lines that a newcomer reads.
const MAX_README_LINES: usize = 120;
/// Lines of one page.
const MAX_ARCHITECTURE_LINES: usize = 150;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Markdown file of the repository, by its path from the root.
fn documents() -> BTreeMap<PathBuf, String> {
    fn collect(folder: &Path, root: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // What is built or installed is no part of the repository.
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            if path.is_dir() {
                collect(&path, root, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(root).unwrap().to_owned(), text);
            }
        }
    }
    let (root, mut found) = (root(), BTreeMap::new());
    collect(&root, &root, &mut found);
    assert!(found.len() > 20, "the documents are elsewhere: {:?}", found.keys());
    found
}

/// A fenced block: its language and its text.
struct Block {
    language: String,
    text: String,
}

/// Splits a document into its prose and its fenced blocks.
fn split(document: &str) -> (String, Vec<Block>) {
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    let mut open: Option<Block> = None;
    for line in document.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block { language: language.trim().to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {
                prose.push_str(line);
                prose.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a fenced block is never closed");
    (prose, blocks)
}

/// What stands between backquotes, outside fenced blocks.
fn inline_code(prose: &str) -> impl Iterator<Item = &str> {
    prose.split('`').skip(1).step_by(2)
}

fn without_inline_code(prose: &str) -> String {
    prose.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// Targets of links and pictures.
fn links(prose: &str) -> Vec<String> {
    // A link's text may be code, its target is not: only code without a link around it may look like one.
    let prose = without_inline_code(prose);
    let mut found = Vec::new();
    for (start, end) in [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"'), ("href=\"", '"')] {
        for rest in prose.split(start).skip(1) {
            found.extend(rest.split_once(end).map(|(target, _)| target.to_owned()));
        }
    }
    found
}

/// The anchors of a document's headings, as GitHub and mdBook make them.
fn anchors(document: &str) -> BTreeSet<String> {
    let (prose, _) = split(document);
    let mut found = BTreeSet::new();
    for line in prose.lines() {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let anchor: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let mut numbered = anchor.clone();
        let mut number = 0;
        while !found.insert(numbered) {
            number += 1;
            numbered = format!("{anchor}-{number}");
        }
    }
    found
}

/// Resolves `.` and `..` without a look at the disk.
fn normalized(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(normal.pop(), "{} leaves the root", path.display()),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let (root, documents) = (root(), documents());
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for (path, text) in &documents {
        for link in links(&split(text).0) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => path.clone(),
                file => normalized(&path.parent().unwrap().join(file)),
            };
            let heading = |text: &String| anchor.is_empty() || anchors(text).contains(anchor);
            let found = match documents.get(&target) {
                Some(text) => heading(text),
                None => anchor.is_empty() && root.join(&target).exists(),
            };
            if !found {
                wrong.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(checked > 50, "hardly a link was found: {checked}");
    assert!(wrong.is_empty(), "links that lead nowhere: {wrong:#?}");
}

#[test]
fn the_site_has_every_page_and_no_link_leaves_it() {
    let documents = documents();
    let summary = &documents[Path::new("docs/SUMMARY.md")];
    let listed: BTreeSet<PathBuf> =
        links(summary).iter().map(|link| Path::new("docs").join(link)).collect();
    let pages = documents.iter().filter(|(path, _)| path.starts_with("docs"));
    for (path, text) in pages {
        assert!(
            listed.contains(path) || path.ends_with("SUMMARY.md"),
            "docs/SUMMARY.md does not list {}",
            path.display()
        );
        for link in links(&split(text).0) {
            if link.contains("://") || link.starts_with('#') {
                continue;
            }
            let target = normalized(&path.parent().unwrap().join(&link));
            assert!(
                target.starts_with("docs"),
                "{}: {link} is not part of the site; name its path instead",
                path.display()
            );
        }
    }
}

#[test]
fn every_path_that_a_document_names_exists() {
    let root = root();
    let mut gone = Vec::new();
    for (path, text) in documents() {
        // What was is written there, too.
        if path.ends_with("CHANGELOG.md") {
            continue;
        }
        let (prose, _) = split(&text);
        let named = inline_code(&prose)
            .filter(|code| ["crates/", "docs/", "scripts/"].iter().any(|it| code.starts_with(it)))
            // Patterns, placeholders and commands are no paths.
            .filter(|code| !code.contains([' ', '<', '{', '*', '…']));
        for code in named.filter(|code| !root.join(code).exists()) {
            gone.push(format!("{}: {code}", path.display()));
        }
    }
    assert!(gone.is_empty(), "documents name what is not there: {gone:#?}");
}

#[test]
fn the_first_pages_are_short() {
    let documents = documents();
    for (path, most) in
        [("README.md", MAX_README_LINES), ("ARCHITECTURE.md", MAX_ARCHITECTURE_LINES)]
    {
        let lines = documents[Path::new(path)].lines().count();
        assert!(lines <= most, "{path} has {lines} lines, more than {most}: move some to docs/");
    }
}

/// Pages whose shell commands are run, in the order in which they stand.
macro_rules! guides {
    ($($test:ident: $path:literal;)+) => {
        const GUIDES: &[&str] = &[$($path),+];
        $(
            #[test]
            fn $test() {
                run($path);
            }
        )+
    };
}

guides! {
    the_commands_of_the_readme_run: "README.md";
    the_commands_about_sending_events_run: "docs/guides/send-events.md";
    the_commands_about_the_score_run: "docs/guides/understand-the-score.md";
    the_commands_about_alerts_run: "docs/guides/alerts-and-cases.md";
    the_commands_about_email_run: "docs/guides/email.md";
    the_commands_about_embedding_run: "docs/guides/embed.md";
    the_commands_about_the_api_run: "docs/guides/api.md";
    the_commands_about_webhooks_run: "docs/webhooks.md";
    the_commands_about_operating_run: "docs/guides/operate.md";
    the_commands_about_upgrading_run: "docs/guides/upgrade.md";
}

#[test]
fn every_guide_with_commands_is_run() {
    for (path, text) in documents() {
        let path = path.to_str().unwrap();
        let has_commands = split(&text).1.iter().any(|block| block.language == "sh");
        if path.starts_with("docs/guides/") && has_commands {
            assert!(GUIDES.contains(&path), "{path} has commands: add it to the list of guides");
        }
    }
}

/// What a reader does besides pasting: puts keys and ids into variables, and opens a second terminal for
/// the server. `curl` asks the server that listens on a port of its own instead of 8080.
const READER: &str = r#"
server=
url=
stop() {
    [[ -z $server ]] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    server=
}
trap stop EXIT
start() {
    stop
    # Before the server makes it.
    : >server.out
    "$MAINSTAY" "$@" --listen 127.0.0.1:0 >server.out 2>server.err &
    server=$!
    for _ in {1..1200}; do
        url=$(sed -n 's/^listening on //p' server.out)
        [[ -z $url ]] || return 0
        kill -0 "$server" || break
        sleep 0.1
    done
    cat server.out server.err >&2
    return 1
}
# Keeps an id and keys for the commands that follow.
note() {
    local said=$1 found
    found=$(grep -o '"id":"[^"]*"' <<<"$said" | head -n 1 | cut -d '"' -f 4 || true)
    [[ -z $found ]] || ID=$found
}
mainstay() {
    case $1 in
        serve | demo) start "$@"; return ;;
    esac
    local said
    said=$("$MAINSTAY" "$@")
    printf '%s\n' "$said"
    note "$said"
    if [[ "$1 ${2-}" == "org create" ]]; then
        SECRET_KEY=$(grep -o 'msk_[A-Za-z0-9_-]*' <<<"$said")
        WRITE_KEY=$(grep -o 'mwk_[A-Za-z0-9_-]*' <<<"$said")
    fi
}
curl() {
    local said
    said=$(command curl --silent --show-error --fail-with-body --max-time 60 "${@//http:\/\/127.0.0.1:8080/$url}")
    printf '%s\n' "$said"
    note "$said"
}
"#;

/// Runs the commands of a page as its reader would: in an empty folder, with `set -e`.
fn run(path: &str) {
    let document = fs::read_to_string(root().join(path)).unwrap();
    let (_, blocks) = split(&document);
    let sandbox = Sandbox::sqlite();
    let commands: String = blocks
        .iter()
        .filter(|block| block.language == "sh")
        .map(|block| block.text.as_str())
        .collect();
    assert!(!commands.is_empty(), "{path} has no commands");
    // A page about something else begins where the README ends.
    let before = if commands.contains("mainstay org create acme") {
        ""
    } else {
        "mainstay org create acme\nmainstay serve\n"
    };
    let script = format!("set -euo pipefail\n{READER}\nset -v\n{before}{commands}");
    sandbox.write("commands.sh", script);
    // The sandbox's own command has an environment without settings, which bash hands on.
    let mainstay = sandbox.command([] as [&str; 0]);
    let mut bash = std::process::Command::new("bash");
    bash.arg("commands.sh").current_dir(mainstay.get_current_dir().unwrap());
    for (name, value) in mainstay.get_envs() {
        match value {
            Some(value) => bash.env(name, value),
            None => bash.env_remove(name),
        };
    }
    bash.env("MAINSTAY", mainstay.get_program()).stdin(Stdio::null());
    let output = bash.output().expect("bash is there to run the commands");
    assert!(
        output.status.success(),
        "{path}: a command failed, the last one below:\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Commands that are shown and not run must still be understood: their options are those that there are.
#[test]
fn every_command_that_is_not_run_is_understood() {
    let (sandbox, mut checked) = (Sandbox::sqlite(), 0);
    for (path, text) in documents() {
        let (prose, blocks) = split(&text);
        let shown = blocks.iter().filter(|block| block.language == "text");
        let lines = shown.flat_map(|block| block.text.lines()).chain(inline_code(&prose));
        for line in lines {
            // Settings may stand before it.
            let words = line.split_whitespace().skip_while(|word| word.starts_with("MAINSTAY_"));
            let words: Vec<&str> =
                words.take_while(|word| !word.starts_with(['#', '>', '<', '|', '&'])).collect();
            let Some((&"mainstay", arguments)) = words.split_first() else { continue };
            // A placeholder stands for what the reader knows.
            let arguments = arguments.iter().filter(|word| !word.contains(['|', '…']));
            let ran = sandbox.run(arguments.copied().chain(["--help"]));
            assert_eq!(ran.code, 0, "{}: {line:?} is not understood: {}", path.display(), ran.err);
            checked += 1;
        }
    }
    assert!(checked > 5, "hardly a command was found: {checked}");
}
