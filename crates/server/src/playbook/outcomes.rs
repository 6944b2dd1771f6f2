use jiff::SignedDuration;
use mainstay_core::{
    alert::AlertType,
    id::PlaybookId,
    playbook::{RECOVERY_WINDOW, Tally},
};
use mainstay_store::Scope;

use crate::{Mainstay, Result};

/// Days back that are counted.
pub const OUTCOME_DAYS: i64 = 90;

/// The recent outcomes of alerts and playbooks.
#[derive(Clone, Debug)]
pub struct Outcomes {
    /// Per type of alert.
    pub alerts: Vec<(AlertType, Tally)>,
    /// By each playbook that started.
    pub playbooks: Vec<(PlaybookId, Tally)>,
}

impl Outcomes {
    /// The outcome of a playbook.
    pub fn of(&self, playbook: PlaybookId) -> Tally {
        let found = self.playbooks.iter().find(|(id, _)| *id == playbook);
        found.map_or_else(Tally::default, |(_, tally)| *tally)
    }
}

impl Mainstay {
    /// The outcomes of alerts and playbooks of the last [`OUTCOME_DAYS`] days: whether anybody
    /// acted, and whether clients recovered.
    pub async fn outcomes(&self, scope: Scope) -> Result<Outcomes> {
        let now = self.now();
        let before = |time: SignedDuration| now.checked_sub(time).unwrap_or(now);
        let since = before(SignedDuration::from_hours(24 * OUTCOME_DAYS));
        let undecided = before(RECOVERY_WINDOW);
        let mut tx = self.store().read(scope).await?;
        let counted = tx.list_alert_tallies(since, undecided).await?;
        let alerts = AlertType::ALL.iter().map(|kind| {
            let found = counted.iter().find(|(counted, _)| counted == kind);
            (*kind, found.map_or_else(Tally::default, |(_, tally)| *tally))
        });
        Ok(Outcomes {
            alerts: alerts.collect(),
            playbooks: tx.list_playbook_tallies(since, undecided).await?.into_iter().collect(),
        })
    }
}
