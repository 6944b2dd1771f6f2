//! `kill -9` while emails go out: nobody gets two, and who gets none was being sent to at that moment.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tokio::time::interval;

use super::server::MailServer;
use crate::cli::sandbox::{RunningServer, Sandbox};

const CLIENTS: usize = 120;
/// Emails that have arrived when the server is killed.
const KILLED_AT: [usize; 5] = [0, 1, 17, 40, 90];

struct Api {
    http: reqwest::Client,
    key: String,
}

impl Api {
    async fn send(&self, method: &str, url: &str, body: Value) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, url).bearer_auth(&self.key);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{url}: {answer:?}");
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    async fn count(&self, served: &RunningServer, state: &str) -> usize {
        let url = format!("{}/api/v1/emails?limit=500&state={state}", served.url);
        self.send("GET", &url, Value::Null).await["emails"].as_array().unwrap().len()
    }
}

fn serve(sandbox: &Sandbox, mail: &MailServer) -> RunningServer {
    sandbox.write(
        "mainstay.toml",
        format!(
            "smtp_url = '{}'\nmail_from = 'success@mainstay.test'\njob_lease_seconds = 1\n",
            mail.url()
        ),
    );
    sandbox.serve("serve --listen 127.0.0.1:0")
}

#[test]
fn killed_at_any_point_each_gets_one_mail_but_for_the_one_under_way() {
    let sandbox = Sandbox::sqlite();
    let mail = MailServer::start();
    let keys = sandbox.run_ok("org create acme --json").json();
    let key = keys["secret_key"].as_str().unwrap().to_owned();
    let api = Api { http: reqwest::Client::new(), key };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut served = serve(&sandbox, &mail);
    runtime.block_on(async {
        for number in 0..CLIENTS {
            let name = format!("client-{number}");
            let clients = format!("{}/api/v1/clients", served.url);
            let body = json!({"client_id": name, "email": format!("{name}@example.com")});
            api.send("POST", &clients, body).await;
            let url = format!("{clients}/{name}/email-subscription");
            api.send("PUT", &url, json!({"state": "subscribed"})).await;
        }
        api.send("POST", &format!("{}/api/v1/jobs/weekly/run", served.url), Value::Null).await;
    });
    for arrived in KILLED_AT {
        runtime.block_on(async {
            let mut looks = interval(Duration::from_millis(5));
            while mail.mails().len() < arrived {
                looks.tick().await;
            }
        });
        served.stop("KILL");
        served = serve(&sandbox, &mail);
    }
    let under_way = runtime.block_on(async {
        let mut looks = interval(Duration::from_millis(100));
        loop {
            let sending = api.count(&served, "sending").await;
            if api.count(&served, "sent").await + sending == CLIENTS {
                return sending;
            }
            looks.tick().await;
        }
    });
    let mut got: BTreeMap<String, usize> = BTreeMap::new();
    for arrived in mail.mails() {
        *got.entry(arrived.to).or_default() += 1;
    }
    assert!(got.values().all(|count| *count == 1), "{got:?}");
    assert!(under_way <= KILLED_AT.len(), "{under_way}");
    assert!(got.len() + under_way >= CLIENTS, "{} of {CLIENTS}, {under_way}", got.len());
    served.stop("TERM");
}
