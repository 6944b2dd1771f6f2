use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use mainstay_core::notification::OutgoingPolicy;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use url::{Host, Url};

/// Timeout for connecting to an address, after which the next one is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection error.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The address is not allowed. No connection was attempted.
    #[error(
        "{host} resolves to a private address: messages are only sent to public addresses, unless \
         the operator allows others with MAINSTAY_WEBHOOK_ALLOW; the server's log names the \
         address"
    )]
    Forbidden {
        /// The host of the URL.
        host: String,
        /// Its address. For the log only: it would reveal addresses of the internal network to
        /// whoever configures a host.
        address: IpAddr,
    },
    /// The name cannot be resolved.
    #[error("{host} cannot be resolved: {reason}")]
    Unknown {
        /// The host of the URL.
        host: String,
        /// The resolver's message.
        reason: String,
    },
    /// The connection failed.
    #[error("cannot connect to {host}: {error}")]
    Refused {
        /// The host of the URL.
        host: String,
        /// The error of the operating system.
        error: io::Error,
    },
}

/// Connects to the host of a URL. The name is resolved here and each address is checked right
/// before connecting, which prevents DNS rebinding; a literal address in the URL is also checked.
pub(super) async fn connect(
    url: &Url,
    outgoing: &OutgoingPolicy,
) -> Result<TcpStream, Unreachable> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let unknown =
        |reason: &str| Unreachable::Unknown { host: host.clone(), reason: reason.to_owned() };
    let port = url.port_or_known_default().ok_or_else(|| unknown("its port is unknown"))?;
    let addresses: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![(address, port).into()],
        Some(Host::Ipv6(address)) => vec![(address, port).into()],
        Some(Host::Domain(name)) => {
            let found = lookup_host((name, port)).await;
            found.map_err(|error| unknown(&error.to_string()))?.collect()
        }
        None => Vec::new(),
    };
    let mut failure = unknown("it has no address");
    for address in addresses {
        if !outgoing.permits(address.ip()) {
            tracing::warn!(%host, address = %address.ip(), "a webhook resolves to a private address");
            failure = Unreachable::Forbidden { host: host.clone(), address: address.ip() };
            continue;
        }
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = Unreachable::Refused { host: host.clone(), error },
            Err(_) => {
                let error = io::Error::from(io::ErrorKind::TimedOut);
                failure = Unreachable::Refused { host: host.clone(), error };
            }
        }
    }
    Err(failure)
}
