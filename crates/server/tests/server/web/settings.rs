use mainstay_core::score::ScoreModel;
use mainstay_store::{OrganizationPatch, Role, Scope};

use super::browser::{Browser, PASSWORD, email, member_id, path_of};
use crate::support::World;

/// Every field of a form on a page, as it would be sent.
pub(super) fn fields(html: &str, action: &str) -> Vec<(String, String)> {
    let start = html.find(&format!("action=\"{action}\"")).unwrap();
    let form = &html[start..start + html[start..].find("</form>").unwrap()];
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        let value = rest.split('"').next().unwrap();
        Some(value.replace("&#60;", "<").replace("&#62;", ">").replace("&#38;", "&"))
    };
    let mut fields = Vec::new();
    for tag in form.split('<').filter(|tag| tag.starts_with("input ")) {
        // What has no name is not sent.
        let Some(name) = attribute(tag, "name") else { continue };
        fields.push((name, attribute(tag, "value").unwrap_or_default()));
    }
    for select in form.split("<select ").skip(1) {
        let name = attribute(&format!(" {select}"), "name").unwrap();
        let chosen = select.split("<option ").skip(1).find(|option| option.contains(" selected"));
        fields.push((name, attribute(&format!(" {}", chosen.unwrap()), "value").unwrap()));
    }
    fields
}

async fn sent(
    browser: &Browser,
    path: &str,
    fields: &[(String, String)],
) -> crate::support::TestResponse {
    let form: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(path, &form).await
}

fn change(fields: &mut [(String, String)], name: &str, value: &str) {
    let (_, present) = fields.iter_mut().find(|(one, _)| one == name).unwrap();
    value.clone_into(present);
}

on_both_databases!(an_organization_gets_another_name_and_zone, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    let path = "/settings/organization";
    let form =
        [("name", "Tidewater"), ("time_zone", " America/New_York "), ("clients_are", "groups")];
    assert_eq!(owner.post(path, &form).await.leads_to(), "/settings/organization?done=saved");
    let page = owner.get("/settings/organization?done=saved").await;
    assert!(page.page(200).contains("value=\"America/New_York\"") && page.text.contains("Saved."));
    assert!(page.text.contains("<option value=\"Asia/Tokyo\">"));
    for (name, zone, told) in [
        ("", "UTC", "Is empty; send 1 to 255 characters."),
        ("x", "Mars/Base", "Unknown time zone"),
        (&"x".repeat(256), "UTC", "Has 256 characters; the limit is 255"),
        ("nul\0", "UTC", "Contains a NUL character"),
    ] {
        let page = owner
            .post(path, &[("name", name), ("time_zone", zone), ("clients_are", "users")])
            .await;
        assert!(page.page(422).contains(told), "{told}: {}", page.text);
    }
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let page = staff.get(path).await;
    assert!(!page.page(200).contains("Save organization") && page.text.contains("Tidewater"));
});

on_both_databases!(a_member_is_invited_joins_and_is_removed, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    let form = [("name", ""), ("email", "ada@example.com"), ("role", "staff")];
    let made = owner.post("/settings/members", &form).await;
    let page = owner.get(made.leads_to()).await;
    let link = page.page(200).split("<code data-copy>").nth(1).unwrap().split('<').next().unwrap();
    assert!(page.text.contains("Invitation for"), "{}", page.text);
    let ada = Browser::new(world);
    let list = owner.get("/settings/members").await;
    assert!(list.page(200).contains("Invited, until"), "{}", list.text);
    let joined = ada.post(&path_of(link), &[("name", "Ada"), ("password", PASSWORD)]).await;
    assert_eq!(joined.leads_to(), "/portfolio");
    assert!(ada.get("/settings/keys").await.page(403).contains("Your role is staff"));

    let members = world.mainstay.members(world.acme.id).await.unwrap();
    let id = members.iter().find(|member| member.email == "ada@example.com").unwrap().id;
    let role = format!("/settings/members/{id}/role");
    assert_eq!(
        owner.post(&role, &[("role", "admin")]).await.leads_to(),
        "/settings/members?done=role"
    );
    ada.get("/settings/keys").await.leads_to();
    ada.sign_in("ada@example.com", PASSWORD).await.leads_to();
    ada.get("/settings/keys").await.page(200);
    owner.post(&role, &[("role", "boss")]).await.page(400);

    let remove = format!("/settings/members/{id}/remove");
    assert!(owner.get(&remove).await.page(200).contains("Remove member"));
    assert_eq!(owner.post(&remove, &[]).await.leads_to(), "/settings/members?done=removed");
    ada.get("/settings/profile").await.leads_to();
    owner.post(&remove, &[]).await.page(404);
});

