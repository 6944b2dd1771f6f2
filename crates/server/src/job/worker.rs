use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::{Mainstay, access::random_secret};

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(1);

/// Somebody who does what is due.
#[derive(Clone, Debug)]
pub struct Worker {
    /// What it is called in a run.
    pub holder: Arc<str>,
    /// How long others leave a run alone of which nothing has been heard.
    pub lease: SignedDuration,
    /// Turns true when it is to stop.
    pub stop: watch::Receiver<bool>,
}

impl Worker {
    /// A worker of this process, and what stops it.
    pub fn new(lease: SignedDuration) -> (Self, watch::Sender<bool>) {
        let (sender, stop) = watch::channel(false);
        let unique: String = random_secret().chars().take(8).collect();
        let holder = format!("process {}, {unique}", std::process::id());
        (Self { holder: holder.into(), lease, stop }, sender)
    }

    /// Ends when the worker is to stop.
    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            // Whoever could stop it is gone without having done so.
            std::future::pending::<()>().await;
        }
    }
}

/// Does what is due, until the worker is stopped.
pub fn start(mainstay: Mainstay, worker: Worker) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = worker.stopped() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = mainstay.run_due_jobs(&worker).await {
                tracing::error!(%error, "what is due could not be looked up; it is tried again");
            }
        }
    })
}
