use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The scale on which a client rated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackKind {
    /// 1–5 stars.
    Stars,
    /// Customer satisfaction, 1 (very dissatisfied) to 5 (very satisfied).
    Csat,
    /// Net promoter score, 0–10.
    Nps,
    /// 0 (down) or 1 (up).
    Thumbs,
    /// A percentage, 0–100, for scales that the sender has normalised already.
    Percent,
}

/// Why a rating was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedbackError {
    /// The scale is unknown.
    #[error(
        "unknown scale {0:?}: use stars (1–5), csat (1–5), nps (0–10), thumbs (0 or 1) or percent (0–100)"
    )]
    Kind(String),
    /// The rating is outside its scale.
    #[error("{rating} is outside the {kind} scale, {min} to {max}; send a whole number on it")]
    Rating {
        /// The scale.
        kind: FeedbackKind,
        /// Body of the request.
        rating: i64,
        /// The scale's lowest value.
        min: i64,
        /// The scale's highest value.
        max: i64,
    },
}

impl FeedbackError {
    /// The field at fault, by its name in the API.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Kind(_) => "kind",
            Self::Rating { .. } => "rating",
        }
    }
}

impl FeedbackKind {
    /// Every scale.
    pub const ALL: [Self; 5] = [Self::Stars, Self::Csat, Self::Nps, Self::Thumbs, Self::Percent];

    /// The name used in every API and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stars => "stars",
            Self::Csat => "csat",
            Self::Nps => "nps",
            Self::Thumbs => "thumbs",
            Self::Percent => "percent",
        }
    }

    const fn range(self) -> (i64, i64) {
        match self {
            Self::Stars | Self::Csat => (1, 5),
            Self::Nps => (0, 10),
            Self::Thumbs => (0, 1),
            Self::Percent => (0, 100),
        }
    }

    /// The rating on a common scale, 0 (worst) to 100 (best): `(rating − min) / (max − min) × 100`,
    /// a whole number on every scale there is.
    ///
    /// # Errors
    /// When the rating is outside the scale.
    pub const fn normalize(self, rating: i64) -> Result<i64, FeedbackError> {
        let (min, max) = self.range();
        if rating < min || rating > max {
            return Err(FeedbackError::Rating { kind: self, rating, min, max });
        }
        Ok((rating - min) * 100 / (max - min))
    }
}

impl fmt::Display for FeedbackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FeedbackKind {
    type Err = FeedbackError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| FeedbackError::Kind(text.to_owned()))
    }
}
