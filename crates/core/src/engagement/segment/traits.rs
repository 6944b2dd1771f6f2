use serde_json::{Map, Value};

use crate::engagement::{ProfileField, ProfilePatch};

/// Splits traits into profile fields and custom traits.
pub(super) fn patch(mut traits: Map<String, Value>) -> ProfilePatch {
    let mut patch = ProfilePatch::default();
    for (field, name) in
        [(ProfileField::Name, "name"), (ProfileField::Email, "email"), (ProfileField::Plan, "plan")]
    {
        if let Some(text) = take_text(&mut traits, &[name]) {
            patch.fields.insert(field, Some(text));
        } else if traits.get(name).is_some_and(Value::is_null) {
            // It stays among the traits too: a name that is no text was kept there.
            patch.fields.insert(field, None);
        }
    }
    if patch.set(ProfileField::Name).is_none()
        && let Some(name) = full_name(&mut traits)
    {
        patch.fields.insert(ProfileField::Name, Some(name));
    }
    patch.traits = traits;
    patch
}

/// Segment fills in the name where only its parts were sent.
fn full_name(traits: &mut Map<String, Value>) -> Option<String> {
    let first = take_text(traits, &["firstName", "first_name"]);
    let last = take_text(traits, &["lastName", "last_name"]);
    match (first, last) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (one, other) => one.or(other),
    }
}

/// Takes out the first of these traits that is a text with something in it, or a whole number. One of
/// another kind stays among the rest: nothing that was told is lost.
fn take_text(traits: &mut Map<String, Value>, names: &[&str]) -> Option<String> {
    let (name, text) = names.iter().find_map(|name| match traits.get(*name)? {
        Value::String(text) if !text.trim().is_empty() => Some((*name, text.trim().to_owned())),
        Value::Number(number) if !number.is_f64() => Some((*name, number.to_string())),
        _ => None,
    })?;
    traits.remove(name);
    Some(text)
}
