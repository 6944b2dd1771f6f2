use super::{figures::history, sandbox::Sandbox};

fn scored(sandbox: Sandbox) -> Sandbox {
    sandbox.run_ok("org create acme --timezone Europe/Berlin");
    sandbox.write("history.csv", history());
    sandbox.run_ok("import history.csv --org acme");
    sandbox.run_ok("score --org acme --as-of 2024-05-15T00:00:00Z");
    sandbox
}

/// Changes what is stored and answers what `verify` says of it.
fn found(sandbox: &Sandbox, sql: &str) -> String {
    let before = sandbox.run_ok("verify").out;
    assert!(before.contains("acme: all stored data matches the events"), "{before}");
    sandbox.tamper(sql);
    let ran = sandbox.run(["verify", "--org", "acme"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains(" difference") && !ran.out.contains("everything"), "{ran:?}");
    ran.out
}

#[test]
fn a_score_that_was_tampered_with_is_found_and_named() {
    let said = found(
        &scored(Sandbox::sqlite()),
        "UPDATE client_success_scores SET overall = overall + 1 \
         WHERE client_id = (SELECT id FROM clients WHERE external_id = 'bob, inc.')",
    );
    assert!(said.contains("client_success_scores.overall of client bob, inc."), "{said}");
    assert!(said.contains("2024-05-15"), "{said}");
}

#[test]
fn a_count_that_was_tampered_with_is_found_and_named() {
    let said = found(
        &scored(Sandbox::sqlite()),
        "UPDATE daily_activity SET event_count = 8 \
         WHERE client_id = (SELECT id FROM clients WHERE external_id = 'Émile')",
    );
    assert!(
        said.contains(
            "daily_activity.event_count (content_generated) of client Émile on 2024-05-10: \
             stored 8, computed 5"
        ),
        "{said}"
    );
    // And what was computed from the right count no longer follows from it.
    assert!(said.contains("client_success_scores.overall of client Émile"), "{said}");
}

#[test]
fn nothing_to_verify_is_not_an_error() {
    assert!(Sandbox::sqlite().run_ok("verify").out.contains("no organizations yet"));
}
