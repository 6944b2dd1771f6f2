//! The outbox of emails to one person about one thing.

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    email::{EmailContent, EmailState, TransactionalKind},
    id::{MemberId, OrganizationId},
};
use mainstay_store::{
    Addressee, LinkKind, NewMember, NewSignInLink, NewTransactionalEmail, Role, Scope, SendEnd,
    Store, Tx,
};

use crate::fixtures::{client, fresh, now, organization};

pub(crate) fn transactional(to: Addressee) -> NewTransactionalEmail {
    NewTransactionalEmail {
        id: fresh(),
        kind: TransactionalKind::SignInLink,
        to,
        address: "ada@example.com".to_owned(),
        dedup_key: None,
        subject: "Your link".to_owned(),
        content: EmailContent::default(),
        due_at: now(),
        expires_at: later(60),
    }
}

fn later(minutes: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_mins(minutes)).unwrap()
}

async fn member(tx: &mut Tx) -> MemberId {
    let id = fresh();
    let email = "grace@example.com".to_owned();
    let new = NewMember { id, email, name: "Grace".to_owned(), role: Role::Owner };
    tx.create_member(&new, now()).await.unwrap();
    id
}

async fn begin(store: &Store) -> (OrganizationId, Tx) {
    let ours = organization(store, "UTC").await;
    (ours, store.begin(Scope::Service(ours)).await.unwrap())
}

on_both_databases!(one_transactional_email_is_queued_for_a_key, async |store| {
    let (ours, mut tx) = begin(store).await;
    let to = Addressee::Member(member(&mut tx).await);
    let keyed = || NewTransactionalEmail {
        kind: TransactionalKind::OwnerNotice,
        dedup_key: Some("mail:1".to_owned()),
        ..transactional(to)
    };
    let new = [keyed(), keyed(), transactional(to), transactional(to)];
    assert_eq!(tx.enqueue_transactional_emails(&new[..1], now()).await.unwrap(), 1);
    assert_eq!(tx.enqueue_transactional_emails(&new[1..], later(1)).await.unwrap(), 2);
    let kind = TransactionalKind::SignInLink;
    assert_eq!(tx.count_transactional_emails(kind, to, now()).await.unwrap(), 2);
    assert_eq!(tx.count_transactional_emails(kind, to, later(2)).await.unwrap(), 0);
    let latest = tx.find_latest_transactional_email(TransactionalKind::OwnerNotice).await.unwrap();
    assert_eq!(latest.unwrap().id, new[0].id);
    assert_eq!(tx.find_latest_transactional_email(TransactionalKind::Test).await.unwrap(), None);
    assert_eq!(tx.count_waiting_emails().await.unwrap(), 3);
    assert_eq!(tx.delete_transactional_emails(later(1)).await.unwrap(), 1);
    assert_eq!(tx.delete_transactional_emails(later(2)).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let mut tx = store.read(Scope::System).await.unwrap();
    assert!(!tx.list_organizations_with_emails(now()).await.unwrap().contains(&ours));
});

on_both_databases!(
    a_transactional_email_is_taken_by_one_and_again_when_that_one_is_gone,
    async |store| {
        let ours = organization(store, "UTC").await;
        let ada = client(store, ours, "ada", "2026-05-01").await;
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let new = transactional(Addressee::Client(ada.id));
        tx.enqueue_transactional_emails(std::slice::from_ref(&new), now()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.read(Scope::System).await.unwrap();
        assert!(tx.list_organizations_with_emails(now()).await.unwrap().contains(&ours));
        drop(tx);
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        assert_eq!(tx.list_due_transactional_emails(now(), 9).await.unwrap(), [new.id]);
        assert!(tx.claim_transactional_email(new.id, now()).await.unwrap());
        assert!(!tx.claim_transactional_email(new.id, now()).await.unwrap());
        assert_eq!(tx.list_due_transactional_emails(now(), 9).await.unwrap(), []);
        assert_eq!(tx.requeue_stuck_transactional_emails(now()).await.unwrap(), 0);
        assert_eq!(tx.requeue_stuck_transactional_emails(later(1)).await.unwrap(), 1);
        assert!(tx.claim_transactional_email(new.id, now()).await.unwrap());
        let put_off = SendEnd {
            state: EmailState::Queued,
            reason: Some("550 5.7.1 no".to_owned()),
            due_at: Some(later(30)),
            tried: true,
        };
        tx.complete_transactional_email(new.id, &put_off, now()).await.unwrap();
        assert_eq!(tx.list_due_transactional_emails(later(29), 9).await.unwrap(), []);
        tx.make_emails_due(later(1)).await.unwrap();
        assert_eq!(tx.list_due_transactional_emails(later(1), 9).await.unwrap(), [new.id]);
        assert!(tx.claim_transactional_email(new.id, now()).await.unwrap());
        let sent = SendEnd { state: EmailState::Sent, reason: None, due_at: None, tried: true };
        tx.complete_transactional_email(new.id, &sent, later(2)).await.unwrap();
        let kept = tx.find_transactional_email(new.id).await.unwrap().unwrap();
        assert_eq!(
            (kept.state, kept.attempts, kept.sent_at),
            (EmailState::Sent, 2, Some(later(2)))
        );
        assert_eq!((kept.client_id.as_deref(), kept.to), (Some("ada"), new.to));
        assert_eq!(tx.count_waiting_emails().await.unwrap(), 0);
    }
);

on_both_databases!(links_of_a_member_that_can_be_used_are_counted, async |store| {
    let (_, mut tx) = begin(store).await;
    let member = member(&mut tx).await;
    let kind = LinkKind::Reset;
    for (hash, expires_at) in [([1; 32], later(1)), ([2; 32], later(10)), ([3; 32], later(10))] {
        // Links are looked up without their organization, so that hashes differ between tests.
        let hash = std::array::from_fn(|byte| hash[byte] ^ member.uuid().as_bytes()[byte % 16]);
        let new = NewSignInLink { hash, kind, member: Some(member), expires_at };
        tx.create_sign_in_link(&new, now()).await.unwrap();
    }
    assert_eq!(tx.count_live_sign_in_links(member, kind, now()).await.unwrap(), 3);
    assert_eq!(tx.count_live_sign_in_links(member, kind, later(1)).await.unwrap(), 2);
    let choice = tx.count_live_sign_in_links(member, LinkKind::Choice, now()).await.unwrap();
    assert_eq!(choice, 0);
    let hash = std::array::from_fn(|byte| 2 ^ member.uuid().as_bytes()[byte % 16]);
    assert!(tx.use_sign_in_link(hash, now()).await.unwrap());
    assert_eq!(tx.count_live_sign_in_links(member, kind, now()).await.unwrap(), 2);
    // The used one is remembered as used.
    assert_eq!(tx.delete_sign_in_links_of(member, kind).await.unwrap(), 2);
});
