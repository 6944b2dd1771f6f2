//! The outbox: a mail of a kind once a client and period, sent by one, and what is known of it after.

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    email::{ConsentSource, EmailContent, EmailSettings, EmailState, EmailType, SubscriptionState},
    id::{ClientId, EmailId, OrganizationId},
    insight::Rule,
};
use mainstay_store::{
    ClientChunk, EmailEvent, EmailFilter, EmailToken, NewEmail, Scope, SendEnd, Store,
    Subscription, Tx, new_id,
};

use crate::{
    fixtures::{at, client, day, everybody, found, fresh, now, organization},
    insights::insight,
};

pub(crate) fn email(client: ClientId, period: &str, token: EmailToken) -> NewEmail {
    NewEmail {
        id: new_id(at(period)),
        client,
        kind: EmailType::WeeklyInsights,
        period: day(period),
        subject: format!("Week to {period}"),
        content: EmailContent { heading: "Ünïcode '\"\\".to_owned(), ..EmailContent::default() },
        body: Some(vec![0, 0xff, 1]),
        address: "ada@example.com".to_owned(),
        token,
        state: EmailState::Queued,
        reason: None,
        due_at: now(),
    }
}

pub(crate) fn subscribed(state: SubscriptionState) -> Subscription {
    Subscription {
        state,
        address: "ada@example.com".to_owned(),
        source: ConsentSource::ClientPage,
        changed_at: now(),
    }
}

fn end(state: EmailState) -> SendEnd {
    SendEnd { state, reason: None, due_at: None, tried: true }
}

fn later(minutes: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_mins(minutes)).unwrap()
}

async fn service(store: &Store, organization: OrganizationId) -> Tx {
    store.begin(Scope::Service(organization)).await.unwrap()
}

/// A client with one queued mail.
async fn with_email(store: &Store) -> (OrganizationId, ClientId, EmailId) {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let mut tx = service(store, ours).await;
    let new = email(ada, "2026-05-16", *fresh::<uuid::Uuid>().as_bytes());
    tx.enqueue_emails(std::slice::from_ref(&new), now()).await.unwrap();
    tx.commit().await.unwrap();
    (ours, ada, new.id)
}

on_both_databases!(a_client_gets_one_mail_of_a_kind_a_period, async |store| {
    let (ours, ada, _) = with_email(store).await;
    let mut tx = service(store, ours).await;
    let same = email(ada, "2026-05-16", [1; 16]);
    let badge = NewEmail { kind: EmailType::AchievementBadge, id: fresh(), ..same.clone() };
    let next = email(ada, "2026-05-23", [2; 16]);
    assert_eq!(tx.enqueue_emails(&[same, badge, next], now()).await.unwrap(), 2);
    let listed = tx.list_client_emails(ada, 10).await.unwrap();
    assert_eq!(listed.len(), 3);
    let newest: Vec<&str> = listed.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(newest.iter().filter(|subject| **subject == "Week to 2026-05-16").count(), 2);
    assert_eq!(tx.count_emails().await.unwrap(), [(EmailState::Queued, 3)]);
    let badges = EmailFilter { kind: Some(EmailType::AchievementBadge), ..EmailFilter::default() };
    assert_eq!(tx.list_emails(&badges, 10).await.unwrap().len(), 1);
    let sent = EmailFilter { state: Some(EmailState::Sent), ..EmailFilter::default() };
    assert_eq!(tx.list_emails(&sent, 10).await.unwrap(), []);
    let all = tx.list_emails(&EmailFilter::default(), 10).await.unwrap();
    let rest = EmailFilter { after: Some(all[0].id), ..EmailFilter::default() };
    assert_eq!(tx.list_emails(&rest, 10).await.unwrap(), all[1..]);
    let written =
        tx.list_last_email_times(EmailType::WeeklyInsights, at("2026-05-01")).await.unwrap();
    assert_eq!(written.get(&ada), Some(&now()));
    assert!(
        tx.list_last_email_times(EmailType::MomentumNudge, at("2026-05-01"))
            .await
            .unwrap()
            .is_empty()
    );
});

