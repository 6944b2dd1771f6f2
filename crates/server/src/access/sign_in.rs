//! Members sign in by address and password.

use mainstay_core::id::{MemberId, OrganizationId};
use mainstay_store::{Member, Scope};

use super::{check_email, link, normal_email, password, session};
use crate::{Error, Mainstay, Result};

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
    /// Signs a member in. Without such a member it takes as long as with a wrong password.
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<SignIn> {
        let email = normal_email(email);
        // What is no address must not reach the database, which may not even be able to compare it.
        let kept = if check_email(&email).is_ok() {
            self.store().read(Scope::System).await?.passwords_of(&email).await?
        } else {
            Vec::new()
        };
        let mut right = Vec::new();
        for found in &kept {
            if password::verify(password.to_owned(), Some(found.hash.clone())).await {
                right.push((found.organization, found.member));
            }
        }
        if kept.is_empty() {
            password::verify(password.to_owned(), None).await;
        }
        match right[..] {
            [] => Ok(SignIn::Wrong),
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
        Ok(token)
    }

    async fn offer_choice(&self, organization: OrganizationId, member: MemberId) -> Result<Choice> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let secret = link::create_choice(&mut tx, member, self.now()).await?;
        let organization = tx.organization().await?.name;
        tx.commit().await?;
        Ok(Choice { organization, secret })
    }

    /// Gives a member a password, and ends its sessions.
    ///
    /// # Errors
    /// When the password cannot be used or there is no such member.
    pub async fn set_password(
        &self,
        organization: OrganizationId,
        member: MemberId,
        password: &str,
    ) -> Result<()> {
        password::check(password)?;
        let hash = password::hash(password.to_owned()).await;
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        super::find_member(&mut tx, member).await?;
        tx.set_password(member, &hash, self.now()).await?;
        tx.delete_sessions_of(member, None).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Changes a member's own password. Ends all its sessions and begins a new one: what the browser
    /// is to keep from now on.
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
        password::check(new)?;
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let kept = tx.password(member.id).await?;
        drop(tx);
        if !password::verify(present.to_owned(), kept).await {
            return Err(Error::invalid("present", "is not your password; type it again"));
        }
        self.set_password(organization, member.id, new).await?;
        self.begin_session(organization, member.id).await
    }
}
