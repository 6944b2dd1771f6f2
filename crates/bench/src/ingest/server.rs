//! A server of its own, as a process that can be measured and killed.

use std::{process::Stdio, sync::Arc};

use mainstay::{
    Clock as _, Mainstay, SystemClock,
    engagement::{EventWriter, Rates},
    http::{self, Limits},
    site::Site,
};
use mainstay_store::{KeyKind, Role, Store};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use super::Target;
use crate::{
    Result,
    figures::print_line,
    generate::organization,
    portfolio::{EMAIL, PASSWORD},
};

/// Serves a database until it is killed; says where and with which key.
pub(crate) async fn serve(database: &str) -> Result<()> {
    let store = Store::open(database).await?;
    store.migrate().await?;
    let mainstay = Mainstay::new(store.clone(), Arc::new(SystemClock));
    let organization_id = if let Some(found) = mainstay.organizations().await?.first() {
        found.id
    } else {
        let organization_id = organization(&store, SystemClock.now()).await?;
        let member = mainstay.add_member(organization_id, EMAIL, None, Role::Owner).await?;
        mainstay.set_password(organization_id, member.id, PASSWORD).await?;
        organization_id
    };
    let key = mainstay.create_key(organization_id, KeyKind::Write, None).await?.key;
    let (writer, _) = EventWriter::start(&mainstay, Rates::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    print_line(format_args!("http://{address} {key}"));
    http::serve(listener, mainstay, writer, Site::local(address), Limits::default()).await;
    Ok(())
}

/// A server in a process of its own; killed when it is dropped.
pub(crate) struct ServerProcess {
    pub(crate) target: Target,
    process: Child,
}

impl ServerProcess {
    pub(crate) async fn start(database: &str) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["ingest-serve", database])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().ok_or("the server has no output")?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        let line = line.ok_or("the server ended before it served")?;
        let (url, key) = line.split_once(' ').ok_or("the server does not say where it is")?;
        let target = Target { url: url.to_owned(), key: key.to_owned() };
        Ok(Self { target, process })
    }

    /// Kills it as a power cut would: no chance to finish anything.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }

    /// The most memory that it has used, in MiB, as Linux counts it.
    pub(crate) fn peak_memory_mib(&self) -> Option<u64> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id()?)).ok()?;
        crate::figures::peak_of(&status)
    }
}
