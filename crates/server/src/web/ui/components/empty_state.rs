use askama::Template;

use super::markup;

/// What stands where there is nothing yet: what will be here, and when.
#[derive(Clone, Debug, Template)]
#[template(path = "components/empty_state.html")]
pub(crate) struct EmptyState<'a> {
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
}

markup!(EmptyState<'_>);
