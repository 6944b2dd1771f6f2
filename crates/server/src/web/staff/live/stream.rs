use std::{convert::Infallible, net::IpAddr, pin::Pin, time::Duration};

use askama::Template as _;
use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{
        IntoResponse as _,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use jiff::Timestamp;
use mainstay_core::{
    id::OrganizationId,
    text::{count_noun, format_thousands},
};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, Interval, interval_at, timeout_at},
};

use super::row::LiveRow;
use crate::{
    Mainstay,
    access::CallerKey,
    live::{LiveUpdate, StreamPermit, StreamRefusal, Subscription},
    web::{
        PageError, PageResult, StaffSession, Web,
        session::origin::ClientIp,
        ui::components::{MomentumAlertBadge, View},
    },
};

/// How long a stream lasts at most. The browser opens the next one by itself, and is asked anew who it is.
const MAX_STREAM_AGE: Duration = Duration::from_mins(10);
/// What a browser waits before it opens a new one.
const RECONNECT_DELAY: Duration = Duration::from_secs(2);

/// The name of an event and what it carries.
pub(in crate::web) type StreamEvent = (&'static str, Value);

/// How often it is looked whether a stream's session is still in force: another process may have ended it.
/// What ends it in this process ends the stream at once.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// For how long that holds when there is news.
const CHECK_TTL: Duration = Duration::from_secs(1);

/// Through proxies as they are shipped: nginx would keep an answer back until it has a few kilobytes of it,
/// others would pack it.
const UNBUFFERED: [(HeaderName, HeaderValue); 2] = [
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
];

/// Whose a stream is, and how to look whether it may still be told.
pub(in crate::web) struct Listener {
    pub(in crate::web) organization: OrganizationId,
    /// What its session is called among others.
    pub(in crate::web) session: CallerKey,
    pub(in crate::web) address: IpAddr,
    /// When the session ends by itself.
    pub(in crate::web) expires_at: Timestamp,
    pub(in crate::web) is_in_force: IsInForce,
}

/// Whether a session is in force.
pub(in crate::web) type IsInForce =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = crate::Result<bool>> + Send>> + Send>;

struct Reader<T> {
    mainstay: Mainstay,
    subscription: Subscription,
    render_update: T,
    until: Instant,
    listener: Listener,
    sessions: watch::Receiver<u64>,
    checks: Interval,
    checked: Instant,
    _permit: StreamPermit,
}

/// What happens in the member's organization, as server-sent events.
pub(super) async fn follow(
    session: StaffSession,
    ClientIp(address): ClientIp,
    State(web): State<Web>,
) -> PageResult {
    let (mainstay, zone) = (web.mainstay.clone(), session.zone.clone());
    let (member, role) = (session.member.id, session.member.role);
    let (asked, token) = (web.mainstay.clone(), session.token.clone());
    let listener = Listener {
        organization: session.organization_id(),
        session: CallerKey::from_credential(&session.token),
        address,
        expires_at: Timestamp::MAX,
        is_in_force: Box::new(move || {
            let (asked, token) = (asked.clone(), token.clone());
            Box::pin(async move { asked.is_session_in_force(&token, member, role).await })
        }),
    };
    stream_news(&web, listener, move |news| {
        Some(staff_event(&View::of_staff(zone.clone(), mainstay.now(), ""), news))
    })
    .await
}

/// Answers with what a reader is told of the news of an organization, until its session ends.
pub(in crate::web) async fn stream_news(
    web: &Web,
    listener: Listener,
    render_update: impl Fn(&LiveUpdate) -> Option<StreamEvent> + Send + 'static,
) -> PageResult {
    let permit = web.streams.open(listener.session, listener.address).map_err(too_many)?;
    // Before anything is told, so that no end of the session is between.
    let sessions = web.mainstay.hub().watch_sessions();
    let subscription = web.mainstay.listen(listener.organization).await?;
    let now = Instant::now();
    let reader = Reader {
        mainstay: web.mainstay.clone(),
        subscription,
        render_update,
        until: now + MAX_STREAM_AGE,
        listener,
        sessions,
        checks: interval_at(now + CHECK_INTERVAL, CHECK_INTERVAL),
        checked: now,
        _permit: permit,
    };
    let hello = Event::default().retry(RECONNECT_DELAY).comment("listening");
    let events = stream::unfold((Some(hello), reader), |(hello, mut reader)| async {
        let event = match hello {
            Some(hello) => hello,
            None => reader.next().await?,
        };
        Some((Ok::<_, Infallible>(event), (None, reader)))
    });
    let mut answer = Sse::new(events).keep_alive(KeepAlive::default()).into_response();
    for (name, value) in UNBUFFERED {
        answer.headers_mut().insert(name, value);
    }
    Ok(answer)
}

fn too_many(refusal: StreamRefusal) -> PageError {
    let (status, detail) = match refusal {
        StreamRefusal::Session(max) => (
            StatusCode::TOO_MANY_REQUESTS,
            format!("{max} pages of this session already get live updates. Close some of them."),
        ),
        StreamRefusal::Address(max) => (
            StatusCode::TOO_MANY_REQUESTS,
            format!("{max} pages of this address already get live updates. Close some of them."),
        ),
        StreamRefusal::All => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many pages get live updates. Reload this page to see what is new.".to_owned(),
        ),
    };
    PageError::new(status, "Too many open pages", detail)
}

