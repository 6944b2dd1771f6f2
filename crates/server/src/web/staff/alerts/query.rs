use jiff::Timestamp;
use mainstay_core::{
    id::{AlertId, MemberId},
    portfolio::OwnerChoice,
};
use serde::Deserialize;
use url::form_urlencoded;

use super::selection::{AlertSelection, View};
use crate::{Error, Result, web::ui::components::AlertFlashParams};

/// The address: which alerts, and what was just done.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AlertQuery {
    view: String,
    #[serde(rename = "type")]
    kind: String,
    severity: String,
    owner: String,
    after: String,
    before: String,
    /// What was just done with how many, and the alerts with which it was not.
    pub(super) done: String,
    pub(super) changed: String,
    pub(super) missed: String,
    pub(super) at: String,
    /// What could not be snoozed: an alert, or those that were chosen; and until when that was asked for.
    pub(super) snooze: String,
    pub(super) until: String,
    pub(super) chosen: String,
}

impl AlertQuery {
    pub(super) fn selection(&self, me: MemberId) -> Result<AlertSelection> {
        let view = self.view()?;
        let owner = match self.owner.as_str() {
            "" => None,
            "nobody" => Some(OwnerChoice::Unassigned),
            id => Some(OwnerChoice::Member(id.parse().map_err(|_| {
                Error::invalid("owner", "is not a member; choose one from the list, or nobody")
            })?)),
        };
        let mine = (view == View::Mine).then_some(OwnerChoice::Member(me));
        Ok(AlertSelection {
            view,
            kind: parse_filter("type", &self.kind)?,
            severity: parse_filter("severity", &self.severity)?,
            owner: mine.or(owner),
        })
    }

    fn view(&self) -> Result<View> {
        if self.view.is_empty() {
            return Ok(View::Open);
        }
        let found = View::ALL.into_iter().find(|(_, name, _)| *name == self.view);
        found.map(|(view, ..)| view).ok_or_else(|| {
            let names = View::ALL.map(|(_, name, _)| name).join(", ");
            Error::invalid("view", format!("unknown view {:?}: use one of {names}", self.view))
        })
    }

    pub(super) fn is_filtered(&self) -> bool {
        [&self.kind, &self.severity, &self.owner].into_iter().any(|value| !value.is_empty())
    }

    /// Where the list goes on: after and before a place.
    pub(super) fn places(&self) -> (&str, &str) {
        (&self.after, &self.before)
    }

    /// The same page, without what was just done.
    pub(super) fn without_outcome(&self) -> Self {
        Self {
            done: String::new(),
            changed: String::new(),
            missed: String::new(),
            at: String::new(),
            snooze: String::new(),
            until: String::new(),
            chosen: String::new(),
            ..self.clone()
        }
    }

    /// What was just done, for the component that says it.
    pub(super) fn done(&self) -> AlertFlashParams {
        AlertFlashParams {
            action: self.done.clone(),
            changed: self.changed.clone(),
            at: self.at.clone(),
            snooze: self.snooze.clone(),
            until: self.until.clone(),
        }
    }

    pub(super) fn of_view(&self, name: &str) -> String {
        let view = if name == "open" { String::new() } else { name.to_owned() };
        Self { view, after: String::new(), before: String::new(), ..self.without_outcome() }.link()
    }

    pub(super) fn after(&self, after: String) -> String {
        Self { after, before: String::new(), ..self.without_outcome() }.link()
    }

    pub(super) fn before(&self, before: String) -> String {
        Self { before, after: String::new(), ..self.without_outcome() }.link()
    }

    pub(super) fn unfiltered(&self) -> String {
        Self { view: self.view.clone(), ..Self::default() }.link()
    }

    pub(super) fn link(&self) -> String {
        let given: Vec<(&str, &str)> =
            self.fields().into_iter().filter(|(_, value)| !value.is_empty()).collect();
        if given.is_empty() {
            return "/alerts".to_owned();
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
        format!("/alerts?{query}")
    }

    /// What a form on the page sends along, to come back to it.
    pub(super) fn fields(&self) -> [(&'static str, &str); 6] {
        [
            ("view", &self.view),
            ("type", &self.kind),
            ("severity", &self.severity),
            ("owner", &self.owner),
            ("after", &self.after),
            ("before", &self.before),
        ]
    }

    /// The page that such a form was on.
    pub(super) fn from_fields(field: impl Fn(&str) -> Option<String>) -> Self {
        let field = |name| field(name).unwrap_or_default();
        Self {
            view: field("view"),
            kind: field("type"),
            severity: field("severity"),
            owner: field("owner"),
            after: field("after"),
            before: field("before"),
            ..Self::default()
        }
    }

    /// The part to stay in when something else is chosen.
    pub(super) fn view_name(&self) -> &str {
        &self.view
    }

    /// The values of the filters: type, severity, owner.
    pub(super) fn filters(&self) -> [&str; 3] {
        [&self.kind, &self.severity, &self.owner]
    }
}

fn parse_filter<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &str,
    name: &str,
) -> Result<Option<T>> {
    if name.is_empty() {
        return Ok(None);
    }
    name.parse().map(Some).map_err(|error: T::Err| Error::invalid(field, error.to_string()))
}

/// Where a page of ended alerts goes on: when the last one ended, and its id.
pub(super) fn write_cursor((at, id): (Timestamp, AlertId)) -> String {
    format!("{}~{id}", at.as_microsecond())
}

/// Reads what [`write_cursor`] wrote.
pub(super) fn read_cursor(text: &str) -> Result<Option<(Timestamp, AlertId)>> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = || {
        let (micros, id) = text.split_once('~')?;
        Some((Timestamp::from_microsecond(micros.parse().ok()?).ok()?, id.parse().ok()?))
    };
    read()
        .map(Some)
        .ok_or_else(|| Error::invalid("after", "is not a valid cursor; go back to the first page"))
}
