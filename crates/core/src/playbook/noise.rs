/// Fewer than this say nothing about a rule.
const FEWEST: i64 = 10;

/// How often something happened and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often an alert was told, or a playbook started.
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
const FEW: i64 = 10;

/// Whether a playbook that acts for so many of an organization's clients within a day should ask a
/// person first: for more than ten, and for more than 5 % of them.
pub const fn acts_for_many(occasions: i64, clients: i64) -> bool {
    occasions > FEW && occasions * 20 > clients
}

/// Whether staff have learned to look away: at least ten times, and in fewer than one of ten did
/// anybody do something.
pub const fn is_noisy(tally: &Tally) -> bool {
    tally.opened >= FEWEST && tally.acted_on * 10 < tally.opened
}
