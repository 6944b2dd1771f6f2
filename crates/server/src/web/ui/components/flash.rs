use askama::Template;
use jiff::Timestamp;
use mainstay_core::text::count_noun;
use serde::Deserialize;

use super::markup;

/// What an address says was just done with alerts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AlertFlashParams {
    /// The action.
    #[serde(rename = "done")]
    pub(crate) action: String,
    /// With how many alerts.
    pub(crate) changed: String,
    /// When, in microseconds since 1970: what undoing it takes.
    pub(crate) at: String,
    /// The alert that could not be snoozed, and until when that was asked for.
    pub(crate) snooze: String,
    pub(crate) until: String,
}

/// Says what was just done with alerts, with a button that takes it back.
#[derive(Clone, Debug, Template)]
#[template(path = "components/flash.html")]
pub(crate) struct AlertFlash {
    words: String,
    undo: Option<String>,
    next: String,
}

impl AlertFlash {
    /// What an address says; `next` is where undoing it leads to afterwards. `None` when nothing was done.
    pub(crate) fn of(done: &AlertFlashParams, next: String) -> Option<Self> {
        let changed: i64 = done.changed.parse().unwrap_or(0);
        let verb = match done.action.as_str() {
            "acknowledge" => "acknowledged",
            "snooze" => "snoozed",
            "resolve" => "resolved",
            "dismiss" => "dismissed",
            "reopen" => "reopened",
            "undo" if changed == 0 => {
                return Some(Self {
                    words: "Nothing was undone: the alert has changed since, or its condition has ended."
                        .to_owned(),
                    undo: None,
                    next,
                });
            }
            "undo" if changed == 1 => "was restored",
            "undo" => "were restored",
            _ => return None,
        };
        let undoable = !matches!(done.action.as_str(), "undo" | "reopen") && changed > 0;
        let at = done.at.parse().ok().and_then(|at| Timestamp::from_microsecond(at).ok());
        Some(Self {
            words: format!("{} {verb}.", count_noun(changed, "alert")),
            undo: at.filter(|_| undoable).map(|at| at.as_microsecond().to_string()),
            next,
        })
    }
}

markup!(AlertFlash);
