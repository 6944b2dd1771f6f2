use askama::Template;
use mainstay_core::{
    alert::{AlertStatus, AlertType, Episode, Severity},
    score::Band,
    time::days_before,
};
use mainstay_store::{Alert, new_id};

use super::{NOW, Specimen, names, of_staff, zone};
use crate::web::ui::components::{AlertRow, AlertSubject, LastAction, MomentumAlertBadge};

/// Rows as they stand on a client's card, or in the list of all.
#[derive(Template)]
#[template(
    source = "<section class=\"{% if card %}card{% else %}group{% endif %}\" aria-label=\"Alerts\"><ul class=\"alerts\">{% for row in rows %}{{ row }}{% endfor %}</ul></section>",
    ext = "html"
)]
struct Rows {
    card: bool,
    rows: Vec<AlertRow>,
}

pub(super) fn specimens() -> Vec<Specimen> {
    let wide = names::wide();
    let subject = |name: &str| {
        Some(AlertSubject { name: name.to_owned(), score: Some((37, Band::AtRisk.into())) })
    };
    let every_type =
        Rows { card: true, rows: every_type().iter().map(|alert| row(alert, None)).collect() };
    let every_status = Rows {
        card: false,
        rows: every_status().iter().map(|alert| row(alert, subject("Larkspur Books"))).collect(),
    };
    let hostile = Rows {
        card: false,
        rows: [names::MARKUP, names::OVERRIDE, &wide]
            .into_iter()
            .map(|name| {
                let message = format!("“{name}” in progress, untouched for 10 days.");
                let alert =
                    alert(AlertType::TaskStalled, Severity::Warning, AlertStatus::Active, &message);
                row(&alert, subject(name))
            })
            .collect(),
    };
    let counts = vec![(Severity::Info, 3), (Severity::Warning, 10), (Severity::Critical, 5)];
    vec![
        Specimen::new("AlertRow", "every type", &every_type),
        Specimen::new("AlertRow", "every status", &every_status).wide(),
        Specimen::new("AlertRow", "hostile names", &hostile).wide(),
        Specimen::new("MomentumAlertBadge", "several", &MomentumAlertBadge::new(counts)),
        Specimen::new("MomentumAlertBadge", "none", &MomentumAlertBadge::new(Vec::new())),
    ]
}

fn row(alert: &Alert, subject: Option<AlertSubject>) -> AlertRow {
    let last = LastAction {
        who: "Ines Moreau".to_owned(),
        at: days_before(NOW, 1, &zone()),
        note: "waiting for their lawyer".to_owned(),
    };
    let acted = alert.episode.status != AlertStatus::Active;
    AlertRow::new(&of_staff(), alert, acted.then_some(&last), subject, None)
}

fn alert(kind: AlertType, severity: Severity, status: AlertStatus, message: &str) -> Alert {
    let opened = days_before(NOW, 3, &zone());
    Alert {
        client_id: "larkspur-books".to_owned(),
        client_name: Some("Larkspur Books".to_owned()),
        changed_at: opened,
        ended_at: (!status.is_open()).then_some(NOW),
        recovered_at: None,
        episode: Episode {
            id: new_id(opened),
            kind,
            severity,
            status,
            opened_at: opened,
            snoozed_until: (status == AlertStatus::Snoozed).then(|| days_before(NOW, -7, &zone())),
            condition_ended_at: None,
            ending: None,
            message: message.to_owned(),
            figures: serde_json::Map::new(),
        },
    }
}

fn every_type() -> Vec<Alert> {
    let all = [
        (AlertType::ZeroActivity, Severity::Critical, "Quiet for 6 days, usual gap 1 day."),
        (
            AlertType::ScoreDrop,
            Severity::Warning,
            "Score fell 26, 63 → 37 in 7 days: engagement −17.00, momentum −9.00.",
        ),
        (AlertType::ChurnRisk, Severity::Warning, "At risk and declining: 63 → 37 in 7 days."),
        (
            AlertType::TaskStalled,
            Severity::Warning,
            "“Import catalogue, then contacts” in progress, untouched for 10 days.",
        ),
        (AlertType::Inactivity, Severity::Warning, "Quiet for 51 hours, usual gap 1 day."),
        (AlertType::NeedsAttention, Severity::Info, "Entered 40–59 from 63, now 57."),
    ];
    all.into_iter()
        .map(|(kind, severity, message)| alert(kind, severity, AlertStatus::Active, message))
        .collect()
}

fn every_status() -> Vec<Alert> {
    AlertStatus::ALL
        .iter()
        .map(|status| {
            alert(
                AlertType::ChurnRisk,
                Severity::Critical,
                *status,
                "Quiet for 23 days, usual gap 4 days.",
            )
        })
        .collect()
}
