//! No organization sees or touches another one's rows: on SQLite, where only the queries say so, as
//! on PostgreSQL.

use mainstay_core::{
    alert::{AlertType, Change, Severity},
    email::{EmailSettings, EmailState, EmailType, SubscriptionState, TransactionalKind},
    engagement::{EventType, ProfileChange, ProfilePatch, Windows},
    id::{AlertId, ClientId, MemberId, OrganizationId, TransactionalEmailId},
    insight::{InsightStatus, Rule},
    notification::{MessageState, NotificationSettings},
    score::{FeedbackKind, Previous, Score, ScoreInputs, ScoreModel},
    time::{local_day, time_zone},
};
use mainstay_store::{
    ActivityRange, Addressee, AlertChange, AlertFilter, Client, ClientChunk, ClientKey, ClientNote,
    ClientPatch, EmailEvent, EmailFilter, EventName, Feedback, IdBlock, KeyHour, KeyKind,
    LaunchKitTimes, Lease, LinkKind, Membership, NewApiKey, NewEmail, NewMember, NewSignInLink,
    OnboardingTask, OrganizationPatch, PersonEvent, RelatedKind, Role, RollUp, RunEnd, RunProgress,
    Scope, SendEnd, StaffTaskFilter, Store, TaskStatus, TriggerSource, Tx,
};

use crate::{
    alerts::{episode, stopped},
    emails::{email, subscribed},
    fixtures::{
        ZONE_STEP, at, day, event, facts_in, found, fresh, now, organization, send, send_to_roll_up,
    },
    harness::Database,
    insights::insight,
    jobs::new_run,
    merging::merge,
    organizations::everything,
    playbooks::{fall, playbook, run},
    portfolio::refusal,
    staff_tasks::staff_task,
    transactional_emails::transactional,
    webhooks::{attempt, digest, ended, message, new_webhook, news, touch_notices_of_others},
};

