//! Keys of the database's secrets, and files that are nobody else's business.

use std::fs;

use super::sandbox::{CommandResult, Sandbox};

fn sqlite_bytes(sandbox: &Sandbox) -> Vec<u8> {
    ["mainstay.db", "mainstay.db-wal"]
        .iter()
        .filter_map(|file| fs::read(sandbox.path(file)).ok())
        .flatten()
        .collect()
}

fn holds(sandbox: &Sandbox, text: &str) -> bool {
    sqlite_bytes(sandbox).windows(text.len()).any(|bytes| bytes == text.as_bytes())
}

fn run_with(sandbox: &Sandbox, env: &[(&str, &str)], line: &str) -> CommandResult {
    sandbox.run_with(env, line.split_whitespace())
}

#[track_caller]
fn done_with(sandbox: &Sandbox, env: &[(&str, &str)], line: &str) -> CommandResult {
    let ran = run_with(sandbox, env, line);
    assert_eq!(ran.code, 0, "{line}: {ran:?}");
    ran
}

fn token_secret(created: &CommandResult) -> String {
    created.json()["token_secret"].as_str().unwrap().to_owned()
}

#[test]
fn the_first_start_makes_a_key_and_secrets_never_lie_open() {
    let sandbox = Sandbox::sqlite();
    let secret = token_secret(&sandbox.run_ok("org create acme --json"));
    assert!(!holds(&sandbox, &secret), "the token secret lies open in the database");
    let file = fs::read_to_string(sandbox.path("mainstay.db.key")).unwrap();
    assert_eq!(file.lines().filter(|line| !line.starts_with('#')).count(), 1, "{file}");
    let status = sandbox.run_ok("secrets status --json").json();
    assert_eq!(status["source"], "mainstay.db.key");
    assert_eq!(status["used"], serde_json::json!([status["current"]]));
    assert!(sandbox.run_ok("secrets status").out.contains("mainstay.db.key"));
}

