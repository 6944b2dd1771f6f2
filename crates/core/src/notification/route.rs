use serde::{Deserialize, Serialize};

use super::{News, NotificationType};
use crate::{
    alert::{AlertType, Change, Severity},
    email::SettingError,
    id::MemberId,
};

/// More owners than this are all of them.
const MAX_OWNERS: usize = 100;

/// Which notices go to an endpoint. Whatever is left empty lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Route {
    /// Only these events.
    pub events: Vec<NotificationType>,
    /// Only alerts that are at least as bad as this.
    pub least_severity: Option<Severity>,
    /// Only alerts of these types.
    pub alert_types: Vec<AlertType>,
    /// Only alerts of these members' clients.
    pub owners: Vec<MemberId>,
    /// Also, or only, alerts of clients that nobody looks after.
    pub unowned: bool,
}

impl Route {
    /// Checks every value.
    ///
    /// # Errors
    /// Naming the first that cannot be used.
    pub fn check(&self) -> Result<(), SettingError> {
        if let Some(other) =
            self.events.iter().find(|event| !NotificationType::ROUTED.contains(event))
        {
            let routed: Vec<&str> =
                NotificationType::ROUTED.iter().map(|known| known.as_str()).collect();
            return Err(SettingError {
                field: "events",
                reason: format!("{other} is not routed; choose from {}", routed.join(", ")),
            });
        }
        if self.owners.len() > MAX_OWNERS {
            return Err(SettingError {
                field: "owners",
                reason: format!(
                    "{} members are named; name at most {MAX_OWNERS}, or none for all",
                    self.owners.len()
                ),
            });
        }
        Ok(())
    }

    /// Whether the endpoint wants to hear of an event.
    pub fn accepts_event(&self, event: NotificationType) -> bool {
        self.events.is_empty() || self.events.contains(&event)
    }

    /// Whether an alert is one of those that the endpoint hears of.
    pub fn matches(&self, news: &News) -> bool {
        let everybody = self.owners.is_empty() && !self.unowned;
        let owned = match news.owner {
            _ if everybody => true,
            Some(owner) => self.owners.contains(&owner),
            None => self.unowned,
        };
        owned
            && self.least_severity.is_none_or(|least| news.severity >= least)
            && (self.alert_types.is_empty() || self.alert_types.contains(&news.kind))
    }

    /// Whether one change of an alert goes there by itself.
    pub fn accepts(&self, news: &News) -> bool {
        self.accepts_event(match news.change {
            Change::Opened => NotificationType::AlertOpened,
            Change::Worsened => NotificationType::AlertWorsened,
            Change::Resolved => NotificationType::AlertResolved,
        }) && self.matches(news)
    }

    /// Whether a change of an alert counts towards what goes there as one: whoever chose the single
    /// ones wants that in their place.
    pub fn counts(&self, news: &News) -> bool {
        let many = if news.change == Change::Resolved {
            NotificationType::OrganizationRecovery
        } else {
            NotificationType::OrganizationFall
        };
        self.accepts(news) || (self.accepts_event(many) && self.matches(news))
    }
}
