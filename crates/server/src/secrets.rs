//! The operator's keys, with which secrets in the database are encrypted: where they come from, what
//! is checked at start, and replacing them.
//!
//! A key file holds a key a line. The first one encrypts, all of them decrypt: an old key stays as
//! long as there are backups that need it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use mainstay_store::{Keyring, PLAIN, Scope, SecretKey, Store, StoreError};

use crate::{Mainstay, private_file};

type Result<T, E = SecretsError> = std::result::Result<T, E>;

/// The key file of a PostgreSQL database, when nobody names another one.
const DEFAULT_KEY_FILE: &str = "mainstay.key";
/// What is added to the name of a SQLite file to name its key file.
const KEY_SUFFIX: &str = ".key";
const HEADER: &str = "\
# Keys that Mainstay encrypts the secrets in its database with, a line each: the first one encrypts, all
# of them decrypt. Without this file those secrets are lost: keep a copy, apart from the database's.
";

/// How secrets are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretSettings {
    /// Where the keys come from.
    pub source: KeySource,
    /// Whether the operator said that new secrets are to be stored as they are.
    pub plain: bool,
}

/// Where keys come from.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum KeySource {
    /// From a file beside the database, which is created with the first start.
    #[default]
    Default,
    /// From the environment, with blanks between.
    Text(String),
    /// From a file that the operator made.
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

/// Why secrets cannot be read or encrypted. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The key file cannot be read.
    #[error("key file {}: {error}; check MAINSTAY_KEY_FILE and the file's permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// What should be a key is none.
    #[error(
        "{place}: is no key; use 32 bytes in base64, as printed by `mainstay secrets new-key`, or by \
         `openssl rand -base64 32`"
    )]
    NoKey {
        /// Where it stands; never what stands there.
        place: String,
    },
    /// No key file can be made.
    #[error(
        "key file {}: cannot be written: {error}; set MAINSTAY_KEY_FILE to a file that you made, or \
         MAINSTAY_KEY to a key, or store secrets as they are with MAINSTAY_SECRETS_AT_REST=plain",
        path.display()
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The database was used with another key.
    #[error(
        "the secrets in this database are encrypted with key {key}, which is not in {place}; put the \
         key file that the database was used with there, or name it with MAINSTAY_KEY_FILE"
    )]
    OtherKey {
        /// The id of the key that is missing.
        key: String,
        /// Where the keys at hand come from.
        place: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl KeySource {
    /// The file that keys are read from, if they are.
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

    /// What messages call it.
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

/// The store with the keys of its secrets. What was stored as it is until now is encrypted, unless the
/// operator wants it so.
///
/// # Errors
/// When a key that the database was used with is missing, and when none can be read or made.
pub async fn unlock(store: Store, settings: &SecretSettings) -> Result<Store> {
    let used = store.read(Scope::System).await?.secret_keys().await?;
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
    match reseal(&store, &[PLAIN.to_owned()]).await {
        // Whoever may only read it cannot help that.
        Ok(_) | Err(StoreError::ReadOnly) => Ok(store),
        Err(error) => Err(error.into()),
    }
}

/// Makes the key file; another process may be first.
fn create(path: &Path) -> Result<SecretKey> {
    let key = SecretKey::random()?;
    let unwritable = |error| SecretsError::Unwritable { path: path.to_owned(), error };
    private_file::write_new(path, &format!("{HEADER}{}\n", key.to_text())).map_err(unwritable)?;
    let keys = read(path)?.unwrap_or_default();
    let first = keys.into_iter().next();
    first.ok_or_else(|| SecretsError::NoKey { place: path.display().to_string() })
}

/// Stores what is under these keys under the present one; returns how many secrets, of how many
/// organizations. An organization is a transaction: what is cut short goes on when it is called again.
async fn reseal(store: &Store, keys: &[String]) -> Result<(u64, usize), StoreError> {
    let mut organizations = Vec::new();
    let mut tx = store.read(Scope::System).await?;
    for key in keys {
        organizations.extend(tx.organizations_with_key(key).await?);
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

/// What replacing the key came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The key that secrets are encrypted with now; `plain` when they are not.
    pub key: String,
    /// How many secrets were stored anew.
    pub secrets: u64,
    /// Of how many organizations.
    pub organizations: usize,
}

impl Mainstay {
    /// The ids of the keys that secrets in the database are stored under.
    pub async fn secret_keys(&self) -> Result<Vec<String>> {
        Ok(self.store().read(Scope::System).await?.secret_keys().await?)
    }

    /// Writes a new key into a key file, before those that are there.
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

    /// Stores every secret under the present key. May be cut short and called again.
    ///
    /// # Errors
    /// When one cannot be read with the keys at hand.
    pub async fn rotate_secrets(&self) -> Result<Rotated> {
        let keyring = self.store().keyring();
        keyring.reload();
        let key = keyring.current();
        let others: Vec<String> =
            self.secret_keys().await?.into_iter().filter(|other| *other != key).collect();
        let (secrets, organizations) = reseal(self.store(), &others).await?;
        Ok(Rotated { key, secrets, organizations })
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
        assert!(wrong.starts_with("k, line 2: is no key") && !wrong.contains("hunter2"), "{wrong}");
        assert!(parse("# only this\n", "k").is_err());
    }
}
