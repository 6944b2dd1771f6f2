use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mainstay_core::{
    engagement::{EventError, segment::IncomingMessage},
    id::OrganizationId,
};
use mainstay_store::{RollUp, Scope};

use super::{
    IngestSettings, MessageOutcome, Source,
    dry_run::Rehearsal,
    import::{
        ImportError, ImportOptions, ImportSource, RejectedRow, RejectsFile, Row, RowContent,
        read_segment_message,
    },
    messages::{ConflictRetries, with_refusals},
};
use crate::{Error, Mainstay, Result};

/// Rows per transaction: a few megabytes of memory, and few fsyncs.
const BATCH: usize = 5_000;

/// The result of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Rows read.
    pub read: u64,
    /// Number of new events.
    pub stored: u64,
    /// Number of already stored events.
    pub duplicates: u64,
    /// Events of users who belong to no client yet; they count once they belong to one.
    pub waiting: u64,
    /// Rows that changed clients, users or groups.
    pub profiles: u64,
    /// Rows whose time had no offset and was read as local time.
    pub local_times: u64,
    /// Rows refused.
    pub refused: u64,
    /// The path of the rejected rows, if any.
    pub rejects: Option<PathBuf>,
}

/// The progress of an import, in bytes and rows.
#[derive(Clone, Copy, Debug)]
pub struct ImportProgress {
    /// Bytes read of the file on disk.
    pub bytes: u64,
    /// Size of the file, if known.
    pub total_bytes: Option<u64>,
    /// Rows read.
    pub rows: u64,
}

/// Why an import was aborted.
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
    /// Imports the rows of a file; rejected ones go to `FILE.rejects.csv` with the reason. Stored
    /// rows stay if a later part of the file cannot be read: importing again adds nothing twice. A
    /// dry run only predicts the outcomes, except for rejections because of a full profile or too
    /// many waiting events.
    ///
    /// # Errors
    /// If the file cannot be read or the database cannot be written.
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
        let settings = self.ingest_settings(organization).await?;
        let mut summary = ImportSummary::default();
        let mut rehearsal = dry_run.then(Rehearsal::default);
        loop {
            let batch = read_batch(&mut source, &settings, &mut rejects, &mut summary, self.now())?;
            progress(ImportProgress {
                bytes: source.bytes_read(),
                total_bytes: source.total_bytes(),
                rows: summary.read,
            });
            if batch.messages.is_empty() {
                break;
            }
            let outcomes = match &mut rehearsal {
                Some(rehearsal) => {
                    let tx = self.store().read(Scope::Service(organization)).await;
                    let mut tx = tx.map_err(Error::from)?;
                    rehearsal.predict(&mut tx, &batch.messages, self.now()).await?
                }
                None => self.import_batch(organization, &batch.messages).await?,
            };
            for (outcome, (line, raw)) in outcomes.into_iter().zip(batch.rows) {
                match outcome {
                    MessageOutcome::Stored => summary.stored += 1,
                    MessageOutcome::Duplicate => summary.duplicates += 1,
                    MessageOutcome::Waiting => summary.waiting += 1,
                    MessageOutcome::Recorded => summary.profiles += 1,
                    MessageOutcome::Refused(error) => {
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

    /// Stores a batch in one transaction, and retries after conflicts.
    async fn import_batch(
        &self,
        organization: OrganizationId,
        batch: &[IncomingMessage],
    ) -> Result<Vec<MessageOutcome>> {
        let kept_out = self.merge_aliases(organization, batch).await?;
        let mut retries = ConflictRetries::default();
        loop {
            let stored = self.try_import(organization, batch).await;
            if !retries.should_retry(&stored) {
                return stored.map(|outcomes| with_refusals(&kept_out, outcomes));
            }
        }
    }

    async fn try_import(
        &self,
        organization: OrganizationId,
        batch: &[IncomingMessage],
    ) -> Result<Vec<MessageOutcome>> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let source = Source::vouched(organization);
        let (_, outcomes) =
            self.store_messages_in(&mut tx, (source, batch), RollUp::Immediately).await?;
        tx.commit().await?;
        Ok(outcomes)
    }
}

/// The rows of one transaction.
#[derive(Default)]
struct Batch {
    messages: Vec<IncomingMessage>,
    /// The line and text of each, in case it is rejected later.
    rows: Vec<(u64, String)>,
}

fn read_batch(
    source: &mut ImportSource,
    settings: &IngestSettings,
    rejects: &mut RejectsFile,
    summary: &mut ImportSummary,
    now: Timestamp,
) -> std::result::Result<Batch, ImportError> {
    let mut batch = Batch::default();
    while batch.messages.len() < BATCH {
        let Some(row) = source.next() else { break };
        summary.read += 1;
        let rejected = match row? {
            Ok(Row { line, content, raw }) => match read_row(content, source, settings, now) {
                Ok(message) => {
                    batch.messages.push(message);
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

/// Parses a row, unless it is rejected.
fn read_row(
    content: RowContent,
    source: &ImportSource,
    settings: &IngestSettings,
    now: Timestamp,
) -> std::result::Result<IncomingMessage, EventError> {
    match content {
        RowContent::Event(incoming) => {
            // History, not late data: it counts as received when it happened. But nothing was
            // received in the future, so a broken clock is still found out.
            let received_at = incoming.timestamp.map_or(now, |happened| happened.min(now));
            Ok(settings.attribute(settings.check(*incoming, received_at)?))
        }
        RowContent::Message(json) => {
            let of_file = |name: &str| source.type_of(name);
            let of_organization = |name: &str| settings.types.get(name).copied();
            read_segment_message(&json, settings.clients_are, now, of_file, of_organization)
        }
    }
}
