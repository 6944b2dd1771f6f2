use jiff::{Timestamp, tz::TimeZone};
use mainstay_core::{notification::is_notable_failure, text::count_noun};
use mainstay_store::Organization;

use crate::{
    Result,
    email::{MailTrouble, Outage},
    web::Web,
};

/// Something that does not leave, and that staff must hear of: it may be what would have told them.
#[derive(Clone, Debug)]
pub(crate) struct Undelivered {
    /// What, and since when.
    pub(crate) title: String,
    /// Why, what waits, and when it is tried again.
    pub(crate) text: String,
    /// Where to do something about it: a path and words.
    pub(crate) link: (&'static str, &'static str),
    /// Whether a test email makes a trial at once.
    pub(crate) test: bool,
}

impl Undelivered {
    /// What does not leave of an organization, for the page at a path. That no mail server is set at all
    /// is said only where it matters.
    pub(crate) async fn find(
        web: &Web,
        organization: &Organization,
        zone: &TimeZone,
        path: &str,
    ) -> Result<Vec<Self>> {
        if organization.sample {
            return Ok(Vec::new());
        }
        let settings = path.starts_with("/settings");
        let mut found = Vec::new();
        let trouble = web.mainstay.mail_status().trouble(organization.id).filter(|trouble| {
            *trouble != MailTrouble::NoServer || settings || path.starts_with("/emails")
        });
        if let Some(trouble) = trouble {
            let waiting = web.mainstay.mail_overview(organization.id).await?.waiting;
            // A queue with nothing in it has nothing to make a trial with: it is no trouble any more.
            if waiting > 0 || !matches!(trouble, MailTrouble::Refused(_)) {
                found.push(Self::of_mail(&trouble, waiting, zone));
            }
        }
        if settings || path.starts_with("/alerts") {
            let now = web.mainstay.now();
            let webhooks = web.mainstay.webhooks(organization.id).await?;
            let failing = webhooks.iter().filter(|one| one.disabled.is_none());
            for (webhook, since) in failing.filter_map(|one| Some((one, one.failing_since?))) {
                if is_notable_failure(since, now) {
                    found.push(Self::of_webhook(&webhook.name, since, zone));
                }
            }
        }
        Ok(found)
    }

    fn of_mail(trouble: &MailTrouble, waiting: i64, zone: &TimeZone) -> Self {
        let waits = match waiting {
            0 => "No emails are waiting.".to_owned(),
            1 => "1 email is waiting.".to_owned(),
            many => format!("{} are waiting.", count_noun(many, "email")),
        };
        let (title, outage) = match trouble {
            MailTrouble::NoServer => {
                let text = format!(
                    "{waits} Whoever runs the server must set MAINSTAY_SMTP_URL and MAINSTAY_MAIL_FROM."
                );
                let title = "No mail server is configured.".to_owned();
                let link = ("/settings/emails", "Email settings");
                return Self { title, text, link, test: false };
            }
            MailTrouble::Unreachable(outage) => ("The mail server cannot be used", outage),
            MailTrouble::Refused(outage) => {
                ("The mail server refuses this organization’s emails", outage)
            }
        };
        let Outage { since, reason, retry_delay, .. } = outage;
        Self {
            title: format!("{title} since {}.", moment(*since, zone)),
            text: format!(
                "It says: “{reason}”. {waits} The next attempt is at {}.",
                retry_delay.to_zoned(zone.clone()).strftime("%H:%M:%S")
            ),
            link: ("/settings/emails", "Email settings"),
            test: true,
        }
    }

    fn of_webhook(name: &str, since: Timestamp, zone: &TimeZone) -> Self {
        Self {
            title: format!("“{name}” has accepted no messages since {}.", moment(since, zone)),
            text: "Its notifications are waiting and will be retried.".to_owned(),
            link: ("/settings/notifications", "Notifications"),
            test: false,
        }
    }
}

fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%-d %B, %H:%M").to_string()
}
