//! How often somebody may try.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use mainstay_core::text::count_noun;
use quick_cache::sync::Cache;

use crate::{
    Mainstay,
    limit::{Charges, Limiter, Quota, Refusal},
    web::PageError,
};

/// Tries with one address from one place: so many at once…
const ATTEMPT_BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// …then one each time this has passed.
const ATTEMPT_INTERVAL: Duration = Duration::from_secs(10);
/// Tries from one place, whatever the address: an office behind one router signs in on Monday.
const NETWORK_BURST: NonZeroU32 = NonZeroU32::new(100).unwrap();
const NETWORK_INTERVAL: Duration = Duration::from_secs(2);
/// Tries for one account from all places together, right ones too: so many at once…
const ACCOUNT_BURST: NonZeroU32 = NonZeroU32::new(30).unwrap();
/// …then one each time this has passed: at most 318 in a day, however many places there are.
const ACCOUNT_INTERVAL: Duration = Duration::from_mins(5);
/// Places and accounts that are remembered together.
const MAX_TRUSTED: usize = 10_000;
const ONE: NonZeroU32 = NonZeroU32::MIN;
/// Characters of an address that tell it apart here: what is longer is none.
const MAX_KEY_CHARS: usize = 254;

/// Counts tries to sign in, to ask for a new password and to use a link.
pub(crate) struct Limits {
    tries: Limiter<(IpAddr, String)>,
    places: Limiter<IpAddr>,
    accounts: Limiter<String>,
    /// Places from which an account was signed in to: its member goes on getting in from there while
    /// somebody else tries.
    trusted: Cache<(IpAddr, String), ()>,
}

impl Limits {
    pub(crate) fn new(mainstay: &Mainstay) -> Self {
        let quota = |burst, period| Quota { burst, period };
        Self {
            tries: Limiter::new(mainstay, quota(ATTEMPT_BURST, ATTEMPT_INTERVAL)),
            places: Limiter::new(mainstay, quota(NETWORK_BURST, NETWORK_INTERVAL)),
            accounts: Limiter::new(mainstay, quota(ACCOUNT_BURST, ACCOUNT_INTERVAL)),
            trusted: Cache::new(MAX_TRUSTED),
        }
    }

    /// Counts a try from a place with an address, or with whatever else is guessed.
    ///
    /// # Errors
    /// When there were too many, with when to try again. A try that is refused counts nowhere.
    pub(crate) fn check(&self, from: IpAddr, guessed: &str) -> Result<(), PageError> {
        self.charge(from, guessed).map(Charges::keep)
    }

    fn charge(&self, from: IpAddr, guessed: &str) -> Result<Charges, PageError> {
        let network = network_of(from);
        let mut charges = self.places.charge(&network, ONE).map_err(too_many_requests)?;
        let key = (network, key_of(guessed));
        charges.add(self.tries.charge(&key, ONE).map_err(too_many_requests)?);
        Ok(charges)
    }

    /// Counts a try to sign in to an account with its password. Accounts that do not exist are limited
    /// alike, so that nobody learns which do.
    ///
    /// # Errors
    /// When there were too many from here, or for this account from anywhere. A try that is refused
    /// counts nowhere.
    pub(crate) fn check_sign_in(&self, from: IpAddr, email: &str) -> Result<(), PageError> {
        let mut charges = self.charge(from, email)?;
        let account = key_of(email);
        if self.trusted.get(&(network_of(from), account.clone())).is_none() {
            charges.add(self.accounts.charge(&account, ONE).map_err(too_often_for_account)?);
        }
        charges.keep();
        Ok(())
    }

    /// Remembers that an account was signed in to from a place.
    pub(crate) fn trust(&self, from: IpAddr, email: &str) {
        self.trusted.insert((network_of(from), key_of(email)), ());
    }
}

fn too_many_requests(refusal: Refusal) -> PageError {
    let seconds = wait_of(refusal);
    let unit = if seconds == 1 { "second" } else { "seconds" };
    PageError::too_many_requests(
        format!("There were too many attempts from here. Try again in {seconds} {unit}."),
        seconds,
    )
    .back("Back to sign-in", "/sign-in")
}

fn too_often_for_account(refusal: Refusal) -> PageError {
    let seconds = wait_of(refusal);
    let minutes = count_noun(i64::try_from(seconds.div_ceil(60)).unwrap_or(i64::MAX), "minute");
    PageError::too_many_requests(
        format!(
            "There were too many attempts for this account, from several places. Try again in \
             {minutes}, or get a link to choose a new password."
        ),
        seconds,
    )
    .back("Ask for a new password", "/sign-in/reset")
}

const fn wait_of(refusal: Refusal) -> u64 {
    match refusal {
        Refusal::Wait { seconds } => seconds,
        // One try is never more than a burst.
        Refusal::Burst { .. } => 1,
    }
}

/// What is guessed, as it is counted.
fn key_of(guessed: &str) -> String {
    guessed.trim().to_lowercase().chars().take(MAX_KEY_CHARS).collect()
}

/// One subscriber's addresses: with version 6 that is a whole network of them.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_version_6_is_one_place() {
        let place = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(place("2001:db8:1:2:3::4"), place("2001:db8:1:2:ffff::1"));
        assert_ne!(place("2001:db8:1:2::1"), place("2001:db8:1:3::1"));
        assert_eq!(place("::ffff:192.0.2.1"), place("192.0.2.1"));
    }
}
