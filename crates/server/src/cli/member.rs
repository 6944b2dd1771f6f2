use std::{io::Write as _, process::ExitCode};

use jiff::Timestamp;
use mainstay_core::id::MemberId;
use mainstay_store::{Member, Organization, Role};
use serde::Serialize;

use super::{
    CliError, Result,
    args::MemberCommand,
    org::address_hint,
    organization,
    output::Output,
    table::{Table, cell, minute},
};
use crate::{Mainstay, config::Settings};

#[derive(Serialize)]
struct MemberOutput {
    id: MemberId,
    email: String,
    name: String,
    role: Role,
    created_at: Timestamp,
}

#[derive(Serialize)]
struct AddedMemberOutput<'a> {
    #[serde(flatten)]
    member: MemberOutput,
    invitation_link: &'a str,
}

#[derive(Serialize)]
struct ResetLinkOutput<'a> {
    email: &'a str,
    link: &'a str,
    expires_at: Timestamp,
}

impl From<Member> for MemberOutput {
    fn from(member: Member) -> Self {
        Self {
            id: member.id,
            email: member.email,
            name: member.name,
            role: member.role,
            created_at: member.created_at,
        }
    }
}

pub(super) async fn run(
    mainstay: &Mainstay,
    settings: &Settings,
    command: MemberCommand,
    out: &mut Output,
) -> Result<ExitCode> {
    match command {
        MemberCommand::Add { org, email, role, name, json, address: _ } => {
            let organization = organization(mainstay, &org.org).await?;
            let member =
                mainstay.add_member(organization.id, &email, name.as_deref(), role).await?;
            let site = settings.site(None);
            let link = mainstay.invitation_link(organization.id, member.id, &site).await?.url;
            let link = settings.printed_link(&link);
            if json.json {
                out.json(&AddedMemberOutput { member: member.into(), invitation_link: link })?;
            } else {
                let (slug, email) = (&organization.slug, cell(&member.email));
                writeln!(
                    out,
                    "added {email} as {role} of {slug}. Pass this link on; it works once, for 7 \
                     days.{}\n  {link}\n\nA key for programs:\n  mainstay key create --org {slug} \
                     --kind member --member {email}",
                    address_hint(link)
                )?;
            }
        }
        MemberCommand::List { org, json } => {
            let organization = organization(mainstay, &org.org).await?;
            let members = mainstay.members(organization.id).await?;
            if json.json {
                out.json_array(&members.into_iter().map(MemberOutput::from).collect::<Vec<_>>())?;
            } else if members.is_empty() {
                writeln!(
                    out,
                    "{} has no members yet; add one: mainstay member add --org {0} --email EMAIL \
                     --role owner",
                    organization.slug
                )?;
            } else {
                list(&members, out)?;
            }
        }
        MemberCommand::Remove { org, email } => {
            let organization = organization(mainstay, &org.org).await?;
            let member = find(mainstay, &organization, &email).await?;
            mainstay.remove_member(organization.id, member.id).await?;
            writeln!(out, "removed {} with its keys", cell(&member.email))?;
        }
        MemberCommand::Reset { org, email, json, address: _ } => {
            let organization = organization(mainstay, &org.org).await?;
            let member = find(mainstay, &organization, &email).await?;
            let site = settings.site(None);
            let created = mainstay.reset_link(organization.id, member.id, &site).await?;
            let (link, expires_at) = (settings.printed_link(&created.url), created.expires_at);
            if json.json {
                out.json(&ResetLinkOutput { email: &member.email, link, expires_at })?;
            } else {
                writeln!(
                    out,
                    "Pass this link on to {}; it works once, until {}, and ends all sessions.{}\n  {link}",
                    cell(&member.email),
                    minute(expires_at),
                    address_hint(link)
                )?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(mainstay: &Mainstay, organization: &Organization, email: &str) -> Result<Member> {
    let wanted = email.trim().to_lowercase();
    let members = mainstay.members(organization.id).await?;
    members.into_iter().find(|member| member.email == wanted).ok_or_else(|| {
        CliError::Message(format!(
            "{wanted} is not a member of {slug}; see: mainstay member list --org {slug}",
            slug = organization.slug
        ))
    })
}

fn list(members: &[Member], out: &mut Output) -> Result<()> {
    let mut table = Table::new(&["EMAIL", "NAME", "ROLE", "SINCE"]);
    for member in members {
        table.row([
            cell(&member.email),
            cell(&member.name),
            member.role.to_string(),
            minute(member.created_at),
        ]);
    }
    Ok(table.write(out)?)
}
