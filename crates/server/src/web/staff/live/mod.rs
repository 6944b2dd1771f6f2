//! `/live`: what arrives, for whoever is wiring up an app, and the stream that keeps open pages up to
//! date.

mod page;
mod row;
mod snippets;
mod stream;

use crate::web::Pages;

pub(in crate::web) use stream::{Listener, StreamEvent, stream_news};

pub(in crate::web) fn pages() -> Pages {
    Pages::new()
        .get("/live", page::show_live)
        .post("/live/key", page::make_key)
        .get("/live/stream", stream::follow)
}
