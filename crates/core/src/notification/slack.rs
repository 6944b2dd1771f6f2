use serde_json::{Value, json};

use super::{AlertNotice, Event, ManyAlerts, Notice, SilenceNotice};
use crate::{insight::words::listed, text::counted};

/// What Slack shows of a block's text at most is 3 000 characters; so many are always shown whole.
pub const SLACK_TEXT_CHARS: usize = 2_800;

/// A notice in the format of Slack's incoming webhooks. `client_page` says where a client's page is,
/// by the host app's id of it, and `alerts_page` where all alerts are.
pub fn slack_message(
    notice: &Notice,
    client_page: &dyn Fn(&str) -> String,
    alerts_page: &str,
) -> Value {
    let (title, lines) = match &notice.event {
        Event::AlertOpened(alert) => (of_alert("opened", alert), of_client(alert, client_page)),
        Event::AlertWorsened(alert) => (of_alert("worsened", alert), of_client(alert, client_page)),
        Event::AlertResolved(alert) => (of_alert("ended", alert), of_client(alert, client_page)),
        Event::OrganizationFall(many) => of_many("got worse", many, client_page, alerts_page),
        Event::OrganizationRecovery(many) => of_many("recovered", many, client_page, alerts_page),
        Event::DataSilent(silence) => (
            "No events arrive".to_owned(),
            vec![format!(
                "{} Check that the app still sends them; alerts that rest on recent activity are \
                 held until then.",
                SilenceNotice { organization: escaped(&silence.organization), ..silence.clone() }
                    .sentence(&at(silence.last_event_at)),
            )],
        ),
        Event::DataResumed(silence) => (
            "Events arrive again".to_owned(),
            vec![format!(
                "The last one before the silence of {} was at {}.",
                escaped(&silence.organization),
                at(silence.last_event_at),
            )],
        ),
        Event::PlaybookCalled(playbook) => (
            format!("{}: {}", playbook.playbook, playbook.called()),
            vec![format!(
                "{}\n{}",
                linked(&client_page(&playbook.client_id), playbook.called()),
                escaped(&playbook.reason)
            )],
        ),
        Event::WebhookTest(test) => (
            format!("Test of “{}”", test.endpoint),
            vec![format!("Notices of {} arrive here.", escaped(&test.organization))],
        ),
    };
    let heading = format!("*{}*", escaped(&title));
    let whole = shortened(&std::iter::once(heading).chain(lines).collect::<Vec<_>>());
    json!({
        "text": escaped(&title),
        "blocks": [{ "type": "section", "text": { "type": "mrkdwn", "text": whole } }],
    })
}

fn of_alert(change: &str, alert: &AlertNotice) -> String {
    format!("{} {change}: {}", alert.alert_type.words(), alert.called())
}

fn of_client(alert: &AlertNotice, client_page: &dyn Fn(&str) -> String) -> Vec<String> {
    let owner = alert.owner.as_ref().map_or_else(
        || "nobody looks after this client".to_owned(),
        |owner| format!("looked after by {}", escaped(&owner.name)),
    );
    vec![line(alert, client_page), format!("{}, {owner}", alert.severity.words())]
}

fn of_many(
    what: &str,
    many: &ManyAlerts,
    client_page: &dyn Fn(&str) -> String,
    alerts_page: &str,
) -> (String, Vec<String>) {
    let title = format!(
        "{} of {} {what} at once",
        counted(many.clients, "client"),
        crate::text::grouped(many.clients_in_all)
    );
    let counts: Vec<String> = many
        .by_type
        .iter()
        .map(|count| {
            format!(
                "{} {} ({})",
                crate::text::grouped(count.alerts),
                count.alert_type.words().to_lowercase(),
                count.severity
            )
        })
        .collect();
    let mut lines = vec![format!("{}: {}", counted(many.alerts, "alert"), listed(&counts))];
    lines.extend(many.worst.iter().map(|alert| format!("• {}", line(alert, client_page))));
    lines.push(linked(alerts_page, "All alerts"));
    (title, lines)
}

fn line(alert: &AlertNotice, client_page: &dyn Fn(&str) -> String) -> String {
    format!(
        "{}: {}",
        linked(&client_page(&alert.client_id), alert.called()),
        escaped(&alert.message)
    )
}

fn at(instant: jiff::Timestamp) -> String {
    // Slack shows the reader's own time, and what follows where it cannot.
    format!("<!date^{}^{{date_short_pretty}}, {{time}}|{instant}>", instant.as_second())
}

fn linked(url: &str, text: &str) -> String {
    // What ends a link's address, and what ends its text.
    format!("<{}|{}>", escaped(url).replace('|', "%7C"), escaped(text))
}

/// Slack's three characters with a meaning.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// As many whole lines as Slack shows.
fn shortened(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        if text.chars().count() + line.chars().count() > SLACK_TEXT_CHARS {
            let room = SLACK_TEXT_CHARS.saturating_sub(text.chars().count());
            text.extend(line.chars().take(if text.is_empty() { room } else { 0 }));
            text.push('…');
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
    }
    text
}
