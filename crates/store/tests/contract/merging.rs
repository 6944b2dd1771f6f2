//! Two ids of the same client.

use jiff::SignedDuration;
use mainstay_core::{
    email::{ConsentSource, SubscriptionState},
    engagement::{EventType, ProfileChange, ProfileField, ProfilePatch},
    id::OrganizationId,
    score::FeedbackKind,
    time::time_zone,
};
use mainstay_store::{
    Client, ClientSighting, LaunchKitTimes, MergeRequest, MergeState, NewFeedback, NewMerge,
    Outcome, Profile, Scope, Store, StoreError, Subscription, Tx,
};
use proptest::{collection::vec, prelude::*};

use crate::{
    fixtures::{
        at, client, day, event, event_at, facts, found, fresh, gather, now, organization, send,
    },
    harness::Database,
    isolation::{filled, store_scores},
    property::for_all,
    verify::assert_honest,
};

fn new_merge<'a>(previous: &'a str, into: &'a str) -> NewMerge<'a> {
    NewMerge {
        id: fresh(),
        previous_id: previous,
        into_id: into,
        of_visitor: false,
        requested_by: None,
    }
}

pub(crate) async fn merge(store: &Store, organization: OrganizationId, previous: &str, into: &str) {
    let new = new_merge(previous, into);
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.request_merge(&new, now()).await.unwrap();
    tx.commit().await.unwrap();
    while step(store, organization, 3).await.is_some() {}
}

/// The same within a transaction.
pub(crate) async fn merge_in(tx: &mut Tx, previous: &str, into: &str) {
    let zone = time_zone(&tx.get_organization().await.unwrap().time_zone).unwrap();
    let new = new_merge(previous, into);
    tx.request_merge(&new, now()).await.unwrap();
    while let Some(merge) = tx.find_next_merge().await.unwrap() {
        tx.merge_step(merge, &zone, now(), 1_000).await.unwrap();
    }
}

/// Goes a step on with an organization's oldest merge.
pub(crate) async fn step(
    store: &Store,
    organization: OrganizationId,
    events: usize,
) -> Option<MergeState> {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    let merge = tx.find_next_merge().await.unwrap()?;
    let zone = time_zone(&tx.get_organization().await.unwrap().time_zone).unwrap();
    let state = tx.merge_step(merge, &zone, now(), events).await.unwrap();
    tx.commit().await.unwrap();
    Some(state)
}

on_both_databases!(only_a_visitors_id_is_merged_for_a_write_key, async |store| {
    let ours = organization(store, "UTC").await;
    client(store, ours, "ada", "2026-05-01").await;
    client(store, ours, "told", "2026-05-01").await;
    for name in ["visitor", "bob"] {
        send(store, ours, &[event(name, "1", EventType::Login, "2026-05-01")]).await;
    }
    let many: Vec<_> =
        (0..101).map(|id| event("busy", &id.to_string(), EventType::Login, "2026-05-01")).collect();
    send(store, ours, &many).await;
    let hour_later = now().checked_add(SignedDuration::from_secs(3_601)).unwrap();
    let ask = async |previous, into, when| {
        let id = fresh();
        let new = NewMerge {
            id,
            previous_id: previous,
            into_id: into,
            of_visitor: true,
            requested_by: None,
        };
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let became = tx.request_merge(&new, when).await.unwrap();
        tx.commit().await.unwrap();
        (id, became)
    };
    for (previous, into, when) in [
        ("told", "ada", now()),
        ("busy", "ada", now()),
        ("visitor", "bob", now()),
        ("visitor", "ada", hour_later),
    ] {
        assert_eq!(
            ask(previous, into, when).await.1,
            MergeRequest::PreviousIdKnown,
            "{previous} into {into}"
        );
    }
    let (id, became) = ask("visitor", "ada", now()).await;
    assert_eq!(became, MergeRequest::Queued(id));
});

