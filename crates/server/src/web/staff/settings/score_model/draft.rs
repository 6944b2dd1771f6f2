//! A score model as a form: every number of it by its path, as texts, until it is a model again.

use mainstay_core::score::ScoreModel;
use serde_json::{Map, Value, json};

use crate::web::FormError;

/// Names and values of a form, in its order.
pub(super) type Pairs = Vec<(String, String)>;

/// Rows of a list that are offered beyond those that it has.
const SPARE_ROWS: usize = 2;
/// Rows that a list may have.
const MAX_ROWS: usize = 20;

/// A model that may not be one yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft(Pairs);

/// Fields that belong together.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) note: &'static str,
    /// What errors call it.
    pub(super) path: &'static str,
    pub(super) fields: Vec<Field>,
    /// A list of steps, each of two numbers.
    pub(super) lists: Vec<List>,
    /// What stands in where there is no data.
    pub(super) missing: Option<Missing>,
}

pub(super) struct Field {
    pub(super) path: &'static str,
    pub(super) label: &'static str,
    pub(super) unit: &'static str,
    pub(super) value: String,
}

pub(super) struct List {
    pub(super) path: &'static str,
    pub(super) label: &'static str,
    /// Name and label of the two numbers.
    pub(super) columns: [(&'static str, &'static str); 2],
    pub(super) rows: Vec<[String; 2]>,
}

pub(super) struct Missing {
    pub(super) path: &'static str,
    pub(super) label: &'static str,
    /// `zero`, `neutral` or `exclude`.
    pub(super) choice: String,
    pub(super) neutral: String,
}

type Columns = [(&'static str, &'static str); 2];

const MILESTONE: Columns = [("at", "Reached at"), ("points", "Points")];
const STEP: Columns = [("at_least_percent", "Change from, %"), ("points", "Points")];

/// Title, note, path, fields (path, label, unit), lists and missing data of each group.
type Layout = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str, &'static str)],
    &'static [(&'static str, &'static str, Columns)],
    Option<(&'static str, &'static str)>,
);

const LAYOUT: [Layout; 8] = [
    (
        "Weights",
        "Each component’s share of the score. Together 100.",
        "weights",
        &[
            ("weights/engagement", "Engagement", "%"),
            ("weights/activation", "Activation", "%"),
            ("weights/progress", "Progress", "%"),
            ("weights/satisfaction", "Satisfaction", "%"),
            ("weights/momentum", "Momentum", "%"),
        ],
        &[],
        None,
    ),
    (
        "Engagement",
        "This week’s activity. At most 100 points together.",
        "engagement",
        &[
            ("engagement/active_day_points", "Seven active days", "points"),
            ("engagement/event_points", "Points for enough events", "points"),
            ("engagement/events_full", "Events needed", "events"),
            ("engagement/high_value_points", "A high-value event", "points"),
        ],
        &[],
        None,
    ),
    (
        "Activation",
        "Onboarding tasks and the launch kit.",
        "activation",
        &[
            ("activation/task_points", "All tasks done or skipped", "points"),
            ("activation/launch_kit_points", "Launch kit viewed", "points"),
        ],
        &[],
        Some(("activation/without_tasks", "Without tasks")),
    ),
    (
        "Progress",
        "Milestones over a client’s whole life. At most 100 points together.",
        "progress",
        &[],
        &[
            ("progress/content", "Pieces of content", MILESTONE),
            ("progress/visuals", "Visuals created", MILESTONE),
        ],
        None,
    ),
    (
        "Satisfaction",
        "The mean of recent feedback, each on a scale of 0 to 100.",
        "satisfaction",
        &[("satisfaction/days", "Feedback counts for", "days")],
        &[],
        Some(("satisfaction/without_feedback", "Without feedback")),
    ),
    (
        "Momentum",
        "This week’s events against last week’s, from the highest change down; below the last step 0 \
         points.",
        "momentum",
        &[("momentum/from_nothing", "From none to some", "points")],
        &[("momentum/steps", "Steps", STEP)],
        None,
    ),
    (
        "Bands",
        "The lowest score of each band; below the last, a client is at risk.",
        "bands",
        &[
            ("bands/excellent", "Excellent from", "points"),
            ("bands/good", "Good from", "points"),
            ("bands/needs_attention", "Needs attention from", "points"),
        ],
        &[],
        None,
    ),
    (
        "Trend",
        "A change of at least this much is rising or declining.",
        "trend_points",
        &[("trend_points", "A trend from", "points")],
        &[],
        None,
    ),
];

impl Draft {
    /// A model that there is.
    pub(super) fn of(model: &ScoreModel) -> Self {
        // A model is plain data, so it always serializes.
        let json = serde_json::to_value(model).unwrap_or_default();
        let at = |path: &str| json.pointer(&format!("/{path}")).cloned().unwrap_or_default();
        let mut pairs = vec![("name".to_owned(), model.name.clone())];
        for (_, _, _, fields, lists, missing) in LAYOUT {
            for (path, ..) in fields {
                pairs.push(((*path).to_owned(), at(path).to_string()));
            }
            for (path, _, columns) in lists {
                for row in at(path).as_array().into_iter().flatten() {
                    for (column, _) in columns {
                        pairs.push((format!("{path}/{column}"), row[column].to_string()));
                    }
                }
            }
            if let Some((path, _)) = missing {
                let stands_in = at(path);
                let neutral = &stands_in["neutral"];
                let choice = stands_in.as_str().unwrap_or("neutral");
                pairs.push((path.to_owned(), choice.to_owned()));
                if !neutral.is_null() {
                    pairs.push((format!("{path}/neutral"), neutral.to_string()));
                }
            }
        }
        Self(pairs)
    }

