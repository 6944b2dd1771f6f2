//! Background work in small steps, each in its own transaction.

use mainstay_core::id::OrganizationId;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Duration, MissedTickBehavior, interval},
};

use crate::{Mainstay, Result, supervise::OnPanic};

/// How often to check for work.
const INTERVAL: Duration = Duration::from_secs(1);

/// Runs steps in the background until `stop` is set. A step returns whether there is more to do.
pub(crate) fn start<Step, Stepping>(
    mainstay: &Mainstay,
    name: &'static str,
    stop: watch::Receiver<bool>,
    step: Step,
) -> JoinHandle<()>
where
    Step: Fn(Mainstay) -> Stepping + Copy + Send + Sync + 'static,
    Stepping: Future<Output = Result<bool>> + Send + 'static,
{
    let services = mainstay.clone();
    mainstay
        .supervisor()
        .spawn(name, OnPanic::Restart, move || run(services.clone(), name, stop.clone(), step))
}

impl Mainstay {
    /// Takes a step for one organization, whose failure or panic leaves the others' alone: it is tried
    /// again at the next look. Returns whether there is more to do.
    pub(crate) async fn take_isolated_step(
        &self,
        work: &'static str,
        organization: OrganizationId,
        step: impl Future<Output = Result<bool>> + Send,
    ) -> bool {
        let step = Box::pin(async {
            self.supervisor().fail_point(&format!("{work} step"));
            step.await
        });
        match self.supervisor().isolate(work, step).await {
            Ok(Ok(more)) => more,
            Ok(Err(error)) => {
                tracing::error!(work, %error, %organization, "a step failed; it is tried again");
                false
            }
            // Logged where it was caught.
            Err(_) => false,
        }
    }
}

async fn run<Step, Stepping>(
    mainstay: Mainstay,
    name: &'static str,
    mut stop: watch::Receiver<bool>,
    step: Step,
) where
    Step: Fn(Mainstay) -> Stepping,
    Stepping: Future<Output = Result<bool>>,
{
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        mainstay.supervisor().fail_point(name);
        loop {
            match step(mainstay.clone()).await {
                Ok(true) if !*stop.borrow() => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::error!(background = name, %error, "a background step failed; will retry");
                    break;
                }
            }
        }
    }
}
