//! Emails as MIME. User-defined texts, such as names and subjects, are reduced to one line first: a
//! line break makes the library panic, and must not inject a header.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};
use mainstay_core::email::EmailLinks;

use super::{address::WireAddress, render::Rendered};

/// The parts of a message, except its links.
pub(super) struct Letter<'a> {
    pub(super) id: String,
    pub(super) from_name: &'a str,
    pub(super) from: &'a Address,
    pub(super) to: &'a WireAddress,
    pub(super) subject: &'a str,
    pub(super) rendered: Rendered,
    /// The host in the `Message-ID`.
    pub(super) host: &'a str,
    pub(super) now: Timestamp,
}

/// Builds the MIME message of an email.
///
/// # Errors
/// With the reason, if the message cannot be built.
pub(super) fn build(letter: Letter<'_>, links: &EmailLinks) -> Result<Vec<u8>, String> {
    // The library panics on some headers instead of refusing them.
    catch_unwind(AssertUnwindSafe(|| try_build(letter, links)))
        .unwrap_or_else(|_| Err("no message could be made of it".to_owned()))
}

fn try_build(letter: Letter<'_>, links: &EmailLinks) -> Result<Vec<u8>, String> {
    let name = Some(one_line(letter.from_name)).filter(|name| !name.is_empty());
    let mut message = Message::builder()
        .from(Mailbox::new(name, letter.from.clone()))
        .to(Mailbox::new(None, letter.to.address.clone()))
        .subject(one_line(letter.subject))
        .date(letter.now.into())
        // The same however often it is tried: who gets it twice can tell.
        .message_id(Some(format!("<{}@{}>", letter.id, letter.host)));
    if let Some(unsubscribe) = &links.unsubscribe {
        for (name, value) in [
            ("List-Unsubscribe", format!("<{unsubscribe}>")),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()),
        ] {
            let name = HeaderName::new_from_ascii_str(name);
            message = message.raw_header(HeaderValue::new(name, value));
        }
    }
    message = message.raw_header(HeaderValue::new(
        HeaderName::new_from_ascii_str("Auto-Submitted"),
        "auto-generated".to_owned(),
    ));
    let Rendered { text, html } = letter.rendered;
    let message = message
        .multipart(MultiPart::alternative_plain_html(text, html))
        .map_err(|error| error.to_string())?;
    Ok(message.formatted())
}

/// A text without line breaks and other invisible control characters.
pub(super) fn one_line(text: &str) -> String {
    let visible = text.replace(
        |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}'),
        " ",
    );
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(from_name: &str, subject: &str) -> String {
        let from = "s@a.example".parse().unwrap();
        let to = WireAddress::parse("ada@b.example").unwrap();
        let rendered = Rendered { html: "<p>Hi</p>".to_owned(), text: "Hi".to_owned() };
        let letter = Letter {
            id: "1".to_owned(),
            from_name,
            from: &from,
            to: &to,
            subject,
            rendered,
            host: "a.example",
            now: Timestamp::UNIX_EPOCH,
        };
        let links = EmailLinks { button: "#".to_owned(), unsubscribe: None, pixel: None };
        String::from_utf8(build(letter, &links).unwrap()).unwrap()
    }

    #[test]
    fn no_name_or_subject_keeps_a_message_from_being_made_or_adds_a_header() {
        let long = "ü".repeat(255);
        for name in [
            "A\nB",
            "A\rB",
            "A\r\nBcc: all@evil.example",
            "\u{0}",
            "\u{7f}",
            "\u{85}",
            "\u{2028}",
            "",
            " ",
            "\"",
            "\\",
            "a\\\"b",
            "=?utf-8?q?x?=",
            "<x@y.example>",
            "\u{202e}x",
            &long,
        ] {
            for text in [built(name, "Hi"), built("Acme", name)] {
                let head = text.split("\r\n\r\n").next().unwrap().to_lowercase();
                assert!(!head.lines().any(|line| line.starts_with("bcc")), "{name:?}: {head}");
                assert!(head.contains("to: ada@b.example"), "{name:?}: {head}");
            }
        }
    }

    #[test]
    fn what_cannot_be_seen_becomes_a_space() {
        assert_eq!(one_line(" A\r\nB\u{0}\u{2028}C\tD "), "A B C D");
        assert_eq!(one_line("\n"), "");
    }
}
