//! Several processes of the real binary on one PostgreSQL: each period of a job runs once, and a
//! process that was stopped past its lease writes nothing more.

use std::{collections::BTreeSet, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::time::interval;

use super::sandbox::{RunningServer, Sandbox};

/// How long anything may take before the test gives up.
const WAIT_TIMEOUT: Duration = Duration::from_mins(1);
/// Runs that are done before one of the processes goes.
const EACH: usize = 15;
const NEVER: &str = "0 0 29 2 *";

/// Somebody with a secret key, and a view of the database.
struct Operator {
    http: reqwest::Client,
    key: String,
    database: PgConnection,
}

impl Operator {
    async fn new(sandbox: &Sandbox, key: &str) -> Self {
        let mut database = PgConnection::connect(&sandbox.postgres_url()).await.unwrap();
        // Row-level security binds also whoever looks past the program.
        database.execute("SET mainstay.role = 'system'").await.unwrap();
        Self { http: reqwest::Client::new(), key: key.to_owned(), database }
    }

    async fn send(&self, method: Method, served: &RunningServer, path: &str, body: Value) -> Value {
        let request = self.http.request(method, format!("{}{path}", served.url));
        let request = request.bearer_auth(&self.key);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    async fn schedule(&self, served: &RunningServer, job: &str, cron: &str) {
        let path = format!("/api/v1/jobs/{job}/schedule");
        self.send(Method::PUT, served, &path, json!({"cron": cron})).await;
    }

    /// Each row of a query, as one text.
    async fn rows(&mut self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(format!("SELECT CAST(to_jsonb(q) AS TEXT) FROM ({sql}) q"));
        sqlx::query_scalar(sql).fetch_all(&mut self.database).await.unwrap()
    }

    /// Waits until a query has a row, and returns the first.
    async fn eventually(&mut self, sql: &str) -> Value {
        let mut looks = interval(Duration::from_millis(20));
        let found = async {
            loop {
                looks.tick().await;
                if let Some(row) = self.rows(sql).await.first() {
                    return serde_json::from_str(row).unwrap();
                }
            }
        };
        let found = tokio::time::timeout(WAIT_TIMEOUT, found).await;
        found.unwrap_or_else(|_| panic!("never came: {sql}"))
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn serve(sandbox: &Sandbox) -> RunningServer {
    sandbox.serve("serve --listen 127.0.0.1:0")
}

/// Acme with a few clients, whose jobs never come by themselves.
async fn acme(sandbox: &Sandbox, key: &str, served: &RunningServer) -> Operator {
    let operator = Operator::new(sandbox, key).await;
    for job in ["weekly", "daily", "hourly"] {
        operator.schedule(served, job, NEVER).await;
    }
    let events: Vec<Value> = (0..40)
        .map(|number| json!({"client_id": format!("client-{number}"), "event": "login"}))
        .collect();
    operator.send(Method::POST, served, "/api/v1/events", events.into()).await;
    operator
}

#[test]
#[ignore = "needs PostgreSQL: ./check starts one"]
fn three_processes_run_each_of_many_periods_once() {
    let sandbox = Sandbox::postgres();
    let key = sandbox.run_ok("org create acme --json").json()["secret_key"].to_string();
    let mut servers = vec![serve(&sandbox), serve(&sandbox), serve(&sandbox)];
    runtime().block_on(async {
        let mut operator = acme(&sandbox, key.trim_matches('"'), &servers[0]).await;
        // Every second, every other one, and every third.
        for (job, cron) in
            [("hourly", "* * * * * *"), ("daily", "*/2 * * * * *"), ("weekly", "*/3 * * * * *")]
        {
            operator.schedule(&servers[0], job, cron).await;
        }
        // Whoever looks first after a second has begun does most; so it goes when it has shown that
        // the others leave its runs alone, until the last one is on its own.
        let mut done = 0;
        while servers.len() > 1 {
            done += EACH;
            let enough = format!(
                "SELECT (SELECT holder FROM job_runs WHERE state = 'succeeded' \
                 ORDER BY finished_at DESC LIMIT 1) FROM job_runs WHERE state = 'succeeded' \
                 HAVING COUNT(*) >= {done}"
            );
            let last = operator.eventually(&enough).await["holder"].to_string();
            let named =
                |served: &RunningServer| last.contains(&format!("process {},", served.pid()));
            let place = servers.iter().position(named).unwrap();
            assert_eq!(servers.remove(place).stop("TERM").code, 0);
        }
        done += EACH;
        let enough = format!(
            "SELECT COUNT(*) FROM job_runs WHERE state = 'succeeded' HAVING COUNT(*) >= {done}"
        );
        operator.eventually(&enough).await;
        for job in ["hourly", "daily", "weekly"] {
            operator.schedule(&servers[0], job, NEVER).await;
        }
        let open = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM job_runs WHERE finished_at IS NULL)";
        operator.eventually(open).await;
        // One row a period, done once, and never while another one of the organization was being done.
        let (mut periods, mut holders) = (BTreeSet::new(), BTreeSet::new());
        let mut ended = Value::Null;
        let runs = operator.rows("SELECT * FROM job_runs ORDER BY started_at, finished_at").await;
        for run in &runs {
            let run: Value = serde_json::from_str(run).unwrap();
            let once = (&run["state"], &run["attempts"]);
            assert_eq!(once, (&json!("succeeded"), &json!(1)), "{run}");
            holders.insert(run["holder"].to_string());
            assert!(periods.insert((run["job"].to_string(), run["period"].to_string())), "{run}");
            assert!(ended.is_null() || run["started_at"].as_str() >= ended.as_str(), "{run}");
            ended = run["finished_at"].clone();
        }
        assert!(periods.len() >= 3 * EACH, "{}", periods.len());
        assert_eq!(holders.len(), 3, "{holders:?}");
        // What they wrote, they wrote once: one score a client and day.
        let twice = "SELECT day, client_id FROM client_success_scores GROUP BY 1, 2 \
                     HAVING COUNT(*) > 1";
        assert_eq!(operator.rows(twice).await, Vec::<String>::new());
    });
    for served in servers {
        assert_eq!(served.stop("TERM").code, 0);
    }
    sandbox.run_ok("verify --org acme");
}

#[test]
#[ignore = "needs PostgreSQL: ./check starts one"]
fn a_process_that_was_stopped_past_its_lease_writes_nothing_more() {
    let sandbox = Sandbox::postgres();
    sandbox.write("mainstay.toml", "job_lease_seconds = 2\n");
    let key = sandbox.run_ok("org create acme --json").json()["secret_key"].to_string();
    let stalled = serve(&sandbox);
    let holder = |served: &RunningServer| format!("holder LIKE 'process {},%'", served.pid());
    runtime().block_on(async {
        let mut operator = acme(&sandbox, key.trim_matches('"'), &stalled).await;
        // Scores are computed from this table, before they are written: whoever holds it decides how
        // long that takes.
        let mut gate = PgConnection::connect(&sandbox.postgres_url()).await.unwrap();
        let mut gate = gate.begin().await.unwrap();
        gate.execute("LOCK TABLE launch_kits IN ACCESS EXCLUSIVE MODE").await.unwrap();
        operator.send(Method::POST, &stalled, "/api/v1/jobs/daily/run", Value::Null).await;
        operator.eventually("SELECT 1 FROM pg_locks WHERE NOT granted").await;
        let held =
            format!("SELECT fence FROM job_runs WHERE state = 'running' AND {}", holder(&stalled));
        assert_eq!(operator.eventually(&held).await["fence"], 1);
        stalled.signal("STOP");

        // Another process takes the run over when the lease is over, and finishes it.
        let other = serve(&sandbox);
        let taken =
            format!("SELECT * FROM job_runs WHERE state = 'running' AND {}", holder(&other));
        let run = operator.eventually(&taken).await;
        assert_eq!((&run["fence"], &run["attempts"]), (&json!(2), &json!(2)), "{run}");
        gate.commit().await.unwrap();
        let done =
            format!("SELECT * FROM job_runs WHERE state = 'succeeded' AND {}", holder(&other));
        let done = operator.eventually(&done).await;
        assert_eq!(done["id"], run["id"]);
        let written = [
            "SELECT * FROM client_success_scores ORDER BY client_id, day",
            "SELECT * FROM job_runs ORDER BY id",
            "SELECT * FROM client_momentum_alerts ORDER BY id",
            "SELECT * FROM score_days ORDER BY day",
        ];
        let mut before = Vec::new();
        for sql in written {
            before.push(operator.rows(sql).await);
        }
        assert_eq!(before[0].len(), 40);

        // It continues with the scores that it had computed, and none of them is stored.
        stalled.signal("CONT");
        assert_eq!(other.stop("TERM").code, 0);
        // It has dealt with what it had when it does something else: nobody else is there.
        operator.send(Method::POST, &stalled, "/api/v1/jobs/hourly/run", Value::Null).await;
        let next = format!(
            "SELECT 1 FROM job_runs WHERE job = 'hourly' AND state = 'succeeded' AND {}",
            holder(&stalled)
        );
        operator.eventually(&next).await;
        let unchanged =
            format!("SELECT * FROM job_runs WHERE id = '{}'", done["id"].as_str().unwrap());
        assert_eq!(operator.rows(&unchanged).await, before[1]);
        for (sql, before) in written.into_iter().zip(before) {
            if !sql.contains("job_runs") {
                assert_eq!(operator.rows(sql).await, before, "{sql}");
            }
        }
    });
    // Its history tells of one run that was begun twice.
    let history = sandbox.run_ok("job history --org acme --json").json();
    let daily: Vec<&Value> =
        history.as_array().unwrap().iter().filter(|run| run["job"] == "daily").collect();
    assert_eq!(daily.len(), 1, "{history}");
    assert_eq!((&daily[0]["state"], &daily[0]["attempts"]), (&json!("succeeded"), &json!(2)));
    let ended = stalled.stop("TERM");
    assert_eq!(ended.code, 0);
    assert!(ended.err.contains("run taken over by another process"), "{}", ended.err);
    sandbox.run_ok("verify --org acme");
}
