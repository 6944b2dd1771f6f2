//! Notices: what is kept of alerts until it is told, and messages that are sent by one at a time.

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    alert::{AlertType, Change, Severity},
    email::{EmailContent, EmailState},
    id::{AlertId, ClientId, MemberId, OrganizationId, StaffEmailId, WebhookId},
    notification::{
        EndpointKind, Event, MessageState, Notification, NotificationSettings, NotificationType,
        PlaybookNotification, Route, SilenceNotification, TestNotification,
    },
};
use mainstay_store::{
    AlertChange, AlertNews, AttemptEnd, ClaimedMessage, NewMember, NewStaffEmail, NewWebhook,
    NewWebhookMessage, Role, Scope, SendEnd, Store, Tx, WebhookAttempt, WebhookMessage,
    WebhookPatch,
};

use crate::{
    alerts::{episode, open},
    fixtures::{at, client, day, fresh, now, organization},
};

pub(crate) fn new_webhook() -> NewWebhook {
    NewWebhook {
        id: fresh(),
        kind: EndpointKind::Webhook,
        name: "Ünïcode '\"\\".to_owned(),
        url: "https://example.com/hooks".to_owned(),
        secret: "whsec_1".to_owned(),
        route: Route { least_severity: Some(Severity::Warning), ..Route::default() },
        ignores_quiet_hours: false,
    }
}

pub(crate) fn news(alert: AlertId, change: Change, held: bool) -> AlertNews {
    AlertNews {
        alert,
        change,
        kind: AlertType::Inactivity,
        severity: Severity::Warning,
        message: format!("It {change}."),
        held,
        at: now(),
    }
}

pub(crate) fn message(webhook: WebhookId, alerts: &[AlertId]) -> NewWebhookMessage {
    let test =
        TestNotification { organization: "acme".to_owned(), endpoint: "Ünïcode".to_owned() };
    NewWebhookMessage {
        id: fresh(),
        webhook,
        notice: Notification { event: Event::WebhookTest(test), timestamp: now() },
        alerts: alerts.to_vec(),
        by_hand: false,
    }
}

pub(crate) fn attempt(error: Option<&str>) -> WebhookAttempt {
    WebhookAttempt {
        at: now(),
        duration_ms: 12,
        status: error.is_none().then_some(204),
        response: "Ünïcode".to_owned(),
        error: error.map(str::to_owned),
    }
}

pub(crate) fn ended(state: MessageState) -> AttemptEnd {
    AttemptEnd { state, reason: None, due_at: None }
}

pub(crate) fn digest(member: MemberId, of: &str) -> NewStaffEmail {
    NewStaffEmail {
        id: fresh(),
        member,
        day: day(of),
        told_until: at(of),
        subject: format!("Alerts of {of}"),
        content: EmailContent { heading: "Ünïcode".to_owned(), ..EmailContent::default() },
        due_at: now(),
    }
}

/// Tries to change what belongs to another organization.
pub(crate) async fn touch_notices_of_others(
    tx: &mut Tx,
    webhook: WebhookId,
    told: WebhookMessage,
    letter: StaffEmailId,
    member: MemberId,
) {
    assert!(!tx.update_webhook(webhook, &WebhookPatch::default()).await.unwrap());
    assert!(!tx.rotate_webhook_secret(webhook, "whsec_", now()).await.unwrap());
    assert!(!tx.disable_webhook(webhook, "mine", now()).await.unwrap());
    assert!(!tx.enable_webhook(webhook).await.unwrap());
    assert!(!tx.delete_webhook(webhook).await.unwrap());
    tx.set_webhook_failing(webhook, Some(now())).await.unwrap();
    assert!(tx.claim_webhook_messages(webhook, 9, now(), now()).await.unwrap().is_empty());
    assert!(!tx.resend_webhook_message(told.id, now()).await.unwrap());
    let claimed = ClaimedMessage { message: told, fence: 1 };
    assert!(!tx.extend_webhook_claim(&claimed, now(), "mine").await.unwrap());
    let end = ended(MessageState::Delivered);
    assert!(!tx.complete_webhook_attempt(&claimed, &attempt(None), &end, now()).await.unwrap());
    tx.delete_webhook_messages(at("2030-01-01")).await.unwrap();
    tx.claim_alert_news().await.unwrap();
    assert!(!tx.set_daily_digest(member, true).await.unwrap());
    assert!(!tx.claim_staff_email(letter, now()).await.unwrap());
    assert_eq!(tx.find_staff_email(letter).await.unwrap(), None);
    tx.expire_stuck_staff_emails(at("2030-01-01"), "lost").await.unwrap();
    tx.delete_staff_emails(at("2030-01-01")).await.unwrap();
}

