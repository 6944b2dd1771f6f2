//! The list of alerts, and acting on several at once.

use mainstay_core::alert::AlertStatus;
use mainstay_store::{AlertFilter, Role, Scope};
use serde_json::json;

use super::browser::Browser;
use crate::support::World;

/// Three clients, each with an alert of three days' silence.
async fn silence(world: &World) {
    let acme = &world.acme;
    let at = jiff::Timestamp::from_second(world.mainstay.now().as_second() - 10 * 86_400).unwrap();
    let events: Vec<_> = ["ada", "bob", "cleo"]
        .map(|client| json!({"client_id": client, "event": "login", "timestamp": at}))
        .into();
    world.post(&acme.write_key, "/api/v1/events", events.into()).await.json(200);
    check(world).await;
    // What is done with an alert is done after it opened.
    world.tick();
}

async fn check(world: &World) {
    let now = world.mainstay.now();
    world.mainstay.check_organization_health(world.acme.id, now, None, false).await.unwrap();
}

/// What the boxes of a page send, by the client's name.
fn boxes(page: &str) -> Vec<String> {
    page.split("name=\"alert\" value=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

async fn statuses(world: &World) -> Vec<AlertStatus> {
    let scope = Scope::Service(world.acme.id);
    let alerts = world.mainstay.alerts(scope, &AlertFilter::default(), 100).await.unwrap();
    alerts.iter().map(|alert| alert.episode.status).collect()
}

on_both_databases!(several_alerts_are_acted_on_at_once_and_what_happened_is_told, async |world| {
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    assert!(staff.get("/alerts").await.page(200).contains("<h1>No open alerts</h1>"));
    silence(world).await;
    let page = staff.get("/alerts").await;
    assert!(page.page(200).contains("<h1>3 open alerts on 3 clients</h1>"), "{page:#?}");
    let boxes = boxes(&page.text);
    assert_eq!(boxes.len(), 3);

    let chosen = [("alert", boxes[0].as_str()), ("alert", &boxes[1])];
    let acknowledge =
        [chosen.as_slice(), &[("action", "acknowledge"), ("note", "Calling")]].concat();
    let done = staff.post("/alerts", &acknowledge).await;
    let told = staff.get(done.leads_to()).await;
    assert!(told.page(200).contains("2 alerts acknowledged."), "{told:#?}");
    assert!(told.text.contains("acknowledged by \u{2068}you\u{2069}"), "{told:#?}");
    assert!(told.text.contains("Calling"));

    world.tick();
    // The first two have changed since this page was shown; the third has not.
    let all: Vec<(&str, &str)> = boxes.iter().map(|value| ("alert", value.as_str())).collect();
    let dismiss = [all.as_slice(), &[("action", "dismiss")]].concat();
    let done = staff.post("/alerts", &dismiss).await;
    let told = staff.get(done.leads_to()).await;
    assert!(told.page(200).contains("1 alert dismissed."), "{told:#?}");
    assert!(told.text.contains("2 were skipped"), "{told:#?}");
    let mut now = statuses(world).await;
    now.sort_unstable();
    let acknowledged = AlertStatus::Acknowledged;
    assert_eq!(now, [acknowledged, acknowledged, AlertStatus::Dismissed]);
    let dismissed = staff.get("/alerts?view=dismissed").await;
    assert!(dismissed.page(200).contains("dismissed by \u{2068}you\u{2069}"), "{dismissed:#?}");

    let nothing = staff.post("/alerts", &[("action", "resolve")]).await;
    let told = staff.get(nothing.leads_to()).await;
    assert!(told.page(200).contains("no alert was selected"));
    let odd = staff.post("/alerts", &[("action", "resolve"), ("alert", "x~y")]).await;
    assert!(odd.page(422).contains("Alert: "), "{odd:#?}");
    let unknown = staff.post("/alerts", &[("action", "shout"), ("alert", &boxes[0])]).await;
    assert!(unknown.page(422).contains("Action: "), "{unknown:#?}");
});

on_both_databases!(a_snoozed_alert_needs_nobody_until_its_time, async |world| {
    silence(world).await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let boxes = boxes(staff.get("/alerts").await.page(200));
    let snoozes = [("snooze-day", ""), ("snooze-3-days", ""), ("snooze", "2026-05-20T09:00")];
    for ((action, until), value) in snoozes.into_iter().zip(&boxes) {
        let form = [("alert", value.as_str()), ("action", action), ("until", until)];
        let told = staff.get(staff.post("/alerts", &form).await.leads_to()).await;
        assert!(told.page(200).contains("1 alert snoozed."), "{action}: {told:#?}");
    }
    let portfolio = staff.get("/portfolio").await;
    assert!(portfolio.page(200).contains("<h1>No clients to contact today</h1>"));
    let quiet = staff.get("/alerts?view=snoozed").await;
    assert_eq!(self::boxes(quiet.page(200)).len(), 3);
    assert!(quiet.text.contains("snoozed until Wed 20 May, 09:00"), "{quiet:#?}");
    let past = [("alert", boxes[0].as_str()), ("action", "snooze"), ("until", "2020-01-01T00:00")];
    let past = staff.post("/alerts", &past).await;
    assert_eq!(past.status, 303, "it had changed, so nothing was tried: {past:#?}");
});

on_both_databases!(filters_narrow_and_ended_alerts_say_why, async |world| {
    silence(world).await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    for (query, count) in [
        ("type=zero_activity", 3),
        ("type=score_drop", 0),
        ("severity=critical", 3),
        ("severity=info", 0),
        ("owner=nobody", 3),
        ("view=mine", 0),
        ("type=zero_activity&severity=critical&owner=nobody", 3),
    ] {
        let page = staff.get(&format!("/alerts?{query}")).await;
        assert_eq!(boxes(page.page(200)).len(), count, "{query}");
    }
    for query in ["type=loud", "severity=huge", "owner=x", "view=x", "after=x"] {
        let page = staff.get(&format!("/alerts?{query}")).await;
        assert!(page.page(422).contains(':'), "{query}");
    }
    world.be_active("bob", "login", 1).await;
    world.tick();
    check(world).await;
    let page = staff.get("/alerts").await;
    assert_eq!(boxes(page.page(200)).len(), 2);
    assert!(page.text.contains("Closed in the last 3 days"), "{page:#?}");
    assert!(
        page.text.contains("cleared on its own") && page.text.contains("Active again"),
        "{page:#?}"
    );
});

#[tokio::test]
async fn no_other_organization_acts_on_an_alert() {
    let world = World::sqlite().await;
    silence(&world).await;
    let staff = Browser::member(&world, &world.acme, Role::Staff).await;
    let boxes = boxes(staff.get("/alerts").await.page(200));
    let rival = Browser::member(&world, &world.rival, Role::Owner).await;
    let form = [("alert", boxes[0].as_str()), ("action", "dismiss")];
    let told = rival.get(rival.post("/alerts", &form).await.leads_to()).await;
    assert!(told.page(200).contains("0 alerts dismissed."), "{told:#?}");
    assert_eq!(statuses(&world).await, [AlertStatus::Active; 3]);
    world.close().await;
}

/// The instant that the button "Undo" of a page sends.
fn undo_of(page: &str) -> String {
    let button = page.split("name=\"at\" value=\"").nth(1).expect("a button that undoes");
    button.split('"').next().unwrap().to_owned()
}

on_both_databases!(what_was_done_with_alerts_is_undone_one_by_one_or_all_at_once, async |world| {
    silence(world).await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let all = boxes(staff.get("/alerts").await.page(200));
    for action in ["dismiss", "resolve", "snooze-week", "acknowledge"] {
        let fresh = boxes(staff.get("/alerts").await.page(200));
        assert_eq!(fresh.len(), 3, "before {action}");
        let mut form: Vec<(&str, &str)> =
            fresh.iter().map(|value| ("alert", value.as_str())).collect();
        form.push(("action", action));
        world.tick();
        let told = staff.get(staff.post("/alerts", &form).await.leads_to()).await;
        assert!(told.page(200).contains("3 alerts"), "{told:#?}");
        let at = undo_of(&told.text);
        world.tick();
        let undo = [("action", "undo"), ("at", at.as_str())];
        let told = staff.get(staff.post("/alerts", &undo).await.leads_to()).await;
        assert!(told.page(200).contains("3 alerts were restored."), "{told:#?}");
        assert_eq!(statuses(world).await, [AlertStatus::Active; 3], "after {action}");
        // Twice undoes nothing more.
        let told = staff.get(staff.post("/alerts", &undo).await.leads_to()).await;
        assert!(told.page(200).contains("Nothing was undone"), "{told:#?}");
    }
    // One by one, on the client's page.
    let id = all[0].split('~').next().unwrap();
    let scope = Scope::Service(world.acme.id);
    let client = world.mainstay.alert(scope, id.parse().unwrap()).await.unwrap().alert.client_id;
    let path = format!("/clients/{client}/alerts/{id}");
    world.tick();
    let done = staff.post(&path, &[("action", "dismiss")]).await;
    let told = staff.get(done.leads_to()).await;
    assert!(told.page(200).contains("1 alert dismissed."), "{told:#?}");
    world.tick();
    let next = format!("/clients/{client}");
    let undo = [("action", "undo"), ("at", &undo_of(&told.text)), ("next", &next)];
    let back = staff.post("/alerts", &undo).await;
    assert!(back.leads_to().starts_with(&next), "{back:#?}");
    assert_eq!(statuses(world).await, [AlertStatus::Active; 3]);
    // Somebody else's doing is not mine to undo.
    world.tick();
    let done = staff.post(&path, &[("action", "dismiss")]).await;
    let at = undo_of(&staff.get(done.leads_to()).await.text);
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    owner.post("/alerts", &[("action", "undo"), ("at", &at)]).await.leads_to();
    assert!(statuses(world).await.contains(&AlertStatus::Dismissed));
    // But it can be reopened by anybody, while the condition lasts.
    let dismissed = staff.get("/alerts?view=dismissed").await;
    assert!(dismissed.page(200).contains("value=\"reopen\""), "{dismissed:#?}");
    owner.post(&path, &[("action", "reopen")]).await.leads_to();
    assert_eq!(statuses(world).await, [AlertStatus::Active; 3]);
});

on_both_databases!(
    a_snooze_that_cannot_be_is_told_in_the_form_with_what_was_typed,
    async |world| {
        silence(world).await;
        let staff = Browser::member(world, &world.acme, Role::Staff).await;
        let page = staff.get("/alerts").await;
        assert!(page.page(200).contains("Until (Europe/Berlin)"), "{page:#?}");
        let boxes = boxes(&page.text);
        let id = boxes[0].split('~').next().unwrap();
        let scope = Scope::Service(world.acme.id);
        let client =
            world.mainstay.alert(scope, id.parse().unwrap()).await.unwrap().alert.client_id;
        for (until, problem) in [
            ("", "No time was chosen."),
            ("2026-05-01T10:00", "1 May 2026, 10:00 is in the past."),
            ("2027-05-01T10:00", "is more than 90 days ahead."),
            ("soon", "No time was chosen."),
        ] {
            let form = [("alert", boxes[0].as_str()), ("action", "snooze"), ("until", until)];
            let single = [("action", "snooze"), ("until", until)];
            let answers = [
                staff.post("/alerts", &form).await,
                staff.post(&format!("/clients/{client}/alerts/{id}"), &single).await,
            ];
            for answer in answers {
                let shown = staff.get(answer.leads_to()).await;
                assert!(shown.page(200).contains(problem), "{until:?}: {shown:#?}");
                assert!(shown.text.contains("in Europe/Berlin."), "{until:?}: {shown:#?}");
                let kept = format!("value=\"{until}\" aria-invalid=\"true\"");
                assert!(shown.text.contains(&kept), "{until:?}: {shown:#?}");
            }
        }
        assert_eq!(statuses(world).await, [AlertStatus::Active; 3]);
    }
);

on_both_databases!(open_means_the_same_in_the_heading_the_badge_and_the_api, async |world| {
    silence(world).await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let boxes = boxes(staff.get("/alerts").await.page(200));
    let form = [("alert", boxes[0].as_str()), ("action", "snooze-week")];
    staff.post("/alerts", &form).await.leads_to();
    let page = staff.get("/alerts").await;
    assert!(page.page(200).contains("<h1>3 open alerts on 3 clients, 1 snoozed</h1>"), "{page:#?}");
    assert!(page.text.contains("<b>3</b> open"), "{page:#?}");
    assert!(page.text.contains("To do<span>2</span>"), "{page:#?}");
    assert!(page.text.contains("Snoozed<span>1</span>"), "{page:#?}");
    let summary = world.get(&world.acme.staff, "/api/v1/alerts/summary").await.json(200);
    assert_eq!(summary["total"], 3);
    let open = world.get(&world.acme.staff, "/api/v1/alerts?open=true").await.json(200);
    assert_eq!(open["alerts"].as_array().unwrap().len(), 3);
    // And it can be woken before its time.
    let snoozed = staff.get("/alerts?view=snoozed").await;
    assert!(snoozed.page(200).contains("Wake now"), "{snoozed:#?}");
});

on_both_databases!(a_clients_headline_is_what_is_so_now_each_cause_once, async |world| {
    world.be_active("ada", "login", 100).await;
    world.clock.advance_hours(24 * 16);
    check(world).await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let page = staff.get("/clients/ada").await;
    let headline = |page: &str| {
        let head = page.split("<div class=\"page-head\"").nth(1).unwrap();
        head.split("<p><bdi>").nth(1).unwrap().split("</bdi>").next().unwrap().to_owned()
    };
    let told = headline(page.page(200));
    assert_eq!(told.matches("Quiet for 16 days").count(), 1, "{told}");
    assert_eq!(told.matches("Last event").count(), 1, "{told}");
    // An event comes, and no check.
    world.be_active("ada", "login", 1).await;
    world.tick();
    let told = headline(staff.get("/clients/ada").await.page(200));
    assert!(!told.contains("Quiet") && told.contains("Active again"), "{told}");
    // Nor does the list say so once those who came back were looked at.
    world.mainstay.check_returned_clients().await;
    let listed = staff.get("/alerts").await;
    assert!(listed.page(200).contains("<h1>No open alerts</h1>"), "{listed:#?}");
});