on_both_databases!(everything_of_a_merged_id_is_the_other_clients, async |store| {
    let ours = filled(store, "America/New_York").await;
    let (ada, bob) = (found(store, ours, "ada").await, found(store, ours, "bob").await);
    merge(store, ours, "bob", "ada").await;
    assert_eq!(found(store, ours, "bob").await.id, ada.id, "bob is another name of ada's");
    for (table, rows) in crate::organizations::everything(store, ours).await {
        let (hyphens, bare) =
            (bob.id.to_string(), bob.id.uuid().simple().to_string().to_uppercase());
        let left = rows.iter().filter(|row| row.contains(&hyphens) || row.contains(&bare)).count();
        // Those who keep the portfolio in memory are told that somebody is gone.
        // And what it takes to undo it is kept.
        let told = table == "portfolio_changes" || table.starts_with("client_merge");
        assert!(left == 0 || told, "{table}: {rows:?}");
    }
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_tasks(ada.id).await.unwrap().len(), 2);
    assert_eq!(tx.list_feedback(ada.id, 10).await.unwrap().len(), 2);
    assert_eq!(tx.list_notes(ada.id, 10).await.unwrap().len(), 2);
    // Of an alert of a type and an insight of a rule and period, the client's own stays.
    assert_eq!(
        tx.list_alerts(&mainstay_store::AlertFilter::default(), 100).await.unwrap().len(),
        1
    );
    assert_eq!(tx.count_clients().await.unwrap(), 1);
    tx.rollback().await.unwrap();
    assert_honest(store, ours).await;

    // What still comes for it is the client's, and known when it came before.
    let again = event("bob", "bob-1", EventType::Login, "2026-05-18T09:00:00Z");
    let new = event("bob", "bob-2", EventType::Login, "2026-05-18T09:30:00Z");
    assert_eq!(send(store, ours, &[again, new]).await, [Outcome::Duplicate, Outcome::Stored]);
    assert_eq!(facts(store, ours, now(), false).await.len(), 1);
    let taken = Client {
        id: fresh(),
        external_id: "bob".to_owned(),
        profile: Profile::default(),
        created_at: now(),
        owner: None,
    };
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let taken = tx.create_client(&taken).await;
    assert!(matches!(taken, Err(StoreError::Taken("client_id"))), "{taken:?}");
});

on_both_databases!(an_id_that_nothing_is_known_of_becomes_a_name_of_the_client, async |store| {
    let ours = organization(store, "UTC").await;
    merge(store, ours, "lead-7", "ada").await;
    merge(store, ours, "lead-7", "ada").await;
    send(store, ours, &[event("lead-7", "1", EventType::Login, "2026-05-18")]).await;
    let ada = found(store, ours, "ada").await;
    assert_eq!(found(store, ours, "lead-7").await.id, ada.id);
    assert_eq!(ada.created_at, at("2026-05-18"));
    // The other way round they are the same already.
    merge(store, ours, "ada", "lead-7").await;
    assert_eq!(found(store, ours, "ada").await.id, ada.id);
    // From here on the id is somebody else's, also for those who kept it in mind.
    merge(store, ours, "lead-7", "bob").await;
    send(store, ours, &[event("lead-7", "2", EventType::Login, "2026-05-19")]).await;
    let bob = found(store, ours, "bob").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let seen = [ClientSighting { external_id: "lead-7", first_at: now() }];
    assert_eq!(tx.resolve_clients(&seen, now()).await.unwrap()[0].id, bob.id);
    tx.rollback().await.unwrap();
    assert_honest(store, ours).await;
});

