//! Secrets that must be readable again, as they are stored: encrypted with keys of the operator's.

use std::{
    fmt::{self, Write as _},
    sync::{PoisonError, RwLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{SHA256, digest},
    rand::{SecureRandom as _, SystemRandom},
};
use uuid::Uuid;

use crate::{Result, StoreError};

/// What stands for the id of a key where secrets are stored as they are.
pub const PLAIN: &str = "plain";
/// What a sealed secret begins with. No secret and no URL does.
const MARK: &str = "sealed:";
const KEY_BYTES: usize = 32;
/// Bytes of the hash that name a key: enough that no two keys of an operator share a name.
const ID_BYTES: usize = 8;

/// A key that secrets are encrypted with: 256 bits, for AES-256-GCM.
#[derive(Clone)]
pub struct SecretKey {
    id: String,
    bytes: [u8; KEY_BYTES],
}

impl SecretKey {
    /// A new one.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; KEY_BYTES];
        SystemRandom::new().fill(&mut bytes).map_err(|_| StoreError::Randomness)?;
        Ok(Self::of(bytes))
    }

    /// Reads one: 32 bytes in base64. `None` when the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text.trim()).ok()?.try_into().ok().map(Self::of)
    }

    fn of(bytes: [u8; KEY_BYTES]) -> Self {
        // Named, so that the id is no hash of the key that anything else might use.
        let hash = digest(&SHA256, &[b"mainstay secret key ".as_slice(), &bytes].concat());
        Self { id: hexadecimal(&hash.as_ref()[..ID_BYTES]), bytes }
    }

    /// What names it, in the database and in messages. Tells nothing of the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// As it stands in a key file.
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.bytes)
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &self.bytes).ok().map(LessSafeKey::new)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.id)
    }
}

/// Where a secret is stored. Part of what is encrypted, so that one of another organization, row or
/// column is not taken for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretLocation<'a> {
    pub(crate) organization: Uuid,
    pub(crate) column: &'a str,
    /// ID of the row, if an organization has several.
    pub(crate) row: Uuid,
}

impl SecretLocation<'_> {
    fn aad(&self) -> Aad<Vec<u8>> {
        Aad::from(format!("{}/{}/{}", self.organization, self.column, self.row).into_bytes())
    }
}

type Reload = Box<dyn Fn() -> Option<Vec<SecretKey>> + Send + Sync>;

/// The keys that secrets are encrypted with, and decrypted.
#[derive(Default)]
pub struct Keyring {
    keys: RwLock<Vec<SecretKey>>,
    /// Whether new secrets are encrypted, by the first key.
    seals: bool,
    reload: Option<Reload>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keyring = f.debug_struct("Keyring");
        keyring.field("keys", &self.ids()).field("seals", &self.seals).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Encrypts with the first of these keys, and decrypts with all of them.
    pub fn new(keys: Vec<SecretKey>) -> Self {
        Self { seals: !keys.is_empty(), keys: RwLock::new(keys), reload: None }
    }

    /// Stores new secrets as they are, and decrypts earlier ones with these keys.
    pub fn plain(keys: Vec<SecretKey>) -> Self {
        Self { seals: false, keys: RwLock::new(keys), reload: None }
    }

    /// Asks for the keys again before it encrypts and when it meets a key that it does not know: they
    /// may have been replaced while this process runs.
    #[must_use]
    pub fn reloading(
        self,
        reload: impl Fn() -> Option<Vec<SecretKey>> + Send + Sync + 'static,
    ) -> Self {
        Self { reload: Some(Box::new(reload)), ..self }
    }

    /// The id of the key that new secrets are encrypted with; [`PLAIN`] when they are not.
    pub fn current(&self) -> String {
        if self.seals { self.ids().swap_remove(0) } else { PLAIN.to_owned() }
    }

    /// The ids of all keys.
    pub fn ids(&self) -> Vec<String> {
        self.with_keys(|keys| keys.iter().map(|key| key.id.clone()).collect())
    }

    /// Whether it can decrypt what was stored under a key's id.
    pub fn holds(&self, id: &str) -> bool {
        id == PLAIN || self.key(id).is_some()
    }

    fn with_keys<T>(&self, with: impl FnOnce(&[SecretKey]) -> T) -> T {
        with(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn key(&self, id: &str) -> Option<SecretKey> {
        let known = || self.with_keys(|keys| keys.iter().find(|key| key.id == id).cloned());
        known().or_else(|| {
            self.reload();
            known()
        })
    }

    /// Reads the keys again, where they come from.
    pub fn reload(&self) {
        let Some(keys) = self.reload.as_ref().and_then(|reload| reload()) else { return };
        // An empty list would leave nothing to encrypt with.
        if !keys.is_empty() {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        }
    }

    /// Encrypts a secret. Returns what is stored, and the id of the key.
    pub(crate) fn seal(&self, place: SecretLocation<'_>, secret: &str) -> Result<(String, String)> {
        if !self.seals {
            return Ok((secret.to_owned(), PLAIN.to_owned()));
        }
        self.reload();
        let Some(key) = self.with_keys(|keys| keys.first().cloned()) else {
            return Ok((secret.to_owned(), PLAIN.to_owned()));
        };
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| StoreError::Randomness)?;
        let mut bytes = secret.as_bytes().to_vec();
        key.cipher()
            .and_then(|cipher| {
                let nonce = Nonce::assume_unique_for_key(nonce);
                cipher.seal_in_place_append_tag(nonce, place.aad(), &mut bytes).ok()
            })
            .ok_or_else(|| StoreError::Tampered(place.column.to_owned()))?;
        let text = STANDARD.encode([nonce.as_slice(), &bytes].concat());
        Ok((format!("{MARK}{}:{text}", key.id), key.id))
    }

    /// Decrypts what is stored.
    pub(crate) fn open(&self, place: SecretLocation<'_>, stored: &str) -> Result<String> {
        let Some(sealed) = stored.strip_prefix(MARK) else { return Ok(stored.to_owned()) };
        let tampered = || StoreError::Tampered(place.column.to_owned());
        let (id, text) = sealed.split_once(':').ok_or_else(tampered)?;
        let key = self.key(id).ok_or_else(|| self.missing(place.column, id))?;
        let mut bytes = STANDARD.decode(text).map_err(|_| tampered())?;
        if bytes.len() < NONCE_LEN {
            return Err(tampered());
        }
        let mut sealed = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| tampered())?;
        let cipher = key.cipher().ok_or_else(tampered)?;
        let opened =
            cipher.open_in_place(nonce, place.aad(), &mut sealed).map_err(|_| tampered())?;
        String::from_utf8(opened.to_vec()).map_err(|_| tampered())
    }

