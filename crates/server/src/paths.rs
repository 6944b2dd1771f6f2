//! Addresses of a client, whose id may hold anything, slashes too.

use askama::filters::urlencode_strict;

/// Where staff find a client.
pub(crate) fn client_path(external_id: &str) -> String {
    let Ok(segment) = urlencode_strict(external_id);
    format!("/clients/{segment}")
}

/// Where the API has a client.
pub(crate) fn api_client_path(external_id: &str) -> String {
    let Ok(segment) = urlencode_strict(external_id);
    format!("/api/v1/clients/{segment}")
}
