use std::{convert::Infallible, time::Duration};

use askama::Template as _;
use axum::{
    extract::State,
    response::{
        IntoResponse as _,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use jiff::tz::TimeZone;
use mainstay_core::text::{counted, grouped};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::row::LiveRow;
use crate::{
    Mainstay,
    live::{News, Subscription},
    web::{
        Answer, StaffSession, Web,
        components::{MomentumAlertBadge, View},
    },
};

/// How long a stream lasts. The browser opens the next one by itself, and is asked anew who it is:
/// nobody who was signed out or removed listens for longer.
const LASTS: Duration = Duration::from_mins(10);
/// What a browser waits before it opens a new one.
const RETRY: Duration = Duration::from_secs(2);

struct Reader {
    subscription: Subscription,
    mainstay: Mainstay,
    zone: TimeZone,
    until: Instant,
}

/// What happens in the member's organization, as server-sent events.
pub(super) async fn follow(session: StaffSession, State(web): State<Web>) -> Answer {
    let subscription = web.mainstay.listen(session.organization_id()).await?;
    let reader = Reader {
        subscription,
        mainstay: web.mainstay.clone(),
        zone: session.zone.clone(),
        until: Instant::now() + LASTS,
    };
    let hello = Event::default().retry(RETRY).comment("listening");
    let events = stream::unfold((Some(hello), reader), |(hello, mut reader)| async {
        let event = match hello {
            Some(hello) => hello,
            None => reader.next().await?,
        };
        Some((Ok::<_, Infallible>(event), (None, reader)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl Reader {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        let news = timeout_at(self.until, self.subscription.next()).await.ok()??;
        let view = View::of_staff(self.zone.clone(), self.mainstay.now(), "");
        let (name, data) = told(&view, &news);
        Some(Event::default().event(name).data(data.to_string()))
    }
}

/// The name of the event and what it carries.
fn told(view: &View, news: &News) -> (&'static str, Value) {
    match news {
        News::Events(events) => {
            let rows = events.iter().rev().map(|event| LiveRow::of_live(view, event));
            let mut clients: Vec<&str> =
                events.iter().map(|event| event.client_id.as_str()).collect();
            clients.sort_unstable();
            clients.dedup();
            ("event", json!({"html": html(rows), "clients": clients}))
        }
        News::MoreEvents(more) => {
            let words = format!("{} more in the last second.", counted(*more, "event"));
            ("more", json!({"words": words}))
        }
        News::Refused(refused) => {
            let rows = refused.iter().map(|event| LiveRow::of_refused(view, event));
            ("refused", json!({"html": html(rows)}))
        }
        News::Alerts(open) => {
            let count = open.iter().map(|(_, count)| count).sum();
            let badge = MomentumAlertBadge::new(open.clone()).render().unwrap_or_default();
            ("alerts", json!({"open": grouped(count), "badge": badge}))
        }
        News::Standings(clients) => ("standings", json!({"clients": clients})),
    }
}

fn html(rows: impl Iterator<Item = LiveRow>) -> String {
    // A row that could not be written is there when the page is loaded again.
    rows.filter_map(|row| row.render().ok()).collect()
}