#[cfg(unix)]
#[test]
fn what_the_command_writes_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let sandbox = Sandbox::sqlite();
    sandbox.run_ok("org create acme");
    sandbox.write("rows.csv", "client_id,event,timestamp\nada,login,never\n");
    // An earlier list that was open to others.
    sandbox.write("rows.csv.rejects.csv", "line,reason,row\n");
    assert_eq!(sandbox.run(["import", "rows.csv", "--org", "acme"]).code, 2);
    for file in ["mainstay.db", "mainstay.db.key", "rows.csv.rejects.csv"] {
        let mode = fs::metadata(sandbox.path(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}: {mode:o}");
    }
    // What others may read is named when the server starts, and how to mend it.
    let open = |file: &str| {
        fs::set_permissions(sandbox.path(file), fs::Permissions::from_mode(0o644)).unwrap();
    };
    open("mainstay.db");
    open("mainstay.db.key");
    sandbox.write(
        "mainstay.toml",
        "smtp_url = 'smtp://ada:secret@127.0.0.1'\nmail_from = 'a@b.example'\n",
    );
    let said = sandbox.serve("serve --listen 127.0.0.1:0").stop("TERM").err;
    for file in ["mainstay.db", "mainstay.db.key", "mainstay.toml"] {
        assert!(said.contains(&format!("{file} is readable by other users (mode 644)")), "{said}");
    }
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn without_its_key_a_database_is_left_alone_and_the_key_is_asked_for() {
    let sandbox = Sandbox::sqlite();
    sandbox.run_ok("org create acme");
    let (key, elsewhere) = (sandbox.path("mainstay.db.key"), sandbox.path("elsewhere"));
    fs::rename(&key, &elsewhere).unwrap();
    for line in ["org list", "serve --listen 127.0.0.1:0", "verify"] {
        let ran = sandbox.run(line.split(' '));
        ran.expect_failure("the secrets in this database are encrypted with key");
        ran.expect_failure("MAINSTAY_KEY_FILE");
    }
    assert!(!key.exists(), "another key would hide that the right one is missing");
    let file = [("MAINSTAY_KEY_FILE", "elsewhere")];
    done_with(&sandbox, &file, "org list");
    let other = sandbox.done_alone("secrets new-key").out;
    run_with(&sandbox, &[("MAINSTAY_KEY", other.trim())], "org list")
        .expect_failure("which is not in MAINSTAY_KEY");
    run_with(&sandbox, &[("MAINSTAY_KEY_FILE", "nowhere")], "org list").expect_failure("nowhere");
    let wrong = run_with(&sandbox, &[("MAINSTAY_KEY", "hunter2")], "org list");
    wrong.expect_failure("is not a key; use 32 bytes in base64");
    assert!(!wrong.err.contains("hunter2"), "{wrong:?}");
}

#[test]
fn secrets_are_plain_text_only_if_the_operator_says_so() {
    let sandbox = Sandbox::sqlite();
    let plain = [("MAINSTAY_SECRETS_AT_REST", "plain")];
    let secret = token_secret(&done_with(&sandbox, &plain, "org create acme --json"));
    assert!(holds(&sandbox, &secret));
    assert!(!sandbox.path("mainstay.db.key").exists());
    assert!(done_with(&sandbox, &plain, "secrets status").out.contains("in plain text"));
    // The next start without that word encrypts them.
    sandbox.run_ok("org list");
    let status = sandbox.run_ok("secrets status --json").json();
    assert_eq!(status["used"], serde_json::json!([status["current"]]));
    // And back, which takes the key.
    let rotated = done_with(&sandbox, &plain, "secrets rotate").out;
    assert!(rotated.contains("stored 1 secret of 1 organization in plain text"), "{rotated}");
    fs::remove_file(sandbox.path("mainstay.db.key")).unwrap();
    done_with(&sandbox, &plain, "org list");
    run_with(&sandbox, &[("MAINSTAY_SECRETS_AT_REST", "maybe")], "org list")
        .expect_failure("secrets_at_rest \"maybe\": use encrypted, or plain");
}

#[test]
fn a_key_is_replaced_while_the_server_runs() {
    let sandbox = Sandbox::sqlite();
    let created = sandbox.run_ok("org create acme --json").json();
    let served = sandbox.serve("serve --listen 127.0.0.1:0");
    let before = sandbox.run_ok("secrets status --json").json()["current"].clone();
    let said = sandbox.run_ok("secrets rotate").out;
    assert!(said.contains("encrypted 1 secret of 1 organization with key"), "{said}");
    let status = sandbox.run_ok("secrets status --json").json();
    assert_ne!(status["current"], before);
    assert_eq!(status["used"], serde_json::json!([status["current"]]));
    // The old key stays for backups that were made before.
    assert_eq!(status["held"], serde_json::json!([status["current"], before]));
    let file = fs::read_to_string(sandbox.path("mainstay.db.key")).unwrap();
    assert!(file.starts_with("# Keys that Mainstay"), "{file}");
    // The server reads the secret that signs links, by the new key.
    let answer = super::sandbox::post(
        &format!("{}/api/v1/events", served.url),
        created["secret_key"].as_str().unwrap(),
        r#"{"client_id": "ada", "event": "login"}"#,
    );
    assert_eq!(answer, 200);
    let answer = super::sandbox::post(
        &format!("{}/api/v1/clients/ada/links", served.url),
        created["secret_key"].as_str().unwrap(),
        "{}",
    );
    assert_eq!(answer, 201);
    drop(served);
    // Keys of the environment are put in their order by the operator.
    let lines: Vec<&str> = file.lines().filter(|line| !line.starts_with('#')).collect();
    let swapped = format!("{} {}", lines[1], lines[0]);
    let env = [("MAINSTAY_KEY", swapped.as_str())];
    done_with(&sandbox, &env, "secrets rotate");
    let status = done_with(&sandbox, &env, "secrets status --json").json();
    assert_eq!((&status["current"], &status["source"]), (&before, &"MAINSTAY_KEY".into()));
    assert_eq!(status["used"], serde_json::json!([before]));
}

#[test]
fn a_key_file_that_is_shared_is_put_in_order_by_hand() {
    let sandbox = Sandbox::sqlite();
    sandbox.run_ok("org create acme");
    let old = fs::read_to_string(sandbox.path("mainstay.db.key")).unwrap();
    let new = sandbox.done_alone("secrets new-key").out;
    sandbox.write("mainstay.db.key", format!("{new}{old}"));
    sandbox.run_ok("secrets rotate --existing");
    let kept = fs::read_to_string(sandbox.path("mainstay.db.key")).unwrap();
    assert_eq!(kept, format!("{new}{old}"));
    sandbox.write("mainstay.db.key", new);
    sandbox.run_ok("org list");
}

#[test]
#[ignore = "needs PostgreSQL: ./check starts one"]
fn on_postgresql_the_key_lies_where_the_command_is_run() {
    let sandbox = Sandbox::postgres();
    sandbox.run_ok("org create acme");
    assert!(sandbox.path("mainstay.key").exists());
    sandbox.run_ok("secrets rotate");
    fs::remove_file(sandbox.path("mainstay.key")).unwrap();
    sandbox.run(["org", "list"]).expect_failure("which is not in mainstay.key");
}

#[test]
fn passwords_may_stand_in_files_and_one_on_the_command_line_is_warned_of() {
    let sandbox = Sandbox::sqlite();
    sandbox.write("password", "hunter2\n");
    let env = [
        ("MAINSTAY_DATABASE_URL", "postgres://ada@127.0.0.1:1/mainstay"),
        ("MAINSTAY_DATABASE_PASSWORD_FILE", "password"),
    ];
    let ran = run_with(&sandbox, &env, "org list");
    ran.expect_failure("postgres://ada:…@127.0.0.1:1/mainstay");
    assert!(!ran.err.contains("hunter2"), "{ran:?}");
    let missing = [env[0], ("MAINSTAY_DATABASE_PASSWORD_FILE", "nowhere")];
    run_with(&sandbox, &missing, "org list").expect_failure("database_password_file nowhere: ");
}
