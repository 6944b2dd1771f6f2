//! Warnings to members whose password somebody seems to guess.

use mainstay_store::Role;

use super::{MailServer, sender};
use crate::{
    support::World,
    web::browser::{Browser, email},
};

/// Tries wrong passwords, and waits until so many in all are counted: that is done aside, so that the
/// time to answer tells nothing.
async fn guess(world: &World, member: &Browser, times: usize, counted: usize) {
    let owner = email(&world.acme, Role::Owner);
    for _ in 0..times {
        Browser::new(world).sign_in(&owner, "not the password").await.page(422);
    }
    let counted = format!("{counted} wrong passwords were tried for your account");
    let mut page = member.get("/settings/profile").await;
    for _ in 0..1_000 {
        if page.text.contains(&counted) {
            return;
        }
        tokio::task::yield_now().await;
        page = member.get("/settings/profile").await;
    }
    panic!("{counted:?} is not in {}", page.text);
}

on_both_databases!(a_member_is_mailed_once_a_day_that_its_password_is_guessed, async |world| {
    let server = MailServer::start();
    let (mut sender, _stop) = sender(world, &server);
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    guess(world, &owner, 6, 6).await;
    sender.send_due().await.unwrap();
    let mails = server.mails();
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let mail = &mails[0];
    assert_eq!(mail.to, email(&world.acme, Role::Owner));
    assert_eq!(mail.header("subject"), "Failed sign-ins to your account at Studio of-acme");
    // The fifth is no slip any more.
    let told = "5 wrong passwords were tried for your account since";
    let page = format!("{}/settings/profile", world.url());
    for body in [&mail.text, &mail.html] {
        let body = body.split_whitespace().collect::<Vec<_>>().join(" ");
        for said in [told, "The latest came from 127.0.0.1.", "choose a new password", &page] {
            assert!(body.contains(said), "{said:?} is not in {body}");
        }
    }
    // The link opens the page, and lets nobody in.
    assert_eq!(mail.addresses(), [page.as_str()]);
    assert!(!mail.headers.contains_key("list-unsubscribe"));

    // Not again that day.
    guess(world, &owner, 3, 9).await;
    sender.send_due().await.unwrap();
    assert_eq!(server.mails().len(), 1);
    world.clock.advance_hours(24);
    guess(world, &owner, 1, 10).await;
    sender.send_due().await.unwrap();
    let mails = server.mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    assert!(mails[1].text.contains("10 wrong passwords"), "{}", mails[1].text);
});

on_both_databases!(a_member_that_confirms_is_not_warned_of_the_same_tries, async |world| {
    let server = MailServer::start();
    let (mut sender, _stop) = sender(world, &server);
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    guess(world, &owner, 5, 5).await;
    owner.post("/settings/profile/failures", &[]).await.leads_to();
    sender.send_due().await.unwrap();
    assert_eq!(server.mails().len(), 1);
    world.clock.advance_hours(24);
    // Fewer than five are the member's own slips again.
    let owner_address = email(&world.acme, Role::Owner);
    Browser::new(world).sign_in(&owner_address, "not the password").await.page(422);
    sender.send_due().await.unwrap();
    assert_eq!(server.mails().len(), 1);
});

#[tokio::test]
async fn without_a_mail_server_no_warning_waits_for_one() {
    let world = World::sqlite().await;
    let owner = Browser::member(&world, &world.acme, Role::Owner).await;
    guess(&world, &owner, 6, 6).await;
    let overview = world.mainstay.mail_overview(world.acme.id).await.unwrap();
    assert_eq!(overview.waiting, 0);
}
