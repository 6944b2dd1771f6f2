use super::theme::Theme;

/// The frame of pages that nobody needs to be signed in for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BareShell {
    pub(crate) theme: Theme,
}