/// An organization with clients ada and bob and something in every table.
pub(crate) async fn filled(store: &Database, zone: &str) -> OrganizationId {
    let ours = organization(store, zone).await;
    let login = |client: &str, id: &str, when: &str| {
        event(client, &format!("{client}-{id}"), EventType::Login, when)
    };
    for name in ["ada", "bob"] {
        let mut made =
            event(name, &format!("{name}-made"), EventType::ContentGenerated, "2026-04-01");
        made.page_path = Some(format!("/{name}"));
        let mut moved = login(name, "moved", "2026-04-02T00:30:00Z");
        moved.client_timestamp = Some(at("2026-04-01T23:30:00Z"));
        let mut untimed = login(name, "untimed", "2026-05-18T09:30:00Z");
        untimed.client_timestamp = None;
        let timed = login(name, "1", "2026-05-18T09:00:00Z");
        send(store, ours, &[made, moved, untimed, timed]).await;
    }
    fill_merges(store, ours).await;
    let clients = [found(store, ours, "ada").await, found(store, ours, "bob").await];
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let owner = NewMember {
        id: fresh(),
        email: "owner@example.com".to_owned(),
        name: "Owner".to_owned(),
        role: Role::Owner,
    };
    tx.create_member(&owner, now()).await.unwrap();
    create_keys(&mut tx, ours, owner.id).await;
    tx.set_password(owner.id, "$argon2id$", now()).await.unwrap();
    let hash = std::array::from_fn(|byte| ours.uuid().as_bytes()[byte % 16]);
    tx.create_session(hash, owner.id, now()).await.unwrap();
    let link =
        NewSignInLink { hash, kind: LinkKind::Reset, member: Some(owner.id), expires_at: now() };
    tx.create_sign_in_link(&link, now()).await.unwrap();
    tx.add_allowed_site("https://app.example.com", now()).await.unwrap();
    let made = EventName { name: "Made".to_owned(), event_type: EventType::ContentGenerated };
    tx.set_event_names(&[made]).await.unwrap();
    tx.fold_activity(day("2026-04-30")).await.unwrap();
    for client in &clients {
        fill_client(&mut tx, client.id).await;
        let note = ClientNote {
            id: fresh(),
            member: owner.id,
            text: "Likes calls.".to_owned(),
            created_at: now(),
        };
        tx.create_note(client.id, &note).await.unwrap();
        tx.set_client_owner(client.id, Some(owner.id)).await.unwrap();
        let user_id = format!("user-of-{}", client.external_id);
        fill_people(&mut tx, client.id, &user_id, zone).await;
        let alias = format!("alias-of-{}", client.external_id);
        crate::merging::merge_in(&mut tx, &alias, &client.external_id).await;
    }
    store_scores(&mut tx, "2026-05-19T12:00:00Z").await;
    tx.record_refusals(&[refusal("client_id")]).await.unwrap();
    tx.begin_data_silence(&stopped(at("2026-05-18T09:30:00Z"))).await.unwrap();
    fill_keys(&mut tx, &clients).await;
    tx.commit().await.unwrap();
    // Late events make the scores of both stale, and are still to be gathered.
    let late = [login("ada", "late", "2026-05-17"), login("bob", "late", "2026-05-17")];
    send_to_roll_up(store, ours, &late, RollUp::Later).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    for client in &clients {
        let mail = email(client.id, "2026-05-17", *client.id.uuid().as_bytes());
        tx.enqueue_emails(std::slice::from_ref(&mail), now()).await.unwrap();
        let opened = EmailEvent { link: None, at: now(), suspected: false };
        tx.record_email_event(mail.id, &opened).await.unwrap();
        tx.set_subscription(client.id, &subscribed(SubscriptionState::Subscribed)).await.unwrap();
    }
    for client in &clients {
        let link = transactional(Addressee::Client(client.id));
        tx.enqueue_transactional_emails(&[link], now()).await.unwrap();
    }
    tx.set_email_settings(&EmailSettings::default(), now()).await.unwrap();
    tx.suppress_address("gone@example.com", "550 no such user", now()).await.unwrap();
    let webhook = new_webhook();
    tx.create_webhook(&webhook, now()).await.unwrap();
    let alerts = tx.list_alerts(&AlertFilter::default(), 9).await.unwrap();
    for alert in &alerts {
        let new = message(webhook.id, &[alert.episode.id]);
        tx.enqueue_webhook_messages(&[new], now()).await.unwrap();
        tx.insert_alert_news(&[news(alert.episode.id, Change::Opened, false)]).await.unwrap();
    }
    let due = at("2026-05-01");
    for claimed in tx.claim_webhook_messages(webhook.id, 9, now(), due).await.unwrap() {
        let end = ended(MessageState::Queued);
        tx.complete_webhook_attempt(&claimed, &attempt(None), &end, now()).await.unwrap();
    }
    tx.set_notification_settings(&NotificationSettings::default(), now()).await.unwrap();
    let member = tx.list_members().await.unwrap()[0].id;
    tx.enqueue_staff_emails(&[digest(member, "2026-05-19")], now()).await.unwrap();
    tx.block_client_id(&["gone".to_owned()], IdBlock::Forever, now()).await.unwrap();
    tx.set_job_schedule("daily", "0 5 * * *", now()).await.unwrap();
    tx.create_job_run(&new_run("daily", "2026-05-20"), now()).await.unwrap();
    fill_playbooks(&mut tx, &clients).await;
    fill_access(&mut tx, ours, member).await;
    tx.commit().await.unwrap();
    ours
}

async fn create_keys(tx: &mut Tx, ours: OrganizationId, owner: MemberId) {
    for (kind, member) in [(KeyKind::Secret, None), (KeyKind::Member, Some(owner))] {
        let hash = std::array::from_fn(|byte| ours.uuid().as_bytes()[byte % 16] ^ kind as u8);
        let (id, prefix, expires_at) = (fresh(), "msk_1".to_owned(), None);
        let key = NewApiKey { id, kind, hash, prefix, member, source: None, expires_at };
        tx.create_api_key(&key, now()).await.unwrap();
    }
}

