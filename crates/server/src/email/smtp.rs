use std::{error::Error as _, net::IpAddr, time::Duration};

use lettre::transport::smtp::{
    Error as SmtpError,
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, TlsParameters},
    commands::{Data, Mail, Rcpt},
    extension::{ClientId, Extension, MailBodyParameter, MailParameter},
};
use mainstay_core::email::{FailureCause, SmtpStage, failure_cause};
use tokio::time::timeout;
use url::{Host, Url};

use super::address::WireAddress;

/// Timeout for connecting to a mail server, and for sending one email.
const SMTP_TIMEOUT: Duration = Duration::from_mins(1);
/// Size of the chunks in which an email is sent, so that a lost connection is noticed early.
const CHUNK_BYTES: usize = 4_096;

/// An outgoing mail server.
#[derive(Clone, Debug)]
pub struct SmtpServer {
    host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
    hello: ClientId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    /// TLS from the first byte.
    Implicit,
    /// STARTTLS is required.
    Required,
    /// STARTTLS if the server offers it.
    Offered,
    None,
}

/// An invalid URL of a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SmtpUrlError(pub &'static str);

/// The outcome of a delivery attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server accepted it.
    Sent,
    /// A temporary failure.
    Retry {
        /// The server's reply, or the connection error.
        reason: String,
        /// Whether the reply concerned the recipient: only then are attempts limited.
        recipient: bool,
    },
    /// The server permanently rejected it.
    Refused {
        /// The server's reply.
        reason: String,
        /// The cause; never [`FailureCause::Temporary`].
        fault: FailureCause,
    },
    /// It cannot be sent to this server at all.
    Undeliverable(String),
    /// It was completely sent, but no reply came.
    Unknown(String),
}

impl SmtpServer {
    /// Reads `smtp://user:password@host:port`, or `smtps://…` for TLS from the first byte. `?tls=` is
    /// `required`, `offered` (the default) or `none`.
    ///
    /// # Errors
    /// If it is invalid, or a password would be sent unencrypted.
    pub fn parse(text: &str) -> Result<Self, SmtpUrlError> {
        let url = Url::parse(text).map_err(|_| {
            SmtpUrlError("use smtp://USER:PASSWORD@HOST:PORT, or smtps:// for TLS at once")
        })?;
        let implicit = match url.scheme() {
            "smtp" => false,
            "smtps" => true,
            _ => return Err(SmtpUrlError("start with smtp:// or smtps://")),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(SmtpUrlError("name the host of the mail server"))?.to_owned();
        let asked = url.query_pairs().find(|(key, _)| key == "tls").map(|(_, value)| value);
        let tls = match (implicit, asked.as_deref()) {
            (true, _) => Tls::Implicit,
            (false, None | Some("offered")) => Tls::Offered,
            (false, Some("required")) => Tls::Required,
            (false, Some("none")) => Tls::None,
            (false, Some(_)) => {
                return Err(SmtpUrlError("use tls=required, tls=offered or tls=none"));
            }
        };
        let credentials = credentials(&url)?;
        let tls = match tls {
            // Without TLS anybody between here and there could read the password.
            Tls::Offered if credentials.is_some() && !is_local(&url) => Tls::Required,
            tls => tls,
        };
        let default_port = match tls {
            Tls::Implicit => 465,
            _ if credentials.is_some() => 587,
            _ => 25,
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(default_port),
            tls,
            credentials,
            hello: ClientId::default(),
        })
    }

    /// Sets the EHLO name, which mail servers compare with the connection's address.
    #[must_use]
    pub fn with_hello_name(self, name: &str) -> Self {
        let hello = match name.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
            Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
            Err(_) => ClientId::Domain(name.to_owned()),
        };
        Self { hello, ..self }
    }

    /// Connects and signs in.
    pub(super) async fn connect(&self) -> Result<AsyncSmtpConnection, String> {
        let connecting = timeout(SMTP_TIMEOUT, self.try_to_connect()).await;
        match connecting {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(describe(&error)),
            Err(_) => Err("the mail server does not respond".to_owned()),
        }
    }

    async fn try_to_connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let tls = || TlsParameters::new(self.host.clone());
        let implicit = if self.tls == Tls::Implicit { Some(tls()?) } else { None };
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            (self.host.as_str(), self.port),
            Some(SMTP_TIMEOUT),
            &self.hello,
            implicit,
            None,
        )
        .await?;
        if self.tls == Tls::Required || (self.tls == Tls::Offered && connection.can_starttls()) {
            connection.starttls(tls()?, &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await?;
        }
        Ok(connection)
    }
}

fn credentials(url: &Url) -> Result<Option<Credentials>, SmtpUrlError> {
    let decoded = |text: &str| {
        let decoded =
            url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
                .next()
                .map(|(_, value)| value.into_owned());
        decoded.unwrap_or_default()
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (user, Some(password)) if !user.is_empty() => {
            Ok(Some(Credentials::new(decoded(user), decoded(password))))
        }
        _ => Err(SmtpUrlError("set both user and password, or neither")),
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // In this scheme an address is not told from a name.
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    }
}

