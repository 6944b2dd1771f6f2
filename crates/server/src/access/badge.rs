//! Badge tokens: what a page of the host app's shows a member's alert badge with. They are signed like
//! clients' tokens, name the member, live for an hour at most and open nothing else, so that no key of a
//! member's stands in a page.

use jiff::Timestamp;
use mainstay_core::id::{MemberId, OrganizationId};
use mainstay_store::{Role, Scope};
use uuid::Uuid;

use super::{
    client_token::{self, Claims, MAX_BADGE_TTL, Use},
    member::find_member,
};
use crate::{Error, Mainstay, Result};

/// A badge token that was just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadgeToken {
    /// Its text.
    pub token: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// A member whose badge is shown.
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
    /// Makes a token with which a page shows a member's alert badge.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when it is to live for no time or longer than an hour.
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
        let aud = tx.organization().await?.slug;
        let secret = tx.client_token_secret().await?;
        let exp = self.now().as_second() + seconds;
        let claims = Claims::ours(member.to_string(), aud, exp, Use::Badge, self.now());
        let expires_at = Timestamp::from_second(exp).unwrap_or(Timestamp::MAX);
        Ok(BadgeToken { token: client_token::sign(&claims, &secret), expires_at })
    }

    /// The member whose badge a token shows, if it is a badge token that is in force and the member is
    /// still there.
    pub async fn badge_reader(&self, token: &str) -> Result<Option<Badge>> {
        let verified = self.verify_client_token(token, &[Use::Badge]).await?;
        let Some((organization, claims)) = verified else { return Ok(None) };
        let Ok(member) = claims.sub.parse::<Uuid>() else { return Ok(None) };
        let mut tx = self.store().read(Scope::Service(organization.id)).await?;
        let members = tx.members().await?;
        let found = members.into_iter().find(|one| one.id == MemberId::new(member));
        Ok(found.map(|member| Badge { organization: organization.id, role: member.role }))
    }
}
