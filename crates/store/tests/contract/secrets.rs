//! Secrets as they lie in the database, and the keys that it takes to read them.

use mainstay_core::id::OrganizationId;
use mainstay_store::{IdBlock, Keyring, PLAIN, Scope, SecretKey, Store, StoreError, WebhookPatch};

use crate::{
    fixtures::{at, now, organization},
    harness::Database,
    webhooks::new_webhook,
};

const SECRETS: [&str; 5] =
    ["hunter-token", "whsec_1", "whsec_2", "example.com/hooks", "example.org"];

fn keys() -> (SecretKey, SecretKey) {
    (SecretKey::random().unwrap(), SecretKey::random().unwrap())
}

async fn with(store: &Database, keyring: Keyring) -> Store {
    store.reopened().await.with_keyring(keyring)
}

/// Everything that an organization keeps secret, read as anybody reads it.
async fn told(store: &Store, ours: OrganizationId) -> Result<Vec<String>, StoreError> {
    let mut tx = store.read(Scope::Service(ours)).await?;
    let mut told = vec![tx.get_client_token_secret().await?];
    for webhook in tx.list_webhooks().await? {
        assert_eq!(tx.find_webhook(webhook.id).await?.as_ref(), Some(&webhook));
        told.extend([webhook.url, webhook.secret]);
        told.extend(webhook.previous_secret.map(|(secret, _)| secret));
    }
    Ok(told)
}

/// The rows of every table with secrets, as they lie in the database.
async fn stored(store: &Database, ours: OrganizationId) -> String {
    let mut rows = Vec::new();
    for table in ["organization_secrets", "webhook_endpoints", "erasure_keys"] {
        rows.extend(store.rows_of(table, ours.uuid()).await);
    }
    rows.join("\n")
}

async fn used(store: &Store) -> Vec<String> {
    store.read(Scope::System).await.unwrap().list_secret_keys().await.unwrap()
}

/// An organization with a secret in each column that holds some.
async fn with_secrets(store: &Store) -> OrganizationId {
    let ours = organization(store, "UTC").await;
    let webhook = new_webhook();
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.set_client_token_secret("hunter-token", now()).await.unwrap();
    tx.create_webhook(&webhook, now()).await.unwrap();
    tx.rotate_webhook_secret(webhook.id, "whsec_2", at("2026-06-01")).await.unwrap();
    let patch =
        WebhookPatch { url: Some("https://example.org".to_owned()), ..WebhookPatch::default() };
    tx.update_webhook(webhook.id, &patch).await.unwrap();
    tx.block_client_id(&["ada".to_owned()], IdBlock::Forever, now()).await.unwrap();
    tx.commit().await.unwrap();
    ours
}

const TOLD: [&str; 4] = ["hunter-token", "https://example.org", "whsec_2", "whsec_1"];

