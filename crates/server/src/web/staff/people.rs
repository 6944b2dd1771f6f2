use mainstay_core::id::MemberId;
use mainstay_store::{AlertAction, Member};

use crate::{
    Mainstay, Result,
    web::{
        StaffSession,
        ui::{components::LastAction, text::visible},
    },
};

/// What people do with alerts, as it stands in their history.
const MEMBER_ACTIONS: [&str; 6] = ["acknowledge", "snooze", "resolve", "dismiss", "reopen", "undo"];

/// The organization's members, as one of them speaks of them.
pub(crate) struct People {
    pub(crate) all: Vec<Member>,
    me: MemberId,
}

impl People {
    pub(crate) async fn load(mainstay: &Mainstay, session: &StaffSession) -> Result<Self> {
        let all = mainstay.members_in(session.scope).await?;
        Ok(Self { all, me: session.member_id() })
    }

    /// Whether this is whoever is looking.
    pub(crate) fn is_me(&self, id: MemberId) -> bool {
        id == self.me
    }

    /// A member's name; `you` for the signed-in member.
    pub(crate) fn name(&self, id: Option<MemberId>) -> String {
        let Some(id) = id else { return "a secret key".to_owned() };
        if self.is_me(id) {
            return "you".to_owned();
        }
        self.all.iter().find(|member| member.id == id).map_or_else(
            || "a former member".to_owned(),
            |member| visible(&member.name, &member.email).to_owned(),
        )
    }

    /// What a member last did with an alert.
    pub(crate) fn last_action(&self, actions: &[AlertAction]) -> Option<LastAction> {
        let last = actions.iter().rfind(|one| MEMBER_ACTIONS.contains(&one.action.as_str()))?;
        Some(LastAction { who: self.name(last.member), at: last.at, note: last.note.clone() })
    }
}
