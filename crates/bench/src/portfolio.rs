//! The portfolio of a large organization, page by page, as a browser asks for it.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mainstay::{
    Clock as _, Mainstay, SystemClock,
    engagement::{EventWriter, Rates},
    http::{self, Limits},
    site::Site,
};
use mainstay_core::{
    alert::{AlertType, Episode, Finding, Severity},
    id::{ClientId, OrganizationId},
    score::{Components, LaunchKit, Previous, Score, ScoreInputs, ScoreModel},
    time::{add_days, local_day, start_of_day},
};
use mainstay_store::{ClientRange, Role, Scope, Store, new_id};
use reqwest::redirect::Policy;
use tokio::net::TcpListener;

use crate::{
    Result,
    figures::{Stopwatch, median, print_line},
    generate::{Shape, create_clients, organization},
};

pub(crate) const EMAIL: &str = "owner@bench.example";
pub(crate) const PASSWORD: &str = "a password of the benchmark";
const WEEKS: i64 = 8;
/// One client of so many has an open alert.
const ALERT_EVERY: usize = 10;
const CHUNK: usize = 5_000;
/// Days that a running server leaves to be folded.
const UNFOLDED_DAYS: i32 = 15;
const ALL: &str = "/portfolio?view=all";

/// The pages that are asked for; the first knows nothing of clients, so that what the others take
/// beyond it is the portfolio's.
const PAGES: [(&str, &str); 14] = [
    ("another page, to compare with", "/settings/profile"),
    ("first page", ALL),
    ("who needs a person", "/portfolio"),
    ("by score", "/portfolio?view=all&sort=score"),
    ("by change", "/portfolio?view=all&sort=change"),
    ("by name", "/portfolio?view=all&sort=name"),
    ("by last seen", "/portfolio?view=all&sort=seen"),
    ("of a band", "/portfolio?band=good"),
    ("of a trend", "/portfolio?trend=declining"),
    ("with an alert of a type", "/portfolio?alert=score_drop"),
    ("with no alert", "/portfolio?alert=none"),
    ("nobody's", "/portfolio?owner=nobody"),
    ("searched, one found", "/portfolio?q=client-99"),
    ("searched, none found", "/portfolio?q=nobody+there"),
];

/// Fills a database, serves it and asks for each page so many times.
pub(crate) async fn run(clients: u64, requests: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store =
        Store::open(&format!("sqlite:{}", folder.path().join("bench.db").display())).await?;
    store.migrate().await?;
    let now = SystemClock.now();
    let mainstay = Mainstay::new(store.clone(), Arc::new(SystemClock));
    let organization_id = organization(&store, now).await?;
    let shape = Shape { clients, events: 1, days: 30 };
    create_clients(&store, organization_id, &shape, now).await?;
    let watch = Stopwatch::start();
    fill(&store, organization_id, now).await?;
    print_line(format_args!(
        "filled: {clients} clients with {WEEKS} weekly scores in {:.0} s",
        watch.elapsed().as_secs_f64()
    ));

    let member = mainstay.add_member(organization_id, EMAIL, None, Role::Owner).await?;
    mainstay.set_password(organization_id, member.id, PASSWORD).await?;
    let (writer, _) = EventWriter::start(&mainstay, Rates::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(http::serve(
        listener,
        mainstay,
        writer,
        Site::local(address),
        Limits::default(),
    ));
    let browser = Browser::sign_in(&format!("http://{address}")).await?;

    let watch = Stopwatch::start();
    browser.get(ALL).await?;
    print_line(format_args!(
        "first request of all, which reads the clients into memory: {:.0} ms",
        watch.elapsed().as_secs_f64() * 1_000.0
    ));
    for (name, path) in PAGES {
        browser.measure(name, path, requests).await?;
    }
    let deep = browser.deep(ALL, 40).await?;
    browser.measure("40 pages on", &deep, requests).await?;
    server.abort();
    Ok(())
}

/// A member who signed in.
pub(crate) struct Browser {
    http: reqwest::Client,
    url: String,
    pub(crate) cookie: String,
}

impl Browser {
    pub(crate) async fn sign_in(url: &str) -> Result<Self> {
        let http = reqwest::Client::builder().redirect(Policy::none()).build()?;
        let form =
            format!("email={}&password={}", EMAIL.replace('@', "%40"), PASSWORD.replace(' ', "+"));
        let request = http.post(format!("{url}/sign-in")).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = request.send().await?;
        let cookie = response.headers().get("set-cookie").ok_or("signing in gave no cookie")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { http, url: url.to_owned(), cookie })
    }

    async fn get(&self, path: &str) -> Result<String> {
        let request = self.http.get(format!("{}{path}", self.url)).header("cookie", &self.cookie);
        let response = request.send().await?;
        if response.status() != 200 {
            return Err(format!("{path} answered {}", response.status()).into());
        }
        Ok(response.text().await?)
    }

    async fn measure(&self, name: &str, path: &str, requests: usize) -> Result<()> {
        let mut times = Vec::with_capacity(requests);
        for _ in 0..requests.max(1) {
            let watch = Stopwatch::start();
            self.get(path).await?;
            times.push(watch.elapsed());
        }
        times.sort_unstable();
        let late = times[(times.len() * 99 / 100).min(times.len() - 1)];
        let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
        print_line(format_args!(
            "{name}: p50 {:.1} ms, p99 {:.1} ms",
            millis(median(times)),
            millis(late)
        ));
        Ok(())
    }

    /// The address of the page that is so many pages on.
    async fn deep(&self, path: &str, pages: usize) -> Result<String> {
        let mut path = path.to_owned();
        for _ in 0..pages {
            let page = self.get(&path).await?;
            let Some((before, _)) = page.split_once("\" rel=\"next\"") else { break };
            let (_, next) = before.rsplit_once("href=\"").ok_or("a link without an address")?;
            path = next.replace("&#38;", "&");
        }
        Ok(path)
    }
}

