//! Members sign in by address and password.

use std::net::IpAddr;

use mainstay_core::id::{MemberId, OrganizationId};
use mainstay_store::{FoundPassword, Member, Organization, Scope, Tx};

use super::{check_email, link, member::find_member, normal_email, password, session};
use crate::{Error, Mainstay, Result, email::queue_sign_in_warning};

/// Wrong passwords that a member hears of: fewer are its own slips.
pub(crate) const MIN_FAILURES: i64 = 5;

/// What became of a try to sign in.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// The address or the password is wrong; nobody is told which.
    Wrong,
    /// A session began: what the browser is to keep.
    Done(String),
    /// Both are right in several organizations.
    Choose(Vec<Choice>),
}

/// One of several organizations that somebody may sign in to.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Its name.
    pub organization: String,
    /// What stands for the password until it is chosen.
    pub secret: String,
}

impl Mainstay {
    /// Signs a member in, from an address. Without such a member it takes as long as with a wrong
    /// password.
    pub async fn sign_in(&self, email: &str, password: &str, from: IpAddr) -> Result<SignIn> {
        let email = normal_email(email);
        // What is no address must not reach the database, which may not even be able to compare it.
        let kept = if check_email(&email).is_ok() {
            self.store().read(Scope::System).await?.passwords_of(&email).await?
        } else {
            Vec::new()
        };
        let hashes = kept.iter().map(|found| found.hash.clone()).collect();
        let are_right = password::verify_each(password.to_owned(), hashes).await;
        let right: Vec<_> = kept
            .iter()
            .zip(are_right)
            .filter_map(|(found, is_right)| is_right.then_some((found.organization, found.member)))
            .collect();
        match right[..] {
            [] => {
                self.count_failure(kept, from);
                Ok(SignIn::Wrong)
            }
            [(organization, member)] => {
                Ok(SignIn::Done(self.begin_session(organization, member).await?))
            }
            _ => {
                let mut choices = Vec::with_capacity(right.len());
                for (organization, member) in right {
                    choices.push(self.offer_choice(organization, member).await?);
                }
                Ok(SignIn::Choose(choices))
            }
        }
    }

    async fn begin_session(
        &self,
        organization: OrganizationId,
        member: MemberId,
    ) -> Result<String> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let token = session::begin(&mut tx, member, self.now()).await?;
        tx.commit().await?;
        tracing::info!(%organization, %member, "signed in");
        Ok(token)
    }

    /// Counts a wrong password for each member that it was tried for. Aside: whoever tried would learn by
    /// the time it takes whether there is such a member.
    fn count_failure(&self, tried: Vec<FoundPassword>, from: IpAddr) {
        if tried.is_empty() {
            tracing::info!("a sign-in was refused: no member with a password has this address");
        }
        let mainstay = self.clone();
        tokio::spawn(async move {
            for FoundPassword { organization, member, .. } in tried {
                match mainstay.record_sign_in_failure(organization, member, from).await {
                    Ok(wrong) => {
                        tracing::warn!(%organization, %member, %from, wrong, "a wrong password");
                    }
                    Err(error) => tracing::error!(
                        %organization, %member, %error, "a wrong password could not be counted"
                    ),
                }
            }
        });
    }

    /// Counts a wrong password of a member, and warns it by email when there were too many to be its own
    /// slips. Returns how many there were.
    pub(super) async fn record_sign_in_failure(
        &self,
        organization: OrganizationId,
        member: MemberId,
        from: IpAddr,
    ) -> Result<i64> {
        let now = self.now();
        let place = from.to_canonical().to_string();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let recorded = tx.record_sign_in_failure(member, &place, now).await?;
        if recorded.failures.count >= MIN_FAILURES && self.mail_status().is_configured() {
            queue_sign_in_warning(&mut tx, member, &recorded, now).await?;
        }
        tx.commit().await?;
        Ok(recorded.failures.count)
    }

    /// Forgets the wrong passwords that were tried for a member: it says that it knows of them.
    pub async fn forget_sign_in_failures(
        &self,
        organization: OrganizationId,
        member: MemberId,
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.forget_sign_in_failures(member).await?;
        Ok(tx.commit().await?)
    }

    /// Hashes a new password of a person, by its address.
    ///
    /// # Errors
    /// When the password cannot be used.
    pub(super) async fn hash_new_password(
        &self,
        email: &str,
        name: &str,
        organization: &Organization,
        password: String,
    ) -> Result<String> {
        let (user, host) = email.split_once('@').unwrap_or((email, ""));
        let known = [email, user, host, name, &organization.name, &organization.slug, "mainstay"];
        password::check(&password, &known)?;
        let others = self.store().read(Scope::System).await?.passwords_of(email).await?;
        Ok(password::hash(password, others.into_iter().next().map(|other| other.hash)).await)
    }

    async fn offer_choice(&self, organization: OrganizationId, member: MemberId) -> Result<Choice> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let secret = link::create_choice(&mut tx, member, self.now()).await?;
        let organization = tx.organization().await?.name;
        tx.commit().await?;
        Ok(Choice { organization, secret })
    }

    /// Gives a member a password, and ends what the one before let in: its sessions and tokens.
    ///
    /// # Errors
    /// When the password cannot be used or there is no such member.
    pub async fn set_password(
        &self,
        organization: OrganizationId,
        member: MemberId,
        password: &str,
    ) -> Result<()> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let Member { email, name, .. } = find_member(&mut tx, member).await?;
        let context = tx.organization().await?;
        drop(tx);
        let hash = self.hash_new_password(&email, &name, &context, password.to_owned()).await?;
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        find_member(&mut tx, member).await?;
        self.keep_password(&mut tx, member, &hash).await?;
        tx.commit().await?;
        self.callers().clear();
        tracing::info!(%organization, %member, "a password was set");
        self.hub().sessions_changed();
        Ok(())
    }

    /// Keeps a password and ends what the one before let in. Tokens that were made for a member who had
    /// none yet go on.
    pub(super) async fn keep_password(
        &self,
        tx: &mut Tx,
        member: MemberId,
        hash: &str,
    ) -> Result<()> {
        let now = self.now();
        if tx.password(member).await?.is_some() {
            tx.revoke_member_keys(member, now).await?;
        }
        tx.set_password(member, hash, now).await?;
        link::end_links(tx, member).await?;
        tx.delete_sessions_of(member, None).await?;
        Ok(tx.forget_sign_in_failures(member).await?)
    }

    /// Changes a member's own password. Ends all its sessions and tokens and begins a new session: what
    /// the browser is to keep from now on.
    ///
    /// # Errors
    /// When the present password is wrong or the new one cannot be used.
    pub async fn change_password(
        &self,
        organization: OrganizationId,
        member: &Member,
        present: &str,
        new: &str,
    ) -> Result<String> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let kept = tx.password(member.id).await?;
        drop(tx);
        if !password::verify(present.to_owned(), kept).await {
            tracing::warn!(%organization, member = %member.id, "a wrong password, to change it");
            return Err(Error::invalid("present", "is not your password; type it again"));
        }
        self.set_password(organization, member.id, new).await?;
        self.begin_session(organization, member.id).await
    }
}