on_both_databases!(a_link_of_a_member_is_shown_once_and_a_reload_makes_no_other, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    Browser::member(world, &world.acme, Role::Staff).await;
    let staff = member_id(world, &world.acme, Role::Staff).await;
    let admin = member_id(world, &world.acme, Role::Admin).await;
    let path = format!("/settings/members/{staff}/link");
    let made = owner.post(&path, &[]).await;
    assert_eq!(made.leads_to(), path);
    // It is that member's link, and no other member's page shows it.
    let other = owner.get(&format!("/settings/members/{admin}/link")).await;
    assert!(!other.page(200).contains("/sign-in/link/"), "{}", other.text);
    let shown = owner.get(&path).await;
    assert!(shown.page(200).contains("/sign-in/link/"), "{}", shown.text);
    assert!(shown.text.contains("Password link for"), "{}", shown.text);
    let again = owner.get(&path).await;
    assert!(!again.page(200).contains("/sign-in/link/"), "{}", again.text);
    assert!(again.text.contains("create another one"), "{}", again.text);

    // A link that was made for an invitation stays the newest one.
    let form = [("name", ""), ("email", "ada@example.com"), ("role", "staff")];
    let path = owner.post("/settings/members", &form).await.leads_to().to_owned();
    let page = owner.get(&path).await;
    let link = page.page(200).split("<code data-copy>").nth(1).unwrap().split('<').next().unwrap();
    assert!(!owner.get(&path).await.page(200).contains(link));
    Browser::new(world).get(&path_of(link)).await.page(200);
});

on_both_databases!(a_link_that_was_not_made_here_is_not_shown, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    let staff = member_id(world, &world.acme, Role::Staff).await;
    for kept in ["x", "not-a-secret-of-ours", &"y".repeat(64)] {
        let cookie = format!("{}; mainstay-once={kept}", owner.kept());
        let headers = [("cookie", cookie.as_str())];
        let fresh = Browser::new(world);
        for path in [format!("/settings/members/{staff}/link"), "/settings/keys".to_owned()] {
            let page = fresh.send("GET", &path, &headers, None).await;
            assert!(!page.page(200).contains("<code data-copy>"), "{}", page.text);
        }
    }
});

on_both_databases!(the_last_owner_stays, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    let id = member_id(world, &world.acme, Role::Owner).await;
    for (action, form) in [("role", &[("role", "staff")][..]), ("remove", &[])] {
        let page = owner.post(&format!("/settings/members/{id}/{action}"), form).await;
        assert!(page.page(409).contains("only owner"), "{}", page.text);
    }
    // With another one, it may go, and is signed out.
    let admin = member_id(world, &world.acme, Role::Admin).await;
    owner.post(&format!("/settings/members/{admin}/role"), &[("role", "owner")]).await.leads_to();
    let gone = owner.post(&format!("/settings/members/{id}/remove"), &[]).await;
    assert_eq!(gone.leads_to(), "/sign-in?notice=ended");
    owner.get("/settings/members").await.leads_to();
});

on_both_databases!(a_key_is_shown_once_and_revoked, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    let made = owner.post("/settings/keys", &[("kind", "secret"), ("member", "x")]).await;
    assert_eq!(made.leads_to(), "/settings/keys");
    let page = owner.get("/settings/keys").await;
    let key = page.page(200).split("<code data-copy>").nth(1).unwrap().split('<').next().unwrap();
    world.get(key, "/api/v1/members").await.json(200);
    let list = owner.get("/settings/keys").await;
    assert!(!list.page(200).contains(key) && list.text.contains(&key[..8]));
    let keys = world.mainstay.keys(world.acme.id).await.unwrap();
    let id = keys.iter().find(|one| one.prefix == key[..8]).unwrap().id;
    let revoke = format!("/settings/keys/{id}/revoke");
    assert!(owner.get(&revoke).await.page(200).contains("This cannot be undone"));
    assert_eq!(owner.post(&revoke, &[]).await.leads_to(), "/settings/keys?done=revoked");
    world.get(key, "/api/v1/members").await.problem(401);
    owner.get(&revoke).await.page(404);
    owner.post("/settings/keys", &[("kind", "odd")]).await.page(400);
    owner
        .post("/settings/keys", &[("kind", "member"), ("member", "no@example.com")])
        .await
        .page(404);
});

