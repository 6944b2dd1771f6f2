use std::{
    fs::File,
    io::{self, Chain, Cursor, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;

use super::{ImportError, ImportProblem};

/// The bytes of a file, decompressed if gzipped. Detected from its content, not its name, because
/// exports are often renamed.
pub(super) enum Input {
    Plain(Whole),
    /// Any number of gzip members, as written by `cat a.gz b.gz` or parallel compressors.
    Gzip(Box<MultiGzDecoder<Whole>>),
}

/// The bytes read for format detection, then the rest.
type Whole = Chain<Cursor<Vec<u8>>, CountingReader>;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

impl Input {
    /// Opens a file; also returns its size, unless it is a pipe.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<u64>), ImportError> {
        let opening = |error| ImportError::opening(path, error);
        // Asked first: opening a directory succeeds, and only reading it fails.
        if path.metadata().map_err(opening)?.is_dir() {
            return Err(ImportError::new(path, ImportProblem::Directory));
        }
        let file = File::open(path).map_err(opening)?;
        let metadata = file.metadata().map_err(opening)?;
        let size = metadata.is_file().then_some(metadata.len());

        let mut file = CountingReader { file, bytes: 0 };
        let mut magic = Vec::with_capacity(GZIP_MAGIC.len());
        (&mut file)
            .take(GZIP_MAGIC.len() as u64)
            .read_to_end(&mut magic)
            .map_err(|error| ImportError::reading(path, false, 0, error))?;
        let gzip = magic == GZIP_MAGIC;
        let whole = Cursor::new(magic).chain(file);
        let input = if gzip {
            Self::Gzip(Box::new(MultiGzDecoder::new(whole)))
        } else {
            Self::Plain(whole)
        };
        Ok((input, size))
    }

    pub(super) const fn is_gzip(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }

    /// Compressed bytes read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        let whole = match self {
            Self::Plain(whole) => whole,
            Self::Gzip(decoder) => decoder.get_ref(),
        };
        whole.get_ref().1.bytes
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(whole) => whole.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
        }
    }
}

/// A file that counts the bytes read.
pub(super) struct CountingReader {
    file: File,
    bytes: u64,
}

impl Read for CountingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Detects unsupported formats from the first bytes.
pub(super) fn not_text(head: &[u8]) -> Option<ImportProblem> {
    const TAR_MAGIC_AT: usize = 257;
    let what = if head.starts_with(b"PK\x03\x04") {
        "a ZIP archive or a spreadsheet; extract it, or save the sheet as CSV"
    } else if head.starts_with(&GZIP_MAGIC) {
        "compressed with gzip twice; decompress it once: gunzip FILE"
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        "compressed with zstd; decompress it, or compress it with gzip"
    } else if head.starts_with(&[0xfd, b'7', b'z', b'X', b'Z']) {
        "compressed with xz; decompress it, or compress it with gzip"
    } else if head.starts_with(b"BZh") && head.get(4..10) == Some(b"1AY&SY") {
        "compressed with bzip2; decompress it, or compress it with gzip"
    } else if head.get(TAR_MAGIC_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) {
        "a tar archive; extract it and import its files"
    } else {
        return None;
    };
    Some(ImportProblem::NotText(what))
}