impl<T: Fn(&LiveUpdate) -> Option<StreamEvent>> Reader<T> {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let news = tokio::select! {
                biased;
                // The hub lives as long as the server.
                _ = self.sessions.changed() => None,
                _ = self.checks.tick() => None,
                news = timeout_at(self.until, self.subscription.next()) => Some(news.ok()??),
            };
            if (news.is_none() || self.checked.elapsed() > CHECK_TTL) && !self.is_in_force().await {
                return None;
            }
            if self.mainstay.now() >= self.listener.expires_at {
                return None;
            }
            if let Some((name, data)) = news.and_then(|news| (self.render_update)(&news)) {
                return Some(Event::default().event(name).data(data.to_string()));
            }
        }
    }

    /// Whether the session may be told. What cannot be found out is a no: the browser asks again.
    async fn is_in_force(&mut self) -> bool {
        let in_force = (self.listener.is_in_force)().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a stream ends, since its session could not be looked up");
            false
        });
        self.checked = Instant::now();
        in_force
    }
}

fn staff_event(view: &View, news: &LiveUpdate) -> StreamEvent {
    match news {
        LiveUpdate::Events(events) => {
            let rows = events.iter().rev().map(|event| LiveRow::of_live(view, event));
            let mut clients: Vec<&str> =
                events.iter().map(|event| event.client_id.as_str()).collect();
            clients.sort_unstable();
            clients.dedup();
            ("event", json!({"html": html(rows), "clients": clients}))
        }
        LiveUpdate::MoreEvents { count, clients } => {
            let words = format!("{} more in the last second.", count_noun(*count, "event"));
            ("more", json!({"words": words, "clients": clients}))
        }
        LiveUpdate::Refused(refused) => {
            let rows = refused.iter().map(|event| LiveRow::of_refused(view, event));
            ("refused", json!({"html": html(rows)}))
        }
        LiveUpdate::Alerts(open) => {
            let count = open.iter().map(|(_, count)| count).sum();
            let badge = MomentumAlertBadge::new(open.clone()).render().unwrap_or_default();
            ("alerts", json!({"open": format_thousands(count), "badge": badge}))
        }
        LiveUpdate::Standings(clients) => ("standings", json!({"clients": clients})),
    }
}

fn html(rows: impl Iterator<Item = LiveRow>) -> String {
    // A row that could not be written is there when the page is loaded again.
    rows.filter_map(|row| row.render().ok()).collect()
}
