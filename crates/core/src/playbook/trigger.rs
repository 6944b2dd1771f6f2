use serde::{Deserialize, Serialize};

use super::PlaybookError;
use crate::{
    alert::{AlertType, Change, Severity, Transition},
    score::Band,
};

/// Trigger of a playbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
pub enum Trigger {
    /// An alert opens or worsens.
    Alert {
        /// Of this type; of any when absent.
        #[serde(rename = "type", default)]
        kind: Option<AlertType>,
        /// And at least as bad as this.
        at_least: Severity,
    },
    /// A client's score enters another band.
    Band {
        /// From this band; from any other when absent.
        #[serde(default)]
        from: Option<Band>,
        /// To this one.
        to: Band,
    },
}

/// A client's score left a band for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BandChange {
    /// The band of the score that was stored before.
    pub from: Band,
    /// The band of the new one.
    pub to: Band,
}

impl BandChange {
    /// The change between two bands; `None` when they are the same.
    pub fn between(from: Band, to: Band) -> Option<Self> {
        (from != to).then_some(Self { from, to })
    }

    /// Whether the new band is the worse one.
    pub fn is_fall(self) -> bool {
        self.to < self.from
    }
}

impl Trigger {
    pub(super) fn check(self) -> Result<(), PlaybookError> {
        match self {
            Self::Band { from: Some(from), to } if from == to => Err(PlaybookError::new(
                "trigger.from",
                format!("is {from} like to; name two different bands, or leave it out for any"),
            )),
            Self::Band { .. } | Self::Alert { .. } => Ok(()),
        }
    }

    /// Whether it is what a health check found: an alert that opens, or one that worsens.
    pub fn matches_transition(self, transition: &Transition) -> bool {
        let is_news = matches!(transition.change(), Some(Change::Opened | Change::Worsened));
        match (self, transition.finding()) {
            (Self::Alert { kind, at_least }, Some(finding)) => {
                is_news
                    && kind.is_none_or(|kind| kind == finding.kind)
                    && finding.severity >= at_least
            }
            _ => false,
        }
    }

    /// Whether it is this change of the band.
    pub fn matches_band(self, change: BandChange) -> bool {
        match self {
            Self::Band { from, to } => {
                to == change.to && from.is_none_or(|from| from == change.from)
            }
            Self::Alert { .. } => false,
        }
    }
}
