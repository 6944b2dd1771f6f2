//! One-time links: for the first owner, for new members, for password resets. Each is random and
//! only stored as a hash, expires, and is used once, by a POST, because mail programs and
//! messengers open every link they see.

use jiff::{SignedDuration, Timestamp, Zoned};
use mainstay_core::{
    id::{MemberId, OrganizationId},
    time::time_zone,
};
use mainstay_store::{
    LinkKind, Member, NewMember, NewSignInLink, Organization, Role, Scope, SignInLink, StoreError,
    Tx, new_id,
};

use super::{
    Actor, check_email, hash_of,
    member::{already_a_member, find_member},
    normal_email, random_secret, session,
};
use crate::{Error, Mainstay, Result, site::Site, validate::check_name};

/// Lifetime of links that are passed on by hand.
const LINK_TTL: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Lifetime of a password reset link, which grants access to an account in use.
const RESET_LINK_TTL: SignedDuration = SignedDuration::from_hours(24);
/// Time limit for choosing one of several organizations.
const CHOICE_TTL: SignedDuration = SignedDuration::from_mins(5);
/// How long an expired link is kept, to report it as expired instead of unknown.
const EXPIRED_LINK_RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A one-time link, shown only once.
#[derive(Clone, Debug)]
pub struct OneTimeLink {
    /// The URL.
    pub url: String,
    /// The secret in the URL.
    pub(crate) secret: String,
    /// When it expires.
    pub expires_at: Timestamp,
}

fn path_of(secret: &str) -> String {
    format!("/sign-in/link/{secret}")
}

/// The state of an opened one-time link.
#[derive(Clone, Debug)]
pub enum OpenedLink {
    /// It is valid.
    Usable {
        /// Its purpose.
        kind: LinkKind,
        /// The organization.
        organization: Box<Organization>,
        /// The member; none for the link that creates the first owner.
        member: Option<Member>,
    },
    /// It was used, at a time in the organization's zone.
    Used(Zoned),
    /// It has expired.
    Expired(Zoned),
    /// It is unknown, or its member no longer exists.
    Unknown,
}

/// The form for using a link.
#[derive(Clone, Debug, Default)]
pub struct LinkForm {
    /// The display name; unchanged if empty.
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
    ttl: SignedDuration,
    now: Timestamp,
) -> Result<(String, Timestamp)> {
    let secret = random_secret();
    let expires_at = now.checked_add(ttl).unwrap_or(now);
    tx.delete_expired_sign_in_links(session::ago(now, EXPIRED_LINK_RETENTION)).await?;
    // The newest link is the one that counts; an older one may be in wrong hands. Not so of those for a
    // new password: anybody can ask for one, and must not end by that what the member has in its mailbox.
    if let Some(member) = member.filter(|_| kind != LinkKind::Reset) {
        tx.delete_sign_in_links_of(member, kind).await?;
    }
    let new = NewSignInLink { hash: hash_of(&secret), kind, member, expires_at };
    tx.create_sign_in_link(&new, now).await?;
    Ok((secret, expires_at))
}

/// Deletes all unused links of a member: a new password invalidates them.
pub(super) async fn delete_links(tx: &mut Tx, member: MemberId) -> Result<()> {
    for kind in [LinkKind::Invitation, LinkKind::Choice, LinkKind::Reset] {
        tx.delete_sign_in_links_of(member, kind).await?;
    }
    Ok(())
}

/// A token that stands for a correct password until one of several organizations is chosen.
pub(super) async fn create_choice(tx: &mut Tx, member: MemberId, now: Timestamp) -> Result<String> {
    Ok(create(tx, LinkKind::Choice, Some(member), CHOICE_TTL, now).await?.0)
}

impl Mainstay {
    /// Creates the setup link for the first owner of an organization.
    pub async fn setup_link(
        &self,
        organization: OrganizationId,
        site: &Site,
    ) -> Result<OneTimeLink> {
        self.one_time_link(organization, LinkKind::Setup, None, LINK_TTL, site).await
    }

    /// Creates the link with which a new member chooses a password.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such member, [`Error::Forbidden`] if its role is higher
    /// than the caller's.
    pub async fn invitation_link(
        &self,
        by: impl Into<Actor>,
        member: MemberId,
        site: &Site,
    ) -> Result<OneTimeLink> {
        let kind = LinkKind::Invitation;
        self.one_time_link(by, kind, Some(member), LINK_TTL, site).await
    }

    /// Creates the link with which a member chooses a new password.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such member, [`Error::Forbidden`] if its role is higher
    /// than the caller's.
    pub async fn reset_link(
        &self,
        by: impl Into<Actor>,
        member: MemberId,
        site: &Site,
    ) -> Result<OneTimeLink> {
        self.one_time_link(by, LinkKind::Reset, Some(member), RESET_LINK_TTL, site).await
    }

