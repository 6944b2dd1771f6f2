use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding};

use super::input::Input;

/// Maximum length of a row, in bytes without its line end: 1 MiB. An event's data has at most 32 KiB, so a
/// longer row is a mistake (an open quote, a whole export on one line), not an event.
pub const MAX_ROW_BYTES: usize = 1024 * 1024;

/// Size of a read.
const CHUNK: usize = 64 * 1024;

/// A file as lines, with unlimited lookahead.
///
/// A CSV row needs that: its end is only known once its quotes are closed, and if they never are,
/// the later lines are separate rows. A `BufRead` would have to copy every row and could not return
/// lines.
pub(super) struct Lines {
    input: Input,
    buffer: Vec<u8>,
    /// The start of unconsumed bytes in `buffer`. Other offsets are relative to it.
    start: usize,
    /// Whether `input` is exhausted.
    ended: bool,
    /// Number of lines consumed.
    taken: u64,
    /// The decoder, if the file is not UTF-8.
    decoder: Option<Decoder>,
    /// The line terminator: old Macintosh programs write only a carriage return.
    line_end: u8,
}

/// The next line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line that ends before this offset, including its terminator.
    Until(usize),
    /// A line that would make the row longer than [`MAX_ROW_BYTES`].
    TooLong,
    /// The end of the file.
    None,
}

impl Lines {
    pub(super) fn new(input: Input) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            start: 0,
            ended: false,
            taken: 0,
            decoder: None,
            line_end: b'\n',
        }
    }

    pub(super) const fn input(&self) -> &Input {
        &self.input
    }

    /// Number of lines consumed; the next line's number is one more.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// The unconsumed bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Reads until at least `bytes` are buffered, or the file ends.
    pub(super) fn peek(&mut self, bytes: usize) -> io::Result<&[u8]> {
        while self.bytes().len() < bytes && self.fill()? {}
        Ok(self.bytes())
    }

    /// Switches to another encoding than UTF-8, including buffered bytes.
    pub(super) fn decode(&mut self, encoding: &'static Encoding) -> io::Result<()> {
        let raw = self.buffer.split_off(self.start);
        self.buffer.clear();
        self.start = 0;
        self.decoder = Some(encoding.new_decoder_with_bom_removal());
        self.append_decoded(&raw, self.ended)
    }

    /// Uses carriage returns as terminators if the buffered part has no line feed.
    pub(super) fn recognise_line_ends(&mut self) -> io::Result<()> {
        let head = self.peek(CHUNK)?;
        if !head.contains(&b'\n') && head.contains(&b'\r') {
            self.line_end = b'\r';
        }
        Ok(())
    }

    fn append_decoded(&mut self, raw: &[u8], last: bool) -> io::Result<()> {
        let Some(decoder) = &mut self.decoder else {
            self.buffer.extend_from_slice(raw);
            return Ok(());
        };
        let mut rest = raw;
        loop {
            let filled = self.buffer.len();
            self.buffer.resize(filled + 3 * rest.len() + 16, 0);
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut self.buffer[filled..], last);
            self.buffer.truncate(filled + written);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    let name = decoder.encoding().name();
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!(
                            "some bytes are not valid {name}; check --encoding, or export it again"
                        ),
                    ));
                }
            }
        }
    }

    /// Finds the end of the line that starts at `from`, without consuming it.
    pub(super) fn line_from(&mut self, from: usize) -> io::Result<Line> {
        let mut searched = from;
        loop {
            let end = self.bytes()[searched..].iter().position(|byte| *byte == self.line_end);
            let row = end.map_or(self.bytes().len(), |end| searched + end);
            if row > MAX_ROW_BYTES {
                return Ok(Line::TooLong);
            }
            if end.is_some() {
                return Ok(Line::Until(row + 1));
            }
            searched = row;
            if !self.fill()? {
                return Ok(if row == from { Line::None } else { Line::Until(row) });
            }
        }
    }

    /// Consumes bytes that contain this many lines.
    pub(super) fn take(&mut self, bytes: usize, lines: u64) {
        self.start = (self.start + bytes).min(self.buffer.len());
        self.taken += lines;
    }

    /// Skips a line of any length.
    pub(super) fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let end = self.bytes().iter().position(|byte| *byte == self.line_end);
            let taken = end.map_or(self.bytes().len(), |end| end + 1);
            self.take(taken, 0);
            if end.is_some() || !self.fill()? {
                self.taken += 1;
                return Ok(());
            }
        }
    }

    /// Skips blank lines; returns whether anything follows.
    pub(super) fn skip_blank_lines(&mut self) -> io::Result<bool> {
        loop {
            match self.line_from(0)? {
                Line::Until(end) if is_blank(&self.bytes()[..end]) => self.take(end, 1),
                Line::Until(_) | Line::TooLong => return Ok(true),
                Line::None => return Ok(false),
            }
        }
    }

    /// Reads a chunk; `false` at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let filled = self.buffer.len();
        self.buffer.resize(filled + CHUNK, 0);
        let result = loop {
            match self.input.read(&mut self.buffer[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let read = result.as_ref().map_or(0, |read| *read);
        self.buffer.truncate(filled + read);
        self.ended = result? == 0;
        if self.decoder.is_some() {
            let raw = self.buffer.split_off(filled);
            self.append_decoded(&raw, self.ended)?;
            // What was held back of a character that is cut off may come out at the end.
            return Ok(!self.ended || self.buffer.len() > filled);
        }
        Ok(!self.ended)
    }
}

/// Whether a line is blank.
pub(super) fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}
