//! A browser without a screen: keeps cookies, follows nothing.

use std::{collections::BTreeMap, sync::Mutex};

use mainstay_core::id::MemberId;
use mainstay_store::Role;
use reqwest::{
    Method,
    header::{HeaderMap, HeaderValue},
    redirect::Policy,
};
use url::form_urlencoded;

use crate::support::{Tenant, TestResponse, World};

/// What every member of the tests signs in with.
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct Browser {
    http: reqwest::Client,
    url: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// A page with each tag on one line, in which templates break those that are long: tests compare what a
/// tag says.
fn with_each_tag_on_one_line(page: &str) -> String {
    let mut straight = String::with_capacity(page.len());
    let (mut in_tag, mut quoted, mut blank) = (false, false, false);
    for letter in page.chars() {
        match letter {
            '<' if !in_tag => in_tag = true,
            '"' if in_tag => quoted = !quoted,
            '>' if !quoted => in_tag = false,
            _ if in_tag && !quoted && letter.is_ascii_whitespace() => {
                blank = true;
                continue;
            }
            _ => {}
        }
        if std::mem::take(&mut blank) && !matches!(letter, '>' | '/') {
            straight.push(' ');
        }
        straight.push(letter);
    }
    straight
}

#[test]
fn a_tag_of_several_lines_is_read_as_one() {
    let page = "<p>\n  a > b <input\n    name=\"a  b\"\n    required\n  >\n</p><br\n/>";
    assert_eq!(
        with_each_tag_on_one_line(page),
        "<p>\n  a > b <input name=\"a  b\" required>\n</p><br/>"
    );
}

impl TestResponse {
    /// Where an answer leads that must lead somewhere.
    #[track_caller]
    pub(crate) fn leads_to(&self) -> &str {
        assert_eq!(self.status, 303, "{self:#?}");
        self.headers["location"].to_str().unwrap()
    }

    /// The text of a page that must have this status.
    #[track_caller]
    pub(crate) fn page(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{self:#?}");
        assert_eq!(self.headers["content-type"], "text/html; charset=utf-8", "{self:#?}");
        &self.text
    }

    /// The cookie that an answer sets, as it is sent.
    pub(crate) fn cookie(&self) -> Option<&str> {
        self.headers.get("set-cookie").map(|cookie| cookie.to_str().unwrap())
    }
}

impl Browser {
    pub(crate) fn new(world: &World) -> Self {
        Self::at(world.url())
    }

    pub(crate) fn at(url: &str) -> Self {
        Self::resolving(url, reqwest::Client::builder())
    }

    /// One that finds hosts as `http` says.
    pub(crate) fn resolving(url: &str, http: reqwest::ClientBuilder) -> Self {
        let http = http.redirect(Policy::none()).build().unwrap();
        Self { http, url: url.to_owned(), cookies: Mutex::default() }
    }

    /// A member who signed in.
    pub(crate) async fn member(world: &World, tenant: &Tenant, role: Role) -> Self {
        let browser = Self::new(world);
        let email = email(tenant, role);
        world
            .mainstay
            .set_password(tenant.id, member_id(world, tenant, role).await, PASSWORD)
            .await
            .unwrap();
        let signed_in = browser.sign_in(&email, PASSWORD).await;
        assert_eq!(signed_in.leads_to(), "/portfolio");
        browser
    }

    /// A client of Acme's that came in from its app.
    pub(crate) async fn client(world: &World, client_id: &str) -> Self {
        let browser = Self::new(world);
        let token = world.client_token(client_id);
        let answer = browser.get(&format!("/client/sign-in?token={token}")).await;
        assert_eq!(answer.leads_to(), "/client/dashboard/success");
        browser
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> TestResponse {
        self.post("/sign-in", &[("email", email), ("password", password)]).await
    }

    pub(crate) async fn get(&self, path: &str) -> TestResponse {
        self.send("GET", path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> TestResponse {
        self.send("POST", path, &[("sec-fetch-site", "same-origin")], Some(form)).await
    }

    /// Sends a request with headers of its own.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        form: Option<&[(&str, &str)]>,
    ) -> TestResponse {
        let mut request = self.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(form) = form {
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            request =
                request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        self.keep(&headers);
        let mut text = response.text().await.unwrap();
        let is_page = |kind: &HeaderValue| kind.as_bytes().starts_with(b"text/html");
        if headers.get("content-type").is_some_and(is_page) {
            text = with_each_tag_on_one_line(&text);
        }
        TestResponse { status, headers, text }
    }

    /// A request with its cookies that is yet to be sent.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}{path}", self.url));
        let kept = self.kept();
        if kept.is_empty() { request } else { request.header("cookie", kept) }
    }

    /// All cookies, as they are sent.
    pub(crate) fn kept(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        let cookies: Vec<String> =
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        cookies.join("; ")
    }

    /// Takes over what another browser keeps.
    pub(crate) fn steal(&self, from: &Self) {
        let cookies = from.cookies.lock().unwrap().clone();
        *self.cookies.lock().unwrap() = cookies;
    }

    fn keep(&self, headers: &HeaderMap) {
        let mut cookies = self.cookies.lock().unwrap();
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

pub(crate) fn email(tenant: &Tenant, role: Role) -> String {
    format!("{role}@of-{}.example", tenant.slug)
}

pub(crate) async fn member_id(world: &World, tenant: &Tenant, role: Role) -> MemberId {
    let email = email(tenant, role);
    let members = world.mainstay.members(tenant.id).await.unwrap();
    members.into_iter().find(|member| member.email == email).unwrap().id
}

/// The path of a link.
pub(crate) fn path_of(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    url[url::Position::BeforePath..].to_owned()
}
