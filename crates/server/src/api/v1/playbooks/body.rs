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

/// What starts a playbook: an alert (`"on": "alert"`) that opens or worsens, or a client's score that
/// enters another band (`"on": "band"`).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "on", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = PlaybookTrigger)]
enum TriggerBody {
    /// Once for each episode of an alert.
    Alert {
        /// Of this type; of any when absent.
        #[serde(rename = "type", default)]
        #[schema(value_type = Option<names::AlertType>)]
        kind: Option<AlertType>,
        /// And at least as bad as this.
        #[schema(value_type = names::Severity)]
        at_least: Severity,
    },
    /// Once for each client and local day.
    Band {
        /// From this band; from any other when absent.
        #[serde(default)]
        #[schema(value_type = Option<names::Band>)]
        from: Option<Band>,
        /// To this one.
        #[schema(value_type = names::Band)]
        to: Band,
    },
}

/// Something that a playbook does: a staff task (`"do": "task"`), or the mail for clients that have
/// fallen silent (`"do": "nudge"`), to those that asked for mails and had none such in 14 days, or a
/// call of a webhook (`"do": "webhook"`).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = PlaybookAction)]
enum ActionBody {
    /// Makes a task for the client's owner.
    Task {
        /// What to do, in a line.
        #[schema(max_length = 200, example = "Call the client")]
        title: String,
        /// More of it.
        #[serde(default)]
        #[schema(max_length = 4_000)]
        text: String,
        /// Due at the end of the local day so many days later.
        #[schema(minimum = 0, maximum = 365, example = 2)]
        due_in_days: i32,
        /// Id of the member whose it is when nobody looks after the client.
        #[serde(default)]
        otherwise: Option<Uuid>,
    },
    /// Writes to the client.
    Nudge {},
    /// Sends the notice `playbook.called` to a webhook, whatever that hears of otherwise.
    Webhook {
        /// The webhook's id.
        webhook_id: Uuid,
    },
}

/// A playbook as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPlaybook)]
pub(super) struct NewPlaybook {
    /// What staff call it.
    #[schema(max_length = 100, example = "Call a client that has gone quiet")]
    name: String,
    /// Whether anything starts it.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub(super) enabled: bool,
    /// What starts it.
    trigger: TriggerBody,
    /// What it does then, in this order; at most three tasks.
    #[schema(min_items = 1)]
    actions: Vec<ActionBody>,
}

const fn yes() -> bool {
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
    /// What staff call it.
    #[schema(example = "Call a client that has gone quiet")]
    name: String,
    /// Whether anything starts it.
    enabled: bool,
    /// What starts it.
    trigger: TriggerBody,
    /// What it does then, in this order.
    actions: Vec<ActionBody>,
    /// Since when there is one.
    created_at: Timestamp,
    /// When it was last changed.
    changed_at: Timestamp,
    /// For how many clients it waits for a person, see `POST /api/v1/playbooks/{playbook_id}/approve`; 0 in
    /// the answer to a change.
    #[schema(example = 0)]
    runs_to_approve: i64,
}

impl PlaybookBody {
    /// The same with how many runs wait for a person.
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

/// How often something happened and what came of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Outcome)]
pub(super) struct TallyBody {
    /// How often an alert opened and was told, or a playbook started.
    #[schema(example = 42)]
    opened: i64,
    /// After how many of these a person acknowledged or resolved the alert, or did a staff task that it
    /// led to.
    #[schema(example = 3)]
    acted_on: i64,
    /// After how many of these the client recovered within 14 days.
    #[schema(example = 17)]
    recovered: i64,
    /// Of how many it cannot be told yet.
    #[schema(example = 6)]
    undecided: i64,
    /// Whether hardly anybody acts on it: at least 10 times, and acted on in fewer than one of ten.
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
