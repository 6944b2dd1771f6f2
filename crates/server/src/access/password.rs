//! Passwords: requirements and hashing.

use std::{collections::HashMap, sync::LazyLock};

use argon2::{Argon2, Params, PasswordHasher as _, PasswordVerifier as _};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use tokio::{sync::Semaphore, task};
use zxcvbn::{Score, zxcvbn};

use crate::{Error, Result};

/// Minimum length, in characters. Composition rules lead to worse passwords, so there are none;
/// common passwords are rejected.
pub const MIN_PASSWORD_CHARS: usize = 12;
/// Maximum length, in characters.
pub const MAX_PASSWORD_CHARS: usize = 128;

/// OWASP's minimum for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Concurrent hash computations: each takes memory and a core.
static HASHING_SLOTS: Semaphore = Semaphore::const_new(4);

/// The hash to compare with if there is no member, so that it takes the same time.
static PLACEHOLDER_HASH: LazyLock<String> = LazyLock::new(|| hash_now("nobody has this password"));

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are valid");
    Argon2::from(params)
}

fn hash_now(password: &str) -> String {
    let hash = hasher().hash_password(password.as_bytes());
    hash.expect("the operating system gives randomness").to_string()
}

/// Rejects a password that is too short, too long or easy to guess: common passwords with the usual
/// replacements and additions, keyboard patterns, dates, and the member's own data, such as its
/// address.
pub(super) fn check(password: &str, personal_words: &[&str]) -> Result<()> {
    let chars = password.chars().count();
    if !(MIN_PASSWORD_CHARS..=MAX_PASSWORD_CHARS).contains(&chars) {
        return Err(Error::invalid(
            "password",
            format!(
                "has {chars} characters; use {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS}, of any \
                 kind, for example four words"
            ),
        ));
    }
    let guesses = zxcvbn(password, personal_words);
    if guesses.score() >= Score::Three {
        return Ok(());
    }
    let why = guesses.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    let why = why.map_or_else(
        || "is too easy to guess".to_owned(),
        |why| format!("is too easy to guess: {}", why.to_string().trim_end_matches('.')),
    );
    Err(Error::invalid("password", format!("{why}; use four words that do not belong together")))
}

/// Hashes a password, with the salt of another hash of the same person if there is one. One
/// computation then tells in which of a person's organizations a password is correct; otherwise the
/// time would reveal in how many of them an address is known.
pub(super) async fn hash(password: String, salt_source: Option<String>) -> String {
    run_blocking(move || {
        let salted = salt_source
            .as_deref()
            .and_then(|salt_source| hash_with_salt_of(&password, salt_source));
        salted.unwrap_or_else(|| hash_now(&password))
    })
    .await
}

/// Which of the stored hashes match a password. Takes the same time if there are none.
pub(super) async fn verify_each(password: String, stored_hashes: Vec<String>) -> Vec<bool> {
    run_blocking(move || {
        if stored_hashes.is_empty() {
            let _ = verify_now(&password, &PLACEHOLDER_HASH);
        }
        // The hash of the password with each salt and parameters: one computation each.
        let mut hashes: HashMap<&str, Option<String>> = HashMap::new();
        let is_right = |stored_hash: &str| verify_now(&password, stored_hash);
        stored_hashes
            .iter()
            .map(|stored_hash| match stored_hash.rsplit_once('$') {
                Some((salted, _)) => {
                    let hash = hashes
                        .entry(salted)
                        .or_insert_with(|| hash_with_salt_of(&password, stored_hash))
                        .as_ref();
                    // Parameters of an earlier version: computed by those.
                    hash.map_or_else(|| is_right(stored_hash), |hash| hash == stored_hash)
                }
                None => false,
            })
            .collect()
    })
    .await
}

/// Whether a password matches the stored hash, if any. Takes the same time if there is none.
pub(super) async fn verify(password: String, stored_hash: Option<String>) -> bool {
    verify_each(password, stored_hash.into_iter().collect()).await == [true]
}

fn verify_now(password: &str, stored_hash: &str) -> bool {
    hasher().verify_password(password.as_bytes(), stored_hash).is_ok()
}