async fn fill_keys(tx: &mut Tx, clients: &[Client]) {
    let key = tx.list_api_keys().await.unwrap()[0].id;
    tx.add_key_activity(&[KeyHour { key, hour: 494_000, events: 3 }]).await.unwrap();
    let seen: Vec<ClientKey> = clients
        .iter()
        .map(|client| ClientKey { client_id: client.external_id.clone(), key })
        .collect();
    tx.add_client_keys(day("2026-05-18"), &seen).await.unwrap();
    tx.begin_key_silence(key, at("2026-05-18T10:00:00Z"), now()).await.unwrap();
}

/// A member who is no owner, with all that lets it in; and what stands against somebody's coming in.
async fn fill_access(tx: &mut Tx, ours: OrganizationId, owner: MemberId) {
    let (email, name) = ("staff@example.com".to_owned(), "Staff".to_owned());
    let staff = NewMember { id: fresh(), email, name, role: Role::Staff };
    tx.create_member(&staff, now()).await.unwrap();
    let hash = std::array::from_fn(|byte| ours.uuid().as_bytes()[byte % 16] ^ 0x40);
    let (id, kind, prefix) = (fresh(), KeyKind::Member, "mmt_1".to_owned());
    let member = Some(staff.id);
    let key = NewApiKey { id, kind, hash, prefix, member, source: None, expires_at: Some(now()) };
    tx.create_api_key(&key, now()).await.unwrap();
    tx.create_session(hash, staff.id, now()).await.unwrap();
    let link = NewSignInLink { hash, kind: LinkKind::Invitation, member, expires_at: now() };
    tx.create_sign_in_link(&link, now()).await.unwrap();
    tx.record_sign_in_failure(owner, "192.0.2.1", now()).await.unwrap();
    tx.lock_out_client("ada", true, now()).await.unwrap();
}