fn later(minutes: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_mins(minutes)).unwrap()
}

async fn service(store: &Store, organization: OrganizationId) -> Tx {
    store.begin(Scope::Service(organization)).await.unwrap()
}

/// An organization with a client, an open alert of it and a webhook.
async fn with_webhook(store: &Store) -> (OrganizationId, ClientId, AlertId, WebhookId) {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let alert = episode(AlertType::Inactivity, Severity::Warning, "2026-05-20T10:00:00Z");
    open(store, ours, ada, &alert).await;
    let mut tx = service(store, ours).await;
    let new = new_webhook();
    tx.create_webhook(&new, now()).await.unwrap();
    tx.commit().await.unwrap();
    (ours, ada, alert.id, new.id)
}

async fn add_member(tx: &mut Tx, email: &str) -> MemberId {
    let member = NewMember {
        id: fresh(),
        email: email.to_owned(),
        name: "Grace".to_owned(),
        role: Role::Staff,
    };
    tx.create_member(&member, now()).await.unwrap();
    member.id
}

on_both_databases!(a_webhook_is_kept_changed_disabled_and_deleted, async |store| {
    let (ours, .., id) = with_webhook(store).await;
    let mut tx = service(store, ours).await;
    assert!(tx.has_webhook().await.unwrap());
    let kept = tx.find_webhook(id).await.unwrap().unwrap();
    assert_eq!((kept.name.as_str(), kept.secret.as_str()), ("Ünïcode '\"\\", "whsec_1"));
    assert_eq!(kept.route.least_severity, Some(Severity::Warning));
    assert_eq!((kept.disabled.clone(), kept.failing_since, kept.created_at), (None, None, now()));
    let patch = WebhookPatch {
        name: Some("Other".to_owned()),
        route: Some(Route::default()),
        ignores_quiet_hours: Some(true),
        ..WebhookPatch::default()
    };
    assert!(tx.update_webhook(id, &patch).await.unwrap());
    assert!(tx.rotate_webhook_secret(id, "whsec_2", later(60)).await.unwrap());
    assert!(tx.set_webhook_failing(id, Some(now())).await.is_ok());
    let changed = tx.find_webhook(id).await.unwrap().unwrap();
    assert_eq!((changed.name.as_str(), changed.url), ("Other", kept.url));
    assert_eq!((changed.route, changed.ignores_quiet_hours), (Route::default(), true));
    assert_eq!(changed.secret, "whsec_2");
    assert_eq!(changed.previous_secret, Some(("whsec_1".to_owned(), later(60))));
    assert_eq!(changed.failing_since, Some(now()));

    let waiting = message(id, &[]);
    tx.enqueue_webhook_messages(std::slice::from_ref(&waiting), now()).await.unwrap();
    assert!(tx.disable_webhook(id, "gone", later(1)).await.unwrap());
    assert!(!tx.has_webhook().await.unwrap());
    let given_up = tx.find_webhook_message(waiting.id).await.unwrap().unwrap();
    assert_eq!((given_up.state, given_up.ended_at), (MessageState::Failed, Some(later(1))));
    assert!(tx.enable_webhook(id).await.unwrap());
    let enabled = tx.list_webhooks().await.unwrap().remove(0);
    assert_eq!((enabled.disabled, enabled.failing_since), (None, None));
    assert!(tx.delete_webhook(id).await.unwrap());
    assert!(!tx.delete_webhook(id).await.unwrap() && !tx.enable_webhook(id).await.unwrap());
    assert_eq!(tx.find_webhook_message(waiting.id).await.unwrap(), None);
});

