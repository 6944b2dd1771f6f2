use std::collections::BTreeSet;

use serde_json::Value;

use super::{figures::history, sandbox::Sandbox};

const PROCESSES: usize = 8;

fn with_history(sandbox: Sandbox) -> Sandbox {
    sandbox.run_ok("org create acme --timezone UTC");
    sandbox.write("history.csv", history());
    sandbox.run_ok("import history.csv --org acme");
    sandbox
}

#[test]
fn a_check_that_is_repeated_opens_nothing_twice() {
    let sandbox = with_history(Sandbox::sqlite());
    let line = "health --org acme --as-of 2024-05-15T00:00:00Z --format";
    let dry = sandbox.run_ok(&format!("{line} json --dry-run"));
    let first = sandbox.run_ok(&format!("{line} json"));
    assert_eq!(first.out, dry.out);
    let rows = first.json();
    for row in rows.as_array().unwrap() {
        let keys: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["change", "client_id", "held", "message", "severity", "type"]);
        assert_eq!(row["change"], "opened");
        assert_ne!(row["client_id"], "late");
    }
    let is_silent = |row: &Value| row["client_id"] == "zed" && row["type"] == "zero_activity";
    assert!(rows.as_array().unwrap().iter().any(is_silent), "{}", first.out);
    assert_eq!(sandbox.run_ok(&format!("{line} json")).out, "[]\n");
    assert_eq!(
        sandbox.run_ok(&format!("{line} csv")).out,
        "client_id,type,severity,change,held,message\n"
    );
    assert!(
        sandbox
            .run_ok("health --org acme --as-of 2024-05-15T00:00:00Z")
            .out
            .starts_with("no alert")
    );
}

#[test]
fn a_check_does_not_go_back_behind_the_last_one_but_may_look() {
    let sandbox = with_history(Sandbox::sqlite());
    sandbox.run_ok("health --org acme --as-of 2024-05-15T00:00:00Z");
    let earlier = "health --org acme --as-of 2024-05-14T00:00:00Z";
    sandbox.run(earlier.split(' ')).expect_failure("or --dry-run");
    assert_eq!(
        sandbox.run_ok(&format!("{earlier} --dry-run")).err,
        "dry run: nothing was stored\n"
    );
}

/// Many at the same time, each at its own "now": each alert is opened by one of them.
fn checks_at_the_same_time_open_each_alert_once(sandbox: Sandbox) {
    let sandbox = with_history(sandbox);
    let expected = sandbox.run_ok("health --org acme --dry-run --format json").json();
    let alerts = |rows: &Value| -> Vec<(String, String)> {
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| (text(row, "client_id"), text(row, "type"))).collect()
    };
    let args = ["health", "--org", "acme", "--format", "json"];
    let children: Vec<_> = (0..PROCESSES).map(|_| sandbox.command(args).spawn().unwrap()).collect();
    let mut opened = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{err}");
        let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(rows.as_array().unwrap().iter().all(|row| row["change"] == "opened"), "{rows}");
        opened.extend(alerts(&rows));
    }
    let distinct: BTreeSet<_> = opened.iter().cloned().collect();
    assert_eq!(distinct.len(), opened.len(), "{opened:?}");
    assert_eq!(distinct, alerts(&expected).into_iter().collect());
    assert!(!distinct.is_empty());
    assert_eq!(sandbox.run_ok("health --org acme --format json").out, "[]\n");
}

#[test]
fn checks_at_the_same_time_open_each_alert_once_on_sqlite() {
    checks_at_the_same_time_open_each_alert_once(Sandbox::sqlite());
}

#[test]
#[ignore = "needs PostgreSQL: ./check starts one"]
fn checks_at_the_same_time_open_each_alert_once_on_postgresql() {
    checks_at_the_same_time_open_each_alert_once(Sandbox::postgres());
}
