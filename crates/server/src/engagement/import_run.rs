use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use mainstay_core::{
    engagement::{Event, EventType, validate},
    id::OrganizationId,
};
use mainstay_store::{ClientPatch, Outcome, Scope, Seen, Tx};

use super::import::{
    Group, Identify, ImportError, ImportOptions, ImportSource, RejectedRow, RejectsFile, Row,
    RowContent,
};
use crate::{Mainstay, Result, organization::Context};

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
    Service(#[from] crate::Error),
}

enum Checked {
    Event(Event),
    Identify(Identify),
    Group(Group),
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
            if batch.is_empty() {
                break;
            }
            if let Some(tx) = &mut dry {
                self.store_batch(tx, batch, &mut summary).await?;
            } else {
                let mut tx = self.begin(organization).await?;
                self.store_batch(&mut tx, batch, &mut summary).await?;
                tx.commit().await.map_err(crate::Error::from)?;
            }
        }
        if let Some(tx) = dry {
            tx.rollback().await.map_err(crate::Error::from)?;
        }
        summary.refused = rejects.count();
        summary.rejects = rejects.finish()?;
        Ok(summary)
    }

    async fn begin(&self, organization: OrganizationId) -> Result<Tx> {
        Ok(self.store().begin(Scope::Service(organization)).await?)
    }

    async fn store_batch(
        &self,
        tx: &mut Tx,
        batch: Vec<Checked>,
        summary: &mut ImportSummary,
    ) -> Result<()> {
        let context = Context::load(tx).await?;
        let (mut events, mut profiles) = (Vec::new(), Vec::new());
        for row in batch {
            match row {
                Checked::Event(event) => events.push(event),
                Checked::Identify(identify) => profiles.push((
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
                Checked::Group(group) => profiles.push((
                    group.client_id,
                    group.timestamp,
                    ClientPatch { group_id: Some(group.group_id), ..ClientPatch::default() },
                )),
            }
        }
        if !events.is_empty() {
            let outcomes = self.store_in(tx, &context, &events).await?;
            for outcome in outcomes {
                match outcome {
                    Outcome::Stored => summary.stored += 1,
                    Outcome::Duplicate => summary.duplicates += 1,
                }
            }
        }
        // What was said last stands, whatever the order of the rows in a batch.
        profiles.sort_by_key(|(_, at, _)| *at);
        let seen: Vec<Seen<'_>> = profiles
            .iter()
            .map(|(client, at, _)| Seen { external_id: client, first_at: *at })
            .collect();
        let resolved = tx.resolve_clients(&seen, self.now()).await?;
        for (client, _, patch) in &profiles {
            tx.update_client(resolved[client].id, patch).await?;
            summary.profiles += 1;
        }
        Ok(())
    }
}

fn read_batch(
    source: &mut ImportSource,
    types: &HashMap<String, EventType>,
    rejects: &mut RejectsFile,
    summary: &mut ImportSummary,
    now: Timestamp,
) -> std::result::Result<Vec<Checked>, ImportError> {
    let mut batch = Vec::with_capacity(BATCH);
    while batch.len() < BATCH
        && let Some(row) = source.next()
    {
        summary.read += 1;
        let checked = match row? {
            Ok(row) => check(row, types, now),
            Err(rejected) => Err(rejected),
        };
        match checked {
            Ok(checked) => batch.push(checked),
            Err(rejected) => rejects.write(&rejected)?,
        }
    }
    Ok(batch)
}

fn check(
    row: Row,
    types: &HashMap<String, EventType>,
    now: Timestamp,
) -> std::result::Result<Checked, RejectedRow> {
    let Row { line, content, raw } = row;
    match content {
        RowContent::Event(mut incoming) => {
            if incoming.event_type.is_none() {
                incoming.event_type = types.get(&incoming.name).copied();
            }
            // History, not late data: it counts as received when it happened. But nothing was
            // received in the future, so a broken clock is still found out.
            let received_at = incoming.timestamp.map_or(now, |happened| happened.min(now));
            validate(incoming, received_at).map(Checked::Event).map_err(|error| RejectedRow {
                line,
                reason: error.to_string(),
                raw,
            })
        }
        RowContent::Identify(identify) => Ok(Checked::Identify(identify)),
        RowContent::Group(group) => Ok(Checked::Group(group)),
    }
}
