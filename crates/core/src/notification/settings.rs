use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    alert::Severity,
    email::{QuietHours, SettingError},
    engagement::check_line,
};

const MAX_NAME_CHARS: usize = 100;
const MAX_URL_BYTES: usize = 2_000;

/// What an organization decides about telling its staff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotificationSettings {
    /// The hours in which nothing is delivered. Alerts open, worsen and end all the same.
    pub quiet: Option<QuietHours>,
    /// Whether what is critical is delivered in these hours, too.
    pub critical_at_any_hour: bool,
    /// The hour of the day at which the daily digest is mailed.
    pub digest_hour: i8,
}

impl Default for NotificationSettings {
    fn default() -> Self {
        Self { quiet: None, critical_at_any_hour: false, digest_hour: 7 }
    }
}

/// How much of a hurry a message is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Urgency {
    /// How bad the worst is that it tells of.
    pub severity: Option<Severity>,
    /// Whether somebody waits for it, or the endpoint takes messages at any hour.
    pub any_hour: bool,
}

impl NotificationSettings {
    /// Checks every value.
    ///
    /// # Errors
    /// Naming the first that cannot be used.
    pub fn check(&self) -> Result<(), SettingError> {
        if let Some(quiet) = self.quiet {
            quiet.check()?;
        }
        if !(0..=23).contains(&self.digest_hour) {
            return Err(SettingError {
                field: "digest_hour",
                reason: "is no hour of the day; use 0 to 23".to_owned(),
            });
        }
        Ok(())
    }

    /// Until when quiet hours hold a message back; `None` when it may go now.
    pub fn held_until(
        &self,
        urgency: Urgency,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let critical = urgency.severity == Some(Severity::Critical) && self.critical_at_any_hour;
        if urgency.any_hour || critical {
            return None;
        }
        self.quiet.and_then(|quiet| quiet.ends_after(now, zone))
    }
}

/// Checks what an endpoint is to be called.
///
/// # Errors
/// When it cannot be used.
pub fn check_endpoint_name(name: &str) -> Result<(), SettingError> {
    let wrong = |reason: String| SettingError { field: "name", reason };
    check_line("name", name, MAX_NAME_CHARS).map_err(|error| wrong(error.reason))?;
    if name.trim().is_empty() {
        return Err(wrong("is empty; use a few words".to_owned()));
    }
    Ok(())
}

/// Checks the address of an endpoint as far as its text tells; where it leads is seen when something
/// is sent there.
///
/// # Errors
/// When it cannot be used.
pub fn check_endpoint_url(url: &str) -> Result<(), SettingError> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let clean = !url.contains(|c: char| c.is_whitespace() || c.is_control());
    let wrong = |reason: &str| Err(SettingError { field: "url", reason: reason.to_owned() });
    match host {
        Some(host) if host.contains('@') => {
            wrong("has a user name or password in it; leave these out, messages are signed instead")
        }
        Some(host) if !host.is_empty() && clean && url.len() <= MAX_URL_BYTES => Ok(()),
        _ => wrong(
            "is no address that messages can be sent to; use one like https://example.com/hooks, at \
             most 2 000 characters",
        ),
    }
}
