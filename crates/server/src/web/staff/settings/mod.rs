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

use crate::web::{Asked, Pages, Place, StaffSession, StaffShell};

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
        (Self::Emails, "/settings/emails", "E-mails"),
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

    fn after(self, done: &Done) -> Self {
        let done = told(&done.done);
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
struct Done {
    done: String,
}

type AskedDone = Asked<Done>;

fn told(done: &str) -> Option<&'static str> {
    Some(match done {
        "saved" => "Saved.",
        "role" => "The role was changed. The member is signed out everywhere and signs in again.",
        "removed" => "The member was removed, with its keys and sessions.",
        "revoked" => "The key was revoked. It opens nothing from now on.",
        "mapped" => "Saved. Events from now on count as that; stored ones keep what they were.",
        "unmapped" => "Removed. Events of that name from now on count as custom.",
        "published" => "Published. Scores from now on are made with it; stored ones keep theirs.",
        "playbook-on" => "It is on. It answers what happens from now on.",
        "playbook-off" => "It is off. Nothing starts it until it is switched on again.",
        "playbook-approved" => "Started for all clients that it waited with.",
        "playbook-rejected" => "Left alone. It answers what happens from now on.",
        "playbook-deleted" => "Deleted. The tasks that it made and what it did stay.",
        "added" => "Added.",
        "unsuppressed" => "Mails are sent to this address again.",
        "webhook-on" => "Switched on. It gets messages from now on.",
        "webhook-off" => "Switched off. Nothing is sent there, nor what was waiting.",
        "webhook-deleted" => "The webhook was deleted, with the record of what was sent.",
        "test-email" => {
            "A test email to you is on its way. Open the page again to see what came of it."
        }
        "test-sent" => "A test is on its way. Open the page again to see what came of it.",
        "resent" => "The message is on its way again. Open the page again to see what came of it.",
        "digest-on" => "Switched on. The first digest comes after the next daily job.",
        "digest-off" => "Switched off.",
        "unmerged" => "The merge is being undone. Each client gets back what was its own.",
        "site-removed" => "Removed.",
        "password" => {
            "Your password was changed. You are signed out everywhere else, and your tokens have ended."
        }
        "sessions" => "You are signed out everywhere else, and your tokens have ended.",
        "session" => "That session has ended.",
        "failures" => "Noted.",
        _ => return None,
    })
}

/// Goes back to a page of the settings, which says what was done.
fn back(path: &str, done: &str) -> Redirect {
    Redirect::to(&format!("{path}?done={done}"))
}
