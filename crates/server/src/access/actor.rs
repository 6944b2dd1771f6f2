use mainstay_core::{
    id::{MemberId, OrganizationId},
    member::Role,
};
use mainstay_store::Scope;

use crate::{Error, Result};

/// Who manages an organization's members and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whoever runs the server, by the command line.
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

    /// On whose behalf the database is asked.
    pub const fn scope(self) -> Scope {
        match self {
            Self::Operator(id) | Self::SecretKey(id) => Scope::Service(id),
            Self::Member(id, _, role) => Scope::Member(id, role),
        }
    }

    /// The role whose limits it has. An admin makes secret keys, so that one that was more than an admin
    /// would make an admin an owner.
    const fn role(self) -> Role {
        match self {
            Self::Operator(_) => Role::Owner,
            Self::SecretKey(_) => Role::Admin,
            Self::Member(_, _, role) => role,
        }
    }

    /// Refuses to manage somebody whom only somebody above may manage.
    ///
    /// # Errors
    /// [`Error::Forbidden`] that says who may.
    pub(crate) fn check_may_manage(self, other: Role) -> Result<()> {
        if self.role().may_manage(other) {
            return Ok(());
        }
        tracing::warn!(by = %self, role = %other, "refused: this role is above the one that asks");
        Err(Error::Forbidden(match (self, other) {
            (Self::SecretKey(_), _) => {
                "a secret key may not add, change or remove an owner, nor make \
                                        its keys and links; an owner may, or the operator by: \
                                        mainstay member, mainstay key"
                    .to_owned()
            }
            (_, Role::Owner) => {
                "only an owner may add, change or remove an owner, or make its keys \
                                 and links; ask an owner to do it"
                    .to_owned()
            }
            _ => format!("the role {} manages no members; ask an owner or an admin", self.role()),
        }))
    }
}

impl From<OrganizationId> for Actor {
    fn from(organization: OrganizationId) -> Self {
        Self::Operator(organization)
    }
}

/// For the log: ids, which tell nobody else who it is.
impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Operator(_) => f.write_str("operator"),
            Self::SecretKey(_) => f.write_str("secret key"),
            Self::Member(_, member, _) => write!(f, "member {member}"),
        }
    }
}