on_both_databases!(a_message_that_both_ids_have_counts_once, async |store| {
    let ours = organization(store, "Europe/Berlin").await;
    let login = |client, id, when| event(client, id, EventType::ContentGenerated, when);
    send(store, ours, &[login("ada", "1", "2026-05-18T23:30:00Z")]).await;
    send(store, ours, &[login("lead", "1", "2026-05-18T23:30:00Z")]).await;
    send(store, ours, &[login("lead", "2", "2026-04-01T09:00:00Z")]).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.fold_activity(day("2026-05-04")).await.unwrap();
    store_scores(&mut tx, "2026-05-20T12:00:00Z").await;
    tx.commit().await.unwrap();
    merge(store, ours, "lead", "ada").await;
    let found = facts(store, ours, now(), false).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].activity.content_generated, 2);
    assert_eq!(found[0].created_at, at("2026-04-01T09:00:00Z"));
    assert_honest(store, ours).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(
        tx.list_stale_clients(None, 10).await.unwrap().len(),
        1,
        "its scores are computed again"
    );
    let ada = tx.find_client("ada").await.unwrap().unwrap().id;
    assert!(tx.is_stale(ada).await.unwrap() && !tx.is_stale(fresh()).await.unwrap());
});

/// Whose event it is, how many hours before now it happened, and its id.
type Sent = (bool, i64, u8);

on_both_databases!(a_merged_client_counts_as_if_it_had_been_one_all_along, async |store| {
    let sent = vec((any::<bool>(), 0_i64..1_000, 0_u8..6), 1..14);
    for_all(12, &sent, async |sent: Vec<Sent>| {
        let two = organization(store, "America/New_York").await;
        let one = organization(store, "America/New_York").await;
        let made = |name: &str, (_, hours, id): Sent| {
            let when = at("2026-05-20T11:00:00Z") - SignedDuration::from_hours(hours);
            event_at(name, &format!("m{id}"), EventType::VisualCreated, when)
        };
        for (place, sent) in sent.iter().enumerate() {
            let name = if sent.0 { "ada" } else { "lead" };
            send(store, two, &[made(name, *sent)]).await;
            send(store, one, &[made("ada", *sent)]).await;
            if place % 4 == 2 {
                for organization in [two, one] {
                    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
                    tx.fold_activity(day("2026-05-04")).await.unwrap();
                    tx.commit().await.unwrap();
                }
            }
        }
        merge(store, two, "lead", "ada").await;
        let of = async |organization| {
            let found = facts(store, organization, now(), true).await;
            found.into_iter().map(|facts| (facts.activity, facts.made_today)).collect::<Vec<_>>()
        };
        let (merged, together) = (of(two).await, of(one).await);
        assert_honest(store, two).await;
        if merged == together { Ok(()) } else { Err(format!("{merged:?} is not {together:?}")) }
    })
    .await;
});

on_both_databases!(everything_that_enters_a_score_is_scored_again_after_a_merge, async |store| {
    let ours = organization(store, "UTC").await;
    send(store, ours, &[event("ada", "1", EventType::Login, "2026-05-18")]).await;
    let lead = client(store, ours, "lead", "2026-05-01").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    // No event at all: only a rating and a launch kit.
    let given = NewFeedback {
        id: fresh(),
        kind: FeedbackKind::Stars,
        rating: 1,
        normalised: 0,
        comment: None,
        given_at: at("2026-05-10T09:00:00Z"),
        self_told: false,
    };
    tx.create_feedback(lead.id, &given).await.unwrap();
    let opened = LaunchKitTimes { viewed_at: Some(at("2026-05-12")), completed_at: None };
    tx.record_launch_kit(lead.id, opened).await.unwrap();
    let later = LaunchKitTimes { viewed_at: Some(at("2026-05-15")), completed_at: None };
    let ada = tx.find_client("ada").await.unwrap().unwrap();
    tx.record_launch_kit(ada.id, later).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    store_scores(&mut tx, "2026-05-19T12:00:00Z").await;
    let stale = tx.list_stale_clients(None, 10).await.unwrap();
    let stale: Vec<_> = stale.iter().map(|one| one.client).collect();
    tx.claim_stale(&stale).await.unwrap();
    tx.commit().await.unwrap();
    merge(store, ours, "lead", "ada").await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let stale = tx.list_stale_clients(None, 10).await.unwrap();
    assert_eq!(stale.iter().map(|one| one.since).collect::<Vec<_>>(), [given.given_at]);
    assert_eq!(tx.get_launch_kit(ada.id).await.unwrap(), opened, "the earliest time counts");
});

