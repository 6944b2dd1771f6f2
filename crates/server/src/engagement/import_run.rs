use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mainstay_core::{
    engagement::{EventError, segment::Said},
    id::OrganizationId,
};
use mainstay_store::{RollUp, Scope};

use super::{
    Fate, Naming,
    import::{
        ImportError, ImportOptions, ImportSource, RejectedRow, RejectsFile, Row, RowContent,
        said_in_message,
    },
    rehearsal::Rehearsal,
    said::{Tries, refused_at},
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
    /// Events of people who belong to no client yet; they count once that is known.
    pub waiting: u64,
    /// Rows that told of clients, people or groups.
    pub profiles: u64,
    /// Rows whose time had no offset and was read as local time.
    pub local_times: u64,
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
    /// nothing twice. A dry run only reads and says what would happen. It does not foresee which rows
    /// are refused because a client's profile is full, or because too many events wait.
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
        let mut options = options.clone();
        if options.time_zone.is_none() {
            options.time_zone = Some(self.context(organization).await?.zone);
        }
        let mut source = ImportSource::open(path, &options)?;
        let mut rejects = RejectsFile::beside(path);
        let naming = self.naming(organization).await?;
        let mut summary = ImportSummary::default();
        let mut rehearsal = dry_run.then(Rehearsal::default);
        loop {
            let batch = read_batch(&mut source, &naming, &mut rejects, &mut summary, self.now())?;
            progress(ImportProgress {
                bytes: source.bytes_read(),
                total_bytes: source.total_bytes(),
                rows: summary.read,
            });
            if batch.said.is_empty() {
                break;
            }
            let fates = match &mut rehearsal {
                Some(rehearsal) => {
                    let tx = self.store().read(Scope::Service(organization)).await;
                    let mut tx = tx.map_err(Error::from)?;
                    rehearsal.fates(&mut tx, &batch.said, self.now()).await?
                }
                None => self.import_batch(organization, &batch.said).await?,
            };
            for (fate, (line, raw)) in fates.into_iter().zip(batch.rows) {
                match fate {
                    Fate::Stored => summary.stored += 1,
                    Fate::Duplicate => summary.duplicates += 1,
                    Fate::Waiting => summary.waiting += 1,
                    Fate::Learned => summary.profiles += 1,
                    Fate::Refused(error) => {
                        rejects.write(&RejectedRow { line, reason: error.to_string(), raw })?;
                    }
                }
            }
        }
        summary.local_times = source.local_times();
        summary.refused = rejects.count();
        summary.rejects = rejects.finish()?;
        Ok(summary)
    }

    /// Stores a batch in one transaction, again when it lost against another one.
    async fn import_batch(
        &self,
        organization: OrganizationId,
        batch: &[Said],
    ) -> Result<Vec<Fate>> {
        let kept_out = self.merge_aliases(organization, batch).await?;
        let mut tries = Tries::default();
        loop {
            let stored = self.try_import(organization, batch).await;
            if !tries.again(&stored) {
                return stored.map(|fates| refused_at(&kept_out, fates));
            }
        }
    }

    async fn try_import(&self, organization: OrganizationId, batch: &[Said]) -> Result<Vec<Fate>> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let (_, fates) = self.store_said_in(&mut tx, batch, RollUp::AtOnce).await?;
        tx.commit().await?;
        Ok(fates)
    }
}

/// Rows that go into one transaction.
#[derive(Default)]
struct Batch {
    said: Vec<Said>,
    /// The line and text of each, should it be refused yet.
    rows: Vec<(u64, String)>,
}

fn read_batch(
    source: &mut ImportSource,
    naming: &Naming,
    rejects: &mut RejectsFile,
    summary: &mut ImportSummary,
    now: Timestamp,
) -> std::result::Result<Batch, ImportError> {
    let mut batch = Batch::default();
    while batch.said.len() < BATCH {
        let Some(row) = source.next() else { break };
        summary.read += 1;
        let rejected = match row? {
            Ok(Row { line, content, raw }) => match said_in(content, source, naming, now) {
                Ok(said) => {
                    batch.said.push(said);
                    batch.rows.push((line, raw));
                    continue;
                }
                Err(error) => RejectedRow { line, reason: error.to_string(), raw },
            },
            Err(rejected) => rejected,
        };
        rejects.write(&rejected)?;
    }
    Ok(batch)
}

/// What a row says, unless it is refused.
fn said_in(
    content: RowContent,
    source: &ImportSource,
    naming: &Naming,
    now: Timestamp,
) -> std::result::Result<Said, EventError> {
    match content {
        RowContent::Event(incoming) => {
            // History, not late data: it counts as received when it happened. But nothing was
            // received in the future, so a broken clock is still found out.
            let received_at = incoming.timestamp.map_or(now, |happened| happened.min(now));
            Ok(naming.meant(naming.check(*incoming, received_at)?))
        }
        RowContent::Message(json) => {
            let of_file = |name: &str| source.type_of(name);
            let of_organization = |name: &str| naming.types.get(name).copied();
            said_in_message(&json, naming.clients_are, now, of_file, of_organization)
        }
    }
}
