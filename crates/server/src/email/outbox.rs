//! Rendered and compressed emails in the outbox.
//!
//! An email is mostly its frame, which is the same in all: it serves as the compression dictionary,
//! so that an email of 30 KB takes one or two. A server with another frame cannot decompress them
//! and renders them again.

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

/// Minimum number of emails per thread.
const MIN_PER_THREAD: usize = 32;
/// Step by which the compression buffer grows.
const BUFFER_STEP: usize = 4 * 1024;
/// Maximum decompressed size.
const MAX_UNPACKED_BYTES: usize = 1024 * 1024;

/// Renders emails on all cores, but not on the threads that serve requests: thousands of emails
/// take seconds.
///
/// # Errors
/// If the template is invalid: a bug.
pub(super) async fn render_all(
    emails: Vec<NewEmail>,
    postal_address: Option<&str>,
) -> Result<Vec<NewEmail>> {
    let threads = available_parallelism().map_or(1, usize::from);
    let share = emails.len().div_ceil(threads).max(MIN_PER_THREAD);
    let mut shares = Vec::with_capacity(threads);
    let mut emails = emails.into_iter();
    loop {
        let mut batch: Vec<NewEmail> = emails.by_ref().take(share).collect();
        if batch.is_empty() {
            break;
        }
        let postal_address = postal_address.map(str::to_owned);
        shares.push(tokio::task::spawn_blocking(move || {
            for email in batch.iter_mut().filter(|email| email.state == EmailState::Queued) {
                // Whoever sends it makes it again, and says of this one email why that fails.
                let packing = AssertUnwindSafe(|| pack(email, postal_address.as_deref()));
                email.body = catch_unwind(packing).ok().transpose()?;
            }
            Ok::<_, Error>(batch)
        }));
    }
    let mut all = Vec::with_capacity(share * shares.len());
    for share in shares {
        all.extend(share.await.map_err(|error| outbox_error("rendered", error))??);
    }
    Ok(all)
}

fn pack(email: &NewEmail, postal_address: Option<&str>) -> Result<Vec<u8>> {
    let links = placeholder_links(email.kind, email.token);
    let Rendered { html, text } = render(&email.content, postal_address, &links)?;
    let mut unpacked = Vec::with_capacity(html.len() + text.len() + size_of::<u32>());
    let length = u32::try_from(html.len()).map_err(|error| outbox_error("packed", error))?;
    unpacked.extend_from_slice(&length.to_le_bytes());
    unpacked.extend_from_slice(html.as_bytes());
    unpacked.extend_from_slice(text.as_bytes());

    let mut compress = Compress::new(Compression::fast(), true);
    compress
        .set_dictionary(Frame::full()?.as_str().as_bytes())
        .map_err(|error| outbox_error("packed", error))?;
    let mut packed = Vec::new();
    loop {
        packed.reserve(BUFFER_STEP);
        let rest = &unpacked[usize::try_from(compress.total_in()).unwrap_or(unpacked.len())..];
        let status = compress
            .compress_vec(rest, &mut packed, FlushCompress::Finish)
            .map_err(|error| outbox_error("packed", error))?;
        if status == Status::StreamEnd {
            packed.shrink_to_fit();
            return Ok(packed);
        }
    }
}

/// The body of an email with its links: as stored, or rendered now if an earlier version queued it
/// or the frame has changed since.
///
/// # Errors
/// See [`render_all`].
pub(super) fn rendered_body(
    email: &WholeEmail,
    postal_address: Option<&str>,
    links: &EmailLinks,
) -> Result<Rendered> {
    let packed = email.body.as_deref();
    if let Some(rendered) = packed.and_then(|body| unpack(body, email, links)) {
        return Ok(rendered);
    }
    render(&email.content, postal_address, links)
}

/// Decompresses an email and inserts its links; `None` if another version compressed it.
fn unpack(packed: &[u8], email: &WholeEmail, links: &EmailLinks) -> Option<Rendered> {
    let unpacked = inflate(packed)?;
    let (length, rest) = unpacked.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (html, text) = rest.split_at_checked(length)?;
    let placeholder_links = placeholder_links(email.email.kind, email.token);
    let led = |bytes: &[u8]| {
        let mut text =
            std::str::from_utf8(bytes).ok()?.replace(&placeholder_links.button, &links.button);
        for (from, to) in [
            (&placeholder_links.unsubscribe, &links.unsubscribe),
            (&placeholder_links.pixel, &links.pixel),
        ] {
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
    while unpacked.len() < MAX_UNPACKED_BYTES {
        unpacked.reserve(8 * BUFFER_STEP);
        let rest = packed.get(usize::try_from(decompress.total_in()).ok()?..)?;
        match decompress.decompress_vec(rest, &mut unpacked, FlushDecompress::Finish) {
            Ok(Status::StreamEnd) => return Some(unpacked),
            Ok(_) if rest.is_empty() => return None,
            Ok(_) => {}
            // It says which one by a checksum, and another one is refused.
            Err(error) if error.needs_dictionary().is_some() => {
                decompress.set_dictionary(Frame::full().ok()?.as_str().as_bytes()).ok()?;
            }
            Err(_) => return None,
        }
    }
    None
}

/// Placeholders for an email's links while it is queued: the server's address and the sign-in token
/// are only known at sending. They contain the email's random value, so that a client's name cannot
/// contain them.
fn placeholder_links(kind: EmailType, token: EmailToken) -> EmailLinks {
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

fn outbox_error(what: &str, error: impl std::fmt::Display) -> Error {
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

    /// An email as read from the outbox.
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
        let render_all =
            render_all(vec![email(hostile())], Some("1 Road, Town")).await.unwrap().remove(0);
        let size = render_all.body.as_ref().unwrap().len();
        assert!(size < 3 * 1024, "{size} bytes");
        // Neither of these would be in it if it were made now.
        let changed = taken(NewEmail {
            content: subscription_request("Other", "Bob").1,
            ..render_all.clone()
        });
        let links = links_of(&changed);
        let expected = render(&render_all.content, Some("1 Road, Town"), &links).unwrap();
        for part in ["/email/click/", "/email/unsubscribe/", "/email/open/"] {
            assert!(expected.html.contains(&format!("{SITE}{part}")), "{expected:?}");
        }
        assert_eq!(rendered_body(&changed, Some("2 Lane"), &links).unwrap(), expected);
    }

    #[test]
    fn a_mail_that_was_not_made_is_made_when_it_is_sent() {
        for body in [None, Some(vec![1, 2, 3])] {
            let outbox_row = taken(NewEmail { body, ..email(hostile()) });
            let links = links_of(&outbox_row);
            let expected = render(&hostile(), Some("2 Lane"), &links).unwrap();
            assert_eq!(rendered_body(&outbox_row, Some("2 Lane"), &links).unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn what_was_packed_otherwise_is_not_unpacked() {
        let render_all = render_all(vec![email(hostile())], None).await.unwrap().remove(0);
        let body = render_all.body.clone().unwrap();
        let email = taken(render_all);
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
        for (number, email) in (0..).zip(render_all(emails, None).await.unwrap()) {
            assert_eq!(email.token, [number; 16]);
            assert_eq!(email.body.is_some(), email.state == EmailState::Queued);
        }
    }
}
