/// Names that somebody may well send: markup, a direction override, very wide, and their mixture.
pub(super) const MARKUP: &str = "<script>alert(1)</script><b>bold</b> & \"quoted\"";
pub(super) const OVERRIDE: &str = "Invoice \u{202e}gnp.exe";

/// 255 wide characters without a place to break.
pub(super) fn wide() -> String {
    "\u{56fd}".repeat(255)
}
