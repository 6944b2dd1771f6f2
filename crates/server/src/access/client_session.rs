//! How clients sign in: with the host app's token or a signed link, and then with a session that is
//! signed in the same way. Nothing is stored, so a GET that signs a client in changes nothing.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mainstay_core::{
    engagement::{MAX_CLIENT_ID_CHARS, check_required},
    id::OrganizationId,
    time::time_zone,
};
use mainstay_store::{Client, Organization, Scope};

use super::{
    Actor,
    client_token::{self, Claims, TokenUse},
};
use crate::{Error, Mainstay, Result, site::Site, validate::check_slug};

/// The default lifetime of a link.
const DEFAULT_LINK_TTL: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The maximum lifetime of a link.
const MAX_LINK_TTL: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A signed-in client.
#[derive(Clone, Debug)]
pub struct SignedInClient {
    /// The client's organization.
    pub organization: Organization,
    /// The organization's time zone.
    pub zone: TimeZone,
    /// The host app's id of the client.
    pub external_id: String,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// The client with the scope to read it; it may not exist yet.
    pub known: Option<(Scope, Client)>,
    /// Sites that may embed its pages in a frame.
    pub allowed_sites: Vec<String>,
}

/// A new session.
#[derive(Clone, Debug)]
pub struct NewClientSession {
    /// The session token for the browser.
    pub token: String,
    /// Its lifetime in seconds.
    pub seconds: i64,
}

/// A link by which one client comes in.
#[derive(Clone, Debug)]
pub struct ClientLink {
    /// The URL.
    pub url: String,
    /// The token in the URL.
    pub(crate) token: String,
    /// When it expires.
    pub expires_at: Timestamp,
}

fn path_of(token: &str) -> String {
    format!("/client/sign-in?token={token}")
}

