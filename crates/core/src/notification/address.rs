use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Addresses that no message goes to unless the operator allows it: what they lead to is this
/// machine, its network or its cloud's metadata, not an endpoint of somebody's.
const REFUSED_V4: [(Ipv4Addr, u8); 18] = [
    (Ipv4Addr::UNSPECIFIED, 8),            // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // shared by a carrier's customers
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's metadata
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local, and metadata elsewhere
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments, and Oracle's metadata
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 31, 196, 0), 24),  // AS112
    (Ipv4Addr::new(192, 52, 193, 0), 24),  // AMT
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(192, 175, 48, 0), 24),  // AS112
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 3),      // multicast, reserved, broadcast
];

/// The same, within what is routed at all.
const REFUSED_V6: [(Ipv6Addr, u8); 3] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocols: Teredo, benchmarks, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];
/// All of version 6 that is routed between networks.
const ROUTED_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// An address of version 4 stands in the last 32 bits of one of these.
const LAST_BITS: [(Ipv6Addr, u8); 3] = [
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96), // mapped
    (Ipv6Addr::UNSPECIFIED, 96),                      // compatible
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96), // NAT64
];
/// And after the prefix of these.
const SIX_TO_FOUR: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16);

/// Addresses that begin alike, as in `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    network: IpAddr,
    bits: u8,
}

/// A text that is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no range of addresses; use one like 10.0.0.0/8, fd00::/8 or 192.168.1.5")]
pub struct AddressRangeError(String);

/// Where messages may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutgoingPolicy {
    allowed: Vec<AddressRange>,
}

impl AddressRange {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => within_v4(address, (network, self.bits)),
            (IpAddr::V6(network), IpAddr::V6(address)) => within_v6(address, (network, self.bits)),
            _ => false,
        }
    }
}

impl FromStr for AddressRange {
    type Err = AddressRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || AddressRangeError(text.to_owned());
        let (network, bits) = match text.split_once('/') {
            Some((network, bits)) => (network, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let network: IpAddr = network.parse().map_err(|_| wrong())?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(wrong());
        }
        Ok(Self { network, bits })
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.bits)
    }
}

impl OutgoingPolicy {
    /// The public addresses, and these besides.
    pub const fn with_allowed(allowed: Vec<AddressRange>) -> Self {
        Self { allowed }
    }

    /// Whether a message may go to an address. One of version 4 inside one of version 6 is looked at,
    /// too: that is where it would arrive.
    pub fn permits(&self, address: IpAddr) -> bool {
        let inner = inner_v4(address);
        let allowed = |address| self.allowed.iter().any(|range| range.contains(address));
        allowed(address)
            || inner.is_some_and(|inner| allowed(IpAddr::V4(inner)))
            || match (inner, address) {
                (Some(inner), _) => is_public_v4(inner),
                (None, IpAddr::V4(address)) => is_public_v4(address),
                (None, IpAddr::V6(address)) => is_public_v6(address),
            }
    }
}

fn inner_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let octets = address.octets();
    let four =
        |at: usize| Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]);
    if LAST_BITS.iter().any(|range| within_v6(address, *range)) {
        Some(four(12))
    } else if within_v6(address, SIX_TO_FOUR) {
        Some(four(2))
    } else {
        None
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !REFUSED_V4.iter().any(|range| within_v4(address, *range))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    within_v6(address, ROUTED_V6) && !REFUSED_V6.iter().any(|range| within_v6(address, *range))
}

fn within_v4(address: Ipv4Addr, (network, bits): (Ipv4Addr, u8)) -> bool {
    let differing = address.to_bits() ^ network.to_bits();
    differing.checked_shr(32 - u32::from(bits)).unwrap_or(0) == 0
}

fn within_v6(address: Ipv6Addr, (network, bits): (Ipv6Addr, u8)) -> bool {
    let differing = address.to_bits() ^ network.to_bits();
    differing.checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
}
