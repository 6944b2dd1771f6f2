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

/// How long everything under way may take together once the server is asked to stop: requests, jobs, emails.
/// Service managers kill what has not ended after 10 s (Docker) or more.
const GRACE: Duration = Duration::from_secs(8);

pub(super) async fn run(settings: &Settings, out: &mut Output) -> Result<ExitCode> {
    let server = Server::bind(settings).await?;
    let Some(mainstay) = server.open(settings).await? else { return Ok(ExitCode::SUCCESS) };
    open::warn_of_readable(&mainstay, settings);
    if mainstay.organizations().await?.is_empty() {
        writeln!(
            out,
            "there is no organization yet; create one, also while this runs: mainstay org create SLUG"
        )?;
    }
    let site = server.site(settings);
    let ended = server.serve(&mainstay, site, settings, out).await;
    open::close(&mainstay).await;
    ended.map(|()| ExitCode::SUCCESS)
}

/// An address that is ours, at which is told how far the server is.
pub(super) struct Server {
    address: SocketAddr,
    signals: watch::Receiver<u32>,
    startup: Arc<Startup>,
    limits: Limits,
    serving: JoinHandle<()>,
}

impl Server {
    pub(super) async fn bind(settings: &Settings) -> Result<Self> {
        let limits = settings.limits.clone().within(raise_open_files());
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
            stopped(signals.clone(), 1),
        ));
        Ok(Self { address: bound, signals, startup, limits, serving })
    }

    /// Where it is reached.
    pub(super) fn site(&self, settings: &Settings) -> Site {
        settings.site(Some(self.address))
    }

    /// Opens the database and brings it up to date, and tells meanwhile how far that is. `None` when it was
    /// asked to stop before that was done; the migration under way is undone.
    pub(super) async fn open(&self, settings: &Settings) -> Result<Option<Mainstay>> {
        self.startup.tell("opening the database".to_owned());
        let opened = open::open_telling(settings, |done, migration, total| {
            self.startup.tell(format!("migrating {} of {total}", done + 1));
            tracing::info!(version = migration.version, name = migration.description, "migrating");
        });
        tokio::select! {
            opened = opened => opened.map(Some),
            () = stopped(self.signals.clone(), 1) => Ok(None),
        }
    }

    /// Serves until told to stop; then finishes what is under way and stores what is waiting.
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
        startup.is_ready(mainstay.clone(), writer, site, &limits);
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
        let asked = signals.clone();
        tokio::spawn(async move {
            stopped(asked, 1).await;
            streams.hub().stop();
            tracing::info!("stopping: no new connections, finishing what is under way");
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
                stopped(signals, 1).await;
                let _ = asked_to_stop.set(Instant::now());
                let _ = stop.send(true);
            });
        }
        let served = tokio::select! {
            served = serving => served.map_err(CliError::Serving),
            () = overdue(signals) => {
                tracing::warn!("stopping with requests under way, which get no answer");
                Ok(())
            }
            cause = mainstay.supervisor().fatal() => Err(CliError::Background(cause)),
        };
        mainstay.supervisor().stop();
        let since = asked_to_stop.get().copied().unwrap_or_else(Instant::now);
        background.stop(since + GRACE).await;
        tracing::info!("stopped");
        served
    }
}

/// What goes on beside requests: jobs, notices, and mails where there is a mail server.
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
            let server = server.greeting_as(host.trim_matches(['[', ']']));
            email::start(mainstay, server, from, Arc::new(site.clone()), stopped)
        });
        if mails.is_none() {
            tracing::info!("mails wait: MAINSTAY_SMTP_URL names no mail server");
        }
        Ok(Self { stop, jobs, notices, returns, merges, zone_changes, mails })
    }

    /// Gives back what is under way, so that another process goes on at once.
    async fn stop(self, deadline: Instant) {
        let Self { stop, jobs, notices, returns, merges, zone_changes, mails } = self;
        let _ = stop.send(true);
        let ended = async {
            let _ = jobs.await;
            let _ = notices.await;
            let _ = returns.await;
            let _ = merges.await;
            let _ = zone_changes.await;
            if let Some(mails) = mails {
                let _ = mails.await;
            }
        };
        if timeout_at(deadline, ended).await.is_err() {
            tracing::warn!("stopping with a job, a notice or a mail under way");
        }
    }
}

/// Ends when stopping has taken too long, or was asked for twice.
async fn overdue(signals: watch::Receiver<u32>) {
    stopped(signals.clone(), 1).await;
    let _ = tokio::time::timeout(GRACE, stopped(signals, 2)).await;
}

/// Ends when the server was asked to stop so many times.
async fn stopped(mut signals: watch::Receiver<u32>, times: u32) {
    if signals.wait_for(|count| *count >= times).await.is_err() {
        // Nobody listens for signals any more, so none will come.
        std::future::pending::<()>().await;
    }
}

/// Counts requests to stop (SIGINT, SIGTERM), from the moment that this returns.
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
                    "SIGHUP: nothing is read again while the server runs; restart it for that"
                );
            }
        });
        tokio::spawn(async move {
            loop {
                let asked = tokio::select! {
                    asked = interrupt.recv() => asked,
                    asked = terminate.recv() => asked,
                };
                if asked.is_none() {
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
