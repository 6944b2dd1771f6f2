//! The operator's keys, which encrypt secrets in the database: their source, the checks at start,
//! and rotation.
//!
//! A key file contains one key per line. The first one encrypts, all of them decrypt: keep an old
//! key as long as backups need it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use mainstay_store::{Keyring, PLAIN, Scope, SecretKey, Store, StoreError};

use crate::{Mainstay, private_file};

type Result<T, E = SecretsError> = std::result::Result<T, E>;

/// The default key file of a PostgreSQL database.
const DEFAULT_KEY_FILE: &str = "mainstay.key";
/// The suffix of the key file of a SQLite file.
const KEY_SUFFIX: &str = ".key";
const HEADER: &str = "\
# Keys that Mainstay encrypts the secrets in its database with, a line each: the first one encrypts, all
# of them decrypt. Without this file those secrets are lost: keep a copy, apart from the database's.
";

/// How secrets are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretSettings {
    /// The source of the keys.
    pub source: KeySource,
    /// Whether new secrets are stored in plain text.
    pub plain: bool,
}

/// Where keys come from.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum KeySource {
    /// A file next to the database, created at the first start.
    #[default]
    Default,
    /// The environment, separated by blanks.
    Text(String),
    /// A file created by the operator.
    File(PathBuf),
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("Default"),
            Self::Text(_) => f.write_str("Text(…)"),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

/// An error with encrypted secrets. Each message contains the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The key file cannot be read.
    #[error("key file {}: {error}; check MAINSTAY_KEY_FILE and the file's permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// A key is malformed.
    #[error(
        "{place}: is not a key; use 32 bytes in base64, as printed by `mainstay secrets new-key`, or by \
         `openssl rand -base64 32`"
    )]
    NoKey {
        /// Where it was found; never its content.
        place: String,
    },
    /// The key file cannot be created.
    #[error(
        "key file {}: cannot be written: {error}; set MAINSTAY_KEY_FILE to a file that you \
         created, or MAINSTAY_KEY to a key, or store secrets in plain text with \
         MAINSTAY_SECRETS_AT_REST=plain",
        path.display()
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The database needs another key.
    #[error(
        "the secrets in this database are encrypted with key {key}, which is not in {place}; restore \
         the database's key file there, or set MAINSTAY_KEY_FILE to its path"
    )]
    OtherKey {
        /// The id of the missing key.
        key: String,
        /// The source of the available keys.
        place: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl KeySource {
    /// The key file, if keys come from a file.
    pub fn file(&self, store: &Store) -> Option<PathBuf> {
        match self {
            Self::Text(_) => None,
            Self::File(path) => Some(path.clone()),
            Self::Default => Some(store.file().map_or_else(
                || PathBuf::from(DEFAULT_KEY_FILE),
                |file| {
                    let mut path = file.into_os_string();
                    path.push(KEY_SUFFIX);
                    path.into()
                },
            )),
        }
    }

    /// Its description in messages.
    pub fn describe(&self, store: &Store) -> String {
        self.file(store)
            .map_or_else(|| "MAINSTAY_KEY".to_owned(), |path| path.display().to_string())
    }
}

/// Reads a key file; `None` when there is none.
fn read(path: &Path) -> Result<Option<Vec<SecretKey>>> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text, &path.display().to_string()).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SecretsError::Unreadable { path: path.to_owned(), error }),
    }
}

fn parse(text: &str, place: &str) -> Result<Vec<SecretKey>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'));
    let words = lines.flat_map(|(at, line)| line.split_whitespace().map(move |word| (at, word)));
    let keys = words
        .map(|(at, word)| {
            let place = || format!("{place}, line {}", at + 1);
            SecretKey::parse(word).ok_or_else(|| SecretsError::NoKey { place: place() })
        })
        .collect::<Result<Vec<_>>>()?;
    if keys.is_empty() { Err(SecretsError::NoKey { place: place.to_owned() }) } else { Ok(keys) }
}

