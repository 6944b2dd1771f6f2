//! What the role viewer sees and is refused, page by page.

use mainstay_core::id::MemberId;
use mainstay_store::{Role, Scope};

use super::{ADA, BOB, CALLERS, needs::Needs, table::table};
use crate::{
    support::World,
    web::browser::{Browser, PASSWORD, email, member_id},
};

/// What a viewer may send: what changes its own account or how its pages look.
const OWN: [&str; 8] = [
    "/theme",
    "/sign-out",
    "/settings/profile",
    "/settings/profile/password",
    "/settings/profile/sessions",
    "/settings/profile/sessions/{session}/end",
    "/settings/profile/failures",
    "/settings/notifications/digest",
];

/// Pages whose senders are known by something else than a member's session.
const NOT_STAFFS: [&str; 4] = ["/sign-in", "/client/", "/email/", "/widgets/"];

/// Pages that staff may open, and that are only there to change something.
const TO_CHANGE: [&str; 1] = ["/clients/{client_id}/link"];

async fn active(world: &World) {
    world.be_active(ADA, "content_generated", 12).await;
    world.be_active(BOB, "login", 2).await;
    // So that a stream ends when it begins.
    world.mainstay.hub().stop();
    world.clock.advance_hours(36);
    let (mainstay, acme) = (&world.mainstay, world.acme.id);
    let scope = Scope::Service(acme);
    let ada = mainstay.client(scope, ADA).await.unwrap();
    mainstay.calculate_success_score(scope, &ada).await.unwrap();
    mainstay.generate_weekly_insights(acme, ADA, mainstay.now()).await.unwrap();
}

async fn viewer(world: &World) -> Browser {
    world.viewer().await;
    Browser::member(world, &world.acme, Role::Viewer).await
}

async fn needs_of(world: &World, path: &str, number: usize) -> Needs {
    let row = table().into_iter().find(|row| row.path == path).unwrap();
    Needs::of(world, &row, number).await
}

/// Where the forms of a page that change something lead.
fn actions(page: &str) -> Vec<&str> {
    let forms = page.split("<form ").skip(1).filter_map(|form| form.split_once('>'));
    forms
        .filter(|(attributes, _)| attributes.contains("method=\"post\""))
        .filter_map(|(attributes, _)| attributes.split_once("action=\"")?.1.split_once('"'))
        .map(|(action, _)| action)
        .collect()
}

fn is_own(action: &str) -> bool {
    OWN.contains(&action)
        || (action.starts_with("/settings/profile/sessions/") && action.ends_with("/end"))
}

