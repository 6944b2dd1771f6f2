use jiff::{Timestamp, tz::TimeZone};
use mainstay_core::{
    insight::words::join_with_and,
    text::{count_noun, format_thousands},
};
use mainstay_store::{Role, SignInFailures};

use super::{place::Place, theme::Theme, undelivered::Undelivered};
use crate::{
    access::MIN_FAILURES,
    alert::MissingData,
    web::{StaffSession, ui::text::visible},
};

/// The frame around a member's page.
#[derive(Clone, Debug)]
pub(crate) struct StaffShell {
    pub(crate) theme: Theme,
    /// None on a page of no place, such as one that says that nothing is there.
    pub(crate) place: Option<Place>,
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
    /// What there is to say of data that are missing.
    pub(crate) missing: Option<MissingNotice>,
    /// What does not leave.
    pub(crate) undelivered: Vec<Undelivered>,
    /// Whether the member may do something about it.
    pub(crate) admin: bool,
    /// What there is to say of wrong passwords that somebody tried for the member.
    pub(crate) failures: Option<String>,
}

impl StaffShell {
    fn new(session: &StaffSession, place: Option<Place>) -> Self {
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
            undelivered: session.undelivered.clone(),
            admin: session.is_admin(),
            missing: notice_of(&session.missing, &session.zone),
            failures: session
                .failures
                .filter(|failures| failures.count >= MIN_FAILURES)
                .map(|failures| warning_of(&failures, &session.zone)),
        }
    }

    /// Whether this is where the member is.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass by reference")]
    pub(crate) fn is_at(&self, place: &Place) -> bool {
        self.place == Some(*place)
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
        count.map(format_thousands)
    }
}

/// What a member should know of wrong passwords that were tried for it.
fn warning_of(failures: &SignInFailures, zone: &TimeZone) -> String {
    let moment = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%-d %B, %H:%M").to_string();
    format!(
        "{} wrong passwords were tried for your account since {}, the last one on {}. If that was not you, \
         choose a new password that you use nowhere else.",
        format_thousands(failures.count),
        moment(failures.since),
        moment(failures.last_at)
    )
}

/// What staff should know of data that are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingNotice {
    /// The fact, in a few words.
    pub(crate) title: &'static str,
    /// Since when, what to do, and what is held back.
    pub(crate) text: String,
}

fn notice_of(missing: &MissingData, zone: &TimeZone) -> Option<MissingNotice> {
    let moment = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%-d %B, %H:%M").to_string();
    let check = "Check that your app still sends.";
    let (title, text, until) = match (&missing.silence, missing.keys.as_slice()) {
        (Some(silence), _) => match silence.clients {
            None => (
                "No events are arriving.",
                format!("No client has sent an event since {}. {check}", moment(silence.since)),
                "events come again at half their usual rate",
            ),
            Some((clients, usual)) => (
                "Events of many clients are missing.",
                format!(
                    "{} came on {}; at least {usual} usually do. {check}",
                    count_noun(clients, "client"),
                    silence.since.to_zoned(zone.clone()).strftime("%-d %B"),
                ),
                "half of them come again",
            ),
        },
        (None, [only]) => (
            "No events are arriving with one key.",
            format!(
                "None has come with the key {}… since {}. Check the app that uses it.",
                only.prefix,
                moment(only.since)
            ),
            "events come with it again",
        ),
        (None, keys @ [_, ..]) => {
            let prefixes: Vec<String> =
                keys.iter().map(|silence| format!("{}…", silence.prefix)).collect();
            (
                "No events are arriving with some keys.",
                format!(
                    "They begin with {}. Check the apps that use them.",
                    join_with_and(&prefixes)
                ),
                "events come with them again",
            )
        }
        (None, []) if missing.held_alerts > 0 => (
            "Events are arriving again.",
            String::new(),
            "each client has had its usual time to come back",
        ),
        (None, []) => return None,
    };
    let held = match missing.held_alerts {
        0 => format!("Alerts based on recent activity are held until {until}."),
        1 => format!("1 alert based on recent activity is held until {until}."),
        many => {
            format!(
                "{} alerts based on recent activity are held until {until}.",
                format_thousands(many)
            )
        }
    };
    Some(MissingNotice { title, text: format!("{text} {held}").trim_start().to_owned() })
}

impl StaffSession {
    /// The frame around a page of staff.
    pub(crate) fn shell(&self, place: Place) -> StaffShell {
        self.shell_at(Some(place))
    }

    /// The frame around a page that may be of no place.
    pub(crate) fn shell_at(&self, place: Option<Place>) -> StaffShell {
        StaffShell::new(self, place)
    }
}
