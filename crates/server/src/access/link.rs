//! One-time links: for the first owner, for new members, for those who forgot their password. Each is
//! random, of which only the hash is stored, expires, and is used once – by a POST, since mail
//! programs and messengers open every link they see.

use jiff::{SignedDuration, Timestamp};
use mainstay_core::id::{MemberId, OrganizationId};
use mainstay_store::{
    LinkKind, Member, NewMember, NewSignInLink, Organization, Role, Scope, SignInLink, StoreError,
    Tx, new_id,
};

use super::{check_email, hash_of, normal_email, password, random_secret, session, taken};
use crate::{Error, Mainstay, Result, http::Site, organization::check_name};

/// How long links work that somebody passes on by hand.
const PASSED_ON: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a link for a new password works, which opens an account that is in use.
const RESET: SignedDuration = SignedDuration::from_hours(24);
/// How long one may take to choose among organizations.
const CHOOSING: SignedDuration = SignedDuration::from_mins(5);
/// How long a link is remembered after it expired, to say so rather than that there is none.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A one-time link, shown this once.
#[derive(Clone, Debug)]
pub struct OneTimeLink {
    /// Where it leads.
    pub url: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// A one-time link that somebody opened.
#[derive(Clone, Debug)]
pub enum OpenedLink {
    /// It can be used.
    Usable {
        /// What for.
        kind: LinkKind,
        /// Where it leads to.
        organization: Box<Organization>,
        /// Whom it lets in; nobody yet for the link that makes the first owner.
        member: Option<Member>,
    },
    /// It was used.
    Used(Timestamp),
    /// It has expired.
    Expired(Timestamp),
    /// There is none such, or what it was for is gone.
    Unknown,
}

/// What somebody fills in to use a link.
#[derive(Clone, Debug, Default)]
pub struct LinkForm {
    /// What people are to call it; as it is when empty.
    pub name: String,
    /// The first owner's address.
    pub email: String,
    /// The new password.
    pub password: String,
}

async fn create(
    tx: &mut Tx,
    kind: LinkKind,
    member: Option<MemberId>,
    life: SignedDuration,
    now: Timestamp,
) -> Result<(String, Timestamp)> {
    let secret = random_secret();
    let expires_at = now.checked_add(life).unwrap_or(now);
    tx.forget_sign_in_links(session::ago(now, REMEMBERED)).await?;
    // The newest link is the one that counts; an older one may be in wrong hands.
    if let Some(member) = member {
        tx.delete_sign_in_links_of(member, kind).await?;
    }
    let new = NewSignInLink { hash: hash_of(&secret), kind, member, expires_at };
    tx.create_sign_in_link(&new, now).await?;
    Ok((secret, expires_at))
}

/// What stands for a right password until one of several organizations is chosen.
pub(super) async fn create_choice(tx: &mut Tx, member: MemberId, now: Timestamp) -> Result<String> {
    Ok(create(tx, LinkKind::Choice, Some(member), CHOOSING, now).await?.0)
}

impl Mainstay {
    /// Makes the link by which the first owner of an organization sets itself up.
    pub async fn setup_link(
        &self,
        organization: OrganizationId,
        site: &Site,
    ) -> Result<OneTimeLink> {
        self.one_time_link(organization, LinkKind::Setup, None, PASSED_ON, site).await
    }

    /// Makes the link by which a new member chooses a password.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such member.
    pub async fn invitation_link(
        &self,
        organization: OrganizationId,
        member: MemberId,
        site: &Site,
    ) -> Result<OneTimeLink> {
        let kind = LinkKind::Invitation;
        self.one_time_link(organization, kind, Some(member), PASSED_ON, site).await
    }

    /// Makes the link by which a member chooses a new password.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such member.
    pub async fn reset_link(
        &self,
        organization: OrganizationId,
        member: MemberId,
        site: &Site,
    ) -> Result<OneTimeLink> {
        self.one_time_link(organization, LinkKind::Reset, Some(member), RESET, site).await
    }

    /// Makes a link for a new password for every member with an address, and writes them to the log:
    /// there is no mail server to send them by. Answers nobody whether there is such a member.
    pub async fn request_reset(&self, email: &str, site: &Site) -> Result<()> {
        let email = normal_email(email);
        if check_email(&email).is_err() {
            return Ok(());
        }
        let members = self.store().read(Scope::System).await?.members_with(&email).await?;
        for (organization, member) in members {
            let OneTimeLink { url, expires_at } =
                self.reset_link(organization, member, site).await?;
            let mut tx = self.store().read(Scope::Service(organization)).await?;
            let name = super::find_member(&mut tx, member).await?.name;
            let organization = tx.organization().await?.slug;
            tracing::info!(
                organization, member = ?name, %expires_at,
                "a new password was asked for; pass this link on to the member: {url}"
            );
        }
        Ok(())
    }

