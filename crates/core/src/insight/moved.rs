use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::words::format_signed_points;
use crate::score::{Component, Components, Evidence, ScoreInputs, ScoreModel};

/// How much one component moved an overall score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentChange {
    /// ID.
    pub component: Component,
    /// Change of its contribution to the overall, in hundredths of a point.
    pub hundredths: i64,
}

impl ComponentChange {
    /// What moved a score from one set of contributions to another: the components that changed,
    /// the largest change first. Their sum is the exact change of the overall before rounding.
    pub fn between(before: &Components<i64>, after: &Components<i64>) -> Vec<Self> {
        let mut changes: Vec<Self> = Component::ALL
            .into_iter()
            .map(|component| Self {
                component,
                hundredths: after.get(component) - before.get(component),
            })
            .filter(|changes| changes.hundredths != 0)
            .collect();
        changes.sort_by_key(|changes| Reverse(changes.hundredths.abs()));
        changes
    }

    /// `engagement −17.00, momentum −9.00`.
    pub(crate) fn words(changes: &[Self]) -> String {
        changes
            .iter()
            .map(|changes| {
                format!("{} {}", changes.component, format_signed_points(changes.hundredths))
            })
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Each component's contribution to a score, in hundredths of a point of the overall; `model` is the
/// version that made the score.
pub fn contributions(inputs: &ScoreInputs, model: &ScoreModel) -> Components<i64> {
    let evidence = Evidence::of(inputs, model);
    Components::from_fn(|component| {
        evidence
            .components
            .iter()
            .filter(|part| part.component == component)
            .map(|part| part.contribution_hundredths)
            .sum()
    })
}
