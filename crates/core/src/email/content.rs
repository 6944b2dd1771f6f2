use serde::{Deserialize, Serialize};

use crate::score::{Band, Trend};

/// All that a mail says, besides its links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailContent {
    /// Client of the email.
    pub organization: String,
    /// What it is about, beside the organization: "Your week, 15 to 21 Nov".
    pub about: String,
    /// What mail programs show after the subject.
    pub preview: String,
    /// The first line.
    pub heading: String,
    /// One or two sentences below it.
    pub lead: String,
    /// How the client stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<ScoreLine>,
    /// Figures side by side.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stats: Vec<Stat>,
    /// Additional notes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// The words on the button.
    pub button: String,
    /// Small print, before the way out.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A score with what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreLine {
    /// 0–100.
    pub overall: i64,
    /// Band of the score.
    pub band: Band,
    /// Where it goes.
    pub trend: Trend,
    /// Since when it changed by how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// Its components.
    #[serde(default)]
    pub parts: Vec<PartLine>,
}

/// A change against an earlier score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// By how many points.
    pub points: i64,
    /// The day of the earlier one, as people read it.
    pub since: String,
    /// The earlier one.
    pub before: i64,
}

/// A component of a score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartLine {
    /// Name.
    pub name: String,
    /// 0–100.
    pub points: i64,
    /// Band of the score.
    pub band: Band,
    /// Whether it rests on data.
    pub measured: bool,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// The number: "4 of 7".
    pub figure: String,
    /// What it counts: "active days".
    pub label: String,
}

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Kind.
    pub label: String,
    /// A few words.
    pub title: String,
    /// One to three sentences.
    pub message: String,
}