impl Mainstay {
    /// The client of a session token, if it is valid.
    pub async fn client_session(&self, token: &str) -> Result<Option<SignedInClient>> {
        let Some((organization, claims)) =
            self.verify_client_token(token, &[TokenUse::Session]).await?
        else {
            return Ok(None);
        };
        let zone = time_zone(&organization.time_zone)
            .map_err(|reason| Error::invalid("time_zone", reason))?;
        let mut tx = self.store().read(Scope::Service(organization.id)).await?;
        let allowed_sites = tx.list_allowed_sites().await?;
        drop(tx);
        let known = self.client_of_token(organization.id, &claims.sub).await?;
        let known = known.map(|client| (Scope::Client(organization.id, client.id), client));
        Ok(Some(SignedInClient {
            organization,
            zone,
            external_id: claims.sub,
            expires_at: Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX),
            known,
            allowed_sites,
        }))
    }

    /// Signs a client in with a host app's token or a signed link; `None` if it is neither or has
    /// expired.
    pub async fn sign_client_in(&self, token: &str) -> Result<Option<NewClientSession>> {
        let accepted = [TokenUse::Token, TokenUse::Link];
        let Some((organization, claims)) = self.verify_client_token(token, &accepted).await? else {
            return Ok(None);
        };
        let now = self.now().as_second();
        // No longer than what it was let in by.
        let exp = claims.exp.min(now + client_token::MAX_TOKEN_TTL_SECONDS);
        let session = Claims::issue(claims.sub, claims.aud, exp, TokenUse::Session, self.now());
        let secret = self.client_token_secret(&organization).await?;
        let token = client_token::sign(&session, &secret);
        Ok(Some(NewClientSession { token, seconds: (exp - now).max(0) }))
    }

    /// Creates a sign-in link for a client, which need not exist yet. The link works for anyone who
    /// has it until it expires.
    ///
    /// # Errors
    /// If the client's id or the time is invalid.
    pub async fn client_link(
        &self,
        organization: OrganizationId,
        client_id: &str,
        expires_at: Option<Timestamp>,
        site: &Site,
    ) -> Result<ClientLink> {
        check_required("client_id", client_id, MAX_CLIENT_ID_CHARS)?;
        let now = self.now();
        let after = |duration| now.checked_add(duration).unwrap_or(now);
        let expires_at = expires_at.unwrap_or_else(|| after(DEFAULT_LINK_TTL));
        if expires_at <= now || expires_at > after(MAX_LINK_TTL) {
            return Err(Error::invalid(
                "expires_at",
                format!("{expires_at} is not within 30 days from now ({now}); use an earlier time"),
            ));
        }
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let organization = tx.get_organization().await?;
        drop(tx);
        let secret = self.client_token_secret(&organization).await?;
        let (sub, exp) = (client_id.to_owned(), expires_at.as_second());
        let claims = Claims::issue(sub, organization.slug, exp, TokenUse::Link, now);
        let token = client_token::sign(&claims, &secret);
        Ok(ClientLink { url: site.link(&path_of(&token)), token, expires_at })
    }

    /// The link of a client with this token, for the page that shows it; `None` for anything else.
    pub(crate) async fn valid_client_link(
        &self,
        organization: OrganizationId,
        client_id: &str,
        token: String,
        site: &Site,
    ) -> Result<Option<ClientLink>> {
        let verified = self.verify_client_token(&token, &[TokenUse::Link]).await?;
        let verified =
            verified.filter(|(of, claims)| of.id == organization && claims.sub == client_id);
        Ok(verified.map(|(_, claims)| ClientLink {
            url: site.link(&path_of(&token)),
            token,
            expires_at: Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX),
        }))
    }

    /// The organization and claims of a token that is valid for one of these uses.
    pub(super) async fn verify_client_token(
        &self,
        token: &str,
        accepted: &[TokenUse],
    ) -> Result<Option<(Organization, Claims)>> {
        // Nothing is verified yet: what cannot be a slug must not reach the database, which may not
        // even be able to keep it.
        let slug = client_token::audience_of(token).filter(|slug| check_slug(slug).is_ok());
        let Some(slug) = slug else { return Ok(None) };
        let mut tx = self.store().read(Scope::System).await?;
        let Some(organization) = tx.find_organization_by_slug(&slug).await? else {
            return Ok(None);
        };
        drop(tx);
        let mut tx = self.store().read(Scope::Service(organization.id)).await?;
        let secret = tx.get_client_token_secret().await?;
        let claims = client_token::verify(token, &slug, &secret, self.now());
        let Some(claims) = claims.filter(|claims| accepted.contains(&claims.token_use)) else {
            return Ok(None);
        };
        let ended = claims.is_revoked_by(&tx.get_client_lockout(&claims.sub).await?);
        Ok((!ended).then_some((organization, claims)))
    }

    /// Ends all sessions of the client of this session. An ended session is not an error.
    pub async fn sign_client_out(&self, session: &str) -> Result<()> {
        let verified = self.verify_client_token(session, &[TokenUse::Session]).await?;
        let Some((organization, claims)) = verified else { return Ok(()) };
        self.lock_client_out(organization.id, &claims.sub, false).await
    }

    /// Revokes a client's access: its sessions, and every link and token signed so far. The app can
    /// sign it in again with a new token.
    ///
    /// # Errors
    /// If the client's id is invalid.
    pub async fn revoke_client_access(&self, by: impl Into<Actor>, client_id: &str) -> Result<()> {
        check_required("client_id", client_id, MAX_CLIENT_ID_CHARS)?;
        let by = by.into();
        self.lock_client_out(by.organization(), client_id, true).await?;
        tracing::info!(organization = %by.organization(), %by, "client signed out everywhere");
        Ok(())
    }

    /// As the service: members cannot change clients' access in the database themselves.
    async fn lock_client_out(
        &self,
        organization: OrganizationId,
        client_id: &str,
        tokens: bool,
    ) -> Result<()> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        // All that was signed before has expired by then.
        tx.delete_client_lockouts(now.checked_sub(MAX_LINK_TTL * 2).unwrap_or(now)).await?;
        tx.lock_out_client(client_id, tokens, now).await?;
        Ok(tx.commit().await?)
    }
}
