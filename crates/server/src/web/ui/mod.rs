//! What pages are made of, whoever looks at them: frames, components, icons, and the style sheets with
//! the design tokens.

pub(super) mod assets;
pub(crate) mod components;
#[cfg(feature = "gallery")]
pub(super) mod gallery;
pub(super) mod icons;
pub(super) mod shell;
pub(super) mod text;
