//! `/gallery`, only in the demo, and only in a build with the feature of the same name: every component in
//! every state, light and dark side by side, for those who work on them. All of it is invented, at an
//! instant that never moves.

mod alerts;
mod emails;
mod events;
mod insights;
mod names;
mod scores;

use askama::Template;
use axum::extract::State;
use jiff::{Timestamp, tz::TimeZone};
use mainstay_core::time::time_zone;

use crate::web::{
    PageError, PageResult, Pages, Place, StaffSession, StaffShell, Web, show,
    ui::{
        components::{View, markup},
        icons,
    },
};

/// A Tuesday, midnight in Copenhagen.
pub(in crate::web) const NOW: Timestamp = Timestamp::constant(1_795_474_800, 0);
const ZONE: &str = "Europe/Copenhagen";

pub(in crate::web) fn pages() -> Pages {
    Pages::new().get("/gallery", show_gallery).get("/gallery/emails/{name}", emails::show_email)
}

/// One component in one state.
#[derive(Template)]
#[template(path = "gallery/specimen.html")]
pub(in crate::web) struct Specimen {
    id: String,
    component: &'static str,
    state: &'static str,
    html: String,
    /// Whether it needs the whole width, as on its own page.
    wide: bool,
}

impl Specimen {
    /// A component as it looks in a state.
    pub(in crate::web) fn new(
        component: &'static str,
        state: &'static str,
        shown: &impl Template,
    ) -> Self {
        // A landmark has to be the only one of its name on a page; here each stands in many states.
        let html = shown.to_string().replace("<section class", "<section role=\"group\" class");
        let id = format!("{component}-{state}").to_lowercase().replace([' ', ','], "-");
        let html = format!("{}{html}", icons::definitions(&html));
        Self { id, component, state, html, wide: false }
    }

    /// The same in the whole width.
    fn wide(self) -> Self {
        Self { wide: true, ..self }
    }
}

markup!(Specimen);

#[derive(Template)]
#[template(path = "gallery/gallery.html")]
struct Gallery {
    shell: StaffShell,
    specimens: Vec<Specimen>,
}

async fn show_gallery(session: StaffSession, State(web): State<Web>) -> PageResult {
    if !web.site.demo {
        return Err(PageError::not_found("The gallery of components is only there in the demo."));
    }
    let specimens =
        [scores::specimens(), insights::specimens(), events::specimens(), alerts::specimens()];
    show(&Gallery {
        shell: session.shell(Place::Portfolio),
        specimens: specimens.into_iter().flatten().collect(),
    })
}

fn zone() -> TimeZone {
    time_zone(ZONE).unwrap_or(TimeZone::UTC)
}

/// What the invented client sees.
fn of_client() -> View {
    View::of_client(zone(), NOW)
}

/// What staff see of it.
fn of_staff() -> View {
    View::of_staff(zone(), NOW, "larkspur-books")
}
