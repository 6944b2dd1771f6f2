//! Badge tokens, with which a page of the host app shows a member's alert badge. They are signed
//! like clients' tokens, name the member, live for at most an hour and grant nothing else, so that
//! no member's key is part of a page.

use jiff::Timestamp;
use mainstay_core::id::{MemberId, OrganizationId};
use mainstay_store::{Role, Scope};
use uuid::Uuid;

use super::{
    client_token::{self, Claims, MAX_BADGE_TTL, TokenUse},
    member::find_member,
};
use crate::{Error, Mainstay, Result};

/// A newly created badge token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadgeToken {
    /// Its text.
    pub token: String,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// The member whose badge is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Badge {
    /// The organization.
    pub organization: OrganizationId,
    /// What the member may do.
    pub role: Role,
}

impl Badge {
    /// What is read for it.
    pub const fn scope(self) -> Scope {
        Scope::Member(self.organization, self.role)
    }
}

impl Mainstay {
    /// Creates a token with which a page shows a member's alert badge.
    ///
    /// # Errors
    /// [`Error::NotFound`], or if its lifetime is outside one second to one hour.
    pub async fn create_badge_token(
        &self,
        organization: OrganizationId,
        member: MemberId,
        ttl_seconds: Option<i64>,
    ) -> Result<BadgeToken> {
        let max = MAX_BADGE_TTL.as_secs();
        let seconds = ttl_seconds.unwrap_or(max);
        if !(1..=max).contains(&seconds) {
            return Err(Error::invalid(
                "expires_in_seconds",
                format!("{seconds} is outside 1 to {max} (one hour); send whole seconds"),
            ));
        }
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        find_member(&mut tx, member).await?;
        let aud = tx.get_organization().await?.slug;
        let secret = tx.get_client_token_secret().await?;
        let exp = self.now().as_second() + seconds;
        let claims = Claims::issue(member.to_string(), aud, exp, TokenUse::Badge, self.now());
        let expires_at = Timestamp::from_second(exp).unwrap_or(Timestamp::MAX);
        Ok(BadgeToken { token: client_token::sign(&claims, &secret), expires_at })
    }

    /// The member of a badge token, if the token is valid and the member still exists.
    pub async fn badge_reader(&self, token: &str) -> Result<Option<Badge>> {
        let verified = self.verify_client_token(token, &[TokenUse::Badge]).await?;
        let Some((organization, claims)) = verified else { return Ok(None) };
        let Ok(member) = claims.sub.parse::<Uuid>() else { return Ok(None) };
        let mut tx = self.store().read(Scope::Service(organization.id)).await?;
        let members = tx.list_members().await?;
        let found = members.into_iter().find(|one| one.id == MemberId::new(member));
        Ok(found.map(|member| Badge { organization: organization.id, role: member.role }))
    }
}
