use std::{
    io::Write as _,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, OnceLock},
    time::Duration,
};

use jiff::SignedDuration;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use super::{CliError, Result, open, output::Output};
use crate::{
    Mainstay, alert, client,
    config::{MailSettings, Settings},
    email,
    engagement::EventWriter,
    http::{self, Limits, Startup, raise_open_files},
    job::{self, Worker},
    notification::{self, Outbound},
    organization,
    site::Site,
};

/// Time limit for a graceful shutdown of requests, jobs and emails together. Service managers kill
/// the process after 10 s (Docker) or more.
const GRACE_PERIOD: Duration = Duration::from_secs(8);

pub(super) async fn run(settings: &Settings, out: &mut Output) -> Result<ExitCode> {
    let server = Server::bind(settings).await?;
    let Some(mainstay) = server.open(settings).await? else { return Ok(ExitCode::SUCCESS) };
    open::warn_about_readable_files(&mainstay, settings);
    if mainstay.organizations().await?.is_empty() {
        writeln!(
            out,
            "there are no organizations yet; create one, even while the server runs: mainstay org create SLUG"
        )?;
    }
    let site = server.site(settings);
    let result = server.serve(&mainstay, site, settings, out).await;
    open::close(&mainstay).await;
    result.map(|()| ExitCode::SUCCESS)
}

/// A bound listener, which reports the state of the server.
pub(super) struct Server {
    address: SocketAddr,
    signals: watch::Receiver<u32>,
    startup: Arc<Startup>,
    limits: Limits,
    serving: JoinHandle<()>,
}

impl Server {
    pub(super) async fn bind(settings: &Settings) -> Result<Self> {
        let limits = settings.limits.clone().capped_to(raise_open_files());
        let address = settings.listen.clone();
        let listener = match TcpListener::bind(&address).await {
            Ok(listener) => listener,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                return Err(CliError::AddressInUse(address));
            }
            Err(error) => return Err(CliError::Address { address, error }),
        };
        let bound = listener.local_addr().map_err(|error| CliError::Address { address, error })?;
        // Before anybody can know that the server is there: who then stops it, stops it in order.
        let signals = stop_signals().map_err(CliError::Runtime)?;
        let startup: Arc<Startup> = Arc::default();
        let serving = tokio::spawn(http::serve_from_startup(
            listener,
            Arc::clone(&startup),
            limits.clone(),
            settings.behind_proxy,
            stop_requested(signals.clone(), 1),
        ));
        Ok(Self { address: bound, signals, startup, limits, serving })
    }

    /// The bound address.
    pub(super) fn site(&self, settings: &Settings) -> Site {
        settings.site(Some(self.address))
    }

    /// Opens and migrates the database and reports the progress. `None` if it was asked to stop
    /// before that was done; an unfinished migration is rolled back.
    pub(super) async fn open(&self, settings: &Settings) -> Result<Option<Mainstay>> {
        self.startup.set_step("opening the database".to_owned());
        let opened = open::open_with_progress(settings, |done, migration, total| {
            self.startup.set_step(format!("migrating {} of {total}", done + 1));
            tracing::info!(version = migration.version, name = migration.description, "migrating");
        });
        tokio::select! {
            opened = opened => opened.map(Some),
            () = stop_requested(self.signals.clone(), 1) => Ok(None),
        }
    }

    /// Serves until it is asked to stop, then finishes open requests and stores queued events.
    pub(super) async fn serve(
        self,
        mainstay: &Mainstay,
        site: Site,
        settings: &Settings,
        out: &mut Output,
    ) -> Result<()> {
        let Self { address, signals, startup, limits, serving } = self;
        let (writer, written) = EventWriter::start(mainstay, settings.rates);
        let background = Background::start(mainstay, settings, &site).map_err(CliError::Runtime)?;
        startup.set_ready(mainstay.clone(), writer, site, &limits);
        writeln!(out, "listening on http://{address}")?;
        out.flush()?;
        tracing::info!(
            %address,
            version = env!("CARGO_PKG_VERSION"),
            database = settings.database.split('@').next_back(),
            "listening"
        );
        mainstay.supervisor().spawn_item("portfolios", mainstay.clone().read_portfolios());

        let streams = mainstay.clone();
        let requested = signals.clone();
        tokio::spawn(async move {
            stop_requested(requested, 1).await;
            streams.hub().stop();
            tracing::info!("stopping: no new connections, finishing open requests");
        });
        let serving = async {
            serving.await.map_err(std::io::Error::other)?;
            // With it goes the router, and the last way to hand in events.
            drop(startup);
            written.await.map_err(std::io::Error::other)
        };
        let asked_to_stop = Arc::new(OnceLock::new());
        {
            // What goes on beside requests stops with them: all of it has one time to end in.
            let (signals, stop) = (signals.clone(), background.stop.clone());
            let asked_to_stop = Arc::clone(&asked_to_stop);
            tokio::spawn(async move {
                stop_requested(signals, 1).await;
                let _ = asked_to_stop.set(Instant::now());
                let _ = stop.send(true);
            });
        }
        let result = tokio::select! {
            result = serving => result.map_err(CliError::Serving),
            () = shutdown_deadline(signals) => {
                tracing::warn!("stopping with open requests, which get no response");
                Ok(())
            }
            cause = mainstay.supervisor().wait_for_fatal() => Err(CliError::Background(cause)),
        };
        mainstay.supervisor().stop();
        let since = asked_to_stop.get().copied().unwrap_or_else(Instant::now);
        background.stop(since + GRACE_PERIOD).await;
        tracing::info!("stopped");
        result
    }
}

