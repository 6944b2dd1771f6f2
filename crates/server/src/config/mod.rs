//! Settings: from options, then the environment, then `mainstay.toml`, then the defaults.

mod error;
mod file;
mod limits;
mod password;
mod value;

use std::{
    ffi::OsString,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
};

use lettre::Address;
use mainstay_core::notification::OutgoingPolicy;
use url::Url;

use self::{
    file::{File, read},
    value::{flag, lease_of, mail_of, outgoing_of, public_url_of, quota_of, rate_of, secrets_of},
};
use crate::{
    email::SmtpServer, engagement::Rates, http::Limits, secrets::SecretSettings, site::Site,
};

pub use error::ConfigError;

/// The default database: a file in the current directory.
pub const DEFAULT_DATABASE: &str = "sqlite:mainstay.db";
/// The default address: only reachable from this machine.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// The default lease of a job's run.
pub const DEFAULT_JOB_LEASE_SECONDS: i64 = 60;
/// The configuration file that is read if it exists.
pub const DEFAULT_CONFIG: &str = "mainstay.toml";

const ENV_DATABASE: &str = "MAINSTAY_DATABASE_URL";
const ENV_LISTEN: &str = "MAINSTAY_LISTEN";
const ENV_PUBLIC_URL: &str = "MAINSTAY_PUBLIC_URL";
const ENV_BEHIND_PROXY: &str = "MAINSTAY_BEHIND_PROXY";
const ENV_SMTP_URL: &str = "MAINSTAY_SMTP_URL";
const ENV_MAIL_FROM: &str = "MAINSTAY_MAIL_FROM";
const ENV_JOB_LEASE: &str = "MAINSTAY_JOB_LEASE_SECONDS";
const ENV_ORGANIZATION_RATE: &str = "MAINSTAY_EVENTS_PER_SECOND";
const ENV_KEY_RATE: &str = "MAINSTAY_EVENTS_PER_SECOND_PER_KEY";
const ENV_WRITE_KEY_RATE: &str = "MAINSTAY_EVENTS_PER_SECOND_PER_WRITE_KEY";
const ENV_CLIENT_TOKEN_RATE: &str = "MAINSTAY_EVENTS_PER_SECOND_PER_CLIENT_TOKEN";
const ENV_CLIENT_DAY: &str = "MAINSTAY_SELF_TOLD_EVENTS_PER_DAY";
const ENV_WEBHOOK_ALLOW: &str = "MAINSTAY_WEBHOOK_ALLOW";
const ENV_KEY: &str = "MAINSTAY_KEY";
const ENV_KEY_FILE: &str = "MAINSTAY_KEY_FILE";
const ENV_SECRETS_AT_REST: &str = "MAINSTAY_SECRETS_AT_REST";
const ENV_DATABASE_PASSWORD_FILE: &str = "MAINSTAY_DATABASE_PASSWORD_FILE";
const ENV_SMTP_PASSWORD_FILE: &str = "MAINSTAY_SMTP_PASSWORD_FILE";
const ENV_CONFIG: &str = "MAINSTAY_CONFIG";

/// Settings from command-line options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingOverrides {
    /// `--database`.
    pub database: Option<String>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--public-url`.
    pub public_url: Option<String>,
    /// `--config`.
    pub config: Option<PathBuf>,
}

/// The resolved settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sqlite:PATH` or `postgres://…`.
    pub database: String,
    /// `HOST:PORT`.
    pub listen: String,
    /// Whether the address was set, instead of the default.
    pub listen_chosen: bool,
    /// The public URL of the server, if different from the listen address.
    pub public_url: Option<Url>,
    /// Whether every request comes through a proxy with trusted `X-Forwarded-*` headers.
    pub behind_proxy: bool,
    /// The mail server and the sender address; without it, emails stay queued.
    pub mail: Option<MailSettings>,
    /// The lease of a job's run in seconds, after which other processes take it over.
    pub job_lease_seconds: i64,
    /// The limits of events per second.
    pub rates: Rates,
    /// The allowed targets of webhook messages.
    pub outgoing: OutgoingPolicy,
    /// How secrets in the database are stored.
    pub secrets: SecretSettings,
    /// The configuration file, if it contains a password.
    pub secret_file: Option<PathBuf>,
    /// Whether the command-line options contain a password.
    pub password_in_arguments: bool,
    /// The limits of connections, streams and their timeouts.
    pub limits: Limits,
}

/// Email settings.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The mail server.
    pub server: SmtpServer,
    /// The sender address.
    pub from: Address,
}