    pub(super) fn from_form(pairs: &Pairs) -> Self {
        Self(pairs.clone())
    }

    /// Everything in it, to be sent again.
    pub(super) fn pairs(&self) -> Pairs {
        let known = |name: &str| {
            name == "name"
                || LAYOUT.iter().any(|(_, _, path, ..)| {
                    name.strip_prefix(path)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                })
        };
        self.0.iter().filter(|(name, _)| known(name)).cloned().collect()
    }

    pub(super) fn name(&self) -> String {
        self.value("name")
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.trim())
    }

    fn value(&self, name: &str) -> String {
        self.values(name).next().unwrap_or_default().to_owned()
    }

    fn rows(&self, path: &str, columns: Columns) -> Vec<[String; 2]> {
        let [first, second] = columns.map(|(column, _)| {
            let name = format!("{path}/{column}");
            self.values(&name).map(ToOwned::to_owned).collect::<Vec<_>>()
        });
        let count = first.len().max(second.len()).min(MAX_ROWS);
        let at = |values: &[String], row: usize| values.get(row).cloned().unwrap_or_default();
        (0..count).map(|row| [at(&first, row), at(&second, row)]).collect()
    }

    /// The form.
    pub(super) fn groups(&self) -> Vec<Group> {
        let group = |(title, note, path, fields, lists, missing): Layout| Group {
            title,
            note,
            path,
            fields: fields
                .iter()
                .map(|(path, label, unit)| Field { path, label, unit, value: self.value(path) })
                .collect(),
            lists: lists
                .iter()
                .map(|(path, label, columns)| {
                    let mut rows = self.rows(path, *columns);
                    rows.retain(|row| row.iter().any(|value| !value.is_empty()));
                    let spare = SPARE_ROWS.min(MAX_ROWS.saturating_sub(rows.len()));
                    rows.extend((0..spare).map(|_| <[String; 2]>::default()));
                    List { path, label, columns: *columns, rows }
                })
                .collect(),
            missing: missing.map(|(path, label)| Missing {
                path,
                label,
                choice: self.value(path),
                neutral: self.value(&format!("{path}/neutral")),
            }),
        };
        LAYOUT.into_iter().map(group).collect()
    }

    /// The model, if all of it are numbers; whether it makes sense is for the rules to say.
    pub(super) fn model(&self) -> Result<ScoreModel, FormError> {
        let mut model = json!({ "name": self.name() });
        for (_, _, _, fields, lists, missing) in LAYOUT {
            for (path, label, _) in fields {
                set(&mut model, path, number(path, label, &self.value(path))?);
            }
            for (path, label, columns) in lists {
                let mut steps = Vec::new();
                for row in self.rows(path, *columns) {
                    if row.iter().all(String::is_empty) {
                        continue;
                    }
                    let mut step = Map::new();
                    for ((column, _), value) in columns.iter().zip(&row) {
                        step.insert((*column).to_owned(), number(path, label, value)?);
                    }
                    steps.push(step.into());
                }
                set(&mut model, path, Value::Array(steps));
            }
            if let Some((path, label)) = missing {
                let choice = self.value(path);
                let stands_in = if matches!(choice.as_str(), "zero" | "exclude") {
                    json!(choice)
                } else {
                    let neutral = self.value(&format!("{path}/neutral"));
                    json!({ "neutral": number(path, label, &neutral)? })
                };
                set(&mut model, path, stands_in);
            }
        }
        serde_json::from_value(model)
            .map_err(|_| FormError::new("", "A number is too large; use a smaller one"))
    }
}

fn number(path: &str, label: &str, text: &str) -> Result<Value, FormError> {
    // People write the sign as it is set, too.
    let number = text.replace('\u{2212}', "-").parse::<i64>();
    number.map(Value::from).map_err(|_| {
        FormError::new(path, &format!("{label}: {text:?} is not a whole number; use one"))
    })
}

/// Puts a value where a path of at most two names leads.
fn set(model: &mut Value, path: &str, value: Value) {
    match path.split_once('/') {
        Some((outer, inner)) => {
            if !model[outer].is_object() {
                model[outer] = json!({});
            }
            model[outer][inner] = value;
        }
        None => model[path] = value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_becomes_a_form_is_the_same_model_again() {
        let model = ScoreModel::standard();
        assert_eq!(Draft::of(&model).model().unwrap(), model);
        let draft = Draft::from_form(&Draft::of(&model).pairs());
        assert_eq!(draft.model().unwrap(), model);
        assert_eq!(Draft::of(&model).groups().len(), LAYOUT.len());
    }

    #[test]
    fn an_invalid_number_is_reported_with_its_field() {
        let mut pairs = Draft::of(&ScoreModel::standard()).pairs();
        let weight = pairs.iter_mut().find(|(name, _)| name == "weights/momentum").unwrap();
        weight.1 = "many".to_owned();
        let error = Draft::from_form(&pairs).model().unwrap_err();
        assert_eq!(error.field, "weights/momentum");
        assert_eq!(error.message, "Momentum: \"many\" is not a whole number; use one.");
    }

    #[test]
    fn an_empty_or_foreign_form_is_an_error() {
        for pairs in [
            Vec::new(),
            vec![("weights".to_owned(), "1".to_owned())],
            vec![("progress/content/at".to_owned(), "1".to_owned()); 100],
        ] {
            let draft = Draft::from_form(&pairs);
            assert!(draft.model().is_err());
            draft.groups();
        }
    }
}
