use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use mainstay_core::notification::Outgoing;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use url::{Host, Url};

/// An address that does not answer for so long is given up for the next one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The address is none that messages may go to. Nothing was sent to it, not even a connection
    /// tried.
    #[error(
        "{host} leads to an address that is not public: messages go to public addresses only, \
         unless the operator allows others with MAINSTAY_WEBHOOK_ALLOW; the server's log names the \
         address"
    )]
    Forbidden {
        /// The host of the URL.
        host: String,
        /// What it leads to. For the log only: whoever may name a host would learn by it the addresses
        /// of a network that is none of its business.
        address: IpAddr,
    },
    /// Nobody knows the name.
    #[error("{host} is not known: {reason}")]
    Unknown {
        /// The host of the URL.
        host: String,
        /// What the resolver says.
        reason: String,
    },
    /// Nobody takes the connection.
    #[error("{host} takes no connection: {error}")]
    Refused {
        /// The host of the URL.
        host: String,
        /// What the operating system says.
        error: io::Error,
    },
}

/// Connects to where a URL leads. Its name is looked up here and each address checked right before it
/// is connected to, so that a name cannot lead elsewhere in between; an address that stands in the URL
/// itself is checked alike.
pub(super) async fn connect(url: &Url, outgoing: &Outgoing) -> Result<TcpStream, Unreachable> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let unknown =
        |reason: &str| Unreachable::Unknown { host: host.clone(), reason: reason.to_owned() };
    let port = url.port_or_known_default().ok_or_else(|| unknown("its port is not known"))?;
    let addresses: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![(address, port).into()],
        Some(Host::Ipv6(address)) => vec![(address, port).into()],
        Some(Host::Domain(name)) => {
            let found = lookup_host((name, port)).await;
            found.map_err(|error| unknown(&error.to_string()))?.collect()
        }
        None => Vec::new(),
    };
    let mut why = unknown("it has no address");
    for address in addresses {
        if !outgoing.permits(address.ip()) {
            tracing::warn!(%host, address = %address.ip(), "a webhook leads to an address that is not public");
            why = Unreachable::Forbidden { host: host.clone(), address: address.ip() };
            continue;
        }
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = Unreachable::Refused { host: host.clone(), error },
            Err(_) => {
                let error = io::Error::from(io::ErrorKind::TimedOut);
                why = Unreachable::Refused { host: host.clone(), error };
            }
        }
    }
    Err(why)
}
