use askama::Template;
use axum::extract::State;
use mainstay_core::email::{EmailType, SubscriptionState};
use mainstay_store::Scope;

use super::found;
use crate::{
    email::{LinkPurpose, OpenedEmail},
    web::{BareShell, PageError, PageResult, Path, Theme, Web, show, ui::text::visible},
};

#[derive(Template)]
#[template(path = "public/mail_links/confirm.html")]
struct ConfirmPage {
    shell: BareShell,
    organization: String,
    address: String,
    /// Whether mails come from now on.
    done: bool,
    /// Where the button posts to.
    action: String,
}

impl ConfirmPage {
    fn new(theme: Theme, opened: &OpenedEmail, token: &str, done: bool) -> Self {
        let OpenedEmail { email, organization, .. } = opened;
        Self {
            shell: BareShell { theme },
            organization: visible(&organization.name, &organization.slug).to_owned(),
            address: email.email.address.clone(),
            done,
            action: format!("/email/confirm/{token}"),
        }
    }
}

fn not_asked_any_more() -> PageError {
    PageError::not_found(
        "This request is no longer valid: the address was changed or unsubscribed since. Ask for a new \
         email on your page.",
    )
}

/// Shows the button. Mail programs open links to look at them, so this changes nothing.
pub(super) async fn form(
    State(web): State<Web>,
    theme: Theme,
    Path(token): Path<String>,
) -> PageResult {
    let opened = found(&web, LinkPurpose::Confirm, &token).await?;
    let scope = Scope::Service(opened.organization.id);
    let asked = web.mainstay.subscription(scope, opened.email.client).await?;
    let email = &opened.email.email;
    let asked = asked.filter(|one| {
        email.kind == EmailType::SubscriptionRequest
            && one.address == email.address
            && one.state != SubscriptionState::Unsubscribed
    });
    let asked = asked.ok_or_else(not_asked_any_more)?;
    let done = asked.state == SubscriptionState::Subscribed;
    show(&ConfirmPage::new(theme, &opened, &token, done))
}

pub(super) async fn confirm(
    State(web): State<Web>,
    theme: Theme,
    Path(token): Path<String>,
) -> PageResult {
    let opened = found(&web, LinkPurpose::Confirm, &token).await?;
    let confirmed = web.mainstay.confirm_subscription(&opened.email).await?;
    confirmed.ok_or_else(not_asked_any_more)?;
    show(&ConfirmPage::new(theme, &opened, &token, true))
}
