//! The frames around pages: for staff, for clients, and the bare one of signing in and of errors.

pub(super) mod theme;

use jiff::tz::TimeZone;
use mainstay_core::text::grouped;
use mainstay_store::{DataSilence, Role};

pub(crate) use theme::Theme;

use super::{ClientSession, StaffSession, text::visible};

/// Where a member is: what the navigation marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The worklist, and a client from it.
    Portfolio,
    /// Alerts.
    Alerts,
    /// What staff are to do for clients.
    Tasks,
    /// Mails to clients.
    Emails,
    /// Events as they arrive.
    Live,
    /// What runs by itself.
    Jobs,
    /// Settings.
    Settings,
}

impl Place {
    /// Each with its path, icon and name.
    pub(crate) const ALL: [(Self, &'static str, &'static str, &'static str); 7] = [
        (Self::Portfolio, "/portfolio", "list", "Portfolio"),
        (Self::Alerts, "/alerts", "bell", "Alerts"),
        (Self::Tasks, "/tasks", "task", "Tasks"),
        (Self::Emails, "/emails", "mail", "E-mails"),
        (Self::Live, "/live", "live", "Live events"),
        (Self::Jobs, "/jobs", "clock", "Jobs"),
        (Self::Settings, "/settings", "settings", "Settings"),
    ];
}

/// The frame around a member's page.
#[derive(Clone, Debug)]
pub(crate) struct StaffShell {
    pub(crate) theme: Theme,
    pub(crate) place: Place,
    /// The organization's name.
    pub(crate) organization: String,
    /// Whether all of it is made up.
    pub(crate) sample: bool,
    /// The member's name.
    pub(crate) member: String,
    pub(crate) role: Role,
    /// How many clients there are, where that is known anyway.
    pub(crate) clients: Option<i64>,
    /// How many alerts are open, where that is known anyway.
    pub(crate) alerts: Option<i64>,
    /// How many tasks of the member's are late, where that is known anyway.
    pub(crate) late_tasks: Option<i64>,
    /// What there is to say of a silence of the data.
    pub(crate) silence: Option<String>,
}

impl StaffShell {
    pub(super) fn new(session: &StaffSession, place: Place) -> Self {
        let StaffSession { organization, member, theme, .. } = session;
        Self {
            theme: *theme,
            place,
            organization: visible(&organization.name, &organization.slug).to_owned(),
            sample: organization.sample,
            member: visible(&member.name, &member.email).to_owned(),
            role: member.role,
            clients: None,
            alerts: None,
            late_tasks: None,
            silence: session.silence.map(|silence| told(&silence, &session.zone)),
        }
    }

    /// The figure beside an entry of the navigation.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass by reference")]
    pub(crate) fn count(&self, place: &Place) -> Option<String> {
        let count = match place {
            Place::Portfolio => self.clients,
            Place::Alerts => self.alerts,
            Place::Tasks => self.late_tasks,
            Place::Emails | Place::Live | Place::Jobs | Place::Settings => None,
        };
        count.map(grouped)
    }
}

/// What staff should know of a silence of the data: since when, and what is held back.
fn told(silence: &DataSilence, zone: &TimeZone) -> String {
    let since = silence.since.to_zoned(zone.clone()).strftime("%-d %B, %H:%M");
    let held = match silence.held_alerts {
        0 => "Alerts about silent clients are held until events come again.".to_owned(),
        1 => "1 alert about a silent client is held until events come again.".to_owned(),
        many => format!("{many} alerts about silent clients are held until events come again."),
    };
    format!("No client has sent an event since {since}. Check that your app still sends. {held}")
}

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
}

impl ClientShell {
    pub(super) fn new(session: &ClientSession) -> Self {
        let ClientSession { organization, theme, .. } = session;
        let name = visible(&organization.name, &organization.slug);
        let first = name.chars().find(|c| c.is_alphanumeric());
        Self {
            theme: *theme,
            organization: name.to_owned(),
            initial: first.map(|c| c.to_uppercase().collect()).unwrap_or_default(),
            sample: organization.sample,
            time_zone: organization.time_zone.clone(),
        }
    }
}

/// The frame of pages that nobody needs to be signed in for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BareShell {
    pub(crate) theme: Theme,
}
