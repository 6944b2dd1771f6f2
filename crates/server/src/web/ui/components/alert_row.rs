use std::collections::BTreeMap;

use askama::Template;
use jiff::Timestamp;
use mainstay_core::{
    alert::{AlertStatus, Severity},
    insight::words::join_with_and,
    notification::MessageState,
    text::count_noun,
};
use mainstay_store::{Alert, AlertDelivery};

use super::{band::BandChip, markup, view::View};
use crate::web::ui::text::{Isolated, straight};

/// Whom an alert is about, where that is not said by the page itself.
#[derive(Clone, Debug)]
pub(crate) struct AlertSubject {
    /// As it is called.
    pub(crate) name: String,
    /// Its score, if it has one.
    pub(crate) score: Option<(i64, BandChip)>,
}

/// What a member last did with an alert.
#[derive(Clone, Debug)]
pub(crate) struct LastAction {
    /// The member's name, or `you`.
    pub(crate) who: String,
    /// When.
    pub(crate) at: Timestamp,
    /// What it said about it.
    pub(crate) note: String,
}

/// One alert and what can be done with it: an entry of a list of class `alerts`.
#[derive(Template)]
#[template(path = "components/alert_row.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is there in the row or not")]
pub(crate) struct AlertRow {
    severity: Severity,
    kind: &'static str,
    subject: Option<AlertSubject>,
    client: String,
    headline: String,
    rest: String,
    meta: String,
    note: Option<String>,
    /// What followed from it, each in a sentence.
    followed: Vec<String>,
    status: AlertStatus,
    about: String,
    action: String,
    back: Option<String>,
    key: String,
    /// The form that it can be chosen in with others, and what is sent when it is.
    chosen_in: Option<(&'static str, String)>,
    checked: bool,
    again: bool,
    /// Whether a member may act on it.
    actions: bool,
    /// Whether a member ended it while its condition lasts.
    can_reopen: bool,
    /// The zone of the times that are typed.
    time_zone: String,
    /// Until when it was to be snoozed, and why it cannot be.
    snooze_failed: Option<(String, String)>,
}

impl AlertRow {
    /// An alert as `view`, of its client, shows it; `back` is where an action leads to afterwards,
    /// when not to the client's page.
    pub(crate) fn new(
        view: &View,
        alert: &Alert,
        last: Option<&LastAction>,
        subject: Option<AlertSubject>,
        back: Option<String>,
    ) -> Self {
        let episode = &alert.episode;
        let kind = episode.kind.words();
        let message = straight(&episode.message);
        let (headline, rest) = alert_headline(&message);
        let about = subject.as_ref().map_or_else(
            || kind.to_owned(),
            |subject| format!("{kind}, {}", Isolated(&subject.name)),
        );
        Self {
            severity: episode.severity,
            kind,
            subject,
            client: view.link(""),
            headline: headline.to_owned(),
            rest: rest.to_owned(),
            meta: meta(view, alert, last),
            note: last.map(|last| last.note.clone()).filter(|note| !note.is_empty()),
            followed: Vec::new(),
            status: episode.status,
            about,
            action: view.link(&format!("/alerts/{}", episode.id)),
            back,
            key: episode.id.to_string(),
            chosen_in: None,
            checked: false,
            again: false,
            actions: view.has_actions(),
            can_reopen: !episode.status.is_open() && episode.is_live(),
            time_zone: view.zone().iana_name().unwrap_or("local time").to_owned(),
            snooze_failed: None,
        }
    }

    /// With a checkbox, for members who may act on it: part of the form with that id, which sends `value`.
    pub(crate) fn chosen_in(self, form: &'static str, value: String) -> Self {
        Self { chosen_in: self.actions.then_some((form, value)), ..self }
    }

    /// With that box ticked.
    pub(crate) fn checked(self, checked: bool) -> Self {
        Self { checked, ..self }
    }

    /// With the time that it cannot be snoozed until, and why.
    pub(crate) fn snooze_failed(self, snooze_failed: Option<(String, String)>) -> Self {
        Self { snooze_failed, ..self }
    }

