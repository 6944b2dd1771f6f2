use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use mainstay_store::Webhook;
use ring::hmac;

/// The prefix of secrets.
const PREFIX: &str = "whsec_";
/// Bytes of a generated secret.
const SECRET_BYTES: usize = 32;
/// The allowed number of bytes, by Standard Webhooks.
const BYTE_RANGE: std::ops::RangeInclusive<usize> = 24..=64;

/// A signing secret, as `whsec_` and base64.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret {
    text: String,
    bytes: Vec<u8>,
}

/// An invalid secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a webhook secret; use whsec_ and 24 to 64 bytes in base64, or omit it to generate one"
)]
pub struct SecretError;

impl WebhookSecret {
    /// Generates a new secret.
    ///
    /// # Panics
    /// If the operating system provides no randomness.
    pub fn new() -> Self {
        let mut bytes = vec![0; SECRET_BYTES];
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        Self { text: format!("{PREFIX}{}", STANDARD.encode(&bytes)), bytes }
    }

    /// Parses a secret.
    ///
    /// # Errors
    /// If it is invalid.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| SecretError)?;
        if BYTE_RANGE.contains(&bytes.len()) {
            Ok(Self { text: text.to_owned(), bytes })
        } else {
            Err(SecretError)
        }
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn sign(&self, signed: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.bytes);
        format!("v1,{}", STANDARD.encode(hmac::sign(&key, signed)))
    }
}

impl Default for WebhookSecret {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// The value of `webhook-signature`: a signature by each valid secret, so that the receiver accepts
/// messages before and after a rotation.
pub fn signatures(webhook: &Webhook, id: &str, at: Timestamp, body: &str) -> String {
    let signed = format!("{id}.{}.{body}", at.as_second());
    let previous = webhook
        .previous_secret
        .as_ref()
        .filter(|(_, until)| *until > at)
        .map(|(secret, _)| secret.as_str());
    let signatures: Vec<String> = std::iter::once(webhook.secret.as_str())
        .chain(previous)
        // What is stored was read or made above.
        .filter_map(|secret| WebhookSecret::parse(secret).ok())
        .map(|secret| secret.sign(signed.as_bytes()))
        .collect();
    signatures.join(" ")
}