impl Settings {
    /// Resolves each setting: option, environment, file, default. `env` looks up an environment
    /// variable.
    ///
    /// # Errors
    /// If a configured file does not exist, or a value is invalid.
    pub fn resolve(
        overrides: SettingOverrides,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        // Set to nothing means not set: that is how compose files and CI pass what nobody filled in.
        let env = |name: &'static str| env(name).filter(|value| !value.is_empty());
        let text = |name| {
            env(name).map(|value| value.into_string().map_err(|_| ConfigError::NotText(name)))
        };
        let explicit_path = overrides.config.or_else(|| env(ENV_CONFIG).map(PathBuf::from));
        let path = explicit_path.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG));
        let file = match (read(&path)?, explicit_path) {
            (Some(file), _) => file,
            (None, Some(path)) => return Err(ConfigError::Missing(path)),
            (None, None) => File::default(),
        };
        let secret_file = file.holds_password().then_some(path);
        let password_in_arguments =
            overrides.database.as_deref().is_some_and(password::contains_password);
        let path_of = |name| env(name).map(PathBuf::from);
        let secrets = secrets_of(
            text(ENV_KEY).transpose()?,
            path_of(ENV_KEY_FILE).or(file.key_file),
            text(ENV_SECRETS_AT_REST).transpose()?.or(file.secrets_at_rest).as_deref(),
        )?;
        let database =
            overrides.database.map_or_else(|| text(ENV_DATABASE).transpose(), |it| Ok(Some(it)));
        let listen =
            overrides.listen.map_or_else(|| text(ENV_LISTEN).transpose(), |it| Ok(Some(it)));
        let public_url = overrides
            .public_url
            .map_or_else(|| text(ENV_PUBLIC_URL).transpose(), |it| Ok(Some(it)));
        let public_url = public_url?.or(file.public_url);
        let behind_proxy =
            text(ENV_BEHIND_PROXY).transpose()?.map(|text| flag(&text)).transpose()?;
        let smtp_url = password::with_password(
            "smtp_password_file",
            text(ENV_SMTP_URL).transpose()?.or(file.smtp_url),
            path_of(ENV_SMTP_PASSWORD_FILE).or(file.smtp_password_file),
        )?;
        let mail = mail_of(smtp_url, text(ENV_MAIL_FROM).transpose()?.or(file.mail_from))?;
        let lease = text(ENV_JOB_LEASE).transpose()?.map(|text| lease_of(&text)).transpose()?;
        let lease = match (lease, file.job_lease_seconds) {
            (None, Some(seconds)) => Some(lease_of(&seconds.to_string())?),
            (lease, _) => lease,
        };
        let rate = |name, variable| {
            text(variable).transpose()?.map(|text| rate_of(name, &text)).transpose()
        };
        let quota = |name, variable, file: Option<u32>, standard| {
            let chosen =
                text(variable).transpose()?.map(|text| quota_of(name, &text)).transpose()?;
            // 0 is a choice: no quota.
            Ok::<_, ConfigError>(chosen.or(file).map_or(standard, NonZeroU32::new))
        };
        let key =
            rate("events_per_second_per_key", ENV_KEY_RATE)?.or(file.events_per_second_per_key);
        let rates = Rates {
            write_key: quota(
                "events_per_second_per_write_key",
                ENV_WRITE_KEY_RATE,
                file.events_per_second_per_write_key,
                // Whoever chose a rate for every key has chosen this one too.
                Rates::STANDARD.write_key.filter(|_| key.is_none()),
            )?,
            client_token: quota(
                "events_per_second_per_client_token",
                ENV_CLIENT_TOKEN_RATE,
                file.events_per_second_per_client_token,
                Rates::STANDARD.client_token,
            )?,
            client_day: quota(
                "self_told_events_per_day",
                ENV_CLIENT_DAY,
                file.self_told_events_per_day,
                Rates::STANDARD.client_day,
            )?,
            organization: rate("events_per_second", ENV_ORGANIZATION_RATE)?
                .or(file.events_per_second),
            key,
        };
        let listen = listen?.or(file.listen);
        let allow = text(ENV_WEBHOOK_ALLOW).transpose()?.or(file.webhook_allow);
        let database = password::with_password(
            "database_password_file",
            database?.or(file.database),
            path_of(ENV_DATABASE_PASSWORD_FILE).or(file.database_password_file),
        )?;
        Ok(Self {
            limits: file.limits.resolve(text)?,
            mail,
            secrets,
            secret_file,
            password_in_arguments,
            outgoing: outgoing_of(allow.as_deref().unwrap_or_default())?,
            job_lease_seconds: lease.unwrap_or(DEFAULT_JOB_LEASE_SECONDS),
            database: database.unwrap_or_else(|| DEFAULT_DATABASE.to_owned()),
            listen_chosen: listen.is_some(),
            listen: listen.unwrap_or_else(|| DEFAULT_LISTEN.to_owned()),
            public_url: public_url.as_deref().map(public_url_of).transpose()?,
            behind_proxy: behind_proxy.or(file.behind_proxy).unwrap_or(false),
            rates,
        })
    }

    /// A link for printing: only its path if the server's public URL is unknown. The default
    /// address might belong to someone else, who would get the link.
    pub fn printed_link<'a>(&self, url: &'a str) -> &'a str {
        // Which port the system gives a server that listens on port 0 is known only when it does.
        let known = self.listen_chosen && !self.listen.ends_with(":0");
        if self.public_url.is_some() || known {
            return url;
        }
        let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        path.unwrap_or(url)
    }

    /// The server's public addresses. `bound` is the actual listen address, if known.
    pub fn site(&self, bound: Option<SocketAddr>) -> Site {
        let listened = || match bound {
            Some(address) => reachable(address).to_string(),
            None => match self.listen.parse() {
                Ok(address) => reachable(address).to_string(),
                Err(_) => self.listen.clone(),
            },
        };
        let configured = self.public_url.clone();
        // What is no host and port is refused when the server is to listen on it.
        let public_url = configured
            .clone()
            .or_else(|| Url::parse(&format!("http://{}", listened())).ok())
            .unwrap_or_else(|| Site::local(SocketAddr::from(([127, 0, 0, 1], 0))).public_url);
        let (is_public_url_configured, behind_proxy) = (configured.is_some(), self.behind_proxy);
        Site { public_url, is_public_url_configured, behind_proxy, demo: false }
    }
}

