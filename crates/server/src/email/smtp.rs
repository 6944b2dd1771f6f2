use std::{error::Error as _, net::IpAddr, time::Duration};

use lettre::transport::smtp::{
    Error as SmtpError,
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, TlsParameters},
    commands::{Data, Mail, Rcpt},
    extension::{ClientId, Extension, MailBodyParameter, MailParameter},
};
use mainstay_core::email::{Fault, SmtpStage, fault};
use tokio::time::timeout;
use url::{Host, Url};

use super::address::WireAddress;

/// Longest wait for a mail server to connect, and for the whole of one mail.
const PATIENCE: Duration = Duration::from_mins(1);
/// A mail goes out in pieces of this size, so that a connection that is lost is noticed before the
/// end.
const PIECE: usize = 4_096;

/// A mail server that takes our mails.
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
    /// From the first byte.
    Implicit,
    /// STARTTLS, or nothing is sent.
    Required,
    /// STARTTLS where the server offers it.
    Offered,
    None,
}

/// Why an address of a mail server cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SmtpUrlError(pub &'static str);

/// How it ended to give a mail to a mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was taken.
    Sent,
    /// It was not taken, and may be when it is tried again.
    Again {
        /// What the server said, or what happened to the connection.
        why: String,
        /// Whether it was said of the recipient: only then is there a last try.
        recipient: bool,
    },
    /// It was refused for good.
    Refused {
        /// What the server said.
        why: String,
        /// Whose fault it is; never [`Fault::Temporary`].
        fault: Fault,
    },
    /// It cannot be given to this server at all.
    Undeliverable(String),
    /// The whole of it was given, and no answer came.
    Unknown(String),
}

impl SmtpServer {
    /// Reads `smtp://user:password@host:port`, or `smtps://…` for TLS from the first byte. `?tls=` is
    /// `required`, `offered` (as built in) or `none`.
    ///
    /// # Errors
    /// When it is none such, or a password would travel unprotected.
    pub fn parse(text: &str) -> Result<Self, SmtpUrlError> {
        let url = Url::parse(text).map_err(|_| {
            SmtpUrlError("use smtp://USER:PASSWORD@HOST:PORT, or smtps:// for TLS at once")
        })?;
        let implicit = match url.scheme() {
            "smtp" => false,
            "smtps" => true,
            _ => return Err(SmtpUrlError("begin with smtp:// or smtps://")),
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
            Tls::Offered if credentials.is_some() && !is_this_machine(&url) => Tls::Required,
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

    /// Greets by this name, as mail servers compare it with where a connection comes from.
    #[must_use]
    pub fn greeting_as(self, name: &str) -> Self {
        let hello = match name.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
            Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
            Err(_) => ClientId::Domain(name.to_owned()),
        };
        Self { hello, ..self }
    }

    /// Connects and signs in.
    pub(super) async fn connect(&self) -> Result<AsyncSmtpConnection, String> {
        let connecting = timeout(PATIENCE, self.try_to_connect()).await;
        match connecting {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(said(&error)),
            Err(_) => Err("the mail server does not answer".to_owned()),
        }
    }

    async fn try_to_connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let tls = || TlsParameters::new(self.host.clone());
        let implicit = if self.tls == Tls::Implicit { Some(tls()?) } else { None };
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            (self.host.as_str(), self.port),
            Some(PATIENCE),
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
        _ => Err(SmtpUrlError("give both user and password, or neither")),
    }
}

fn is_this_machine(url: &Url) -> bool {
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

/// Gives a mail to a mail server.
pub(super) async fn send(
    connection: &mut AsyncSmtpConnection,
    from: &WireAddress,
    to: &WireAddress,
    message: &[u8],
) -> Outcome {
    let parameters = match parameters(connection, from, to) {
        Ok(parameters) => parameters,
        Err(refused) => return refused,
    };
    let mut given = false;
    let giving = give(connection, (from, to), parameters, message, &mut given);
    match timeout(PATIENCE, giving).await {
        Ok(outcome) => outcome,
        Err(_) if given => Outcome::Unknown("no answer came after the whole mail".to_owned()),
        Err(_) => {
            Outcome::Again { why: "the mail server does not answer".to_owned(), recipient: false }
        }
    }
}

/// What MAIL FROM asks for: SMTPUTF8 where an address needs it (RFC 6531).
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
        let why =
            "the mail server takes only sender addresses in ASCII (it does not offer SMTPUTF8); \
                   set mail_from to one"
                .to_owned();
        Outcome::Refused { why, fault: Fault::Sender }
    } else {
        Outcome::Undeliverable(
            "the mail server cannot take this address: before the @ it has characters that are not \
             ASCII, and the server does not offer SMTPUTF8"
                .to_owned(),
        )
    })
}

async fn give(
    connection: &mut AsyncSmtpConnection,
    (from, to): (&WireAddress, &WireAddress),
    parameters: Vec<MailParameter>,
    message: &[u8],
    given: &mut bool,
) -> Outcome {
    let mail = Mail::new(Some(from.address.clone()), parameters);
    if let Err(error) = connection.command(mail).await {
        return refused(&error, SmtpStage::MailFrom);
    }
    if let Err(error) = connection.command(Rcpt::new(to.address.clone(), Vec::new())).await {
        return refused(&error, SmtpStage::Rcpt);
    }
    if let Err(error) = connection.command(Data).await {
        return refused(&error, SmtpStage::Data);
    }
    // The pieces run out when only the final dot is left to be sent: from there on, the server may
    // have all of it.
    let mut pieces = message.chunks(PIECE);
    let pieces = std::iter::from_fn(|| {
        let piece = pieces.next();
        *given = piece.is_none();
        piece
    });
    match connection.message_iter(pieces).await {
        Ok(_) => Outcome::Sent,
        Err(error) if error.status().is_some() => refused(&error, SmtpStage::Content),
        Err(error) if *given => Outcome::Unknown(format!(
            "the connection was lost after the whole mail; it may have been sent: {}",
            said(&error)
        )),
        Err(error) => Outcome::Again { why: said(&error), recipient: false },
    }
}

fn refused(error: &SmtpError, stage: SmtpStage) -> Outcome {
    let why = said(error);
    let Some(code) = error.status() else { return Outcome::Again { why, recipient: false } };
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    match fault(stage, u16::from(code), &text) {
        Fault::Temporary => Outcome::Again { why, recipient: stage == SmtpStage::Rcpt },
        fault => Outcome::Refused { why, fault },
    }
}

/// What a mail server said, or what happened to the connection.
fn said(error: &SmtpError) -> String {
    const MAX_CHARS: usize = 300;
    let text = match (error.status(), error.source()) {
        (Some(code), Some(text)) => format!("{code} {text}"),
        (None, Some(text)) if error.is_client() && text.to_string().contains("authentication") => {
            "it offers no way to sign in to the mail server that Mainstay knows (PLAIN or LOGIN)"
                .to_owned()
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