on_both_databases!(names_that_were_seen_are_mapped, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    world.be_active("ada", "Report Exported", 3).await;
    world.be_active("ada", "Logo <b>drawn</b>", 2).await;
    let page = owner.get("/settings/event-names").await;
    assert!(
        page.page(200).contains("<bdi>Report Exported</bdi></th>\n          <td>3 events"),
        "{}",
        page.text
    );
    assert!(page.text.contains("Logo &#60;b&#62;drawn"), "{}", page.text);
    let form = [("name", "Report Exported"), ("type", "export_downloaded")];
    let path = "/settings/event-names";
    assert_eq!(owner.post(path, &form).await.leads_to(), "/settings/event-names?done=mapped");
    let page = owner.get(path).await;
    assert!(!page.page(200).contains("3 events") && page.text.contains("2 events"));
    let remove = "/settings/event-names/remove";
    assert_eq!(
        owner.post(remove, &form[..1]).await.leads_to(),
        "/settings/event-names?done=unmapped"
    );
    owner.post(remove, &form[..1]).await.page(404);
    owner.post(path, &[("name", ""), ("type", "login")]).await.page(422);
    owner.post(path, &[("name", "x"), ("type", "odd")]).await.page(422);
});

on_both_databases!(a_model_is_tried_on_every_client_and_then_published, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    world.be_active("busy", "content_generated", 30).await;
    world.be_active("calm", "login", 1).await;
    let scope = Scope::Service(world.acme.id);
    let busy = world.mainstay.client(scope, "busy").await.unwrap();
    let calm = world.mainstay.client(scope, "calm").await.unwrap();
    let before = world.mainstay.calculate_success_score(scope, &busy).await.unwrap().score;
    world.mainstay.calculate_success_score(scope, &calm).await.unwrap();

    let page = owner.get("/settings/score-model").await;
    let preview = "/settings/score-model/preview";
    let mut form = fields(page.page(200), preview);
    change(&mut form, "name", "Only engagement <i>");
    change(&mut form, "weights/engagement", "99");
    let page = sent(&owner, preview, &form).await;
    assert!(page.page(422).contains("They sum to 174; make them sum to 100."), "{}", page.text);
    for (field, value) in [
        ("engagement", "100"),
        ("activation", "0"),
        ("progress", "0"),
        ("satisfaction", "0"),
        ("momentum", "0"),
    ] {
        change(&mut form, &format!("weights/{field}"), value);
    }
    let page = sent(&owner, preview, &form).await;
    let after = before.components.engagement;
    assert_ne!(before.overall, after);
    let html = page.page(200);
    assert!(html.contains("Of 2 clients, 2 would get a different score."), "{html}");
    assert!(
        html.contains(&format!("<b>{}</b>", before.overall))
            && html.contains(&format!("<b>{after}</b>"))
    );
    assert!(html.contains("Publish as version 2"));
    // Nothing has changed yet.
    assert_eq!(world.mainstay.context(world.acme.id).await.unwrap().models.len(), 1);

    let hidden = fields(html, preview);
    let done = sent(&owner, "/settings/score-model", &hidden).await;
    assert_eq!(done.leads_to(), "/settings/score-model?done=published");
    let (version, model) = world.mainstay.context(world.acme.id).await.unwrap().model();
    assert_eq!((version, model.weights.engagement), (2, 100));
    assert_eq!(model.name, "Only engagement <i>");
    assert_eq!(model.progress, ScoreModel::standard().progress);
    // Publishing moves no score; the client's next event does.
    let still = world.mainstay.calculate_success_score(scope, &busy).await.unwrap().score;
    assert_eq!(still, before);
    world.clock.advance_hours(2);
    world.be_active("busy", "login", 1).await;
    let again = world.mainstay.calculate_success_score(scope, &busy).await.unwrap().score;
    assert_eq!((again.inputs.model, again.overall), (2, again.components.engagement));

    // The first version can be taken again: as the next one, after the same preview.
    let page = owner.get("/settings/score-model").await;
    assert!(page.page(200).contains("Use version 1 again: preview"), "{}", page.text);
    let first = page.text.find("aria-label=\"Use version 1 again").unwrap();
    let start = page.text[..first].rfind("<form").unwrap();
    let again = fields(&page.text[start..], preview);
    let shown = sent(&owner, preview, &again).await;
    assert!(shown.page(200).contains("Publish as version 3"), "{}", shown.text);
    let done = sent(&owner, "/settings/score-model", &fields(&shown.text, preview)).await;
    assert_eq!(done.leads_to(), "/settings/score-model?done=published");
    let (version, model) = world.mainstay.context(world.acme.id).await.unwrap().model();
    assert_eq!((version, model), (3, ScoreModel::standard()));
});