/// Opens the store's secrets. Plain-text secrets are encrypted, unless the operator has chosen
/// plain text.
///
/// # Errors
/// If a required key is missing, or no key can be read or created.
pub async fn unlock(store: Store, settings: &SecretSettings) -> Result<Store> {
    let used = store.read(Scope::System).await?.list_secret_keys().await?;
    let sealed = used.iter().any(|key| key != PLAIN);
    let file = settings.source.file(&store);
    let keys = match (&settings.source, &file) {
        (KeySource::Text(text), _) => parse(text, "MAINSTAY_KEY")?,
        (_, Some(path)) => match read(path)? {
            Some(keys) => keys,
            None if settings.source != KeySource::Default => {
                let error = io::ErrorKind::NotFound.into();
                return Err(SecretsError::Unreadable { path: path.clone(), error });
            }
            // Another key would not open what is there, and hide that the right one is missing.
            None if sealed || settings.plain => Vec::new(),
            None => vec![create(path)?],
        },
        (_, None) => Vec::new(),
    };
    let keyring = if settings.plain { Keyring::plain(keys) } else { Keyring::new(keys) };
    let keyring = match file {
        Some(path) => keyring.reloading(move || read(&path).ok().flatten()),
        None => keyring,
    };
    if let Some(missing) = used.iter().find(|key| !keyring.holds(key)) {
        let place = settings.source.describe(&store);
        return Err(SecretsError::OtherKey { key: missing.clone(), place });
    }
    let store = store.with_keyring(keyring);
    if settings.plain {
        return Ok(store);
    }
    match reencrypt(&store, &[PLAIN.to_owned()]).await {
        // Whoever may only read it cannot help that.
        Ok(_) | Err(StoreError::ReadOnly) => Ok(store),
        Err(error) => Err(error.into()),
    }
}

/// Creates the key file; another process may be faster.
fn create(path: &Path) -> Result<SecretKey> {
    let key = SecretKey::random()?;
    let unwritable = |error| SecretsError::Unwritable { path: path.to_owned(), error };
    private_file::write_new(path, &format!("{HEADER}{}\n", key.to_text())).map_err(unwritable)?;
    let keys = read(path)?.unwrap_or_default();
    let first = keys.into_iter().next();
    first.ok_or_else(|| SecretsError::NoKey { place: path.display().to_string() })
}

/// Re-encrypts secrets of these keys with the current one; returns the number of secrets and
/// organizations. Each organization is one transaction: an interrupted rotation continues when
/// called again.
async fn reencrypt(store: &Store, keys: &[String]) -> Result<(u64, usize), StoreError> {
    let mut organizations = Vec::new();
    let mut tx = store.read(Scope::System).await?;
    for key in keys {
        organizations.extend(tx.list_organizations_with_key(key).await?);
    }
    drop(tx);
    organizations.sort_unstable();
    organizations.dedup();
    let mut secrets = 0;
    for organization in &organizations {
        let mut tx = store.begin(Scope::Service(*organization)).await?;
        secrets += tx.reseal_secrets().await?;
        tx.commit().await?;
    }
    Ok((secrets, organizations.len()))
}

/// The result of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationSummary {
    /// The current key; `plain` for plain text.
    pub key: String,
    /// The number of re-encrypted secrets.
    pub secrets: u64,
    /// The number of their organizations.
    pub organizations: usize,
}

impl Mainstay {
    /// The ids of the keys of stored secrets.
    pub async fn secret_keys(&self) -> Result<Vec<String>> {
        Ok(self.store().read(Scope::System).await?.list_secret_keys().await?)
    }

    /// Adds a new key to a key file, before the existing ones.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn add_secret_key(&self, path: &Path) -> Result<()> {
        let unreadable = |error| SecretsError::Unreadable { path: path.to_owned(), error };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        parse(&text, &path.display().to_string())?;
        let key = SecretKey::random()?;
        let first = text
            .split_inclusive('\n')
            .take_while(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
            .map(str::len)
            .sum();
        let (header, keys) = text.split_at(first);
        let unwritable = |error| SecretsError::Unwritable { path: path.to_owned(), error };
        private_file::replace(path, &format!("{header}{}\n{keys}", key.to_text()))
            .map_err(unwritable)?;
        Ok(())
    }

    /// Re-encrypts every secret with the current key. Can be interrupted and called again.
    ///
    /// # Errors
    /// If one cannot be decrypted with the available keys.
    pub async fn rotate_secrets(&self) -> Result<RotationSummary> {
        let keyring = self.store().keyring();
        keyring.reload();
        let key = keyring.current();
        let others: Vec<String> =
            self.secret_keys().await?.into_iter().filter(|other| *other != key).collect();
        let (secrets, organizations) = reencrypt(self.store(), &others).await?;
        Ok(RotationSummary { key, secrets, organizations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_has_a_key_a_line_and_comments() {
        let (one, two) = (SecretKey::random().unwrap(), SecretKey::random().unwrap());
        let text = format!("# c\n\n{}\r\n  {}\n", one.to_text(), two.to_text());
        let ids: Vec<String> =
            parse(&text, "k").unwrap().iter().map(|key| key.id().to_owned()).collect();
        assert_eq!(ids, [one.id(), two.id()]);
        let wrong = parse(&format!("{}\nhunter2", one.to_text()), "k").unwrap_err().to_string();
        assert!(
            wrong.starts_with("k, line 2: is not a key") && !wrong.contains("hunter2"),
            "{wrong}"
        );
        assert!(parse("# only this\n", "k").is_err());
    }
}