/// Sends an email to a mail server.
pub(super) async fn send(
    connection: &mut AsyncSmtpConnection,
    from: &WireAddress,
    to: &WireAddress,
    message: &[u8],
) -> Outcome {
    let parameters = match parameters(connection, from, to) {
        Ok(parameters) => parameters,
        Err(outcome) => return outcome,
    };
    let mut fully_sent = false;
    let transmission = transmit(connection, (from, to), parameters, message, &mut fully_sent);
    match timeout(SMTP_TIMEOUT, transmission).await {
        Ok(outcome) => outcome,
        Err(_) if fully_sent => {
            Outcome::Unknown("no response after the complete email was sent".to_owned())
        }
        Err(_) => Outcome::Retry {
            reason: "the mail server does not respond".to_owned(),
            recipient: false,
        },
    }
}

/// Parameters of MAIL FROM: SMTPUTF8 if an address requires it (RFC 6531).
fn parameters(
    connection: &AsyncSmtpConnection,
    from: &WireAddress,
    to: &WireAddress,
) -> Result<Vec<MailParameter>, Outcome> {
    if !from.needs_utf8 && !to.needs_utf8 {
        return Ok(Vec::new());
    }
    if connection.server_info().supports_feature(Extension::SmtpUtfEight) {
        let eight_bit = MailParameter::Body(MailBodyParameter::EightBitMime);
        return Ok(vec![MailParameter::SmtpUtfEight, eight_bit]);
    }
    Err(if from.needs_utf8 {
        let reason =
            "the mail server only accepts ASCII sender addresses (it does not offer SMTPUTF8); set \
                   mail_from to one"
                .to_owned();
        Outcome::Refused { reason, fault: FailureCause::Sender }
    } else {
        Outcome::Undeliverable(
            "the mail server does not accept this address: its local part is not ASCII, and the \
             server does not offer SMTPUTF8"
                .to_owned(),
        )
    })
}

async fn transmit(
    connection: &mut AsyncSmtpConnection,
    (from, to): (&WireAddress, &WireAddress),
    parameters: Vec<MailParameter>,
    message: &[u8],
    fully_sent: &mut bool,
) -> Outcome {
    let mail = Mail::new(Some(from.address.clone()), parameters);
    if let Err(error) = connection.command(mail).await {
        return refusal_outcome(&error, SmtpStage::MailFrom);
    }
    if let Err(error) = connection.command(Rcpt::new(to.address.clone(), Vec::new())).await {
        return refusal_outcome(&error, SmtpStage::Rcpt);
    }
    if let Err(error) = connection.command(Data).await {
        return refusal_outcome(&error, SmtpStage::Data);
    }
    // The pieces run out when only the final dot is left to be sent: from there on, the server may
    // have all of it.
    let mut pieces = message.chunks(CHUNK_BYTES);
    let pieces = std::iter::from_fn(|| {
        let piece = pieces.next();
        *fully_sent = piece.is_none();
        piece
    });
    match connection.message_iter(pieces).await {
        Ok(_) => Outcome::Sent,
        Err(error) if error.status().is_some() => refusal_outcome(&error, SmtpStage::Content),
        Err(error) if *fully_sent => Outcome::Unknown(format!(
            "the connection was lost after the complete email was sent; it may have been delivered: {}",
            describe(&error)
        )),
        Err(error) => Outcome::Retry { reason: describe(&error), recipient: false },
    }
}

fn refusal_outcome(error: &SmtpError, stage: SmtpStage) -> Outcome {
    let reason = describe(error);
    let Some(code) = error.status() else { return Outcome::Retry { reason, recipient: false } };
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    match failure_cause(stage, u16::from(code), &text) {
        FailureCause::Temporary => Outcome::Retry { reason, recipient: stage == SmtpStage::Rcpt },
        fault => Outcome::Refused { reason, fault },
    }
}

/// Describes a mail server's reply or a connection error.
fn describe(error: &SmtpError) -> String {
    const MAX_CHARS: usize = 300;
    let text = match (error.status(), error.source()) {
        (Some(code), Some(text)) => format!("{code} {text}"),
        (None, Some(text)) if error.is_client() && text.to_string().contains("authentication") => {
            "cannot sign in to the mail server: it offers neither PLAIN nor LOGIN".to_owned()
        }
        _ => error.to_string(),
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_how_mails_travel() {
        let parse = |text| SmtpServer::parse(text).map(|server| (server.port, server.tls));
        assert_eq!(parse("smtp://mail.example.com"), Ok((25, Tls::Offered)));
        assert_eq!(parse("smtp://a:b@mail.example.com"), Ok((587, Tls::Required)));
        assert_eq!(parse("smtp://a:b@127.0.0.1:2525"), Ok((2525, Tls::Offered)));
        assert_eq!(parse("smtp://a:b@mail.example.com?tls=none"), Ok((587, Tls::None)));
        assert_eq!(parse("smtps://a:b@mail.example.com"), Ok((465, Tls::Implicit)));
        for wrong in ["mail.example.com", "http://x", "smtp://", "smtp://a@x", "smtp://x?tls=yes"] {
            assert!(SmtpServer::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_may_have_any_character() {
        let url = Url::parse("smtp://ada%40example.com:p%2Fa+b%20c@mail.example.com").unwrap();
        let expected = Credentials::new("ada@example.com".to_owned(), "p/a+b c".to_owned());
        assert_eq!(credentials(&url).unwrap(), Some(expected));
    }
}
