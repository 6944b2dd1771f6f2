use std::{path::PathBuf, sync::Arc, time::Duration};

use mainstay_store::{MigrationState, Store};

use super::Result;
use crate::{Mainstay, SystemClock, config::Settings, private_file, secrets};

/// How long closing may take: past it a connection is stuck, and the operating system closes it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Opens the database, brought to this version's schema when it is new or older.
pub(super) async fn open(settings: &Settings) -> Result<Mainstay> {
    open_with_progress(settings, |_, _, _| {}).await
}

/// The same, telling of each migration before it runs how many were done, and how many there are in all.
pub(super) async fn open_with_progress(
    settings: &Settings,
    print_report: impl Fn(usize, &MigrationState, usize) + Send,
) -> Result<Mainstay> {
    let store = Store::open(&settings.database).await?;
    migrate_with_progress(&store, print_report).await?;
    let store = secrets::unlock(store, &settings.secrets).await?;
    Ok(Mainstay::new(store, Arc::new(SystemClock)))
}

pub(super) async fn close(mainstay: &Mainstay) {
    // Nothing is lost when it takes too long: what was committed is on disk.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, mainstay.store().close()).await;
}

/// Warns of what other users of this machine could read.
pub(super) fn warn_about_readable_files(mainstay: &Mainstay, settings: &Settings) {
    let store = mainstay.store();
    let mut files: Vec<PathBuf> = settings.secrets.source.file(store).into_iter().collect();
    files.extend(settings.secret_file.clone());
    for suffix in ["", "-wal", "-shm"] {
        files.extend(store.file().map(|file| {
            let mut file = file.into_os_string();
            file.push(suffix);
            PathBuf::from(file)
        }));
    }
    for file in files {
        if let Some(mode) = private_file::mode_open_to_others(&file) {
            let file = file.display();
            tracing::warn!(
                "{file} is readable by other users (mode {mode:03o}); run: chmod 600 {file}"
            );
        }
    }
    if settings.password_in_arguments {
        tracing::warn!(
            "--database contains a password, which every user of this machine can see; use \
             MAINSTAY_DATABASE_URL, or database_password_file and a URL without it"
        );
    }
    if settings.secrets.plain {
        tracing::warn!("secrets are stored in plain text, as set by secrets_at_rest");
    }
}

/// Migrates if there is something to migrate: a database that may only be read can still be read.
pub(super) async fn migrate(store: &Store) -> Result<()> {
    migrate_with_progress(store, |_, _, _| {}).await
}

async fn migrate_with_progress(
    store: &Store,
    print_report: impl Fn(usize, &MigrationState, usize) + Send,
) -> Result<()> {
    if store.migrations().await?.iter().any(|migration| !migration.applied) {
        store.migrate_with_progress(print_report).await?;
    }
    Ok(store.check_ready().await?)
}
