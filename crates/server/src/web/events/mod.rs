//! A client's events, as both the client and staff open them from any number that counts them.

use askama::Template;
use mainstay_core::{engagement::EventType, text::count_noun};
use mainstay_store::{Client, Scope};
use serde::Deserialize;
use url::form_urlencoded;

use super::ui::components::{Timeline, View, markup};
use crate::{
    Error, Mainstay, Result,
    api::{Problem, event_range, read_cursor, write_cursor},
    engagement::EventPage,
};

/// Events a page.
const MAX_EVENTS: i64 = 100;
/// No event is older: where "from the first one on" begins.
const FIRST_DAY: &str = "2000-01-01";

/// Which events to show.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventsQuery {
    /// First instant or calendar day.
    from: String,
    /// The instant to stop before, or the last calendar day.
    to: String,
    /// Types, separated by commas.
    #[serde(rename = "type")]
    types: String,
    /// Where the page before ended.
    before: String,
}

/// A page of a client's events with what they are chosen by.
#[derive(Template)]
#[template(path = "events/list.html")]
pub(crate) struct EventList {
    action: String,
    query: EventsQuery,
    choices: Vec<(EventType, bool)>,
    chosen: String,
    chosen_words: String,
    timeline: Timeline,
}

impl EventList {
    /// Reads a page of events.
    pub(crate) async fn load(
        mainstay: &Mainstay,
        scope: Scope,
        client: Option<&Client>,
        view: &View,
        query: EventsQuery,
    ) -> Result<Self> {
        let types = query.types()?;
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (from, to) = (given(&query.from), given(&query.to));
        let range = event_range(
            Some(from.as_deref().unwrap_or(FIRST_DAY)),
            to.as_deref(),
            view.zone(),
            view.now(),
        )
        .map_err(|problem| unusable(&problem))?;
        let before = given(&query.before)
            .map(|text| read_cursor(&text))
            .transpose()
            .map_err(|problem| unusable(&problem))?;
        let page = match client {
            Some(client) => {
                mainstay
                    .client_timeline(scope, client, range, &types, before.as_ref(), MAX_EVENTS)
                    .await?
            }
            None => EventPage { events: Vec::new(), next: None },
        };
        let next = page
            .next
            .as_ref()
            .map(|cursor| view.link(&format!("/events?{}", query.query(&write_cursor(cursor)))));
        let shown = count_noun(i64::try_from(page.events.len()).unwrap_or(i64::MAX), "event");
        let self_told = page.events.iter().filter(|event| event.self_told).count();
        let shown = match self_told {
            0 => shown,
            some => format!("{shown}, {some} self-reported"),
        };
        let aside = match (next.is_some(), before.is_some()) {
            (false, false) => shown,
            (true, false) => format!("The newest {shown}"),
            (_, true) => format!("{shown}, more below"),
        };
        let timeline = Timeline::detailed(view, &page.events)
            .aside(aside)
            .nothing("No events were stored in this period.")
            .more(next, "Earlier events");
        let choices =
            EventType::ALL.into_iter().map(|kind| (kind, types.as_slice() == [kind])).collect();
        Ok(Self {
            action: view.link("/events"),
            chosen: chosen(&types, ","),
            chosen_words: chosen(&types, ", "),
            choices,
            query,
            timeline,
        })
    }
}

impl EventsQuery {
    fn types(&self) -> Result<Vec<EventType>> {
        self.types
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| {
                name.parse::<EventType>().map_err(|error| Error::invalid("type", error.to_string()))
            })
            .collect()
    }

    fn query(&self, before: &str) -> String {
        let all = [
            ("from", self.from.as_str()),
            ("to", &self.to),
            ("type", &self.types),
            ("before", before),
        ];
        let given = all.into_iter().filter(|(_, value)| !value.is_empty());
        form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish()
    }
}

/// What the API says of a query, as a service says it.
fn unusable(problem: &Problem) -> Error {
    let (field, reason) = problem.fault();
    Error::invalid(field.unwrap_or("query"), reason)
}

/// Several types are chosen by a link only; the form keeps them as one of its choices.
fn chosen(types: &[EventType], between: &str) -> String {
    if types.len() < 2 {
        return String::new();
    }
    types.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(between)
}

markup!(EventList);
