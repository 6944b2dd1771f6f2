//! Configured limits of connections and streams.

use std::time::Duration;

use serde::Deserialize;

use super::ConfigError;
use crate::http::Limits;

/// The table `[limits]` of the configuration file. Omitted keys get their defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsTable {
    connections: Option<u32>,
    connections_per_address: Option<u32>,
    header_timeout_seconds: Option<u32>,
    body_timeout_seconds: Option<u32>,
    body_bytes_per_second: Option<u32>,
    idle_timeout_seconds: Option<u32>,
    write_timeout_seconds: Option<u32>,
    streams: Option<u32>,
    streams_per_address: Option<u32>,
    streams_per_session: Option<u32>,
}

impl LimitsTable {
    /// The resolved limits: the environment takes precedence over the file.
    ///
    /// # Errors
    /// If one of them is not a whole number within its bounds.
    pub(super) fn resolve(
        self,
        env: impl Fn(&'static str) -> Option<Result<String, ConfigError>>,
    ) -> Result<Limits, ConfigError> {
        let number = |name, variable, file: Option<u32>, standard: u32| {
            let text = env(variable).transpose()?;
            match (text, file) {
                (Some(text), _) => number_of(name, &text),
                (None, Some(number)) => number_of(name, &number.to_string()),
                (None, None) => Ok(standard),
            }
        };
        let standard = Limits::default();
        let count = |name, variable, file, standard: usize| {
            let standard = u32::try_from(standard).unwrap_or(u32::MAX);
            number(name, variable, file, standard).map(|count| count as usize)
        };
        let seconds = |name, variable, file, standard: Duration| {
            let standard = u32::try_from(standard.as_secs()).unwrap_or(u32::MAX);
            number(name, variable, file, standard).map(|it| Duration::from_secs(it.into()))
        };
        Ok(Limits {
            connections: count(
                "limits.connections",
                "MAINSTAY_LIMITS_CONNECTIONS",
                self.connections,
                standard.connections,
            )?,
            connections_per_address: count(
                "limits.connections_per_address",
                "MAINSTAY_LIMITS_CONNECTIONS_PER_ADDRESS",
                self.connections_per_address,
                standard.connections_per_address,
            )?,
            header_timeout: seconds(
                "limits.header_timeout_seconds",
                "MAINSTAY_LIMITS_HEADER_TIMEOUT_SECONDS",
                self.header_timeout_seconds,
                standard.header_timeout,
            )?,
            body_timeout: seconds(
                "limits.body_timeout_seconds",
                "MAINSTAY_LIMITS_BODY_TIMEOUT_SECONDS",
                self.body_timeout_seconds,
                standard.body_timeout,
            )?,
            body_bytes_per_second: number(
                "limits.body_bytes_per_second",
                "MAINSTAY_LIMITS_BODY_BYTES_PER_SECOND",
                self.body_bytes_per_second,
                standard.body_bytes_per_second,
            )?,
            idle_timeout: seconds(
                "limits.idle_timeout_seconds",
                "MAINSTAY_LIMITS_IDLE_TIMEOUT_SECONDS",
                self.idle_timeout_seconds,
                standard.idle_timeout,
            )?,
            write_timeout: seconds(
                "limits.write_timeout_seconds",
                "MAINSTAY_LIMITS_WRITE_TIMEOUT_SECONDS",
                self.write_timeout_seconds,
                standard.write_timeout,
            )?,
            streams: count(
                "limits.streams",
                "MAINSTAY_LIMITS_STREAMS",
                self.streams,
                standard.streams,
            )?,
            streams_per_address: count(
                "limits.streams_per_address",
                "MAINSTAY_LIMITS_STREAMS_PER_ADDRESS",
                self.streams_per_address,
                standard.streams_per_address,
            )?,
            streams_per_session: count(
                "limits.streams_per_session",
                "MAINSTAY_LIMITS_STREAMS_PER_SESSION",
                self.streams_per_session,
                standard.streams_per_session,
            )?,
        })
    }
}

fn number_of(name: &'static str, text: &str) -> Result<u32, ConfigError> {
    text.parse().ok().filter(|number| (1..=1_000_000).contains(number)).ok_or_else(|| {
        ConfigError::Value {
            name,
            value: text.to_owned(),
            reason: "use a whole number from 1 to 1000000",
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(file: &str, env: &[(&'static str, &str)]) -> Result<Limits, String> {
        let table: LimitsTable = toml::from_str(file).map_err(|error| error.to_string())?;
        let env = |name: &'static str| {
            env.iter().find(|(key, _)| *key == name).map(|(_, text)| Ok((*text).to_owned()))
        };
        table.resolve(env).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_chosen_is_built_in_and_the_environment_comes_before_the_file() {
        assert_eq!(resolve("", &[]).unwrap(), Limits::default());
        let env = [("MAINSTAY_LIMITS_STREAMS", "7")];
        let limits = resolve("streams = 5\nheader_timeout_seconds = 3", &env).unwrap();
        assert_eq!((limits.streams, limits.header_timeout), (7, Duration::from_secs(3)));
        assert_eq!(limits.connections, Limits::default().connections);
    }

    #[test]
    fn a_limit_that_is_no_number_within_bounds_is_named() {
        for (file, env, name) in [
            ("connections = 0", None, "limits.connections \"0\": use a whole number from 1"),
            ("", Some(("MAINSTAY_LIMITS_STREAMS", "many")), "limits.streams \"many\": use a whole"),
        ] {
            let env: Vec<_> = env.into_iter().collect();
            let error = resolve(file, &env).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
        assert!(resolve("stream = 1", &[]).unwrap_err().contains("unknown field `stream`"));
    }
}
