use std::{io::Write as _, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::{CliError, Result, output::Output};
use crate::{
    Mainstay,
    config::{MailSettings, Settings},
    email,
    engagement::EventWriter,
    http::{self, Site},
    job::{self, Worker},
    notice::{self, Outbound},
};

/// How long requests under way may take once the server is asked to stop. Service managers kill
/// what has not ended after 10 s (Docker) or more.
const GRACE: Duration = Duration::from_secs(8);

pub(super) async fn run(
    mainstay: &Mainstay,
    settings: &Settings,
    out: &mut Output,
) -> Result<ExitCode> {
    let server = Server::bind(settings).await?;
    if mainstay.organizations().await?.is_empty() {
        writeln!(
            out,
            "there is no organization yet; create one, also while this runs: mainstay org create SLUG"
        )?;
    }
    let site = server.site(settings);
    server.serve(mainstay, site, settings, out).await?;
    Ok(ExitCode::SUCCESS)
}

/// An address that is ours.
pub(super) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    signals: watch::Receiver<u32>,
}

impl Server {
    pub(super) async fn bind(settings: &Settings) -> Result<Self> {
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
        Ok(Self { listener, address: bound, signals })
    }

    /// Where it is reached.
    pub(super) fn site(&self, settings: &Settings) -> Site {
        settings.site(Some(self.address))
    }

    /// Serves until told to stop; then finishes what is under way and stores what is waiting.
    pub(super) async fn serve(
        self,
        mainstay: &Mainstay,
        site: Site,
        settings: &Settings,
        out: &mut Output,
    ) -> Result<()> {
        let Self { listener, address, signals } = self;
        let (writer, written) = EventWriter::start(mainstay, settings.rates);
        let background = Background::start(mainstay, settings, &site).map_err(CliError::Runtime)?;
        let service = http::service(mainstay.clone(), writer, site);
        writeln!(out, "listening on http://{address}")?;
        out.flush()?;
        tracing::info!(%address, "listening");
        tokio::spawn(mainstay.clone().read_portfolios());

        let stop = {
            let signals = signals.clone();
            let mainstay = mainstay.clone();
            async move {
                stopped(signals, 1).await;
                mainstay.hub().stop();
                tracing::info!("stopping: no new connections, finishing what is under way");
            }
        };
        let serving = async {
            axum::serve(listener, service).with_graceful_shutdown(stop).await?;
            // The router is gone, and with it the last way to hand in events.
            written.await.map_err(std::io::Error::other)
        };
        tokio::select! {
            served = serving => served.map_err(CliError::Serving)?,
            () = overdue(signals) => {
                tracing::warn!("stopping with requests under way, which get no answer");
            }
        }
        background.stop().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// What goes on beside requests: jobs, notices, and mails where there is a mail server.
struct Background {
    stop: watch::Sender<bool>,
    jobs: JoinHandle<()>,
    notices: JoinHandle<()>,
    mails: Option<JoinHandle<()>>,
}

impl Background {
    fn start(mainstay: &Mainstay, settings: &Settings, site: &Site) -> std::io::Result<Self> {
        let lease = SignedDuration::from_secs(settings.job_lease_seconds);
        let (worker, stop) = Worker::new(lease);
        let stopped = worker.stop.clone();
        let jobs = job::start(mainstay.clone(), worker);
        let outbound = Outbound::new(settings.outgoing.clone())?;
        let notices =
            notice::start(mainstay.clone(), outbound, Arc::new(site.clone()), stopped.clone());
        let mails = settings.mail.clone().map(|MailSettings { server, from }| {
            let host = site.public_url.host_str().unwrap_or("localhost");
            let server = server.greeting_as(host.trim_matches(['[', ']']));
            email::start(mainstay.clone(), server, from, Arc::new(site.clone()), stopped)
        });
        if mails.is_none() {
            tracing::info!("mails wait: MAINSTAY_SMTP_URL names no mail server");
        }
        Ok(Self { stop, jobs, notices, mails })
    }

    /// Gives back what is under way, so that another process goes on at once.
    async fn stop(self) {
        let Self { stop, jobs, notices, mails } = self;
        let _ = stop.send(true);
        let ended = async {
            let _ = jobs.await;
            let _ = notices.await;
            if let Some(mails) = mails {
                let _ = mails.await;
            }
        };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
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
