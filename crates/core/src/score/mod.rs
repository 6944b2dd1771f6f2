//! The success score: five components, weighted by a versioned model, explained to the last
//! hundredth of a point.
//!
//! `overall = round(Σ weight × component)`. Everything a person can ask about a score follows from
//! its [`ScoreInputs`] and its [`ScoreModel`], see [`Evidence`].

mod component;
mod evidence;
mod feedback;
mod improvement;
mod inputs;
mod model;
mod ratio;
mod trend;

pub use component::{Component, ComponentValue, Components};
pub use evidence::{ComponentEvidence, Evidence, Part};
pub use feedback::{FeedbackError, FeedbackKind};
pub use improvement::{Action, Improvement, improvements, improvements_now};
pub use inputs::{LaunchKit, ScoreInputs, TaskCounts};
pub use model::{
    ActivationRule, BandFloors, EngagementRule, Milestone, MissingData, ModelError, MomentumRule,
    MomentumStep, ProgressRule, SatisfactionRule, ScoreModel, Weights,
};
pub use trend::{
    Band, Comparison, EarlierScore, Previous, PreviousCutoffs, Score, Trend, displayed_as_of,
};
