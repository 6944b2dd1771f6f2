use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use mainstay_store::Webhook;
use ring::hmac;

/// What secrets begin with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret that is made here.
const BYTES: usize = 32;
/// Fewer could be guessed, and more say nothing more: the limits of Standard Webhooks.
const LIMITS: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that messages are signed with, as `whsec_` and base64.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret {
    text: String,
    bytes: Vec<u8>,
}

/// A text that is no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no secret of a webhook; use whsec_ and 24 to 64 bytes in base64, or leave it out for a new one"
)]
pub struct SecretError;

impl WebhookSecret {
    /// A new one.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    pub fn new() -> Self {
        let mut bytes = vec![0; BYTES];
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        Self { text: format!("{PREFIX}{}", STANDARD.encode(&bytes)), bytes }
    }

    /// Reads one that somebody chose.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| SecretError)?;
        if LIMITS.contains(&bytes.len()) {
            Ok(Self { text: text.to_owned(), bytes })
        } else {
            Err(SecretError)
        }
    }

    /// As it is shown and stored.
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

/// The value of `webhook-signature`: a signature by each secret that counts, so that a receiver
/// accepts messages before and after it has learned a new one.
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
