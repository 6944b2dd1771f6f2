use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    AlertFacts, AlertStatus, AlertType, Change, Condition, Ending, Family, Finding, Severity,
    condition, sentences,
};
use crate::id::AlertId;

/// One alert from the moment its condition began to the moment it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// ID.
    pub id: AlertId,
    /// What it warns of; within the silence family this can get worse.
    pub kind: AlertType,
    /// How bad it is. Rises and never falls while the episode is open.
    pub severity: Severity,
    /// State.
    pub status: AlertStatus,
    /// When the alert opened.
    pub opened_at: Timestamp,
    /// Until when it is snoozed; `None` in every other status.
    pub snoozed_until: Option<Timestamp>,
    /// When its condition ended. While `None` the episode is *live*: an open one goes on, and one
    /// that a member ended keeps its condition quiet.
    pub condition_ended_at: Option<Timestamp>,
    /// How it ended by itself; `None` while it is open, and when a member ended it.
    pub ending: Option<Ending>,
    /// Message for staff.
    pub message: String,
    /// The numbers in it.
    pub figures: Map<String, Value>,
}

/// The part of an [`Episode`] that a member's action decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewState {
    /// What becomes of it.
    pub status: AlertStatus,
    /// Until when, if it is snoozed.
    pub snoozed_until: Option<Timestamp>,
}

/// What a health check makes of a client's episodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    /// A new episode begins: store [`Episode::open`] under a new id.
    Opened(Finding),
    /// An open one got worse: in severity, and in type when inactivity becomes no activity. It is
    /// active again, whatever a member had made of the lesser one.
    Worsened {
        /// ID of the episode.
        id: AlertId,
        /// Description of the problem.
        finding: Finding,
    },
    /// A snoozed one whose time has come is active again.
    SnoozeEnded {
        /// ID of the episode.
        id: AlertId,
        /// Description of the problem.
        finding: Finding,
    },
    /// An open one has new numbers, no better and no worse.
    Refreshed {
        /// ID of the episode.
        id: AlertId,
        /// Description of the problem.
        finding: Finding,
    },
    /// An open one ended by itself.
    Resolved {
        /// ID of the episode.
        id: AlertId,
        /// Whether the client had any part in that.
        ending: Ending,
        /// Why, as a sentence for staff.
        reason: String,
    },
    /// The condition that a member had ended or dismissed is over: its next return opens anew.
    ConditionEnded {
        /// ID of the episode.
        id: AlertId,
    },
}

impl Transition {
    /// The episode it changes; `None` when it begins one.
    pub const fn id(&self) -> Option<AlertId> {
        match self {
            Self::Opened(_) => None,
            Self::Worsened { id, .. }
            | Self::SnoozeEnded { id, .. }
            | Self::Refreshed { id, .. }
            | Self::Resolved { id, .. }
            | Self::ConditionEnded { id } => Some(*id),
        }
    }

    /// Current problem, or `None` if it has ended.
    pub const fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Opened(finding)
            | Self::Worsened { finding, .. }
            | Self::SnoozeEnded { finding, .. }
            | Self::Refreshed { finding, .. } => Some(finding),
            Self::Resolved { .. } | Self::ConditionEnded { .. } => None,
        }
    }

    /// Notification for members and webhooks. `None` for housekeeping.
    pub const fn change(&self) -> Option<Change> {
        match self {
            Self::Opened(_) => Some(Change::Opened),
            Self::Worsened { .. } => Some(Change::Worsened),
            Self::Resolved { .. } => Some(Change::Resolved),
            Self::SnoozeEnded { .. } | Self::Refreshed { .. } | Self::ConditionEnded { .. } => None,
        }
    }
}

impl Episode {
    /// A new episode, opened at `at`.
    pub fn open(id: AlertId, finding: Finding, at: Timestamp) -> Self {
        Self {
            id,
            kind: finding.kind,
            severity: finding.severity,
            status: AlertStatus::Active,
            opened_at: at,
            snoozed_until: None,
            condition_ended_at: None,
            ending: None,
            message: finding.message,
            figures: finding.figures,
        }
    }

    /// Whether its condition has not ended since it opened: only these matter to [`check`].
    pub const fn is_live(&self) -> bool {
        self.condition_ended_at.is_none()
    }

    /// Carries out a transition found at `at`. One of another episode changes nothing.
    pub fn apply(&mut self, transition: Transition, at: Timestamp) {
        if transition.id() != Some(self.id) {
            return;
        }
        match transition {
            Transition::Opened(_) => {}
            Transition::Worsened { finding, .. } => {
                self.kind = finding.kind;
                self.severity = self.severity.max(finding.severity);
                self.set(NewState { status: AlertStatus::Active, snoozed_until: None });
                self.set_finding(finding);
            }
            Transition::SnoozeEnded { finding, .. } => {
                self.set(NewState { status: AlertStatus::Active, snoozed_until: None });
                self.set_finding(finding);
            }
            Transition::Refreshed { finding, .. } => self.set_finding(finding),
            // The message stays what it was: it says what the episode was about. Why it ended
            // belongs to its history.
            Transition::Resolved { ending, .. } => {
                self.set(NewState { status: AlertStatus::Resolved, snoozed_until: None });
                self.ending = Some(ending);
                self.condition_ended_at = Some(at);
            }
            Transition::ConditionEnded { .. } => self.condition_ended_at = Some(at),
        }
    }

