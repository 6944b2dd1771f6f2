use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use mainstay_core::{
    engagement::{EventType, Profile, ProfileChange, segment::Said, validate},
    id::OrganizationId,
};
use mainstay_store::{RollUp, Scope, Tx};

use super::{
    Fate,
    import::{ImportError, ImportOptions, ImportSource, RejectedRow, RejectsFile, Row, RowContent},
    said::Tries,
};
use crate::{Error, Mainstay, Result};

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
        let naming = self.naming(organization).await?;
        let mut summary = ImportSummary::default();
        // A dry run is the same work in one transaction that is undone: so it cannot say otherwise.
        let mut dry = if dry_run { Some(self.begin(organization).await?) } else { None };
        loop {
            let (types, now) = (&naming.types, self.now());
            let batch = read_batch(&mut source, types, &mut rejects, &mut summary, now)?;
            progress(ImportProgress {
                bytes: source.bytes_read(),
                total_bytes: source.total_bytes(),
                rows: summary.read,
            });
            if batch.is_empty() {
                break;
            }
            let fates = match &mut dry {
                Some(tx) => self.store_said_in(tx, &batch, RollUp::AtOnce).await?.1,
                None => self.import_batch(organization, &batch).await?,
            };
            for fate in fates {
                match fate {
                    Fate::Stored => summary.stored += 1,
                    Fate::Duplicate => summary.duplicates += 1,
                    Fate::Learned | Fate::Refused(_) => summary.profiles += 1,
                }
            }
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
    async fn import_batch(
        &self,
        organization: OrganizationId,
        batch: &[Said],
    ) -> Result<Vec<Fate>> {
        let mut tries = Tries::default();
        loop {
            let stored = self.try_import(organization, batch).await;
            if !tries.again(&stored) {
                return stored;
            }
        }
    }

    async fn try_import(&self, organization: OrganizationId, batch: &[Said]) -> Result<Vec<Fate>> {
        let mut tx = self.begin(organization).await?;
        let (_, fates) = self.store_said_in(&mut tx, batch, RollUp::AtOnce).await?;
        tx.commit().await?;
        Ok(fates)
    }
}

fn read_batch(
    source: &mut ImportSource,
    types: &HashMap<String, EventType>,
    rejects: &mut RejectsFile,
    summary: &mut ImportSummary,
    now: Timestamp,
) -> std::result::Result<Vec<Said>, ImportError> {
    let mut batch = Vec::new();
    while batch.len() < BATCH {
        let Some(row) = source.next() else { break };
        summary.read += 1;
        match row?.and_then(|row| check(row, types, now)) {
            Ok(said) => batch.push(said),
            Err(rejected) => rejects.write(&rejected)?,
        }
    }
    Ok(batch)
}

/// What a row says, unless it is refused.
fn check(
    row: Row,
    types: &HashMap<String, EventType>,
    now: Timestamp,
) -> std::result::Result<Said, RejectedRow> {
    let Row { line, content, raw } = row;
    Ok(match content {
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
            Said::Did(event)
        }
        RowContent::Identify(identify) => Said::Told(ProfileChange {
            client_id: identify.client_id,
            at: identify.timestamp,
            told: Profile {
                name: identify.name,
                email: identify.email,
                plan: identify.plan,
                group_id: None,
                traits: identify.traits,
            },
        }),
        RowContent::Group(group) => Said::Told(ProfileChange {
            client_id: group.client_id,
            at: group.timestamp,
            told: Profile { group_id: Some(group.group_id), ..Profile::default() },
        }),
    })
}
