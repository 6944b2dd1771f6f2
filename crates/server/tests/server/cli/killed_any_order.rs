//! Segment's messages in any order, cut into any requests, repeated, by clocks that are right or off, and
//! with `kill -9` while they are on their way: what is kept is what a calm sender leaves behind.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use jiff::{SignedDuration, Timestamp, Unit};
use mainstay::{Clock as _, Mainstay, ManualClock, SystemClock};
use mainstay_core::id::OrganizationId;
use mainstay_store::Store;
use serde_json::{Value, json};

use super::sandbox::{RunningServer, Sandbox};
use crate::any_order::{dump, stream};

/// Which stories are told, as `FIRST..END`: for those who have more time than the whole suite may take.
const ENV_SEEDS: &str = "MAINSTAY_TEST_KILL_SEEDS";
const SEEDS: Range<u64> = 0..10;
/// How far clocks are off that tell so: too little to be corrected, and enough.
const OFF_SECONDS: [i64; 6] = [20, -20, 120, -120, 30 * 3_600, -200 * 3_600];

/// The clock of whoever sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SenderClock {
    /// It is right, and does not say when it sends.
    Silent,
    /// It says when it sends, and is off by so many seconds.
    Off(i64),
    /// It says to have sent before it happened, which is wrong whatever the clock is.
    SentBefore,
}

/// A message before it is sent.
#[derive(Clone, Debug)]
struct Message {
    body: Value,
    at: Timestamp,
    clock: SenderClock,
}

impl Message {
    /// What is sent now: each time that it is sent again says so.
    fn sent(&self) -> Value {
        let mut body = self.body.clone();
        let seconds = SignedDuration::from_secs;
        let (timestamp, sent_at) = match self.clock {
            SenderClock::Silent => (self.at, None),
            SenderClock::Off(off) => {
                (self.at + seconds(off), Some(SystemClock.now() + seconds(off)))
            }
            SenderClock::SentBefore => (self.at, Some(self.at - seconds(3_600))),
        };
        body["timestamp"] = json!(timestamp);
        if let Some(sent_at) = sent_at {
            body["sentAt"] = json!(sent_at);
        }
        body
    }
}

/// Messages of five weeks up to an hour before `now`, each in the middle of an hour. What a corrected
/// clock says depends a little on when it is heard, so that no other message may be of the same hour.
fn story(random: &mut fastrand::Rng, now: Timestamp) -> Vec<Message> {
    let hour = SignedDuration::from_hours(1);
    let last = now.round(Unit::Hour).unwrap() - 2 * hour - hour / 2;
    let mut hours: Vec<i32> = (0..35 * 24).collect();
    random.shuffle(&mut hours);
    let mut messages: Vec<Message> = Vec::new();
    for mut body in stream(random) {
        body.as_object_mut().unwrap().remove("sentAt");
        let clock = match random.u8(..8) {
            0 | 1 => SenderClock::Silent,
            2 => SenderClock::Off(0),
            3 => SenderClock::SentBefore,
            _ => SenderClock::Off(OFF_SECONDS[random.usize(..OFF_SECONDS.len())]),
        };
        let mut at = last - hour * hours.pop().unwrap();
        let before = messages.last().filter(|it| it.clock == SenderClock::Silent);
        if let Some(before) = before
            && clock == SenderClock::Silent
        {
            // Of the very same instant.
            at = before.at;
        }
        messages.push(Message { body, at, clock });
    }
    messages
}

/// An organization, and the key to it.
struct Told {
    id: OrganizationId,
    key: String,
}

/// A server that is killed again and again, and whoever sends to it.
struct Sender {
    sandbox: Sandbox,
    /// Taken while another one takes its place.
    served: Option<RunningServer>,
    runtime: tokio::runtime::Runtime,
}

impl Sender {
    fn new(sandbox: Sandbox) -> Self {
        let served = Some(sandbox.serve("serve --listen 127.0.0.1:0"));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self { sandbox, served, runtime: runtime.unwrap() }
    }

    fn url(&self) -> String {
        self.served.as_ref().unwrap().url.clone()
    }

    fn organization(&self, slug: &str, clients_are: &str) -> Told {
        let created = self.sandbox.run_ok(&format!("org create {slug} --json")).json();
        let key = created["secret_key"].as_str().unwrap().to_owned();
        let request = reqwest::Client::new()
            .patch(format!("{}/api/v1/organization", self.url()))
            .bearer_auth(&key)
            .json(&json!({"clients_are": clients_are}));
        assert_eq!(self.runtime.block_on(request.send()).unwrap().status(), 200);
        Told { id: created["id"].as_str().unwrap().parse().unwrap(), key }
    }

    /// Sends messages in one request; answers the status, if there was an answer.
    fn send(
        &self,
        told: &Told,
        messages: &[Message],
    ) -> impl Future<Output = Option<u16>> + Send + use<> {
        let batch: Vec<Value> = messages.iter().map(Message::sent).collect();
        let url = format!("{}/v1/batch", self.url());
        let request = reqwest::Client::new().post(url).bearer_auth(&told.key);
        let request = request.body(json!({"batch": batch}).to_string());
        async move { request.send().await.ok().map(|answer| answer.status().as_u16()) }
    }

    /// Sends messages until they are acknowledged.
    fn deliver(&self, told: &[&Told], messages: &[Message]) {
        for told in told {
            let status = self.runtime.block_on(self.send(told, messages));
            assert_eq!(status, Some(200), "{messages:#?}");
        }
    }