/// Background work: jobs, notifications, and emails if there is a mail server.
struct Background {
    stop: watch::Sender<bool>,
    jobs: JoinHandle<()>,
    notices: JoinHandle<()>,
    returns: JoinHandle<()>,
    merges: JoinHandle<()>,
    zone_changes: JoinHandle<()>,
    mails: Option<JoinHandle<()>>,
}

impl Background {
    fn start(mainstay: &Mainstay, settings: &Settings, site: &Site) -> std::io::Result<Self> {
        let lease = SignedDuration::from_secs(settings.job_lease_seconds);
        let (worker, stop) = Worker::new(lease);
        let stopped = worker.stop.clone();
        let jobs = job::start(mainstay, worker);
        let merges = client::start_merges(mainstay, stopped.clone());
        let zone_changes = organization::start_zone_changes(mainstay, stopped.clone());
        let outbound = Outbound::new(settings.outgoing.clone())?;
        let notices =
            notification::start(mainstay, outbound, Arc::new(site.clone()), stopped.clone());
        let returns = alert::start(mainstay, stopped.clone());
        let mails = settings.mail.clone().map(|MailSettings { server, from }| {
            let host = site.public_url.host_str().unwrap_or("localhost");
            let server = server.with_hello_name(host.trim_matches(['[', ']']));
            email::start(mainstay, server, from, Arc::new(site.clone()), stopped)
        });
        if mails.is_none() {
            tracing::info!("emails stay queued: MAINSTAY_SMTP_URL is not set");
        }
        Ok(Self { stop, jobs, notices, returns, merges, zone_changes, mails })
    }

    /// Releases work in progress, so that another process continues immediately.
    async fn stop(self, deadline: Instant) {
        let Self { stop, jobs, notices, returns, merges, zone_changes, mails } = self;
        let _ = stop.send(true);
        let tasks = async {
            let _ = jobs.await;
            let _ = notices.await;
            let _ = returns.await;
            let _ = merges.await;
            let _ = zone_changes.await;
            if let Some(mails) = mails {
                let _ = mails.await;
            }
        };
        if timeout_at(deadline, tasks).await.is_err() {
            tracing::warn!("stopping while a job, a webhook message or an email is in progress");
        }
    }
}

/// Completes when the shutdown has taken too long or was requested twice.
async fn shutdown_deadline(signals: watch::Receiver<u32>) {
    stop_requested(signals.clone(), 1).await;
    let _ = tokio::time::timeout(GRACE_PERIOD, stop_requested(signals, 2)).await;
}

/// Completes when the server was asked to stop this many times.
async fn stop_requested(mut signals: watch::Receiver<u32>, times: u32) {
    if signals.wait_for(|count| *count >= times).await.is_err() {
        // Nobody listens for signals any more, so none will come.
        std::future::pending::<()>().await;
    }
}

/// Counts stop signals (SIGINT, SIGTERM) from now on.
fn stop_signals() -> std::io::Result<watch::Receiver<u32>> {
    let (count, receiver) = watch::channel(0);
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // Of log rotation and "reload": there is nothing to read again, and that is no reason to end.
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                tracing::info!(
                    "SIGHUP: settings are not reloaded; restart the server to apply changes"
                );
            }
        });
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    signal = interrupt.recv() => signal,
                    signal = terminate.recv() => signal,
                };
                if signal.is_none() {
                    break;
                }
                count.send_modify(|count| *count += 1);
            }
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            count.send_modify(|count| *count += 1);
        }
    });
    Ok(receiver)
}
