use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the five parts of a success score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// How often and how much the client was here this week.
    Engagement,
    /// How far its onboarding is.
    Activation,
    /// What it has made so far.
    Progress,
    /// What it says of us.
    Satisfaction,
    /// Whether this week was busier than the last.
    Momentum,
}

impl Component {
    /// All five, in the order in which they are always shown.
    pub const ALL: [Self; 5] =
        [Self::Engagement, Self::Activation, Self::Progress, Self::Satisfaction, Self::Momentum];

    /// The name used in every API and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Engagement => "engagement",
            Self::Activation => "activation",
            Self::Progress => "progress",
            Self::Satisfaction => "satisfaction",
            Self::Momentum => "momentum",
        }
    }

    /// The name as people read it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Engagement => "Engagement",
            Self::Activation => "Activation",
            Self::Progress => "Progress",
            Self::Satisfaction => "Satisfaction",
            Self::Momentum => "Momentum",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One value for each component: points, weights, contributions. A stored one may lack a component that came
/// later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Components<T> {
    /// See [`Component::Engagement`].
    pub engagement: T,
    /// See [`Component::Activation`].
    pub activation: T,
    /// See [`Component::Progress`].
    pub progress: T,
    /// See [`Component::Satisfaction`].
    pub satisfaction: T,
    /// See [`Component::Momentum`].
    pub momentum: T,
}

impl<T> Components<T> {
    /// Builds all five from a function of the component.
    pub fn from_fn(mut value: impl FnMut(Component) -> T) -> Self {
        Self {
            engagement: value(Component::Engagement),
            activation: value(Component::Activation),
            progress: value(Component::Progress),
            satisfaction: value(Component::Satisfaction),
            momentum: value(Component::Momentum),
        }
    }

    /// The value of one component.
    pub const fn get(&self, component: Component) -> &T {
        match component {
            Component::Engagement => &self.engagement,
            Component::Activation => &self.activation,
            Component::Progress => &self.progress,
            Component::Satisfaction => &self.satisfaction,
            Component::Momentum => &self.momentum,
        }
    }
}

/// A component's value before anything is said about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComponentValue {
    /// 0–100.
    pub points: i64,
    /// Whether it rests on data or on the model's rule for missing data.
    pub measured: bool,
}
