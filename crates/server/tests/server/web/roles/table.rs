//! The table itself.

/// A page and what each caller gets, in the order of [`super::CALLERS`].
pub(super) struct Row {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) form: &'static [(&'static str, &'static str)],
    pub(super) expected: [u16; 7],
}

const fn get(path: &'static str, expected: [u16; 7]) -> Row {
    Row { method: "GET", path, form: &[], expected }
}

const fn post(
    path: &'static str,
    form: &'static [(&'static str, &'static str)],
    expected: [u16; 7],
) -> Row {
    Row { method: "POST", path, form, expected }
}

#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "one line a page")]
pub(super) fn table() -> Vec<Row> {
    const LINK: &str = "/sign-in/link/{secret}";
    const OTHER: &str = "a password for this";
    const INSIGHT: &str = "/client/insights/{insight_id}";
    const CLIENT: &str = "/clients/{client_id}";
    vec![
        //                                               owner admin staff client other rival nobody
        get("/",                                         [303, 303, 303, 303, 303, 303, 303]),
        get("/assets/{name}",                            [200, 200, 200, 200, 200, 200, 200]),
        post("/theme", &[("theme", "dark")],             [303, 303, 303, 303, 303, 303, 303]),
        get("/sign-in",                                  [303, 303, 303, 200, 200, 303, 200]),
        post("/sign-in", &[("email", "x@example.com"), ("password", "x")],
                                                         [422, 422, 422, 422, 422, 422, 422]),
        post("/sign-in/choose", &[("secret", "x")],      [303, 303, 303, 303, 303, 303, 303]),
        get("/sign-in/reset",                            [200, 200, 200, 200, 200, 200, 200]),
        post("/sign-in/reset", &[("email", "y@example.com")],
                                                         [200, 200, 200, 200, 200, 200, 200]),
        get(LINK,                                        [200, 200, 200, 200, 200, 200, 200]),
        post(LINK, &[("password", OTHER)],               [303, 303, 303, 303, 303, 303, 303]),
        get("/client/sign-in",                           [401, 401, 401, 401, 401, 401, 401]),
        post("/client/sign-in", &[("token", "{client_token}")], [303, 303, 303, 303, 303, 303, 303]),

        // Without a session, and that is what a client has here, it is to sign in.
        get("/portfolio",                                [200, 200, 200, 303, 303, 200, 303]),
        get("/alerts",                                   [200, 200, 200, 303, 303, 200, 303]),
        post("/alerts", &[("action", "acknowledge")],    [303, 303, 303, 303, 303, 303, 303]),
        get("/tasks",                                    [200, 200, 200, 303, 303, 200, 303]),
        get("/tasks/{staff_task_id}",                    [200, 200, 200, 303, 303, 404, 303]),
        post("/tasks/{staff_task_id}", &[("action", "done"), ("next", "")],
                                                         [303, 303, 303, 303, 303, 404, 303]),
        post("/tasks/{staff_task_id}/delete", &[],       [303, 303, 303, 303, 303, 404, 303]),
        get("/emails",                                   [200, 200, 200, 303, 303, 200, 303]),
        get("/emails/{email_id}",                        [200, 200, 200, 303, 303, 404, 303]),
        get("/emails/{email_id}/html",                   [200, 200, 200, 303, 303, 404, 303]),
        get("/jobs",                                     [200, 200, 200, 303, 303, 200, 303]),
        post("/jobs/{job}/run", &[],                     [303, 303, 403, 303, 303, 303, 303]),
        post("/jobs/{job}/schedule", &[("cron", "0 5 * * *")],
                                                         [303, 303, 403, 303, 303, 303, 303]),
        // Whoever has a mail may follow its links.
        get("/email/open/{token}",                       [200, 200, 200, 200, 200, 200, 200]),
        get("/email/click/{token}",                      [303, 303, 303, 303, 303, 303, 303]),
        get("/email/unsubscribe/{token}",                [200, 200, 200, 200, 200, 200, 200]),
        post("/email/unsubscribe/{token}", &[],          [200, 200, 200, 200, 200, 200, 200]),
        get("/email/confirm/{token}",                  [200, 200, 200, 200, 200, 200, 200]),
        post("/email/confirm/{token}", &[],            [200, 200, 200, 200, 200, 200, 200]),
        get("/live",                                     [200, 200, 200, 303, 303, 200, 303]),
        get("/live/stream",                              [200, 200, 200, 303, 303, 200, 303]),
        post("/live/key", &[],                           [200, 200, 403, 303, 303, 200, 303]),
        get("/settings",                                 [303, 303, 303, 303, 303, 303, 303]),
        get("/settings/organization",                    [200, 200, 200, 303, 303, 200, 303]),
        post("/settings/organization", &[("name", "Studio of-acme"), ("time_zone", "Europe/Berlin"), ("clients_are", "users")],
                                                         [303, 303, 403, 303, 303, 303, 303]),
        get("/settings/members",                         [200, 200, 200, 303, 303, 200, 303]),
        post("/settings/members", &[("email", "{email}"), ("role", "staff")],
                                                         [200, 200, 403, 303, 303, 200, 303]),
        post("/settings/members/{member_id}/role", &[("role", "admin")],
                                                         [303, 303, 403, 303, 303, 404, 303]),
        post("/settings/members/{member_id}/link", &[],  [200, 200, 403, 303, 303, 404, 303]),
        get("/settings/members/{member_id}/remove",      [200, 200, 403, 303, 303, 404, 303]),
        post("/settings/members/{member_id}/remove", &[],
                                                         [303, 303, 403, 303, 303, 404, 303]),
        get("/settings/keys",                            [200, 200, 403, 303, 303, 200, 303]),
        post("/settings/keys", &[("kind", "write")],     [200, 200, 403, 303, 303, 200, 303]),
        get("/settings/keys/{key_id}/revoke",            [200, 200, 403, 303, 303, 404, 303]),
        post("/settings/keys/{key_id}/revoke", &[],      [303, 303, 403, 303, 303, 404, 303]),
        get("/settings/keys/token-secret",               [200, 200, 403, 303, 303, 200, 303]),
        get("/settings/event-names",                     [200, 200, 200, 303, 303, 200, 303]),
        post("/settings/event-names", &[("name", "Exported"), ("type", "export_downloaded")],
                                                         [303, 303, 403, 303, 303, 303, 303]),
        post("/settings/event-names/remove", &[("name", "{name}")],
                                                         [303, 303, 403, 303, 303, 404, 303]),
        get("/settings/score-model",                     [200, 200, 200, 303, 303, 200, 303]),
        // What is no model is shown again, with what is wrong.
        post("/settings/score-model/preview", &[],       [422, 422, 403, 303, 303, 422, 303]),
        post("/settings/score-model", &[],               [422, 422, 403, 303, 303, 422, 303]),
        get("/settings/playbooks",                       [200, 200, 200, 303, 303, 200, 303]),
        get("/settings/playbooks/new",                   [200, 200, 403, 303, 303, 200, 303]),
        post("/settings/playbooks", &[("name", "Off"), ("on", "band"), ("to", "at_risk"), ("nudge", "on")],
                                                         [303, 303, 403, 303, 303, 303, 303]),
        get("/settings/playbooks/{playbook_id}",         [200, 200, 403, 303, 303, 404, 303]),
        post("/settings/playbooks/{playbook_id}", &[("name", "Off"), ("on", "band"), ("to", "at_risk"), ("nudge", "on")],
                                                         [303, 303, 403, 303, 303, 404, 303]),
        post("/settings/playbooks/{playbook_id}/switch", &[],
                                                         [303, 303, 403, 303, 303, 404, 303]),
        get("/settings/playbooks/{playbook_id}/delete",  [200, 200, 403, 303, 303, 404, 303]),
        post("/settings/playbooks/{playbook_id}/delete", &[],
                                                         [303, 303, 403, 303, 303, 404, 303]),
        get("/settings/emails",                          [200, 200, 200, 303, 303, 200, 303]),
        post("/settings/emails", &[("most_per_week", "3")],
                                                         [303, 303, 403, 303, 303, 303, 303]),
        post("/settings/emails/suppressions/remove", &[("address", "{address}")],
                                                         [303, 303, 403, 303, 303, 404, 303]),
        get("/settings/sites",                           [200, 200, 200, 303, 303, 200, 303]),
        post("/settings/sites", &[("site", "https://app.example.com")],
                                                         [303, 303, 403, 303, 303, 303, 303]),
        post("/settings/sites/remove", &[("site", "{site}")],
                                                         [303, 303, 403, 303, 303, 404, 303]),
        get("/settings/profile",                         [200, 200, 200, 303, 303, 200, 303]),
        post("/settings/profile", &[("name", "Name of-acme")],
                                                         [303, 303, 303, 303, 303, 303, 303]),
        post("/settings/profile/password", &[("present", "x"), ("password", OTHER)],
                                                         [422, 422, 422, 303, 303, 422, 303]),
        post("/settings/profile/sessions", &[],          [303, 303, 303, 303, 303, 303, 303]),
        // A client's own page. A member has none.
        get("/client/dashboard/success",                 [401, 401, 401, 200, 200, 401, 401]),
        get("/client/events",                            [401, 401, 401, 200, 200, 401, 401]),
        get("/client/stream",                            [401, 401, 401, 200, 200, 401, 401]),
        post(INSIGHT, &[("action", "mark-read")],        [401, 401, 401, 303, 404, 401, 401]),
        post("/client/feedback", &[("rating", "4")],     [401, 401, 401, 303, 303, 401, 401]),
        post("/client/emails", &[("state", "subscribed"), ("address", "x@example.com")],
                                                         [401, 401, 401, 303, 303, 401, 401]),

        // What staff see of a client and do for it.
        get(CLIENT,                                      [200, 200, 200, 303, 303, 404, 303]),
        get("/clients/{client_id}/events",               [200, 200, 200, 303, 303, 404, 303]),
        post("/clients/{client_id}/alerts/{alert_id}", &[("action", "acknowledge"), ("until", ""), ("note", ""), ("next", "")],
                                                         [303, 303, 303, 303, 303, 404, 303]),
        post("/clients/{client_id}/score", &[],          [303, 303, 303, 303, 303, 404, 303]),
        post("/clients/{client_id}/owner", &[("owner", "")],
                                                         [303, 303, 303, 303, 303, 404, 303]),
        post("/clients/{client_id}/notes", &[("text", "Called.")],
                                                         [303, 303, 303, 303, 303, 404, 303]),
        // A note of the staff member's: everybody deletes their own.
        post("/clients/{client_id}/notes/{note_id}", &[],
                                                         [404, 404, 303, 303, 303, 404, 303]),
        post("/clients/{client_id}/tasks", &[("title", "Say hello")],
                                                         [303, 303, 303, 303, 303, 404, 303]),
        post("/clients/{client_id}/tasks/{task_id}", &[("status", "completed")],
                                                         [303, 303, 303, 303, 303, 404, 303]),
        post("/clients/{client_id}/staff-tasks", &[("title", "Call"), ("due_on", "2026-05-04"), ("owner", "")],
                                                         [303, 303, 303, 303, 303, 404, 303]),
        post("/clients/{client_id}/launch-kit", &[("state", "viewed")],
                                                         [303, 303, 303, 303, 303, 404, 303]),
        post("/clients/{client_id}/page", &[],           [303, 303, 303, 303, 303, 404, 303]),
        post("/clients/{client_id}/link", &[],           [200, 200, 200, 303, 303, 404, 303]),
        // Widgets bring a token, and no cookie counts; who gets what by it is in `web::widgets`.
        get("/widgets.js",                               [200, 200, 200, 200, 200, 200, 200]),
        get("/widgets/v1/style.css",                     [200, 200, 200, 200, 200, 200, 200]),
        get("/widgets/v1/score-card",                    [401, 401, 401, 401, 401, 401, 401]),
        get("/widgets/v1/heatmap",                       [401, 401, 401, 401, 401, 401, 401]),
        get("/widgets/v1/insights",                      [401, 401, 401, 401, 401, 401, 401]),
        post("/widgets/v1/insights/{insight_id}", &[("action", "mark-read")],
                                                         [401, 401, 401, 401, 401, 401, 401]),
        get("/widgets/v1/events",                        [401, 401, 401, 401, 401, 401, 401]),
        get("/widgets/v1/alert-badge",                   [401, 401, 401, 401, 401, 401, 401]),
        // Only in the demo.
        get("/gallery",                                  [404, 404, 404, 303, 303, 404, 303]),
        get("/gallery/emails/{name}",                    [404, 404, 404, 303, 303, 404, 303]),

        // Last: they end the sessions of those above, of clients and of members.
        post("/settings/keys/token-secret", &[],         [200, 200, 403, 303, 303, 200, 303]),
        post("/sign-out", &[],                           [303, 303, 303, 303, 303, 303, 303]),
    ]
}
