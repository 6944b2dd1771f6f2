//! The parts of the OpenAPI document that are common to all routes.

use mainstay_core::engagement::MAX_CLIENT_ID_CHARS;
use serde_json::{Value, json};
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        Components, ComponentsBuilder, Content, ContentBuilder, HeaderBuilder, InfoBuilder,
        KnownFormat, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response,
        ResponseBuilder, SchemaFormat,
        path::{Operation, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

use super::{
    problem::{MEDIA_TYPE, ProblemDetails},
    refused::RefusedEvent,
    v1::webhooks::catalogue::webhooks,
};
use crate::site::Site;

const DESCRIPTION: &str = "\
Mainstay scores how well each client of an organization is doing, explains every score down to its \
events, writes weekly insights for each client and alerts staff to clients that need attention.

Clients are named by the id that the host app gave them (`client_id`, Segment's `userId`). Times are \
RFC 3339 in UTC; days are calendar days of the organization's time zone. Figures are whole numbers; \
those named `…_hundredths` are hundredths. Every error is a problem document (RFC 9457) that names \
the field, the limit and the remedy. Every response about an organization with sample data is marked: by the header \
`Mainstay-Sample-Data: true`, and by `\"sample_data\": true` in every object.";

const TAGS: &[(&str, &str)] = &[
    (
        "Client success",
        "One client's score, insights and heatmap at once, as a dashboard needs them.",
    ),
    ("Events", "Events that clients cause."),
    ("Segment", "Events from any Segment SDK: point it at this host."),
    ("Clients", "Clients and their data."),
    ("Scores", "Scores with their evidence, and their history."),
    ("Insights", "Weekly insights for each client."),
    ("Alerts", "Clients that need attention."),
    ("Playbooks", "Actions after an alert or a change of band, and their outcomes."),
    ("Staff tasks", "Tasks of staff for clients. A client's own tasks are its onboarding tasks."),
    ("Emails", "Emails to clients who have subscribed."),
    ("Webhooks", "Notifications to staff: signed webhooks, Slack and a daily digest."),
    ("Jobs", "Scheduled jobs and their runs."),
    ("Organization", "Settings, members, keys."),
    ("Operation", "For operators."),
];

const SCHEMES: &[(&str, &str)] = &[
    ("secret_key", "`msk_…`: full access to one organization, for its own servers."),
    ("write_key", "`mwk_…`: can only send events; may be public."),
    ("member_token", "`mmt_…`: the permissions of one member's role. A viewer can only read."),
    (
        "client_token",
        "A JWT that the host app signs for one of its clients with the organization's token secret: \
         HS256, `sub` = the client's id, `aud` = the organization's slug, `exp` at most 24 hours \
         ahead. Grants access to that client's own data.",
    ),
];

/// Path parameters: name, description, format and example.
const PATH_PARAMS: &[(&str, &str, Option<KnownFormat>, &str)] = &[
    ("client_id", "The client's id in the host app, percent-encoded.", None, "ada"),
    ("task_id", "The task's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("insight_id", "The insight's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("alert_id", "The alert's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("key_id", "The key's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("member_id", "The member's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("email_id", "The email's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("playbook_id", "The playbook's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("staff_task_id", "The staff task's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("webhook_id", "The webhook's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("message_id", "The message's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("merge_id", "The merge's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("job", "The job: weekly, daily or hourly.", None, "weekly"),
    ("day", "The calendar day of the score.", Some(KnownFormat::Date), "2026-05-01"),
];
const EXAMPLE_ID: &str = "019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071";

struct Failure {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    kind: &'static str,
    title: &'static str,
    detail: &'static str,
    header: Option<(&'static str, &'static str)>,
}

const FAILURES: &[Failure] = &[
    Failure {
        status: "400",
        name: "Malformed",
        description: "The body is not JSON.",
        kind: "malformed",
        title: "Malformed request",
        detail: "the body is not valid JSON: EOF while parsing an object at line 1 \
                 column 12; check it with a JSON parser",
        header: None,
    },
    Failure {
        status: "401",
        name: "Unauthenticated",
        description: "No valid key or token was presented.",
        kind: "unauthenticated",
        title: "Authentication required",
        detail: "send the header Authorization: Bearer with a key or token",
        header: Some(("WWW-Authenticate", "How to present one.")),
    },
    Failure {
        status: "403",
        name: "Forbidden",
        description: "The key or token is valid but does not grant access.",
        kind: "forbidden",
        title: "Forbidden",
        detail: "this member's role is staff; this needs the role owner or admin, or a secret key",
        header: None,
    },
    Failure {
        status: "404",
        name: "NotFound",
        description: "The organization has no such resource.",
        kind: "not-found",
        title: "Not found",
        detail: "there is no client \"ada\"; a client is created by its first event or by POST \
                 /api/v1/clients",
        header: None,
    },
    Failure {
        status: "408",
        name: "TooSlow",
        description: "The body took too long to arrive; send it again.",
        kind: "too-slow",
        title: "Request timeout",
        detail: "the body took too long to arrive; send it again, in smaller parts over a slow \
                 connection",
        header: None,
    },
    Failure {
        status: "409",
        name: "Conflict",
        description: "It already exists, or its state does not allow this.",
        kind: "conflict",
        title: "Conflict",
        detail: "it was changed in the meantime; read it again, and repeat what still applies",
        header: None,
    },
    Failure {
        status: "413",
        name: "TooLarge",
        description: "The request exceeds a size limit; `limit` is that limit.",
        kind: "too-large",
        title: "Payload too large",
        detail: "the body is larger than 512000 bytes (500 KiB); send it in parts",
        header: None,
    },
    Failure {
        status: "415",
        name: "NotJson",
        description: "The body's media type is not JSON.",
        kind: "unsupported-media-type",
        title: "Unsupported media type",
        detail: "the body's media type is not JSON; send it with Content-Type: application/json",
        header: None,
    },
    Failure {
        status: "422",
        name: "Invalid",
        description: "A value is invalid; `field` names it.",
        kind: "invalid",
        title: "Invalid value",
        detail: "limit: \"many\" is not a whole number from 1 to 500; send one",
        header: None,
    },
    Failure {
        status: "429",
        name: "Busy",
        description: "Too many events are waiting to be stored; nothing of this request was stored.",
        kind: "busy",
        title: "Too many requests",
        detail: "too many events are waiting to be stored; send this again in 1 s",
        header: Some(("Retry-After", "Seconds to wait.")),
    },
    Failure {
        status: "500",
        name: "Internal",
        description: "An internal error.",
        kind: "internal",
        title: "Internal server error",
        detail: "an unexpected error occurred; see the server's log, and please report it",
        header: None,
    },
    Failure {
        status: "503",
        name: "Unavailable",
        description: "Unavailable: the database cannot be reached, or the connection is too slow.",
        kind: "unavailable",
        title: "Service unavailable",
        detail: "the database is unavailable; see the server's log",
        header: Some(("Retry-After", "Seconds to wait.")),
    },
];

impl Failure {
    fn content(&self) -> Content {
        let example = json!({
            "type": format!("urn:mainstay:problem:{}", self.kind),
            "title": self.title,
            "status": self.status.parse::<u16>().unwrap_or_default(),
            "detail": self.detail,
        });
        ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .example(Some(example))
            .build()
    }

    fn response(&self) -> Response {
        let response = ResponseBuilder::new()
            .description(self.description)
            .content(MEDIA_TYPE, self.content());
        match self.header {
            Some((name, description)) => {
                let header = HeaderBuilder::new()
                    .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                    .description(Some(description));
                response.header(name, header.build()).build()
            }
            None => response.build(),
        }
    }
}

/// The document before any route is added.
pub(super) fn base(site: &Site) -> OpenApi {
    let license =
        LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0"));
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Mainstay")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION))
                .license(Some(license.build()))
                .build(),
        )
        .tags(Some(TAGS.iter().map(|(name, description)| {
            TagBuilder::new().name(*name).description(Some(*description)).build()
        })))
        .components(Some(components()))
        .webhooks(Some(webhooks(site)))
        .build()
}

fn components() -> Components {
    let mut components = ComponentsBuilder::new()
        .schema(ProblemDetails::name(), ProblemDetails::schema())
        .schema(RefusedEvent::name(), RefusedEvent::schema());
    for failure in FAILURES {
        components = components.response(failure.name, failure.response());
    }
    for (name, description) in SCHEMES {
        let format = if *name == "client_token" { "JWT" } else { "key" };
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format(format)
            .description(Some(*description));
        components = components.security_scheme(*name, SecurityScheme::Http(scheme.build()));
    }
    let basic = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("Any of the keys as user, with an empty password."));
    components.security_scheme("basic", SecurityScheme::Http(basic.build())).build()
}

/// Adds the path parameters and error responses to every route.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let operations =
            [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let open = is_open(operation);
            if !open && let Some(security) = &mut operation.security {
                security.push(SecurityRequirement::new("basic", Vec::<String>::new()));
            }
            add_path_params(path, operation);
            add_failures(path, operation, open);
        }
    }
    document
}

/// Whether it needs no authentication.
fn is_open(operation: &Operation) -> bool {
    operation
        .security
        .as_ref()
        .is_some_and(|security| security.contains(&SecurityRequirement::default()))
}

fn add_path_params(path: &str, operation: &mut Operation) {
    for (name, description, format, example) in PATH_PARAMS {
        if !path.contains(&format!("{{{name}}}")) {
            continue;
        }
        let mut schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(format.clone().map(SchemaFormat::KnownFormat))
            .examples([Value::from(*example)]);
        if *name == "client_id" {
            schema = schema.min_length(Some(1)).max_length(Some(MAX_CLIENT_ID_CHARS));
        }
        let param = ParameterBuilder::new()
            .name(*name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(*description))
            .schema(Some(schema));
        operation.parameters.get_or_insert_default().insert(0, param.build().into());
    }
}

/// Whether a query parameter names a client, which may not exist.
fn names_client(operation: &Operation) -> bool {
    operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.name == "client_id",
        RefOr::Ref(_) => false,
    })
}