on_both_databases!(whoever_unsubscribed_under_one_id_stays_unsubscribed, async |store| {
    let states = [
        SubscriptionState::Subscribed,
        SubscriptionState::Pending,
        SubscriptionState::Unsubscribed,
    ];
    for (kept, gone) in states.iter().flat_map(|kept| states.map(|gone| (*kept, gone))) {
        let ours = organization(store, "UTC").await;
        for (name, state, when) in [("ada", kept, "2026-05-02"), ("lead", gone, "2026-05-01")] {
            let client = client(store, ours, name, "2026-05-01").await;
            let said = Subscription {
                state,
                address: format!("{name}@example.com"),
                source: ConsentSource::Api,
                changed_at: at(when),
            };
            let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
            tx.set_subscription(client.id, &said).await.unwrap();
            tx.commit().await.unwrap();
        }
        merge(store, ours, "lead", "ada").await;
        let ada = found(store, ours, "ada").await;
        let mut tx = store.read(Scope::Service(ours)).await.unwrap();
        let state = tx.find_subscription(ada.id).await.unwrap().unwrap().state;
        let strict = [kept, gone].contains(&SubscriptionState::Unsubscribed);
        let expected = if strict { SubscriptionState::Unsubscribed } else { kept };
        assert_eq!(state, expected, "{kept:?} merged with {gone:?}");
        tx.rollback().await.unwrap();
    }
});

on_both_databases!(a_merged_profile_is_what_one_client_would_have_been_told, async |store| {
    let told = |when: &str, id: &str, field, value: Option<&str>| ProfileChange {
        client_id: String::new(),
        at: at(when),
        message_id: id.to_owned(),
        patch: ProfilePatch {
            fields: [(field, value.map(str::to_owned))].into_iter().collect(),
            traits: serde_json::Map::default(),
        },
    };
    let ours = organization(store, "UTC").await;
    let (ada, lead) = (
        client(store, ours, "ada", "2026-05-01").await,
        client(store, ours, "lead", "2026-05-01").await,
    );
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.apply_profile_changes(&[
        (ada.id, &told("2026-05-02", "1", ProfileField::Plan, Some("free"))),
        (lead.id, &told("2026-05-03", "2", ProfileField::Plan, Some("pro"))),
        (ada.id, &told("2026-05-02", "3", ProfileField::Email, Some("old@example.com"))),
        (lead.id, &told("2026-05-03", "4", ProfileField::Email, None)),
        (ada.id, &told("2026-05-05", "5", ProfileField::Name, Some("Ada"))),
        (lead.id, &told("2026-05-04", "6", ProfileField::Name, Some("Lead"))),
    ])
    .await
    .unwrap();
    tx.commit().await.unwrap();
    merge(store, ours, "lead", "ada").await;
    let profile = found(store, ours, "ada").await.profile;
    assert_eq!(profile.plan.as_deref(), Some("pro"));
    assert_eq!(profile.email, None, "the newer word cleared it");
    assert_eq!(profile.name.as_deref(), Some("Ada"));
});

/// What is told of every client, by what it is called; and everything that is kept of each but its
/// figures.
async fn figures(store: &Database, organization: OrganizationId) -> Vec<String> {
    gather(store, organization).await;
    let facts = facts(store, organization, now(), true).await;
    let mut all: Vec<String> = facts
        .into_iter()
        .map(|facts| format!("{} {:?} {:?}", facts.external_id, facts.created_at, facts.activity))
        .collect();
    let derived = [
        "organizations",
        "portfolio_changes",
        "client_merges",
        "client_merge_events",
        "client_merge_rows",
        // Those of clients are compared by what they come to; how they are put together may differ.
        "daily_activity",
        "activity_parts",
        "pending_activity",
        "client_activity_totals",
        "stale_scores",
    ];
    for (table, rows) in crate::organizations::everything(store, organization).await {
        if !derived.contains(&table) {
            let mut rows = rows;
            rows.sort();
            all.extend(rows.into_iter().map(|row| format!("{table} {row}")));
        }
    }
    all
}

