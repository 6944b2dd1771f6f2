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
use mainstay_core::{
    id::OrganizationId,
    text::{counted, grouped},
};
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

/// The name of an event and what it carries.
pub(in crate::web) type Told = (&'static str, Value);

struct Reader<T> {
    subscription: Subscription,
    tell: T,
    until: Instant,
}

/// What happens in the member's organization, as server-sent events.
pub(super) async fn follow(session: StaffSession, State(web): State<Web>) -> Answer {
    let (mainstay, zone) = (web.mainstay.clone(), session.zone.clone());
    stream_news(&web.mainstay, session.organization_id(), move |news| {
        Some(told_to_staff(&View::of_staff(zone.clone(), mainstay.now(), ""), news))
    })
    .await
}

/// Answers with what a reader is told of the news of an organization.
pub(in crate::web) async fn stream_news(
    mainstay: &Mainstay,
    organization: OrganizationId,
    tell: impl Fn(&News) -> Option<Told> + Send + 'static,
) -> Answer {
    let subscription = mainstay.listen(organization).await?;
    let reader = Reader { subscription, tell, until: Instant::now() + LASTS };
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

impl<T: Fn(&News) -> Option<Told>> Reader<T> {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let news = timeout_at(self.until, self.subscription.next()).await.ok()??;
            if let Some((name, data)) = (self.tell)(&news) {
                return Some(Event::default().event(name).data(data.to_string()));
            }
        }
    }
}

fn told_to_staff(view: &View, news: &News) -> Told {
    match news {
        News::Events(events) => {
            let rows = events.iter().rev().map(|event| LiveRow::of_live(view, event));
            let mut clients: Vec<&str> =
                events.iter().map(|event| event.client_id.as_str()).collect();
            clients.sort_unstable();
            clients.dedup();
            ("event", json!({"html": html(rows), "clients": clients}))
        }
        News::MoreEvents { count, clients } => {
            let words = format!("{} more in the last second.", counted(*count, "event"));
            ("more", json!({"words": words, "clients": clients}))
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
