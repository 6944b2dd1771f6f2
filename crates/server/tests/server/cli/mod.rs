//! The command line, run as its users run it: the real binary, in a directory of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

mod access_log;
mod databases;
mod durable;
mod figures;
mod full_disk;
mod health;
mod import;
mod killed;
mod killed_any_order;
mod nodes;
mod panics;
pub(crate) mod sandbox;
mod secrets;
mod serving;
mod settings;
mod verify;

use sandbox::Sandbox;

#[test]
fn every_command_explains_itself() {
    let sandbox = Sandbox::sqlite();
    let commands = [
        "",
        "demo",
        "serve",
        "org",
        "org create",
        "org list",
        "key",
        "key create",
        "key list",
        "key revoke",
        "member",
        "member add",
        "member list",
        "member reset",
        "member remove",
        "import",
        "score",
        "insights",
        "health",
        "secrets",
        "secrets rotate",
        "verify",
        "db",
        "db migrate",
        "db rollback",
        "db status",
    ];
    let helps = commands.map(|command| {
        let ran = sandbox.run(command.split_whitespace().chain(["--help"]));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{command}");
        format!("$ {} --help\n{}", format!("mainstay {command}").trim(), ran.out)
    });
    insta::assert_snapshot!(helps.join("\n"));
}

#[test]
fn version_prints_the_version() {
    let told = Sandbox::sqlite().run(["--version"]);
    assert_eq!(told.out, format!("mainstay {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_right() {
    let sandbox = Sandbox::sqlite();
    for (line, expected) in [
        ("score", "--org <SLUG>"),
        ("score --org acme --format xml", "[possible values: table, csv, json]"),
        ("key create --org acme --kind admin", "[possible values: secret, write, member]"),
        (
            "member add --org acme --email a@b.c --role boss",
            "[possible values: owner, admin, staff, viewer]",
        ),
        ("import x.csv --org acme --column user", "write FIELD=COLUMN"),
        ("import x.csv --org acme --event-type Exported=nothing", "nothing"),
        ("score --org acme --as-of yesterday", "for example 2026-05-01T09:30:00Z"),
        ("score --org acme --as-of 2026-05-01", "RFC 3339"),
        ("frobnicate", "unrecognized subcommand"),
    ] {
        let ran = sandbox.run(line.split(' '));
        assert_eq!(ran.code, 2, "{line}");
        assert!(
            ran.err.starts_with("error: ") && ran.err.contains(expected),
            "{line}: {}",
            ran.err
        );
        assert_eq!(ran.out, "");
    }
}
