//! Members of an organization, and what their roles let them do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a member may do. Each role may do what the ones below it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Change settings, keys and members, but no owner.
    Admin,
    /// See everything, act on alerts, keep clients' records; no settings, keys or members.
    Staff,
    /// See what staff see, and change nothing but its own account.
    Viewer,
}

impl Role {
    /// Every role, the most powerful first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Staff, Self::Viewer];

    /// The name used in every API and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Staff => "staff",
            Self::Viewer => "viewer",
        }
    }

    /// Whether it changes settings, keys and members.
    pub const fn may_administer(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }

    /// Whether it changes anything of the organization.
    pub const fn may_write(self) -> bool {
        !matches!(self, Self::Viewer)
    }

    /// Whether it may manage a member of another role: add or remove one, make its tokens and links,
    /// end its sessions, take the role away or give it. Nobody manages anybody above itself; otherwise
    /// an admin would be an owner by one detour or another.
    pub const fn may_manage(self, other: Self) -> bool {
        match (self, other) {
            (Self::Owner, _) | (Self::Admin, Self::Admin | Self::Staff | Self::Viewer) => true,
            (Self::Admin, Self::Owner) | (Self::Staff | Self::Viewer, _) => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            format!("unknown role {text:?}: use one of {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_manages_anybody_above_itself() {
        let (yes, no) = (true, false);
        // Rows and columns: owner, admin, staff, viewer.
        let table = [[yes, yes, yes, yes], [no, yes, yes, yes], [no, no, no, no], [no, no, no, no]];
        for (role, row) in Role::ALL.into_iter().zip(table) {
            for (other, may) in Role::ALL.into_iter().zip(row) {
                assert_eq!(role.may_manage(other), may, "{role} manages {other}");
            }
        }
    }

    #[test]
    fn every_role_but_viewer_writes() {
        assert_eq!(Role::ALL.map(Role::may_write), [true, true, true, false]);
    }

    #[test]
    fn a_role_is_read_by_its_name_and_by_nothing_else() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        for odd in ["", "Owner", "root", "owner "] {
            let error = odd.parse::<Role>().unwrap_err();
            assert!(error.ends_with("use one of owner, admin, staff, viewer"), "{error}");
        }
    }
}
