//! Mails as the outbox keeps them until they are sent: made, and packed.
//!
//! A mail is mostly its frame, which is the same in all of them: it is what they are packed with, so
//! that a mail of 30 KB takes one or two. A server with another frame cannot unpack them any more, and
//! makes them again of what they say.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    thread::available_parallelism,
};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use mainstay_core::email::{EmailLinks, EmailState, EmailType};
use mainstay_store::{EmailToken, NewEmail, WholeEmail};

use super::{
    frame::Frame,
    render::{Rendered, render},
};
use crate::{Error, Result};

/// Mails that are not worth another thread.
const FEW: usize = 32;
/// How much room a packed mail gets at first, and then again and again.
const ROOM: usize = 4 * 1024;
/// Nothing that is unpacked is larger.
const MOST_UNPACKED: usize = 1024 * 1024;

/// Makes the mails that are to be sent. They are made on all cores, and not on those threads that
/// answer requests: thousands of them take seconds.
///
/// # Errors
/// When the template does not make one: a mistake in the code.
pub(super) async fn made(
    emails: Vec<NewEmail>,
    postal_address: Option<&str>,
) -> Result<Vec<NewEmail>> {
    let threads = available_parallelism().map_or(1, usize::from);
    let share = emails.len().div_ceil(threads).max(FEW);
    let mut shares = Vec::with_capacity(threads);
    let mut emails = emails.into_iter();
    loop {
        let mut some: Vec<NewEmail> = emails.by_ref().take(share).collect();
        if some.is_empty() {
            break;
        }
        let postal_address = postal_address.map(str::to_owned);
        shares.push(tokio::task::spawn_blocking(move || {
            for email in some.iter_mut().filter(|email| email.state == EmailState::Queued) {
                // Whoever sends it makes it again, and says of this one email why that fails.
                let packing = AssertUnwindSafe(|| pack(email, postal_address.as_deref()));
                email.body = catch_unwind(packing).ok().transpose()?;
            }
            Ok::<_, Error>(some)
        }));
    }
    let mut all = Vec::with_capacity(share * shares.len());
    for share in shares {
        all.extend(share.await.map_err(|error| broken("made", error))??);
    }
    Ok(all)
}

fn pack(email: &NewEmail, postal_address: Option<&str>) -> Result<Vec<u8>> {
    let links = stand_ins(email.kind, email.token);
    let Rendered { html, text } = render(&email.content, postal_address, &links)?;
    let mut unpacked = Vec::with_capacity(html.len() + text.len() + size_of::<u32>());
    let length = u32::try_from(html.len()).map_err(|error| broken("packed", error))?;
    unpacked.extend_from_slice(&length.to_le_bytes());
    unpacked.extend_from_slice(html.as_bytes());
    unpacked.extend_from_slice(text.as_bytes());

    let mut compress = Compress::new(Compression::fast(), true);
    compress
        .set_dictionary(Frame::whole()?.as_str().as_bytes())
        .map_err(|error| broken("packed", error))?;
    let mut packed = Vec::new();
    loop {
        packed.reserve(ROOM);
        let rest = &unpacked[usize::try_from(compress.total_in()).unwrap_or(unpacked.len())..];
        let status = compress
            .compress_vec(rest, &mut packed, FlushCompress::Finish)
            .map_err(|error| broken("packed", error))?;
        if status == Status::StreamEnd {
            packed.shrink_to_fit();
            return Ok(packed);
        }
    }
}

/// A mail as it is sent with its links: as it was made, or made now when an earlier version has queued
/// it, or what stands in every mail was changed since.
///
/// # Errors
/// As [`made`].
pub(super) fn ready(
    email: &WholeEmail,
    postal_address: Option<&str>,
    links: &EmailLinks,
) -> Result<Rendered> {
    let kept = email.body.as_deref();
    if let Some(as_made) = kept.and_then(|packed| unpack(packed, email, links)) {
        return Ok(as_made);
    }
    render(&email.content, postal_address, links)
}

/// The mail of a packed one, with its links; `None` when another version has packed it.
fn unpack(packed: &[u8], email: &WholeEmail, links: &EmailLinks) -> Option<Rendered> {
    let unpacked = inflate(packed)?;
    let (length, rest) = unpacked.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (html, text) = rest.split_at_checked(length)?;
    let stand_ins = stand_ins(email.email.kind, email.token);
    let led = |bytes: &[u8]| {
        let mut text = std::str::from_utf8(bytes).ok()?.replace(&stand_ins.button, &links.button);
        for (from, to) in
            [(&stand_ins.unsubscribe, &links.unsubscribe), (&stand_ins.pixel, &links.pixel)]
        {
            if let (Some(from), Some(to)) = (from, to) {
                text = text.replace(from, to);
            }
        }
        Some(text)
    };
    Some(Rendered { html: led(html)?, text: led(text)? })
}

fn inflate(packed: &[u8]) -> Option<Vec<u8>> {
    let mut decompress = Decompress::new(true);
    let mut unpacked = Vec::new();
    while unpacked.len() < MOST_UNPACKED {
        unpacked.reserve(8 * ROOM);
        let rest = packed.get(usize::try_from(decompress.total_in()).ok()?..)?;
        match decompress.decompress_vec(rest, &mut unpacked, FlushDecompress::Finish) {
            Ok(Status::StreamEnd) => return Some(unpacked),
            Ok(_) if rest.is_empty() => return None,
            Ok(_) => {}
            // It says which one by a checksum, and another one is refused.
            Err(error) if error.needs_dictionary().is_some() => {
                decompress.set_dictionary(Frame::whole().ok()?.as_str().as_bytes()).ok()?;
            }
            Err(_) => return None,
        }
    }
    None
}

