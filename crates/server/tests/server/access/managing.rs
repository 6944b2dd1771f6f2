use mainstay_core::id::MemberId;
use mainstay_store::Role;
use serde_json::json;

use crate::{
    support::{Tenant, World},
    web::browser::{Browser, email, member_id},
};

/// Somebody of a role of whom nobody needs anything else.
async fn another(world: &World, role: Role, number: u32) -> (MemberId, String) {
    let email = format!("{role}-{number}@of-acme.example");
    let id = world.mainstay.add_member(world.acme.id, &email, None, role).await.unwrap().id;
    (id, email)
}

fn token<'a>(tenant: &'a Tenant, role: Role, viewer: &'a str) -> &'a str {
    match role {
        Role::Owner => &tenant.owner,
        Role::Admin => &tenant.admin,
        Role::Staff => &tenant.staff,
        Role::Viewer => viewer,
    }
}

on_both_databases!(nobody_manages_anybody_above_itself_by_the_api, async |world| {
    let viewer = world.viewer().await;
    let mut number = 0;
    for other in Role::ALL {
        let mut callers: Vec<(String, &str, bool)> = Role::ALL
            .map(|role| {
                (role.to_string(), token(&world.acme, role, &viewer), role.may_manage(other))
            })
            .into();
        // An admin makes secret keys: one that was more than an admin would make it an owner.
        let secret = world.acme.secret_key.as_str();
        callers.push(("secret key".to_owned(), secret, other != Role::Owner));
        for (caller, token, may) in callers {
            number += 1;
            let (id, address) = another(world, other, number).await;
            world.tick();
            let added = json!({"email": format!("new-{number}@of-acme.example"), "role": other});
            let answer = world.post(token, "/api/v1/members", added).await;
            assert_eq!(answer.status, if may { 201 } else { 403 }, "{caller} adds {other}");
            let key = json!({"kind": "member", "member": address});
            let answer = world.post(token, "/api/v1/keys", key).await;
            assert_eq!(
                answer.status,
                if may { 201 } else { 403 },
                "{caller} makes a token of {other}"
            );
            let kind = mainstay_store::KeyKind::Member;
            let key = world.mainstay.create_key(world.acme.id, kind, Some(&address)).await.unwrap();
            let answer = world.delete(token, &format!("/api/v1/keys/{}", key.id)).await;
            assert_eq!(
                answer.status,
                if may { 204 } else { 403 },
                "{caller} revokes one of {other}"
            );
            assert_eq!(world.get(&key.key, "/api/v1/members").await.status == 401, may);
            let answer = world.delete(token, &format!("/api/v1/members/{id}")).await;
            assert_eq!(answer.status, if may { 204 } else { 403 }, "{caller} removes {other}");
            if !may {
                let detail = answer.problem(403)["detail"].as_str().unwrap().to_owned();
                assert!(detail.contains("owner"), "{detail}");
            }
            let members = world.mainstay.members(world.acme.id).await.unwrap();
            assert_eq!(members.iter().any(|member| member.id == id), !may);
        }
    }
});

on_both_databases!(nobody_manages_anybody_above_itself_on_pages, async |world| {
    world.viewer().await;
    let mut number = 100;
    for role in Role::ALL {
        let browser = Browser::member(world, &world.acme, role).await;
        for other in Role::ALL {
            number += 1;
            let (id, address) = another(world, other, number).await;
            let may = role.may_manage(other);
            let path = |action: &str| format!("/settings/members/{id}/{action}");
            let done = |status: u16| if may { status } else { 403 };
            let invited = format!("invited-{number}@of-acme.example");
            let invite = [("name", ""), ("email", invited.as_str()), ("role", other.as_str())];
            let answer = browser.post("/settings/members", &invite).await;
            assert_eq!(answer.status, done(303), "{role} invites {other}: {}", answer.text);
            let answer = browser.post(&path("link"), &[]).await;
            assert_eq!(answer.status, done(303), "{role} makes a link of {other}");
            let answer = browser.get(&path("link")).await;
            assert_eq!(answer.text.contains("/sign-in/link/"), may);
            let key = [("kind", "member"), ("member", address.as_str())];
            let answer = browser.post("/settings/keys", &key).await;
            assert_eq!(answer.status, done(303), "{role} makes a token of {other}");
            let answer = browser.post(&path("role"), &[("role", other.as_str())]).await;
            assert_eq!(answer.status, done(303), "{role} changes the role of {other}");
            let answer = browser.post(&path("remove"), &[]).await;
            assert_eq!(answer.status, done(303), "{role} removes {other}");
        }
        let own = member_id(world, &world.acme, role).await;
        if role != Role::Owner {
            let answer =
                browser.post(&format!("/settings/members/{own}/role"), &[("role", "owner")]).await;
            assert_eq!(answer.status, 403, "{role} makes itself an owner");
        }
    }
    // What may not be done is not offered.
    let admin = Browser::member(world, &world.acme, Role::Admin).await;
    let page = admin.get("/settings/members").await;
    let owner = member_id(world, &world.acme, Role::Owner).await;
    assert!(!page.page(200).contains("value=\"owner\""), "{}", page.text);
    assert!(!page.text.contains(&format!("/settings/members/{owner}/")), "{}", page.text);
    let keys = admin.get("/settings/keys").await;
    let offered = format!("<option value=\"{}\"", email(&world.acme, Role::Owner));
    assert!(!keys.page(200).contains(&offered), "{}", keys.text);
});

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn the_database_holds_an_admin_to_it_as_well() {
    let world = World::postgres().await;
    let acme = world.acme.id;
    let owner = member_id(&world, &world.acme, Role::Owner).await;
    let staff = world.acme.staff_id;
    let (store, now) = (&world.store, world.mainstay.now());
    for (role, may) in [(Role::Owner, true), (Role::Admin, false), (Role::Staff, false)] {
        let scope = mainstay_store::Scope::Member(acme, role);
        // Hidden from whoever may not: nothing is changed.
        let mut tx = store.begin(scope).await.unwrap();
        let _ = tx.set_member_role(owner, Role::Owner).await;
        let _ = tx.revoke_member_keys(owner, now).await;
        drop(tx);
        let mut tx = store.begin(scope).await.unwrap();
        let revoked = tx.revoke_member_keys(owner, now).await.unwrap();
        assert_eq!(revoked, u64::from(may), "{role}");
        drop(tx);
        let mut tx = store.begin(scope).await.unwrap();
        let revoked = tx.revoke_member_keys(staff, now).await.unwrap();
        assert_eq!(revoked, u64::from(role != Role::Staff), "{role}");
        drop(tx);
        let mut tx = store.begin(scope).await.unwrap();
        let new = mainstay_store::NewMember {
            id: mainstay_store::new_id(now),
            email: "more@of-acme.example".to_owned(),
            name: "More".to_owned(),
            role: Role::Owner,
        };
        assert_eq!(tx.create_member(&new, now).await.is_ok(), may, "{role}");
    }
    world.close().await;
}
