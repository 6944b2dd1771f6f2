//! Whose fault a refusal is: a mail server with scripted replies at every stage.

use mainstay::{
    email::{MailTrouble, Sender, SubscriptionUpdate},
    organization::CreateOrganization,
};
use mainstay_core::{
    email::{ConsentSource, EmailState, SubscriptionState},
    id::OrganizationId,
};
use mainstay_store::{ClientEmail, ClientPatch, EmailFilter, Scope};
use serde_json::json;

use super::{MailServer, sender};
use crate::support::World;

/// Codes of replies that are no acceptance, each with an enhanced code that goes with it.
const REPLIES: [(u16, &str); 14] = [
    (421, "4.3.2"),
    (450, "4.2.0"),
    (451, "4.7.1"),
    (452, "4.2.2"),
    (530, "5.7.0"),
    (550, "5.1.1"),
    (550, "5.2.1"),
    (550, "5.7.26"),
    (551, "5.1.6"),
    (552, "5.2.2"),
    (552, "5.3.4"),
    (553, "5.1.3"),
    (554, "5.4.5"),
    (554, "5.7.1"),
];
const CLIENTS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Every address is suppressed, and its email has failed.
    Suppressed,
    /// The queue stops after three; every email is kept.
    Stopped,
    /// Every email is tried, and kept.
    Kept,
}

fn expected(stage: &str, code: u16, enhanced: Option<&str>) -> Expected {
    match (stage, code, enhanced) {
        (_, ..500, _) | ("rcpt", _, Some("5.2.2")) => Expected::Kept,
        ("rcpt", _, Some("5.1.1" | "5.1.3" | "5.1.6" | "5.2.1")) => Expected::Suppressed,
        // A 550 without an enhanced code too, when it is what everybody gets.
        _ => Expected::Stopped,
    }
}

/// Asks clients of a new organization for their consent, which queues an email to each.
async fn organization(world: &World, slug: &str, clients: usize) -> OrganizationId {
    let create =
        CreateOrganization { slug: slug.to_owned(), name: None, time_zone: None, sample: false };
    let id = world.mainstay.create_organization(create).await.unwrap().organization.id;
    for number in 0..clients {
        let patch = ClientPatch {
            email: Some(format!("{slug}-{number}@example.com")),
            ..ClientPatch::default()
        };
        let client =
            world.mainstay.create_client(id, &format!("client-{number}"), patch).await.unwrap();
        let state = SubscriptionState::Pending;
        let asked = SubscriptionUpdate { state, address: None, source: ConsentSource::Api };
        world.mainstay.subscribe(id, &client, &asked).await.unwrap();
    }
    id
}

async fn emails(world: &World, of: OrganizationId) -> Vec<ClientEmail> {
    world.mainstay.emails(Scope::Service(of), &EmailFilter::default(), 1_000).await.unwrap()
}

async fn suppressed(world: &World, of: OrganizationId) -> usize {
    world.mainstay.suppressions(Scope::Service(of), 1_000).await.unwrap().len()
}

fn count(emails: &[ClientEmail], state: EmailState) -> usize {
    emails.iter().filter(|email| email.state == state).count()
}

async fn check(world: &World, server: &MailServer, sender: &mut Sender, stage: &str, reply: &str) {
    let code = reply[..3].parse().unwrap();
    let enhanced = reply.split(' ').nth(1).filter(|word| word.contains('.'));
    let slug = format!("{stage}-{}", reply.replace([' ', '.'], "-"));
    let ours = organization(world, &slug, CLIENTS).await;
    server.script(&json!({ stage: format!("{reply} scripted") }));
    sender.send_due().await.unwrap();
    let after = emails(world, ours).await;
    let tried = after.iter().filter(|email| email.attempts == 1).count();
    let queued = count(&after, EmailState::Queued);
    let stopped = match world.mainstay.mail_status().trouble(ours) {
        Some(MailTrouble::Refused(outage)) => {
            assert!(outage.reason.starts_with(reply), "{slug}: {outage:?}");
            true
        }
        None => false,
        other => panic!("{slug}: {other:?}"),
    };
    let seen = (suppressed(world, ours).await, tried, queued, stopped);
    let as_it_should = match expected(stage, code, enhanced) {
        Expected::Suppressed => (CLIENTS, CLIENTS, 0, false),
        Expected::Stopped => (0, 3, CLIENTS, true),
        Expected::Kept => (0, CLIENTS, CLIENTS, false),
    };
    assert_eq!(seen, as_it_should, "{slug}: suppressed, tried, queued, stopped");
    // A day of trials loses nothing, and nothing is sent.
    for _ in 0..6 {
        world.clock.advance_hours(4);
        sender.send_due().await.unwrap();
    }
    let after = emails(world, ours).await;
    assert_eq!(count(&after, EmailState::Queued), queued, "{slug}: {after:?}");
    // As soon as the server takes emails, all of them leave by themselves.
    server.script(&json!({}));
    // The longest wait after a passing refusal of a mailbox is a day, and up to a fifth more.
    world.clock.advance_hours(30);
    sender.send_due().await.unwrap();
    let after = emails(world, ours).await;
    assert_eq!(count(&after, EmailState::Sent), queued, "{slug}: {after:?}");
    assert_eq!(world.mainstay.mail_status().trouble(ours), None);
}

on_both_databases!(
    exactly_a_mailboxs_own_refusal_suppresses_it_and_nothing_else_is_lost,
    async |world| {
        let server = MailServer::start();
        let (mut sender, _stop) = sender(world, &server);
        for stage in ["mail", "rcpt", "data", "content"] {
            for (code, enhanced) in REPLIES {
                check(world, &server, &mut sender, stage, &format!("{code} {enhanced}")).await;
            }
            for code in [421, 450, 451, 452, 500, 503, 530, 550, 551, 552, 553, 554] {
                check(world, &server, &mut sender, stage, &code.to_string()).await;
            }
        }
    }
);

on_both_databases!(one_that_is_refused_without_a_reason_among_many_is_gone, async |world| {
    let server = MailServer::start();
    let (mut sender, _stop) = sender(world, &server);
    for (slug, clients, gone) in [("many", 21, 1), ("few", 20, 0)] {
        let ours = organization(world, slug, clients).await;
        let first = format!("{slug}-0@example.com");
        server.script(&json!({ "rcpt": { &first: "550 unknown" } }));
        sender.send_due().await.unwrap();
        assert_eq!(suppressed(world, ours).await, gone, "{slug}");
        let after = emails(world, ours).await;
        assert_eq!(count(&after, EmailState::Sent), clients - 1, "{slug}");
        assert_eq!(count(&after, EmailState::Failed), gone, "{slug}");
        assert_eq!(world.mainstay.mail_status().trouble(ours), None, "{slug}: one stops nothing");
    }
});

on_both_databases!(one_organizations_stop_is_not_anothers, async |world| {
    let server = MailServer::start();
    let (mut sender, _stop) = sender(world, &server);
    let refused = organization(world, "refused-one", CLIENTS).await;
    let script: serde_json::Map<String, serde_json::Value> = (0..CLIENTS)
        .map(|number| (format!("refused-one-{number}@example.com"), json!("550 5.7.1 no")))
        .collect();
    server.script(&json!({ "rcpt": script }));
    let taken = organization(world, "taken", CLIENTS).await;
    sender.send_due().await.unwrap();
    assert!(world.mainstay.mail_status().trouble(refused).is_some());
    assert_eq!(world.mainstay.mail_status().trouble(taken), None);
    assert_eq!(count(&emails(world, taken).await, EmailState::Sent), CLIENTS);
});
