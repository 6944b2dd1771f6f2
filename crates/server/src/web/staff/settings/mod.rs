//! `/settings`: what an organization decides. Every member sees most of it; an owner or admin changes
//! it.

mod emails;
mod event_names;
mod keys;
mod members;
mod merges;
mod notifications;
mod organization;
mod playbooks;
mod profile;
mod score_model;
mod sites;

use axum::response::Redirect;
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;

use crate::web::{Pages, Place, Query, StaffSession, StaffShell};

pub(in crate::web) fn pages() -> Pages {
    Pages::new()
        .get("/settings", first)
        .and(organization::pages())
        .and(members::pages())
        .and(keys::pages())
        .and(event_names::pages())
        .and(score_model::pages())
        .and(playbooks::pages())
        .and(emails::pages())
        .and(notifications::pages())
        .and(sites::pages())
        .and(merges::pages())
        .and(profile::pages())
}

async fn first(_: StaffSession) -> Redirect {
    Redirect::to("/settings/organization")
}

/// One page of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    Organization,
    Members,
    Keys,
    EventNames,
    ScoreModel,
    Playbooks,
    Emails,
    Notifications,
    Sites,
    Merges,
    Profile,
}

impl Tab {
    const ALL: [(Self, &'static str, &'static str); 11] = [
        (Self::Organization, "/settings/organization", "Organization"),
        (Self::Members, "/settings/members", "Members"),
        (Self::Keys, "/settings/keys", "Keys"),
        (Self::EventNames, "/settings/event-names", "Event names"),
        (Self::ScoreModel, "/settings/score-model", "Score model"),
        (Self::Playbooks, "/settings/playbooks", "Playbooks"),
        (Self::Emails, "/settings/emails", "Emails"),
        (Self::Notifications, "/settings/notifications", "Notifications"),
        (Self::Sites, "/settings/sites", "Allowed sites"),
        (Self::Merges, "/settings/merges", "Merges"),
        (Self::Profile, "/settings/profile", "Your profile"),
    ];
}

/// What all pages of the settings show around their own.
struct Frame {
    shell: StaffShell,
    tab: Tab,
    /// Whether the signed-in member may change this.
    admin: bool,
    zone: TimeZone,
    /// What was just done.
    done: Option<&'static str>,
}

impl Frame {
    fn new(session: &StaffSession, tab: Tab) -> Self {
        Self {
            shell: session.shell(Place::Settings),
            tab,
            admin: session.is_admin(),
            zone: session.zone.clone(),
            done: None,
        }
    }

    fn after(self, done: &DoneParams) -> Self {
        let done = done_message(&done.done);
        Self { done, ..self }
    }

    /// The settings pages that the signed-in member may see.
    fn tabs(&self) -> impl Iterator<Item = &'static (Tab, &'static str, &'static str)> {
        let admin = self.admin;
        Tab::ALL.iter().filter(move |(tab, ..)| admin || *tab != Tab::Keys)
    }

    /// An instant as people of the organization read it.
    fn moment(&self, at: &Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%a %-d %b %Y, %H:%M").to_string()
    }
}

/// What was just done, by its name in the address.
#[derive(Default, Deserialize)]
#[serde(default)]
struct DoneParams {
    done: String,
}

type DoneQuery = Query<DoneParams>;

fn done_message(done: &str) -> Option<&'static str> {
    Some(match done {
        "saved" => "Saved.",
        "role" => {
            "The role was changed. The member is signed out everywhere and must sign in again."
        }
        "removed" => "The member was removed, along with all keys and sessions.",
        "revoked" => "The key was revoked and no longer works.",
        "mapped" => "Saved. This applies to new events; stored events stay as they are.",
        "unmapped" => "Removed. New events with that name count as custom.",
        "published" => "Published. New scores use this version; stored scores stay as they are.",
        "playbook-on" => "The playbook is on. It reacts to changes from now on.",
        "playbook-off" => "The playbook is off until you switch it on again.",
        "playbook-approved" => "Started for all waiting clients.",
        "playbook-rejected" => "Skipped. The playbook reacts to changes from now on.",
        "playbook-deleted" => "Deleted. Its tasks and its history stay.",
        "added" => "Added.",
        "unsuppressed" => "Emails are sent to this address again.",
        "webhook-on" => "Switched on. It gets messages from now on.",
        "webhook-off" => "Switched off. Nothing more is sent there, including waiting messages.",
        "webhook-deleted" => "The webhook was deleted, along with its message history.",
        "test-email" => "A test email to you is on its way. Reload this page to see the result.",
        "test-sent" => "A test is on its way. Reload this page to see the result.",
        "resent" => "The message is on its way again. Reload this page to see the result.",
        "digest-on" => "Switched on. The first digest arrives after the next daily job.",
        "digest-off" => "Switched off.",
        "unmerged" => "The merge is being undone. Each client gets its own data back.",
        "site-removed" => "Removed.",
        "password" => {
            "Your password was changed. You are signed out everywhere else, and your tokens no longer work."
        }
        "sessions" => "You are signed out everywhere else, and your tokens no longer work.",
        "session" => "The session was ended.",
        "failures" => "Noted.",
        _ => return None,
    })
}

/// Goes back to a page of the settings, which says what was done.
fn back(path: &str, done: &str) -> Redirect {
    Redirect::to(&format!("{path}?done={done}"))
}
