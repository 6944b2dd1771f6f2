use askama::Template;
use axum::extract::State;
use mainstay_core::{
    email::{EmailState, EmailType},
    id::EmailId,
    text::{count_noun, format_thousands},
};
use mainstay_store::{ClientEmail, EmailCounts, EmailFilter};
use serde::Deserialize;

use super::words::{delivery_words, icon, state_words};
use crate::{
    paging::Page,
    web::{
        PageError, PageResult, Place, Query, StaffSession, StaffShell, Web, show,
        ui::components::{View, display_name},
    },
};

/// Mails a page.
const PAGE_SIZE: i64 = 50;

#[derive(Template)]
#[template(path = "emails/list.html")]
struct EmailsPage {
    shell: StaffShell,
    lead: String,
    tabs: Vec<Tab>,
    kind: String,
    state: String,
    rows: Vec<Row>,
    filtered: bool,
    next: Option<String>,
}

struct Tab {
    href: String,
    words: &'static str,
    count: String,
    current: bool,
}

struct Row {
    id: EmailId,
    icon: &'static str,
    kind: &'static str,
    subject: String,
    client: String,
    href: String,
    delivery: String,
}

/// Which mails to show.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct EmailQuery {
    state: String,
    #[serde(rename = "type")]
    kind: String,
    after: String,
}

impl EmailQuery {
    fn filter(&self) -> Result<EmailFilter, PageError> {
        let unknown = || {
            PageError::not_found("There is no list of emails with this filter.")
                .back("Show all emails", "/emails")
        };
        let state = (!self.state.is_empty()).then(|| self.state.parse()).transpose();
        let kind = (!self.kind.is_empty()).then(|| self.kind.parse()).transpose();
        let after = (!self.after.is_empty()).then(|| self.after.parse()).transpose();
        Ok(EmailFilter {
            client: None,
            state: state.map_err(|_| unknown())?,
            kind: kind.map_err(|_| unknown())?,
            after: after.map_err(|_| {
                PageError::invalid("After: is not a valid cursor; go back to the first page.")
                    .back("Show all emails", "/emails")
            })?,
        })
    }

    fn link(&self, state: &str, after: Option<EmailId>) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        for (name, value) in [("state", state), ("type", &self.kind), ("after", &after)] {
            if !value.is_empty() {
                pairs.append_pair(name, value);
            }
        }
        let pairs = pairs.finish();
        if pairs.is_empty() { "/emails".to_owned() } else { format!("/emails?{pairs}") }
    }
}

pub(super) async fn show_emails(
    session: StaffSession,
    State(web): State<Web>,
    Query(query): Query<EmailQuery>,
) -> PageResult {
    let filter = query.filter()?;
    let mainstay = &web.mainstay;
    let page =
        Page::read(PAGE_SIZE, async |limit| mainstay.emails(session.scope, &filter, limit).await)
            .await?;
    let next = page.next(|last| query.link(&query.state, Some(last.id)));
    let (counts, subscribers) = mainstay.email_summary(session.scope).await?;
    let view = View::of_client(session.zone.clone(), mainstay.now());
    show(&EmailsPage {
        shell: session.shell(Place::Emails),
        lead: format!(
            "{} subscribed to emails. Nobody else gets any, and opening one does not affect a score.",
            count_noun(subscribers, "client")
        ),
        tabs: tabs(&query, &counts),
        filtered: !query.state.is_empty() || !query.kind.is_empty(),
        rows: page.items.iter().map(|email| row(&view, email)).collect(),
        next,
        kind: query.kind,
        state: query.state,
    })
}

fn tabs(query: &EmailQuery, counts: &EmailCounts) -> Vec<Tab> {
    let all: i64 = counts.iter().map(|(_, count)| count).sum();
    let count = |state: EmailState| {
        counts.iter().find(|(one, _)| *one == state).map_or(0, |(_, count)| *count)
    };
    let tab = |state: &str, words, count| Tab {
        href: query.link(state, None),
        words,
        count: format_thousands(count),
        current: query.state == state,
    };
    let states =
        EmailState::ALL.iter().filter(|state| count(**state) > 0 || query.state == state.as_str());
    std::iter::once(tab("", "All", all))
        .chain(states.map(|state| tab(state.as_str(), state_words(*state), count(*state))))
        .collect()
}

fn row(view: &View, email: &ClientEmail) -> Row {
    let client = display_name(email.client_name.as_deref(), &email.client_id);
    let id = url::form_urlencoded::byte_serialize(email.client_id.as_bytes()).collect::<String>();
    Row {
        id: email.id,
        icon: icon(email.kind),
        kind: email.kind.words(),
        subject: email.subject.clone(),
        client: client.to_owned(),
        href: format!("/clients/{}", id.replace('+', "%20")),
        delivery: delivery_words(view, email),
    }
}
