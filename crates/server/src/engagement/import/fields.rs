/// The fields of one CSV row, fed line by line until its quotes are closed.
///
/// Not the csv crate: it accepts any quoting, so a single stray quote makes the following rows part
/// of one field, and thousands of events are silently lost. It also does not report a row's text
/// and first line, which are needed to fix the file. This parser rejects everything that RFC 4180
/// does not allow, at the first invalid byte.
#[derive(Debug)]
pub(super) struct Fields {
    delimiter: u8,
    /// All fields without separators and quotes.
    text: Vec<u8>,
    /// Where each field ends in `text`.
    ends: Vec<usize>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// At the start of a field.
    #[default]
    Start,
    /// In a field without quotes.
    Plain,
    /// In a field with quotes.
    Quoted,
    /// After a quote in a quoted field: its end, or the first half of a doubled quote.
    Quote,
}

/// Whether a row is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Complete,
    /// A quote is still open: the row continues on the next line.
    Open,
}

impl Fields {
    pub(super) const fn separated_by(delimiter: u8) -> Self {
        Self { delimiter, text: Vec::new(), ends: Vec::new(), state: State::Start }
    }

    /// The delimiter's name in messages, in the plural.
    pub(super) const fn delimiters(&self) -> &'static str {
        match self.delimiter {
            b';' => "semicolons",
            b'\t' => "tabs",
            _ => "commas",
        }
    }

    /// Clears the row.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.state = State::Start;
    }

    /// The number of fields.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether all fields are blank, as written by spreadsheets below the data.
    pub(super) fn are_blank(&self) -> bool {
        self.text.trim_ascii().is_empty()
    }

    /// The fields in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }

    /// Reads a line, its line end included.
    ///
    /// # Errors
    /// What is wrong with the quotes, and the remedy.
    pub(super) fn feed(&mut self, line: &[u8]) -> Result<Progress, &'static str> {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        for byte in content {
            self.state = match (self.state, *byte) {
                (State::Start | State::Plain | State::Quote, byte) if byte == self.delimiter => {
                    self.ends.push(self.text.len());
                    State::Start
                }
                (State::Start, b'"') => State::Quoted,
                (State::Quoted, b'"') => State::Quote,
                (State::Plain, b'"') => {
                    return Err(
                        "has a quote (\") inside a field without quotes; quote the whole field, \
                         from its start, and double the quotes inside it (\"\")",
                    );
                }
                (State::Start | State::Plain, b'\r') => {
                    return Err(
                        "has a carriage return that is not followed by a line feed; put the field \
                         in quotes, or save the file with LF or CRLF line ends",
                    );
                }
                (State::Start | State::Plain, byte) => {
                    self.text.push(byte);
                    State::Plain
                }
                (State::Quoted, byte) => {
                    self.text.push(byte);
                    State::Quoted
                }
                (State::Quote, b'"') => {
                    self.text.push(b'"');
                    State::Quoted
                }
                (State::Quote, _) => {
                    return Err(
                        "continues after the closing quote of a field; double the quotes inside a \
                         field (\"\"), or close the quote of an earlier field",
                    );
                }
            };
        }
        if self.state == State::Quoted {
            self.text.extend_from_slice(&line[content.len()..]);
            return Ok(Progress::Open);
        }
        self.ends.push(self.text.len());
        Ok(Progress::Complete)
    }
}
