//! Passwords: what one must be, and how it is kept.

use std::sync::LazyLock;

use argon2::{Argon2, Params, PasswordHasher as _, PasswordVerifier as _};
use tokio::{sync::Semaphore, task};

use crate::{Error, Result};

/// Shortest password, in characters. Length is all that is asked: rules of composition make people
/// choose worse ones.
pub const MIN_PASSWORD_CHARS: usize = 12;
/// Longest password, in characters.
pub const MAX_PASSWORD_CHARS: usize = 128;

/// What OWASP recommends for argon2id at the least: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Passwords that are worked on at a time: each takes its memory, and a core.
static TURNS: Semaphore = Semaphore::const_new(4);

/// What a password is compared with when there is none, so that it takes as long.
static NOBODYS: LazyLock<String> = LazyLock::new(|| hash_now("nobody has this password"));

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are valid");
    Argon2::from(params)
}

fn hash_now(password: &str) -> String {
    let hash = hasher().hash_password(password.as_bytes());
    hash.expect("the operating system gives randomness").to_string()
}

/// Refuses a password that is too short or too long.
pub(super) fn check(password: &str) -> Result<()> {
    let chars = password.chars().count();
    if (MIN_PASSWORD_CHARS..=MAX_PASSWORD_CHARS).contains(&chars) {
        return Ok(());
    }
    Err(Error::invalid(
        "password",
        format!(
            "has {chars} characters; use {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS}, of any kind, \
             for example four words"
        ),
    ))
}

/// A password as it is kept.
pub(super) async fn hash(password: String) -> String {
    aside(move || hash_now(&password)).await
}

/// Whether a password is the one that is kept, if any is. Takes as long when none is.
pub(super) async fn verify(password: String, kept: Option<String>) -> bool {
    aside(move || {
        let nobodys = &*NOBODYS;
        let hash = kept.as_deref().unwrap_or(nobodys);
        let right = hasher().verify_password(password.as_bytes(), hash).is_ok();
        right && kept.is_some()
    })
    .await
}

/// Does slow work on a thread of its own, few at a time.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // It is never closed; and without a turn the work is done all the same.
    let turn = TURNS.acquire().await.ok();
    let done = task::spawn_blocking(work).await;
    drop(turn);
    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_with_the_recommended_parameters() {
        let kept = hash("correct horse battery".to_owned()).await;
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_ne!(kept, hash("correct horse battery".to_owned()).await, "the salt differs");
        assert!(verify("correct horse battery".to_owned(), Some(kept.clone())).await);
        assert!(!verify("correct horse batterz".to_owned(), Some(kept)).await);
    }

    #[tokio::test]
    async fn no_password_is_right_when_none_is_kept() {
        assert!(!verify("nobody has this password".to_owned(), None).await);
    }

    #[test]
    fn only_the_length_of_a_password_counts_in_characters() {
        for (password, good) in [
            ("a".repeat(11), false),
            ("a".repeat(12), true),
            ("\u{1f511}".repeat(12), true),
            ("\u{1f511}".repeat(11), false),
            (" ".repeat(128), true),
            ("a".repeat(129), false),
        ] {
            assert_eq!(check(&password).is_ok(), good, "{password:?}");
        }
    }
}
