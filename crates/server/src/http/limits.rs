//! Limits of connections and streams.

use std::{net::IpAddr, time::Duration};

/// Limits of connections and streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of connections. Beyond it, the connection that has waited longest for its
    /// sender is evicted.
    pub connections: usize,
    /// Maximum number of connections per address, unless behind a proxy. Loopback addresses are
    /// exempt: an unconfigured proxy would be everybody.
    pub connections_per_address: usize,
    /// Timeout for a request head, from its first byte or from the connection.
    pub header_timeout: Duration,
    /// Timeout for a request body, before the minimum rate applies.
    pub body_timeout: Duration,
    /// Minimum rate of a request body, in bytes per second.
    pub body_bytes_per_second: u32,
    /// Idle timeout of a connection.
    pub idle_timeout: Duration,
    /// Timeout of a blocked write.
    pub write_timeout: Duration,
    /// Maximum number of live streams.
    pub streams: usize,
    /// Maximum number of streams per address.
    pub streams_per_address: usize,
    /// Maximum number of streams per session.
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

/// File descriptors reserved for the database, email and webhooks.
const RESERVED_FILES: u64 = 200;

impl Limits {
    /// The limits, with connections capped to the limit of open files.
    #[must_use]
    pub fn capped_to(self, files: Option<u64>) -> Self {
        let Some(files) = files else { return self };
        // At least some, however few there are: a server that takes nobody is no server.
        let most =
            usize::try_from(files.saturating_sub(RESERVED_FILES)).unwrap_or(usize::MAX).max(32);
        if most < self.connections {
            tracing::warn!(
                files,
                connections = most,
                "the limit of open files is too low for the configured number of connections, \
                 which is reduced; raise it (ulimit -Hn, or LimitNOFILE of systemd)"
            );
        }
        Self {
            connections: self.connections.min(most),
            streams: self.streams.min(most / 2),
            ..self
        }
    }

    /// The limit of connections for an address; `None` if unlimited.
    pub(super) fn limit_for(&self, address: IpAddr) -> Option<usize> {
        (!address.to_canonical().is_loopback()).then_some(self.connections_per_address)
    }
}

/// Raises the soft limit of open files to the hard limit and returns it.
#[cfg(unix)]
pub fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Some systems have no maximum, and refuse that number all the same.
    let wanted = limit.maximum.unwrap_or(1 << 20);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "failed to raise the limit of open files");
        }
    }
    getrlimit(Resource::Nofile).current
}

/// Does nothing on systems without such a limit.
#[cfg(not(unix))]
pub const fn raise_open_files() -> Option<u64> {
    None
}