fn add_failures(path: &str, operation: &mut Operation, open: bool) {
    let has_body = operation.request_body.is_some();
    let has_input = has_body || operation.parameters.is_some();
    // SDKs of Segment's give up on all but 429 and 5xx: what cannot be used is said in a 200.
    let segment = path.starts_with("/v1/");
    let events = segment || matches!(path, "/api/v1/events" | "/api/v1/cloudevents");
    for failure in FAILURES {
        let applies = match failure.status {
            "400" => has_body,
            "413" => has_body && !segment,
            // Events get a 503 instead of a 408, which every SDK takes for "send it again".
            "408" | "415" => has_body && !events,
            "401" | "403" => !open,
            "404" => {
                path.contains('{') || path.starts_with("/api/client") || names_client(operation)
            }
            "422" => has_input && !segment,
            "429" => events,
            // Where it can happen, the route says so itself.
            "409" => false,
            "503" => !open || path == "/readyz",
            _ => true,
        };
        let responses = &mut operation.responses.responses;
        match responses.get_mut(failure.status) {
            // The route says why it fails so; how that looks is the same everywhere.
            Some(RefOr::T(response)) => {
                response.content.insert(MEDIA_TYPE.to_owned(), failure.content().into());
            }
            None if applies => {
                let shared = Ref::from_response_name(failure.name);
                responses.insert(failure.status.to_owned(), RefOr::Ref(shared));
            }
            _ => {}
        }
    }
}