#[tokio::test]
async fn a_draft_that_is_no_model_is_shown_again_with_what_is_wrong() {
    let world = World::sqlite().await;
    let owner = Browser::member(&world, &world.acme, Role::Owner).await;
    let preview = "/settings/score-model/preview";
    let form = fields(&owner.get("/settings/score-model").await.text, preview);
    for (field, value, told) in [
        ("weights/momentum", "", "is not a whole number"),
        ("weights/momentum", "1e3", "is not a whole number"),
        ("weights/momentum", "99999999999999999999", "is not a whole number"),
        ("weights/momentum", "-5", "Each weight is a whole percent from 0 to 100."),
        ("bands/good", "90", "Use 0 &#60; needs_attention"),
        ("progress/content/points", "100", "add up to"),
        ("momentum/steps/at_least_percent", "-99", "From the highest change down"),
        ("satisfaction/days", "0", "Is outside 1 to 3650".trim_start_matches("Is ")),
        ("satisfaction/days", "9223372036854775807", "too large"),
        ("name", " ", "Is empty"),
    ] {
        let mut form = form.clone();
        change(&mut form, field, value);
        for path in [preview, "/settings/score-model"] {
            let page = sent(&owner, path, &form).await;
            assert!(
                page.page(422).to_lowercase().contains(&told.to_lowercase()),
                "{field} {value}: {}",
                page.text
            );
        }
    }
    assert_eq!(world.mainstay.context(world.acme.id).await.unwrap().models.len(), 1);
}

on_both_databases!(sites_are_allowed_and_removed, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    let path = "/settings/sites";
    let added = owner.post(path, &[("site", "https://App.Example.com/")]).await;
    assert_eq!(added.leads_to(), "/settings/sites?done=added");
    assert!(owner.get(path).await.page(200).contains("https://app.example.com"));
    assert!(
        owner
            .post(path, &[("site", "*")])
            .await
            .page(422)
            .contains("use only scheme, host and port")
    );
    let form = [("site", "https://app.example.com")];
    assert_eq!(
        owner.post("/settings/sites/remove", &form).await.leads_to(),
        "/settings/sites?done=site-removed"
    );
    owner.post("/settings/sites/remove", &form).await.page(404);
});

on_both_databases!(a_member_changes_its_own_name_and_password, async |world| {
    let one = Browser::member(world, &world.acme, Role::Staff).await;
    let other = Browser::new(world);
    other.sign_in(&email(&world.acme, Role::Staff), PASSWORD).await.leads_to();
    one.post("/settings/profile", &[("name", "Tomas")]).await.leads_to();
    assert!(other.get("/settings/profile").await.page(200).contains("value=\"Tomas\""));

    let password = "/settings/profile/password";
    let wrong = [("present", "not this one"), ("password", "another good one")];
    assert!(one.post(password, &wrong).await.page(422).contains("Is not your password"));
    let short = [("present", PASSWORD), ("password", "short")];
    assert!(one.post(password, &short).await.page(422).contains("Has 5 characters"));
    let good = [("present", PASSWORD), ("password", "another good one")];
    assert_eq!(one.post(password, &good).await.leads_to(), "/settings/profile?done=password");
    one.get("/settings/profile").await.page(200);
    other.get("/settings/profile").await.leads_to();

    other.sign_in(&email(&world.acme, Role::Staff), "another good one").await.leads_to();
    one.post("/settings/profile/sessions", &[]).await.leads_to();
    one.get("/settings/profile").await.page(200);
    other.get("/settings/profile").await.leads_to();
});

#[tokio::test]
async fn hostile_names_are_shown_harmless() {
    let world = World::sqlite().await;
    let owner = Browser::member(&world, &world.acme, Role::Owner).await;
    let id = member_id(&world, &world.acme, Role::Owner).await;
    let wide = "\u{1f98a}".repeat(255);
    for name in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "a\u{202e}b",
        "\u{200b}",
        &wide,
    ] {
        let patch = OrganizationPatch {
            name: Some(name.to_owned()),
            time_zone: None,
            ..OrganizationPatch::default()
        };
        world.mainstay.update_organization(world.acme.id, patch).await.unwrap();
        world.mainstay.rename_member(world.acme.id, id, name).await.unwrap();
        for path in
            ["/settings/organization", "/settings/members", "/settings/profile", "/settings/keys"]
        {
            let page = owner.get(path).await;
            let html = page.page(200);
            assert!(!html.contains("<script>alert") && !html.contains("<img"), "{path}: {html}");
            for (at, _) in html.match_indices('\u{202e}') {
                let before = &html[..at];
                let isolated = before.ends_with("<bdi>a") || before.ends_with("\u{2068}a");
                let own_field = before.ends_with("value=\"a");
                assert!(isolated || own_field, "{path}: …{}", &before[before.len() - 40..]);
            }
        }
        let shell = owner.get("/settings/keys").await;
        if name == "\u{200b}" {
            assert!(shell.page(200).contains("<bdi>acme</bdi>"), "{}", shell.text);
        }
    }
}
