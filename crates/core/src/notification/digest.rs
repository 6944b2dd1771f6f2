use jiff::civil::Date;

use crate::{
    alert::{AlertType, Change, Severity},
    email::{EmailContent, Item, Stat},
    id::MemberId,
    insight::words,
    text::{count_noun, format_thousands},
};

/// Alerts that a digest names; the page has all of them.
const MAX_ITEMS: usize = 10;

/// Change of an alert on the day of a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestAlert {
    /// Display name of the client.
    pub client: String,
    /// Owner of the client.
    pub owner: Option<MemberId>,
    /// The last that became of it that day.
    pub change: Change,
    /// Alert type.
    pub kind: AlertType,
    /// Severity.
    pub severity: Severity,
    /// Message, or the reason why the alert ended.
    pub message: String,
}

/// Recipient and scope of a digest.
#[derive(Clone, Copy, Debug)]
pub struct DigestContext<'a> {
    /// The member.
    pub member: MemberId,
    /// The organization's name.
    pub organization: &'a str,
    /// The day that it begins with.
    pub day: Date,
    /// How many alerts are open after it.
    pub open: i64,
}

/// A mail to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Its subject.
    pub subject: String,
    /// Text.
    pub content: EmailContent,
}

impl Digest {
    /// The digest of a day's alerts; `None` when there is nothing to tell. The member's own clients
    /// come first, and of these what opened or got worse before what ended.
    pub fn new(to: DigestContext<'_>, alerts: &[DigestAlert]) -> Option<Self> {
        if alerts.is_empty() {
            return None;
        }
        let count = |change| {
            let those = alerts.iter().filter(|alert| alert.change == change).count();
            i64::try_from(those).unwrap_or(i64::MAX)
        };
        let (opened, worsened, resolved) =
            (count(Change::Opened), count(Change::Worsened), count(Change::Resolved));
        let parts: Vec<String> = [(opened, "opened"), (worsened, "got worse"), (resolved, "ended")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", count_noun(count, "alert")))
            .collect();
        let day = to.day.strftime("%a %-d %b").to_string();
        let heading = words::join_with_and(&parts);
        let mut ordered: Vec<&DigestAlert> = alerts.iter().collect();
        ordered.sort_by_key(|alert| {
            let own = alert.owner == Some(to.member);
            (!own, alert.change == Change::Resolved, std::cmp::Reverse(alert.severity))
        });
        let own = ordered.iter().filter(|alert| alert.owner == Some(to.member)).count();
        let remaining = ordered.len().saturating_sub(MAX_ITEMS);
        let mut notes = vec![
            "You get this because you asked for the daily digest; Settings, Notifications ends it."
                .to_owned(),
        ];
        if remaining > 0 {
            let remaining = count_noun(i64::try_from(remaining).unwrap_or(i64::MAX), "more alert");
            notes.insert(0, format!("{remaining} changed; the page has all of them."));
        }
        let stat = |figure, label: &str| Stat {
            figure: format_thousands(figure),
            label: label.to_owned(),
        };
        let content = EmailContent {
            organization: to.organization.to_owned(),
            about: format!("Alerts since {day}"),
            preview: heading.clone(),
            heading: format!("{heading}."),
            lead: describe_owners(own, alerts.len()),
            score: None,
            stats: vec![
                stat(opened, "opened"),
                stat(worsened, "got worse"),
                stat(resolved, "ended"),
                stat(to.open, "open now"),
            ],
            items: ordered.into_iter().take(MAX_ITEMS).map(item).collect(),
            button: "Open the alerts".to_owned(),
            notes,
        };
        Some(Self { subject: format!("{}: {heading} since {day}", to.organization), content })
    }
}

fn describe_owners(own: usize, all: usize) -> String {
    match (own, all) {
        (0, _) => "None of them is of a client that you look after.".to_owned(),
        (own, all) if own == all => "All of them are of clients that you look after.".to_owned(),
        (1, _) => "1 of them is of a client that you look after.".to_owned(),
        (own, _) => format!("{own} of them are of clients that you look after."),
    }
}

fn item(alert: &DigestAlert) -> Item {
    let change = match alert.change {
        Change::Opened => alert.severity.words().to_owned(),
        Change::Worsened => format!("{}, got worse", alert.severity.words()),
        Change::Resolved => "Ended".to_owned(),
    };
    Item {
        label: change,
        title: format!("{}, {}", alert.client, alert.kind.words().to_lowercase()),
        message: alert.message.clone(),
    }
}