async fn fill_merges(store: &Store, ours: OrganizationId) {
    for name in ["ada", "bob"] {
        // A lead that did nothing but what the client did too.
        let lead = format!("lead-of-{name}");
        let same = event(&lead, &format!("{name}-1"), EventType::Login, "2026-05-18T09:00:00Z");
        send(store, ours, &[same]).await;
        merge(store, ours, &lead, name).await;
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let anonymous = format!("anonymous-{name}");
        tx.join_anonymous_ids(&[(&anonymous, name)], now()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn fill_playbooks(tx: &mut Tx, clients: &[Client]) {
    let kept = playbook("Call");
    tx.save_playbook(&kept).await.unwrap();
    for client in clients {
        let fell = TriggerSource::Band { day: day("2026-05-19"), change: fall() };
        tx.create_playbook_runs(&[run(&kept, client.id, fell)]).await.unwrap();
        tx.create_staff_tasks(&[staff_task(client, "2026-05-21")]).await.unwrap();
    }
}

/// A person of a client who did something, and another whose event waits.
async fn fill_people(tx: &mut Tx, client: ClientId, person: &str, zone: &str) {
    let zone = time_zone(zone).unwrap();
    let membership = Membership { person, since: now(), message_id: "m", client };
    tx.insert_memberships(&[membership], &zone, now()).await.unwrap();
    let done = PersonEvent {
        person,
        occurred_at: at("2026-05-18T09:00:00Z"),
        message_id: "done",
        client_timestamp: at("2026-05-18T09:00:00Z"),
        client,
        by_membership: true,
    };
    tx.insert_person_events(&[done]).await.unwrap();
    let told = ProfileChange {
        client_id: person.to_owned(),
        at: now(),
        message_id: "m".to_owned(),
        patch: ProfilePatch::default(),
    };
    tx.apply_related_profiles(RelatedKind::Person, &[&told]).await.unwrap();
    let waits = event(&format!("{person}-to-come"), "w", EventType::Login, "2026-05-18");
    tx.insert_waiting_events(&[&waits]).await.unwrap();
}

async fn fill_client(tx: &mut Tx, client: ClientId) {
    let begun = at("2026-05-10T08:00:00Z");
    let task = OnboardingTask {
        id: fresh(),
        title: "Connect your calendar".to_owned(),
        status: TaskStatus::InProgress,
        created_at: begun,
        updated_at: begun,
    };
    tx.create_task(client, &task).await.unwrap();
    let viewed = LaunchKitTimes { viewed_at: Some(begun), completed_at: None };
    tx.record_launch_kit(client, viewed).await.unwrap();
    let feedback = Feedback {
        id: fresh(),
        kind: FeedbackKind::Stars,
        rating: 4,
        normalised: 75,
        comment: Some("Fine.".to_owned()),
        given_at: begun,
        self_told: false,
    };
    tx.create_feedback(client, &feedback).await.unwrap();
    tx.save_insights(day("2026-05-17"), &[insight(client, Rule::NoActivity)], now()).await.unwrap();
    let alert = episode(AlertType::Inactivity, Severity::Warning, "2026-05-20T10:00:00Z");
    tx.open_alert(client, &alert, "It opened.", false).await.unwrap();
}

/// Computes and stores everybody's scores at an instant, as the server does.
pub(crate) async fn store_scores(tx: &mut Tx, as_of: &str) {
    let organization = tx.get_organization().await.unwrap();
    let zone = time_zone(&organization.time_zone).unwrap();
    tx.advance_scored_until(at(as_of)).await.unwrap();
    let windows = Windows::at(at(as_of), zone.clone());
    let scores: Vec<_> = facts_in(tx, at(as_of), false)
        .await
        .iter()
        .map(|facts| {
            let inputs = ScoreInputs::new(
                windows.as_of,
                &organization.time_zone,
                1,
                &facts.activity,
                facts.tasks,
                facts.launch_kit,
                facts.ratings,
            );
            let previous = facts
                .previous
                .as_ref()
                .map(|earlier| Previous { as_of: earlier.as_of, overall: earlier.overall });
            (facts.client, Score::compute(inputs, &ScoreModel::standard(), previous))
        })
        .collect();
    tx.save_scores(local_day(at(as_of), &zone), &scores, now()).await.unwrap();
}

on_both_databases!(a_filled_organization_has_rows_in_every_table, async |store| {
    let ours = filled(store, "Europe/Berlin").await;
    for (table, rows) in everything(store, ours).await {
        assert!(!rows.is_empty(), "{table} is empty");
    }
    crate::verify::assert_honest(store, ours).await;
});

on_both_databases!(nothing_of_another_organization_is_seen, async |store| {
    let (ours, theirs) = (filled(store, "UTC").await, organization(store, "UTC").await);
    let ada = found(store, ours, "ada").await;
    let (task, insight, alert) = ids_of(store, ours, ada.id).await;
    let chunk = ClientChunk::of(&ada);
    let (first, last) = (day("2026-01-01"), day("2026-12-31"));
    let always = (at("2000-01-01"), at("2030-01-01"));
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let member = tx.list_members().await.unwrap()[0].id;
    let webhook = tx.list_webhooks().await.unwrap()[0].id;
    let told = tx.list_webhook_messages(webhook, None, 1).await.unwrap()[0].id;
    drop(tx);

    let mut tx = store.read(Scope::Service(theirs)).await.unwrap();
    assert_eq!(tx.get_organization().await.unwrap().id, theirs);
    assert_eq!(tx.list_members().await.unwrap(), []);
    assert_eq!(tx.list_api_keys().await.unwrap(), []);
    assert_eq!(tx.list_event_names().await.unwrap(), []);
    assert_eq!(tx.list_custom_names(first, 100).await.unwrap(), []);
    assert_eq!(tx.list_member_access(now()).await.unwrap(), []);
    assert_eq!(tx.find_password_hash(member).await.unwrap(), None);
    assert_eq!(tx.list_allowed_sites().await.unwrap(), Vec::<String>::new());
    assert_eq!(tx.find_client("ada").await.unwrap(), None);
    assert_eq!(tx.list_clients(None, 100).await.unwrap(), []);
    assert_eq!(tx.count_clients().await.unwrap(), 0);
    assert!(tx.client_chunk(None, now(), 100).await.unwrap().clients.is_empty());
    assert_eq!(tx.list_client_events(ada.id, always, None, 100).await.unwrap(), []);
    assert_eq!(tx.list_day_activity(ada.id, first, last).await.unwrap(), []);
    assert!(tx.count_events_by_type(&chunk, first, last).await.unwrap().is_empty());
    assert_eq!(tx.list_tasks(ada.id).await.unwrap(), []);
    assert_eq!(tx.list_notes(ada.id, 100).await.unwrap(), []);
    assert_eq!(tx.list_client_emails(ada.id, 100).await.unwrap(), []);
    assert_eq!(tx.list_emails(&EmailFilter::default(), 100).await.unwrap(), []);
    assert_eq!(tx.count_emails().await.unwrap(), []);
    assert_eq!(tx.get_email_settings().await.unwrap(), EmailSettings::default());
    assert_eq!(tx.find_subscription(ada.id).await.unwrap(), None);
    assert_eq!(tx.list_consents(ada.id, 100).await.unwrap(), []);
    assert_eq!(tx.count_subscribers().await.unwrap(), 0);
    assert_eq!(tx.list_subscribers_after(None, now(), 100).await.unwrap(), []);
    assert!(tx.list_subscribers_of(&chunk).await.unwrap().is_empty());
    assert_eq!(tx.list_suppressions(100).await.unwrap(), []);
    assert_eq!(tx.list_due_emails(at("2030-01-01"), 100).await.unwrap(), []);
    assert_eq!(tx.list_emails_since(ada.id, at("2020-01-01"), fresh()).await.unwrap(), []);
    assert!(tx.list_latest_weekly_periods(&chunk, day("2020-01-01")).await.unwrap().is_empty());
    assert!(tx.list_unanswered_weekly_since(&chunk).await.unwrap().is_empty());
    assert_eq!(tx.list_due_transactional_emails(at("2030-01-01"), 100).await.unwrap(), []);
    let kind = TransactionalKind::SignInLink;
    assert_eq!(tx.find_latest_transactional_email(kind).await.unwrap(), None);
    assert_eq!(tx.count_waiting_emails().await.unwrap(), 0);
    let to = Addressee::Client(ada.id);
    assert_eq!(tx.count_transactional_emails(kind, to, at("2020-01-01")).await.unwrap(), 0);
    assert!(tx.list_period_insights(&chunk, day("2026-05-17")).await.unwrap().is_empty());
    assert_eq!(tx.list_webhooks().await.unwrap(), []);
    assert!(!tx.has_webhook().await.unwrap());
    assert_eq!(tx.find_webhook(webhook).await.unwrap(), None);
    assert_eq!(tx.list_due_webhooks(at("2030-01-01")).await.unwrap(), []);
    assert_eq!(tx.list_webhook_messages(webhook, None, 100).await.unwrap(), []);
    assert_eq!(tx.find_webhook_message(told).await.unwrap(), None);
    assert_eq!(tx.list_webhook_attempts(told).await.unwrap(), []);
    assert!(tx.list_deliveries_of(&[alert]).await.unwrap().is_empty());
    assert_eq!(tx.list_noticed_alerts(&[alert]).await.unwrap(), []);
    assert_eq!(tx.list_alert_changes(always.0, always.1).await.unwrap(), []);
    assert_eq!(tx.get_notification_settings().await.unwrap(), NotificationSettings::default());
    assert_eq!(tx.list_digest_members().await.unwrap(), []);
    assert_eq!(tx.find_staff_notified_until().await.unwrap(), None);
    assert_eq!(tx.list_due_staff_emails(at("2030-01-01"), 100).await.unwrap(), []);
    assert_eq!(tx.list_job_schedules().await.unwrap(), []);
    assert_eq!(tx.list_job_runs(None, 100).await.unwrap(), []);
    assert_eq!(tx.count_open_alerts().await.unwrap(), []);
    no_playbooks_are_seen(&mut tx, &ada, alert).await;
    assert!(tx.list_open_tasks(&chunk, now()).await.unwrap().is_empty());
    assert_eq!(tx.get_launch_kit(ada.id).await.unwrap(), LaunchKitTimes::default());
    assert_eq!(tx.list_feedback(ada.id, 100).await.unwrap(), []);
    assert_eq!(tx.list_client_scores(ada.id, first, last).await.unwrap(), []);
    assert_eq!(tx.list_score_days().await.unwrap(), []);
    assert_eq!(tx.list_scores_of_day(day("2026-05-19"), None, 100).await.unwrap(), []);
    assert_eq!(tx.list_stale_clients(None, 100).await.unwrap(), []);
    assert_eq!(tx.list_client_insights(ada.id, now(), true).await.unwrap(), []);
    assert_eq!(tx.find_insight(insight).await.unwrap(), None);
    assert_eq!(tx.list_alerts(&AlertFilter::default(), 100).await.unwrap(), []);
    assert_eq!(tx.find_alert(alert).await.unwrap(), None);
    assert_eq!(tx.list_alert_actions(alert).await.unwrap(), []);
    assert!(tx.list_live_episodes(&chunk).await.unwrap().is_empty());
    assert_eq!(tx.find_event_days().await.unwrap(), None);
    assert_eq!(tx.find_days_to_verify().await.unwrap(), None);
    let zone = time_zone("UTC").unwrap();
    assert_eq!(tx.verify_day(day("2026-05-18"), &zone).await.unwrap(), (Vec::new(), 0));
    assert_eq!(tx.verify_totals().await.unwrap(), (Vec::new(), 0));
    for detailed in [false, true] {
        let range = ActivityRange::new(Windows::at(now(), zone.clone()), None, detailed);
        let facts =
            tx.list_client_facts(&chunk, &range, (1, &ScoreModel::standard())).await.unwrap();
        assert_eq!(facts[0].activity, mainstay_core::engagement::Activity::default());
        assert_eq!((facts[0].tasks.total, facts[0].ratings), (0, (0, 0)));
        assert_eq!(facts[0].previous, None);
    }
    // And what there is to see is there for its own organization.
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_tasks(ada.id).await.unwrap()[0].id, task);
    assert!(tx.find_alert(alert).await.unwrap().is_some());
});

async fn no_playbooks_are_seen(tx: &mut Tx, ada: &Client, alert: AlertId) {
    assert_eq!(tx.list_playbooks().await.unwrap(), []);
    assert_eq!(tx.list_client_playbook_runs(ada.id, 100).await.unwrap(), []);
    assert!(tx.list_playbook_runs_of(&[alert]).await.unwrap().is_empty());
    assert!(tx.list_waiting_playbook_runs(&ClientChunk::of(ada)).await.unwrap().is_empty());
    assert!(
        tx.list_unrecovered_alerts(&ClientChunk::of(ada), at("2000-01-01"))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        tx.list_unrecovered_falls(&ClientChunk::of(ada), at("2000-01-01"))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(tx.list_alert_tallies(at("2000-01-01"), at("2030-01-01")).await.unwrap(), []);
    assert!(tx.list_playbook_tallies(at("2000-01-01"), at("2030-01-01")).await.unwrap().is_empty());
    assert_eq!(tx.list_staff_tasks(&StaffTaskFilter::default(), 100).await.unwrap(), []);
    assert!(tx.list_staff_tasks_of(&[alert]).await.unwrap().is_empty());
    assert_eq!(tx.count_due_staff_tasks(None, day("2026-12-31")).await.unwrap(), 0);
    assert!(tx.list_owners_of(&[ada.id]).await.unwrap().is_empty());
    assert!(
        tx.list_latest_scores(&ClientChunk::of(ada), (day("2026-01-01"), day("2026-12-31")))
            .await
            .unwrap()
            .is_empty()
    );
}

/// Tries to touch another organization's transactional email, and a client's request for consent.
async fn touch_transactional_emails(tx: &mut Tx, id: TransactionalEmailId, ada: ClientId) {
    let end = SendEnd { state: EmailState::Sent, reason: None, due_at: None, tried: true };
    assert!(!tx.claim_transactional_email(id, now()).await.unwrap());
    tx.complete_transactional_email(id, &end, now()).await.unwrap();
    tx.requeue_stuck_transactional_emails(at("2030-01-01")).await.unwrap();
    tx.delete_transactional_emails(at("2030-01-01")).await.unwrap();
    tx.make_emails_due(at("2030-01-01")).await.unwrap();
    let request =
        NewEmail { kind: EmailType::SubscriptionRequest, ..email(ada, "2026-05-17", [3; 16]) };
    assert!(!tx.replace_subscription_request(&request, now()).await.unwrap());
}

on_both_databases!(nothing_of_another_organization_is_touched, async |store| {
    let (ours, theirs) = (filled(store, "UTC").await, filled(store, "UTC").await);
    let before = everything(store, ours).await;
    let ada = found(store, ours, "ada").await;
    let (task, insight, alert) = ids_of(store, ours, ada.id).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let member = tx.list_members().await.unwrap()[0].id;
    let key = tx.list_api_keys().await.unwrap()[0].id;
    let note = tx.list_notes(ada.id, 1).await.unwrap().remove(0);
    let alert = tx.find_alert(alert).await.unwrap().unwrap();
    let mail = tx.list_client_emails(ada.id, 1).await.unwrap()[0].id;
    let run = tx.list_job_runs(None, 1).await.unwrap()[0].id;
    let playbook = tx.list_playbooks().await.unwrap().remove(0);
    let started = tx.list_client_playbook_runs(ada.id, 1).await.unwrap().remove(0).id;
    let todo = tx.list_staff_tasks(&StaffTaskFilter::default(), 1).await.unwrap().remove(0);
    let webhook = tx.list_webhooks().await.unwrap()[0].id;
    let told = tx.list_webhook_messages(webhook, None, 1).await.unwrap().remove(0);
    let letter = tx.list_due_staff_emails(at("2030-01-01"), 1).await.unwrap()[0];
    let letter_to_client = tx.list_due_transactional_emails(at("2030-01-01"), 1).await.unwrap()[0];
    let since = at("2020-01-01");
    tx.rollback().await.unwrap();

    let mut tx = store.begin(Scope::Service(theirs)).await.unwrap();
    let patch = OrganizationPatch {
        name: Some("Mine now".to_owned()),
        time_zone: None,
        ..OrganizationPatch::default()
    };
    tx.update_organization(&patch).await.unwrap();
    assert!(!tx.delete_member(member).await.unwrap());
    assert!(!tx.set_member_role(member, Role::Staff).await.unwrap());
    assert!(!tx.set_member_name(member, "Mine").await.unwrap());
    let hash = std::array::from_fn(|byte| ours.uuid().as_bytes()[byte % 16]);
    tx.touch_session(hash, at("2030-01-01")).await.unwrap();
    tx.confirm_session(hash, at("2030-01-01")).await.unwrap();
    tx.delete_session(hash).await.unwrap();
    assert_eq!(tx.delete_sessions_of(member, None).await.unwrap(), 0);
    assert!(!tx.use_sign_in_link(hash, since).await.unwrap());
    assert_eq!(tx.delete_sign_in_links_of(member, LinkKind::Reset).await.unwrap(), 0);
    assert!(!tx.revoke_api_key(key, now()).await.unwrap());
    assert!(tx.delete_event_name("Made").await.unwrap(), "they have one of that name themselves");
    assert!(tx.update_client(ada.id, &ClientPatch::default(), now()).await.is_err());
    tx.rollback().await.unwrap();

    let mut tx = store.begin(Scope::Service(theirs)).await.unwrap();
    assert!(!tx.claim_email(mail, now()).await.unwrap());
    let end = SendEnd { state: EmailState::Sent, reason: None, due_at: None, tried: true };
    tx.complete_email(mail, &end, now()).await.unwrap();
    tx.expire_stuck_emails(at("2030-01-01"), "lost").await.unwrap();
    touch_transactional_emails(&mut tx, letter_to_client, ada.id).await;
    tx.defer_webhook_messages(webhook, at("2031-01-01")).await.unwrap();
    assert!(tx.unsuppress_address("gone@example.com").await.unwrap(), "it is their own");
    let lease = Lease { organization: theirs, run, fence: 0 };
    let nothing = RunProgress::default();
    assert!(tx.hold_lease(lease, 30).await.is_err());
    assert!(tx.renew_lease(lease, now(), &nothing).await.is_err());
    assert!(tx.finish_job_run(lease, &RunEnd::Succeeded, &nothing, now()).await.is_err());
    tx.delete_job_runs(at("2030-01-01")).await.unwrap();
    assert!(!tx.delete_playbook(playbook.id).await.unwrap());
    assert!(!tx.start_waiting_run(started, now()).await.unwrap());
    tx.delete_waiting_run(started).await.unwrap();
    tx.set_action_outcomes(started, &[]).await.unwrap();
    tx.set_run_recovered(started, now()).await.unwrap();
    tx.set_alert_recovered(alert.episode.id, now()).await.unwrap();
    assert!(!tx.update_staff_task(&todo).await.unwrap());
    assert!(!tx.delete_staff_task(todo.id).await.unwrap());
    touch_notices_of_others(&mut tx, webhook, told, letter, member).await;
    let touched = tx.update_task(ada.id, task, None, Some(TaskStatus::Deleted), now()).await;
    assert_eq!(touched.unwrap(), None);
    let (from, to) = (InsightStatus::Unread, InsightStatus::Dismissed);
    assert!(!tx.set_insight_status(insight, from, to).await.unwrap());
    tx.delete_expired_insights(at("2030-01-01")).await.unwrap();
    assert!(!tx.delete_note(ada.id, note.id, note.member).await.unwrap());
    tx.set_client_owner(ada.id, None).await.unwrap();
    tx.update_alert(&alert.episode, None, now()).await.unwrap();
    assert!(tx.claim_stale(&[ada.id]).await.unwrap().is_empty());
    assert!(!tx.is_stale(ada.id).await.unwrap());
    tx.gather_activity().await.unwrap();
    tx.fold_activity(day("2026-05-10")).await.unwrap();
    tx.begin_zone_change(now()).await.unwrap();
    while tx.run_zone_step(ZONE_STEP).await.unwrap() {}
    tx.advance_scored_until(at("2026-05-30")).await.unwrap();
    tx.advance_health_checked_until(at("2026-05-30")).await.unwrap();
    tx.publish_score_model(&ScoreModel::standard(), now()).await.unwrap();
    tx.delete_client(ada.id, now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(everything(store, ours).await, before);

    // What would hang on to another organization's rows is refused.
    let change = AlertChange { action: "resolve", member: None, note: "" };
    let mut tx = store.begin(Scope::Service(theirs)).await.unwrap();
    assert!(tx.update_alert(&alert.episode, Some(&change), now()).await.is_err());
    tx.rollback().await.unwrap();
    let mut tx = store.begin(Scope::Service(theirs)).await.unwrap();
    let kit = LaunchKitTimes { viewed_at: Some(now()), completed_at: None };
    assert!(tx.record_launch_kit(ada.id, kit).await.is_err());
    tx.rollback().await.unwrap();
    assert_eq!(everything(store, ours).await, before);
});

/// A client's one task, insight and alert.
async fn ids_of(
    store: &Store,
    organization: OrganizationId,
    client: ClientId,
) -> (mainstay_core::id::TaskId, mainstay_core::id::InsightId, AlertId) {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    let filter = AlertFilter { client: Some(client), ..AlertFilter::default() };
    (
        tx.list_tasks(client).await.unwrap()[0].id,
        tx.list_client_insights(client, now(), true).await.unwrap()[0].id,
        tx.list_alerts(&filter, 1).await.unwrap()[0].episode.id,
    )
}

on_both_databases!(two_organizations_may_know_the_same_client_and_message, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    let login = event("ada", "m1", EventType::Login, "2026-05-18T09:00:00Z");
    let mut clients: Vec<Client> = Vec::new();
    for organization in [ours, theirs] {
        assert_eq!(
            send(store, organization, std::slice::from_ref(&login)).await,
            [mainstay_store::Outcome::Stored]
        );
        clients.push(found(store, organization, "ada").await);
    }
    assert_ne!(clients[0].id, clients[1].id);
});
