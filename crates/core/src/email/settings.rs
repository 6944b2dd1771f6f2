use jiff::{Timestamp, civil::Time, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::EmailType;
use crate::engagement::{check_text, is_line};

const MAX_NAME_CHARS: usize = 100;
const MAX_POSTAL_CHARS: usize = 200;
const MAX_URL_BYTES: usize = 2_000;
/// A mail a day, and the weekly one.
const MAX_EMAILS_PER_WEEK: i64 = 8;

/// What an organization decides about the mails to its clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmailSettings {
    /// The kinds that are not written.
    pub off: Vec<EmailType>,
    /// The name that mails come from; the organization's when absent.
    pub from_name: Option<String>,
    /// Where the button leads; the client's page here when absent.
    pub dashboard_url: Option<String>,
    /// The postal address below each mail.
    pub postal_address: Option<String>,
    /// Mails to a client within 7 days at most; the weekly one counts, but is always sent.
    pub most_per_week: i64,
    /// The hours in which no mail is sent.
    pub quiet: Option<QuietHours>,
}

/// Hours of the organization's wall clock, the end not included; over midnight when the end is not
/// after the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// The first, 0–23.
    pub from: i8,
    /// The one after the last, 0–23.
    pub until: i8,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct SettingError {
    /// Its name in the API.
    pub field: &'static str,
    /// The problem and its remedy.
    pub reason: String,
}

impl Default for EmailSettings {
    fn default() -> Self {
        Self {
            off: Vec::new(),
            from_name: None,
            dashboard_url: None,
            postal_address: None,
            most_per_week: 3,
            quiet: None,
        }
    }
}

impl EmailSettings {
    /// Whether mails of a kind are written.
    pub fn sends(&self, kind: EmailType) -> bool {
        !self.off.contains(&kind)
    }

    /// Checks every value.
    ///
    /// # Errors
    /// Naming the first that cannot be used.
    pub fn check(&self) -> Result<(), SettingError> {
        let refuse = |field, reason: &str| Err(SettingError { field, reason: reason.to_owned() });
        for (field, text, most) in [
            ("from_name", &self.from_name, MAX_NAME_CHARS),
            ("postal_address", &self.postal_address, MAX_POSTAL_CHARS),
        ] {
            let text = text.as_deref().unwrap_or_default();
            check_text(field, text, most)
                .map_err(|error| SettingError { field, reason: error.reason })?;
            if !is_line(text) {
                return refuse(
                    field,
                    "has a line break or another control character; use one line",
                );
            }
        }
        if let Some(url) = &self.dashboard_url {
            let web = url.starts_with("https://") || url.starts_with("http://");
            let clean = !url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
            if !web || !clean || url.len() > MAX_URL_BYTES {
                return refuse(
                    "dashboard_url",
                    "is no address of a page; use one like https://app.example.com/success, at most \
                     2 000 characters",
                );
            }
        }
        if !(1..=MAX_EMAILS_PER_WEEK).contains(&self.most_per_week) {
            return refuse("most_per_week", "is out of range; use 1 to 8");
        }
        if let Some(quiet) = self.quiet {
            quiet.check()?;
        }
        Ok(())
    }
}

impl QuietHours {
    /// Checks both hours.
    ///
    /// # Errors
    /// When they are no hours of a day, or the same.
    pub fn check(self) -> Result<(), SettingError> {
        let hours = 0..=23;
        if hours.contains(&self.from) && hours.contains(&self.until) && self.from != self.until {
            return Ok(());
        }
        Err(SettingError {
            field: "quiet",
            reason: "needs two different hours of 0 to 23, for example from 22 until 7".to_owned(),
        })
    }

    /// When the quiet hours end that an instant lies in; `None` when it lies in none.
    pub fn ends_after(self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let local = zone.to_datetime(now);
        let hour = local.hour();
        let quiet = if self.from < self.until {
            (self.from..self.until).contains(&hour)
        } else {
            hour >= self.from || hour < self.until
        };
        if !quiet {
            return None;
        }
        let today = local.date();
        let day = if hour < self.until { today } else { today.tomorrow().ok()? };
        let end = day.to_datetime(Time::new(self.until, 0, 0, 0).ok()?);
        zone.to_timestamp(end).ok()
    }
}
