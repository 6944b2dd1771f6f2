/// A word that is none of the names an API or a column knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} {text:?}: use one of {allowed}")]
pub struct UnknownName {
    /// What was expected, for example "alert type".
    pub what: &'static str,
    /// The unknown text.
    pub text: String,
    /// Every name that would do, separated by commas.
    pub allowed: String,
}

/// An enum whose variants have one name each, the same in every API, in JSON and in storage.
macro_rules! named {
    (
        $(#[$doc:meta])*
        $name:ident, $what:literal {
            $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// All of them, in their order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in every API and in storage.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::insight::UnknownName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text).ok_or_else(|| {
                    $crate::insight::UnknownName {
                        what: $what,
                        text: text.to_owned(),
                        allowed: [$($text),+].join(", "),
                    }
                })
            }
        }
    };
}
pub(crate) use named;
