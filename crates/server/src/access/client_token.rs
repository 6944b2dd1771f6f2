//! Client tokens: JWTs that a host app signs for its own clients, so that a browser can read one
//! client's data without a key.
//!
//! HS256; `sub` is the client's `external_id`, `aud` the organization's slug, `exp` at most 24 h
//! ahead, signed with the organization's own token secret. `nbf` is checked if present, and `iat`
//! distinguishes tokens signed before a client was signed out from later ones. Mainstay's own links
//! and sessions of clients are marked tokens of the same kind and valid for nothing else.

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::ErrorKind,
};
use mainstay_core::engagement::MAX_CLIENT_ID_CHARS;
use mainstay_store::ClientLockout;
use ring::hmac;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use signature::{Signer, Verifier};

/// Maximum lifetime of a client token, in seconds: one day.
pub(super) const MAX_TOKEN_TTL_SECONDS: i64 = 24 * 60 * 60;
/// Maximum lifetime of a link, in seconds: it is sent by email and opened days later.
const MAX_LINK_TTL_SECONDS: i64 = 30 * MAX_TOKEN_TTL_SECONDS;
/// How long a badge token lives when nobody says otherwise, and at most.
pub const MAX_BADGE_TTL: SignedDuration = SignedDuration::from_hours(1);
/// Tolerated clock skew of the host app, in seconds.
const CLOCK_SKEW_SECONDS: i64 = 60;

/// The claims of a client token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientClaims {
    /// The client's `external_id`.
    pub sub: String,
    /// The organization's slug.
    pub aud: String,
    /// When it expires, in seconds since 1970.
    pub exp: i64,
}

/// The purpose of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TokenUse {
    /// The host app's: grants access to the API and signs the client in.
    #[default]
    Token,
    /// Mainstay's, in a link: signs the client in.
    Link,
    /// Mainstay's, in a cookie: the session for the client's pages.
    Session,
    /// Mainstay's, in a page of the host app: shows a member's alert badge.
    Badge,
}

/// The claims of any of these tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    pub(super) aud: String,
    pub(super) exp: i64,
    /// Not before this, in seconds since 1970.
    #[serde(default, deserialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<i64>,
    /// When it was signed, in seconds since 1970.
    #[serde(default, deserialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub(super) iat: Option<i64>,
    /// Only in Mainstay's own tokens.
    #[serde(default, rename = "mainstay_use")]
    pub(super) token_use: TokenUse,
    /// When Mainstay's own tokens were signed, in microseconds since 1970, so that a client can
    /// sign out and in again within the same second.
    #[serde(default, rename = "mainstay_at", skip_serializing_if = "Option::is_none")]
    pub(super) signed_at: Option<i64>,
}

/// A `NumericDate` of RFC 7519, which may have a fraction.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let whole = number.to_string();
    let whole = whole.split_once('.').map_or(whole.as_str(), |(whole, _)| whole);
    // One that is beyond all dates, or written with an exponent, is none of anybody's.
    whole.parse().map(Some).map_err(|_| D::Error::custom("a date in seconds since 1970"))
}

impl Claims {
    /// The claims of Mainstay's own token for a client.
    pub(super) fn issue(
        sub: String,
        aud: String,
        exp: i64,
        token_use: TokenUse,
        now: Timestamp,
    ) -> Self {
        let signed_at = Some(now.as_microsecond());
        Self { sub, aud, exp, nbf: None, iat: Some(now.as_second()), token_use, signed_at }
    }

    /// Whether it was signed before the client's access was revoked.
    pub(super) fn is_revoked_by(&self, lockout: &ClientLockout) -> bool {
        let from = match self.token_use {
            TokenUse::Session => lockout.sessions_from,
            TokenUse::Token | TokenUse::Link => lockout.tokens_from,
            // A member's; it lives an hour.
            TokenUse::Badge => None,
        };
        let Some(from) = from else { return false };
        match (self.token_use, self.signed_at, self.iat) {
            (TokenUse::Token, _, Some(iat)) => iat < from.as_second(),
            // It does not say when it was signed: at most a day before it expires.
            (TokenUse::Token, _, None) => {
                self.exp <= from.as_second().saturating_add(MAX_TOKEN_TTL_SECONDS)
            }
            (_, Some(signed_at), _) => signed_at <= from.as_microsecond(),
            (_, None, _) => true,
        }
    }
}

/// Signs a token as a host app does.
pub fn sign_client_token(claims: &ClientClaims, secret: &str) -> String {
    sign(claims, secret)
}

/// # Panics
/// Never: strings and numbers always serialize.
pub(super) fn sign(claims: &impl Serialize, secret: &str) -> String {
    install_provider();
    jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .expect("claims serialize")
}

/// The organization that a token claims to be for, unverified.
pub(super) fn audience_of(token: &str) -> Option<String> {
    jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(token).ok().map(|claims| claims.aud)
}

/// The claims of a token, if its signature, audience and time are valid.
pub(super) fn verify(token: &str, slug: &str, secret: &str, now: Timestamp) -> Option<Claims> {
    install_provider();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&[slug]);
    validation.set_required_spec_claims(&["exp", "aud", "sub"]);
    // The library would ask the machine's clock; ours is an argument.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(secret.as_bytes());
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).ok()?.claims;
    let now = now.as_second();
    let (longest, skew) = match claims.token_use {
        TokenUse::Token => (MAX_TOKEN_TTL_SECONDS, CLOCK_SKEW_SECONDS),
        // Signed by our own clock.
        TokenUse::Link => (MAX_LINK_TTL_SECONDS, 0),
        TokenUse::Session => (MAX_TOKEN_TTL_SECONDS, 0),
        TokenUse::Badge => (MAX_BADGE_TTL.as_secs(), 0),
    };
    let alive = claims.exp > now.saturating_sub(skew)
        && claims.nbf.is_none_or(|nbf| nbf <= now.saturating_add(CLOCK_SKEW_SECONDS));
    let short = claims.exp <= now.saturating_add(longest + skew);
    let named = !claims.sub.trim().is_empty()
        && claims.sub.chars().count() <= MAX_CLIENT_ID_CHARS
        && !claims.sub.contains('\0');
    (alive && short && named).then_some(claims)
}

/// HS256 by `ring` only: a token cannot choose another algorithm.
fn install_provider() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| match algorithm {
            Algorithm::HS256 => Ok(Box::new(Hs256::new(key.as_bytes()))),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        },
        verifier_factory: |algorithm, key| match algorithm {
            Algorithm::HS256 => Ok(Box::new(Hs256::new(key.try_get_as_bytes()?))),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    // An error says that it is installed already.
    let _ = PROVIDER.install_default();
}

struct Hs256(hmac::Key);

impl Hs256 {
    fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        hmac::verify(&self.0, message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
