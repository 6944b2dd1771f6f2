/// Minimum number of runs for a judgement about a rule.
const MIN_SAMPLES: i64 = 10;

/// Outcome counts of an alert type or a playbook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of alerts sent, or of playbook runs started.
    pub opened: i64,
    /// After how many of these a person did something: acknowledged or resolved the alert, or did a
    /// task that it led to. A dismissal says that there was nothing to do.
    pub acted_on: i64,
    /// After how many of these the client recovered in time.
    pub recovered: i64,
    /// Of how many it cannot be told yet, because the time is not over.
    pub undecided: i64,
}

/// Clients that a playbook acts for within a day without anybody being asked, however few there are.
const MAX_WITHOUT_APPROVAL: i64 = 10;

/// Whether a playbook that acts for so many of an organization's clients within a day should ask a
/// person first: for more than ten, and for more than 5 % of them.
pub const fn needs_approval_for(runs: i64, clients: i64) -> bool {
    runs > MAX_WITHOUT_APPROVAL && runs * 20 > clients
}

/// Whether staff have learned to look away: at least ten times, and in fewer than one of ten did
/// anybody do something.
pub const fn is_noisy(tally: &Tally) -> bool {
    tally.opened >= MIN_SAMPLES && tally.acted_on * 10 < tally.opened
}