async fn undo(store: &Store, organization: OrganizationId, previous: &str) -> bool {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    let merges = tx.list_merges(None, 100).await.unwrap();
    let merge = merges.into_iter().find(|merge| merge.previous_id == previous).unwrap();
    let asked = tx.request_undo(merge.id, None).await.unwrap();
    tx.commit().await.unwrap();
    while step(store, organization, 2).await.is_some() {}
    asked
}

on_both_databases!(a_merge_that_is_undone_leaves_everything_as_it_was, async |store| {
    let ours = filled(store, "America/New_York").await;
    let before = figures(store, ours).await;
    merge(store, ours, "bob", "ada").await;
    assert_ne!(figures(store, ours).await, before);
    assert!(undo(store, ours, "bob").await);
    let after = figures(store, ours).await;
    for (one, other) in before.iter().zip(&after) {
        assert_eq!(one, other);
    }
    assert_eq!(before.len(), after.len());
    assert_honest(store, ours).await;
    assert!(!undo(store, ours, "bob").await, "once");
    // And what comes for it now is its own again, also for those who kept the name in mind.
    let new = event("bob", "bob-2", EventType::Login, "2026-05-18T09:30:00Z");
    assert_eq!(send(store, ours, &[new]).await, [Outcome::Stored]);
    assert_eq!(found(store, ours, "bob").await.external_id, "bob");
    let facts = facts(store, ours, now(), false).await;
    assert_eq!(facts.len(), 2);
});

