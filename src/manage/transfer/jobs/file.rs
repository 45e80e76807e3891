//! Lines in a zstd frame, written and read without holding more than one of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use serde::Serialize;

use super::ImportError;
use crate::kernel::hex;
use crate::manage::transfer::model::file::{Again, End, FORMAT, Head, LINE, Line};
use crate::manage::transfer::model::row::{Row, short};
use crate::manage::transfer::model::{PARTS, Part, part};

/// How the last line begins.
const END: &[u8] = b"{\"end\":";
/// Most that a file may make us remember while it is unpacked: 32 MiB.
const WINDOW: u32 = 25;

/// Writes a file.
pub struct Writer<W: Write> {
    out: zstd::stream::write::Encoder<'static, W>,
    hash: Context,
    counts: BTreeMap<String, u64>,
}

impl<W: Write> Writer<W> {
    pub fn new(to: W) -> io::Result<Self> {
        Ok(Self {
            out: zstd::stream::write::Encoder::new(to, 3)?,
            hash: Context::new(&SHA256),
            counts: PARTS.iter().map(|part| (part.table.to_owned(), 0)).collect(),
        })
    }

    fn put(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        for part in parts {
            self.hash.update(part);
            self.out.write_all(part)?;
        }
        Ok(())
    }

    /// A line that is no row.
    pub fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(value)?;
        text.push(b'\n');
        self.put(&[&text])
    }

    /// A row of a table, as JSON.
    pub fn row(&mut self, table: &str, row: &[u8]) -> io::Result<()> {
        *self.counts.entry(table.to_owned()).or_default() += 1;
        self.put(&[b"{\"table\":\"", table.as_bytes(), b"\",\"row\":", row, b"}\n"])
    }

    /// The last line; then the file is whole.
    pub fn end(self) -> io::Result<(W, End)> {
        let Self {
            mut out,
            hash,
            counts,
        } = self;
        let end = End {
            counts,
            sha256: hex::encode(hash.finish().as_ref()),
        };
        serde_json::to_writer(&mut out, &serde_json::json!({ "end": end }))?;
        out.write_all(b"\n")?;
        Ok((out.finish()?, end))
    }
}

/// What the next line says.
pub enum Next<'a> {
    Row(&'static Part, Row<'a>),
    Again(Again),
    /// The last one, and nothing stands behind it.
    End(End),
}

/// Reads a file that nobody vouches for.
pub struct Reader {
    input: BufReader<zstd::stream::read::Decoder<'static, BufReader<File>>>,
    hash: Context,
    counts: BTreeMap<String, u64>,
    /// Tables come in their order.
    stage: usize,
    buffer: Vec<u8>,
    /// The number of the line at hand.
    pub line: u64,
}

impl Reader {
    /// Opens a file and reads its head.
    pub fn open(path: &Path) -> Result<(Self, Head), ImportError> {
        let read = |e: io::Error| ImportError::Read(format!("{}: {e}", path.display()));
        let file = File::open(path).map_err(read)?;
        if !file.metadata().map_err(read)?.is_file() {
            let why = "is no file; it is read twice, so that nothing is done before all of it is known";
            return Err(ImportError::Read(format!("{} {why}", path.display())));
        }
        let mut unpack = zstd::stream::read::Decoder::new(file).map_err(read)?;
        unpack.window_log_max(WINDOW).map_err(read)?;
        let mut reader = Self {
            input: BufReader::new(unpack),
            hash: Context::new(&SHA256),
            counts: PARTS.iter().map(|part| (part.table.to_owned(), 0)).collect(),
            stage: 0,
            buffer: Vec::new(),
            line: 0,
        };
        if !reader.fill()? {
            return Err(reader.wrong("the file is empty"));
        }
        let head: Head = serde_json::from_slice(&reader.buffer)
            .map_err(|_| reader.wrong("is no tenant that Garrison wrote"))?;
        if head.format != FORMAT {
            let why = format!(
                "has form {}, this release reads {FORMAT}: it was written by Garrison {}",
                head.format,
                short(&head.release)
            );
            return Err(reader.wrong(&why));
        }
        reader.hash.update(&reader.buffer);
        Ok((reader, head))
    }

    /// An error at the line at hand.
    pub fn wrong(&self, why: &str) -> ImportError {
        ImportError::Line(self.line, why.to_owned())
    }

    /// Reads a line; false at the end of the file.
    fn fill(&mut self) -> Result<bool, ImportError> {
        self.buffer.clear();
        self.line += 1;
        let read = (&mut self.input)
            .take(LINE + 1)
            .read_until(b'\n', &mut self.buffer);
        match read {
            Err(e) => Err(self.wrong(&format!("the file is cut or damaged: {e}"))),
            Ok(0) => Ok(false),
            Ok(n) if n as u64 > LINE => Err(self.wrong("is longer than any that Garrison writes")),
            Ok(_) if self.buffer.last() != Some(&b'\n') => Err(self.wrong("the file is cut")),
            Ok(_) => Ok(true),
        }
    }

    /// The next line.
    pub fn next(&mut self) -> Result<Next<'_>, ImportError> {
        if !self.fill()? {
            return Err(self.wrong("the file is cut: its last line is missing"));
        }
        let line = self.line;
        let wrong = |why: String| ImportError::Line(line, why);
        if self.buffer.starts_with(END) {
            return self.finish().map(Next::End);
        }
        self.hash.update(&self.buffer);
        let said: Line<'_> = serde_json::from_slice(&self.buffer)
            .map_err(|e| wrong(format!("is no line of ours: {}", short(&e.to_string()))))?;
        match said {
            Line {
                table: Some(table),
                row: Some(row),
                again: None,
                end: None,
            } => {
                let (stage, part) =
                    part(&table).ok_or_else(|| wrong(format!("there is no table {}", short(&table))))?;
                if stage < self.stage {
                    return Err(wrong(format!("{table} is out of its order")));
                }
                self.stage = stage;
                *self.counts.entry(table).or_default() += 1;
                Ok(Next::Row(part, Row::read(part, row).map_err(wrong)?))
            }
            Line {
                again: Some(again),
                table: None,
                row: None,
                end: None,
            } => Ok(Next::Again(Again {
                what: short(&again.what),
                name: short(&again.name),
            })),
            _ => Err(wrong("is no line of ours".to_owned())),
        }
    }

    fn finish(&mut self) -> Result<End, ImportError> {
        let said: Line<'_> = serde_json::from_slice(&self.buffer).map_err(|_| self.wrong("no last line"))?;
        let end = said.end.ok_or_else(|| self.wrong("no last line"))?;
        let found = hex::encode(self.hash.clone().finish().as_ref());
        if end.counts != self.counts {
            return Err(self.wrong("the file has not the rows that it says it has"));
        }
        if end.sha256 != found {
            return Err(self.wrong("the file is not as it was written: its SHA-256 is another"));
        }
        if self.fill()? {
            return Err(self.wrong("something stands behind the last line"));
        }
        Ok(end)
    }
}
