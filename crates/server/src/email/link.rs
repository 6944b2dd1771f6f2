//! Tokens in the links of emails: one for each purpose, valid for nothing else. A token names the
//! email and is authenticated by a code.
//!
//! The codes for opens, clicks and unsubscribing are derived from a random value of each email, so
//! that an unsubscribe link works as long as the email is stored. The code that signs a reader in
//! is also derived from the organization's token secret and the address: a new secret or address
//! invalidates it, and it cannot be created from the database alone.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mainstay_core::{
    email::{EmailLinks, EmailType},
    id::{EmailId, OrganizationId},
};
use mainstay_store::WholeEmail;
use ring::hmac;
use uuid::Uuid;

/// Bytes of an id and of a code.
const PART_BYTES: usize = 16;

/// The purpose of a link in an email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// The tracking pixel.
    Open,
    /// The button.
    Click,
    /// The unsubscribe link.
    Unsubscribe,
    /// The button that confirms an address.
    Confirm,
}

impl LinkPurpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Click => "click",
            Self::Unsubscribe => "unsubscribe",
            Self::Confirm => "confirm",
        }
    }
}

/// A token from a link, unverified.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkToken {
    pub(super) organization: OrganizationId,
    pub(super) email: EmailId,
    code: [u8; PART_BYTES],
    entry: Option<[u8; PART_BYTES]>,
}

impl LinkToken {
    /// Parses a token; `None` if it is malformed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (parts, rest) = bytes.as_chunks::<PART_BYTES>();
        let (organization, email, code, entry) = match (parts, rest) {
            ([organization, email, code], []) => (organization, email, code, None),
            ([organization, email, code, entry], []) => (organization, email, code, Some(*entry)),
            _ => return None,
        };
        Some(Self {
            organization: Uuid::from_bytes(*organization).into(),
            email: Uuid::from_bytes(*email).into(),
            code: *code,
            entry,
        })
    }

    /// Whether it is an email's token for a purpose.
    pub(super) fn is_for(&self, purpose: LinkPurpose, email: &WholeEmail) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &email.token);
        let has_entry = self.entry.is_some() == (purpose == LinkPurpose::Click);
        has_entry && is_code(&key, &message(purpose.as_str(), email), self.code)
    }

    /// Whether it signs the reader of an email in, with a token secret.
    pub(super) fn grants_entry(&self, email: &WholeEmail, secret: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        self.entry.is_some_and(|entry| is_code(&key, &entry_message(email), entry))
    }
}

/// The token of an email's link for a purpose; `secret` is the organization's token secret.
pub fn link_token(purpose: LinkPurpose, email: &WholeEmail, secret: &str) -> String {
    let mut bytes = Vec::with_capacity(4 * PART_BYTES);
    bytes.extend_from_slice(email.organization.uuid().as_bytes());
    bytes.extend_from_slice(email.email.id.uuid().as_bytes());
    bytes.extend_from_slice(&code(&email.token, &message(purpose.as_str(), email)));
    if purpose == LinkPurpose::Click {
        bytes.extend_from_slice(&code(secret.as_bytes(), &entry_message(email)));
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The links of an email; `address` is the server's, without a trailing slash.
pub(super) fn links(email: &WholeEmail, secret: &str, address: &str) -> EmailLinks {
    let link = |purpose: LinkPurpose| {
        format!("{address}/email/{}/{}", purpose.as_str(), link_token(purpose, email, secret))
    };
    if email.email.kind == EmailType::SubscriptionRequest {
        return EmailLinks { button: link(LinkPurpose::Confirm), unsubscribe: None, pixel: None };
    }
    EmailLinks {
        button: link(LinkPurpose::Click),
        unsubscribe: Some(link(LinkPurpose::Unsubscribe)),
        pixel: Some(link(LinkPurpose::Open)),
    }
}

fn message(purpose: &str, email: &WholeEmail) -> Vec<u8> {
    let mut message = format!("mainstay mail {purpose}\0").into_bytes();
    message.extend_from_slice(email.organization.uuid().as_bytes());
    message.extend_from_slice(email.email.id.uuid().as_bytes());
    message
}

fn entry_message(email: &WholeEmail) -> Vec<u8> {
    let mut message = message("sign-in", email);
    message.extend_from_slice(&email.token);
    message.extend_from_slice(email.email.address.as_bytes());
    message
}

fn code(key: &[u8], message: &[u8]) -> [u8; PART_BYTES] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut code = [0; PART_BYTES];
    code.copy_from_slice(&tag.as_ref()[..PART_BYTES]);
    code
}

/// Compares in constant time, by comparing HMACs of the codes.
fn is_code(key: &hmac::Key, message: &[u8], candidate: [u8; PART_BYTES]) -> bool {
    let expected = hmac::sign(key, message);
    let sealed = hmac::sign(key, &expected.as_ref()[..PART_BYTES]);
    hmac::verify(key, &candidate, sealed.as_ref()).is_ok()
}