    /// Sends messages, each half in a request of its own, and kills the server when it has answered as many
    /// others: somewhere between before they came and after they were acknowledged.
    fn send_and_kill(&mut self, told: &[&Told], messages: &[Message], others: usize) {
        let halves = messages.split_at(messages.len() / 2);
        let on_their_way: Vec<_> = told
            .iter()
            .flat_map(|told| [self.send(told, halves.0), self.send(told, halves.1)])
            .map(|sending| self.runtime.spawn(sending))
            .collect();
        let health = format!("{}/healthz", self.url());
        for _ in 0..others {
            self.runtime.block_on(reqwest::get(&health)).unwrap();
        }
        self.served.take().unwrap().stop("KILL");
        for sending in on_their_way {
            // Whether they were acknowledged is not stored_events: they are sent again.
            let _ = self.runtime.block_on(sending);
        }
        self.served = Some(self.sandbox.serve("serve --listen 127.0.0.1:0"));
    }

    /// All that is kept of an organization.
    fn kept(&self, told: &Told, now: Timestamp) -> BTreeMap<String, Vec<String>> {
        let kept = self.runtime.block_on(async {
            let store = Store::open(&self.sandbox.database_url()).await.unwrap();
            let mainstay = Mainstay::new(store.clone(), Arc::new(ManualClock::new(now)));
            let kept = Box::pin(dump(&mainstay, told.id)).await;
            store.close().await;
            kept
        });
        let lines = |text: String| {
            let mut lines: Vec<String> = text.lines().map(to_the_hour).collect();
            lines.sort_unstable();
            lines
        };
        kept.into_iter().map(|(what, text)| (what, lines(text))).collect()
    }
}

/// A text with the hours of all instants in it, and no more of them.
fn to_the_hour(text: &str) -> String {
    let mut parts = text.split_inclusive('T');
    let mut cut: String = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_date = cut.len() > 10
            && cut.as_bytes()[cut.len() - 11..cut.len() - 1].iter().zip(b"0000-00-00").all(
                |(byte, like)| if *like == b'0' { byte.is_ascii_digit() } else { byte == like },
            );
        match part.split_once('Z') {
            Some((time, rest)) if is_date && time.as_bytes().get(2) == Some(&b':') => {
                cut.push_str(&time[..2]);
                cut.push_str(rest);
            }
            _ => cut.push_str(part),
        }
    }
    cut
}

fn seeds() -> Range<u64> {
    let Ok(seeds) = std::env::var(ENV_SEEDS) else { return SEEDS };
    let (first, end) = seeds.split_once("..").expect("seeds are FIRST..END");
    first.parse().unwrap()..end.parse().unwrap()
}

fn any_order_and_any_kill_gives_the_same_result(sandbox: Sandbox) {
    let now = SystemClock.now();
    let mut sender = Sender::new(sandbox);
    let mut stories = Vec::new();
    for seed in seeds() {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut messages = story(&mut random, now);
        let mut pairs = Vec::new();
        for clients_are in ["users", "groups"] {
            let calm = sender.organization(&format!("calm-{clients_are}-{seed}"), clients_are);
            let rough = sender.organization(&format!("rough-{clients_are}-{seed}"), clients_are);
            messages.sort_by_key(|message| message.at);
            sender.deliver(&[&calm], &messages);
            pairs.push((calm, rough));
        }
        let roughs: Vec<&Told> = pairs.iter().map(|(_, rough)| rough).collect();
        let again = random.choose_multiple(messages.iter(), messages.len() / 4);
        let mut shuffled: Vec<Message> = messages.iter().chain(again).cloned().collect();
        random.shuffle(&mut shuffled);
        let mut rest = &shuffled[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at((1 + random.usize(..5)).min(rest.len()));
            if random.u8(..4) > 0 {
                sender.send_and_kill(&roughs, now, random.usize(..4));
            }
            sender.deliver(&roughs, now);
            rest = later;
        }
        stories.push((seed, messages, pairs));
    }
    for (seed, messages, pairs) in stories {
        for (calm, rough) in pairs {
            let expected = sender.kept(&calm, now);
            let kept = sender.kept(&rough, now);
            for (what, expected) in &expected {
                assert_eq!(kept.get(what), Some(expected), "{what}, seed {seed}: {messages:#?}");
            }
            assert_eq!(expected.len(), kept.len(), "seed {seed}");
        }
    }
    assert_eq!(sender.served.unwrap().stop("TERM").code, 0);
}

#[test]
fn any_order_of_messages_with_kill_9_between_them_says_the_same_on_sqlite() {
    any_order_and_any_kill_gives_the_same_result(Sandbox::sqlite());
}

#[test]
#[ignore = "needs PostgreSQL: ./check starts one"]
fn any_order_of_messages_with_kill_9_between_them_says_the_same_on_postgres() {
    any_order_and_any_kill_gives_the_same_result(Sandbox::postgres());
}

#[test]
fn instants_are_cut_at_the_hour_and_nothing_else_is() {
    let text = "Tom, 2026-05-01T12:30:00.123Z, T2026-05-01T0Z and 2026-05-01T23:59:59Z.";
    assert_eq!(to_the_hour(text), "Tom, 2026-05-01T12, T2026-05-01T0Z and 2026-05-01T23.");
}