    /// Carries out what [`apply_action`](super::apply_action) allowed.
    pub fn set(&mut self, state: NewState) {
        self.status = state.status;
        self.snoozed_until = state.snoozed_until;
    }

    fn set_finding(&mut self, finding: Finding) {
        self.message = finding.message;
        self.figures = finding.figures;
    }
}

/// Compares a client's episodes with what is true of it now.
///
/// `episodes` holds at least the live ones of one client; ended ones do not matter. The transitions
/// come in the order in which to carry them out: within a family what ends comes before what opens, so
/// that there is never a moment with two open episodes of a type. Once they are carried out, checking
/// the same facts again yields none.
pub fn check(episodes: &[Episode], facts: &AlertFacts) -> Vec<Transition> {
    Family::ALL.into_iter().flat_map(|family| check_family(family, episodes, facts)).collect()
}

fn check_family(family: Family, episodes: &[Episode], facts: &AlertFacts) -> Vec<Transition> {
    let condition = condition(family, facts);
    let live =
        || episodes.iter().filter(|episode| episode.is_live() && episode.kind.family() == family);
    // Two health checks at once can leave an inactivity beside a no activity, which the database
    // cannot forbid. The worse one is the episode.
    let kept_open = live()
        .filter(|episode| episode.status.is_open())
        .max_by_key(|episode| (episode.kind, episode.severity))
        .map(|episode| episode.id);
    let mut transitions = Vec::new();
    let mut is_matched = false;
    for episode in live() {
        let finding = condition.finding().filter(|finding| still_holds(episode, finding, facts));
        match (finding, episode.status) {
            (None, status) if status.is_open() => {
                let ending = ending(episode, facts);
                transitions.push(Transition::Resolved {
                    id: episode.id,
                    ending,
                    reason: sentences::describe_end(family, ending, facts),
                });
            }
            (None, _) => transitions.push(Transition::ConditionEnded { id: episode.id }),
            (Some(finding), status) if status.is_open() => {
                is_matched = true;
                if kept_open == Some(episode.id) {
                    transitions.extend(update(episode, finding, facts.as_of));
                } else {
                    transitions.push(Transition::Resolved {
                        id: episode.id,
                        ending: Ending::Recovered,
                        reason: "Another open alert says the same.".to_owned(),
                    });
                }
            }
            // A member settled the lesser trouble, not this one.
            (Some(finding), AlertStatus::Resolved) if finding.severity > episode.severity => {
                transitions.push(Transition::ConditionEnded { id: episode.id });
            }
            (Some(_), _) => is_matched = true,
        }
    }
    if let Condition::Met(finding) = condition
        && !is_matched
    {
        transitions.push(Transition::Opened(finding));
    }
    transitions
}

/// How an episode ends whose condition is over.
fn ending(episode: &Episode, facts: &AlertFacts) -> Ending {
    match episode.kind.family() {
        // These end by nothing but what the client did, or by what is now known of it.
        Family::Silence | Family::TaskStalled => Ending::Recovered,
        Family::ScoreDrop | Family::ChurnRisk | Family::NeedsAttention => {
            if facts.silent_since() > episode.opened_at { Ending::Recovered } else { Ending::Faded }
        }
    }
}

/// Whether what is wrong now is still what the episode is about.
fn still_holds(episode: &Episode, finding: &Finding, facts: &AlertFacts) -> bool {
    match episode.kind.family() {
        // An event after the episode opened ended that silence, even when no check ran until the
        // next one had grown as long. And a late event can turn no activity into mere inactivity:
        // that is another silence too, since an episode does not get better in place.
        Family::Silence => facts.silent_since() < episode.opened_at && finding.kind >= episode.kind,
        Family::TaskStalled | Family::ScoreDrop | Family::ChurnRisk | Family::NeedsAttention => {
            true
        }
    }
}

fn update(episode: &Episode, finding: &Finding, as_of: Timestamp) -> Option<Transition> {
    let (id, finding) = (episode.id, finding.clone());
    let snooze_over = episode.status == AlertStatus::Snoozed
        && episode.snoozed_until.is_none_or(|until| until <= as_of);
    if finding.severity > episode.severity || finding.kind != episode.kind {
        Some(Transition::Worsened { id, finding })
    } else if snooze_over {
        Some(Transition::SnoozeEnded { id, finding })
    } else if finding.message != episode.message || finding.figures != episode.figures {
        Some(Transition::Refreshed { id, finding })
    } else {
        None
    }
}
