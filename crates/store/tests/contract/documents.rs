//! Documents in the database outlive the version that wrote them: the samples are what this version writes, and
//! every later one must read them. When a document gains a field, it needs a default; the samples stay.

use std::{collections::BTreeMap, collections::BTreeSet, fs, path::Path};

use mainstay_core::{
    email::{EmailContent, EmailSettings},
    engagement::{Event, ProfileTimes},
    insight::InsightEvidence,
    notification::{Notification, NotificationSettings, Route},
    playbook::{ActionOutcome, Playbook},
    score::{ScoreInputs, ScoreModel},
};
use mainstay_store::RunCounts;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Reads a document, and writes it again.
type Decode = fn(Value) -> Result<Value, String>;

struct Sample {
    file: &'static str,
    /// The type in the store.
    document: &'static str,
    decode: Decode,
    /// What it cannot be read without: it has been in every version. All else is optional.
    required: &'static str,
}

fn decode<T: DeserializeOwned + Serialize>(document: Value) -> Result<Value, String> {
    let document: T = serde_json::from_value(document).map_err(|error| error.to_string())?;
    serde_json::to_value(document).map_err(|error| error.to_string())
}

const SAMPLES: &[Sample] = &[
    Sample {
        file: "score_model",
        document: "ScoreModel",
        decode: decode::<ScoreModel>,
        required: "name weights progress.content[].at progress.content[].points \
            progress.visuals[].at progress.visuals[].points momentum.steps[].at_least_percent \
            momentum.steps[].points satisfaction.without_feedback.neutral",
    },
    Sample {
        file: "score_inputs",
        document: "ScoreInputs",
        decode: decode::<ScoreInputs>,
        required: "as_of zone model events events_before active_days high_value content visuals \
            tasks settled kit ratings rating_sum",
    },
    Sample {
        file: "email_settings",
        document: "EmailSettings",
        decode: decode::<EmailSettings>,
        required: "quiet.from quiet.until",
    },
    Sample {
        file: "notification_settings",
        document: "NotificationSettings",
        decode: decode::<NotificationSettings>,
        required: "quiet.from quiet.until",
    },
    Sample { file: "route", document: "Route", decode: decode::<Route>, required: "" },
    Sample {
        file: "playbooks",
        document: "Playbook",
        decode: decode::<BTreeMap<String, Playbook>>,
        required: "alert.name alert.trigger alert.trigger.on alert.trigger.at_least alert.actions \
            alert.actions[].do alert.actions[].title alert.actions[].due_in_days \
            band.name band.trigger band.trigger.on band.trigger.to band.actions \
            band.actions[].do band.actions[].webhook \
            nudge.name nudge.trigger nudge.trigger.on nudge.trigger.at_least nudge.actions \
            nudge.actions[].do",
    },
    Sample {
        file: "playbook_deeds",
        document: "ActionOutcome",
        decode: decode::<BTreeMap<String, ActionOutcome>>,
        required: "nudged.did nudged.email not_nudged.did not_nudged.reason called.did \
            called.webhook not_called.did failed.did failed.reason",
    },
    Sample {
        file: "email_content",
        document: "EmailContent",
        decode: decode::<EmailContent>,
        required: "organization about preview heading lead button score.overall score.band \
            score.trend score.change.points score.change.since score.change.before \
            score.parts[].name score.parts[].points score.parts[].band score.parts[].measured \
            stats[].figure stats[].label items[].label items[].title items[].message",
    },
    Sample {
        file: "insight_evidence",
        document: "InsightEvidence",
        decode: decode::<InsightEvidence>,
        required: "first last",
    },
    Sample {
        file: "notices",
        document: "Notification",
        decode: decode::<BTreeMap<String, Notification>>,
        required: "alert.opened.type alert.opened.timestamp alert.opened.data \
            alert.opened.data.organization alert.opened.data.alert_id alert.opened.data.client_id \
            alert.opened.data.owner.id alert.opened.data.owner.name alert.opened.data.alert_type \
            alert.opened.data.severity alert.opened.data.status alert.opened.data.message \
            alert.opened.data.opened_at \
            organization.fall.type organization.fall.timestamp organization.fall.data \
            organization.fall.data.organization organization.fall.data.clients \
            organization.fall.data.clients_in_all organization.fall.data.alerts \
            organization.fall.data.by_type[].alert_type organization.fall.data.by_type[].severity \
            organization.fall.data.by_type[].alerts \
            data.silent.type data.silent.timestamp data.silent.data data.silent.data.organization \
            data.silent.data.last_event_at \
            playbook.called.type playbook.called.timestamp playbook.called.data \
            playbook.called.data.organization playbook.called.data.playbook \
            playbook.called.data.client_id playbook.called.data.reason \
            webhook.test.type webhook.test.timestamp webhook.test.data \
            webhook.test.data.organization webhook.test.data.endpoint",
    },
    Sample {
        file: "waiting_event",
        document: "Event",
        decode: decode::<Event>,
        required: "client_id event_type name occurred_at received_at message_id",
    },
    Sample {
        file: "profile_times",
        document: "ProfileTimes",
        decode: decode::<ProfileTimes>,
        required: "",
    },
    Sample { file: "run_counts", document: "RunCounts", decode: decode::<RunCounts>, required: "" },
];

