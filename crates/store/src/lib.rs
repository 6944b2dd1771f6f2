//! Mainstay's storage: the only crate that knows SQL.
//!
//! [`Store::open`] → [`Store::begin`] with a [`Scope`] → methods of [`Tx`] → [`Tx::commit`]. Nothing
//! reaches tenant data without a scope, and every query names its organization: PostgreSQL would
//! hide a mistake behind row-level security, SQLite would not.
//!
//! The methods of [`Tx`] live beside what they are about, in modules named like the stages of an
//! event's way: `engagement`, `score`, `insight`, `health`, `email`; `job` is when they run, `playbook` what
//! else follows.

mod access;
mod alert_list;
mod alert_news;
mod anonymous;
mod arrived;
mod client;
mod client_lockout;
mod delete_client;
mod dialect;
mod email;
mod email_history;
mod engagement;
mod erasure;
mod error;
mod file;
mod health;
mod insight;
mod job;
mod key_activity;
mod known_clients;
mod lock;
mod membership;
mod merge;
mod merge_events;
mod merge_records;
mod migrate;
mod name;
mod note;
mod onboarding;
mod organization;
mod playbook;
mod pool;
mod pooler;
mod portfolio;
mod profile;
mod recovery;
mod refused;
mod scope;
mod score;
mod scrub;
mod secret;
mod secret_rows;
mod seen_names;
mod sign_in;
mod sign_in_failure;
mod silence;
mod staff_email;
mod staff_task;
mod subscription;
mod transactional_email;
mod verify;
mod waiting;
mod webhook;
mod webhook_message;

use std::sync::Arc;

pub use access::{ApiKey, FoundKey, KeyKind, KeySource, Member, NewApiKey, NewMember};
pub use alert_list::{EndedAlerts, EndedPlace};
pub use alert_news::{AlertNews, NoticedAlert};
pub use anonymous::Joined;
pub use arrived::ArrivedEvent;
pub use client::{Client, ClientChunk, ClientPatch, ResolvedClient, Seen};
pub use client_lockout::ClientLockout;
pub use dialect::TENANT_TABLES;
pub use email::{
    ClientEmail, EmailCounts, EmailEvent, EmailFilter, EmailToken, NewEmail, SendEnd, WholeEmail,
};
pub use engagement::{
    ActivityRange, DayActivity, EventCursor, Outcome, RollUp, StorableEvent, StoredEvent,
    TypeCounts, ZoneStep,
};
pub use erasure::{ErasedClient, ErasedNames, KeepOut};
pub use error::StoreError;
pub use health::{Alert, AlertAction, AlertChange, AlertFilter, LiveEpisode};
pub use insight::{NewInsight, PeriodInsight, StoredInsight};
pub use job::{
    JobRun, JobSchedule, LastPeriod, Lease, NewJobRun, RunCounts, RunEnd, RunProgress, RunState,
};
pub use key_activity::{ClientKey, KeyHour, hour_of};
pub use mainstay_core::{
    engagement::{Profile, ProfileField},
    member::Role,
};
pub use membership::{Membership, PersonEvent};
pub use merge::{Merge, MergeRequest, MergeState, NewMerge};
pub use migrate::MigrationState;
pub use name::{NAME_COLUMNS, NameColumn};
pub use note::ClientNote;
pub use onboarding::{Feedback, LaunchKitTimes, NewFeedback, OnboardingTask, TaskStatus};
pub use organization::{EventName, NewOrganization, Organization, OrganizationPatch, StoredModel};
pub use playbook::{NewPlaybookRun, Occasion, PlaybookRun, StoredPlaybook, Waits};
pub use pool::{Store, Timeouts, new_id};
pub use portfolio::{AlertFlow, ClientRange, PortfolioChanges};
pub use profile::{ClientPerson, ProfileRefusals, RelatedKind};
pub use refused::{NewRefusal, RefusedEvent};
pub use scope::Scope;
pub use score::{ClientFacts, ClientHistory, LatestScore, Recorded, ScoreRow, StaleClient};
pub use secret::{Keyring, PLAIN, SecretKey};
pub use seen_names::SeenName;
pub use sign_in::{
    FoundPassword, FoundSession, LinkKind, MemberAccess, MemberSession, NewSignInLink, SignInLink,
};
pub use sign_in_failure::{RecordedFailures, SignInFailures};
pub use silence::{DataSilence, KeySilence};
pub use staff_email::{NewStaffEmail, StaffEmail};
pub use staff_task::{DuePlace, StaffTask, StaffTaskFilter};
pub use subscription::{Subscriber, Subscription, Suppression};
pub use transactional_email::{Addressee, NewTransactionalEmail, TransactionalEmail};
pub use verify::Difference;
pub use waiting::{MAX_WAITING, WAITING_TTL};
pub use webhook::{NewWebhook, Webhook, WebhookPatch};
pub use webhook_message::{
    AttemptEnd, ClaimedMessage, NewWebhookMessage, Told, WebhookAttempt, WebhookMessage,
};

/// A transaction in one scope. Dropping it without [`Tx::commit`] undoes everything.
pub struct Tx {
    connection: dialect::Connection,
    scope: Scope,
    /// Whether it writes. One that only reads sees one state of the data and needs no locks.
    writes: bool,
    known: Arc<known_clients::KnownClients>,
    keyring: Arc<Keyring>,
    learned: known_clients::Learned,
    changed_standings: Vec<ClientRange>,
    /// The organization as it was read last, with the number of its deletions, while nothing but this
    /// transaction can change it.
    organization: Option<(Organization, i64)>,
}

/// What every method of the store answers.
pub type Result<T> = std::result::Result<T, StoreError>;
