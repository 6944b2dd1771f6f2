use crate::web::ui::text::visible;

/// What people call a client: its name, or its id where the name has nothing to see.
pub(crate) fn display_name<'a>(name: Option<&'a str>, external_id: &'a str) -> &'a str {
    visible(name.unwrap_or_default(), external_id)
}
