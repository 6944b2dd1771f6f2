//! The output of commands, on standard output.

use std::io::{self, BufWriter, IsTerminal as _, Write};

use console::Style;
use serde::Serialize;

use super::args::OutputFormat;
use crate::spreadsheet::safe_cell;

/// Standard output, or a replacement.
///
/// If its reader closes the pipe (`mainstay score | head`), the rest is silently dropped: the
/// command still finishes its work.
pub(super) struct Output {
    writer: BufWriter<Box<dyn Write>>,
    closed: bool,
    /// Whether it is a terminal, which interprets control characters.
    terminal: bool,
    colours: bool,
}

impl Output {
    pub(super) fn stdout() -> Self {
        let plain = |name, value: Option<&str>| {
            std::env::var_os(name)
                .is_some_and(|set| value.map_or(!set.is_empty(), |value| set == value))
        };
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let colours = terminal && !plain("NO_COLOR", None) && !plain("TERM", Some("dumb"));
        Self { terminal, ..Self::new(Box::new(stdout), colours) }
    }

    pub(super) fn new(writer: Box<dyn Write>, colours: bool) -> Self {
        Self { writer: BufWriter::new(writer), closed: false, terminal: false, colours }
    }

    /// A style that does nothing if colours are disabled.
    pub(super) fn style(&self) -> Style {
        Style::new().force_styling(self.colours)
    }

    /// Prints one JSON value on a line.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.json_value(value)?;
        writeln!(self)
    }

    /// Prints a JSON array, one element per line: `grep` and `diff` work on it, and indentation
    /// does not blow up a large one.
    pub(super) fn json_array<T: Serialize>(&mut self, values: &[T]) -> io::Result<()> {
        let mut separator = "\n";
        write!(self, "[")?;
        for value in values {
            write!(self, "{separator}")?;
            self.json_value(value)?;
            separator = ",\n";
        }
        writeln!(self, "{}]", if values.is_empty() { "" } else { "\n" })
    }

    fn json_value(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut serializer = serde_json::Serializer::with_formatter(&mut *self, EscapedControls);
        Ok(value.serialize(&mut serializer)?)
    }

    /// Prints CSV, always with a header. Its cells are never formulas for spreadsheets and cannot
    /// control a terminal.
    pub(super) fn csv<T: Serialize>(&mut self, header: &[&str], rows: &[T]) -> io::Result<()> {
        let terminal = self.terminal;
        let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(&mut *self);
        csv.write_record(header)?;
        for row in rows {
            for cell in &cells_of(row)? {
                let cell = safe_cell(cell);
                csv.write_field(if terminal {
                    without_controls(&cell)
                } else {
                    cell.into_owned()
                })?;
            }
            csv.write_record(None::<&[u8]>)?;
        }
        csv.flush()
    }

    /// Prints rows for programs; returns false if the format is for people.
    pub(super) fn records<Csv: Serialize, Json: Serialize>(
        &mut self,
        print: OutputFormat,
        header: &[&str],
        csv: impl FnOnce() -> Vec<Csv>,
        json: impl FnOnce() -> Vec<Json>,
    ) -> io::Result<bool> {
        match print {
            OutputFormat::Table => return Ok(false),
            OutputFormat::Csv => self.csv(header, &csv())?,
            OutputFormat::Json => self.json_array(&json())?,
        }
        Ok(true)
    }

    /// Flushes the buffer.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }

    fn ignore_closed_pipe(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            result => result,
        }
    }
}

impl Write for Output {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if !self.closed {
            let written = self.writer.write_all(buffer);
            self.ignore_closed_pipe(written)?;
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let flushed = self.writer.flush();
        self.ignore_closed_pipe(flushed)
    }
}

/// A row's cells as the CSV library writes them.
fn cells_of<T: Serialize>(row: &T) -> io::Result<csv::StringRecord> {
    let mut line = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    line.serialize(row)?;
    let line = line.into_inner().map_err(csv::IntoInnerError::into_error)?;
    let mut cells = csv::StringRecord::new();
    csv::ReaderBuilder::new().has_headers(false).from_reader(&line[..]).read_record(&mut cells)?;
    Ok(cells)
}

/// Text as it may stand on a terminal, line breaks included, which quoted cells may have.
fn without_controls(text: &str) -> String {
    let clean = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    text.chars().map(clean).collect()
}

/// Compact JSON in which DEL and the controls U+0080 to U+009F are escaped as well: U+009B begins a
/// sequence that terminals obey, as ESC does, and JSON has to escape only the latter.
struct EscapedControls;

impl serde_json::ser::Formatter for EscapedControls {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for part in fragment.split_inclusive(char::is_control) {
            match part.chars().next_back().filter(|c| c.is_control()) {
                Some(control) => {
                    let text = &part[..part.len() - control.len_utf8()];
                    write!(writer, "{text}\\u{:04x}", u32::from(control))?;
                }
                None => writer.write_all(part.as_bytes())?,
            }
        }
        Ok(())
    }
}

/// Prints a note for people on standard error.
pub(super) fn print_note(text: &str) {
    // Nobody is left to be told when this fails.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    struct ClosedPipe;

    impl Write for ClosedPipe {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct FullDisk;

    impl Write for FullDisk {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(Clone, Default)]
    struct SharedBuffer(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

    impl Write for SharedBuffer {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(buffer)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(Serialize)]
    struct Row {
        client_id: &'static str,
        change: Option<i64>,
        share: f64,
    }

    const HOSTILE: Row =
        Row { client_id: "=1+1\n\u{1b}[2J\u{9b}2J", change: Some(-3), share: -0.5 };

    fn printed(terminal: bool, print: impl FnOnce(&mut Output) -> io::Result<()>) -> String {
        let buffer = SharedBuffer::default();
        let mut out = Output { terminal, ..Output::new(Box::new(buffer.clone()), false) };
        print(&mut out).and_then(|()| out.finish()).unwrap();
        drop(out);
        String::from_utf8(buffer.0.take()).unwrap()
    }

    #[test]
    fn cells_are_no_formulas_and_numbers_stay_numbers() {
        let csv =
            |terminal| printed(terminal, |out| out.csv(&["id", "change", "share"], &[HOSTILE]));
        assert_eq!(csv(false), "id,change,share\n\"'=1+1\n\u{1b}[2J\u{9b}2J\",-3,-0.5\n");
        assert_eq!(csv(true), "id,change,share\n\"'=1+1\n\u{fffd}[2J\u{fffd}2J\",-3,-0.5\n");
    }

    #[test]
    fn json_holds_no_character_that_a_terminal_obeys() {
        let json = printed(true, |out| out.json(&HOSTILE));
        assert_eq!(
            json,
            "{\"client_id\":\"=1+1\\n\\u001b[2J\\u009b2J\",\"change\":-3,\"share\":-0.5}\n"
        );
        assert_eq!(printed(true, |out| out.json(&"\u{7f}ä\u{85}")), "\"\\u007fä\\u0085\"\n");
    }

    #[test]
    fn a_reader_that_goes_away_is_no_error_but_a_full_disk_is() {
        let lines = || "a line of the answer\n".repeat(10_000);
        let mut out = Output::new(Box::new(ClosedPipe), false);
        out.write_all(lines().as_bytes()).unwrap();
        out.finish().unwrap();
        let mut out = Output::new(Box::new(FullDisk), false);
        assert!(out.write_all(lines().as_bytes()).and_then(|()| out.finish()).is_err());
    }
}