on_both_databases!(
    a_message_is_sent_by_one_and_again_by_another_when_that_one_is_gone,
    async |store| {
        let (ours, _, alert, id) = with_webhook(store).await;
        let mut tx = service(store, ours).await;
        let new = [message(id, &[alert, alert]), message(id, &[])];
        tx.enqueue_webhook_messages(&new, now()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.read(Scope::System).await.unwrap();
        assert!(tx.list_organizations_with_messages(now()).await.unwrap().contains(&ours));
        assert!(
            !tx.list_organizations_with_messages(at("2026-05-01")).await.unwrap().contains(&ours)
        );
        drop(tx);
        let mut tx = service(store, ours).await;
        assert_eq!(tx.list_due_webhooks(now()).await.unwrap(), [id]);
        let first = tx.claim_webhook_messages(id, 1, now(), later(1)).await.unwrap();
        let second = tx.claim_webhook_messages(id, 9, now(), later(1)).await.unwrap();
        assert_eq!((first.len(), second.len()), (1, 1));
        assert_ne!(first[0].message.id, second[0].message.id);
        assert_eq!(first[0].message.notice, new[0].notice);
        assert!(tx.claim_webhook_messages(id, 9, now(), later(1)).await.unwrap().is_empty());
        assert_eq!(tx.list_due_webhooks(now()).await.unwrap(), []);

        let again = tx.claim_webhook_messages(id, 1, later(2), later(3)).await.unwrap().remove(0);
        assert_eq!(again.message.id, first[0].message.id, "its claim has run out");
        let (lost, end) = (attempt(None), ended(MessageState::Delivered));
        assert!(!tx.complete_webhook_attempt(&first[0], &lost, &end, later(2)).await.unwrap());
        let retry = AttemptEnd {
            state: MessageState::Queued,
            reason: Some("it answered 500".to_owned()),
            due_at: Some(later(5)),
        };
        let failed = attempt(Some("it answered 500"));
        assert!(tx.complete_webhook_attempt(&again, &failed, &retry, later(2)).await.unwrap());
        assert!(tx.claim_webhook_messages(id, 1, later(2), later(3)).await.unwrap().len() == 1);
        let final_one = tx.claim_webhook_messages(id, 9, later(5), later(6)).await.unwrap();
        let final_one =
            final_one.into_iter().find(|one| one.message.id == again.message.id).unwrap();
        assert_eq!(final_one.message.attempts, 1);
        assert!(tx.complete_webhook_attempt(&final_one, &lost, &end, later(5)).await.unwrap());
        let delivered = tx.find_webhook_message(final_one.message.id).await.unwrap().unwrap();
        assert_eq!((delivered.state, delivered.attempts), (MessageState::Delivered, 2));
        assert_eq!(delivered.ended_at, Some(later(5)));
        let attempts = tx.list_webhook_attempts(final_one.message.id).await.unwrap();
        assert_eq!(attempts.len(), 3, "also that of the one who had lost it");
        assert_eq!(attempts.iter().filter(|one| **one == failed).count(), 1);
    }
);

on_both_databases!(messages_of_an_endpoint_are_put_off_but_never_brought_forward, async |store| {
    let (ours, _, alert, id) = with_webhook(store).await;
    let mut tx = service(store, ours).await;
    tx.enqueue_webhook_messages(&[message(id, &[alert])], now()).await.unwrap();
    tx.defer_webhook_messages(id, later(90)).await.unwrap();
    tx.defer_webhook_messages(id, later(59)).await.unwrap();
    assert_eq!(tx.list_due_webhooks(later(89)).await.unwrap(), []);
    assert_eq!(tx.list_due_webhooks(later(90)).await.unwrap(), [id]);
});

on_both_databases!(a_message_is_held_resent_listed_and_forgotten, async |store| {
    let (ours, _, alert, id) = with_webhook(store).await;
    let mut tx = service(store, ours).await;
    let new = message(id, &[alert]);
    tx.enqueue_webhook_messages(std::slice::from_ref(&new), now()).await.unwrap();
    let claimed = tx.claim_webhook_messages(id, 9, now(), later(1)).await.unwrap().remove(0);
    assert!(tx.extend_webhook_claim(&claimed, later(60), "quiet hours").await.unwrap());
    assert!(tx.claim_webhook_messages(id, 9, later(59), later(60)).await.unwrap().is_empty());
    let settings = NotificationSettings { digest_hour: 9, ..NotificationSettings::default() };
    tx.set_notification_settings(&settings, later(1)).await.unwrap();
    assert_eq!(tx.get_notification_settings().await.unwrap(), settings);
    let claimed = tx.claim_webhook_messages(id, 9, later(1), later(2)).await.unwrap().remove(0);
    let end = ended(MessageState::Delivered);
    tx.complete_webhook_attempt(&claimed, &attempt(None), &end, later(1)).await.unwrap();

    let told = tx.list_deliveries_of(&[alert, fresh()]).await.unwrap();
    assert_eq!(told.len(), 1);
    let told = &told[&alert][0];
    assert_eq!(
        (told.webhook.as_str(), told.notice_type),
        ("Ünïcode '\"\\", NotificationType::WebhookTest)
    );
    assert_eq!((told.state, told.at), (MessageState::Delivered, later(1)));
    assert!(tx.resend_webhook_message(new.id, later(2)).await.unwrap());
    assert!(!tx.resend_webhook_message(fresh(), later(2)).await.unwrap());
    let resent = tx.find_webhook_message(new.id).await.unwrap().unwrap();
    assert_eq!((resent.state, resent.attempts, resent.by_hand), (MessageState::Queued, 0, true));
    let listed = tx.list_webhook_messages(id, None, 9).await.unwrap();
    assert_eq!(listed, [resent]);
    assert_eq!(tx.list_webhook_messages(id, Some(new.id), 9).await.unwrap(), []);
    assert_eq!(tx.delete_webhook_messages(later(99)).await.unwrap(), 0, "it has not ended");
    let claimed = tx.claim_webhook_messages(id, 9, later(2), later(3)).await.unwrap().remove(0);
    tx.complete_webhook_attempt(&claimed, &attempt(None), &end, later(2)).await.unwrap();
    assert_eq!(tx.delete_webhook_messages(later(99)).await.unwrap(), 1);
    assert_eq!(tx.list_deliveries_of(&[alert]).await.unwrap().len(), 0);
});

on_both_databases!(news_is_taken_once_and_held_until_its_alert_is_released, async |store| {
    let (ours, ada, alert, _) = with_webhook(store).await;
    let other = episode(AlertType::ScoreDrop, Severity::Critical, "2026-05-20T10:00:00Z");
    open(store, ours, ada, &other).await;
    let mut tx = service(store, ours).await;
    let grace = add_member(&mut tx, "grace@example.com").await;
    tx.set_client_owner(ada, Some(grace)).await.unwrap();
    let all = [
        news(alert, Change::Opened, true),
        news(alert, Change::Worsened, true),
        news(other.id, Change::Opened, false),
    ];
    tx.insert_alert_news(&all).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read(Scope::System).await.unwrap();
    assert!(tx.list_organizations_with_old_news(later(1)).await.unwrap().contains(&ours));
    assert!(!tx.list_organizations_with_old_news(now()).await.unwrap().contains(&ours));
    drop(tx);
    let mut tx = service(store, ours).await;
    let taken = tx.claim_alert_news().await.unwrap();
    assert_eq!(taken.len(), 1);
    let (one, words) = &taken[0];
    assert_eq!((one.alert, one.client, one.owner), (other.id, ada, Some(grace)));
    assert_eq!((one.change, words.as_str()), (Change::Opened, "It opened."));
    assert_eq!(tx.claim_alert_news().await.unwrap(), []);
    tx.commit().await.unwrap();
    // Nobody opens a transaction each second for what is held.
    let mut tx = store.read(Scope::System).await.unwrap();
    assert!(!tx.list_organizations_with_old_news(later(1)).await.unwrap().contains(&ours));
    drop(tx);
    let mut tx = service(store, ours).await;
    tx.release_alert(ada, alert, now()).await.unwrap();
    assert_eq!(tx.claim_alert_news().await.unwrap().len(), 2);
    assert_eq!(tx.claim_alert_news().await.unwrap(), []);
    let unseen = [news(alert, Change::Opened, true), news(other.id, Change::Opened, false)];
    tx.insert_alert_news(&unseen).await.unwrap();
    tx.delete_held_news(alert).await.unwrap();
    tx.delete_held_news(other.id).await.unwrap();
    tx.release_alert(ada, alert, now()).await.unwrap();
    assert_eq!(tx.claim_alert_news().await.unwrap().len(), 1, "what is not held stays");

    let noticed = tx.list_noticed_alerts(&[alert, fresh()]).await.unwrap();
    assert_eq!(noticed.len(), 1);
    assert_eq!((noticed[0].id, noticed[0].client_id.as_str()), (alert, "ada"));
    assert_eq!(noticed[0].owner, Some((grace, "Grace".to_owned())));
    assert_eq!(noticed[0].figures["hours"], 50);
});

on_both_databases!(what_became_of_alerts_in_a_time_is_known, async |store| {
    let (ours, ada, alert, _) = with_webhook(store).await;
    let mut tx = service(store, ours).await;
    let mut kept = tx.find_alert(alert).await.unwrap().unwrap().episode;
    kept.status = mainstay_core::alert::AlertStatus::Dismissed;
    let dismissed = AlertChange { action: "dismiss", member: None, note: "Known." };
    tx.update_alert(&kept, Some(&dismissed), at("2026-05-21")).await.unwrap();
    let held = episode(AlertType::ScoreDrop, Severity::Critical, "2026-05-20T10:00:00Z");
    tx.open_alert(ada, &held, "It opened.", true).await.unwrap();
    let changes = |found: Vec<(mainstay_core::notification::News, String)>| {
        found.into_iter().map(|(news, words)| (news.change, words)).collect::<Vec<_>>()
    };
    let all = tx.list_alert_changes(at("2026-05-20"), at("2026-05-22")).await.unwrap();
    let opened = (Change::Opened, kept.message.clone());
    assert_eq!(changes(all), [opened.clone(), (Change::Resolved, kept.message.clone())]);
    let first = tx.list_alert_changes(at("2026-05-20"), at("2026-05-21")).await.unwrap();
    assert_eq!(changes(first), [opened]);
});

on_both_databases!(a_member_gets_one_digest_a_day_sent_by_one, async |store| {
    let ours = organization(store, "UTC").await;
    let mut tx = service(store, ours).await;
    let grace = add_member(&mut tx, "grace@example.com").await;
    assert_eq!(tx.list_digest_members().await.unwrap(), []);
    assert!(tx.set_daily_digest(grace, true).await.unwrap());
    assert!(!tx.set_daily_digest(fresh(), true).await.unwrap());
    assert_eq!(tx.list_digest_members().await.unwrap(), [grace]);
    assert_eq!(tx.find_staff_notified_until().await.unwrap(), None);
    let (first, next) = (digest(grace, "2026-05-20"), digest(grace, "2026-05-21"));
    let again = NewStaffEmail { id: fresh(), ..first.clone() };
    assert_eq!(tx.enqueue_staff_emails(&[first.clone(), next], now()).await.unwrap(), 2);
    assert_eq!(tx.enqueue_staff_emails(&[again], now()).await.unwrap(), 0);
    assert_eq!(tx.find_staff_notified_until().await.unwrap(), Some(at("2026-05-21")));
    assert_eq!(tx.list_due_staff_emails(at("2026-05-01"), 9).await.unwrap(), []);
    let due: Vec<StaffEmailId> = tx.list_due_staff_emails(now(), 9).await.unwrap();
    assert_eq!(due.len(), 2);
    assert!(tx.claim_staff_email(first.id, now()).await.unwrap());
    assert!(!tx.claim_staff_email(first.id, now()).await.unwrap());
    let sent = SendEnd { state: EmailState::Sent, reason: None, due_at: None, tried: true };
    tx.complete_staff_email(first.id, &sent, now()).await.unwrap();
    let kept = tx.find_staff_email(first.id).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.attempts, kept.wanted), (EmailState::Sent, 1, true));
    assert_eq!((kept.address.as_str(), kept.day), ("grace@example.com", day("2026-05-20")));
    assert_eq!(kept.content.heading, "Ünïcode");
    assert!(
        tx.claim_staff_email(due.into_iter().find(|id| *id != first.id).unwrap(), now())
            .await
            .unwrap()
    );
    assert_eq!(tx.expire_stuck_staff_emails(later(1), "lost").await.unwrap(), 1);
    tx.commit().await.unwrap();
    let mut tx = store.read(Scope::System).await.unwrap();
    assert!(!tx.list_organizations_with_emails(later(9)).await.unwrap().contains(&ours));
    drop(tx);
    let mut tx = service(store, ours).await;
    assert_eq!(tx.delete_staff_emails(later(1)).await.unwrap(), 2);
});

