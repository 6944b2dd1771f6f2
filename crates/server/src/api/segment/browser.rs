//! What the SDKs for browsers ask for besides the API: their configuration, and a beacon for the last
//! events of a page that is being closed.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, header},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    access::Principal,
    api::{Api, caller::read_credential, problem::Problem},
};

/// The key in the query, where no header can carry it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct KeyInQuery {
    pub(super) write_key: Option<String>,
}

/// What `@segment/analytics-next` loads first: only the destination that is this server.
pub(super) async fn segment_settings(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(write_key): Path<String>,
) -> Result<Json<Value>, Problem> {
    check_write_key(&api, &write_key).await?;
    let here = api.site.url_for_request(&headers);
    let port = here.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = here.host_str().unwrap_or_default();
    Ok(Json(json!({
        "integrations": {
            "Segment.io": {
                "apiKey": write_key,
                "apiHost": format!("{host}{port}/v1"),
                "protocol": here.scheme(),
                // Else the browser drops what is sent while a page is being left.
                "deliveryStrategy": {"config": {"keepalive": true}},
                "unbundledIntegrations": [],
                "addBundledMetadata": true,
                "maybeBundledConfigIds": {},
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
            }
        },
        "plan": {"track": {"__default": {"enabled": true, "integrations": {}}}},
        "edgeFunction": {},
        "analyticsNextEnabled": true,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": false,
        "remotePlugins": [],
    })))
}

/// What `@rudderstack/analytics-js` loads first: a source without other destinations, and without
/// reports to its maker.
pub(super) async fn rudder_source_config(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<KeyInQuery>,
) -> Result<Json<Value>, Problem> {
    let write_key = match query.write_key {
        Some(key) if !headers.contains_key(header::AUTHORIZATION) => key,
        _ => read_credential(&headers)?,
    };
    let organization = check_write_key(&api, &write_key).await?.to_string();
    let none = json!({"enabled": false});
    Ok(Json(json!({
        "source": {
            "id": organization,
            "name": "Mainstay",
            "writeKey": write_key,
            "enabled": true,
            "workspaceId": organization,
            "sourceDefinition": {"name": "Javascript"},
            "config": {"statsCollection": {"errors": none, "metrics": none}},
            "connections": [],
            "destinations": [],
            "dataplanes": {},
        },
        "updatedAt": "1970-01-01T00:00:00.000Z",
    })))
}

/// Refuses what is no write key: the address of a configuration is public, a secret key is not.
async fn check_write_key(
    api: &Api,
    key: &str,
) -> Result<mainstay_core::id::OrganizationId, Problem> {
    match api.mainstay.authenticate(key).await? {
        Some(Principal::Write(organization, _)) => Ok(organization),
        _ => Err(Problem::unauthenticated(
            "this is not a valid write key (mwk_…); create one in Settings → Keys",
            true,
        )),
    }
}
