use axum::{
    Router,
    handler::Handler,
    routing::{get, post},
};

use super::Web;

/// What a page answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageRoute {
    /// `GET`, which changes nothing, or `POST`.
    pub method: &'static str,
    /// The path, with its parameters in braces.
    pub path: &'static str,
}

/// Registers pages and remembers them, so that a test can ask each who may see it.
pub(crate) struct Pages {
    pub(super) router: Router<Web>,
    pub(super) listed: Vec<PageRoute>,
}

impl Pages {
    pub(crate) fn new() -> Self {
        Self { router: Router::new(), listed: Vec::new() }
    }

    /// A page that shows something. It must change nothing: any site can make a browser ask for it.
    pub(crate) fn get<H, T>(mut self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Web>,
        T: 'static,
    {
        self.listed.push(PageRoute { method: "GET", path });
        Self { router: self.router.route(path, get(handler)), listed: self.listed }
    }

    /// An action of a form.
    pub(crate) fn post<H, T>(mut self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Web>,
        T: 'static,
    {
        self.listed.push(PageRoute { method: "POST", path });
        Self { router: self.router.route(path, post(handler)), listed: self.listed }
    }

    /// The pages of another module too.
    pub(crate) fn and(mut self, mut others: Self) -> Self {
        self.listed.append(&mut others.listed);
        Self { router: self.router.merge(others.router), listed: self.listed }
    }
}