on_both_databases!(a_mail_is_taken_by_one, async |store| {
    let (ours, ada, id) = with_email(store).await;
    let mut tx = store.read(Scope::System).await.unwrap();
    assert!(tx.list_organizations_with_emails(now()).await.unwrap().contains(&ours));
    drop(tx);
    let mut tx = service(store, ours).await;
    assert_eq!(tx.list_due_emails(at("2026-05-01"), 10).await.unwrap(), []);
    assert_eq!(tx.list_due_emails(now(), 10).await.unwrap(), [id]);
    assert!(tx.claim_email(id, now()).await.unwrap());
    assert!(!tx.claim_email(id, now()).await.unwrap());
    assert_eq!(tx.list_due_emails(now(), 10).await.unwrap(), []);
    let again = SendEnd {
        state: EmailState::Queued,
        reason: Some("450 later".to_owned()),
        due_at: Some(later(5)),
        tried: true,
    };
    tx.complete_email(id, &again, now()).await.unwrap();
    assert_eq!(tx.list_due_emails(later(4), 10).await.unwrap(), []);
    assert!(tx.claim_email(id, later(5)).await.unwrap());
    tx.complete_email(id, &end(EmailState::Sent), later(5)).await.unwrap();
    // Whoever comes late with another story is not heard.
    tx.complete_email(id, &end(EmailState::Failed), later(6)).await.unwrap();
    let whole = tx.find_email(id).await.unwrap().unwrap();
    assert_eq!((whole.organization, whole.client), (ours, ada));
    assert_eq!(whole.content.heading, "Ünïcode '\"\\");
    assert_eq!((whole.email.state, whole.email.attempts), (EmailState::Sent, 2));
    assert_eq!((whole.email.sent_at, whole.email.reason), (Some(later(5)), None));
    let since = tx.list_emails_since(ada, now(), fresh()).await.unwrap();
    assert_eq!(since, [(EmailType::WeeklyInsights, later(5))]);
    assert_eq!(tx.list_emails_since(ada, later(6), fresh()).await.unwrap(), []);
    assert_eq!(tx.list_emails_since(ada, now(), id).await.unwrap(), []);
});

on_both_databases!(
    what_was_made_of_a_mail_is_kept_until_it_is_sent_or_would_be_another,
    async |store| {
        let (ours, ada, first) = with_email(store).await;
        let mut tx = service(store, ours).await;
        let next = email(ada, "2026-05-23", [2; 16]);
        let body = next.body.clone();
        let second = next.id;
        tx.enqueue_emails(&[next], now()).await.unwrap();
        let again = SendEnd { due_at: Some(now()), ..end(EmailState::Queued) };
        assert!(tx.claim_email(first, now()).await.unwrap());
        tx.complete_email(first, &again, now()).await.unwrap();
        let named =
            EmailSettings { from_name: Some("Studio".to_owned()), ..EmailSettings::default() };
        tx.set_email_settings(&named, now()).await.unwrap();
        for id in [first, second] {
            assert_eq!(tx.find_email(id).await.unwrap().unwrap().body, body);
        }
        assert!(tx.claim_email(first, now()).await.unwrap());
        tx.complete_email(first, &end(EmailState::Sent), now()).await.unwrap();
        assert_eq!(tx.find_email(first).await.unwrap().unwrap().body, None);
        assert_eq!(tx.find_email(second).await.unwrap().unwrap().body, body);
        let moved = EmailSettings { postal_address: Some("1 Road".to_owned()), ..named };
        tx.set_email_settings(&moved, now()).await.unwrap();
        assert_eq!(tx.find_email(second).await.unwrap().unwrap().body, None);
    }
);

on_both_databases!(a_mail_whose_sender_is_gone_is_given_up, async |store| {
    let (ours, _, id) = with_email(store).await;
    let mut tx = service(store, ours).await;
    assert!(tx.claim_email(id, now()).await.unwrap());
    assert_eq!(tx.expire_stuck_emails(now(), "gone").await.unwrap(), 0);
    assert_eq!(tx.expire_stuck_emails(later(1), "gone").await.unwrap(), 1);
    let lost = tx.find_email(id).await.unwrap().unwrap();
    assert_eq!(lost.body, None);
    let lost = lost.email;
    assert_eq!((lost.state, lost.reason.as_deref()), (EmailState::Unknown, Some("gone")));
    assert!(!tx.claim_email(id, later(2)).await.unwrap(), "it is never sent again");
});

on_both_databases!(opens_and_clicks_are_kept_and_those_of_people_counted, async |store| {
    let (ours, _, id) = with_email(store).await;
    let mut tx = service(store, ours).await;
    let event = |link, minutes, suspected| EmailEvent { link, at: later(minutes), suspected };
    tx.record_email_event(id, &event(None, 1, true)).await.unwrap();
    let mail = tx.find_email(id).await.unwrap().unwrap().email;
    assert_eq!((mail.opened_at, mail.clicked_at), (None, None));
    tx.record_email_event(id, &event(Some(0), 2, false)).await.unwrap();
    tx.record_email_event(id, &event(None, 3, false)).await.unwrap();
    let mail = tx.find_email(id).await.unwrap().unwrap();
    assert_eq!((mail.email.opened_at, mail.email.clicked_at), (Some(later(2)), Some(later(2))));
    let events = tx.list_email_events(id).await.unwrap();
    assert_eq!(events, [event(None, 1, true), event(Some(0), 2, false), event(None, 3, false)]);
    for _ in 0..150 {
        tx.record_email_event(id, &event(None, 4, true)).await.unwrap();
    }
    assert_eq!(tx.list_email_events(id).await.unwrap().len(), 100);
});

