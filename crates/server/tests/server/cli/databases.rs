//! Databases that are old, new, broken or away.

use std::net::TcpListener;

use super::sandbox::Sandbox;

fn applied(sandbox: &Sandbox) -> Vec<bool> {
    let status = sandbox.run_ok("db status --json").json();
    status.as_array().unwrap().iter().map(|one| one["applied"].as_bool().unwrap()).collect()
}

fn migrations_go_up_and_down(sandbox: &Sandbox) {
    assert!(applied(sandbox).iter().all(|applied| !applied));
    assert!(sandbox.run_ok("db status").out.contains("pending"));
    assert!(sandbox.run_ok("db rollback --yes").out.contains("nothing to undo"));
    assert!(sandbox.run_ok("db migrate").out.starts_with("applied 1 "));
    assert!(applied(sandbox).iter().all(|applied| *applied));
    assert!(sandbox.run_ok("db migrate").out.starts_with("nothing to do"));

    sandbox.run(["db", "rollback"]).expect_failure("add --yes");
    assert!(applied(sandbox).iter().all(|applied| *applied));
    sandbox.run(["db", "rollback", "--to", "99", "--yes"]).expect_failure("--to 99");
    assert!(sandbox.run_ok("db rollback --to 1 --yes").out.contains("nothing to undo"));
    assert!(applied(sandbox).iter().all(|applied| *applied));
    assert!(sandbox.run_ok("db rollback --yes").out.starts_with("undid "));
    assert_eq!(applied(sandbox).iter().filter(|applied| !**applied).count(), 1);
    // Every other command brings an older database up by itself.
    sandbox.run_ok("org list");
    assert!(applied(sandbox).iter().all(|applied| *applied));
    sandbox.run_ok("db rollback --to 0 --yes");
    assert!(applied(sandbox).iter().all(|applied| !applied));
}

#[test]
fn migrations_go_up_and_down_on_sqlite() {
    migrations_go_up_and_down(&Sandbox::sqlite());
}

#[test]
#[ignore = "needs PostgreSQL: ./check starts one"]
fn migrations_go_up_and_down_on_postgresql() {
    migrations_go_up_and_down(&Sandbox::postgres());
}

#[test]
fn many_processes_may_find_a_new_database_at_the_same_time() {
    let sandbox = Sandbox::sqlite();
    let children: Vec<_> =
        (0..8).map(|_| sandbox.command(["org", "list"]).spawn().unwrap()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_database_that_may_only_be_read_can_be_read() {
    let sandbox = Sandbox::sqlite();
    sandbox.run_ok("org create acme");
    let database = ["--database", "sqlite:mainstay.db?mode=ro"];
    let run = |line: &str| sandbox.run(line.split(' ').chain(database));
    assert!(run("org list").out.contains("acme"));
    run("org create beta").expect_failure("the database is read-only: check the permissions");
    run("score --org acme").expect_failure("the database is read-only");
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let sandbox = Sandbox::sqlite();
    sandbox.run_ok("org create acme");
    sandbox.tamper(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'future', 1, x'00', 0)",
    );
    for line in ["org list", "score --org acme", "serve", "db status", "db rollback --yes"] {
        sandbox.run(line.split(' ')).expect_failure("has migration 9999");
    }
}

#[test]
fn a_database_of_a_development_version_is_left_alone_and_says_what_to_do() {
    let sandbox = Sandbox::sqlite();
    sandbox.run_ok("org create acme");
    sandbox.tamper(
        "UPDATE _sqlx_migrations SET description = 'organizations'; \
         INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (2, 'clients', 1, x'00', 0)",
    );
    for line in ["org list", "serve", "db status", "db migrate", "db rollback --yes"] {
        sandbox.run(line.split(' ')).expect_failure("Start with an empty database");
    }
    // As it says: an empty database beside it.
    sandbox.run_ok("org list --database sqlite:other.db");
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let sandbox = Sandbox::sqlite();
    sandbox.write("mainstay.db", "What stands here is text. ".repeat(400));
    sandbox.run(["org", "list"]).expect_failure("file is not a database");
}

#[test]
fn an_unreachable_database_url_fails_immediately() {
    let sandbox = Sandbox::sqlite();
    let run = |url: &str| sandbox.run(["org", "list", "--database", url]);
    run("mainstay.db").expect_failure("use sqlite:PATH or postgres://");
    run("sqlite:.").expect_failure("is a directory");
    run("sqlite:no/where.db").expect_failure("no folder");
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = run(&format!("postgres://ada:secret@127.0.0.1:{port}/mainstay"));
    refused.expect_failure("cannot be opened");
    assert!(!refused.err.contains("secret"), "{refused:?}");
}
