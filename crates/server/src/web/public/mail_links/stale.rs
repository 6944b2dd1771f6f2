use askama::Template;
use axum::extract::State;

use super::found;
use crate::{
    email::{LinkPurpose, OpenedEmail, StaleButton},
    web::{BareShell, PageResult, Path, Theme, Web, show, ui::text::visible},
};

#[derive(Template)]
#[template(path = "public/mail_links/stale.html")]
struct StalePage {
    shell: BareShell,
    organization: String,
    /// Why the button does not lead further.
    why: &'static str,
    step: Step,
    /// Where the button posts to.
    action: String,
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Ask for a new link.
    Ask,
    /// Nothing but to look into the mailbox.
    Sent,
    /// There is no address, or no mail server: only the organization's app lets the client in.
    None,
}

const fn why(stale: StaleButton) -> &'static str {
    match stale {
        StaleButton::Old => "The button in an email works for 24 hours after it was sent.",
        StaleButton::Unsubscribed => {
            "This email went to an address that no longer gets emails, so its button no longer works."
        }
        StaleButton::Revoked => "All earlier links have been revoked.",
    }
}

/// Explains why a button does not let its reader in, and offers a new link.
pub(super) fn explain(
    web: &Web,
    theme: Theme,
    opened: &OpenedEmail,
    token: &str,
    stale: StaleButton,
) -> PageResult {
    let step = if web.mainstay.mail_status().is_configured() { Step::Ask } else { Step::None };
    show(&page(theme, opened, token, why(stale), step))
}

/// Mails a new link, to the address that the client gets mails at: whoever has an old mail learns
/// nothing, and gets nothing.
pub(super) async fn send_link(
    State(web): State<Web>,
    theme: Theme,
    Path(token): Path<String>,
) -> PageResult {
    let opened = found(&web, LinkPurpose::Click, &token).await?;
    let sent = web.mainstay.request_sign_in_link(&opened).await?;
    let step = if sent { Step::Sent } else { Step::None };
    show(&page(theme, &opened, &token, "", step))
}

fn page(
    theme: Theme,
    opened: &OpenedEmail,
    token: &str,
    why: &'static str,
    step: Step,
) -> StalePage {
    let organization = &opened.organization;
    StalePage {
        shell: BareShell { theme },
        organization: visible(&organization.name, &organization.slug).to_owned(),
        why,
        step,
        action: format!("/email/click/{token}"),
    }
}
