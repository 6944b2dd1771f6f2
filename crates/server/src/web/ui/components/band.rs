use askama::Template;
use mainstay_core::{
    insight::words::format_signed,
    score::{Band, Trend},
};

use super::{markup, view::View};

/// A band in words and its level, one to four bars: never by colour alone.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "components/band_chip.html")]
pub(crate) struct BandChip {
    /// The name that colours are given by.
    pub(crate) name: &'static str,
    /// Its label for this audience, in lower case.
    pub(crate) words: &'static str,
    /// The icon of its level.
    pub(crate) icon: &'static str,
}

impl From<Band> for BandChip {
    fn from(band: Band) -> Self {
        let (name, icon) = match band {
            Band::AtRisk => ("risk", "level-1"),
            Band::NeedsAttention => ("attention", "level-2"),
            Band::Good => ("good", "level-3"),
            Band::Excellent => ("excellent", "level-4"),
        };
        Self { name, words: band.words(), icon }
    }
}

impl BandChip {
    /// The band of a client that staff or the client itself look at.
    pub(super) fn of(band: Band, view: &View) -> Self {
        let words = view.your(band.client_words(), band.words());
        Self { words, ..band.into() }
    }

    /// The band of the client that reads it.
    pub(crate) fn for_client(band: Band) -> Self {
        Self { words: band.client_words(), ..band.into() }
    }
}

/// A change with its arrow; coloured only when it is a trend.
#[derive(Clone, Debug, Template)]
#[template(path = "components/trend_mark.html")]
pub(crate) struct TrendMark {
    class: &'static str,
    icon: &'static str,
    change: String,
    /// `rising`, `stable`, `declining`.
    pub(crate) word: &'static str,
}

impl TrendMark {
    /// A change of so many points, which is this trend.
    pub(crate) fn new(change: i64, trend: Trend) -> Self {
        let (class, icon) = match trend {
            Trend::Rising => (" rising", "up"),
            Trend::Stable => ("", "flat"),
            Trend::Declining => (" declining", "down"),
        };
        Self { class, icon, change: format_signed(change), word: trend.as_str() }
    }

    /// A change of a figure that is no score, in percent: it has a direction and no verdict.
    pub(crate) fn share(percent: i64) -> Self {
        let (icon, word) = match percent {
            ..0 => ("down", "less"),
            0 => ("flat", "the same"),
            1.. => ("up", "more"),
        };
        Self { class: "", icon, change: format!("{} %", format_signed(percent)), word }
    }
}

markup!(BandChip, TrendMark);
