use askama::Template;
use axum::extract::State;
use mainstay_core::email::SubscriptionState;
use mainstay_store::Scope;

use super::found;
use crate::{
    email::{LinkPurpose, OpenedEmail},
    web::{BareShell, PageResult, Path, Theme, Web, show, ui::text::visible},
};

#[derive(Template)]
#[template(path = "public/mail_links/unsubscribe.html")]
struct UnsubscribePage {
    shell: BareShell,
    organization: String,
    address: String,
    /// Whether mails come no more.
    done: bool,
    /// Where the button posts to.
    action: String,
}

impl UnsubscribePage {
    fn new(theme: Theme, opened: &OpenedEmail, token: &str, done: bool) -> Self {
        let OpenedEmail { email, organization, .. } = opened;
        Self {
            shell: BareShell { theme },
            organization: visible(&organization.name, &organization.slug).to_owned(),
            address: email.email.address.clone(),
            done,
            action: format!("/email/unsubscribe/{token}"),
        }
    }
}

/// Shows the button. Mail programs open links to look at them, so this changes nothing.
pub(super) async fn form(
    State(web): State<Web>,
    theme: Theme,
    Path(token): Path<String>,
) -> PageResult {
    let opened = found(&web, LinkPurpose::Unsubscribe, &token).await?;
    let scope = Scope::Service(opened.organization.id);
    let subscription = web.mainstay.subscription(scope, opened.email.client).await?;
    let gone = subscription.is_none_or(|one| one.state == SubscriptionState::Unsubscribed);
    show(&UnsubscribePage::new(theme, &opened, &token, gone))
}

/// Unsubscribes, for the button of the page and for that of a mail program (RFC 8058) alike; whatever
/// the body says.
pub(super) async fn unsubscribe(
    State(web): State<Web>,
    theme: Theme,
    Path(token): Path<String>,
) -> PageResult {
    let opened = found(&web, LinkPurpose::Unsubscribe, &token).await?;
    web.mainstay.unsubscribe(&opened.email).await?;
    show(&UnsubscribePage::new(theme, &opened, &token, true))
}
