//! Links for a new password: by email, to whoever owns the address, and in no log.

use std::{fmt::Write as _, sync::Mutex};

use mainstay_store::Role;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::{MailServer, sender, server::Mail};
use crate::{
    support::World,
    web::browser::{Browser, PASSWORD, email, member_id, path_of},
};

const NEW: &str = "quite another password";

/// Asks for a new password by the form, and waits until that is worked on.
async fn ask(world: &World, address: &str) {
    let page = Browser::new(world).post("/sign-in/reset", &[("email", address)]).await;
    page.page(200);
    // What the form sets off is not waited for there.
    world.mainstay.request_reset(address).await.unwrap();
}

fn link_of(mail: &Mail) -> String {
    path_of(&mail.addresses()[0])
}

on_both_databases!(a_link_for_a_new_password_is_mailed_and_ends_no_other, async |world| {
    let server = MailServer::start();
    let owner = email(&world.acme, Role::Owner);
    let (mut sender, _stop) = sender(world, &server);
    for _ in 0..3 {
        world.mainstay.request_reset(&owner).await.unwrap();
        sender.send_due().await.unwrap();
    }
    let mails = server.mails();
    assert_eq!(mails.len(), 3);
    for mail in &mails {
        assert_eq!(mail.to, owner);
        assert!(!mail.headers.contains_key("list-unsubscribe"));
        assert_eq!(mail.addresses().len(), 1, "{:?}", mail.addresses());
        assert!(Browser::new(world).get(&link_of(mail)).await.page(200).contains("password"));
    }
    // The first one still works; the others end with it.
    let browser = Browser::new(world);
    browser.post(&link_of(&mails[0]), &[("password", NEW)]).await.leads_to();
    for mail in &mails[1..] {
        Browser::new(world).get(&link_of(mail)).await.page(404);
    }
    Browser::new(world).get(&link_of(&mails[0])).await.page(410);
    assert_eq!(Browser::new(world).sign_in(&owner, NEW).await.leads_to(), "/portfolio");
});

on_both_databases!(asking_for_links_fills_no_mailbox_and_ends_no_link, async |world| {
    let server = MailServer::start();
    let owner = email(&world.acme, Role::Owner);
    let (mut sender, _stop) = sender(world, &server);
    for _ in 0..40 {
        world.mainstay.request_reset(&owner).await.unwrap();
        sender.send_due().await.unwrap();
        world.clock.advance_hours(1);
    }
    let within_a_day = server.mails().len();
    assert!(within_a_day <= 10, "{within_a_day} mails in 40 hours");
    let newest = server.mails().pop().unwrap();
    Browser::new(world).get(&link_of(&newest)).await.page(200);
    world.mainstay.request_reset("nobody@example.com").await.unwrap();
    world.mainstay.request_reset("no address").await.unwrap();
    sender.send_due().await.unwrap();
    assert!(server.mails().iter().all(|mail| mail.to == owner));
});

on_both_databases!(a_new_password_ends_the_links_that_are_out, async |world| {
    let server = MailServer::start();
    let (mut sender, _stop) = sender(world, &server);
    let staff = email(&world.acme, Role::Staff);
    let id = member_id(world, &world.acme, Role::Staff).await;
    world.mainstay.request_reset(&staff).await.unwrap();
    sender.send_due().await.unwrap();
    let link = link_of(&server.mails()[0]);
    Browser::new(world).get(&link).await.page(200);
    world.mainstay.set_password(world.acme.id, id, PASSWORD).await.unwrap();
    Browser::new(world).get(&link).await.page(404);
});

#[tokio::test]
async fn without_a_mail_server_the_page_says_how_to_get_a_link() {
    let world = World::sqlite().await;
    let owner = email(&world.acme, Role::Owner);
    let browser = Browser::new(&world);
    for page in [
        browser.get("/sign-in/reset").await,
        browser.post("/sign-in/reset", &[("email", &owner)]).await,
        browser.post("/sign-in/reset", &[("email", "nobody@example.com")]).await,
    ] {
        let page = page.page(200);
        assert!(page.contains("<code>mainstay member reset</code>"), "{page}");
    }
    // Nothing waits for the day on which there is one.
    let overview = world.mainstay.mail_overview(world.acme.id).await.unwrap();
    assert_eq!(overview.waiting, 0);
}

/// Everything that is logged, at any level.
#[derive(Default)]
struct Log(Mutex<String>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        attributes.record(&mut Line(&mut self.0.lock().unwrap()));
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line(&mut self.0.lock().unwrap()));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn neither_link_nor_address_stands_in_the_log() {
    let log = std::sync::Arc::new(Log::default());
    // On this thread alone: other tests log too.
    let logged = tracing::subscriber::set_default(std::sync::Arc::clone(&log));
    // While there is but one subscriber, what another thread logs first is cached as heard by nobody.
    let _second = tracing::Dispatch::new(Log::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let link = runtime.block_on(async {
        let world = World::sqlite().await;
        let server = MailServer::start();
        let owner = email(&world.acme, Role::Owner);
        ask(&world, &owner).await;
        let (mut sender, _stop) = sender(&world, &server);
        ask(&world, &owner).await;
        sender.send_due().await.unwrap();
        link_of(&server.mails()[0])
    });
    drop(logged);
    let text = log.0.lock().unwrap().clone();
    assert!(text.contains("password reset requested"), "the test hears nothing: {text}");
    let secret = link.rsplit('/').next().unwrap();
    for hidden in [secret, "owner@", "/sign-in/link/"] {
        assert!(!text.contains(hidden), "{hidden} stands in the log");
    }
}
