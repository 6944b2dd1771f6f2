use super::theme::Theme;
use crate::web::{
    portal::DASHBOARD,
    session::{ClientSession, Preview},
    ui::text::visible,
};

/// The frame around a client's page.
#[derive(Clone, Debug)]
pub(crate) struct ClientShell {
    pub(crate) theme: Theme,
    /// The organization's name.
    pub(crate) organization: String,
    /// Its first letter, for those who have no logo.
    pub(crate) initial: String,
    /// Whether all of it is made up.
    pub(crate) sample: bool,
    /// The zone of every time on the page.
    pub(crate) time_zone: String,
    /// Whom staff look at, and where they came from; nothing can be pressed then.
    pub(crate) preview: Option<Preview>,
}

impl ClientShell {
    /// Where the page of the client begins.
    pub(crate) fn home(&self) -> String {
        self.preview
            .as_ref()
            .map_or_else(|| DASHBOARD.to_owned(), |preview| format!("{}/preview", preview.back))
    }

    fn new(session: &ClientSession) -> Self {
        let ClientSession { organization, theme, .. } = session;
        let name = visible(&organization.name, &organization.slug);
        let first = name.chars().find(|c| c.is_alphanumeric());
        Self {
            theme: *theme,
            organization: name.to_owned(),
            initial: first.map(|c| c.to_uppercase().collect()).unwrap_or_default(),
            sample: organization.sample,
            time_zone: organization.time_zone.clone(),
            preview: session.preview.clone(),
        }
    }
}

impl ClientSession {
    /// The frame around a client's page.
    pub(crate) fn shell(&self) -> ClientShell {
        ClientShell::new(self)
    }
}
