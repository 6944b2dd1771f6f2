use std::collections::HashMap;

use jiff::Timestamp;

use super::{Filter, OwnerChoice, Standing};
use crate::id::MemberId;

/// How many clients there are of the parts that every page tells the size of, made by the first page
/// after a change.
#[derive(Debug)]
pub(super) struct Tally {
    by_owner: HashMap<Option<MemberId>, usize>,
    /// When each client came to be, the earliest first.
    created: Vec<Timestamp>,
}

impl Tally {
    pub(super) fn of<'a>(standings: impl Iterator<Item = &'a Standing>) -> Self {
        let mut by_owner: HashMap<Option<MemberId>, usize> = HashMap::new();
        let mut created: Vec<Timestamp> = standings
            .map(|standing| {
                *by_owner.entry(standing.owner).or_default() += 1;
                standing.created_at
            })
            .collect();
        created.sort_unstable();
        Self { by_owner, created }
    }

    /// How many clients a filter lets through; `None` when it asks for something else.
    pub(super) fn count(&self, filter: &Filter) -> Option<usize> {
        let all = Filter::default();
        if let Some(owner) = filter.owner
            && *filter == (Filter { owner: filter.owner, ..all.clone() })
        {
            let owner = match owner {
                OwnerChoice::Member(member) => Some(member),
                OwnerChoice::Unassigned => None,
            };
            return Some(self.by_owner.get(&owner).copied().unwrap_or(0));
        }
        let since = filter.created_since?;
        (*filter == Filter { created_since: Some(since), ..all })
            .then(|| self.created.len() - self.created.partition_point(|at| *at < since))
    }
}
