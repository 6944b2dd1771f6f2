//! Mainstay's storage: the only crate that knows SQL.
//!
//! [`Store::open`] → [`Store::begin`] with a [`Scope`] → methods of [`Tx`] → [`Tx::commit`]. Nothing
//! reaches tenant data without a scope, and every query names its organization: PostgreSQL would
//! hide a mistake behind row-level security, SQLite would not.
//!
//! The methods of [`Tx`] live beside what they are about, in modules named like the stages of an
//! event's way: `engagement`, `score`, `insight`, `alert`, `email`, `notification`; `job` is when they
//! run, `playbook` what else follows. Below them, `db` holds connections and the schema.

mod access;
mod alert;
mod client;
mod db;
mod email;
mod engagement;
mod error;
mod insight;
mod job;
mod notification;
mod organization;
mod playbook;
mod portfolio;
mod scope;
mod score;

use std::sync::Arc;

pub use access::{
    ApiKey, FoundKey, KeyKind, KeySource, Member, NewApiKey, NewMember,
    client_lockout::ClientLockout,
    sign_in::{
        FoundPassword, FoundSession, LinkKind, MemberAccess, MemberSession, NewSignInLink,
        SignInLink,
    },
    sign_in_failure::{RecordedFailures, SignInFailures},
};
pub use alert::{
    Alert, AlertAction, AlertChange, AlertFilter, LiveEpisode,
    list::{EndedAlertCursor, EndedAlertFilter},
};
pub use client::{
    Client, ClientChunk, ClientPatch, ClientSighting, ResolvedClient,
    anonymous::JoinOutcome,
    erasure::{ErasedClient, ErasedNames, IdBlock},
    membership::{Membership, PersonEvent},
    merge::{Merge, MergeRequest, MergeState, NewMerge},
    note::ClientNote,
    onboarding::{Feedback, LaunchKitTimes, NewFeedback, OnboardingTask, TaskStatus},
    profile::{ClientPerson, ProfileRefusals, RelatedKind},
};
pub use db::{
    dialect::TENANT_TABLES,
    id::new_id,
    migrate::MigrationState,
    name::{NAME_COLUMNS, NameColumn},
    pool::{Store, Timeouts},
    secret::{Keyring, PLAIN, SecretKey},
};
pub use email::{
    ClientEmail, EmailCounts, EmailEvent, EmailFilter, EmailToken, NewEmail, SendEnd, WholeEmail,
    staff::{NewStaffEmail, StaffEmail},
    subscription::{Subscriber, Subscription, Suppression},
    transactional::{Addressee, NewTransactionalEmail, TransactionalEmail},
};
pub use engagement::{
    ActivityRange, DayActivity, EventCursor, Outcome, RollUp, StorableEvent, StoredEvent,
    TypeCounts, ZoneStep,
    arrived::ArrivedEvent,
    key_activity::{ClientKey, KeyHour, hour_of},
    refused::{NewRefusal, RefusedEvent},
    seen_names::SeenName,
    silence::{DataSilence, KeySilence},
    verify::Difference,
    waiting::{MAX_WAITING, WAITING_TTL},
};
pub use error::StoreError;
pub use insight::{NewInsight, PeriodInsight, StoredInsight};
pub use job::{
    JobRun, JobSchedule, LastPeriod, Lease, NewJobRun, RunCounts, RunEnd, RunProgress, RunState,
};
pub use mainstay_core::{
    engagement::{Profile, ProfileField},
    member::Role,
};
pub use notification::{
    message::{
        AlertDelivery, AttemptEnd, ClaimedMessage, NewWebhookMessage, WebhookAttempt,
        WebhookMessage,
    },
    news::{AlertNews, NoticedAlert},
    webhook::{NewWebhook, Webhook, WebhookPatch},
};
pub use organization::{EventName, NewOrganization, Organization, OrganizationPatch, StoredModel};
pub use playbook::{
    NewPlaybookRun, PlaybookRun, StoredPlaybook, TriggerSource, WaitReason,
    task::{DueDateCursor, StaffTask, StaffTaskFilter},
};
pub use portfolio::{AlertFlow, ClientRange, PortfolioChanges};
pub use scope::Scope;
pub use score::{ClientFacts, ClientHistory, LatestScore, Recorded, ScoreRow, StaleClient};

/// A transaction in one scope. Dropping it without [`Tx::commit`] undoes everything.
pub struct Tx {
    connection: db::dialect::Connection,
    scope: Scope,
    /// Whether it writes. One that only reads sees one state of the data and needs no locks.
    writes: bool,
    known: Arc<db::known_clients::KnownClients>,
    keyring: Arc<Keyring>,
    learned: db::known_clients::CacheUpdate,
    changed_standings: Vec<ClientRange>,
    /// The organization as it was read last, with the number of its deletions, while nothing but this
    /// transaction can change it.
    organization: Option<(Organization, i64)>,
}

/// Result of every method of the store.
pub type Result<T> = std::result::Result<T, StoreError>;
