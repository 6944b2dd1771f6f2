//! Passwords in URLs, which can be stored in separate files.

use std::{fs, path::PathBuf};

use url::Url;

use super::ConfigError;

/// Whether a URL contains a password.
pub(super) fn contains_password(url: &str) -> bool {
    // One that cannot be parsed is refused in a moment; a password may be in it all the same.
    Url::parse(url).map_or_else(
        |_| url.contains('@'),
        |url| url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password"),
    )
}

/// A URL with the password from a file, if one is configured.
pub(super) fn with_password(
    name: &'static str,
    url: Option<String>,
    file: Option<PathBuf>,
) -> Result<Option<String>, ConfigError> {
    let (Some(path), Some(text)) = (file, &url) else { return Ok(url) };
    let malformed = |reason| {
        let value = path.display().to_string();
        Err(ConfigError::Value { name, value, reason })
    };
    let Some(mut url) = Url::parse(text).ok().filter(Url::has_host) else {
        return malformed("is a password without a server: the URL is not set; remove it");
    };
    if contains_password(text) {
        return malformed("conflicts with the password in the URL; remove the one in the URL");
    }
    if url.username().is_empty() {
        return malformed("is a password without a user; add the user to the URL, as in user@host");
    }
    let password = fs::read_to_string(&path).map_err(|error| ConfigError::PasswordFile {
        name,
        path: path.clone(),
        error,
    })?;
    let password = password.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return malformed("is empty; write the password to it");
    }
    if url.set_password(Some(password)).is_err() {
        return malformed("cannot be used with this URL; use one with user and host");
    }
    Ok(Some(url.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(url: &str, password: &str) -> Result<Option<String>, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, password).unwrap();
        with_password("smtp_password_file", Some(url.to_owned()), Some(path))
    }

    #[test]
    fn a_password_of_a_file_gets_into_the_url_whatever_it_is_made_of() {
        let url = with("postgres://ada@db/mainstay?sslmode=require", "p@s:s/ w%\n").unwrap();
        let url = Url::parse(&url.unwrap()).unwrap();
        assert_eq!(url.password(), Some("p%40s%3As%2F%20w%"));
        assert_eq!((url.username(), url.path()), ("ada", "/mainstay"));
        assert_eq!(
            with_password("x", Some("sqlite:m.db".to_owned()), None).unwrap().unwrap(),
            "sqlite:m.db"
        );
    }

    #[test]
    fn a_password_that_has_no_place_is_refused_without_showing_it() {
        for (url, password, said) in [
            ("sqlite:m.db", "hunter2", "is not set"),
            ("smtp://ada:x@mail", "hunter2", "remove the one in the URL"),
            ("smtp://mail", "hunter2", "without a user"),
            ("smtp://ada@mail", "\n", "is empty"),
        ] {
            let error = with(url, password).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
        }
        let missing =
            with_password("x", Some("smtp://ada@mail".to_owned()), Some("/nowhere/p".into()));
        assert!(missing.unwrap_err().to_string().starts_with("x /nowhere/p: "));
    }

    #[test]
    fn a_url_with_a_password_is_known() {
        for url in ["postgres://a:b@h/d", "postgres://h/d?password=b", "postgres://a:b@h:x/d"] {
            assert!(contains_password(url), "{url}");
        }
        for url in ["postgres://a@h/d", "sqlite:m.db", "smtp://h"] {
            assert!(!contains_password(url), "{url}");
        }
    }
}
