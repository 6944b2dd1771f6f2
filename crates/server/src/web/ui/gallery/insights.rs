use jiff::civil::date;
use mainstay_core::{
    engagement::EventType,
    insight::{InsightEvidence, InsightStatus, InsightType, Priority, Rule},
    score::Component,
    time::days_before,
};
use mainstay_store::{StoredInsight, new_id};
use serde_json::json;
use uuid::Uuid;

use super::{NOW, Specimen, names, of_client, of_staff, zone};
use crate::web::{overview::next_insights, ui::components::WeeklyInsightsCard};

pub(super) fn specimens() -> Vec<Specimen> {
    let (client, staff) = (of_client(), of_staff());
    let next = Some(next_insights(client.today()));
    let (all, hostile) = (all(), hostile());
    let name = "WeeklyInsightsCard";
    vec![
        Specimen::new(name, "every type", &WeeklyInsightsCard::new(&client, &all, next)),
        Specimen::new(name, "for staff", &WeeklyInsightsCard::new(&staff, &all, next)),
        Specimen::new(name, "hostile names", &WeeklyInsightsCard::new(&client, &hostile, next)),
        Specimen::new(name, "none", &WeeklyInsightsCard::new(&client, &[], next)),
    ]
}

fn insight(
    (kind, priority, status): (InsightType, Priority, InsightStatus),
    title: &str,
    message: &str,
    evidence: InsightEvidence,
) -> StoredInsight {
    let written = days_before(NOW, 2, &zone());
    StoredInsight {
        id: new_id(written),
        client: new_id::<Uuid>(written).into(),
        period: evidence.last,
        rule: Rule::OtherActivity.as_str().to_owned(),
        kind,
        priority,
        status,
        title: title.to_owned(),
        message: message.to_owned(),
        figures: json!({ "count": evidence.events.len() }).as_object().cloned().unwrap_or_default(),
        evidence,
        created_at: written,
        valid_until: days_before(NOW, -12, &zone()),
        later_events: 0,
    }
}

fn week() -> InsightEvidence {
    InsightEvidence {
        first: date(2026, 11, 15),
        last: date(2026, 11, 21),
        events: Vec::new(),
        counted: None,
        components: Vec::new(),
        tasks: false,
    }
}

fn all() -> Vec<StoredInsight> {
    use InsightStatus::{ActedOn, Read, Unread};
    let events = |events: &[EventType]| InsightEvidence { events: events.to_vec(), ..week() };
    let part = InsightEvidence { components: vec![Component::Progress], ..week() };
    let earlier = InsightEvidence {
        first: date(2026, 11, 8),
        last: date(2026, 11, 14),
        ..events(&[EventType::Login])
    };
    vec![
        insight(
            (InsightType::Recommendation, Priority::High, Unread),
            "Make your 5th visual",
            "You have 4 visuals; the 5th reaches a milestone. It is worth 4.25 points and takes \
             your score from 71 to 75, as of 22 Nov.",
            part.clone(),
        ),
        insight(
            (InsightType::TrendAlert, Priority::High, Unread),
            "Your score fell 12 points, to 59",
            "It was 71 on 15 Nov. In points: momentum −9.00, engagement −3.00.",
            part,
        ),
        insight(
            (InsightType::Milestone, Priority::Normal, Read),
            "Milestone: 5th piece of content",
            "You had 4 pieces of content before 15 Nov and 6 at the end of 21 Nov.",
            events(&[EventType::ContentGenerated]),
        ),
        insight(
            (InsightType::Achievement, Priority::Normal, Read),
            "1 visual made",
            "You made 1 visual from 15 to 21 Nov, 4 in all.",
            events(&[EventType::VisualCreated]),
        ),
        insight(
            (InsightType::Tip, Priority::Normal, ActedOn),
            "1 onboarding task left",
            "“Connect your shop” is open since 9 Nov.",
            InsightEvidence { tasks: true, ..week() },
        ),
        insight(
            (InsightType::WeeklySummary, Priority::Low, Unread),
            "Other activity: 1 event",
            "You had 1 sign-in from 8 to 14 Nov.",
            earlier,
        ),
    ]
}

fn hostile() -> Vec<StoredInsight> {
    let wide = names::wide();
    [names::MARKUP, names::OVERRIDE, &wide]
        .into_iter()
        .map(|name| {
            insight(
                (InsightType::Tip, Priority::Normal, InsightStatus::Unread),
                name,
                &format!("“{name}” is open since 9 Nov."),
                InsightEvidence { tasks: true, ..week() },
            )
        })
        .collect()
}
