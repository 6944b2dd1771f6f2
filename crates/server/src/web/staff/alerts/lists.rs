use mainstay_core::{
    alert::{AlertStatus, Severity},
    id::{AlertId, ClientId},
    portfolio::{OpenAlert, Standing},
};

use super::{
    form::{snooze_problem, value_of},
    query::AlertQuery,
    selection::AlertSelection,
};
use crate::{
    Error, Result,
    alert::ListedAlert,
    web::{
        StaffSession, Web,
        staff::people::People,
        ui::components::{AlertFlash, AlertRow, AlertSubject, View, display_name, followed},
    },
};

/// The form that alerts are chosen in.
pub(super) const BULK_FORM: &str = "bulk";

/// Alerts of clients whose worst has this severity.
pub(super) struct Group {
    pub(super) severity: Severity,
    pub(super) words: &'static str,
    pub(super) clients: usize,
    pub(super) rows: Vec<AlertRow>,
}

/// What was just done.
pub(super) struct ActionSummary {
    pub(super) flash: Option<AlertFlash>,
    pub(super) words: String,
    /// What became of those that somebody else had changed meanwhile.
    pub(super) missed: Vec<AlertRow>,
}

/// Makes rows of alerts.
pub(super) struct AlertLists<'a> {
    pub(super) web: &'a Web,
    pub(super) session: &'a StaffSession,
    pub(super) people: &'a People,
    /// Where an action leads to afterwards.
    pub(super) back: String,
    /// The snooze that could not be: of which alert or alerts, and until when it was asked for.
    pub(super) snooze: (String, String),
    /// The alerts that were chosen then, by their ids.
    pub(super) chosen: Vec<String>,
}

impl AlertLists<'_> {
    /// Why a snooze could not be, if it is that of an alert or of those that were chosen.
    pub(super) fn snooze_problem(&self, of: &str) -> Option<(String, String)> {
        let (snoozed, until) = &self.snooze;
        let problem = || snooze_problem(until, &self.session.zone, self.web.mainstay.now());
        (snoozed == of).then(problem).flatten().map(|problem| (until.clone(), problem))
    }

    /// How staff see a client.
    pub(super) fn view(&self, external_id: &str) -> View {
        self.session.view(self.web.mainstay.now(), external_id)
    }

    /// The open alerts of some clients, by the severity of each client's worst.
    pub(super) async fn groups(
        &self,
        chosen: &AlertSelection,
        standings: &[Standing],
    ) -> Result<Vec<Group>> {
        let organization = self.session.organization_id();
        let clients: Vec<ClientId> = standings.iter().map(|standing| standing.client).collect();
        let mut open = self.web.mainstay.open_alerts_of(organization, &clients).await?;
        let mut groups: Vec<Group> = Severity::ALL
            .iter()
            .rev()
            .map(|severity| Group {
                severity: *severity,
                words: match severity {
                    Severity::Critical => "Clients with a critical alert",
                    Severity::Warning => "Clients with a warning",
                    Severity::Info => "Clients with a note",
                },
                clients: 0,
                rows: Vec::new(),
            })
            .collect();
        for standing in standings {
            let mut alerts = open.remove(&standing.client).unwrap_or_default();
            alerts.retain(|listed| {
                let episode = &listed.alert.episode;
                let (kind, severity, status) = (episode.kind, episode.severity, episode.status);
                chosen.shows(OpenAlert { kind, severity, status })
            });
            let Some(worst) = alerts.first().map(|listed| listed.alert.episode.severity) else {
                continue;
            };
            let rows = alerts.iter().enumerate().map(|(index, listed)| {
                self.row(Some(standing), listed)
                    .chosen_in(BULK_FORM, value_of(&listed.alert))
                    .checked(self.chosen.contains(&listed.alert.episode.id.to_string()))
                    .again(index > 0)
            });
            if let Some(group) = groups.iter_mut().find(|group| group.severity == worst) {
                group.clients += 1;
                group.rows.extend(rows);
            }
        }
        groups.retain(|group| !group.rows.is_empty());
        Ok(groups)
    }

    /// Ended alerts, with why those that ended by themselves did.
    pub(super) async fn ended(&self, listed: &[ListedAlert]) -> Result<Vec<AlertRow>> {
        let board = self.web.mainstay.portfolio(self.session.organization_id()).await?;
        Ok(listed
            .iter()
            .map(|one| {
                let standing = board.read(|portfolio| portfolio.standing(one.client).cloned());
                self.row(standing.as_ref(), one)
            })
            .collect())
    }

    fn row(&self, standing: Option<&Standing>, listed: &ListedAlert) -> AlertRow {
        let alert = &listed.alert;
        let score = standing.and_then(|standing| standing.score.as_ref());
        let subject = AlertSubject {
            name: display_name(alert.client_name.as_deref(), &alert.client_id).to_owned(),
            score: score.map(|score| (score.overall, score.band.into())),
        };
        let by_itself = listed.actions.last().filter(|last| last.action == "resolved");
        let last = self.people.last_action(&listed.actions).filter(|_| by_itself.is_none());
        let view = self.view(&alert.client_id);
        let back = Some(self.back.clone());
        let row = AlertRow::new(&view, alert, last.as_ref(), Some(subject), back)
            .followed(followed(&view, self.people, &listed.follow_ups))
            .snooze_failed(self.snooze_problem(&alert.episode.id.to_string()))
            .with_notifications(&view, &listed.told);
        match by_itself {
            Some(last) if alert.episode.status == AlertStatus::Resolved => row.because(&last.note),
            _ => row,
        }
    }

    /// What was just done, by what the address says of it.
    pub(super) async fn outcome(&self, query: &AlertQuery) -> Result<Option<ActionSummary>> {
        if query.done == "nothing" {
            let words = "Nothing was changed: no alert was selected. Select at least one.";
            return Ok(Some(ActionSummary {
                flash: None,
                words: words.to_owned(),
                missed: Vec::new(),
            }));
        }
        let flash =
            AlertFlash::of(&query.done(), self.back.clone()).filter(|_| self.session.may_write());
        let mut missed = Vec::new();
        for id in query.missed.split(',').filter_map(|id| id.parse::<AlertId>().ok()) {
            match self.web.mainstay.alert(self.session.scope, id).await {
                Ok(found) => missed.push(ListedAlert {
                    // Only its score would be looked up by this, and is not shown here.
                    client: ClientId::new(uuid::Uuid::nil()),
                    alert: found.alert,
                    actions: found.actions,
                    follow_ups: found.follow_ups,
                    told: found.told,
                }),
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if flash.is_none() && missed.is_empty() {
            return Ok(None);
        }
        let words = match missed.len() {
            0 => String::new(),
            1 => "1 was skipped because it has changed since you loaded the page:".to_owned(),
            many => {
                format!("{many} were skipped because they have changed since you loaded the page:")
            }
        };
        let missed = missed.iter().map(|one| self.row(None, one)).collect();
        Ok(Some(ActionSummary { flash, words, missed }))
    }
}