fn document(file: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let text = fs::read_to_string(folder.join(format!("{file}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Whether one document says all that another one does.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| contains(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(w, p)| contains(w, p))
        }
        _ => whole == part,
    }
}

/// The document without one field, for each of its fields, by the path to it.
fn without_each(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let dotted = |key: &str, rest: &str| {
        if rest.starts_with('[') { format!("{key}{rest}") } else { format!("{key}.{rest}") }
    };
    if let Value::Object(fields) = value {
        for (key, inner) in fields {
            let mut left = fields.clone();
            left.remove(key);
            found.push((key.clone(), Value::Object(left)));
            for (rest, changed) in without_each(inner) {
                let mut left = fields.clone();
                left.insert(key.clone(), changed);
                found.push((dotted(key, &rest), Value::Object(left)));
            }
        }
    }
    if let Value::Array(items) = value {
        for (place, inner) in items.iter().enumerate() {
            for (rest, changed) in without_each(inner) {
                let mut left = items.clone();
                left[place] = changed;
                found.push((dotted("[]", &rest), Value::Array(left)));
            }
        }
    }
    found
}

#[test]
fn every_sample_is_read_with_all_that_it_says() {
    for sample in SAMPLES {
        let stored = document(sample.file);
        let read = (sample.decode)(stored.clone())
            .unwrap_or_else(|error| panic!("{}: {error}", sample.file));
        assert!(contains(&read, &stored), "{}: {read}", sample.file);
    }
}

#[test]
fn a_document_without_any_one_optional_field_is_read() {
    for sample in SAMPLES {
        let required: BTreeSet<&str> = sample.required.split_whitespace().collect();
        let mut refused = BTreeSet::new();
        for (path, document) in without_each(&document(sample.file)) {
            if (sample.decode)(document).is_err() {
                refused.insert(path);
            }
        }
        let refused: BTreeSet<&str> = refused.iter().map(String::as_str).collect();
        assert_eq!(refused, required, "{}", sample.file);
    }
}

#[test]
fn a_model_from_before_a_component_gives_it_no_weight_and_the_standard_rule() {
    let mut stored = document("score_model");
    stored["weights"].as_object_mut().unwrap().remove("momentum");
    stored.as_object_mut().unwrap().remove("momentum");
    let model: ScoreModel = serde_json::from_value(stored).unwrap();
    assert_eq!((model.weights.momentum, model.weights.engagement), (0, 25));
    assert_eq!(model.momentum, ScoreModel::standard().momentum);
}

#[test]
fn every_document_of_the_store_has_a_sample() {
    let mut documents = BTreeSet::new();
    for (_, text) in crate::coverage::sources("src") {
        for after in text.split("Json<").skip(1).filter(|after| !after.starts_with('&')) {
            let end = after.find(|c: char| !c.is_alphanumeric()).unwrap_or(after.len());
            documents.insert(after[..end].to_owned());
        }
    }
    // Any JSON, lists of one of the others or of a query's rows, and a part of the inputs of a score.
    for other in ["Map", "Value", "Vec", "DisplayedInputs"] {
        assert!(documents.remove(other), "{other}");
    }
    documents.insert("ActionOutcome".to_owned());
    let known: BTreeSet<String> = SAMPLES.iter().map(|one| one.document.to_owned()).collect();
    assert_eq!(documents, known);
}
