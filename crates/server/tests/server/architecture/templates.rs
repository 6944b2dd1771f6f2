//! Templates are read by people: one element a line, indented by what it stands in, no line too long.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const MAX_CHARACTERS: usize = 160;
/// Elements of running text: a line may have several of them.
const IN_TEXT: [&str; 20] = [
    "a", "abbr", "b", "bdi", "bdo", "br", "cite", "code", "em", "i", "kbd", "mark", "q", "s",
    "small", "span", "strong", "sub", "sup", "time",
];
/// Elements without an end.
const VOID: [&str; 8] = ["br", "col", "hr", "img", "input", "link", "meta", "wbr"];
/// Elements whose content is no template's business.
const AS_IT_IS: [&str; 5] = ["mj-style", "pre", "script", "style", "textarea"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind<'a> {
    /// `<p>`, with its name.
    Start(&'a str),
    /// `<br>`, with its name.
    Single(&'a str),
    /// `</p>`.
    End,
    /// `{% if … %}`, with its first word.
    Statement(&'a str),
    /// Text, and what a value is put into.
    Content,
    /// Comments.
    Note,
}

#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    kind: Kind<'a>,
    from: usize,
}

/// Where a construct of askama that begins here ends.
fn end_of_construct(template: &str, from: usize) -> Option<usize> {
    let rest = &template[from..];
    let end = match rest.get(..2)? {
        "{{" => "}}",
        "{%" => "%}",
        "{#" => "#}",
        _ => return None,
    };
    rest.find(end).map(|length| from + length + end.len())
}

/// Where a tag of HTML that begins here ends. What askama and quotes enclose does not end it.
fn end_of_tag(template: &str, from: usize) -> usize {
    let (mut at, mut quoted) = (from, false);
    while let Some(next) = template[at..].chars().next() {
        if let Some(end) = end_of_construct(template, at) {
            at = end;
            continue;
        }
        at += next.len_utf8();
        match next {
            '"' => quoted = !quoted,
            '>' if !quoted => break,
            _ => {}
        }
    }
    at
}

fn first_word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    &text[..end.unwrap_or(text.len())]
}

/// Splits a template; text ends with its line.
fn parts(template: &str) -> Vec<Part<'_>> {
    let (mut parts, mut at) = (Vec::new(), 0);
    while at < template.len() {
        let rest = &template[at..];
        let blank = rest.len() - rest.trim_start().len();
        if blank > 0 {
            at += blank;
            continue;
        }
        let (kind, to) = if let Some(to) = end_of_construct(template, at) {
            let kind = match &rest[..2] {
                "{%" => Kind::Statement(first_word(rest[2..].trim_start_matches(['-', '+', ' ']))),
                "{{" => Kind::Content,
                _ => Kind::Note,
            };
            (kind, to)
        } else if rest.starts_with("<!") {
            (Kind::Note, end_of_tag(template, at))
        } else if rest.starts_with("</") {
            (Kind::End, end_of_tag(template, at))
        } else if let Some(tag) = rest.strip_prefix('<') {
            let (name, to) = (first_word(tag), end_of_tag(template, at));
            if VOID.contains(&name) || template[..to].ends_with("/>") {
                (Kind::Single(name), to)
            } else if AS_IT_IS.contains(&name) {
                let end = format!("</{name}>");
                (Kind::Single(name), to + template[to..].find(&end).unwrap() + end.len())
            } else {
                (Kind::Start(name), to)
            }
        } else {
            let ends = |&(at, letter): &(usize, char)| at > 0 && matches!(letter, '<' | '{' | '\n');
            let length = rest.char_indices().find(ends).map_or(rest.len(), |(at, _)| at);
            (Kind::Content, at + length)
        };
        parts.push(Part { kind, from: at });
        at = to;
    }
    parts
}

/// How deep a line is: what is open around it.
#[derive(Clone, Default)]
struct Nesting {
    depth: usize,
    /// How deep each condition and loop stands that is open. The branches of one may each open what
    /// is closed after it.
    conditions: Vec<usize>,
}

impl Nesting {
    fn condition(&self) -> usize {
        self.conditions.last().copied().unwrap_or_default()
    }

