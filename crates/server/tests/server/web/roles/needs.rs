//! What a row needs to be there, made fresh for each case.

use jiff::{SignedDuration, ToSpan as _};
use mainstay::{
    email::{LinkPurpose, SubscriptionUpdate, link_token},
    job::Worker,
    site::Site,
};
use mainstay_core::{
    email::{ConsentSource, EmailType, SubscriptionState},
    engagement::EventType,
    job::Job,
};
use mainstay_store::{
    AlertFilter, ClientPatch, EmailFilter, EventName, KeyKind, Role, Scope, TaskStatus,
};
use serde_json::json;

use super::{ADA, table::Row};
use crate::{
    isolation::{fresh_merge, fresh_playbook, fresh_staff_task, fresh_webhook},
    support::World,
    web::browser::path_of,
};

/// What stands for the names in braces.
pub(super) struct Needs {
    replaced: Vec<(&'static str, String)>,
}

impl Needs {
    pub(super) async fn of(world: &World, row: &Row, number: usize) -> Self {
        let mainstay = &world.mainstay;
        let acme = world.acme.id;
        let scope = Scope::Service(acme);
        let needs = |name: &str| {
            row.path.contains(name) || row.form.iter().any(|(_, value)| *value == name)
        };
        let mut replaced = vec![
            (
                "{name}",
                if row.method == "GET" { "app.css".to_owned() } else { format!("name-{number}") },
            ),
            ("{email}", format!("new{number}@example.com")),
        ];
        let new_member = async || {
            let email = format!("member{number}@of-acme.example");
            mainstay.add_member(acme, &email, None, Role::Staff).await.unwrap().id
        };
        if needs("{member_id}") {
            replaced.push(("{member_id}", new_member().await.to_string()));
        }
        if needs("{webhook_id}") {
            let (webhook, message) = fresh_webhook(world).await;
            replaced.extend([("{webhook_id}", webhook), ("{message_id}", message)]);
        }
        if needs("{secret}") {
            let site = Site::local("127.0.0.1:1".parse().unwrap());
            let link = mainstay.reset_link(acme, new_member().await, &site).await.unwrap();
            let secret = path_of(&link.url).rsplit_once('/').unwrap().1.to_owned();
            replaced.push(("{secret}", secret));
        }
        if needs("{merge_id}") {
            replaced.push(("{merge_id}", fresh_merge(world).await));
        }
        if needs("{key_id}") {
            let key = mainstay.create_key(acme, KeyKind::Write, None).await.unwrap();
            replaced.push(("{key_id}", key.id.to_string()));
        }
        if row.path == "/settings/event-names/remove" {
            let name = EventName { name: format!("name-{number}"), event_type: EventType::Login };
            mainstay.set_event_names(acme, &[name]).await.unwrap();
        }
        if needs("{client_token}") {
            replaced.push(("{client_token}", world.client_token(ADA)));
        }
        if needs("{site}") {
            let site = mainstay.add_allowed_site(acme, "https://gone.example.com").await.unwrap();
            replaced.push(("{site}", site));
        }
        if needs("{insight_id}") {
            let ada = mainstay.client(scope, ADA).await.unwrap();
            let insights = mainstay.client_insights(scope, ada.id, true).await.unwrap();
            replaced.push(("{insight_id}", insights[0].id.to_string()));
        }
        if needs("{task_id}") {
            let task = mainstay.create_task(acme, ADA, "Try", TaskStatus::Pending).await.unwrap();
            replaced.push(("{task_id}", task.id.to_string()));
        }
        if needs("{note_id}") {
            let ada = mainstay.client(scope, ADA).await.unwrap();
            let staff = world.acme.staff_id;
            let note = mainstay.add_note(scope, ada.id, staff, "Called.").await.unwrap();
            replaced.push(("{note_id}", note.id.to_string()));
        }
        replaced.push(("{job}", "hourly".to_owned()));
        if needs("{address}") {
            let address = format!("gone{number}@example.com");
            let mut tx = mainstay.store().begin(scope).await.unwrap();
            tx.suppress_address(&address, "550", mainstay.now()).await.unwrap();
            tx.commit().await.unwrap();
            replaced.push(("{address}", address));
        }
        if needs("{playbook_id}") {
            replaced.push(("{playbook_id}", fresh_playbook(world).await));
        }
        if needs("{staff_task_id}") {
            replaced.push(("{staff_task_id}", fresh_staff_task(world, ADA).await));
        }
        if needs("{email_id}") || needs("{token}") {
            let (kind, purpose) = match row.path {
                path if path.contains("/confirm/") => {
                    (EmailType::SubscriptionRequest, LinkPurpose::Confirm)
                }
                path if path.contains("/open/") => (EmailType::WeeklyInsights, LinkPurpose::Open),
                path if path.contains("/unsubscribe/") => {
                    (EmailType::WeeklyInsights, LinkPurpose::Unsubscribe)
                }
                _ => (EmailType::WeeklyInsights, LinkPurpose::Click),
            };
            let (id, token) = email_of(world, kind, purpose, number).await;
            replaced.extend([("{email_id}", id), ("{token}", token)]);
        }
        let mut client_id = ADA.to_owned();
        if needs("{alert_id}") {
            client_id = format!("quiet-{number}-of-acme");
            replaced.push(("{alert_id}", alert_of(world, &client_id).await));
        }
        replaced.push(("{client_id}", client_id));
        Self { replaced }
    }

    pub(super) fn fill(&self, text: &str) -> String {
        self.replaced.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

/// An open alert of a client that fell silent.
async fn alert_of(world: &World, client_id: &str) -> String {
    let mainstay = &world.mainstay;
    let at = mainstay.now().checked_sub(120.hours()).unwrap();
    let event = json!({"client_id": client_id, "event": "login", "timestamp": at});
    world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
    mainstay.check_client_health(world.acme.id, client_id, mainstay.now()).await.unwrap();
    let scope = Scope::Service(world.acme.id);
    let client = mainstay.client(scope, client_id).await.unwrap();
    let filter = AlertFilter { client: Some(client.id), ..AlertFilter::default() };
    mainstay.alerts(scope, &filter, 1).await.unwrap()[0].episode.id.to_string()
}

/// An email to a client of its own: its id and the token of one of its links.
pub(crate) async fn email_of(
    world: &World,
    kind: EmailType,
    purpose: LinkPurpose,
    number: usize,
) -> (String, String) {
    let (mainstay, acme) = (&world.mainstay, world.acme.id);
    let email = Some(format!("mailed{number}@example.com"));
    let patch = ClientPatch { email, ..ClientPatch::default() };
    let client = mainstay.create_client(acme, &format!("mailed-{number}"), patch).await.unwrap();
    let state = match kind {
        EmailType::SubscriptionRequest => SubscriptionState::Pending,
        _ => SubscriptionState::Subscribed,
    };
    let asked = SubscriptionUpdate { state, address: None, source: ConsentSource::Api };
    mainstay.subscribe(acme, &client, &asked).await.unwrap();
    world.tick();
    mainstay.start_job(acme, Job::Weekly).await.unwrap();
    let (worker, _stop) = Worker::new(SignedDuration::from_secs(60));
    while mainstay.run_next_job(acme, &worker).await.unwrap() {}
    let scope = Scope::Service(acme);
    let filter =
        EmailFilter { client: Some(client.id), kind: Some(kind), ..EmailFilter::default() };
    let id = mainstay.emails(scope, &filter, 1).await.unwrap()[0].id;
    let whole = mainstay.email(scope, id).await.unwrap().whole;
    (id.to_string(), link_token(purpose, &whole, &world.acme.token_secret))
}
