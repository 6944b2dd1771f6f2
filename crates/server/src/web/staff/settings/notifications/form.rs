use mainstay_core::{
    alert::{AlertType, Severity},
    id::MemberId,
    notification::{NotificationType, Route},
};
use mainstay_store::{Member, Webhook, WebhookPatch};

use crate::Error;

/// The name of the box for clients that nobody looks after.
const NO_OWNER: &str = "nobody";

/// The form of a webhook, as it is filled in: fields come in pairs, since several boxes of a name may
/// be ticked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WebhookForm {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) least_severity: String,
    pub(super) any_hour: bool,
    events: Vec<String>,
    alert_types: Vec<String>,
    owners: Vec<String>,
}

impl WebhookForm {
    pub(super) fn of(webhook: &Webhook) -> Self {
        let route = &webhook.route;
        let nobody = route.unowned.then(|| NO_OWNER.to_owned());
        Self {
            name: webhook.name.clone(),
            url: webhook.url.clone(),
            least_severity: route.least_severity.map(|one| one.to_string()).unwrap_or_default(),
            any_hour: webhook.ignores_quiet_hours,
            events: route.events.iter().map(ToString::to_string).collect(),
            alert_types: route.alert_types.iter().map(ToString::to_string).collect(),
            owners: route.owners.iter().map(ToString::to_string).chain(nobody).collect(),
        }
    }

    pub(super) fn from_fields(fields: &[(String, String)]) -> Self {
        let all = |name: &str| {
            let named = fields.iter().filter(|(known, _)| known == name);
            named.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let one = |name: &str| all(name).pop().unwrap_or_default();
        Self {
            name: one("name"),
            url: one("url"),
            least_severity: one("least_severity"),
            any_hour: !one("any_hour").is_empty(),
            events: all("events"),
            alert_types: all("alert_types"),
            owners: all("owners"),
        }
    }

    /// What to change.
    pub(super) fn patch(&self) -> Result<WebhookPatch, Error> {
        let least = match self.least_severity.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|error: mainstay_core::alert::UnknownName| {
                Error::invalid("least_severity", error.to_string())
            })?),
        };
        let owners = self.owners.iter().filter(|owner| *owner != NO_OWNER);
        let route = Route {
            events: read("events", &self.events)?,
            least_severity: least,
            alert_types: read("alert_types", &self.alert_types)?,
            owners: owners
                .map(|owner| {
                    owner.parse::<MemberId>().map_err(|_| {
                        Error::invalid("owners", "is not in the list; reload the page")
                    })
                })
                .collect::<Result<_, _>>()?,
            unowned: self.owners.iter().any(|owner| owner == NO_OWNER),
        };
        Ok(WebhookPatch {
            name: Some(self.name.clone()),
            url: Some(self.url.clone()),
            route: Some(route),
            ignores_quiet_hours: Some(self.any_hour),
        })
    }

    pub(super) fn events(&self) -> Vec<Choice> {
        let words = |event: &NotificationType| event.words().to_owned();
        boxes(
            "events",
            NotificationType::ROUTED.iter().map(|one| (one.to_string(), words(one))),
            &self.events,
        )
    }

    pub(super) fn alert_types(&self) -> Vec<Choice> {
        let all = AlertType::ALL.iter().map(|one| (one.to_string(), one.words().to_owned()));
        boxes("alert_types", all, &self.alert_types)
    }

    pub(super) fn owners(&self, members: &[Member]) -> Vec<Choice> {
        let nobody = (NO_OWNER.to_owned(), "Clients without an owner".to_owned());
        let members = members.iter().map(|member| (member.id.to_string(), member.name.clone()));
        boxes("owners", members.chain(std::iter::once(nobody)), &self.owners)
    }

    pub(super) fn severities(&self) -> Vec<Choice> {
        let all = Severity::ALL.iter().map(|one| {
            let words = match one {
                Severity::Info => "All alerts",
                Severity::Warning => "Warnings and critical alerts",
                Severity::Critical => "Critical alerts only",
            };
            (one.to_string(), words.to_owned())
        });
        let chosen = if self.least_severity.is_empty() {
            Severity::Info.to_string()
        } else {
            self.least_severity.clone()
        };
        boxes("least_severity", all, &[chosen])
    }
}

/// Something that can be chosen in the form.
pub(super) struct Choice {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) words: String,
    pub(super) chosen: bool,
}

fn boxes(
    name: &'static str,
    all: impl Iterator<Item = (String, String)>,
    chosen: &[String],
) -> Vec<Choice> {
    all.map(|(value, words)| Choice { name, chosen: chosen.contains(&value), value, words })
        .collect()
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &'static str,
    texts: &[String],
) -> Result<Vec<T>, Error> {
    let read = texts.iter().map(|text| text.parse());
    read.collect::<Result<_, T::Err>>().map_err(|error| Error::invalid(field, error.to_string()))
}
