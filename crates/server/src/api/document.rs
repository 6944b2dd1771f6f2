//! What the OpenAPI document says besides the routes, and what is true of every one of them.

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
events, writes each client's weekly insights and tells staff which client needs a person.

Clients are named by the id that the host app gave them (`client_id`, Segment's `userId`). Times are \
RFC 3339 in UTC; days are calendar days of the organization's time zone. Figures are whole numbers; \
those named `…_hundredths` are hundredths. Every failure is a problem (RFC 9457) that names the \
field, the limit and what to do. Every answer about an organization of sample data says so: by the header \
`Mainstay-Sample-Data: true`, and by `\"sample_data\": true` in every object.";

const TAGS: &[(&str, &str)] = &[
    (
        "Client success",
        "One client's score, insights and heatmap at once, as a dashboard needs them.",
    ),
    ("Events", "What clients do."),
    ("Segment", "What clients do, from any of Segment's SDKs: point it at this host."),
    ("Clients", "Clients and what the organization keeps of them."),
    ("Scores", "Scores with their evidence, and their history."),
    ("Insights", "What each client is told every week."),
    ("Alerts", "Which client needs a person."),
    ("Playbooks", "What follows from an alert or a change of the band, and what came of it."),
    (
        "Staff tasks",
        "What staff are to do for clients. What a client has to do itself are its onboarding tasks.",
    ),
    ("E-mails", "What is written to clients who asked for it."),
    ("Webhooks", "Telling staff outside: signed webhooks, Slack and a daily digest."),
    ("Jobs", "What runs by itself, and how it went."),
    ("Organization", "Settings, members, keys."),
    ("Operation", "For those who run Mainstay."),
];

const SCHEMES: &[(&str, &str)] = &[
    ("secret_key", "`msk_…`: everything of one organization, for its own servers."),
    ("write_key", "`mwk_…`: sends events, and nothing else; may be published."),
    ("member_token", "`mmt_…`: what one member may do, by its role. A viewer's only reads."),
    (
        "client_token",
        "A JWT that the host app signs for one of its clients with the organization's token secret: \
         HS256, `sub` = the client's id, `aud` = the organization's slug, `exp` at most 24 hours \
         ahead. Opens that client's own data.",
    ),
];

/// Parameters of paths: name, description, format and example.
const PATH_PARAMS: &[(&str, &str, Option<KnownFormat>, &str)] = &[
    ("client_id", "The id that the host app gave the client, percent-encoded.", None, "ada"),
    ("task_id", "The task's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("insight_id", "The insight's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("alert_id", "The alert's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("key_id", "The key's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("member_id", "The member's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
    ("email_id", "The e-mail's id.", Some(KnownFormat::Uuid), EXAMPLE_ID),
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
        title: "The request cannot be read",
        detail: "the body is not JSON that can be read: EOF while parsing an object at line 1 \
                 column 12; check it with a JSON parser",
        header: None,
    },
    Failure {
        status: "401",
        name: "Unauthenticated",
        description: "No key or token that is in force was presented.",
        kind: "unauthenticated",
        title: "Nobody we know is asking",
        detail: "send the header Authorization: Bearer with a key or token",
        header: Some(("WWW-Authenticate", "How to present one.")),
    },
    Failure {
        status: "403",
        name: "Forbidden",
        description: "The key or token is in force, but does not open this.",
        kind: "forbidden",
        title: "Not allowed",
        detail: "this member's role is staff; this needs the role owner or admin, or a secret key",
        header: None,
    },
    Failure {
        status: "404",
        name: "NotFound",
        description: "There is no such thing in the organization.",
        kind: "not-found",
        title: "There is no such thing",
        detail: "there is no client \"ada\"; a client comes to be with its first event, or by \
                 POST /api/v1/clients",
        header: None,
    },
    Failure {
        status: "408",
        name: "TooSlow",
        description: "The body took too long to arrive; send it again.",
        kind: "too-slow",
        title: "The request took too long to arrive",
        detail: "the body took too long to arrive; send it again, in smaller parts over a slow \
                 connection",
        header: None,
    },
    Failure {
        status: "409",
        name: "Conflict",
        description: "It is there already, or no longer in a state for this.",
        kind: "conflict",
        title: "It is there already or changed",
        detail: "it was changed in the meantime; read it again, and repeat what still applies",
        header: None,
    },
    Failure {
        status: "413",
        name: "TooLarge",
        description: "More than is taken at once; `limit` says how much is.",
        kind: "too-large",
        title: "Too much at once",
        detail: "the body is larger than 512000 bytes (500 KiB); send it in parts",
        header: None,
    },
    Failure {
        status: "415",
        name: "NotJson",
        description: "The body is said to be something else than JSON.",
        kind: "unsupported-media-type",
        title: "Not JSON",
        detail: "the body is not said to be JSON; send it with Content-Type: application/json",
        header: None,
    },
    Failure {
        status: "422",
        name: "Invalid",
        description: "A value cannot be used; `field` names it.",
        kind: "invalid",
        title: "A value cannot be used",
        detail: "limit: \"many\" is not a whole number from 1 to 500; send one",
        header: None,
    },
    Failure {
        status: "429",
        name: "Busy",
        description: "Too much is waiting to be stored; nothing of this was.",
        kind: "busy",
        title: "Too much is waiting",
        detail: "too many events are waiting to be stored; send this again in 1 s",
        header: Some(("Retry-After", "Seconds to wait.")),
    },
    Failure {
        status: "500",
        name: "Internal",
        description: "A fault in Mainstay.",
        kind: "internal",
        title: "A fault in Mainstay",
        detail: "this should not have happened; the server's log says more, please report it",
        header: None,
    },
    Failure {
        status: "503",
        name: "Unavailable",
        description: "Not available right now: the database, or a connection that is too slow.",
        kind: "unavailable",
        title: "Not available right now",
        detail: "the database cannot be used; the server's log says why",
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

/// Adds to every route what follows from what it says: the parameters of its path, and how it can
/// fail.
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

/// Whether anybody may call it.
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

/// Whether a query names a client, of whom there may be none.
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
