use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mainstay_core::{
    alert::{AlertStatus, AlertType, Change, Severity},
    email::QuietHours,
    id::{AlertId, ClientId, MemberId},
    notification::{
        AddressRange, AlertNotification, AlertSummary, Digest, DigestAlert, DigestContext, Event,
        MAX_ATTEMPTS, News, Notification, NotificationGroup, NotificationSettings,
        NotificationType, OutgoingPolicy, Route, SLACK_TEXT_CHARS, TypeCount, Urgency, group_news,
        is_notable_failure, is_organization_wide, latest_changes, next_attempt, retry_after,
        should_disable, slack_message,
    },
    time::time_zone,
};
use proptest::prelude::*;
use serde_json::{Map, json};
use uuid::Uuid;

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn now() -> Timestamp {
    at("2026-05-20T12:00:00Z")
}

fn news(number: u128, change: Change) -> News {
    News {
        alert: AlertId::new(Uuid::from_u128(number)),
        client: ClientId::new(Uuid::from_u128(number)),
        owner: None,
        change,
        kind: AlertType::Inactivity,
        severity: Severity::Warning,
        at: now(),
    }
}

fn opened(count: u128) -> Vec<News> {
    (0..count).map(|number| news(number, Change::Opened)).collect()
}

#[test]
fn an_alert_that_opened_and_ended_since_is_not_told() {
    let told = |changes: &[Change]| {
        let all: Vec<News> = changes.iter().map(|change| news(1, *change)).collect();
        latest_changes(&all).into_iter().map(|one| one.change).collect::<Vec<_>>()
    };
    assert_eq!(told(&[Change::Opened, Change::Resolved]), []);
    assert_eq!(told(&[Change::Opened, Change::Worsened, Change::Resolved]), []);
    assert_eq!(told(&[Change::Opened, Change::Worsened]), [Change::Opened]);
    assert_eq!(told(&[Change::Worsened, Change::Worsened]), [Change::Worsened]);
    assert_eq!(told(&[Change::Worsened, Change::Resolved]), [Change::Resolved]);
    let worse = News { severity: Severity::Critical, ..news(1, Change::Worsened) };
    assert_eq!(latest_changes(&[news(1, Change::Opened), worse])[0].severity, Severity::Critical);
    let order = latest_changes(&[news(2, Change::Opened), news(1, Change::Opened)]);
    assert_eq!(order, [news(2, Change::Opened), news(1, Change::Opened)]);
}

#[test]
fn what_happens_to_many_clients_is_told_as_one() {
    assert!(!is_organization_wide(10, 10));
    assert!(is_organization_wide(11, 219));
    assert!(!is_organization_wide(11, 220));
    assert!(is_organization_wide(101, 1_000_000));
    let everything = Route::default();
    let few = group_news(&opened(10), &everything, 10);
    assert_eq!(few.len(), 10);
    let many = group_news(&opened(1_000), &everything, 1_000);
    assert_eq!(many, [NotificationGroup::Many { over: false, news: opened(1_000) }]);
    assert_eq!((many[0].clients(), many[0].by_type()[0].alerts), (1_000, 1_000));
    // Many alerts of a few clients are those clients' own affair.
    let same: Vec<News> = (0..40)
        .map(|number| News { client: opened(1)[0].client, ..news(number, Change::Opened) })
        .collect();
    assert_eq!(group_news(&same, &everything, 40).len(), 40);
}

#[test]
fn those_that_fall_and_those_that_recover_are_told_apart() {
    let mut both = opened(20);
    both.extend((100..103).map(|number| news(number, Change::Resolved)));
    let told = group_news(&both, &Route::default(), 50);
    assert_eq!(told.len(), 4);
    assert!(matches!(&told[0], NotificationGroup::Many { over: false, news } if news.len() == 20));
    assert!(matches!(&told[1], NotificationGroup::One(one) if one.change == Change::Resolved));
}

