//! What a command answers, on standard output.

use std::io::{self, BufWriter, IsTerminal as _, Write};

use console::Style;
use serde::Serialize;

use super::args::Print;

/// Standard output, or whatever stands for it.
///
/// When its reader goes away (`mainstay score | head`), the rest is thrown away without a word: the
/// reader has what it wanted, and the command's own work is to be finished all the same.
pub(super) struct Output {
    writer: BufWriter<Box<dyn Write>>,
    gone: bool,
    colours: bool,
}

impl Output {
    pub(super) fn stdout() -> Self {
        let plain = |name, value: Option<&str>| {
            std::env::var_os(name)
                .is_some_and(|set| value.map_or(!set.is_empty(), |value| set == value))
        };
        let stdout = io::stdout();
        let colours =
            stdout.is_terminal() && !plain("NO_COLOR", None) && !plain("TERM", Some("dumb"));
        Self::new(Box::new(stdout), colours)
    }

    pub(super) fn new(writer: Box<dyn Write>, colours: bool) -> Self {
        Self { writer: BufWriter::new(writer), gone: false, colours }
    }

    /// A style that does nothing where colours are not wanted.
    pub(super) fn style(&self) -> Style {
        Style::new().force_styling(self.colours)
    }

    /// Prints one JSON value on a line.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut *self, value)?;
        writeln!(self)
    }

    /// Prints a JSON array, an element a line: `grep` and `diff` work on it, and a large one is not
    /// blown up by indentation.
    pub(super) fn json_array<T: Serialize>(&mut self, values: &[T]) -> io::Result<()> {
        let mut separator = "\n";
        write!(self, "[")?;
        for value in values {
            write!(self, "{separator}")?;
            serde_json::to_writer(&mut *self, value)?;
            separator = ",\n";
        }
        writeln!(self, "{}]", if values.is_empty() { "" } else { "\n" })
    }

    /// Prints CSV. The header is there also when nothing else is.
    pub(super) fn csv<T: Serialize>(&mut self, header: &[&str], rows: &[T]) -> io::Result<()> {
        let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(&mut *self);
        csv.write_record(header)?;
        for row in rows {
            csv.serialize(row)?;
        }
        csv.flush()
    }

    /// Prints rows for programs; false when people are to read them.
    pub(super) fn records<Csv: Serialize, Json: Serialize>(
        &mut self,
        print: Print,
        header: &[&str],
        csv: impl FnOnce() -> Vec<Csv>,
        json: impl FnOnce() -> Vec<Json>,
    ) -> io::Result<bool> {
        match print {
            Print::Table => return Ok(false),
            Print::Csv => self.csv(header, &csv())?,
            Print::Json => self.json_array(&json())?,
        }
        Ok(true)
    }

    /// Writes out what is held back.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }

    fn heard(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(())
            }
            result => result,
        }
    }
}

impl Write for Output {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if !self.gone {
            let written = self.writer.write_all(buffer);
            self.heard(written)?;
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gone {
            return Ok(());
        }
        let flushed = self.writer.flush();
        self.heard(flushed)
    }
}

/// Tells people something that is no part of the answer, on standard error.
pub(super) fn note(text: &str) {
    // Nobody is left to be told when this fails.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_no_error_but_a_full_disk_is() {
        let lines = || "a line of the answer\n".repeat(10_000);
        let mut out = Output::new(Box::new(Gone), false);
        out.write_all(lines().as_bytes()).unwrap();
        out.finish().unwrap();
        let mut out = Output::new(Box::new(Full), false);
        assert!(out.write_all(lines().as_bytes()).and_then(|()| out.finish()).is_err());
    }
}
