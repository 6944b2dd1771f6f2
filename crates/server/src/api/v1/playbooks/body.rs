use jiff::Timestamp;
use mainstay_core::{
    alert::{AlertType, Severity},
    id::{MemberId, WebhookId},
    playbook::{Playbook, PlaybookAction, PlaybookTask, Tally, Trigger, is_noisy},
    score::Band,
};
use mainstay_store::StoredPlaybook;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::names;

/// The trigger of a playbook: an alert (`"on": "alert"`) that opens or worsens, or a client's score that
/// enters another band (`"on": "band"`).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "on", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = PlaybookTrigger)]
enum TriggerBody {
    /// Once per episode of an alert.
    Alert {
        /// The type of alert; any if absent.
        #[serde(rename = "type", default)]
        #[schema(value_type = Option<names::AlertType>)]
        kind: Option<AlertType>,
        /// The minimum severity.
        #[schema(value_type = names::Severity)]
        at_least: Severity,
    },
    /// Once per client and local day.
    Band {
        /// The previous band; any other if absent.
        #[serde(default)]
        #[schema(value_type = Option<names::Band>)]
        from: Option<Band>,
        /// The new band.
        #[schema(value_type = names::Band)]
        to: Band,
    },
}

/// An action of a playbook: a staff task (`"do": "task"`), an email to a silent client (`"do":
/// "nudge"`) that is subscribed and got no such email in 14 days, or a webhook call (`"do":
/// "webhook"`).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = PlaybookAction)]
enum ActionBody {
    /// Creates a task for the client's owner.
    Task {
        /// The title of the task.
        #[schema(max_length = 200, example = "Call the client")]
        title: String,
        /// The description.
        #[serde(default)]
        #[schema(max_length = 4_000)]
        text: String,
        /// Due at the end of the local day this many days later.
        #[schema(minimum = 0, maximum = 365, example = 2)]
        due_in_days: i32,
        /// The member who owns the task if the client has no owner.
        #[serde(default)]
        otherwise: Option<Uuid>,
    },
    /// Sends an email to the client.
    Nudge {},
    /// Sends the event `playbook.called` to a webhook, regardless of its subscribed events.
    Webhook {
        /// The webhook's id.
        webhook_id: Uuid,
    },
}

/// A playbook to create, or its new version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPlaybook)]
pub(super) struct NewPlaybook {
    /// The name.
    #[schema(max_length = 100, example = "Call a client that has gone quiet")]
    name: String,
    /// Whether it is enabled.
    #[serde(default = "enabled_by_default")]
    #[schema(default = true)]
    pub(super) enabled: bool,
    /// The trigger.
    trigger: TriggerBody,
    /// The actions, in this order; at most three tasks.
    #[schema(min_items = 1)]
    actions: Vec<ActionBody>,
}

const fn enabled_by_default() -> bool {
    true
}

impl NewPlaybook {
    pub(super) fn playbook(self) -> Playbook {
        let trigger = match self.trigger {
            TriggerBody::Alert { kind, at_least } => Trigger::Alert { kind, at_least },
            TriggerBody::Band { from, to } => Trigger::Band { from, to },
        };
        let actions = self.actions.into_iter().map(|action| match action {
            ActionBody::Task { title, text, due_in_days, otherwise } => {
                let otherwise = otherwise.map(MemberId::new);
                PlaybookAction::Task(PlaybookTask { title, text, due_in_days, otherwise })
            }
            ActionBody::Nudge {} => PlaybookAction::Nudge,
            ActionBody::Webhook { webhook_id } => {
                PlaybookAction::Webhook { webhook: WebhookId::new(webhook_id) }
            }
        });
        Playbook { name: self.name, trigger, actions: actions.collect() }
    }
}

/// A playbook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Playbook)]
pub(super) struct PlaybookBody {
    /// Its id.
    id: Uuid,
    /// The name.
    #[schema(example = "Call a client that has gone quiet")]
    name: String,
    /// Whether it is enabled.
    enabled: bool,
    /// The trigger.
    trigger: TriggerBody,
    /// The actions, in this order.
    actions: Vec<ActionBody>,
    /// When it was created.
    created_at: Timestamp,
    /// When it was last changed.
    changed_at: Timestamp,
    /// The number of clients for which it waits for approval, see `POST
    /// /api/v1/playbooks/{playbook_id}/approve`; 0 in the response to a change.
    #[schema(example = 0)]
    runs_to_approve: i64,
}

impl PlaybookBody {
    /// The same, with the number of runs that wait for approval.
    pub(super) fn with_runs_to_approve(self, runs_to_approve: i64) -> Self {
        Self { runs_to_approve, ..self }
    }
}

impl From<StoredPlaybook> for PlaybookBody {
    fn from(stored: StoredPlaybook) -> Self {
        let Playbook { name, trigger, actions } = stored.playbook;
        let actions = actions.into_iter().map(|action| match action {
            PlaybookAction::Task(PlaybookTask { title, text, due_in_days, otherwise }) => {
                let otherwise = otherwise.map(MemberId::uuid);
                ActionBody::Task { title, text, due_in_days, otherwise }
            }
            PlaybookAction::Nudge => ActionBody::Nudge {},
            PlaybookAction::Webhook { webhook } => {
                ActionBody::Webhook { webhook_id: webhook.uuid() }
            }
        });
        Self {
            id: stored.id.uuid(),
            name,
            enabled: stored.enabled,
            trigger: match trigger {
                Trigger::Alert { kind, at_least } => TriggerBody::Alert { kind, at_least },
                Trigger::Band { from, to } => TriggerBody::Band { from, to },
            },
            actions: actions.collect(),
            runs_to_approve: 0,
            created_at: stored.created_at,
            changed_at: stored.changed_at,
        }
    }
}

/// A count and its outcomes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Outcome)]
pub(super) struct TallyBody {
    /// How often an alert opened and was reported, or a playbook started.
    #[schema(example = 42)]
    opened: i64,
    /// How many of these led a person to acknowledge or resolve the alert, or to complete one of
    /// its staff tasks.
    #[schema(example = 3)]
    acted_on: i64,
    /// After how many of these the client recovered within 14 days.
    #[schema(example = 17)]
    recovered: i64,
    /// For how many the outcome is still open.
    #[schema(example = 6)]
    undecided: i64,
    /// Whether it is mostly ignored: at least 10 times, and acted on less than once in ten.
    #[schema(example = true)]
    noisy: bool,
}

impl From<Tally> for TallyBody {
    fn from(tally: Tally) -> Self {
        Self {
            noisy: is_noisy(&tally),
            opened: tally.opened,
            acted_on: tally.acted_on,
            recovered: tally.recovered,
            undecided: tally.undecided,
        }
    }
}