/// Gives every client a score a week, and some an open alert.
async fn fill(store: &Store, organization_id: OrganizationId, now: Timestamp) -> Result<()> {
    let model = ScoreModel::standard();
    let scope = Scope::Service(organization_id);
    let mut random = fastrand::Rng::with_seed(1);
    let clients: Vec<ClientId> = store
        .read(scope)
        .await?
        .list_standings(ClientRange::ALL, i64::MAX)
        .await?
        .into_iter()
        .map(|standing| standing.client)
        .collect();
    let mut before = vec![50; clients.len()];
    // As the job of the night left them: nothing is brought up to date while pages are asked for.
    let midnight = start_of_day(local_day(now, &TimeZone::UTC), &TimeZone::UTC);
    for week in (0..WEEKS).rev() {
        let as_of = midnight - SignedDuration::from_hours(week * 7 * 24);
        for (chunk, before) in clients.chunks(CHUNK).zip(before.chunks_mut(CHUNK)) {
            let scores: Vec<(ClientId, Score)> = chunk
                .iter()
                .zip(before)
                .map(|(client, before)| {
                    let overall = (*before + random.i64(-25..=25)).clamp(0, 100);
                    let previous = Previous {
                        as_of: as_of - SignedDuration::from_hours(168),
                        overall: *before,
                    };
                    *before = overall;
                    (*client, sample_score(as_of, overall, previous, &model, &mut random))
                })
                .collect();
            let mut tx = store.begin(scope).await?;
            tx.save_scores(local_day(as_of, &TimeZone::UTC), &scores, now).await?;
            tx.commit().await?;
        }
    }
    let mut tx = store.begin(scope).await?;
    tx.fold_activity(add_days(local_day(now, &TimeZone::UTC), -UNFOLDED_DAYS - 1)).await?;
    tx.commit().await?;
    for chunk in clients.iter().step_by(ALERT_EVERY).collect::<Vec<_>>().chunks(CHUNK) {
        let mut tx = store.begin(scope).await?;
        for client in chunk {
            let finding = Finding {
                kind: AlertType::ALL[random.usize(..AlertType::ALL.len())],
                severity: Severity::ALL[random.usize(..Severity::ALL.len())],
                message: "Quiet for 6 days, usual gap 1. Last event Wed 18 Nov, 09:12.".to_owned(),
                figures: serde_json::Map::new(),
            };
            tx.open_alert(**client, &Episode::open(new_id(now), finding, now), "", false).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

fn sample_score(
    as_of: Timestamp,
    overall: i64,
    previous: Previous,
    model: &ScoreModel,
    random: &mut fastrand::Rng,
) -> Score {
    let change = Some(overall - previous.overall);
    Score {
        inputs: ScoreInputs {
            as_of,
            zone: "UTC".to_owned(),
            model: 1,
            events: random.i64(0..40),
            events_before: random.i64(0..40),
            active_days: 3,
            high_value: 1,
            content: 4,
            visuals: 2,
            tasks: 5,
            settled: 2,
            kit: LaunchKit::Viewed,
            ratings: 0,
            rating_sum: 0,
            last: Some(as_of - SignedDuration::from_mins(random.i64(0..20_000))),
            known_at: None,
        },
        overall,
        components: Components::from_fn(|_| overall),
        coverage: 85,
        previous: Some(previous),
        incomparable: None,
        change,
        trend: model.trend(change),
        band: model.band(overall),
    }
}
