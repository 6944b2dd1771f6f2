/// What stands where the key goes while none is shown: keys are kept as hashes only.
pub(super) const PLACEHOLDER: &str = "YOUR_WRITE_KEY";

/// Code to copy into an app.
pub(super) struct Snippet {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) code: String,
}

/// An event sent in each of the usual ways, to this server and with a key.
pub(super) fn snippets(url: &str, key: &str) -> [Snippet; 3] {
    let url = url.trim_end_matches('/');
    [
        Snippet {
            id: "curl",
            name: "curl",
            code: format!(
                r#"curl {url}/api/v1/events \
  -H "Authorization: Bearer {key}" \
  -H "Content-Type: application/json" \
  -d '{{"client_id": "ada", "event": "content_generated", "message_id": "first-1"}}'"#
            ),
        },
        Snippet {
            id: "node",
            name: "Segment Node",
            code: format!(
                r#"// npm install @segment/analytics-node
import {{ Analytics }} from "@segment/analytics-node";

const analytics = new Analytics({{ writeKey: "{key}", host: "{url}" }});
analytics.track({{ userId: "ada", event: "content_generated" }});
await analytics.closeAndFlush();"#
            ),
        },
        Snippet {
            id: "python",
            name: "Python",
            code: format!(
                r#"import json, urllib.request

event = {{"client_id": "ada", "event": "content_generated", "message_id": "first-1"}}
request = urllib.request.Request(
    "{url}/api/v1/events",
    data=json.dumps(event).encode(),
    headers={{"Authorization": "Bearer {key}", "Content-Type": "application/json"}},
)
print(urllib.request.urlopen(request).read().decode())"#
            ),
        },
    ]
}