    async fn one_time_link(
        &self,
        organization: OrganizationId,
        kind: LinkKind,
        member: Option<MemberId>,
        life: SignedDuration,
        site: &Site,
    ) -> Result<OneTimeLink> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if let Some(member) = member {
            super::find_member(&mut tx, member).await?;
        }
        let (secret, expires_at) = create(&mut tx, kind, member, life, self.now()).await?;
        tx.commit().await?;
        Ok(OneTimeLink { url: site.link(&format!("/sign-in/link/{secret}")), expires_at })
    }

    /// What a link is for. Changes nothing.
    pub async fn open_link(&self, secret: &str) -> Result<OpenedLink> {
        let mut tx = self.store().read(Scope::System).await?;
        let Some(link) = tx.find_sign_in_link(hash_of(secret)).await? else {
            return Ok(OpenedLink::Unknown);
        };
        drop(tx);
        let SignInLink { organization, kind, member, expires_at, used_at } = link;
        if let Some(at) = used_at {
            return Ok(OpenedLink::Used(at));
        }
        if expires_at <= self.now() {
            return Ok(OpenedLink::Expired(expires_at));
        }
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let member = match member {
            Some(member) => Some(super::find_member(&mut tx, member).await?),
            None => None,
        };
        let organization = Box::new(tx.organization().await?);
        Ok(OpenedLink::Usable { kind, organization, member })
    }

    /// Uses a link up: sets the password, ends what sessions there were and signs the member in.
    /// Answers the new session, or what became of the link.
    ///
    /// # Errors
    /// When something that was filled in cannot be used; the link can be used again then.
    pub async fn use_link(
        &self,
        secret: &str,
        form: LinkForm,
    ) -> Result<std::result::Result<String, OpenedLink>> {
        let opened = self.open_link(secret).await?;
        let OpenedLink::Usable { kind, organization, member } = opened else {
            return Ok(Err(opened));
        };
        if kind == LinkKind::Choice {
            return Ok(Err(OpenedLink::Unknown));
        }
        let email = normal_email(&form.email);
        if member.is_none() {
            check_email(&email)?;
        }
        let name = match (form.name.trim(), &member) {
            ("", Some(member)) => member.name.clone(),
            ("", None) => email.clone(),
            (name, _) => name.to_owned(),
        };
        check_name("name", &name)?;
        password::check(&form.password)?;
        let hash = password::hash(form.password).await;

        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization.id)).await?;
        if !tx.use_sign_in_link(hash_of(secret), now).await? {
            drop(tx);
            return Ok(Err(self.open_link(secret).await?));
        }
        let member = match member {
            Some(member) => member.id,
            None => create_owner(&mut tx, &email, &name, now).await?,
        };
        tx.set_member_name(member, &name).await?;
        tx.set_password(member, &hash, now).await?;
        for kind in [LinkKind::Invitation, LinkKind::Choice] {
            tx.delete_sign_in_links_of(member, kind).await?;
        }
        tx.delete_sessions_of(member, None).await?;
        let token = session::begin(&mut tx, member, now).await?;
        tx.commit().await?;
        Ok(Ok(token))
    }

    /// Signs in to the organization that was chosen after the password was right for several.
    /// `None` when that took too long.
    pub async fn use_choice(&self, secret: &str) -> Result<Option<String>> {
        let OpenedLink::Usable { kind: LinkKind::Choice, organization, member: Some(member) } =
            self.open_link(secret).await?
        else {
            return Ok(None);
        };
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization.id)).await?;
        if !tx.use_sign_in_link(hash_of(secret), now).await? {
            return Ok(None);
        }
        let token = session::begin(&mut tx, member.id, now).await?;
        tx.commit().await?;
        Ok(Some(token))
    }
}

async fn create_owner(tx: &mut Tx, email: &str, name: &str, now: Timestamp) -> Result<MemberId> {
    let new = NewMember {
        id: new_id(now),
        email: email.to_owned(),
        name: name.to_owned(),
        role: Role::Owner,
    };
    tx.create_member(&new, now).await.map_err(|error| match error {
        StoreError::Taken(_) => taken(email),
        other => Error::from(other),
    })?;
    Ok(new.id)
}