on_both_databases!(a_mail_that_is_being_sent_counts_as_sent, async |store| {
    let (ours, ada, id) = with_email(store).await;
    let mut tx = service(store, ours).await;
    assert_eq!(tx.list_emails_since(ada, at("2026-01-01"), fresh()).await.unwrap(), []);
    assert!(tx.claim_email(id, later(3)).await.unwrap());
    let since = tx.list_emails_since(ada, now(), fresh()).await.unwrap();
    assert_eq!(since, [(EmailType::WeeklyInsights, later(3))]);
});

/// A weekly mail of a client that was sent at an instant.
async fn sent_weekly(tx: &mut Tx, client: ClientId, period: &str, sent_at: Timestamp) {
    let new = email(client, period, *fresh::<uuid::Uuid>().as_bytes());
    tx.enqueue_emails(std::slice::from_ref(&new), now()).await.unwrap();
    assert!(tx.claim_email(new.id, now()).await.unwrap());
    tx.complete_email(new.id, &end(EmailState::Sent), sent_at).await.unwrap();
}

on_both_databases!(the_latest_weekly_mails_of_each_client_are_known, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let bob = client(store, ours, "bob", "2026-05-01").await.id;
    let mut tx = service(store, ours).await;
    for client in [ada, bob] {
        tx.set_subscription(client, &subscribed(SubscriptionState::Subscribed)).await.unwrap();
    }
    for (period, minutes) in
        [("2026-04-18", 1), ("2026-04-25", 2), ("2026-05-02", 3), ("2026-05-09", 4)]
    {
        sent_weekly(&mut tx, ada, period, later(minutes)).await;
    }
    for (period, minutes) in [("2026-04-25", 2), ("2026-05-02", 3), ("2026-05-09", 4)] {
        sent_weekly(&mut tx, bob, period, later(minutes)).await;
    }
    // What is not sent does not count.
    let suppressed =
        NewEmail { state: EmailState::Suppressed, ..email(bob, "2026-05-16", [7; 16]) };
    tx.enqueue_emails(&[suppressed], now()).await.unwrap();
    tx.commit().await.unwrap();
    let chunk = everybody(store, ours, now()).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let latest = tx.list_latest_weekly_periods(&chunk, day("2026-05-01")).await.unwrap();
    assert_eq!(latest, [(ada, day("2026-05-09")), (bob, day("2026-05-09"))].into());
    let since = day("2026-05-09");
    assert!(tx.list_latest_weekly_periods(&chunk, since).await.unwrap().is_empty());
    assert_eq!(tx.list_unanswered_weekly_since(&chunk).await.unwrap(), [(ada, later(1))].into());
});

on_both_databases!(a_days_request_gives_way_to_a_later_one, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let mut tx = service(store, ours).await;
    let request = |address: &str, token| NewEmail {
        kind: EmailType::SubscriptionRequest,
        address: address.to_owned(),
        ..email(ada, "2026-05-20", token)
    };
    let first = request("typo@example.com", [1; 16]);
    let second = request("ada@example.com", [2; 16]);
    assert!(!tx.replace_subscription_request(&second, now()).await.unwrap());
    tx.enqueue_emails(std::slice::from_ref(&first), now()).await.unwrap();
    assert!(!tx.replace_subscription_request(&first, now()).await.unwrap(), "it waits already");
    assert!(tx.claim_email(first.id, now()).await.unwrap());
    tx.complete_email(first.id, &end(EmailState::Failed), now()).await.unwrap();
    assert!(tx.replace_subscription_request(&second, later(1)).await.unwrap());
    let whole = tx.find_email(first.id).await.unwrap().unwrap();
    assert_eq!((whole.email.state, whole.email.attempts), (EmailState::Queued, 0));
    assert_eq!((whole.email.address.as_str(), whole.token), ("ada@example.com", [2; 16]));
    assert!(tx.claim_email(first.id, now()).await.unwrap());
    tx.complete_email(first.id, &end(EmailState::Sent), now()).await.unwrap();
    // Who left and came back the same day is asked at the same address.
    assert!(tx.replace_subscription_request(&second, later(2)).await.unwrap());
});

