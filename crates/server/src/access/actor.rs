use mainstay_core::{
    id::{MemberId, OrganizationId},
    member::Role,
};
use mainstay_store::Scope;

use crate::{Error, Result};

/// The actor of a change to members or keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The operator, on the command line.
    Operator(OrganizationId),
    /// A secret key.
    SecretKey(OrganizationId),
    /// A member.
    Member(OrganizationId, MemberId, Role),
}

impl Actor {
    /// The organization.
    pub const fn organization(self) -> OrganizationId {
        match self {
            Self::Operator(id) | Self::SecretKey(id) | Self::Member(id, ..) => id,
        }
    }

    /// The scope of the database queries.
    pub const fn scope(self) -> Scope {
        match self {
            Self::Operator(id) | Self::SecretKey(id) => Scope::Service(id),
            Self::Member(id, _, role) => Scope::Member(id, role),
        }
    }

    /// The role whose limits apply. Admins can create secret keys, so a key with more rights would
    /// turn an admin into an owner.
    const fn role(self) -> Role {
        match self {
            Self::Operator(_) => Role::Owner,
            Self::SecretKey(_) => Role::Admin,
            Self::Member(_, _, role) => role,
        }
    }

    /// Checks that the actor may manage members of a role.
    ///
    /// # Errors
    /// [`Error::Forbidden`], naming who may.
    pub(crate) fn check_may_manage(self, other: Role) -> Result<()> {
        if self.role().may_manage(other) {
            return Ok(());
        }
        tracing::warn!(by = %self, role = %other, "refused: the role is higher than the caller's");
        Err(Error::Forbidden(match (self, other) {
            (Self::SecretKey(_), _) => {
                "a secret key cannot add, change or remove an owner, nor create an owner's keys \
                                        and links; do it as an owner, or on the server with: \
                                        mainstay member, mainstay key"
                    .to_owned()
            }
            (_, Role::Owner) => {
                "only an owner can add, change or remove an owner, or create an owner's keys and \
                                 links; ask an owner"
                    .to_owned()
            }
            _ => {
                format!("the role {} cannot manage members; ask an owner or an admin", self.role())
            }
        }))
    }
}

impl From<OrganizationId> for Actor {
    fn from(organization: OrganizationId) -> Self {
        Self::Operator(organization)
    }
}

/// For the log: ids only, which identify nobody to outsiders.
impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Operator(_) => f.write_str("operator"),
            Self::SecretKey(_) => f.write_str("secret key"),
            Self::Member(_, member, _) => write!(f, "member {member}"),
        }
    }
}
