use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    alert::{AlertStatus, AlertType, Ending, Severity},
    id::{MemberId, PlaybookRunId},
    notification::{MessageState, NotificationType},
    playbook::{ActionOutcome, StaffTaskState},
};
use mainstay_store::{Alert, AlertAction, AlertDelivery, PlaybookRun, StaffTask};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{alert::AlertHistory, api::names};

/// One episode of a condition, from its start to its end.
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
    /// The type of alert.
    #[serde(rename = "type")]
    #[schema(value_type = names::AlertType)]
    kind: AlertType,
    /// The severity; it rises if the condition worsens.
    #[schema(value_type = names::Severity)]
    severity: Severity,
    /// The current state.
    #[schema(value_type = names::AlertStatus)]
    status: AlertStatus,
    /// The message.
    #[schema(example = "Quiet for 23 days, usual gap 4.")]
    message: String,
    /// The numbers in the message.
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
    /// When its condition ended; until then, a resolved or dismissed alert mutes the condition.
    condition_ended_at: Option<Timestamp>,
    /// How it ended on its own: `recovered` if the client became active, `faded` if only the
    /// baseline of its score caught up with the drop; null while it is open, or if a member ended
    /// it.
    #[schema(value_type = Option<names::Ending>)]
    ending: Option<Ending>,
    /// When the client recovered, if within 14 days. After a silence: it sent an event again. After
    /// a stalled task: no task is stalled any more. After a score drop: it is in a better band, or
    /// has regained at least half of the drop.
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
    /// Send this as `before` to get the next page; null on the last page.
    pub(super) next: Option<Uuid>,
}

/// An alert with its history.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlertWithActions {
    #[serde(flatten)]
    alert: AlertBody,
    /// Its history, oldest first.
    actions: Vec<AlertActionBody>,
    /// The playbooks that it started, in that order.
    playbooks: Vec<PlaybookRunBody>,
    /// The staff tasks created from it, ordered by due date.
    tasks: Vec<AlertTaskBody>,
    /// Its webhook notifications, oldest first.
    told: Vec<AlertNotificationBody>,
}

/// A playbook that an alert started.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaybookRun)]
struct PlaybookRunBody {
    /// The id of the run.
    id: Uuid,
    /// The playbook; it may have been deleted since.
    playbook_id: Uuid,
    /// The playbook's name at that time.
    #[schema(example = "Call a client that has gone quiet")]
    name: String,
    /// When it started; null while it waits for missing data or for approval.
    started_at: Option<Timestamp>,
    /// Whether it waits or waited for approval, because the playbook would have acted for many
    /// clients at once.
    needs_approval: bool,
    /// The email that it sent to the client.
    nudge_email_id: Option<Uuid>,
    /// Why it sent no email, if it should have.
    #[schema(example = "the client is not subscribed to emails")]
    not_nudged_because: Option<String>,
    /// The names of the webhooks that it called.
    called: Vec<String>,
    /// The number of webhooks it could not call, because they are deleted or disabled.
    not_called: usize,
    /// The internal error, if one ended the run early.
    failed_because: Option<String>,
}

/// A staff task created from an alert.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertTask)]
struct AlertTaskBody {
    /// Its id.
    id: Uuid,
    /// What to do.
    #[schema(example = "Call the client")]
    title: String,
    /// The current state.
    #[schema(value_type = names::StaffTaskState)]
    state: StaffTaskState,
    /// The owner.
    owner_id: Option<Uuid>,
    /// The due date, in the organization's time zone.
    #[schema(value_type = String, format = Date)]
    due_on: Date,
    /// The playbook run that created it; null if a person created it.
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
                ActionOutcome::EmailQueued { email } => body.nudge_email_id = Some(email.uuid()),
                ActionOutcome::EmailSkipped { reason } => body.not_nudged_because = Some(reason),
                ActionOutcome::WebhookQueued { webhook } => body.called.push(webhook),
                ActionOutcome::WebhookSkipped => body.not_called += 1,
                ActionOutcome::Failed { reason } => body.failed_because = Some(reason),
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

/// A notification of an alert to one webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertTold)]
struct AlertNotificationBody {
    /// The webhook's name.
    webhook: String,
    /// The type of notification.
    #[serde(rename = "type")]
    #[schema(value_type = names::NoticeEvent)]
    kind: NotificationType,
    /// Its state.
    #[schema(value_type = names::MessageState)]
    state: MessageState,
    /// When it was delivered or given up; until then, when it is sent next.
    at: Timestamp,
}

impl From<AlertDelivery> for AlertNotificationBody {
    fn from(told: AlertDelivery) -> Self {
        Self { webhook: told.webhook, kind: told.notice_type, state: told.state, at: told.at }
    }
}

/// An entry of an alert's history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertAction)]
struct AlertActionBody {
    /// When.
    at: Timestamp,
    /// `opened`, `worsened`, `woken`, `resolved` or `condition_ended` by the health check;
    /// `acknowledge`, `snooze`, `resolve`, `dismiss`, `reopen` or `undo` by people.
    #[schema(example = "acknowledge")]
    action: String,
    /// The member; null for the health check and for secret keys.
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
            playbooks: history.follow_ups.runs.into_iter().map(Into::into).collect(),
            tasks: history.follow_ups.tasks.into_iter().map(Into::into).collect(),
            told: history.told.into_iter().map(Into::into).collect(),
        }
    }
}
