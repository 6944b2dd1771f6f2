use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    alert::{AlertStatus, AlertType, Ending, Severity},
    id::{MemberId, PlaybookRunId},
    notification::{MessageState, NoticeType},
    playbook::{PlaybookDeed, StaffTaskState},
};
use mainstay_store::{Alert, AlertAction, PlaybookRun, StaffTask, Told};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{alert::AlertHistory, api::names};

/// One episode: from the moment a condition began to the moment it ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alert)]
pub(super) struct AlertBody {
    /// Its id.
    id: Uuid,
    /// The client.
    #[schema(example = "ada")]
    client_id: String,
    /// The client's name.
    #[schema(example = "Ada Lovelace")]
    client_name: Option<String>,
    /// What it warns of.
    #[serde(rename = "type")]
    #[schema(value_type = names::AlertType)]
    kind: AlertType,
    /// How bad it is; worse news raises it.
    #[schema(value_type = names::Severity)]
    severity: Severity,
    /// What became of it.
    #[schema(value_type = names::AlertStatus)]
    status: AlertStatus,
    /// What it says.
    #[schema(example = "Quiet for 23 days, usual gap 4.")]
    message: String,
    /// The numbers in it.
    #[schema(value_type = Object)]
    figures: Map<String, Value>,
    /// When it opened.
    opened_at: Timestamp,
    /// When it last changed.
    changed_at: Timestamp,
    /// Until when it is snoozed.
    snoozed_until: Option<Timestamp>,
    /// When it ended: resolved or dismissed.
    ended_at: Option<Timestamp>,
    /// When its condition ended; until then, one that was resolved or dismissed keeps it quiet.
    condition_ended_at: Option<Timestamp>,
    /// How it ended by itself: `recovered` when the client did something, `faded` when what its score is
    /// compared with has merely caught up with the fall; null while it is open, and when a member ended
    /// it.
    #[schema(value_type = Option<names::Ending>)]
    ending: Option<Ending>,
    /// When the client had recovered, if it did within 14 days. After a silence: something came from it
    /// again. After a stalled task: none is stalled any more. After a fall of the score: it stands in a
    /// better band, or has regained at least half of what it had lost.
    recovered_at: Option<Timestamp>,
}

impl From<Alert> for AlertBody {
    fn from(alert: Alert) -> Self {
        let episode = alert.episode;
        Self {
            id: episode.id.uuid(),
            client_id: alert.client_id,
            client_name: alert.client_name,
            kind: episode.kind,
            severity: episode.severity,
            status: episode.status,
            message: episode.message,
            figures: episode.figures,
            opened_at: episode.opened_at,
            changed_at: alert.changed_at,
            snoozed_until: episode.snoozed_until,
            ended_at: alert.ended_at,
            condition_ended_at: episode.condition_ended_at,
            ending: episode.ending,
            recovered_at: alert.recovered_at,
        }
    }
}

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlertPage {
    /// Newest first.
    pub(super) alerts: Vec<AlertBody>,
    /// Send this as `before` for the next page; null on the last one.
    pub(super) next: Option<Uuid>,
}

/// An alert with what was done with it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlertWithActions {
    #[serde(flatten)]
    alert: AlertBody,
    /// What was done with it, oldest first.
    actions: Vec<AlertActionBody>,
    /// The playbooks that it started, in that order.
    playbooks: Vec<PlaybookRunBody>,
    /// The staff tasks that it led to, the one that is due first first.
    tasks: Vec<AlertTaskBody>,
    /// What was told of it by webhook, oldest first.
    told: Vec<ToldBody>,
}

/// A playbook that an alert started.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaybookRun)]
struct PlaybookRunBody {
    /// Of this run.
    id: Uuid,
    /// The playbook's; it may be deleted since.
    playbook_id: Uuid,
    /// What the playbook was called then.
    #[schema(example = "Call a client that has gone quiet")]
    name: String,
    /// When; null while it waits for data that are missing, or for a person.
    started_at: Option<Timestamp>,
    /// Whether it waits for a person, or did, because the playbook would have acted for many clients at
    /// once.
    needs_approval: bool,
    /// The mail that it wrote to the client.
    nudge_email_id: Option<Uuid>,
    /// Why it wrote none, where it should have.
    #[schema(example = "the client has not asked for mails")]
    not_nudged_because: Option<String>,
    /// What the webhooks are called that it called.
    called: Vec<String>,
    /// How many webhooks it could not call: they are gone or switched off.
    not_called: usize,
    /// What went wrong, where a fault in Mainstay ended the run before it had done everything.
    failed_because: Option<String>,
}

