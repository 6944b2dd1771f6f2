use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::EventType,
    insight::words,
    time::{local_day, start_of_day},
};

use crate::paths::client_path;

/// Whom a page speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// The client itself: "you".
    Client,
    /// A member of the staff, about a client.
    Staff,
}

/// Who looks at one client, when, in whose calendar, and where what is shown opens.
#[derive(Clone, Debug)]
pub(crate) struct View {
    zone: TimeZone,
    now: Timestamp,
    viewer: Viewer,
    /// Whether staff are offered what changes something.
    actions: bool,
    base: String,
    home: String,
}

impl View {
    /// What the client sees of itself, on its page and in widgets.
    pub(crate) fn of_client(zone: TimeZone, now: Timestamp) -> Self {
        Self {
            zone,
            now,
            viewer: Viewer::Client,
            actions: false,
            base: "/client".to_owned(),
            home: "/client/dashboard/success".to_owned(),
        }
    }

    /// The same, as staff look at it: every address is one that they may open.
    pub(crate) fn of_preview(zone: TimeZone, now: Timestamp, external_id: &str) -> Self {
        let base = format!("{}/preview", client_path(external_id));
        Self { home: base.clone(), base, ..Self::of_client(zone, now) }
    }

    /// What staff see of a client.
    pub(crate) fn of_staff(zone: TimeZone, now: Timestamp, external_id: &str) -> Self {
        let base = client_path(external_id);
        Self { zone, now, viewer: Viewer::Staff, actions: true, home: base.clone(), base }
    }

    /// The same, with or without what changes something.
    pub(crate) fn with_actions(self, actions: bool) -> Self {
        Self { actions, ..self }
    }

    pub(crate) const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn today(&self) -> Date {
        local_day(self.now, &self.zone)
    }

    pub(crate) fn is_staff(&self) -> bool {
        self.viewer == Viewer::Staff
    }

    /// Whether staff are offered what changes something: a member whose role is viewer is not.
    pub(crate) const fn has_actions(&self) -> bool {
        self.actions
    }

    /// `Your`, or nothing before what staff read.
    pub(crate) const fn your<'a>(&self, yours: &'a str, theirs: &'a str) -> &'a str {
        match self.viewer {
            Viewer::Client => yours,
            Viewer::Staff => theirs,
        }
    }

    /// `18 Nov`.
    pub(crate) fn day(&self, day: Date) -> String {
        words::format_day(day, self.today())
    }

    /// `Wed 18 Nov`.
    pub(crate) fn weekday(&self, day: Date) -> String {
        format!("{} {}", day.strftime("%a"), self.day(day))
    }

    /// The local day of an instant: `18 Nov`.
    pub(crate) fn day_of(&self, at: Timestamp) -> String {
        words::format_local_day(at, &self.zone, self.now)
    }

    /// `Wed 18 Nov, 09:12`; `today, 09:12` and `yesterday, 09:12` where that is so.
    pub(crate) fn moment(&self, at: Timestamp) -> String {
        let day = local_day(at, &self.zone);
        let time = self.time(at);
        if day == self.today() {
            format!("today, {time}")
        } else if day.tomorrow().is_ok_and(|next| next == self.today()) {
            format!("yesterday, {time}")
        } else {
            words::format_instant(at, &self.zone, self.now)
        }
    }

    /// `Wed 18 Nov 2026, 09:12`: never to be mistaken.
    pub(crate) fn full_moment(&self, at: Timestamp) -> String {
        self.zone.to_datetime(at).strftime("%a %-d %b %Y, %H:%M").to_string()
    }

    /// `09:12:30` today, else with the day: when something arrived.
    pub(crate) fn moment_exact(&self, at: Timestamp) -> String {
        let day = local_day(at, &self.zone);
        let time = self.zone.to_datetime(at).strftime("%H:%M:%S").to_string();
        if day == self.today() { time } else { format!("{}, {time}", self.day(day)) }
    }

    /// `09:12`.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        self.zone.to_datetime(at).strftime("%H:%M").to_string()
    }

    /// `17 to 23 Nov`, both included.
    pub(crate) fn days(&self, first: Date, last: Date) -> String {
        let end = self.day(last);
        if first >= last {
            end
        } else if first.first_of_month() == last.first_of_month() {
            format!("{} to {end}", first.day())
        } else {
            format!("{} to {end}", self.day(first))
        }
    }

    /// `[from, to)` in words: as days where it begins and ends with one.
    pub(crate) fn span(&self, from: Timestamp, to: Timestamp) -> String {
        let (first, end) = (local_day(from, &self.zone), local_day(to, &self.zone));
        let whole = start_of_day(first, &self.zone) == from && start_of_day(end, &self.zone) == to;
        match end.yesterday() {
            Ok(last) if whole => self.days(first, last),
            _ => format!(
                "{} to {}",
                words::format_instant(from, &self.zone, self.now),
                if to == self.now {
                    "now".to_owned()
                } else {
                    words::format_instant(to, &self.zone, self.now)
                }
            ),
        }
    }

    /// An address of this client's: `path` begins with a slash.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A part of the page that shows all of this client.
    pub(crate) fn part(&self, id: &str) -> String {
        format!("{}#{id}", self.home)
    }

    /// The events on a day.
    pub(crate) fn events_on(&self, day: Date) -> String {
        self.link(&format!("/events?from={day}&to={day}"))
    }

    /// The events of some types on the days from the first to the last; of all types when none is
    /// named.
    pub(crate) fn events_on_days(&self, first: Date, last: Date, types: &[EventType]) -> String {
        self.link(&format!("/events?from={first}&to={last}{}", type_query(types)))
    }

    /// The events in `[from, to)`.
    pub(crate) fn events_between(&self, from: Timestamp, to: Timestamp) -> String {
        self.link(&format!("/events?from={from}&to={to}"))
    }

    /// The events of some types ever, up to an instant.
    pub(crate) fn events_until(&self, to: Timestamp, types: &[EventType]) -> String {
        self.link(&format!("/events?to={to}{}", type_query(types)))
    }
}

fn type_query(types: &[EventType]) -> String {
    if types.is_empty() || types.len() == EventType::ALL.len() {
        return String::new();
    }
    let names: Vec<&str> = types.iter().map(|kind| kind.as_str()).collect();
    format!("&type={}", names.join(","))
}