on_both_databases!(a_viewer_sees_the_pages_of_staff_and_no_form_it_may_not_send, async |world| {
    active(world).await;
    let browser = viewer(world).await;
    let staff = CALLERS.iter().position(|caller| *caller == "staff").unwrap();
    let mut wrong = Vec::new();
    let rows = table().into_iter().filter(|row| row.method == "GET");
    for (number, row) in rows.filter(|row| !row.path.contains("{secret}")).enumerate() {
        world.tick();
        let needs = Needs::of(world, &row, number + 1).await;
        let expected = if TO_CHANGE.contains(&row.path) { 403 } else { row.expected[staff] };
        let path = needs.fill(row.path);
        let answer = browser.get(&path).await;
        if answer.status != expected {
            wrong.push(format!("{}: {expected} expected, got {}", row.path, answer.status));
        }
        // The gallery shows what components look like, and a preview what a client may press.
        let shows_only = row.path.starts_with("/gallery") || row.path.contains("/preview");
        if !shows_only && !NOT_STAFFS.iter().any(|start| row.path.starts_with(start)) {
            let refused = actions(&answer.text).into_iter().filter(|action| !is_own(action));
            wrong.extend(refused.map(|action| format!("{} has a form to {action}", row.path)));
        }
    }
    // Where there is something to act on, and where an address says that something was done.
    let alert = needs_of(world, "/clients/{client_id}/alerts/{alert_id}", 900).await;
    let task = needs_of(world, "/clients/{client_id}/tasks/{task_id}", 901).await;
    let staff_task = needs_of(world, "/tasks/{staff_task_id}", 902).await;
    let scope = Scope::Service(world.acme.id);
    let ada = world.mainstay.client(scope, ADA).await.unwrap().id;
    for role in [Role::Staff, Role::Viewer] {
        let member = member_id(world, &world.acme, role).await;
        world.mainstay.add_note(scope, ada, member, "Called.").await.unwrap();
    }
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let done = "?done=resolve&changed=1&at=1777636800000000";
    for path in [
        alert.fill("/clients/{client_id}"),
        format!("{}{done}", alert.fill("/clients/{client_id}")),
        task.fill("/clients/{client_id}"),
        staff_task.fill("/tasks/{staff_task_id}"),
        "/tasks?view=all".to_owned(),
        "/alerts".to_owned(),
        format!("/alerts{done}"),
    ] {
        let [theirs, ours] = [staff.get(&path).await, browser.get(&path).await];
        let theirs = actions(theirs.page(200));
        assert!(theirs.iter().any(|action| !is_own(action)), "{path} has no form for staff");
        let ours = actions(ours.page(200));
        assert!(ours.iter().all(|action| is_own(action)), "{path}: {ours:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
});

on_both_databases!(whatever_form_a_viewer_sends_is_refused_and_changes_nothing, async |world| {
    active(world).await;
    let browser = viewer(world).await;
    let mut wrong = Vec::new();
    let rows = table().into_iter().filter(|row| row.method == "POST" && !OWN.contains(&row.path));
    let rows = rows.filter(|row| !NOT_STAFFS.iter().any(|start| row.path.starts_with(start)));
    for (number, row) in rows.enumerate() {
        world.tick();
        let needs = Needs::of(world, &row, number + 1).await;
        let form: Vec<(&str, String)> =
            row.form.iter().map(|(name, value)| (*name, needs.fill(value))).collect();
        let form: Vec<(&str, &str)> =
            form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let before = world.everything().await;
        let answer = browser.post(&needs.fill(row.path), &form).await;
        if answer.status != 403 || !answer.text.contains("viewer") {
            wrong.push(format!("{}: got {} {}", row.path, answer.status, answer.text));
        }
        if world.everything().await != before {
            wrong.push(format!("{} changed something", row.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
});

on_both_databases!(a_viewer_changes_its_own_account_and_nobody_elses, async |world| {
    let browser = viewer(world).await;
    let id = member_id(world, &world.acme, Role::Viewer).await;
    let other = Browser::new(world);
    other.sign_in(&email(&world.acme, Role::Viewer), PASSWORD).await.leads_to();
    browser.post("/settings/profile", &[("name", "Vera")]).await.leads_to();
    let named = async |id: MemberId| {
        let members = world.mainstay.members(world.acme.id).await.unwrap();
        members.into_iter().find(|member| member.id == id).unwrap().name
    };
    assert_eq!(named(id).await, "Vera");
    browser.post("/theme", &[("theme", "dark")]).await.leads_to();
    let new = "another good one";
    browser
        .post("/settings/profile/password", &[("present", PASSWORD), ("password", new)])
        .await
        .leads_to();
    browser.post("/settings/profile/sessions", &[]).await.leads_to();
    let ended = other.get("/portfolio").await;
    assert!(ended.leads_to().starts_with("/sign-in"));
    let (me, staff) = (id.to_string(), world.acme.staff_id.to_string());
    let digest = "/settings/notifications/digest";
    browser.post(digest, &[("member", me.as_str()), ("wanted", "on")]).await.leads_to();
    browser.post(digest, &[("member", staff.as_str()), ("wanted", "on")]).await.page(403);
    assert_eq!(world.mainstay.digest_members(world.acme.id).await.unwrap(), [id]);
    browser.post("/sign-out", &[]).await.leads_to();
    browser.sign_in(&email(&world.acme, Role::Viewer), new).await.leads_to();
});

on_both_databases!(owners_and_admins_make_viewers_and_give_them_other_roles, async |world| {
    for (number, role) in [Role::Owner, Role::Admin].into_iter().enumerate() {
        let browser = Browser::member(world, &world.acme, role).await;
        let address = format!("viewer-{number}@of-acme.example");
        let invite = [("name", ""), ("email", address.as_str()), ("role", "viewer")];
        browser.post("/settings/members", &invite).await.leads_to();
        let found = async || {
            let members = world.mainstay.members(world.acme.id).await.unwrap();
            members.into_iter().find(|member| member.email == address).unwrap()
        };
        assert_eq!(found().await.role, Role::Viewer);
        for other in [Role::Staff, Role::Viewer] {
            let path = format!("/settings/members/{}/role", found().await.id);
            browser.post(&path, &[("role", other.as_str())]).await.leads_to();
            assert_eq!(found().await.role, other);
        }
    }
    let browser = viewer(world).await;
    let page = browser.get("/settings/members").await;
    assert!(page.page(200).contains("viewer-0@of-acme.example"), "{}", page.text);
});