on_both_databases!(consent_is_kept_with_every_change, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let bob = client(store, ours, "bob", "2026-05-01").await.id;
    let mut tx = service(store, ours).await;
    assert_eq!(tx.find_subscription(ada).await.unwrap(), None);
    let asked = subscribed(SubscriptionState::Pending);
    let on = Subscription {
        source: ConsentSource::DoubleOptIn,
        changed_at: later(1),
        ..subscribed(SubscriptionState::Subscribed)
    };
    tx.set_subscription(ada, &asked).await.unwrap();
    assert_eq!(tx.count_subscribers().await.unwrap(), 0);
    tx.set_subscription(ada, &on).await.unwrap();
    tx.set_subscription(bob, &subscribed(SubscriptionState::Unsubscribed)).await.unwrap();
    assert_eq!(tx.find_subscription(ada).await.unwrap(), Some(on.clone()));
    assert_eq!(tx.list_consents(ada, 10).await.unwrap(), [on, asked]);
    assert_eq!(tx.count_subscribers().await.unwrap(), 1);
    tx.commit().await.unwrap();
    let chunk = everybody(store, ours, now()).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let of_chunk = tx.list_subscribers_of(&chunk).await.unwrap();
    let after = tx.list_subscribers_after(None, now(), 10).await.unwrap();
    assert_eq!(after.len(), 1);
    assert_eq!(of_chunk.get(&ada), after.first());
    assert_eq!((after[0].external_id.as_str(), after[0].since), ("ada", later(1)));
    assert_eq!(after[0].suppressed, None);
    assert_eq!(tx.list_subscribers_after(Some(ada), now(), 10).await.unwrap(), []);
    assert_eq!(tx.list_subscribers_after(None, at("2026-05-01"), 10).await.unwrap(), []);
});

on_both_databases!(an_address_that_was_refused_is_known_until_it_is_tried_again, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let mut tx = service(store, ours).await;
    tx.set_subscription(ada, &subscribed(SubscriptionState::Subscribed)).await.unwrap();
    tx.suppress_address("ada@example.com", "550 no such user", now()).await.unwrap();
    tx.suppress_address("ada@example.com", "551 later", later(1)).await.unwrap();
    let reason = Some("550 no such user".to_owned());
    assert_eq!(tx.find_suppression("ada@example.com").await.unwrap(), reason);
    assert_eq!(tx.find_suppression("bob@example.com").await.unwrap(), None);
    let listed = tx.list_suppressions(10).await.unwrap();
    assert_eq!((listed.len(), listed[0].at), (1, now()));
    assert_eq!(tx.list_subscribers_after(None, now(), 10).await.unwrap()[0].suppressed, reason);
    assert!(tx.unsuppress_address("ada@example.com").await.unwrap());
    assert!(!tx.unsuppress_address("ada@example.com").await.unwrap());
    assert_eq!(tx.list_suppressions(10).await.unwrap(), []);
});

on_both_databases!(settings_of_mails_are_as_built_in_until_they_are_changed, async |store| {
    let ours = organization(store, "UTC").await;
    let mut tx = service(store, ours).await;
    assert_eq!(tx.get_email_settings().await.unwrap(), EmailSettings::default());
    let changed = EmailSettings {
        off: vec![EmailType::MomentumNudge],
        from_name: Some("Studio".to_owned()),
        ..EmailSettings::default()
    };
    tx.set_email_settings(&EmailSettings::default(), now()).await.unwrap();
    tx.set_email_settings(&changed, now()).await.unwrap();
    assert_eq!(tx.get_email_settings().await.unwrap(), changed);
});

on_both_databases!(a_periods_insights_are_read_without_those_dismissed, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let mut tx = service(store, ours).await;
    let new = [insight(ada, Rule::TasksPending), insight(ada, Rule::NoActivity)];
    tx.save_insights(day("2026-05-17"), &new, now()).await.unwrap();
    tx.commit().await.unwrap();
    let chunk = ClientChunk::of(&found(store, ours, "ada").await);
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let found = tx.list_period_insights(&chunk, day("2026-05-17")).await.unwrap();
    let rules: Vec<_> = found[&ada].iter().map(|one| one.rule).collect();
    assert_eq!(rules, [Rule::NoActivity, Rule::TasksPending]);
    assert!(tx.list_period_insights(&chunk, day("2026-05-18")).await.unwrap().is_empty());
});

on_both_databases!(mails_and_consent_go_with_their_client, async |store| {
    let (ours, ada, id) = with_email(store).await;
    let mut tx = service(store, ours).await;
    tx.set_subscription(ada, &subscribed(SubscriptionState::Subscribed)).await.unwrap();
    let event = EmailEvent { link: None, at: now(), suspected: false };
    tx.record_email_event(id, &event).await.unwrap();
    tx.delete_client(ada, now()).await.unwrap();
    assert_eq!(tx.find_email(id).await.unwrap(), None);
    assert_eq!(tx.list_email_events(id).await.unwrap(), []);
    assert_eq!(tx.find_subscription(ada).await.unwrap(), None);
    assert_eq!(tx.list_consents(ada, 10).await.unwrap(), []);
});
