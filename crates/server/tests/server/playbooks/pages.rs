//! `/tasks`, the tasks of a client's page, and the playbooks of the settings.

use mainstay_core::playbook::suggestions;
use mainstay_store::{ClientPatch, Role};
use serde_json::json;

use super::{alert, at, check, playbook, runs, task, tasks};
use crate::web::{
    browser::Browser,
    hostile::{HOSTILE, assert_harmless},
};

const TASKS: &str = "/tasks";
const PLAYBOOKS: &str = "/settings/playbooks";

on_both_databases!(a_playbook_is_offered_made_changed_switched_and_deleted, async |world| {
    let admin = Browser::member(world, &world.acme, Role::Admin).await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let empty = admin.get(PLAYBOOKS).await;
    for suggested in suggestions() {
        assert!(empty.page(200).contains(&suggested.name));
    }
    assert!(!staff.get(PLAYBOOKS).await.page(200).contains("Use template"));
    let offered = admin.get("/settings/playbooks/new?suggestion=0").await;
    assert!(offered.page(200).contains(&suggestions()[0].name));
    admin.get("/settings/playbooks/new?suggestion=99").await.page(200);

    let form = [
        ("name", "Call soon"),
        ("enabled", "on"),
        ("on", "alert"),
        ("type", "zero_activity"),
        ("at_least", "critical"),
        ("from", ""),
        ("to", "at_risk"),
        ("title-0", "Call"),
        ("text-0", ""),
        ("days-0", "2"),
        ("otherwise-0", ""),
        ("title-1", ""),
        ("text-1", ""),
        ("days-1", "2"),
        ("otherwise-1", ""),
        ("nudge", "on"),
    ];
    let made = admin.post(PLAYBOOKS, &form).await;
    assert_eq!(made.leads_to(), "/settings/playbooks?done=saved");
    let list = admin.get(PLAYBOOKS).await;
    for words in [
        "Call soon",
        "Alert “No activity” opens or worsens, at least critical",
        "Task “Call”, due 2 days later",
        "Reminder email to the client",
        "None started",
    ] {
        assert!(list.page(200).contains(words), "{words}");
    }
    let kept = world.get(&world.acme.staff, "/api/v1/playbooks").await.json(200);
    let path = format!("{PLAYBOOKS}/{}", kept["playbooks"][0]["id"].as_str().unwrap());
    let filled = admin.get(&path).await;
    assert!(filled.page(200).contains(r#"<option value="zero_activity" selected>"#));

    // What cannot be used is shown again with what is wrong, and nothing is lost.
    let with = |name: &'static str, value: &'static str| {
        form.map(|(known, kept)| if known == name { (known, value) } else { (known, kept) })
    };
    for (form, words) in [
        (with("name", " "), "1 to 100 characters"),
        (with("days-0", "soon"), "is not a whole number of days"),
        (with("days-0", "366"), "365"),
        (with("at_least", "bad"), "nknown severity"),
        (with("on", "full moon"), "s neither an alert nor a band"),
        (with("otherwise-0", "me"), "s not a member"),
    ] {
        let refused = admin.post(&path, &form).await;
        assert!(refused.page(422).contains(words), "{words}: {}", refused.text);
        assert!(
            refused.text.contains("value=\"Call\"") && refused.text.contains("role=\"alert\"")
                || words.starts_with("1 to")
        );
    }
    let switched = admin.post(&format!("{path}/switch"), &[]).await;
    assert_eq!(switched.leads_to(), "/settings/playbooks?done=playbook-off");
    assert!(admin.get(PLAYBOOKS).await.page(200).contains(">Off</span>"));
    assert!(admin.get(&format!("{path}/delete")).await.page(200).contains("Call soon"));
    let deleted = admin.post(&format!("{path}/delete"), &[]).await;
    assert_eq!(deleted.leads_to(), "/settings/playbooks?done=playbook-deleted");
    admin.get(&path).await.page(404);
});

on_both_databases!(staff_see_what_is_late_first_and_finish_it, async |world| {
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    assert!(staff.get(TASKS).await.page(200).contains("You have no tasks."));
    world.be_active("ada", "login", 1).await;
    super::be_owned(world, "ada", world.acme.staff_id).await;
    let mine = world.acme.staff_id.to_string();
    let add = async |title: &str, due: &str, owner: &str| {
        let form = [("title", title), ("due_on", due), ("owner", owner)];
        let added = staff.post("/clients/ada/staff-tasks", &form).await;
        assert_eq!(added.leads_to(), "/clients/ada#staff-tasks-h");
    };
    add("Later", "2026-05-09", &mine).await;
    add("Late", "2026-04-29", &mine).await;
    add("Today", "2026-05-01", &mine).await;
    add("Nobodys", "2026-05-01", "").await;
    let page = staff.get(TASKS).await;
    let page = page.page(200);
    let places = ["1 of your tasks is overdue", "2 days late", "Due today", "Due later"]
        .map(|words| page.find(words).unwrap_or_else(|| panic!("{words}: {page}")));
    assert!(places.is_sorted(), "{places:?}");
    assert!(!page.contains("Nobodys"));
    assert!(staff.get("/tasks?view=all").await.page(200).contains("Nobodys"));
    let nobodys = staff.get("/tasks?view=all&owner=nobody").await;
    assert!(nobodys.page(200).contains("Nobodys") && !nobodys.text.contains(">Later<"));
    let client = staff.get("/clients/ada").await;
    assert!(client.page(200).contains("4 open"));

    let late = tasks(world).await.remove(0);
    let path = format!("/tasks/{}", late.id);
    let done = staff.post(&path, &[("action", "done"), ("next", "/tasks?view=all")]).await;
    assert_eq!(done.leads_to(), "/tasks?view=all&done=done");
    assert!(staff.get(TASKS).await.page(200).contains("No overdue tasks"));
    assert!(staff.get("/tasks?view=done").await.page(200).contains("Done by \u{2068}you\u{2069}"));
    let reopened =
        staff.post(&path, &[("action", "open"), ("next", "/clients/ada#staff-tasks-h")]).await;
    assert!(reopened.leads_to().starts_with("/clients/ada"));
    let elsewhere = staff.post(&path, &[("action", "done"), ("next", "//evil.example/")]).await;
    assert_eq!(elsewhere.leads_to(), "/tasks?done=done");
    let form = [("title", "Write"), ("text", "a\nb"), ("due_on", "2026-05-02"), ("owner", "")];
    assert_eq!(staff.post(&path, &form).await.leads_to(), "/tasks?done=saved");
    assert!(staff.get(&path).await.page(200).contains("a\nb</textarea>"));
    for (name, value, words) in [
        ("title", " ", "1 to 200"),
        ("due_on", "soon", "s not a date"),
        ("due_on", "+123456-01-01", "s not a date"),
        ("owner", "me", "s not a member"),
        ("text", "\0", "NUL"),
    ] {
        let form =
            form.map(|(known, kept)| if known == name { (known, value) } else { (known, kept) });
        let refused = staff.post(&path, &form).await;
        assert!(refused.page(422).contains(words), "{words}: {}", refused.text);
    }
    staff.post(&path, &[("action", "explode")]).await.page(422);
    for query in ["view=none", "view=all&owner=me", "after=1"] {
        staff.get(&format!("/tasks?{query}")).await.page(422);
    }
    assert_eq!(staff.post(&format!("{path}/delete"), &[]).await.leads_to(), "/tasks?done=deleted");
    staff.get(&path).await.page(404);
});

on_both_databases!(many_tasks_are_read_page_by_page, async |world| {
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    world.be_active("ada", "login", 1).await;
    for number in 0..60 {
        let form =
            [("title", &*format!("Number {number}.")), ("due_on", "2026-05-09"), ("owner", "")];
        staff.post("/clients/ada/staff-tasks", &form).await.leads_to();
    }
    let first = staff.get("/tasks?view=all").await.page(200).to_owned();
    let next = first.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let second = staff.get(&next).await.page(200).to_owned();
    for number in 0..60 {
        let shown = format!("<bdi>Number {number}.</bdi>");
        assert_eq!([&first, &second].iter().filter(|page| page.contains(&shown)).count(), 1);
    }
});

on_both_databases!(each_alert_lists_its_playbook_runs_and_tasks, async |world| {
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    playbook(world, alert("inactivity", "warning"), json!([task("Call", 1), {"do": "nudge"}]))
        .await;
    world.be_active("ada", "login", 1).await;
    world.clock.set(at("2026-05-04T12:00:00Z"));
    check(world).await;
    assert_eq!(runs(world, "ada").await.len(), 0, "it was silent for three days by then");
    world.be_active("bob", "login", 1).await;
    world.clock.set(at("2026-05-06T12:00:00Z"));
    check(world).await;
    for path in ["/alerts", "/clients/bob"] {
        let page = staff.get(path).await;
        let told = page.page(200);
        for words in [
            "Playbook “Keep “ada” ",
            "Task “Call”, unassigned, due Thu 7 May",
            "No email to the client: the client is not subscribed to emails.",
        ] {
            assert!(told.contains(words), "{path}: {words}: {told}");
        }
    }
    let made = tasks(world).await.remove(0);
    staff.post(&format!("/tasks/{}", made.id), &[("action", "done")]).await.leads_to();
    world.clock.advance_hours(2);
    world.be_active("bob", "content_generated", 1).await;
    check(world).await;
    let told = staff.get("/clients/bob").await;
    assert!(told.page(200).contains("The client recovered"), "{}", told.text);
    assert!(told.text.contains("Task “Call” done by \u{2068}you\u{2069}"), "{}", told.text);
    let list = staff.get(PLAYBOOKS).await;
    assert!(
        list.page(200).contains("1 started, 1 acted on, 1 recovered within 14 days"),
        "{}",
        list.text
    );
});

on_both_databases!(hostile_names_are_harmless_on_tasks_and_playbooks, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    for (number, name) in HOSTILE.into_iter().enumerate() {
        let id = format!("client-{number}");
        let patch = ClientPatch { name: Some(name.to_owned()), ..ClientPatch::default() };
        world.mainstay.create_client(world.acme.id, &id, patch).await.unwrap();
        let body = json!({
            "name": name, "trigger": alert("inactivity", "warning"),
            "actions": [{"do": "task", "title": name, "text": name, "due_in_days": 1}],
        });
        world.post(&world.acme.secret_key, "/api/v1/playbooks", body).await.json(201);
    }
    // Not 49: that is what an expression in a name would come to.
    world.clock.advance_hours(50);
    check(world).await;
    let made = tasks(world).await;
    assert_eq!(made.len(), HOSTILE.len() * HOSTILE.len());
    let kept = world.get(&world.acme.staff, "/api/v1/playbooks").await.json(200);
    let mut paths = ["/tasks?view=all", "/alerts", PLAYBOOKS].map(str::to_owned).to_vec();
    for (number, kept) in kept["playbooks"].as_array().unwrap().iter().enumerate() {
        let id = kept["id"].as_str().unwrap();
        paths.push(format!("{PLAYBOOKS}/{id}"));
        paths.push(format!("{PLAYBOOKS}/{id}/delete"));
        paths.push(format!("/clients/client-{number}"));
        paths.push(format!("/tasks/{}", made[number * HOSTILE.len()].id));
    }
    for path in paths {
        // The history's chart is as many days wide.
        let page = owner.get(&path).await.page(200).replace("0 0 49 100", "");
        assert_harmless(&page, &path);
    }
});
