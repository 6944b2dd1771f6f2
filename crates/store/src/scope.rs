use mainstay_core::id::{ClientId, OrganizationId};

use uuid::Uuid;

use crate::Role;

/// On whose behalf a transaction runs. PostgreSQL's policies see it; on both databases it names the
/// organization that every query of the transaction carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nobody's data in particular: finding an organization, a key's owner, the jobs' list.
    System,
    /// Jobs, imports and secret keys: everything of one organization.
    Service(OrganizationId),
    /// A member of an organization.
    Member(OrganizationId, Role),
    /// A client, for its own data.
    Client(OrganizationId, ClientId),
}

/// What names only an organization is no member: the command line, jobs and imports.
impl From<OrganizationId> for Scope {
    fn from(organization: OrganizationId) -> Self {
        Self::Service(organization)
    }
}

impl Scope {
    /// The organization that the transaction belongs to; `None` for [`Scope::System`].
    pub const fn organization(self) -> Option<OrganizationId> {
        match self {
            Self::System => None,
            Self::Service(id) | Self::Member(id, _) | Self::Client(id, _) => Some(id),
        }
    }

    /// Whether anything may be written on its behalf. Checked where a writing transaction begins, so that
    /// it holds for SQLite too, which has no policies.
    pub const fn may_write(self) -> bool {
        match self {
            Self::Member(_, role) => role.may_write(),
            Self::System | Self::Service(_) | Self::Client(..) => true,
        }
    }

    /// The id that every query of tenant data carries.
    ///
    /// # Panics
    /// In [`Scope::System`], which has none: a mistake in the code, found by the first test.
    pub(crate) fn organization_uuid(self) -> Uuid {
        self.organization().expect("a tenant query in the system scope").uuid()
    }

    /// The statements that tell PostgreSQL the scope, for the current transaction only.
    ///
    /// `SET LOCAL`, not `set_config()`: only the former reaches the shards of a Citus cluster, once
    /// it is told to. The values are formatted from typed ids, because `SET` takes no parameters.
    pub(crate) fn postgres_settings(self) -> String {
        let role = match self {
            Self::System => "system",
            Self::Service(_) => "service",
            Self::Member(_, role) => role.as_str(),
            Self::Client(..) => "client",
        };
        let setting = |key: &str, value: Uuid| format!("; SET LOCAL mainstay.{key} = '{value}'");
        let organization = self.organization().map(|id| setting("organization_id", id.uuid()));
        let client = match self {
            Self::Client(_, client) => Some(setting("client_id", client.uuid())),
            _ => None,
        };
        format!(
            "SET LOCAL citus.propagate_set_commands = 'local'; \
             SET LOCAL mainstay.role = '{role}'{}{}",
            organization.unwrap_or_default(),
            client.unwrap_or_default(),
        )
    }
}
