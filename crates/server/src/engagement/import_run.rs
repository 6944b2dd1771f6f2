use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use mainstay_core::{
    engagement::{Event, EventType, validate},
    id::OrganizationId,
};
use mainstay_store::{ClientPatch, Outcome, Scope, Seen, StoreError, Tx};

use super::{
    import::{ImportError, ImportOptions, ImportSource, RejectedRow, RejectsFile, Row, RowContent},
    track::MOST_TRIES,
};
use crate::{Error, Mainstay, Result, organization::Context};

/// Rows that go into one transaction: memory for a few megabytes, and few fsyncs.
const BATCH: usize = 5_000;

/// What an import came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Rows read.
    pub read: u64,
    /// Events that are new.
    pub stored: u64,
    /// Events that were there already.
    pub duplicates: u64,
    /// Clients told of by `identify` and `group` rows.
    pub profiles: u64,
    /// Rows refused.
    pub refused: u64,
    /// Where the refused rows are, if there are any.
    pub rejects: Option<PathBuf>,
}

/// How far an import is, in bytes of the file and rows.
#[derive(Clone, Copy, Debug)]
pub struct ImportProgress {
    /// Bytes of the file that are read, as they are on disk.
    pub bytes: u64,
    /// Bytes of the file, if it tells.
    pub total_bytes: Option<u64>,
    /// Rows read.
    pub rows: u64,
}

/// Why an import stopped before the end.
#[derive(Debug, thiserror::Error)]
pub enum ImportFailure {
    /// The file.
    #[error(transparent)]
    File(#[from] ImportError),
    /// The database.
    #[error(transparent)]
    Service(#[from] Error),
}

/// Rows of one transaction, checked.
#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    /// Client, when it was told, and what.
    profiles: Vec<(String, Timestamp, ClientPatch)>,
}

/// What became of a batch's events.
#[derive(Default)]
struct Stored {
    new: u64,
    duplicates: u64,
}

impl Mainstay {
    /// Stores the rows of a file; those that are refused go to `FILE.rejects.csv` with the reason.
    /// What is stored stays when a later part of the file cannot be read: importing again adds
    /// nothing twice. A dry run stores nothing and says what would happen.
    ///
    /// # Errors
    /// When the file cannot be read or the database not be written.
    pub async fn import_file(
        &self,
        organization: OrganizationId,
        path: &Path,
        options: &ImportOptions,
        dry_run: bool,
        mut progress: impl FnMut(ImportProgress) + Send,
    ) -> std::result::Result<ImportSummary, ImportFailure> {
        let mut source = ImportSource::open(path, options)?;
        let mut rejects = RejectsFile::beside(path);
        let types = self.event_types(organization).await?;
        let mut summary = ImportSummary::default();
        // A dry run is the same work in one transaction that is undone: so it cannot say otherwise.
        let mut dry = if dry_run { Some(self.begin(organization).await?) } else { None };
        loop {
            let batch = read_batch(&mut source, &types, &mut rejects, &mut summary, self.now())?;
            progress(ImportProgress {
                bytes: source.bytes_read(),
                total_bytes: source.total_bytes(),
                rows: summary.read,
            });
            if batch.events.is_empty() && batch.profiles.is_empty() {
                break;
            }
            let stored = match &mut dry {
                Some(tx) => self.store_batch(tx, &batch).await?,
                None => self.store_batch_at_last(organization, &batch).await?,
            };
            summary.stored += stored.new;
            summary.duplicates += stored.duplicates;
            summary.profiles += batch.profiles.len() as u64;
        }
        if let Some(tx) = dry {
            tx.rollback().await.map_err(Error::from)?;
        }
        summary.refused = rejects.count();
        summary.rejects = rejects.finish()?;
        Ok(summary)
    }

    async fn begin(&self, organization: OrganizationId) -> Result<Tx> {
        Ok(self.store().begin(Scope::Service(organization)).await?)
    }

    /// Stores a batch in one transaction, again when it lost against another one.
    async fn store_batch_at_last(
        &self,
        organization: OrganizationId,
        batch: &Batch,
    ) -> Result<Stored> {
        let mut tries = 1;
        loop {
            match self.try_store_batch(organization, batch).await {
                Err(Error::Store(StoreError::Conflict)) if tries < MOST_TRIES => tries += 1,
                stored => return stored,
            }
        }
    }

    async fn try_store_batch(&self, organization: OrganizationId, batch: &Batch) -> Result<Stored> {
        let mut tx = self.begin(organization).await?;
        let stored = self.store_batch(&mut tx, batch).await?;
        tx.commit().await?;
        Ok(stored)
    }

    async fn store_batch(&self, tx: &mut Tx, batch: &Batch) -> Result<Stored> {
        let context = Context::load(tx).await?;
        let mut stored = Stored::default();
        for outcome in self.store_in(tx, &context, &batch.events).await? {
            match outcome {
                Outcome::Stored => stored.new += 1,
                Outcome::Duplicate => stored.duplicates += 1,
            }
        }
        let seen: Vec<Seen<'_>> = batch
            .profiles
            .iter()
            .map(|(client, at, _)| Seen { external_id: client, first_at: *at })
            .collect();
        let resolved = tx.resolve_clients(&seen, self.now()).await?;
        for (client, (_, _, patch)) in resolved.iter().zip(&batch.profiles) {
            tx.update_client(client.id, patch).await?;
        }
        Ok(stored)
    }
}

fn read_batch(
    source: &mut ImportSource,
    types: &HashMap<String, EventType>,
    rejects: &mut RejectsFile,
    summary: &mut ImportSummary,
    now: Timestamp,
) -> std::result::Result<Batch, ImportError> {
    let mut batch = Batch::default();
    while batch.events.len() + batch.profiles.len() < BATCH {
        let Some(row) = source.next() else { break };
        summary.read += 1;
        let checked = match row? {
            Ok(row) => check(row, types, now, &mut batch),
            Err(rejected) => Err(rejected),
        };
        if let Err(rejected) = checked {
            rejects.write(&rejected)?;
        }
    }
    // What was said last stands, whatever the order of the rows in a batch.
    batch.profiles.sort_by_key(|(_, at, _)| *at);
    Ok(batch)
}

/// Adds a row to a batch, unless it is refused.
fn check(
    row: Row,
    types: &HashMap<String, EventType>,
    now: Timestamp,
    batch: &mut Batch,
) -> std::result::Result<(), RejectedRow> {
    let Row { line, content, raw } = row;
    match content {
        RowContent::Event(mut incoming) => {
            if incoming.event_type.is_none() {
                incoming.event_type = types.get(&incoming.name).copied();
            }
            // History, not late data: it counts as received when it happened. But nothing was
            // received in the future, so a broken clock is still found out.
            let received_at = incoming.timestamp.map_or(now, |happened| happened.min(now));
            let event = validate(incoming, received_at).map_err(|error| RejectedRow {
                line,
                reason: error.to_string(),
                raw,
            })?;
            batch.events.push(event);
        }
        RowContent::Identify(identify) => batch.profiles.push((
            identify.client_id,
            identify.timestamp,
            ClientPatch {
                name: identify.name,
                email: identify.email,
                plan: identify.plan,
                group_id: None,
                traits: identify.traits,
            },
        )),
        RowContent::Group(group) => batch.profiles.push((
            group.client_id,
            group.timestamp,
            ClientPatch { group_id: Some(group.group_id), ..ClientPatch::default() },
        )),
    }
    Ok(())
}
