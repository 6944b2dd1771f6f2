//! Where settings come from: options, then the environment, then `mainstay.toml`, then what is
//! built in.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// The database when nobody says otherwise: a file in the current directory.
pub const DEFAULT_DATABASE: &str = "sqlite:mainstay.db";
/// The address when nobody says otherwise: only this machine can reach it.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// The configuration file that is read when it is there.
pub const DEFAULT_CONFIG: &str = "mainstay.toml";

const ENV_DATABASE: &str = "MAINSTAY_DATABASE_URL";
const ENV_LISTEN: &str = "MAINSTAY_LISTEN";
const ENV_CONFIG: &str = "MAINSTAY_CONFIG";

/// Settings as options of the command line gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// `--database`.
    pub database: Option<String>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--config`.
    pub config: Option<PathBuf>,
}

/// The settings that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `sqlite:PATH` or `postgres://…`.
    pub database: String,
    /// `HOST:PORT`.
    pub listen: String,
}

/// Why the settings cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that was asked for is not there.
    #[error(
        "{}: there is no such file; check --config and MAINSTAY_CONFIG, or leave both out",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The file is not what it should be.
    #[error("{}{}: {reason}", path.display(), at_line(*.line))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line at fault, from 1, when it can be told.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// An environment variable that is not text.
    #[error("environment variable {0} is not UTF-8; set it again")]
    NotText(&'static str),
}

fn at_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}

/// What `mainstay.toml` may say. An unknown key is an error: a typo would otherwise quietly leave
/// the built-in value in force, and data in a database that nobody meant.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    database: Option<String>,
    listen: Option<String>,
}

impl Settings {
    /// Settles each setting by itself: option, environment, file, built-in value. `env` looks up an
    /// environment variable.
    ///
    /// # Errors
    /// When a file was asked for and is not there, or says what cannot be understood.
    pub fn resolve(
        given: Given,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        // Set to nothing means not set: that is how compose files and CI pass what nobody filled in.
        let env = |name: &'static str| env(name).filter(|value| !value.is_empty());
        let text = |name| {
            env(name).map(|value| value.into_string().map_err(|_| ConfigError::NotText(name)))
        };
        let file = match given.config.or_else(|| env(ENV_CONFIG).map(PathBuf::from)) {
            Some(path) => read(&path)?.ok_or(ConfigError::Missing(path))?,
            None => read(Path::new(DEFAULT_CONFIG))?.unwrap_or_default(),
        };
        let database =
            given.database.map_or_else(|| text(ENV_DATABASE).transpose(), |it| Ok(Some(it)));
        let listen = given.listen.map_or_else(|| text(ENV_LISTEN).transpose(), |it| Ok(Some(it)));
        Ok(Self {
            database: database?.or(file.database).unwrap_or_else(|| DEFAULT_DATABASE.to_owned()),
            listen: listen?.or(file.listen).unwrap_or_else(|| DEFAULT_LISTEN.to_owned()),
        })
    }
}

/// Reads a configuration file; `None` when there is none.
fn read(path: &Path) -> Result<Option<File>, ConfigError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ConfigError::Unreadable { path: path.to_owned(), error }),
    };
    parse(&text).map(Some).map_err(|(line, reason)| ConfigError::Wrong {
        path: path.to_owned(),
        line,
        reason,
    })
}

fn parse(text: &str) -> Result<File, (Option<usize>, String)> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        let known = "the keys are `database` and `listen`, for example listen = \"127.0.0.1:8080\"";
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        (line, format!("{}; {known}", message.replace("unknown field", "unknown key")))
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(database: &str) -> Given {
        Given { database: Some(database.to_owned()), ..Given::default() }
    }

    /// Resolves with a file that sets both keys, when `file` says so.
    fn resolve(given: Given, env: &[(&str, &str)], file: bool) -> Settings {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mainstay.toml");
        let content = if file { "database = 'sqlite:file.db'\nlisten = '[::1]:3'\n" } else { "" };
        fs::write(&path, content).unwrap();
        let given = Given { config: Some(path), ..given };
        let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, it)| it.into());
        Settings::resolve(given, env).unwrap()
    }

    #[test]
    fn an_option_comes_before_the_environment_and_that_before_the_file() {
        let env = [(ENV_DATABASE, "sqlite:env.db")];
        assert_eq!(resolve(flag("sqlite:flag.db"), &env, true).database, "sqlite:flag.db");
        assert_eq!(resolve(Given::default(), &env, true).database, "sqlite:env.db");
        assert_eq!(resolve(Given::default(), &[], true).database, "sqlite:file.db");
        assert_eq!(resolve(Given::default(), &[], false).database, DEFAULT_DATABASE);
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
        assert_eq!(resolve(Given::default(), &env, true).database, "sqlite:file.db");
        assert_eq!(resolve(Given::default(), &env, false).listen, DEFAULT_LISTEN);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_known_ones() {
        let (line, reason) = parse("listen = 'x'\ndatabse = 'sqlite:x'\n").unwrap_err();
        assert_eq!(line, Some(2));
        assert_eq!(
            reason,
            "unknown key `databse`, expected `database` or `listen`; the keys are `database` and \
             `listen`, for example listen = \"127.0.0.1:8080\""
        );
        assert!(parse("listen = 8080").unwrap_err().1.contains("expected a string"));
        assert!(parse("listen = ").is_err());
    }

    #[test]
    fn a_file_that_was_asked_for_must_be_there() {
        let given = Given { config: Some("/nowhere/m.toml".into()), ..Given::default() };
        let error = Settings::resolve(given, |_| None).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/m.toml: there is no such file"), "{error}");
    }
}
