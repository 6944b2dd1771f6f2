//! The catalogue of events in the OpenAPI document: an example of each, from the code that builds
//! real ones, and a schema derived from it.

use jiff::Timestamp;
use mainstay_core::{
    alert::{AlertStatus, AlertType, Severity},
    notification::{
        AlertNotification, AlertOwner, AlertSummary, EndpointKind, Event, Notification,
        NotificationType, PlaybookNotification, SilenceNotification, TestNotification, TypeCount,
    },
};
use serde_json::{Value, json};
use utoipa::openapi::{
    ContentBuilder, Paths, PathsBuilder, RefOr, Required, ResponseBuilder, Schema,
    path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem},
    request_body::RequestBodyBuilder,
    schema::{ArrayBuilder, ObjectBuilder, Type},
};
use uuid::Uuid;

use crate::{notification::body_of, site::Site};

/// The instant of the examples.
const EXAMPLE_TIME: Timestamp = Timestamp::constant(1_798_000_000, 0);

const HEADERS: [(&str, &str); 3] = [
    (
        "webhook-id",
        "The message's id: the same for every attempt, so that the receiver can deduplicate.",
    ),
    (
        "webhook-timestamp",
        "When it was sent, in Unix seconds. Reject messages that are minutes old.",
    ),
    (
        "webhook-signature",
        "`v1,` and the HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}` in base64; two of \
         them, separated by a space, during a secret rotation.",
    ),
];

/// The events sent to webhooks.
pub(crate) fn webhooks(site: &Site) -> Paths {
    let mut paths = PathsBuilder::new();
    for kind in NotificationType::ALL {
        let notice = Notification { event: example(*kind), timestamp: EXAMPLE_TIME };
        let body = body_of(EndpointKind::Webhook, &notice, site);
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let content = ContentBuilder::new().schema(Some(schema_of(&body))).example(Some(body));
        let request = RequestBodyBuilder::new()
            .content("application/json", content.build())
            .required(Some(Required::True));
        let taken = ResponseBuilder::new().description(
            "2xx within 15 seconds: delivered. 410: the webhook is disabled. Anything else: \
             retried, up to ten times within four days.",
        );
        let mut operation = OperationBuilder::new()
            .tag("Webhooks")
            .summary(Some(kind.words()))
            .description(Some(kind.description()))
            .operation_id(Some(kind.as_str()))
            .request_body(Some(request.build()))
            .response("2XX", taken.build());
        for (name, description) in HEADERS {
            let header = ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::True)
                .description(Some(description))
                .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
            operation = operation.parameter(header);
        }
        paths = paths.path(kind.as_str(), PathItem::new(HttpMethod::Post, operation.build()));
    }
    paths.build()
}

/// The schema of an example value: what is absent or null in it is optional.
fn schema_of(value: &Value) -> RefOr<Schema> {
    let plain = |kind| ObjectBuilder::new().schema_type(kind).into();
    match value {
        Value::Object(fields) => {
            let mut object = ObjectBuilder::new().schema_type(Type::Object);
            for (name, field) in fields {
                object = object.property(name, schema_of(field));
                if name == "type" {
                    object = object.required(name);
                }
            }
            object.into()
        }
        Value::Array(items) => {
            let items = items.first().map_or_else(|| plain(Type::Object), schema_of);
            RefOr::T(ArrayBuilder::new().items(items).into())
        }
        Value::Number(_) => plain(Type::Integer),
        Value::Bool(_) => plain(Type::Boolean),
        Value::String(_) | Value::Null => plain(Type::String),
    }
}

fn organization() -> String {
    "acme".to_owned()
}

fn example(kind: NotificationType) -> Event {
    let silence = || SilenceNotification {
        organization: organization(),
        last_event_at: EXAMPLE_TIME,
        clients: None,
        write_key: None,
    };
    match kind {
        NotificationType::AlertOpened => Event::AlertOpened(alert(AlertStatus::Active)),
        NotificationType::AlertWorsened => Event::AlertWorsened(alert(AlertStatus::Active)),
        NotificationType::AlertResolved => Event::AlertResolved(AlertNotification {
            message: "Active again: last event Tue 22 Dec, 09:10.".to_owned(),
            ..alert(AlertStatus::Resolved)
        }),
        NotificationType::OrganizationFall => Event::OrganizationFall(many(AlertStatus::Active)),
        NotificationType::OrganizationRecovery => {
            Event::OrganizationRecovery(many(AlertStatus::Resolved))
        }
        NotificationType::DataSilent => Event::DataSilent(silence()),
        NotificationType::DataResumed => Event::DataResumed(silence()),
        NotificationType::PlaybookCalled => Event::PlaybookCalled(PlaybookNotification {
            organization: organization(),
            playbook: "Call whoever falls silent".to_owned(),
            client_id: "ada".to_owned(),
            client_name: Some("Ada".to_owned()),
            reason: "No activity opened.".to_owned(),
            alert: Some(alert(AlertStatus::Active)),
        }),
        NotificationType::WebhookTest => Event::WebhookTest(TestNotification {
            organization: organization(),
            endpoint: "Customer success channel".to_owned(),
        }),
    }
}

fn alert(status: AlertStatus) -> AlertNotification {
    let figures = json!({ "quiet_days": 4, "usual_gap_days": 1 });
    AlertNotification {
        organization: organization(),
        alert_id: Uuid::from_u128(0x019a_2b3c_4d5e_7f60_8a1b_2c3d_4e5f_6071).into(),
        client_id: "ada".to_owned(),
        client_name: Some("Ada".to_owned()),
        owner: Some(AlertOwner {
            id: Uuid::from_u128(0x019a_2b3c_4d5e_7f60_8a1b_2c3d_4e5f_6072).into(),
            name: "Grace".to_owned(),
        }),
        alert_type: AlertType::ZeroActivity,
        severity: Severity::Critical,
        status,
        message: "Quiet for 4 days, usual gap 1 day.".to_owned(),
        figures: figures.as_object().cloned().unwrap_or_default(),
        opened_at: EXAMPLE_TIME,
    }
}

fn many(status: AlertStatus) -> AlertSummary {
    let count = TypeCount {
        alert_type: AlertType::ZeroActivity,
        severity: Severity::Critical,
        alerts: 412,
    };
    AlertSummary {
        organization: organization(),
        clients: 412,
        clients_in_all: 500,
        alerts: 412,
        by_type: vec![count],
        worst: vec![alert(status)],
    }
}