    /// Below another one of the same client, whose name stands there.
    pub(crate) fn again(self, again: bool) -> Self {
        Self { again, ..self }
    }

    /// With what followed from it.
    pub(crate) fn followed(self, followed: Vec<String>) -> Self {
        Self { followed, ..self }
    }

    /// With the reason why it ended by itself.
    pub(crate) fn because(self, reason: &str) -> Self {
        Self { meta: format!("{}. {}", self.meta, straight(reason)), ..self }
    }

    /// With who was told of it outside, by the last notice to each.
    pub(crate) fn with_notifications(self, view: &View, notifications: &[AlertDelivery]) -> Self {
        let mut last: BTreeMap<&str, &AlertDelivery> = BTreeMap::new();
        last.extend(notifications.iter().map(|one| (one.webhook.as_str(), one)));
        let those = |state: MessageState| {
            let names = last.iter().filter(|(_, one)| one.state == state);
            let names: Vec<String> = names.map(|(name, _)| Isolated(name).to_string()).collect();
            (!names.is_empty()).then(|| join_with_and(&names))
        };
        let due = last.values().filter(|one| one.state == MessageState::Queued).map(|one| one.at);
        let parts = [
            those(MessageState::Delivered).map(|names| format!("Sent to {names}")),
            those(MessageState::Queued).zip(due.min()).map(|(names, due)| {
                format!("{names} will be notified, at the earliest {}", view.moment(due))
            }),
            those(MessageState::Failed).map(|names| format!("{names} could not be notified")),
        ];
        let meta = std::iter::once(self.meta).chain(parts.into_iter().flatten());
        Self { meta: meta.collect::<Vec<_>>().join(". "), ..self }
    }

    const fn is_open(&self) -> bool {
        self.status.is_open()
    }

    const fn icon(&self) -> &'static str {
        match self.status {
            AlertStatus::Dismissed => "x",
            AlertStatus::Resolved => "check",
            _ => self.severity.as_str(),
        }
    }
}

/// What is the matter, and the rest: cut at the first comma or colon outside quotation marks.
pub(crate) fn alert_headline(message: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, c) in message.char_indices() {
        match c {
            '“' => quoted = true,
            '”' => quoted = false,
            ',' | ':' if !quoted && message[at + 1..].starts_with(' ') => {
                return message.split_at(at);
            }
            _ => {}
        }
    }
    (message, "")
}

fn meta(view: &View, alert: &Alert, last: Option<&LastAction>) -> String {
    let episode = &alert.episode;
    let opened = format!("Opened {}", view.moment(episode.opened_at));
    let by = |words: &str| {
        last.map_or_else(
            || format!(", {words}"),
            |last| format!(", {words} by {}, {}", Isolated(&last.who), view.day_of(last.at)),
        )
    };
    let done = match episode.status {
        AlertStatus::Active => String::new(),
        AlertStatus::Acknowledged => by("acknowledged"),
        AlertStatus::Snoozed => episode
            .snoozed_until
            .map_or_else(String::new, |until| by(&format!("snoozed until {}", view.moment(until)))),
        AlertStatus::Dismissed => by("dismissed"),
        AlertStatus::Resolved if last.is_some() => by("resolved"),
        AlertStatus::Resolved => ", cleared on its own".to_owned(),
    };
    let lasted = alert.ended_at.map_or_else(String::new, |ended| {
        format!(", open for {}", length(episode.opened_at, ended))
    });
    let recovered = alert
        .recovered_at
        .map_or_else(String::new, |at| format!(". The client recovered {}", view.moment(at)));
    format!("{opened}{done}{lasted}{recovered}")
}

/// `7 hours`, `3 days`.
fn length(from: Timestamp, to: Timestamp) -> String {
    let hours = to.duration_since(from).as_hours();
    if hours < 48 { count_noun(hours, "hour") } else { count_noun(hours / 24, "day") }
}

markup!(AlertRow);