on_both_databases!(any_two_clients_are_as_before_when_their_merge_is_undone, async |store| {
    let sent = vec((any::<bool>(), 0_i64..1_000, 0_u8..6), 1..14);
    for_all(12, &sent, async |sent: Vec<Sent>| {
        let ours = organization(store, "America/New_York").await;
        for (place, (lead, hours, id)) in sent.iter().enumerate() {
            let name = if *lead { "lead" } else { "ada" };
            let when = at("2026-05-20T11:00:00Z") - SignedDuration::from_hours(*hours);
            let mut made = event_at(name, &format!("m{id}"), EventType::VisualCreated, when);
            if place % 3 == 1 {
                made.client_timestamp = Some(when - SignedDuration::from_mins(5));
            }
            send(store, ours, &[made]).await;
            if place % 4 == 2 {
                let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
                tx.fold_activity(day("2026-05-04")).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
        let both = ["ada", "lead"];
        let known = facts(store, ours, now(), false).await;
        let both_known = both.iter().all(|name| known.iter().any(|one| one.external_id == *name));
        // Whoever merges clients, or undoes it, makes them known.
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        for name in ["ada", "lead"] {
            if let Some(client) = tx.find_client(name).await.unwrap() {
                tx.mark_known(&[client.id]).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
        let before = figures(store, ours).await;
        merge(store, ours, "lead", "ada").await;
        if both_known {
            undo(store, ours, "lead").await;
        }
        let after = figures(store, ours).await;
        assert_honest(store, ours).await;
        if !both_known || before == after {
            Ok(())
        } else {
            Err(format!("{before:#?} became {after:#?}"))
        }
    })
    .await;
});

on_both_databases!(while_a_merge_is_under_way_both_ids_go_on_working, async |store| {
    let ours = organization(store, "UTC").await;
    let login = |client: &str, number: u8| {
        let when = format!("2026-05-{:02}T09:00:00Z", number + 1);
        event(client, &format!("{client}-{number}"), EventType::Login, &when)
    };
    send(store, ours, &(0..10).map(|number| login("lead", number)).collect::<Vec<_>>()).await;
    send(store, ours, &[login("ada", 0)]).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let new = NewMerge {
        id: fresh(),
        previous_id: "lead",
        into_id: "ada",
        of_visitor: false,
        requested_by: None,
    };
    assert_eq!(tx.request_merge(&new, now()).await.unwrap(), MergeRequest::Queued(new.id));
    let again = NewMerge { id: fresh(), ..new.clone() };
    assert_eq!(tx.request_merge(&again, now()).await.unwrap(), MergeRequest::Queued(new.id));
    let other = NewMerge { into_id: "bob", ..again };
    assert_eq!(tx.request_merge(&other, now()).await.unwrap(), MergeRequest::Busy);
    tx.commit().await.unwrap();
    assert_eq!(step(store, ours, 4).await, Some(MergeState::Merging));
    assert_honest(store, ours).await;
    // What comes meanwhile moves with the rest.
    send(store, ours, &[login("lead", 15), login("ada", 16)]).await;
    assert_eq!(step(store, ours, 4).await, Some(MergeState::Merging));
    assert_eq!(step(store, ours, 4).await, Some(MergeState::Done));
    assert_eq!(step(store, ours, 4).await, None);
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let merge = tx.find_merge(new.id).await.unwrap().unwrap();
    assert_eq!((merge.events, merge.state), (11, MergeState::Done));
    let ada = tx.find_client("lead").await.unwrap().unwrap();
    assert_eq!((ada.external_id.as_str(), merge.client), ("ada", ada.id));
    assert_eq!(tx.list_merges(Some(ada.id), 10).await.unwrap(), [merge]);
    assert_honest(store, ours).await;
});

on_both_databases!(
    merges_are_done_one_after_another_and_what_they_rest_on_is_not_undone,
    async |store| {
        let ours = organization(store, "UTC").await;
        for name in ["a", "b", "c"] {
            send(store, ours, &[event(name, name, EventType::Login, "2026-05-18T09:00:00Z")]).await;
        }
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        for (previous, into) in [("a", "b"), ("b", "c"), ("c", "a")] {
            let new = NewMerge {
                id: fresh(),
                previous_id: previous,
                into_id: into,
                of_visitor: false,
                requested_by: None,
            };
            tx.request_merge(&new, now()).await.unwrap();
        }
        tx.commit().await.unwrap();
        while step(store, ours, 10).await.is_some() {}
        let c = found(store, ours, "a").await;
        assert_eq!(c.external_id, "c");
        let facts = facts(store, ours, now(), false).await;
        assert_eq!(facts.len(), 1);
        assert_honest(store, ours).await;
        assert!(!undo(store, ours, "a").await, "b is gone, into which it was merged");
        assert!(undo(store, ours, "b").await);
        assert!(undo(store, ours, "a").await);
        for name in ["a", "b", "c"] {
            assert_eq!(found(store, ours, name).await.external_id, name);
        }
        assert_honest(store, ours).await;
    }
);

on_both_databases!(
    a_merge_is_done_for_good_after_a_time_and_forgotten_with_its_client,
    async |store| {
        let ours = organization(store, "UTC").await;
        let theirs = organization(store, "UTC").await;
        for name in ["ada", "lead"] {
            send(store, ours, &[event(name, name, EventType::Login, "2026-05-18T09:00:00Z")]).await;
        }
        merge(store, ours, "lead", "ada").await;
        let waiting = async |before| {
            let mut tx = store.read(Scope::System).await.unwrap();
            tx.list_organizations_with_merges(before).await.unwrap()
        };
        assert_eq!(waiting(now()).await, []);
        let later = now() + SignedDuration::from_secs(1);
        assert_eq!(waiting(later).await, [ours]);
        let mut tx = store.begin(Scope::Service(theirs)).await.unwrap();
        tx.settle_merges(later).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.settle_merges(now()).await.unwrap();
        let merge = tx.list_merges(None, 1).await.unwrap().remove(0);
        assert_eq!(merge.state, MergeState::Done);
        tx.settle_merges(later).await.unwrap();
        assert_eq!(tx.find_merge(merge.id).await.unwrap().unwrap().state, MergeState::Settled);
        assert!(!tx.request_undo(merge.id, None).await.unwrap());
        tx.delete_client(merge.client, now()).await.unwrap();
        assert_eq!(tx.find_merge(merge.id).await.unwrap(), None);
    }
);