    /// What is said of a key that is not at hand.
    pub(crate) fn missing(&self, place: &str, id: &str) -> StoreError {
        let held = self.ids();
        let held = if held.is_empty() { "none".to_owned() } else { held.join(", ") };
        StoreError::Sealed { place: place.to_owned(), key: id.to_owned(), held }
    }

    /// The id of the key that something stored is encrypted with.
    pub(crate) fn id_of(stored: &str) -> &str {
        let sealed = stored.strip_prefix(MARK).and_then(|sealed| sealed.split_once(':'));
        sealed.map_or(PLAIN, |(id, _)| id)
    }
}

/// Bytes as two lower-case digits each.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: SecretLocation<'static> =
        SecretLocation { organization: Uuid::nil(), column: "secrets.secret", row: Uuid::nil() };

    fn key(byte: u8) -> SecretKey {
        SecretKey::of([byte; KEY_BYTES])
    }

    #[test]
    fn a_sealed_secret_opens_in_its_own_place_only() {
        let keyring = Keyring::new(vec![key(1)]);
        let (stored, id) = keyring.seal(PLACE, "hunter2").unwrap();
        assert!(stored.starts_with("sealed:") && !stored.contains("hunter2"), "{stored}");
        assert_eq!(Keyring::id_of(&stored), id);
        assert_eq!(keyring.open(PLACE, &stored).unwrap(), "hunter2");
        for elsewhere in [
            SecretLocation { organization: Uuid::max(), ..PLACE },
            SecretLocation { row: Uuid::max(), ..PLACE },
            SecretLocation { column: "secrets.other", ..PLACE },
        ] {
            assert!(matches!(keyring.open(elsewhere, &stored), Err(StoreError::Tampered(_))));
        }
    }

    #[test]
    fn a_changed_or_cut_secret_is_refused() {
        let keyring = Keyring::new(vec![key(1)]);
        let (stored, id) = keyring.seal(PLACE, "hunter2").unwrap();
        let (_, text) = stored.rsplit_once(':').unwrap();
        let mut bytes = STANDARD.decode(text).unwrap();
        bytes[NONCE_LEN] ^= 1;
        let changed = STANDARD.encode(&bytes);
        for text in [changed.as_str(), "", "AAAA", "!", &text[..8]] {
            let opened = keyring.open(PLACE, &format!("sealed:{id}:{text}"));
            assert!(matches!(opened, Err(StoreError::Tampered(_))), "{text}: {opened:?}");
        }
    }

    #[test]
    fn the_same_secret_is_never_sealed_alike() {
        let keyring = Keyring::new(vec![key(1)]);
        assert_ne!(keyring.seal(PLACE, "a").unwrap(), keyring.seal(PLACE, "a").unwrap());
    }

    #[test]
    fn old_keys_still_open_and_the_first_one_seals() {
        let (stored, _) = Keyring::new(vec![key(1)]).seal(PLACE, "hunter2").unwrap();
        let both = Keyring::new(vec![key(2), key(1)]);
        assert_eq!(both.open(PLACE, &stored).unwrap(), "hunter2");
        assert_eq!(both.seal(PLACE, "x").unwrap().1, key(2).id);
        let message = Keyring::new(vec![key(2)]).open(PLACE, &stored).unwrap_err().to_string();
        assert!(
            message.contains(key(1).id()) && message.contains("MAINSTAY_KEY_FILE"),
            "{message}"
        );
    }

    #[test]
    fn keys_that_were_replaced_meanwhile_are_read_again() {
        let (stored, _) = Keyring::new(vec![key(2)]).seal(PLACE, "hunter2").unwrap();
        let running = Keyring::new(vec![key(1)]).reloading(|| Some(vec![key(2), key(1)]));
        assert_eq!(running.open(PLACE, &stored).unwrap(), "hunter2");
        assert_eq!(running.seal(PLACE, "x").unwrap().1, key(2).id);
    }

    #[test]
    fn a_key_is_read_from_what_it_is_written_as() {
        let generated = SecretKey::random().unwrap();
        assert_eq!(
            SecretKey::parse(&format!("{}\n", generated.to_text())).unwrap().id(),
            generated.id()
        );
        assert!(SecretKey::parse("short").is_none() && SecretKey::parse("").is_none());
        assert!(!format!("{generated:?}").contains(&generated.to_text()));
    }
}