on_both_databases!(
    secrets_lie_encrypted_in_the_database_and_are_read_as_they_were,
    async |store| {
        let (key, _) = keys();
        let sealed = with(store, Keyring::new(vec![key.clone()])).await;
        let ours = with_secrets(&sealed).await;
        assert_eq!(told(&sealed, ours).await.unwrap(), TOLD);
        let lying = stored(store, ours).await;
        assert_eq!(lying.matches("sealed:").count(), 5, "{lying}");
        for secret in SECRETS {
            assert!(!lying.contains(secret), "{secret} lies in {lying}");
        }
        assert_eq!(used(&sealed).await, [key.id()]);
        assert_eq!(sealed.keyring().current(), key.id());
        let mut tx = sealed.begin(Scope::Service(ours)).await.unwrap();
        tx.set_client_token_secret("another", now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(told(&sealed, ours).await.unwrap()[0], "another");
        assert!(!stored(store, ours).await.contains("another"));
        sealed.close().await;
    }
);

on_both_databases!(without_its_key_a_secret_is_not_read_and_the_key_is_named, async |store| {
    let (key, other) = keys();
    let sealed = with(store, Keyring::new(vec![key.clone()])).await;
    let ours = with_secrets(&sealed).await;
    for keyring in [Keyring::new(vec![other]), Keyring::default()] {
        let locked = with(store, keyring).await;
        let error = told(&locked, ours).await.unwrap_err();
        assert!(matches!(&error, StoreError::Sealed { .. }), "{error:?}");
        assert!(error.to_string().contains(key.id()), "{error}");
        locked.close().await;
    }
    sealed.close().await;
});

on_both_databases!(a_secret_of_another_organization_does_not_pass_for_ones_own, async |store| {
    let (key, _) = keys();
    let sealed = with(store, Keyring::new(vec![key])).await;
    let (ours, theirs) = (with_secrets(&sealed).await, with_secrets(&sealed).await);
    let (one, two) = (store.id(ours.uuid()), store.id(theirs.uuid()));
    store
        .raw(&format!(
            "UPDATE organization_secrets SET secret = (SELECT secret FROM organization_secrets \
             WHERE organization_id = {two}) WHERE organization_id = {one}"
        ))
        .await;
    let error = told(&sealed, ours).await.unwrap_err();
    assert!(matches!(error, StoreError::Tampered(_)), "{error:?}");
    sealed.close().await;
});

on_both_databases!(what_was_stored_as_it_is_is_encrypted_with_the_first_key, async |store| {
    let plain = with(store, Keyring::default()).await;
    let ours = with_secrets(&plain).await;
    assert_eq!(used(&plain).await, [PLAIN]);
    for secret in SECRETS {
        // But for the address until it was changed.
        assert!(secret.contains("hooks") || stored(store, ours).await.contains(secret));
    }
    let (key, _) = keys();
    let sealed = with(store, Keyring::new(vec![key.clone()])).await;
    assert_eq!(told(&sealed, ours).await.unwrap(), TOLD);
    let mut tx = sealed.read(Scope::System).await.unwrap();
    assert_eq!(tx.list_organizations_with_key(PLAIN).await.unwrap(), [ours]);
    drop(tx);
    reseal(&sealed, ours, 5).await;
    let lying = stored(store, ours).await;
    assert_eq!(lying.matches("sealed:").count(), 5, "{lying}");
    assert_eq!(used(&sealed).await, [key.id()]);
    assert_eq!(told(&sealed, ours).await.unwrap(), TOLD);
    reseal(&sealed, ours, 0).await;
    plain.close().await;
    sealed.close().await;
});

async fn reseal(store: &Store, ours: OrganizationId, expected: u64) {
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.reseal_secrets().await.unwrap(), expected);
    tx.commit().await.unwrap();
}

on_both_databases!(secrets_move_to_another_key_and_back_to_none, async |store| {
    let (old, new) = keys();
    let first = with(store, Keyring::new(vec![old.clone()])).await;
    let ours = with_secrets(&first).await;
    let both = with(store, Keyring::new(vec![new.clone(), old.clone()])).await;
    // A new secret is under the new key at once, and both are said to be needed.
    let mut tx = both.begin(Scope::Service(ours)).await.unwrap();
    tx.set_client_token_secret("hunter-token", now()).await.unwrap();
    tx.commit().await.unwrap();
    let mut needed = vec![old.id().to_owned(), new.id().to_owned()];
    needed.sort();
    assert_eq!(used(&both).await, needed);
    reseal(&both, ours, 4).await;
    assert_eq!(used(&both).await, [new.id()]);
    let second = with(store, Keyring::new(vec![new.clone()])).await;
    assert_eq!(told(&second, ours).await.unwrap(), TOLD);
    let plain = with(store, Keyring::plain(vec![new])).await;
    reseal(&plain, ours, 5).await;
    assert_eq!(used(&plain).await, [PLAIN]);
    let without = with(store, Keyring::default()).await;
    assert_eq!(told(&without, ours).await.unwrap(), TOLD);
    for store in [first, both, second, plain, without] {
        store.close().await;
    }
});
