//! Progress bars. They are on standard error and only where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over steps.
pub(super) fn steps() -> ProgressBar {
    bar("{msg:<16} {bar:32} {percent:>3} %  {elapsed}")
}

/// A bar over the bytes of a file.
pub(super) fn bytes() -> ProgressBar {
    bar("{bar:32} {binary_bytes} of {binary_total_bytes}  {msg}  {elapsed}")
}

fn bar(template: &str) -> ProgressBar {
    // A template that is wrong shows indicatif's own bar, which is no reason to fail.
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("\u{2501}\u{2501}\u{2500}");
    ProgressBar::new(0).with_style(style)
}
