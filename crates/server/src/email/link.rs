//! What stands in the links of mails: for each purpose a token of its own, which is good for nothing
//! else. It names the mail and proves by a code that we made it.
//!
//! The codes for opening, following and leaving are derived from something random that each mail has, so
//! that a link to unsubscribe works for as long as its mail is kept. What lets a reader in is derived
//! from the organization's token secret too, and from the address: a new secret or another address ends
//! it, and whoever reads the mails in the database cannot make it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mainstay_core::{
    email::{EmailLinks, EmailType},
    id::{EmailId, OrganizationId},
};
use mainstay_store::WholeEmail;
use ring::hmac;
use uuid::Uuid;

/// Bytes of an id and of a code.
const PART: usize = 16;

/// What a link of a mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// The picture that tells that a mail was opened.
    Open,
    /// The button.
    Click,
    /// The way out.
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

/// A token out of a link, of which nothing is verified yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkToken {
    pub(super) organization: OrganizationId,
    pub(super) email: EmailId,
    code: [u8; PART],
    entry: Option<[u8; PART]>,
}

impl LinkToken {
    /// Reads a token; `None` for anything that we never made.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (parts, rest) = bytes.as_chunks::<PART>();
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

    /// Whether it is a mail's token for a purpose.
    pub(super) fn is_for(&self, purpose: LinkPurpose, email: &WholeEmail) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &email.token);
        let has_entry = self.entry.is_some() == (purpose == LinkPurpose::Click);
        has_entry && is_code(&key, &message(purpose.as_str(), email), self.code)
    }

    /// Whether it lets the reader of a mail in under a token secret.
    pub(super) fn lets_in(&self, email: &WholeEmail, secret: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        self.entry.is_some_and(|entry| is_code(&key, &entry_message(email), entry))
    }
}

/// The token of a mail's link for a purpose; `secret` is the organization's token secret.
pub fn link_token(purpose: LinkPurpose, email: &WholeEmail, secret: &str) -> String {
    let mut bytes = Vec::with_capacity(4 * PART);
    bytes.extend_from_slice(email.organization.uuid().as_bytes());
    bytes.extend_from_slice(email.email.id.uuid().as_bytes());
    bytes.extend_from_slice(&code(&email.token, &message(purpose.as_str(), email)));
    if purpose == LinkPurpose::Click {
        bytes.extend_from_slice(&code(secret.as_bytes(), &entry_message(email)));
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The links of a mail to a server at an address without a slash at its end.
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

fn code(key: &[u8], message: &[u8]) -> [u8; PART] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut code = [0; PART];
    code.copy_from_slice(&tag.as_ref()[..PART]);
    code
}

/// Compares in constant time, by comparing codes of codes.
fn is_code(key: &hmac::Key, message: &[u8], given: [u8; PART]) -> bool {
    let expected = hmac::sign(key, message);
    let sealed = hmac::sign(key, &expected.as_ref()[..PART]);
    hmac::verify(key, &given, sealed.as_ref()).is_ok()
}
