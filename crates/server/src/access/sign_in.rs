//! Sign-in of members with address and password.

use std::net::IpAddr;

use mainstay_core::id::{MemberId, OrganizationId};
use mainstay_store::{FoundPassword, Member, Organization, Scope, Tx};

use super::{check_email, link, member::find_member, normal_email, password, session};
use crate::{Error, Mainstay, Result, email::queue_sign_in_warning};

/// Failed sign-ins from which a member is warned: fewer are probably its own typos.
pub(crate) const MIN_FAILURES: i64 = 5;

/// The outcome of a sign-in attempt.
#[derive(Clone, Debug)]
pub enum SignInOutcome {
    /// The address or the password is wrong; which one is not revealed.
    Rejected,
    /// A session began: the token for the browser.
    SignedIn(String),
    /// Both are correct in several organizations.
    ChooseOrganization(Vec<OrganizationChoice>),
}

/// One of several organizations that the member may sign in to.
#[derive(Clone, Debug)]
pub struct OrganizationChoice {
    /// Its name.
    pub organization: String,
    /// A token that replaces the password during the choice.
    pub secret: String,
}

impl Mainstay {
    /// Signs a member in from an IP address. An unknown member takes as long as a wrong password.
    pub async fn sign_in(
        &self,
        email: &str,
        password: &str,
        from: IpAddr,
    ) -> Result<SignInOutcome> {
        let email = normal_email(email);
        // What is no address must not reach the database, which may not even be able to compare it.
        let accounts = if check_email(&email).is_ok() {
            self.store().read(Scope::System).await?.list_passwords_of(&email).await?
        } else {
            Vec::new()
        };
        let hashes = accounts.iter().map(|found| found.hash.clone()).collect();
        let are_right = password::verify_each(password.to_owned(), hashes).await;
        let right: Vec<_> = accounts
            .iter()
            .zip(are_right)
            .filter_map(|(found, is_right)| is_right.then_some((found.organization, found.member)))
            .collect();
        match right[..] {
            [] => {
                self.count_failure(accounts, from);
                Ok(SignInOutcome::Rejected)
            }
            [(organization, member)] => {
                Ok(SignInOutcome::SignedIn(self.begin_session(organization, member).await?))
            }
            _ => {
                let mut choices = Vec::with_capacity(right.len());
                for (organization, member) in right {
                    choices.push(self.offer_choice(organization, member).await?);
                }
                Ok(SignInOutcome::ChooseOrganization(choices))
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

    /// Counts a wrong password for each member with the address. In the background, because the
    /// time would reveal whether such a member exists.
    fn count_failure(&self, accounts: Vec<FoundPassword>, from: IpAddr) {
        if accounts.is_empty() {
            tracing::info!("sign-in failed: no member with a password has this address");
        }
        let mainstay = self.clone();
        tokio::spawn(async move {
            for FoundPassword { organization, member, .. } in accounts {
                match mainstay.record_sign_in_failure(organization, member, from).await {
                    Ok(wrong) => {
                        tracing::warn!(%organization, %member, %from, wrong, "wrong password");
                    }
                    Err(error) => tracing::error!(
                        %organization, %member, %error, "failed to count a wrong password"
                    ),
                }
            }
        });
    }

    /// Counts a wrong password of a member, and warns it by email if there are too many to be its
    /// own typos. Returns the count.
    pub(super) async fn record_sign_in_failure(
        &self,
        organization: OrganizationId,
        member: MemberId,
        from: IpAddr,
    ) -> Result<i64> {
        let now = self.now();
        let address = from.to_canonical().to_string();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let recorded = tx.record_sign_in_failure(member, &address, now).await?;
        if recorded.failures.count >= MIN_FAILURES && self.mail_status().is_configured() {
            queue_sign_in_warning(&mut tx, member, &recorded, now).await?;
        }
        tx.commit().await?;
        Ok(recorded.failures.count)
    }

    /// Clears the failed sign-ins of a member, who has acknowledged them.
    pub async fn forget_sign_in_failures(
        &self,
        organization: OrganizationId,
        member: MemberId,
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.delete_sign_in_failures(member).await?;
        Ok(tx.commit().await?)
    }

    /// Hashes a new password of a person, by its address.
    ///
    /// # Errors
    /// If the password is invalid.
    pub(super) async fn hash_new_password(
        &self,
        email: &str,
        name: &str,
        organization: &Organization,
        password: String,
    ) -> Result<String> {
        let (user, host) = email.split_once('@').unwrap_or((email, ""));
        let personal_words =
            [email, user, host, name, &organization.name, &organization.slug, "mainstay"];
        password::check(&password, &personal_words)?;
        let others = self.store().read(Scope::System).await?.list_passwords_of(email).await?;
        Ok(password::hash(password, others.into_iter().next().map(|other| other.hash)).await)
    }

    async fn offer_choice(
        &self,
        organization: OrganizationId,
        member: MemberId,
    ) -> Result<OrganizationChoice> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let secret = link::create_choice(&mut tx, member, self.now()).await?;
        let organization = tx.get_organization().await?.name;
        tx.commit().await?;
        Ok(OrganizationChoice { organization, secret })
    }

    /// Sets a member's password and ends its sessions and tokens.
    ///
    /// # Errors
    /// If the password is invalid or there is no such member.
    pub async fn set_password(
        &self,
        organization: OrganizationId,
        member: MemberId,
        password: &str,
    ) -> Result<()> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let Member { email, name, .. } = find_member(&mut tx, member).await?;
        let context = tx.get_organization().await?;
        drop(tx);
        let hash = self.hash_new_password(&email, &name, &context, password.to_owned()).await?;
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        find_member(&mut tx, member).await?;
        self.replace_password(&mut tx, member, &hash).await?;
        tx.commit().await?;
        self.callers().clear();
        tracing::info!(%organization, %member, "password set");
        self.hub().notify_sessions_changed();
        Ok(())
    }

    /// Stores a password and ends the sessions and tokens of the previous one. Tokens of a member
    /// who had no password yet stay valid.
    pub(super) async fn replace_password(
        &self,
        tx: &mut Tx,
        member: MemberId,
        hash: &str,
    ) -> Result<()> {
        let now = self.now();
        if tx.find_password_hash(member).await?.is_some() {
            tx.revoke_member_keys(member, now).await?;
        }
        tx.set_password(member, hash, now).await?;
        link::delete_links(tx, member).await?;
        tx.delete_sessions_of(member, None).await?;
        Ok(tx.delete_sign_in_failures(member).await?)
    }

    /// Changes a member's own password. Ends all its sessions and tokens, and returns the token of
    /// a new session.
    ///
    /// # Errors
    /// If the current password is wrong or the new one is invalid.
    pub async fn change_password(
        &self,
        organization: OrganizationId,
        member: &Member,
        present: &str,
        new: &str,
    ) -> Result<String> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let stored_hash = tx.find_password_hash(member.id).await?;
        drop(tx);
        if !password::verify(present.to_owned(), stored_hash).await {
            tracing::warn!(%organization, member = %member.id, "wrong password at a password change");
            return Err(Error::invalid("present", "is not your password; type it again"));
        }
        self.set_password(organization, member.id, new).await?;
        self.begin_session(organization, member.id).await
    }
}