#[test]
fn a_route_lets_through_what_it_names() {
    let grace = MemberId::new(Uuid::from_u128(7));
    let critical = News { severity: Severity::Critical, ..news(1, Change::Opened) };
    let owned = News { owner: Some(grace), ..news(1, Change::Opened) };
    let plain = news(1, Change::Opened);
    let everything = Route::default();
    assert!([critical, owned, plain].iter().all(|one| everything.accepts(one)));
    let least = Route { least_severity: Some(Severity::Critical), ..Route::default() };
    assert!(least.accepts(&critical) && !least.accepts(&plain));
    let kinds = Route { alert_types: vec![AlertType::ScoreDrop], ..Route::default() };
    assert!(!kinds.accepts(&plain));
    let of_grace = Route { owners: vec![grace], ..Route::default() };
    assert!(of_grace.accepts(&owned) && !of_grace.accepts(&plain));
    let both = Route { unowned: true, ..of_grace };
    assert!(both.accepts(&owned) && both.accepts(&plain));
    let nobody = Route { unowned: true, ..Route::default() };
    assert!(!nobody.accepts(&owned) && nobody.accepts(&plain));
    let events = Route { events: vec![NotificationType::AlertResolved], ..Route::default() };
    assert!(!events.accepts(&plain) && events.accepts(&news(1, Change::Resolved)));
    assert_eq!(group_news(&opened(500), &events, 500), []);
    // Whoever wants to hear of single alerts hears of many as one; who only wants that gets no single.
    let single = Route { events: vec![NotificationType::AlertOpened], ..Route::default() };
    assert_eq!(group_news(&opened(500), &single, 500).len(), 1);
    let falls = Route { events: vec![NotificationType::OrganizationFall], ..Route::default() };
    assert_eq!(group_news(&opened(500), &falls, 500).len(), 1);
    assert_eq!(group_news(&opened(5), &falls, 5), []);
    let wrong = Route { events: vec![NotificationType::WebhookTest], ..Route::default() };
    assert_eq!(wrong.check().expect_err("no route").field, "events");
}

