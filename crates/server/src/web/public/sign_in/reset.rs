//! `/sign-in/reset`: asking for a new password.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use crate::web::{BareShell, Form, PageResult, Pages, Theme, Web, session::origin::ClientIp, show};

pub(super) fn pages() -> Pages {
    Pages::new().get("/sign-in/reset", form).post("/sign-in/reset", ask)
}

#[derive(Template)]
#[template(path = "public/sign_in/reset.html")]
struct ResetPage {
    shell: BareShell,
    /// Whether it was asked for.
    asked: bool,
    /// Whether there is a mail server to send it by.
    mailed: bool,
}

async fn form(State(web): State<Web>, theme: Theme) -> PageResult {
    let mailed = web.mainstay.mail_status().is_configured();
    show(&ResetPage { shell: BareShell { theme }, asked: false, mailed })
}

#[derive(Deserialize)]
struct ResetForm {
    email: String,
}

async fn ask(
    State(web): State<Web>,
    theme: Theme,
    ClientIp(from): ClientIp,
    Form(form): Form<ResetForm>,
) -> PageResult {
    web.limits.check(from, &form.email)?;
    let mailed = web.mainstay.mail_status().is_configured();
    // Not waited for: how long it takes would tell whether there is such a member.
    let supervisor = std::sync::Arc::clone(web.mainstay.supervisor());
    supervisor.spawn_item("password link", async move {
        if let Err(error) = web.mainstay.request_reset(&form.email).await {
            tracing::error!(%error, "no link for a new password could be made");
        }
    });
    show(&ResetPage { shell: BareShell { theme }, asked: true, mailed })
}
