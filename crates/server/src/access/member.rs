//! The members of an organization, and their management.

use mainstay_core::{
    id::{MemberId, OrganizationId},
    member::Role,
};
use mainstay_store::{Member, MemberAccess, NewMember, Scope, StoreError, Tx, new_id};

use super::{Actor, check_email, normal_email};
use crate::{Error, Mainstay, Result, validate::check_name};

impl Mainstay {
    /// Adds a member.
    ///
    /// # Errors
    /// When the address cannot be used or is a member's already, or the role outranks the caller.
    pub async fn add_member(
        &self,
        by: impl Into<Actor>,
        email: &str,
        name: Option<&str>,
        role: Role,
    ) -> Result<Member> {
        let by = by.into();
        by.check_may_manage(role)?;
        let email = normal_email(email);
        check_email(&email)?;
        let name = name.unwrap_or(&email);
        check_name("name", name)?;
        let now = self.now();
        let new = NewMember { id: new_id(now), email: email.clone(), name: name.to_owned(), role };
        let mut tx = self.store().begin(by.scope()).await?;
        tx.create_member(&new, now).await.map_err(|error| match error {
            StoreError::Taken(_) => already_a_member(&email),
            other => other.into(),
        })?;
        tx.commit().await?;
        let (organization, member) = (by.organization(), new.id);
        tracing::info!(%organization, %by, %member, %role, "member added");
        Ok(Member { id: new.id, email: new.email, name: new.name, role, created_at: now })
    }

    /// An organization's members, by address.
    pub async fn members(&self, organization: OrganizationId) -> Result<Vec<Member>> {
        self.members_in(Scope::Service(organization)).await
    }

    /// The same, within a scope.
    pub async fn members_in(&self, scope: Scope) -> Result<Vec<Member>> {
        Ok(self.store().read(scope).await?.list_members().await?)
    }

    /// Removes a member, its keys and its sessions. The last owner cannot be removed.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`] for a member who outranks the caller, or
    /// [`Error::Conflict`] for the last owner.
    pub async fn remove_member(&self, by: impl Into<Actor>, member: MemberId) -> Result<()> {
        let by = by.into();
        let mut tx = self.store().begin(by.scope()).await?;
        // Before the role is looked at, which must not change until the member is gone.
        tx.lock_roles().await?;
        by.check_may_manage(find_member(&mut tx, member).await?.role)?;
        check_not_last_owner(&mut tx, member).await?;
        tx.delete_member(member).await?;
        tx.commit().await?;
        self.callers().clear();
        self.hub().notify_sessions_changed();
        tracing::info!(organization = %by.organization(), %by, %member, "member removed");
        Ok(())
    }

    /// Changes a member's role and ends its sessions. The last owner cannot be demoted.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`] when the old or the new role outranks the
    /// caller's, or [`Error::Conflict`] for the last owner.
    pub async fn set_role(&self, by: impl Into<Actor>, member: MemberId, role: Role) -> Result<()> {
        let by = by.into();
        by.check_may_manage(role)?;
        let mut tx = self.store().begin(by.scope()).await?;
        // Before the role is looked at, which must not change in between.
        tx.lock_roles().await?;
        by.check_may_manage(find_member(&mut tx, member).await?.role)?;
        if role != Role::Owner {
            check_not_last_owner(&mut tx, member).await?;
        }
        tx.set_member_role(member, role).await?;
        tx.delete_sessions_of(member, None).await?;
        tx.commit().await?;
        self.callers().clear();
        self.hub().notify_sessions_changed();
        let organization = by.organization();
        tracing::info!(%organization, %by, %member, %role, "member role changed");
        Ok(())
    }

    /// Changes a member's display name.
    ///
    /// # Errors
    /// If the name is invalid or there is no such member.
    pub async fn rename_member(
        &self,
        organization: OrganizationId,
        member: MemberId,
        name: &str,
    ) -> Result<()> {
        check_name("name", name)?;
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        find_member(&mut tx, member).await?;
        tx.set_member_name(member, name).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The sign-in state of each member.
    pub async fn member_access(&self, organization: OrganizationId) -> Result<Vec<MemberAccess>> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        Ok(tx.list_member_access(self.now()).await?)
    }
}

pub(super) fn already_a_member(email: &str) -> Error {
    Error::conflict_in("email", format!("{email} is already a member of this organization"))
}

/// Checks that a member is not the only owner; the caller has locked the roles.
async fn check_not_last_owner(tx: &mut Tx, member: MemberId) -> Result<()> {
    let owner = find_member(tx, member).await?.role == Role::Owner;
    let owners = tx.list_members().await?.iter().filter(|one| one.role == Role::Owner).count();
    if owner && owners == 1 {
        return Err(Error::conflict(
            "this is the organization's only owner; make another member owner first",
        ));
    }
    Ok(())
}

pub(super) async fn find_member(tx: &mut Tx, member: MemberId) -> Result<Member> {
    let members = tx.list_members().await?;
    members.into_iter().find(|one| one.id == member).ok_or_else(|| Error::NotFound {
        what: "member",
        id: member.to_string(),
        remedy: "GET /api/v1/members lists all members",
    })
}
