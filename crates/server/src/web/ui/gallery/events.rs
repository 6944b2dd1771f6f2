use jiff::{Timestamp, ToSpan as _};
use mainstay_core::{
    alert::Severity,
    engagement::EventType,
    time::{add_days, days_before, local_day},
};
use mainstay_store::StoredEvent;
use serde_json::json;

use super::{NOW, Specimen, names, of_client, of_staff, zone};
use crate::{
    engagement::{HEATMAP_DAYS, Heatmap, HeatmapDay},
    web::ui::components::{EmptyState, EngagementHeatmap, Timeline, TimelineMark},
};

/// A month of an active client, oldest day first.
const DAILY: [i64; 30] =
    [2, 0, 3, 5, 1, 0, 0, 4, 6, 0, 3, 2, 0, 0, 3, 4, 2, 6, 0, 1, 0, 3, 2, 7, 4, 0, 0, 1, 3, 2];

pub(super) fn specimens() -> Vec<Specimen> {
    let (client, staff) = (of_client(), of_staff());
    let today = local_day(NOW, &zone());
    let long_ago = add_days(today, -200);
    let heat = |daily: [i64; 30], since| EngagementHeatmap::new(&client, &heatmap(daily), since);
    let many = DAILY.map(|events| events * 123_457);
    let (events, hostile) = (events(), hostile());
    let marks = [TimelineMark {
        at: days_before(NOW, 1, &zone()),
        icon: "warning",
        severity: Some(Severity::Warning),
        words: "Alert: inactivity".to_owned(),
    }];
    vec![
        Specimen::new("EngagementHeatmap", "a month", &heat(DAILY, long_ago)),
        Specimen::new("EngagementHeatmap", "large figures", &heat(many, long_ago)),
        Specimen::new("EngagementHeatmap", "new client", &heat([0; 30], today)),
        Specimen::new("EngagementHeatmap", "silent", &heat([0; 30], long_ago)),
        Specimen::new("Timeline", "every type", &Timeline::new(&staff, &events, &marks)),
        Specimen::new("Timeline", "open to all", &Timeline::detailed(&staff, &events[..3])),
        Specimen::new("Timeline", "hostile names", &Timeline::detailed(&client, &hostile)),
        Specimen::new("Timeline", "none", &Timeline::new(&client, &[], &[])),
        Specimen::new(
            "EmptyState",
            "any",
            &EmptyState {
                title: "No clients yet.",
                text: "The first one appears here with its first event, within a second.",
            },
        ),
    ]
}

fn heatmap(daily: [i64; 30]) -> Heatmap {
    let today = local_day(NOW, &zone());
    let days: Vec<HeatmapDay> = (1 - HEATMAP_DAYS..=0)
        .zip(daily)
        .map(|(offset, events)| HeatmapDay { day: add_days(today, offset), events })
        .collect();
    Heatmap {
        total: daily.iter().sum(),
        active_days: daily.iter().map(|events| i64::from(*events > 0)).sum(),
        days,
    }
}

fn event(event_type: EventType, name: &str, at: Timestamp) -> StoredEvent {
    StoredEvent {
        message_id: format!("gallery-{}", at.as_second()),
        event_type,
        self_told: false,
        name: name.to_owned(),
        occurred_at: at,
        received_at: at,
        session_id: None,
        page_path: None,
        duration_seconds: None,
        data: serde_json::Map::new(),
    }
}

fn events() -> Vec<StoredEvent> {
    let newest = days_before(NOW, 6, &zone());
    let mut at = newest;
    let mut events: Vec<StoredEvent> = EventType::ALL
        .into_iter()
        .map(|event_type| {
            at = at.saturating_sub(5.hours()).unwrap_or(at);
            let name = match event_type {
                EventType::Custom => "Label Printed",
                other => other.as_str(),
            };
            event(event_type, name, at)
        })
        .collect();
    events[1].page_path = Some("/settings/billing".to_owned());
    events[1].duration_seconds = Some(3_730);
    events[3].data =
        json!({ "title": "Staff picks, winter" }).as_object().cloned().unwrap_or_default();
    events
}

fn hostile() -> Vec<StoredEvent> {
    let wide = names::wide();
    [names::MARKUP, names::OVERRIDE, &wide]
        .into_iter()
        .map(|name| {
            let data = json!({ "title": name, name: name });
            StoredEvent {
                page_path: Some(format!("/{name}")),
                data: data.as_object().cloned().unwrap_or_default(),
                ..event(EventType::Custom, name, days_before(NOW, 1, &zone()))
            }
        })
        .collect()
}
