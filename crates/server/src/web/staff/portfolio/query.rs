use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    alert::{AlertType, Severity, UnknownName},
    id::MemberId,
    portfolio::{AlertChoice, AlertMatch, Filter, Order, OwnerChoice, PageCursor, Sort},
    score::{Band, Trend},
};
use mainstay_store::Member;
use serde::Deserialize;
use url::form_urlencoded;

use crate::{Error, Result};

/// How long a client counts as new.
const NEW_CLIENT_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The bands by their names in addresses, the lowest first.
pub(super) const BANDS: [(&str, Band); 4] = [
    ("at_risk", Band::AtRisk),
    ("needs_attention", Band::NeedsAttention),
    ("good", Band::Good),
    ("excellent", Band::Excellent),
];
const TRENDS: [(&str, Trend); 3] =
    [("declining", Trend::Declining), ("stable", Trend::Stable), ("rising", Trend::Rising)];
/// What clients can be sorted by, with what the heads of columns and the choice say.
pub(super) const SORTS: [(&str, Sort, &str, &str); 5] = [
    ("need", Sort::Need, "Most urgent", "Least urgent"),
    ("score", Sort::Score, "Lowest score", "Highest score"),
    ("change", Sort::Change, "Largest drop", "Largest rise"),
    ("name", Sort::Name, "Name, A to Z", "Name, Z to A"),
    ("seen", Sort::LastSeen, "Inactive longest", "Last seen"),
];

/// A part of the clients that is often looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Need,
    Mine,
    Risk,
    New,
    All,
}

impl View {
    pub(super) const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Need, "need", "To contact"),
        (Self::Mine, "mine", "Mine"),
        (Self::Risk, "risk", "At risk"),
        (Self::New, "new", "New"),
        (Self::All, "all", "All"),
    ];

    /// Whose clients it shows.
    pub(super) fn filter(self, me: MemberId, now: Timestamp) -> Filter {
        let all = Filter::default();
        match self {
            Self::Need => Filter { needs_a_person: true, ..all },
            Self::Mine => Filter { owner: Some(OwnerChoice::Member(me)), ..all },
            Self::Risk => Filter { band: Some(Band::AtRisk), ..all },
            Self::New => Filter { created_since: now.checked_sub(NEW_CLIENT_AGE).ok(), ..all },
            Self::All => all,
        }
    }
}

/// The address: which clients, in which order, from where on.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(super) struct PortfolioQuery {
    view: String,
    pub(super) q: String,
    band: String,
    trend: String,
    alert: String,
    owner: String,
    plan: String,
    sort: String,
    after: String,
    before: String,
}

/// One choice of a list: what it sends, what it says, whether it is the one.
pub(super) type Choice = (String, String, bool);

impl PortfolioQuery {
    /// The part that is asked for; `None` when the address leaves it open.
    pub(super) fn view(&self) -> Result<Option<View>> {
        if self.view.is_empty() {
            return Ok(self.is_filtered().then_some(View::All));
        }
        let found = View::ALL.into_iter().find(|(_, name, _)| *name == self.view);
        found
            .map(|(view, ..)| Some(view))
            .ok_or_else(|| unknown("view", &self.view, &View::ALL.map(|(_, name, _)| name)))
    }

    /// Whether anything is chosen besides the part.
    pub(super) fn is_filtered(&self) -> bool {
        [&self.q, &self.band, &self.trend, &self.alert, &self.owner, &self.plan]
            .into_iter()
            .any(|value| !value.trim().is_empty())
    }

    /// Adds what is chosen to the filter of a part.
    pub(super) fn filter(&self, of_view: &Filter) -> Result<Filter> {
        Ok(Filter {
            text: self.q.trim().to_owned(),
            band: parse_name("band", &self.band, &BANDS)?.or(of_view.band),
            trend: parse_name("trend", &self.trend, &TRENDS)?,
            alert: self.alert()?,
            owner: self.owner()?.or(of_view.owner),
            plan: (!self.plan.is_empty()).then(|| self.plan.clone()),
            ..of_view.clone()
        })
    }

    fn alert(&self) -> Result<Option<AlertChoice>> {
        Ok(Some(match self.alert.as_str() {
            "" => return Ok(None),
            "any" => AlertChoice::With(AlertMatch::default()),
            "none" => AlertChoice::Without,
            name => AlertChoice::With(match name.parse::<Severity>() {
                Ok(severity) => AlertMatch { severity: Some(severity), ..AlertMatch::default() },
                Err(severities) => AlertMatch {
                    kind: Some(name.parse().map_err(|kinds: UnknownName| {
                        let names = format!("{}, {}, any, none", severities.allowed, kinds.allowed);
                        Error::invalid(
                            "alert",
                            format!("unknown alert {name:?}: use one of {names}"),
                        )
                    })?),
                    ..AlertMatch::default()
                },
            }),
        }))
    }

    fn owner(&self) -> Result<Option<OwnerChoice>> {
        Ok(Some(match self.owner.as_str() {
            "" => return Ok(None),
            "nobody" => OwnerChoice::Unassigned,
            id => OwnerChoice::Member(id.parse().map_err(|_| {
                Error::invalid("owner", "is not a member; choose one from the list, or nobody")
            })?),
        }))
    }

    pub(super) fn order(&self) -> Result<Order> {
        if self.sort.is_empty() {
            return Ok(Order::default());
        }
        let (reversed, name) =
            self.sort.strip_prefix('-').map_or((false, self.sort.as_str()), |name| (true, name));
        let found = SORTS.into_iter().find(|(sort, ..)| *sort == name);
        found
            .map(|(_, sort, ..)| Order { sort, reversed })
            .ok_or_else(|| unknown("sort", &self.sort, &SORTS.map(|(name, ..)| name)))
    }

