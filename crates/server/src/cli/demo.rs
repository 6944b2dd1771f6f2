use std::{io::Write as _, process::ExitCode};

use url::form_urlencoded;

use super::{Result, open, output::Output, progress, serve::Server};
use crate::{
    Mainstay,
    config::Settings,
    demo::{Demo, OWNER, prepare},
    site::Site,
};

pub(super) async fn run(settings: &Settings, out: &mut Output) -> Result<ExitCode> {
    // First, because it may fail and the rest takes a while.
    let server = Server::bind(settings).await?;
    let Some(mainstay) = server.open(settings).await? else { return Ok(ExitCode::SUCCESS) };
    let result = serve(&mainstay, server, settings, out).await;
    open::close(&mainstay).await;
    result.map(|()| ExitCode::SUCCESS)
}

async fn serve(
    mainstay: &Mainstay,
    server: Server,
    settings: &Settings,
    out: &mut Output,
) -> Result<()> {
    let bar = progress::steps();
    bar.set_message("sample data");
    let prepared = Box::pin(prepare(mainstay, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    }))
    .await;
    bar.finish_and_clear();
    let site = Site { demo: true, ..server.site(settings) };
    let demo = prepared?;
    let doors = DemoLinks {
        setup: mainstay.setup_link(demo.organization.id, &site).await?.url,
        client: mainstay.client_link(demo.organization.id, &demo.client_id, None, &site).await?.url,
    };
    print_welcome(&demo, &doors, &site, settings, out)?;
    server.serve(mainstay, site, settings, out).await
}

/// Sign-in links.
struct DemoLinks {
    setup: String,
    client: String,
}

fn print_welcome(
    demo: &Demo,
    doors: &DemoLinks,
    site: &Site,
    settings: &Settings,
    out: &mut Output,
) -> Result<()> {
    let url = site.link("");
    let (bold, dim) = (out.style().bold(), out.style().dim());
    let organization = &demo.organization;
    writeln!(
        out,
        "{} \u{2013} {} ({}). Its clients and their events are sample data.\n",
        bold.apply_to("sample data"),
        organization.name,
        organization.slug
    )?;
    let email = form_urlencoded::byte_serialize(OWNER.as_bytes()).collect::<String>();
    writeln!(out, "In the browser:\n")?;
    for (what, value, use_for) in [
        ("sign in", &site.link(&format!("/sign-in?email={email}")), OWNER),
        ("password", &demo.owner_password, "created again at every start"),
        ("client page", &doors.client, "what one client sees; for 7 days"),
        ("your account", &doors.setup, "or sign up as an owner; works once"),
    ] {
        writeln!(
            out,
            "  {:<13} {}\n  {:<13} {}",
            what,
            bold.apply_to(value),
            "",
            dim.apply_to(use_for)
        )?;
    }
    writeln!(out, "\nFor programs:\n")?;
    for (what, value, use_for) in [
        ("address", &url, "for your requests and SDKs"),
        ("API to try", &format!("{url}/api/docs"), "every request, in the browser"),
        ("secret key", &demo.secret_key, "full access to this organization"),
        ("write key", &demo.write_key, "can only send events"),
        ("member token", &demo.member_token, "the permissions of a staff member"),
        ("client token", &demo.client_token, "the permissions of one client; for a day"),
    ] {
        writeln!(out, "  {:<13} {value}\n  {:<13} {}", what, "", dim.apply_to(use_for))?;
    }
    let client = &demo.client_id;
    writeln!(out, "\nPaste into another terminal:\n")?;
    for (why, command) in [
        (
            format!("how is client {client} doing?"),
            format!(
                "curl -H 'Authorization: Bearer {}' '{url}/api/client/success?clientId={client}'",
                demo.client_token
            ),
        ),
        (
            "which clients need attention today?".to_owned(),
            format!(
                "curl -H 'Authorization: Bearer {}' '{url}/api/v1/alerts?open=true'",
                demo.member_token
            ),
        ),
        (
            "something happens".to_owned(),
            format!(
                "curl -H 'Authorization: Bearer {}' -H 'Content-Type: application/json' \
                 -d '{{\"clientId\":\"{client}\",\"event\":\"task_completed\"}}' '{url}/api/v1/events'",
                demo.write_key
            ),
        ),
    ] {
        writeln!(out, "  {}\n  {command}\n", dim.apply_to(format!("# {why}")))?;
    }
    writeln!(
        out,
        "The data is in {}, created again at every start. Press Ctrl-C to stop.",
        settings.database.split('@').next_back().unwrap_or(&settings.database)
    )?;
    Ok(())
}
