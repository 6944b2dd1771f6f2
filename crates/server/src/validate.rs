//! Checks of names that people choose.

use mainstay_core::engagement::check_line;

use crate::{Error, Result};

const MAX_NAME_CHARS: usize = 255;
const MAX_SLUG_CHARS: usize = 63;

pub(crate) fn check_name(field: &'static str, name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Error::invalid(
            field,
            format!("is empty; send 1 to {MAX_NAME_CHARS} characters"),
        ));
    }
    Ok(check_line(field, name, MAX_NAME_CHARS)?)
}

pub(crate) fn check_slug(slug: &str) -> Result<()> {
    let well_formed = !slug.is_empty()
        && slug.len() <= MAX_SLUG_CHARS
        && slug.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !slug.starts_with('-')
        && !slug.ends_with('-');
    if well_formed {
        Ok(())
    } else {
        Err(Error::invalid(
            "slug",
            format!(
                "{slug:?} cannot be used; use 1 to {MAX_SLUG_CHARS} lower-case letters, digits and \
                 inner hyphens, for example acme-studio"
            ),
        ))
    }
}
