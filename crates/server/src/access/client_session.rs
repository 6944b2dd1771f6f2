//! How clients come in: by the host app's token or by a signed link, and then with a session that is
//! signed like these. Nothing of it is stored, so a GET that lets somebody in changes nothing.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mainstay_core::{
    engagement::{MAX_CLIENT_ID_CHARS, check_required},
    id::OrganizationId,
    time::time_zone,
};
use mainstay_store::{Client, Organization, Scope};

use super::{
    Actor,
    client_token::{self, Claims, Use},
};
use crate::{Error, Mainstay, Result, site::Site, validate::check_slug};

/// How long a link works when nobody says otherwise.
const DEFAULT_LINK_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long it may work.
const MAX_LINK_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A client who came in.
#[derive(Clone, Debug)]
pub struct ClientSignedIn {
    /// Whose client.
    pub organization: Organization,
    /// The organization's time zone.
    pub zone: TimeZone,
    /// The host app's id of the client.
    pub external_id: String,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// The client with the scope to read it; it may not have sent an event yet.
    pub known: Option<(Scope, Client)>,
    /// Sites that may show its pages in a frame.
    pub allowed_sites: Vec<String>,
}

/// A session that begins.
#[derive(Clone, Debug)]
pub struct NewClientSession {
    /// What the browser is to keep.
    pub token: String,
    /// For how many seconds.
    pub seconds: i64,
}

/// A link by which one client comes in.
#[derive(Clone, Debug)]
pub struct ClientLink {
    /// Where it leads.
    pub url: String,
    /// What of it lets the client in.
    pub(crate) token: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

fn path_of(token: &str) -> String {
    format!("/client/sign-in?token={token}")
}

impl Mainstay {
    /// Who has this client session, if it is in force.
    pub async fn client_session(&self, token: &str) -> Result<Option<ClientSignedIn>> {
        let Some((organization, claims)) = self.verify_client_token(token, &[Use::Session]).await?
        else {
            return Ok(None);
        };
        let zone = time_zone(&organization.time_zone)
            .map_err(|reason| Error::invalid("time_zone", reason))?;
        let mut tx = self.store().read(Scope::Service(organization.id)).await?;
        let known = tx.client(&claims.sub).await?;
        let known = known.map(|client| (Scope::Client(organization.id, client.id), client));
        let allowed_sites = tx.allowed_sites().await?;
        Ok(Some(ClientSignedIn {
            organization,
            zone,
            external_id: claims.sub,
            expires_at: Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX),
            known,
            allowed_sites,
        }))
    }

    /// Lets a client in by a host app's token or by a signed link. `None` when it is neither or has
    /// expired.
    pub async fn sign_client_in(&self, token: &str) -> Result<Option<NewClientSession>> {
        let accepted = [Use::Token, Use::Link];
        let Some((organization, claims)) = self.verify_client_token(token, &accepted).await? else {
            return Ok(None);
        };
        let now = self.now().as_second();
        // No longer than what it was let in by.
        let exp = claims.exp.min(now + client_token::MAX_LIFE_SECONDS);
        let session = Claims::ours(claims.sub, claims.aud, exp, Use::Session, self.now());
        let secret = self.client_token_secret(&organization).await?;
        let token = client_token::sign(&session, &secret);
        Ok(Some(NewClientSession { token, seconds: (exp - now).max(0) }))
    }

    /// Makes a link by which a client comes in, also one that has not sent an event yet. It works
    /// until it expires, for whoever has it.
    ///
    /// # Errors
    /// When the client's id or the time cannot be used.
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
        let expires_at = expires_at.unwrap_or_else(|| after(DEFAULT_LINK_LIFE));
        if expires_at <= now || expires_at > after(MAX_LINK_LIFE) {
            return Err(Error::invalid(
                "expires_at",
                format!(
                    "{expires_at} is not within 30 days from now ({now}); use an instant in between"
                ),
            ));
        }
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let organization = tx.organization().await?;
        drop(tx);
        let secret = self.client_token_secret(&organization).await?;
        let (sub, exp) = (client_id.to_owned(), expires_at.as_second());
        let claims = Claims::ours(sub, organization.slug, exp, Use::Link, now);
        let token = client_token::sign(&claims, &secret);
        Ok(ClientLink { url: site.link(&path_of(&token)), token, expires_at })
    }

    /// The link of a client that has this token: what the page shows that its form leads to. `None` for
    /// anything else.
    pub(crate) async fn new_client_link_of(
        &self,
        organization: OrganizationId,
        client_id: &str,
        token: String,
        site: &Site,
    ) -> Result<Option<ClientLink>> {
        let verified = self.verify_client_token(&token, &[Use::Link]).await?;
        let verified =
            verified.filter(|(of, claims)| of.id == organization && claims.sub == client_id);
        Ok(verified.map(|(_, claims)| ClientLink {
            url: site.link(&path_of(&token)),
            token,
            expires_at: Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX),
        }))
    }

    /// The organization and claims of a token that is good for one of these uses.
    pub(super) async fn verify_client_token(
        &self,
        token: &str,
        accepted: &[Use],
    ) -> Result<Option<(Organization, Claims)>> {
        // Nothing is verified yet: what cannot be a slug must not reach the database, which may not
        // even be able to keep it.
        let slug = client_token::audience_of(token).filter(|slug| check_slug(slug).is_ok());
        let Some(slug) = slug else { return Ok(None) };
        let mut tx = self.store().read(Scope::System).await?;
        let Some(organization) = tx.organization_by_slug(&slug).await? else { return Ok(None) };
        drop(tx);
        let mut tx = self.store().read(Scope::Service(organization.id)).await?;
        let secret = tx.client_token_secret().await?;
        let claims = client_token::verify(token, &slug, &secret, self.now());
        let Some(claims) = claims.filter(|claims| accepted.contains(&claims.used_as)) else {
            return Ok(None);
        };
        let ended = claims.has_ended(&tx.client_lockout(&claims.sub).await?);
        Ok((!ended).then_some((organization, claims)))
    }

    /// Ends the sessions of the client that has this one. One that has ended already is no error.
    pub async fn sign_client_out(&self, session: &str) -> Result<()> {
        let verified = self.verify_client_token(session, &[Use::Session]).await?;
        let Some((organization, claims)) = verified else { return Ok(()) };
        self.lock_client_out(organization.id, &claims.sub, false).await
    }

    /// Ends all that lets a client in: its sessions, and every link and token that was signed until now.
    /// Its app lets it in again with a token that is signed afterwards.
    ///
    /// # Errors
    /// When the client's id cannot be used.
    pub async fn end_client_access(&self, by: impl Into<Actor>, client_id: &str) -> Result<()> {
        check_required("client_id", client_id, MAX_CLIENT_ID_CHARS)?;
        let by = by.into();
        self.lock_client_out(by.organization(), client_id, true).await?;
        tracing::info!(organization = %by.organization(), %by, "a client was signed out everywhere");
        Ok(())
    }

    /// As the service: no member changes by itself how clients get in.
    async fn lock_client_out(
        &self,
        organization: OrganizationId,
        client_id: &str,
        tokens: bool,
    ) -> Result<()> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        // All that was signed before has expired by then.
        tx.forget_client_lockouts(now.checked_sub(MAX_LINK_LIFE * 2).unwrap_or(now)).await?;
        tx.lock_client_out(client_id, tokens, now).await?;
        Ok(tx.commit().await?)
    }
}
