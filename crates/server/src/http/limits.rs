//! How much of the server one sender, one address or all of them together may hold, and for how long.

use std::{net::IpAddr, time::Duration};

/// Limits of connections and streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all. Past them, the one that has waited longest for its sender makes room.
    pub connections: usize,
    /// Connections from one address, where connections are not a proxy's. This machine's own addresses are
    /// not counted: a proxy that nobody told us of would be everybody.
    pub connections_per_address: usize,
    /// What a sender may take for a request's head, from its first byte or from connecting on.
    pub header_timeout: Duration,
    /// What a sender may take for a request's body before it has to keep up a rate.
    pub body_timeout: Duration,
    /// The rate, in bytes a second over the whole body.
    pub body_bytes_per_second: u32,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Duration,
    /// How long a reader may take nothing of an answer that waits for it.
    pub write_timeout: Duration,
    /// Streams of live updates in all.
    pub streams: usize,
    /// Streams of one address.
    pub streams_per_address: usize,
    /// Streams of one session.
    pub streams_per_session: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 5_000,
            connections_per_address: 1_000,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            body_bytes_per_second: 20_000,
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            streams: 2_500,
            streams_per_address: 200,
            streams_per_session: 20,
        }
    }
}

/// Descriptors that are kept for everything but connections: the database, mail and webhooks.
const RESERVED_FILES: u64 = 200;

impl Limits {
    /// The same with no more connections than there are descriptors for. `files` is how many the process
    /// may open.
    #[must_use]
    pub fn within(self, files: Option<u64>) -> Self {
        let Some(files) = files else { return self };
        // At least some, however few there are: a server that takes nobody is no server.
        let most =
            usize::try_from(files.saturating_sub(RESERVED_FILES)).unwrap_or(usize::MAX).max(32);
        if most < self.connections {
            tracing::warn!(
                files,
                connections = most,
                "the operating system lets this process open few files, so fewer connections are \
                 taken than set; raise its limit (ulimit -Hn, or LimitNOFILE of systemd)"
            );
        }
        Self {
            connections: self.connections.min(most),
            streams: self.streams.min(most / 2),
            ..self
        }
    }

    /// How many connections an address may have; `None` for as many as there are in all.
    pub(super) fn of_address(&self, address: IpAddr) -> Option<usize> {
        (!address.to_canonical().is_loopback()).then_some(self.connections_per_address)
    }
}

/// Raises the number of files that this process may open to the most that it is allowed. Answers it.
#[cfg(unix)]
pub fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Some systems have no maximum, and refuse that number all the same.
    let wanted = limit.maximum.unwrap_or(1 << 20);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the number of open files could not be raised");
        }
    }
    getrlimit(Resource::Nofile).current
}

/// Raises nothing where the system has no such number.
#[cfg(not(unix))]
pub const fn raise_open_files() -> Option<u64> {
    None
}