    /// Where to go on after, and before.
    pub(super) fn places(&self) -> Result<(Option<PageCursor>, Option<PageCursor>)> {
        Ok((read_place("after", &self.after)?, read_place("before", &self.before)?))
    }

    /// The address of the same clients after a place.
    pub(super) fn after(&self, place: &PageCursor) -> String {
        Self { after: write_place(place), ..self.first() }.link()
    }

    /// The address of the same clients before a place.
    pub(super) fn before(&self, place: &PageCursor) -> String {
        Self { before: write_place(place), ..self.first() }.link()
    }

    /// The address of the first page in another order; the other way round when it is this one.
    pub(super) fn sorted(&self, name: &str) -> String {
        let sort = match (self.sort.as_str(), name) {
            ("" | "need", "need") => "-need".to_owned(),
            (now, name) if now == name => format!("-{name}"),
            (_, "need") => String::new(),
            (_, name) => name.to_owned(),
        };
        Self { sort, ..self.first() }.link()
    }

    /// The address of a part, with nothing else chosen.
    pub(super) fn of_view(name: &str) -> String {
        Self { view: name.to_owned(), ..Self::default() }.link()
    }

    /// The address of the clients of a band.
    pub(super) fn of_band(name: &str) -> String {
        Self { band: name.to_owned(), ..Self::default() }.link()
    }

    fn first(&self) -> Self {
        Self { after: String::new(), before: String::new(), ..self.clone() }
    }

    fn link(&self) -> String {
        let given: Vec<(&str, &str)> = [
            ("view", &self.view),
            ("q", &self.q),
            ("band", &self.band),
            ("trend", &self.trend),
            ("alert", &self.alert),
            ("owner", &self.owner),
            ("plan", &self.plan),
            ("sort", &self.sort),
            ("after", &self.after),
            ("before", &self.before),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.as_str()))
        .collect();
        if given.is_empty() {
            return "/portfolio".to_owned();
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
        format!("/portfolio?{query}")
    }

    pub(super) fn bands(&self) -> Vec<Choice> {
        choices(&self.band, BANDS.map(|(name, band)| (name.to_owned(), sentence(band.words()))))
    }

    pub(super) fn trends(&self) -> Vec<Choice> {
        choices(&self.trend, TRENDS.map(|(name, _)| (name.to_owned(), sentence(name))))
    }

    pub(super) fn alerts(&self, words: impl Fn(AlertType) -> &'static str) -> Vec<Choice> {
        let fixed = [("any", "With alerts"), ("none", "Without alerts")];
        let all = fixed
            .into_iter()
            .map(|(name, words)| (name.to_owned(), words.to_owned()))
            .chain(Severity::ALL.iter().rev().map(|it| (it.to_string(), sentence(it.as_str()))))
            .chain(AlertType::ALL.iter().map(|it| (it.to_string(), words(*it).to_owned())));
        choices(&self.alert, all)
    }

    pub(super) fn owners(&self, members: &[Member]) -> Vec<Choice> {
        let nobody = ("nobody".to_owned(), "Unassigned".to_owned());
        let name =
            |member: &Member| crate::web::ui::text::visible(&member.name, &member.email).to_owned();
        let members = members.iter().map(|member| (member.id.to_string(), name(member)));
        choices(&self.owner, members.chain([nobody]))
    }

    pub(super) fn plans<'a>(&self, plans: impl Iterator<Item = &'a String>) -> Vec<Choice> {
        choices(&self.plan, plans.map(|plan| (plan.clone(), plan.clone())))
    }

    pub(super) fn sorts(&self) -> Vec<Choice> {
        let all = SORTS.into_iter().flat_map(|(name, _, words, reversed)| {
            let name_itself = if name == "need" { String::new() } else { name.to_owned() };
            [(name_itself, words.to_owned()), (format!("-{name}"), reversed.to_owned())]
        });
        choices(&self.sort, all)
    }

    /// The part to stay in when something else is chosen.
    pub(super) fn view_name(&self) -> &str {
        &self.view
    }
}

fn choices(chosen: &str, all: impl IntoIterator<Item = (String, String)>) -> Vec<Choice> {
    all.into_iter()
        .map(|(name, words)| {
            let is_chosen = name == chosen;
            (name, words, is_chosen)
        })
        .collect()
}

fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(char::to_uppercase).into_iter().flatten().chain(chars).collect()
}

fn parse_name<T: Copy>(field: &str, name: &str, all: &[(&str, T)]) -> Result<Option<T>> {
    if name.is_empty() {
        return Ok(None);
    }
    let found = all.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| Some(*value)).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        unknown(field, name, &names)
    })
}

fn unknown(field: &str, text: &str, names: &[&str]) -> Error {
    Error::invalid(field, format!("unknown {field} {text:?}: use one of {}", names.join(", ")))
}

/// A place in an address: its number, its client, its name.
pub(in crate::web) fn write_place(place: &PageCursor) -> String {
    format!("{}~{}~{}", place.number, place.client, place.text)
}

/// Reads what [`write_place`] wrote.
///
/// # Errors
/// When it is something else.
pub(in crate::web) fn read_place(field: &str, text: &str) -> Result<Option<PageCursor>> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = || {
        let mut parts = text.splitn(3, '~');
        let number = parts.next()?.parse().ok()?;
        let client = parts.next()?.parse().ok()?;
        Some(PageCursor { number, client, text: parts.next()?.to_owned() })
    };
    read()
        .map(Some)
        .ok_or_else(|| Error::invalid(field, "is not a valid cursor; go back to the first page"))
}