/// Hashes a password with the salt of a stored hash; `None` if that hash has other parameters.
fn hash_with_salt_of(password: &str, stored_hash: &str) -> Option<String> {
    let (salted, _) = stored_hash.rsplit_once('$')?;
    let (_, salt) = salted.rsplit_once('$')?;
    let salt = STANDARD_NO_PAD.decode(salt).ok()?;
    let hash = hasher().hash_password_with_salt(password.as_bytes(), &salt).ok()?.to_string();
    (hash.rsplit_once('$')?.0 == salted).then_some(hash)
}

/// Runs slow work on a blocking thread, with limited concurrency.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // It is never closed; and without a turn the work is done all the same.
    let permit = HASHING_SLOTS.acquire().await.ok();
    let done = task::spawn_blocking(work).await;
    drop(permit);
    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_with_the_recommended_parameters() {
        let stored_hash = hash("correct horse battery".to_owned(), None).await;
        assert!(stored_hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored_hash}");
        assert_ne!(
            stored_hash,
            hash("correct horse battery".to_owned(), None).await,
            "the salt differs"
        );
        assert!(verify("correct horse battery".to_owned(), Some(stored_hash.clone())).await);
        assert!(!verify("correct horse batterz".to_owned(), Some(stored_hash)).await);
    }

    #[tokio::test]
    async fn no_password_is_right_when_none_is_kept() {
        assert!(!verify("nobody has this password".to_owned(), None).await);
        assert!(!verify(String::new(), Some("not a hash".to_owned())).await);
    }

    #[tokio::test]
    async fn one_computation_tells_in_which_organizations_a_password_is_right() {
        let first = hash("correct horse battery".to_owned(), None).await;
        let second = hash("quite another word".to_owned(), Some(first.clone())).await;
        let third = hash("correct horse battery".to_owned(), Some(first.clone())).await;
        let salt = |stored_hash: &str| stored_hash.rsplit_once('$').unwrap().0.to_owned();
        assert_eq!((salt(&first), salt(&first)), (salt(&second), salt(&third)));
        // One made with less, as an earlier version might have.
        let params = Params::new(8 * 1024, 1, 1, None).unwrap();
        let weak =
            Argon2::from(params).hash_password(b"correct horse battery").unwrap().to_string();
        let stored_hashes = vec![first, second, third, weak.clone()];
        let right = verify_each("correct horse battery".to_owned(), stored_hashes).await;
        assert_eq!(right, [true, false, true, true]);
        // Its salt goes with its parameters, so that it is not taken over.
        let new = hash("correct horse battery".to_owned(), Some(weak.clone())).await;
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && salt(&new) != salt(&weak));
    }

    #[test]
    fn a_password_is_of_12_to_128_characters_of_any_kind() {
        let words = "schlüssel katze tür 🔑 ".repeat(9);
        for (chars, good) in [(11, false), (12, true), (128, true), (129, false)] {
            let password: String = words.chars().take(chars).collect();
            assert_eq!(check(&password, &[]).is_ok(), good, "{password:?}");
        }
    }

    #[test]
    fn what_many_people_choose_is_no_password() {
        for password in [
            "123456789012",
            "111111111111",
            "            ",
            "password1234",
            "passwordpassword",
            "P@ssw0rd1234",
            "qwertyuiop12",
            "1q2w3e4r5t6y",
            "iloveyou1234",
            "letmein12345",
            "administrator",
            "changeme1234",
            "abcabcabcabc",
            "aaaaaaaaaaaa",
            "🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑",
            "grace.hopper@acme.example",
            "Grace.Hopper1",
            "mainstay2026",
        ] {
            let personal_words =
                ["grace.hopper@acme.example", "grace.hopper", "Grace Hopper", "mainstay"];
            let error = check(password, &personal_words).unwrap_err().to_string();
            assert!(error.contains("is too easy to guess"), "{password:?}: {error}");
            assert!(!error.contains(password), "{error}");
        }
        for password in ["correct horse battery", "four words of mine", "quite another word"] {
            assert!(check(password, &[]).is_ok(), "{password:?}");
        }
    }
}
