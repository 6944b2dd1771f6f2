use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// An email as the server got it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) from: String,
    /// What MAIL FROM asked for.
    pub(crate) options: Vec<String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
    pub(crate) html: String,
}

impl Mail {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    /// Every address that the HTML leads to or loads.
    pub(crate) fn addresses(&self) -> Vec<String> {
        ["href=\"", "src=\""]
            .iter()
            .flat_map(|attribute| self.html.split(attribute).skip(1))
            .map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&"))
            .filter(|address| address.starts_with("http"))
            .collect()
    }
}

/// `scripts/smtp-server`, until it is dropped.
pub(crate) struct MailServer {
    child: Child,
    port: u16,
    mailbox: PathBuf,
    _folder: TempDir,
}

impl MailServer {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = folder.path().join("mails.jsonl");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/smtp-server");
        let mut child = Command::new(script)
            .arg(&mailbox)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the server says its port");
        Self { child, port, mailbox, _folder: folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// With a password to sign in.
    pub(crate) fn url_with_password(&self) -> String {
        format!("smtp://ada:secret@127.0.0.1:{}?tls=none", self.port)
    }

    /// Returns from now on as a script says; `{}` takes everything again.
    pub(crate) fn script(&self, script: &Value) {
        let path = self.mailbox.with_extension("jsonl.script");
        // In one step: it is read at any moment.
        let new = path.with_extension("new");
        fs::write(&new, script.to_string()).unwrap();
        fs::rename(new, path).unwrap();
    }

    /// What it has taken so far.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let kept = fs::read_to_string(&self.mailbox).unwrap_or_default();
        // It may be writing the last one right now.
        let (whole, _) = kept.rsplit_once('\n').unwrap_or_default();
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