/// A staff task that an alert led to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertTask)]
struct AlertTaskBody {
    /// Its id.
    id: Uuid,
    /// What to do.
    #[schema(example = "Call the client")]
    title: String,
    /// What became of it.
    #[schema(value_type = names::StaffTaskState)]
    state: StaffTaskState,
    /// Whose it is.
    owner_id: Option<Uuid>,
    /// The local day at whose end it is late.
    #[schema(value_type = String, format = Date)]
    due_on: Date,
    /// The run of a playbook that made it; null when somebody did.
    playbook_run_id: Option<Uuid>,
}

impl From<PlaybookRun> for PlaybookRunBody {
    fn from(run: PlaybookRun) -> Self {
        let mut body = Self {
            id: run.id.uuid(),
            playbook_id: run.playbook.uuid(),
            name: run.name,
            started_at: run.started_at,
            needs_approval: run.needs_approval,
            nudge_email_id: None,
            not_nudged_because: None,
            called: Vec::new(),
            not_called: 0,
            failed_because: None,
        };
        for deed in run.deeds {
            match deed {
                PlaybookDeed::Nudged { email } => body.nudge_email_id = Some(email.uuid()),
                PlaybookDeed::NotNudged { reason } => body.not_nudged_because = Some(reason),
                PlaybookDeed::Called { webhook } => body.called.push(webhook),
                PlaybookDeed::NotCalled => body.not_called += 1,
                PlaybookDeed::Failed { reason } => body.failed_because = Some(reason),
            }
        }
        body
    }
}

impl From<StaffTask> for AlertTaskBody {
    fn from(task: StaffTask) -> Self {
        Self {
            id: task.id.uuid(),
            title: task.title,
            state: task.state,
            owner_id: task.owner.map(MemberId::uuid),
            due_on: task.due_on,
            playbook_run_id: task.run.map(PlaybookRunId::uuid),
        }
    }
}

/// What was told of an alert to one webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertTold)]
struct ToldBody {
    /// What the webhook is called.
    webhook: String,
    /// What was told.
    #[serde(rename = "type")]
    #[schema(value_type = names::NoticeEvent)]
    kind: NoticeType,
    /// Whether it arrived.
    #[schema(value_type = names::MessageState)]
    state: MessageState,
    /// When it arrived or was given up; until then, when it is sent next.
    at: Timestamp,
}

impl From<Told> for ToldBody {
    fn from(told: Told) -> Self {
        Self { webhook: told.webhook, kind: told.notice_type, state: told.state, at: told.at }
    }
}

/// Something that was done with an alert.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertAction)]
struct AlertActionBody {
    /// When.
    at: Timestamp,
    /// `opened`, `worsened`, `woken`, `resolved` or `condition_ended` by the health check;
    /// `acknowledge`, `snooze`, `resolve`, `dismiss`, `reopen` or `undo` by people.
    #[schema(example = "acknowledge")]
    action: String,
    /// By which member; null for the health check and for secret keys.
    member_id: Option<Uuid>,
    /// What it said.
    #[schema(example = "Called; back from holiday next week.")]
    note: String,
}

impl From<AlertAction> for AlertActionBody {
    fn from(action: AlertAction) -> Self {
        Self {
            at: action.at,
            action: action.action,
            member_id: action.member.map(MemberId::uuid),
            note: action.note,
        }
    }
}

impl From<AlertHistory> for AlertWithActions {
    fn from(history: AlertHistory) -> Self {
        Self {
            alert: history.alert.into(),
            actions: history.actions.into_iter().map(Into::into).collect(),
            playbooks: history.followed.runs.into_iter().map(Into::into).collect(),
            tasks: history.followed.tasks.into_iter().map(Into::into).collect(),
            told: history.told.into_iter().map(Into::into).collect(),
        }
    }
}