#[test]
fn a_message_is_sent_again_as_standard_webhooks_recommends() {
    let waits: Vec<i64> =
        (1..).map_while(|tries| next_attempt(tries, 500)).map(|wait| wait.as_secs()).collect();
    assert_eq!(waits, [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    assert_eq!(waits.len() + 1, MAX_ATTEMPTS);
    assert_eq!(next_attempt(1, 0).expect("again").as_millis(), 4_000);
    assert_eq!(next_attempt(1, 1_000).expect("again").as_millis(), 6_000);
}

#[test]
fn an_endpoint_is_disabled_when_it_is_gone_or_after_days() {
    let since = |hours| now().checked_sub(SignedDuration::from_hours(hours)).expect("in range");
    assert!(should_disable(Some(410), false, now(), now()).is_some());
    assert_eq!(should_disable(Some(500), true, since(59), now()), None);
    assert!(should_disable(Some(500), true, since(60), now()).is_some());
    assert_eq!(should_disable(None, false, since(1_000), now()), None, "the message is sent again");
    // However the waits are spread, a message that was never taken disables its endpoint.
    let least: SignedDuration = (1..)
        .map_while(|tries| next_attempt(tries, 0))
        .fold(SignedDuration::ZERO, |all, one| all + one);
    assert!(
        should_disable(None, true, now(), now().checked_add(least).expect("in range")).is_some()
    );
}

#[test]
fn quiet_hours_hold_until_they_end_on_the_wall_clock() {
    let settings = NotificationSettings {
        quiet: Some(QuietHours { from: 22, until: 7 }),
        critical_at_any_hour: true,
        ..NotificationSettings::default()
    };
    let warning = Urgency { severity: Some(Severity::Warning), any_hour: false };
    let critical = Urgency { severity: Some(Severity::Critical), any_hour: false };
    let by_hand = Urgency { severity: None, any_hour: true };
    let berlin = time_zone("Europe/Berlin").expect("a zone");
    let held = |urgency, text| settings.held_until(urgency, &berlin, at(text));
    assert_eq!(held(warning, "2026-05-20T19:59:59Z"), None);
    assert_eq!(held(warning, "2026-05-20T20:00:00Z"), Some(at("2026-05-21T05:00:00Z")));
    assert_eq!(held(warning, "2026-05-21T04:59:59Z"), Some(at("2026-05-21T05:00:00Z")));
    assert_eq!(held(warning, "2026-05-21T05:00:00Z"), None);
    assert_eq!(held(critical, "2026-05-20T20:00:00Z"), None);
    assert_eq!(held(by_hand, "2026-05-20T20:00:00Z"), None);
    // The night in which clocks go forward has an hour less, and the one back an hour more.
    assert_eq!(held(warning, "2026-03-28T22:00:00Z"), Some(at("2026-03-29T05:00:00Z")));
    assert_eq!(held(warning, "2026-10-24T21:00:00Z"), Some(at("2026-10-25T06:00:00Z")));
    let never = NotificationSettings::default();
    assert_eq!(never.held_until(warning, &TimeZone::UTC, at("2026-05-20T03:00:00Z")), None);
}

proptest! {
    #[test]
    fn what_quiet_hours_hold_goes_when_they_end(
        second in 1_700_000_000_i64..1_800_000_000,
        from in 0_i8..24,
        until in 0_i8..24,
        zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    ) {
        prop_assume!(from != until);
        let zone = time_zone(zone).expect("a zone");
        let settings = NotificationSettings {
            quiet: Some(QuietHours { from, until }),
            ..NotificationSettings::default()
        };
        let urgency = Urgency { severity: None, any_hour: false };
        let now = Timestamp::from_second(second).expect("an instant");
        if let Some(end) = settings.held_until(urgency, &zone, now) {
            prop_assert!(end > now);
            prop_assert!(end.duration_since(now) <= SignedDuration::from_hours(25));
            prop_assert_eq!(settings.held_until(urgency, &zone, end), None);
        }
    }
}

fn permits(outgoing: &OutgoingPolicy, address: &str) -> bool {
    outgoing.permits(address.parse::<IpAddr>().expect("an address"))
}

#[test]
fn messages_go_to_public_addresses_only() {
    let public = OutgoingPolicy::default();
    for address in [
        "8.8.8.8",
        "93.184.216.34",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ] {
        assert!(permits(&public, address), "{address}");
    }
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2002:c0a8:101::1",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "5f00::1",
        "4000::1",
    ] {
        assert!(!permits(&public, address), "{address}");
    }
}

#[test]
fn an_operator_allows_ranges_besides() {
    let ranges =
        ["10.1.0.0/16", "fd00::/8", "192.168.1.5"].map(|text| text.parse().expect("a range"));
    let outgoing = OutgoingPolicy::with_allowed(ranges.to_vec());
    for address in ["10.1.2.3", "::ffff:10.1.2.3", "fd12::1", "192.168.1.5", "8.8.8.8"] {
        assert!(permits(&outgoing, address), "{address}");
    }
    for address in ["10.2.0.1", "192.168.1.6", "fc00::1", "127.0.0.1"] {
        assert!(!permits(&outgoing, address), "{address}");
    }
    assert!(permits(
        &OutgoingPolicy::with_allowed(vec!["0.0.0.0/0".parse().expect("a range")]),
        "127.0.0.1"
    ));
    for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "example.com", "10.0.0.0/x"] {
        assert!(wrong.parse::<AddressRange>().is_err(), "{wrong}");
    }
}

fn alert(client: &str) -> AlertNotification {
    AlertNotification {
        organization: "acme".to_owned(),
        alert_id: AlertId::new(Uuid::nil()),
        client_id: client.to_owned(),
        client_name: None,
        owner: None,
        alert_type: AlertType::ZeroActivity,
        severity: Severity::Critical,
        status: AlertStatus::Active,
        message: "Quiet for 4 days & <more>.".to_owned(),
        figures: Map::new(),
        opened_at: now(),
    }
}

#[test]
fn a_notice_reads_type_timestamp_and_data() {
    let notice = Notification { event: Event::AlertOpened(alert("ada")), timestamp: now() };
    let written = json!(notice);
    let mut keys: Vec<&String> = written.as_object().expect("an object").keys().collect();
    keys.sort();
    assert_eq!(keys, ["data", "timestamp", "type"]);
    assert_eq!(written["type"], "alert.opened");
    assert_eq!(written["timestamp"], "2026-05-20T12:00:00Z");
    assert_eq!(written["data"]["client_id"], "ada");
    assert_eq!(serde_json::from_value::<Notification>(written).expect("a notice"), notice);
    assert_eq!(notice.event.kind(), NotificationType::AlertOpened);
    assert_eq!(notice.event.severity(), Some(Severity::Critical));
}

