use askama::Template;
use mainstay_core::email::SubscriptionState;
use mainstay_store::Subscription;

use super::{markup, view::View};

/// Whether a client gets mails, and the switch for it.
#[derive(Template)]
#[template(path = "components/email_card.html")]
pub(crate) struct EmailCard {
    action: String,
    state: SubscriptionState,
    /// Where mails go, or would go.
    address: String,
    since: Option<String>,
}

impl EmailCard {
    /// The card of a client with this subscription; `known` is the address that its app told.
    pub(crate) fn new(
        view: &View,
        subscription: Option<&Subscription>,
        known: Option<&str>,
    ) -> Self {
        let address = subscription.map(|one| one.address.as_str()).filter(|text| !text.is_empty());
        Self {
            action: view.link("/emails"),
            state: subscription.map_or(SubscriptionState::Unsubscribed, |one| one.state),
            address: address.or(known).unwrap_or_default().to_owned(),
            since: subscription.map(|one| view.day_of(one.changed_at)),
        }
    }

    fn is_on(&self) -> bool {
        self.state == SubscriptionState::Subscribed
    }

    fn is_pending(&self) -> bool {
        self.state == SubscriptionState::Pending
    }
}

markup!(EmailCard);