/// What stands for a mail's links while it waits: which address people will reach the server at, and
/// what lets them in then, is known when it is sent. Made of what is random in each mail, so that nothing
/// a client is called can hold it.
fn stand_ins(kind: EmailType, token: EmailToken) -> EmailLinks {
    let mut address = "https://".to_owned();
    for byte in token {
        // Writing to a String cannot fail.
        let _ = write!(address, "{byte:02x}");
    }
    let link = |what: &str| format!("{address}.invalid/{what}");
    let regular = kind != EmailType::SubscriptionRequest;
    EmailLinks {
        button: link("button"),
        unsubscribe: regular.then(|| link("unsubscribe")),
        pixel: regular.then(|| link("pixel")),
    }
}

fn broken(what: &str, error: impl std::fmt::Display) -> Error {
    Error::invalid("email", format!("cannot be {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, civil::Date};
    use mainstay_core::{
        email::{EmailContent, subscription_request},
        id::OrganizationId,
    };
    use mainstay_store::{ClientEmail, new_id};

    use super::*;

    const TOKEN: EmailToken = [0xa7; 16];

    fn email(content: EmailContent) -> NewEmail {
        NewEmail {
            id: new_id(Timestamp::UNIX_EPOCH),
            client: new_id(Timestamp::UNIX_EPOCH),
            kind: EmailType::WeeklyInsights,
            period: Date::constant(2026, 11, 29),
            subject: String::new(),
            content,
            body: None,
            address: "ada@example.com".to_owned(),
            token: TOKEN,
            state: EmailState::Queued,
            reason: None,
            due_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn hostile() -> EmailContent {
        subscription_request("Acme", "<b>[[foot]]</b> https://a7a7.invalid {{ content }}").1
    }

    const SITE: &str = "http://127.0.0.1:8080";

    fn links_of(email: &WholeEmail) -> EmailLinks {
        crate::email::link::links(email, "secret", SITE)
    }

    /// A mail as it comes out of the outbox.
    fn taken(email: NewEmail) -> WholeEmail {
        WholeEmail {
            organization: OrganizationId::from(uuid::Uuid::nil()),
            client: email.client,
            email: ClientEmail {
                id: email.id,
                client_id: "ada".to_owned(),
                client_name: None,
                kind: email.kind,
                period: email.period,
                subject: email.subject,
                state: email.state,
                reason: email.reason,
                address: email.address,
                attempts: 0,
                due_at: email.due_at,
                created_at: email.due_at,
                sent_at: None,
                opened_at: None,
                clicked_at: None,
            },
            content: email.content,
            body: email.body,
            token: email.token,
        }
    }

    #[tokio::test]
    async fn a_mail_is_sent_as_it_was_made_with_its_links_to_the_site_that_sends_it() {
        let made = made(vec![email(hostile())], Some("1 Road, Town")).await.unwrap().remove(0);
        let size = made.body.as_ref().unwrap().len();
        assert!(size < 3 * 1024, "{size} bytes");
        // Neither of these would be in it if it were made now.
        let changed =
            taken(NewEmail { content: subscription_request("Other", "Bob").1, ..made.clone() });
        let links = links_of(&changed);
        let expected = render(&made.content, Some("1 Road, Town"), &links).unwrap();
        for part in ["/email/click/", "/email/unsubscribe/", "/email/open/"] {
            assert!(expected.html.contains(&format!("{SITE}{part}")), "{expected:?}");
        }
        assert_eq!(ready(&changed, Some("2 Lane"), &links).unwrap(), expected);
    }

    #[test]
    fn a_mail_that_was_not_made_is_made_when_it_is_sent() {
        for body in [None, Some(vec![1, 2, 3])] {
            let queued = taken(NewEmail { body, ..email(hostile()) });
            let links = links_of(&queued);
            let expected = render(&hostile(), Some("2 Lane"), &links).unwrap();
            assert_eq!(ready(&queued, Some("2 Lane"), &links).unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn what_was_packed_otherwise_is_not_unpacked() {
        let made = made(vec![email(hostile())], None).await.unwrap().remove(0);
        let body = made.body.clone().unwrap();
        let email = taken(made);
        let unpacked = |body: &[u8]| unpack(body, &email, &links_of(&email));
        for length in 0..body.len() {
            assert_eq!(unpacked(&body[..length]), None, "{length} bytes of {}", body.len());
        }
        // The checksum of what it was packed with.
        let mut of_another_version = body.clone();
        of_another_version[3] ^= 1;
        assert_eq!(unpacked(&of_another_version), None);
    }

    #[tokio::test]
    async fn mails_keep_their_order_and_those_that_are_not_sent_are_not_made() {
        let emails: Vec<NewEmail> = (0..100_u8)
            .map(|number| NewEmail {
                state: if number % 3 == 0 { EmailState::Suppressed } else { EmailState::Queued },
                token: [number; 16],
                ..email(hostile())
            })
            .collect();
        for (number, email) in (0..).zip(made(emails, None).await.unwrap()) {
            assert_eq!(email.token, [number; 16]);
            assert_eq!(email.body.is_some(), email.state == EmailState::Queued);
        }
    }
}
