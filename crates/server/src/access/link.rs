//! One-time links: for the first owner, for new members, for those who forgot their password. Each is
//! random, of which only the hash is stored, expires, and is used once – by a POST, since mail
//! programs and messengers open every link they see.

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
    member::{find_member, taken},
    normal_email, random_secret, session,
};
use crate::{Error, Mainstay, Result, site::Site, validate::check_name};

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
    /// What of it lets somebody in.
    pub(crate) secret: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

fn path_of(secret: &str) -> String {
    format!("/sign-in/link/{secret}")
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
    /// It was used, at a time of the organization's.
    Used(Zoned),
    /// It has expired.
    Expired(Zoned),
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
    // The newest link is the one that counts; an older one may be in wrong hands. Not so of those for a
    // new password: anybody can ask for one, and must not end by that what the member has in its mailbox.
    if let Some(member) = member.filter(|_| kind != LinkKind::Reset) {
        tx.delete_sign_in_links_of(member, kind).await?;
    }
    let new = NewSignInLink { hash: hash_of(&secret), kind, member, expires_at };
    tx.create_sign_in_link(&new, now).await?;
    Ok((secret, expires_at))
}

/// Deletes every link that a member could still use: a new password ends what was made before it.
pub(super) async fn end_links(tx: &mut Tx, member: MemberId) -> Result<()> {
    for kind in [LinkKind::Invitation, LinkKind::Choice, LinkKind::Reset] {
        tx.delete_sign_in_links_of(member, kind).await?;
    }
    Ok(())
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
    /// [`Error::NotFound`] when there is no such member, [`Error::Forbidden`] when it is above whoever
    /// asks.
    pub async fn invitation_link(
        &self,
        by: impl Into<Actor>,
        member: MemberId,
        site: &Site,
    ) -> Result<OneTimeLink> {
        let kind = LinkKind::Invitation;
        self.one_time_link(by, kind, Some(member), PASSED_ON, site).await
    }

    /// Makes the link by which a member chooses a new password.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such member, [`Error::Forbidden`] when it is above whoever
    /// asks.
    pub async fn reset_link(
        &self,
        by: impl Into<Actor>,
        member: MemberId,
        site: &Site,
    ) -> Result<OneTimeLink> {
        self.one_time_link(by, LinkKind::Reset, Some(member), RESET, site).await
    }

    /// Mails every member with an address a link for a new password. Without a mail server nothing is
    /// made: whoever runs the server makes a link by `mainstay member reset`. Tells nobody whether there
    /// is such a member.
    pub async fn request_reset(&self, email: &str) -> Result<()> {
        let email = normal_email(email);
        if check_email(&email).is_err() {
            return Ok(());
        }
        let members = self.store().read(Scope::System).await?.members_with(&email).await?;
        let mailed = self.mail_status().is_configured();
        for (organization, member) in members {
            // Neither the address nor a link: who reads logs is not who may sign in.
            tracing::info!(%organization, %member, mailed, "a new password was asked for");
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
        life: SignedDuration,
        site: &Site,
    ) -> Result<OneTimeLink> {
        let by = by.into();
        let mut tx = self.store().begin(by.scope()).await?;
        if let Some(member) = member {
            by.check_may_manage(find_member(&mut tx, member).await?.role)?;
        }
        let (secret, expires_at) = create(&mut tx, kind, member, life, self.now()).await?;
        tx.commit().await?;
        let (organization, kind) = (by.organization(), kind.as_str());
        tracing::info!(%organization, %by, kind, ?member, "a one-time link was made");
        Ok(OneTimeLink { url: site.link(&path_of(&secret)), secret, expires_at })
    }

    /// The unused link of a member that has this secret: what the page shows that its form leads to.
    /// `None` for anything else.
    pub(crate) async fn new_link_of(
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

    /// What a link is for. Changes nothing.
    pub async fn open_link(&self, secret: &str) -> Result<OpenedLink> {
        let mut tx = self.store().read(Scope::System).await?;
        let Some(link) = tx.find_sign_in_link(hash_of(secret)).await? else {
            return Ok(OpenedLink::Unknown);
        };
        drop(tx);
        let SignInLink { organization, kind, member, expires_at, used_at } = link;
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let organization = tx.organization().await?;
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
        self.keep_password(&mut tx, member, &hash).await?;
        let token = session::begin(&mut tx, member, now).await?;
        tx.commit().await?;
        self.callers().clear();
        let (organization, kind) = (organization.id, kind.as_str());
        tracing::info!(%organization, %member, kind, "signed in by a one-time link");
        self.hub().sessions_changed();
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
        StoreError::Taken(_) => taken(email),
        other => Error::from(other),
    })?;
    Ok(new.id)
}