/// A playbook's message about a client.
fn about(webhook: WebhookId, client: &str) -> NewWebhookMessage {
    let event = Event::PlaybookCalled(PlaybookNotification {
        organization: "acme".to_owned(),
        playbook: "Call".to_owned(),
        client_id: client.to_owned(),
        client_name: None,
        reason: "It fell.".to_owned(),
        alert: None,
    });
    NewWebhookMessage { notice: Notification { event, timestamp: now() }, ..message(webhook, &[]) }
}

on_both_databases!(what_was_told_of_a_client_goes_with_it, async |store| {
    let (ours, ada, alert, id) = with_webhook(store).await;
    let bob = client(store, ours, "bob", "2026-05-01").await.id;
    let kept = episode(AlertType::Inactivity, Severity::Warning, "2026-05-20T10:00:00Z");
    open(store, ours, bob, &kept).await;
    let mut tx = service(store, ours).await;
    let messages = [message(id, &[alert]), message(id, &[kept.id]), message(id, &[alert, kept.id])];
    tx.enqueue_webhook_messages(&messages, now()).await.unwrap();
    // One that no alert leads to.
    tx.enqueue_webhook_messages(&[about(id, "ada")], now()).await.unwrap();
    tx.insert_alert_news(&[news(alert, Change::Opened, false)]).await.unwrap();
    tx.delete_client(ada, now()).await.unwrap();
    let left = tx.list_webhook_messages(id, None, 9).await.unwrap();
    assert_eq!(left.iter().map(|one| one.id).collect::<Vec<_>>(), [messages[1].id]);
    assert_eq!(tx.claim_alert_news().await.unwrap(), []);
});

on_both_databases!(a_notice_reads_as_it_was_written, async |store| {
    let (ours, .., id) = with_webhook(store).await;
    let silence = SilenceNotification {
        organization: "acme".to_owned(),
        last_event_at: now(),
        clients: None,
        write_key: None,
    };
    let notice = Notification { event: Event::DataSilent(silence), timestamp: now() };
    let new = NewWebhookMessage { notice: notice.clone(), by_hand: true, ..message(id, &[]) };
    let mut tx = service(store, ours).await;
    tx.enqueue_webhook_messages(std::slice::from_ref(&new), now()).await.unwrap();
    let read = tx.find_webhook_message(new.id).await.unwrap().unwrap();
    assert_eq!((read.notice, read.by_hand), (notice, true));
});
