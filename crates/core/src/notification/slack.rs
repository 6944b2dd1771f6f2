use serde_json::{Value, json};

use super::{AlertNotification, AlertSummary, Event, Notification, SilenceNotification};
use crate::{insight::words::join_with_and, text::count_noun};

/// What Slack shows of a block's text at most is 3 000 characters; so many are always shown whole.
pub const SLACK_TEXT_CHARS: usize = 2_800;

/// A notice in the format of Slack's incoming webhooks. `client_page` says where a client's page is,
/// by the host app's id of it, and `alerts_page` where all alerts are.
pub fn slack_message(
    notice: &Notification,
    client_page: &dyn Fn(&str) -> String,
    alerts_page: &str,
) -> Value {
    let (title, lines) = match &notice.event {
        Event::AlertOpened(alert) => {
            (format_alert("opened", alert), format_client(alert, client_page))
        }
        Event::AlertWorsened(alert) => {
            (format_alert("worsened", alert), format_client(alert, client_page))
        }
        Event::AlertResolved(alert) => {
            (format_alert("ended", alert), format_client(alert, client_page))
        }
        Event::OrganizationFall(many) => {
            format_summary("got worse", many, client_page, alerts_page)
        }
        Event::OrganizationRecovery(many) => {
            format_summary("recovered", many, client_page, alerts_page)
        }
        Event::DataSilent(silence) => (
            "No events arrive".to_owned(),
            vec![format!(
                "{} Check that the app still sends them; alerts that rest on recent activity are \
                 held until then.",
                SilenceNotification {
                    organization: escape(&silence.organization),
                    ..silence.clone()
                }
                .sentence(&format_time(silence.last_event_at)),
            )],
        ),
        Event::DataResumed(silence) => (
            "Events arrive again".to_owned(),
            vec![format!(
                "The last one before the silence of {} was at {}.",
                escape(&silence.organization),
                format_time(silence.last_event_at),
            )],
        ),
        Event::PlaybookCalled(playbook) => (
            format!("{}: {}", playbook.playbook, playbook.display_name()),
            vec![format!(
                "{}\n{}",
                format_link(&client_page(&playbook.client_id), playbook.display_name()),
                escape(&playbook.reason)
            )],
        ),
        Event::WebhookTest(test) => (
            format!("Test of “{}”", test.endpoint),
            vec![format!("Notices of {} arrive here.", escape(&test.organization))],
        ),
    };
    let heading = format!("*{}*", escape(&title));
    let full_text = shorten(&std::iter::once(heading).chain(lines).collect::<Vec<_>>());
    json!({
        "text": escape(&title),
        "blocks": [{ "type": "section", "text": { "type": "mrkdwn", "text": full_text } }],
    })
}

fn format_alert(change: &str, alert: &AlertNotification) -> String {
    format!("{} {change}: {}", alert.alert_type.words(), alert.display_name())
}

fn format_client(alert: &AlertNotification, client_page: &dyn Fn(&str) -> String) -> Vec<String> {
    let owner = alert.owner.as_ref().map_or_else(
        || "nobody looks after this client".to_owned(),
        |owner| format!("looked after by {}", escape(&owner.name)),
    );
    vec![format_line(alert, client_page), format!("{}, {owner}", alert.severity.words())]
}

fn format_summary(
    what: &str,
    many: &AlertSummary,
    client_page: &dyn Fn(&str) -> String,
    alerts_page: &str,
) -> (String, Vec<String>) {
    let title = format!(
        "{} of {} {what} at once",
        count_noun(many.clients, "client"),
        crate::text::format_thousands(many.clients_in_all)
    );
    let counts: Vec<String> = many
        .by_type
        .iter()
        .map(|count| {
            format!(
                "{} {} ({})",
                crate::text::format_thousands(count.alerts),
                count.alert_type.words().to_lowercase(),
                count.severity
            )
        })
        .collect();
    let mut lines =
        vec![format!("{}: {}", count_noun(many.alerts, "alert"), join_with_and(&counts))];
    lines.extend(many.worst.iter().map(|alert| format!("• {}", format_line(alert, client_page))));
    lines.push(format_link(alerts_page, "All alerts"));
    (title, lines)
}

fn format_line(alert: &AlertNotification, client_page: &dyn Fn(&str) -> String) -> String {
    format!(
        "{}: {}",
        format_link(&client_page(&alert.client_id), alert.display_name()),
        escape(&alert.message)
    )
}

fn format_time(instant: jiff::Timestamp) -> String {
    // Slack shows the reader's own time, and what follows where it cannot.
    format!("<!date^{}^{{date_short_pretty}}, {{time}}|{instant}>", instant.as_second())
}

fn format_link(url: &str, text: &str) -> String {
    // What ends a link's address, and what ends its text.
    format!("<{}|{}>", escape(url).replace('|', "%7C"), escape(text))
}

/// Slack's three characters with a meaning.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// As many whole lines as Slack shows.
fn shorten(lines: &[String]) -> String {
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
