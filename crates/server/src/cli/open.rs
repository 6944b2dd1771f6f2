use std::{sync::Arc, time::Duration};

use mainstay_store::Store;

use super::Result;
use crate::{Mainstay, SystemClock, config::Settings};

/// How long closing may take: past it a connection is stuck, and the operating system closes it.
const CLOSING: Duration = Duration::from_secs(10);

/// Opens the database, brought to this version's schema when it is new or older.
pub(super) async fn open(settings: &Settings) -> Result<Mainstay> {
    let store = Store::open(&settings.database).await?;
    migrate(&store).await?;
    Ok(Mainstay::new(store, Arc::new(SystemClock)))
}

pub(super) async fn close(mainstay: &Mainstay) {
    // Nothing is lost when it takes too long: what was committed is on disk.
    let _ = tokio::time::timeout(CLOSING, mainstay.store().close()).await;
}

/// Migrates if there is something to migrate: a database that may only be read can still be read.
pub(super) async fn migrate(store: &Store) -> Result<()> {
    if store.migrations().await?.iter().any(|migration| !migration.applied) {
        store.migrate().await?;
    }
    Ok(store.check_ready().await?)
}