    /// Emails a password reset link to every member with an address. Without a mail server, no link
    /// is created: the operator creates one with `mainstay member reset`. Does not reveal whether
    /// such a member exists.
    pub async fn request_reset(&self, email: &str) -> Result<()> {
        let email = normal_email(email);
        if check_email(&email).is_err() {
            return Ok(());
        }
        let members = self.store().read(Scope::System).await?.list_members_with(&email).await?;
        let mailed = self.mail_status().is_configured();
        for (organization, member) in members {
            // Neither the address nor a link: who reads logs is not who may sign in.
            tracing::info!(%organization, %member, mailed, "password reset requested");
            if mailed {
                self.queue_password_reset(organization, member).await?;
            }
        }
        Ok(())
    }

    async fn one_time_link(
        &self,
        by: impl Into<Actor>,
        kind: LinkKind,
        member: Option<MemberId>,
        ttl: SignedDuration,
        site: &Site,
    ) -> Result<OneTimeLink> {
        let by = by.into();
        let mut tx = self.store().begin(by.scope()).await?;
        if let Some(member) = member {
            by.check_may_manage(find_member(&mut tx, member).await?.role)?;
        }
        let (secret, expires_at) = create(&mut tx, kind, member, ttl, self.now()).await?;
        tx.commit().await?;
        let (organization, kind) = (by.organization(), kind.as_str());
        tracing::info!(%organization, %by, kind, ?member, "one-time link created");
        Ok(OneTimeLink { url: site.link(&path_of(&secret)), secret, expires_at })
    }

    /// The unused link of a member with this secret, for the page that shows it; `None` for
    /// anything else.
    pub(crate) async fn unused_link_of(
        &self,
        organization: OrganizationId,
        member: MemberId,
        secret: &str,
        site: &Site,
    ) -> Result<Option<(LinkKind, OneTimeLink)>> {
        let mut tx = self.store().read(Scope::System).await?;
        let found = tx.find_sign_in_link(hash_of(secret)).await?.filter(|link| {
            link.organization == organization
                && link.member == Some(member)
                && matches!(link.kind, LinkKind::Invitation | LinkKind::Reset)
                && link.used_at.is_none()
                && link.expires_at > self.now()
        });
        Ok(found.map(|link| {
            let url = site.link(&path_of(secret));
            (link.kind, OneTimeLink { url, secret: secret.to_owned(), expires_at: link.expires_at })
        }))
    }

    /// The purpose of a link. Changes nothing.
    pub async fn open_link(&self, secret: &str) -> Result<OpenedLink> {
        let mut tx = self.store().read(Scope::System).await?;
        let Some(link) = tx.find_sign_in_link(hash_of(secret)).await? else {
            return Ok(OpenedLink::Unknown);
        };
        drop(tx);
        let SignInLink { organization, kind, member, expires_at, used_at } = link;
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let organization = tx.get_organization().await?;
        let zone = time_zone(&organization.time_zone)
            .map_err(|reason| Error::invalid("time_zone", reason))?;
        if let Some(at) = used_at {
            return Ok(OpenedLink::Used(at.to_zoned(zone)));
        }
        if expires_at <= self.now() {
            return Ok(OpenedLink::Expired(expires_at.to_zoned(zone)));
        }
        let member = match member {
            Some(member) => Some(find_member(&mut tx, member).await?),
            None => None,
        };
        Ok(OpenedLink::Usable { kind, organization: Box::new(organization), member })
    }

    /// Redeems a link: sets the password, ends existing sessions and signs the member in. Returns
    /// the new session, or the state of the link.
    ///
    /// # Errors
    /// If an input is invalid; the link stays valid then.
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
        let address = member.as_ref().map_or(&email, |member| &member.email);
        let hash = self.hash_new_password(address, &name, &organization, form.password).await?;

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
        self.replace_password(&mut tx, member, &hash).await?;
        let token = session::begin(&mut tx, member, now).await?;
        tx.commit().await?;
        self.callers().clear();
        let (organization, kind) = (organization.id, kind.as_str());
        tracing::info!(%organization, %member, kind, "signed in with a one-time link");
        self.hub().notify_sessions_changed();
        Ok(Ok(token))
    }

    /// Signs in to the chosen one of several organizations with the same password; `None` if the
    /// choice took too long.
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
        tracing::info!(organization = %organization.id, member = %member.id, "signed in");
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
        StoreError::Taken(_) => already_a_member(email),
        other => Error::from(other),
    })?;
    Ok(new.id)
}