/// The address at which a browser on this machine reaches a server that listens on an address; for
/// a wildcard address, localhost.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{file::parse, *};

    fn flag(database: &str) -> SettingOverrides {
        SettingOverrides { database: Some(database.to_owned()), ..SettingOverrides::default() }
    }

    /// Resolves with a file that sets both keys, when `file` says so.
    fn resolve(overrides: SettingOverrides, env: &[(&str, &str)], file: bool) -> Settings {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mainstay.toml");
        let content = if file { "database = 'sqlite:file.db'\nlisten = '[::1]:3'\n" } else { "" };
        fs::write(&path, content).unwrap();
        let overrides = SettingOverrides { config: Some(path), ..overrides };
        let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, it)| it.into());
        Settings::resolve(overrides, env).unwrap()
    }

    #[test]
    fn an_option_comes_before_the_environment_and_that_before_the_file() {
        let env = [(ENV_DATABASE, "sqlite:env.db")];
        assert_eq!(resolve(flag("sqlite:flag.db"), &env, true).database, "sqlite:flag.db");
        assert_eq!(resolve(SettingOverrides::default(), &env, true).database, "sqlite:env.db");
        assert_eq!(resolve(SettingOverrides::default(), &[], true).database, "sqlite:file.db");
        assert_eq!(resolve(SettingOverrides::default(), &[], false).database, DEFAULT_DATABASE);
    }

    #[test]
    fn each_setting_is_settled_by_itself() {
        let settings = resolve(flag("sqlite:flag.db"), &[(ENV_LISTEN, "0.0.0.0:1")], true);
        assert_eq!(settings.database, "sqlite:flag.db");
        assert_eq!(settings.listen, "0.0.0.0:1");
        assert_eq!(resolve(flag("sqlite:flag.db"), &[], true).listen, "[::1]:3");
        assert_eq!(resolve(flag("sqlite:flag.db"), &[], false).listen, DEFAULT_LISTEN);
    }

    #[test]
    fn a_variable_set_to_nothing_is_not_set() {
        let env = [(ENV_DATABASE, ""), (ENV_LISTEN, "")];
        assert_eq!(resolve(SettingOverrides::default(), &env, true).database, "sqlite:file.db");
        assert_eq!(resolve(SettingOverrides::default(), &env, false).listen, DEFAULT_LISTEN);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        let said = |text: &str| parse(text).unwrap_err();
        let listed = "docs/guides/operate.md, section Configuration, lists the keys";
        let (line, reason) = said("listen = 'x'\ndatabse = 'sqlite:x'\n");
        assert_eq!(line, Some(2));
        assert_eq!(reason, format!("unknown key `databse`; did you mean `database`?; {listed}"));
        let (line, reason) = said("[limits]\nstream = 3\n");
        assert_eq!(line, Some(2));
        assert_eq!(reason, format!("unknown key `stream`; did you mean `streams`?; {listed}"));
        assert_eq!(said("qqqqqq = 1").1, format!("unknown key `qqqqqq`; {listed}"));
        assert_eq!(
            said("'`Listen`' = 1").1,
            format!("unknown key ``Listen``; did you mean `listen`?; {listed}")
        );
        assert!(said("listen = 8080").1.contains("expected a string"));
        assert!(parse("listen = ").is_err());
    }

    #[test]
    fn links_lead_to_the_public_address_or_to_where_the_server_listens() {
        let leads = |env: &[(&str, &str)], bound: Option<&str>| {
            let bound = bound.map(|address| address.parse().unwrap());
            resolve(SettingOverrides::default(), env, false).site(bound).link("/x")
        };
        assert_eq!(leads(&[], None), "http://127.0.0.1:8080/x");
        assert_eq!(leads(&[(ENV_LISTEN, "0.0.0.0:9")], None), "http://127.0.0.1:9/x");
        assert_eq!(leads(&[(ENV_LISTEN, "[::]:9")], None), "http://[::1]:9/x");
        assert_eq!(leads(&[(ENV_LISTEN, "localhost:9")], None), "http://localhost:9/x");
        assert_eq!(leads(&[(ENV_LISTEN, "0.0.0.0:0")], Some("0.0.0.0:7")), "http://127.0.0.1:7/x");
        let public = [(ENV_PUBLIC_URL, "https://success.example.com")];
        assert_eq!(leads(&public, Some("127.0.0.1:7")), "https://success.example.com/x");
    }

    #[test]
    fn a_public_address_is_scheme_host_and_port_alone() {
        for malformed in [
            "success.example.com",
            "ftp://x.example",
            "https://x.example/app",
            "https://u@x.example",
        ] {
            let error = public_url_of(malformed).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("public_url {malformed:?}: use only scheme")),
                "{error}"
            );
        }
        assert!(super::flag("yes").is_err());
    }

    #[test]
    fn a_mail_server_needs_an_address_to_write_from() {
        let url = (ENV_SMTP_URL, "smtp://mail.example.com");
        assert!(resolve(SettingOverrides::default(), &[], false).mail.is_none());
        let from = (ENV_MAIL_FROM, "success@example.com");
        let mail = resolve(SettingOverrides::default(), &[url, from], false).mail.unwrap();
        assert_eq!(mail.from.to_string(), "success@example.com");
        let env = |name: &str| (name == url.0).then(|| url.1.into());
        let error = Settings::resolve(SettingOverrides::default(), env).unwrap_err().to_string();
        assert!(error.starts_with("mail_from \"\": set it to the sender address"), "{error}");
        assert!(lease_of("0").is_err() && lease_of("x").is_err());
    }

    #[test]
    fn ranges_that_notices_may_go_to_are_allowed_one_by_one() {
        let reaches = |env: &[(&str, &str)], address: &str| {
            resolve(SettingOverrides::default(), env, false)
                .outgoing
                .permits(address.parse().unwrap())
        };
        assert!(!reaches(&[], "10.1.2.3"));
        let allowed = [(ENV_WEBHOOK_ALLOW, "10.0.0.0/8, fd00::/8,")];
        assert!(reaches(&allowed, "10.1.2.3") && reaches(&allowed, "fd00::1"));
        assert!(!reaches(&allowed, "192.168.1.1"));
        let error = outgoing_of("10.0.0.0/40").unwrap_err().to_string();
        assert!(error.starts_with("webhook_allow \"10.0.0.0/40\": use comma-separated"), "{error}");
    }

    #[test]
    fn quotas_are_in_force_unless_the_operator_lifts_them() {
        let rates = |env: &[(&str, &str)]| resolve(SettingOverrides::default(), env, false).rates;
        assert_eq!(rates(&[]), Rates::STANDARD);
        let chosen =
            [(ENV_WRITE_KEY_RATE, "0"), (ENV_CLIENT_TOKEN_RATE, "3"), (ENV_CLIENT_DAY, "0")];
        let lifted = Rates {
            write_key: None,
            client_token: NonZeroU32::new(3),
            client_day: None,
            ..Rates::STANDARD
        };
        assert_eq!(rates(&chosen), lifted);
        let env = |name: &str| (name == ENV_CLIENT_DAY).then(|| "many".into());
        let error = Settings::resolve(SettingOverrides::default(), env).unwrap_err().to_string();
        assert!(
            error.starts_with("self_told_events_per_day \"many\": use a whole number"),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_was_asked_for_must_be_there() {
        let overrides = SettingOverrides {
            config: Some("/nowhere/m.toml".into()),
            ..SettingOverrides::default()
        };
        let error = Settings::resolve(overrides, |_| None).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/m.toml: the file does not exist"), "{error}");
    }
}