    /// How far a line is indented that begins with these parts.
    fn indentation(&self, parts: &[Part<'_>]) -> usize {
        let (mut passed, mut depth) = (self.clone(), self.depth);
        for part in parts.iter().take_while(|part| is_closing(part.kind)) {
            let condition = passed.condition();
            passed.pass(part.kind);
            depth = if part.kind == Kind::End { passed.depth } else { condition };
        }
        2 * depth
    }

    fn pass(&mut self, kind: Kind<'_>) {
        match kind {
            Kind::Start("html") => {}
            Kind::Start(_) => self.depth += 1,
            Kind::End => self.depth = self.depth.saturating_sub(1),
            Kind::Statement("if" | "for" | "match" | "filter") => {
                self.conditions.push(self.depth);
                self.depth += 1;
            }
            Kind::Statement("else" | "when") => self.depth = self.condition() + 1,
            Kind::Statement("endif" | "endfor" | "endmatch" | "endfilter") => {
                self.conditions.pop();
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
    }
}

const fn is_closing(kind: Kind<'_>) -> bool {
    match kind {
        Kind::End => true,
        Kind::Statement(word) => {
            matches!(word.as_bytes(), [b'e', b'n', b'd', ..] | b"else" | b"when")
                && !matches!(word.as_bytes(), b"endblock" | b"endmacro" | b"endcall")
        }
        _ => false,
    }
}

/// What is wrong in the lines of a template, by line.
fn faults(template: &str) -> Vec<(usize, String)> {
    let mut faults = Vec::new();
    for (index, line) in template.lines().enumerate() {
        let characters = line.chars().count();
        if characters > MAX_CHARACTERS {
            faults.push((index + 1, format!("has {characters} characters")));
        }
    }
    let all = parts(template);
    let mut lines: BTreeMap<usize, Vec<Part<'_>>> = BTreeMap::new();
    for part in &all {
        let line = template[..part.from].matches('\n').count() + 1;
        lines.entry(line).or_default().push(*part);
    }
    let mut nesting = Nesting::default();
    for (line, parts) in lines {
        let expected = nesting.indentation(&parts);
        let mut least = nesting.depth;
        let (mut elements, mut follows) = (Vec::new(), false);
        for part in &parts {
            if let Kind::Start(name) | Kind::Single(name) = part.kind
                && !IN_TEXT.contains(&name)
            {
                if follows && elements.is_empty() {
                    faults.push((line, format!("has <{name}> behind something else")));
                }
                elements.push(name);
            }
            follows |= !matches!(part.kind, Kind::Statement(_) | Kind::End);
            nesting.pass(part.kind);
            least = least.min(nesting.depth);
        }
        if elements.len() > 1 {
            faults.push((line, format!("has several elements: <{}>", elements.join(">, <"))));
        }
        let from = template[..parts[0].from].rfind('\n').map_or(0, |newline| newline + 1);
        let indent = &template[from..parts[0].from];
        // What follows the last line of something longer is no beginning of a line.
        if indent.trim().is_empty() {
            // An element that ends under a condition.
            let ends = parts[0].kind == Kind::Statement("if") && indent.len() == 2 * least;
            if indent.len() != expected && !ends {
                faults.push((line, format!("is indented by {}, not {expected}", indent.len())));
            }
        }
    }
    faults.sort();
    faults
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "html" || extension == "mjml")
        {
            found.push(path);
        }
    }
}

#[test]
fn every_template_has_one_element_a_line_and_no_long_line() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut templates = Vec::new();
    collect(&source, &mut templates);
    assert!(templates.len() > 80, "the templates are elsewhere: {templates:?}");
    let mut wrong = Vec::new();
    for path in templates {
        let name = path.strip_prefix(&source).unwrap().display();
        for (line, fault) in faults(&fs::read_to_string(&path).unwrap()) {
            wrong.push(format!("src/{name}:{line} {fault}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_template_that_is_hard_to_read_is_found() {
    let long = format!("<p>\n  {}\n</p>\n", "é".repeat(159));
    assert_eq!(faults(&long), [(2, "has 161 characters".to_owned())]);
    let found = |template: &str| {
        faults(template)
            .into_iter()
            .map(|(line, fault)| format!("{line} {fault}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(found("<ul>\n  <li><p>a</p></li>\n</ul>\n"), ["2 has several elements: <li>, <p>"]);
    assert_eq!(found("{% for a in all %}<li>a</li><li>b</li>{% endfor %}\n").len(), 1);
    assert_eq!(
        found("<p>\n  From <input name=\"a\">\n</p>\n"),
        ["2 has <input> behind something else"]
    );
    assert_eq!(found("<div>\n<p>a</p>\n</div>\n"), ["2 is indented by 0, not 2"]);
    assert_eq!(found("{% if a %}\n  <p>a</p>\n  {% else %}\n  <p>b</p>\n{% endif %}\n").len(), 1);
    let good = "<ul class=\"{% if a > b %}c{% endif %}\">\n  {% for one in all %}\n    <li\n      \
                id=\"{{ one.id }}\"\n      {% if one.off %}hidden{% endif %}\n    >\n      <a href=\"/\"><b>{{ one }}</b></a>, {% if c \
                %}off{% else %}on{% endif %}\n    </li>\n  {% else %}\n    <li>\n      <pre>  as\n it is</pre>\n    \
                </li>\n  {% endfor %}\n</ul>\n";
    assert_eq!(faults(good), []);
}