#[test]
fn slack_gets_links_and_nothing_that_it_would_take_for_its_own() {
    let page = |id: &str| format!("https://s.example/clients/{id}");
    let sent = |event| {
        slack_message(&Notification { event, timestamp: now() }, &page, "https://s.example/alerts")
    };
    let one = sent(Event::AlertWorsened(alert("<!channel> & co")));
    assert_eq!(one["text"], "No activity worsened: &lt;!channel&gt; &amp; co");
    let text = one["blocks"][0]["text"]["text"].as_str().expect("a text");
    assert!(text.contains("Quiet for 4 days &amp; &lt;more&gt;."), "{text}");
    assert!(!text.contains("<!"), "{text}");
    let worst = AlertNotification { message: "x".repeat(2_000), ..alert("ada") };
    let many = AlertSummary {
        organization: "acme".to_owned(),
        clients: 412,
        clients_in_all: 1_000,
        alerts: 500,
        by_type: vec![TypeCount {
            alert_type: AlertType::ZeroActivity,
            severity: Severity::Critical,
            alerts: 500,
        }],
        worst: vec![worst; 5],
    };
    let many = sent(Event::OrganizationFall(many));
    assert_eq!(many["text"], "412 clients of 1\u{202f}000 got worse at once");
    let text = many["blocks"][0]["text"]["text"].as_str().expect("a text");
    assert!(text.contains("500 alerts: 500 no activity (critical)"), "{text}");
    assert!(text.chars().count() <= SLACK_TEXT_CHARS + 10, "{}", text.chars().count());
}

#[test]
fn a_digest_names_ones_own_clients_first_and_none_is_written_of_nothing() {
    let grace = MemberId::new(Uuid::from_u128(7));
    let to = DigestContext {
        member: grace,
        organization: "Acme",
        day: "2026-05-19".parse().expect("a day"),
        open: 9,
    };
    assert_eq!(Digest::new(to, &[]), None);
    let of = |client: &str, owner, change, severity| DigestAlert {
        client: client.to_owned(),
        owner,
        change,
        kind: AlertType::ScoreDrop,
        severity,
        message: "Score fell 20.".to_owned(),
    };
    let mut alerts = vec![
        of("bob", None, Change::Opened, Severity::Critical),
        of("ada", Some(grace), Change::Opened, Severity::Warning),
        of("eve", Some(grace), Change::Resolved, Severity::Critical),
    ];
    let digest = Digest::new(to, &alerts).expect("a digest");
    assert_eq!(digest.subject, "Acme: 2 alerts opened and 1 alert ended since Tue 19 May");
    assert_eq!(digest.content.lead, "2 of them are of clients that you look after.");
    let titles: Vec<&str> = digest.content.items.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(titles, ["ada, score drop", "eve, score drop", "bob, score drop"]);
    assert_eq!(digest.content.items[1].label, "Ended");
    alerts.extend((0..10).map(|_| of("more", None, Change::Opened, Severity::Info)));
    let long = Digest::new(to, &alerts).expect("a digest");
    assert_eq!(long.content.items.len(), 10);
    assert!(long.content.notes[0].starts_with("3 more alerts changed"), "{:?}", long.content.notes);
}

#[test]
fn an_endpoint_asks_to_wait_in_seconds_or_by_a_date() {
    let now: Timestamp = "2026-05-20T12:00:00Z".parse().expect("an instant");
    let seconds = |value: &str| retry_after(value, now).map(|wait| wait.as_secs());
    assert_eq!(seconds("120"), Some(120));
    assert_eq!(seconds(" 30 "), Some(30));
    assert_eq!(seconds("Wed, 20 May 2026 12:02:00 GMT"), Some(120));
    assert_eq!(seconds("999999999"), Some(86_400));
    assert_eq!(seconds("Thu, 20 May 2027 12:00:00 GMT"), Some(86_400));
    for nothing in
        ["", "0", "-5", "soon", "1.5", "Wed, 20 May 2026 11:59:00 GMT", "99999999999999999999"]
    {
        assert_eq!(seconds(nothing), None, "{nothing:?}");
    }
    let since = |text: &str| is_notable_failure(text.parse().expect("an instant"), now);
    assert!(since("2026-05-20T11:40:00Z") && !since("2026-05-20T11:40:01Z"));
}
