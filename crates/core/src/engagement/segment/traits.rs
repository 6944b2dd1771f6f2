use serde_json::{Map, Value};

use crate::engagement::Profile;

/// A profile from traits: those with a meaning of their own, and the rest.
pub(super) fn profile(mut traits: Map<String, Value>) -> Profile {
    let name = text(&mut traits, &["name"]).or_else(|| {
        let first = text(&mut traits, &["firstName", "first_name"]);
        let last = text(&mut traits, &["lastName", "last_name"]);
        match (first, last) {
            (Some(first), Some(last)) => Some(format!("{first} {last}")),
            (one, other) => one.or(other),
        }
    });
    Profile {
        name,
        email: text(&mut traits, &["email"]),
        plan: text(&mut traits, &["plan"]),
        group_id: None,
        traits,
    }
}

/// Takes out the first of these traits that is a text with something in it. One of another kind
/// stays among the rest: nothing that was told is lost.
fn text(traits: &mut Map<String, Value>, names: &[&str]) -> Option<String> {
    let name = names.iter().find(|name| {
        traits.get(**name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty())
    })?;
    match traits.remove(*name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}
