//! From what was downloaded to the file in it: gzip or not, in a tar archive or not.

use std::io::{self, BufRead, Read, Write};

use flate2::bufread::MultiGzDecoder;

/// A tar archive is made of these.
const BLOCK: usize = 512;
/// Most members that are looked at.
const MEMBERS: usize = 64;

/// Why there is nothing.
#[derive(Debug)]
pub enum Error {
    /// More than the limit.
    TooLarge,
    /// What came is damaged.
    Input(io::Error),
    /// It cannot be written.
    Output(io::Error),
}

/// Writes the file that `input` holds: itself, or the first `*.mmdb` of an archive.
///
/// # Errors
/// [`Error`]; what was written then is of no use.
pub fn unpack(mut input: impl BufRead, output: &mut impl Write, limit: u64) -> Result<(), Error> {
    let packed = input.fill_buf().map_err(Error::Input)?.starts_with(&[0x1f, 0x8b]);
    if packed {
        plain(MultiGzDecoder::new(input), output, limit)
    } else {
        plain(input, output, limit)
    }
}

fn plain(input: impl Read, output: &mut impl Write, limit: u64) -> Result<(), Error> {
    // One more than the limit tells that there is more.
    let mut input = input.take(limit.saturating_add(1));
    let mut first = Vec::with_capacity(BLOCK);
    (&mut input)
        .take(BLOCK as u64)
        .read_to_end(&mut first)
        .map_err(Error::Input)?;
    if first.get(257..262) == Some(b"ustar".as_slice()) {
        member(first, &mut input, output)?;
    } else {
        output.write_all(&first).map_err(Error::Output)?;
        copy(&mut input, output)?;
    }
    if input.limit() == 0 {
        return Err(Error::TooLarge);
    }
    Ok(())
}

fn damaged(what: &str) -> Error {
    Error::Input(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// The first `*.mmdb`, written; `header` is the first block.
fn member(mut header: Vec<u8>, input: &mut impl Read, output: &mut impl Write) -> Result<(), Error> {
    for _ in 0..MEMBERS {
        if header.len() < BLOCK || header.iter().all(|b| *b == 0) {
            break;
        }
        let name = header[..100].split(|b| *b == 0).next().unwrap_or_default();
        let size = size(&header[124..136]).ok_or_else(|| damaged("a damaged archive"))?;
        let regular = matches!(header[156], b'0' | 0);
        if regular && name.ends_with(b".mmdb") {
            let written = copy(&mut input.take(size), output)?;
            return if written == size {
                Ok(())
            } else {
                Err(damaged("the archive breaks off"))
            };
        }
        let padded = size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
        copy(&mut input.take(padded), &mut io::sink())?;
        header.clear();
        input
            .take(BLOCK as u64)
            .read_to_end(&mut header)
            .map_err(Error::Input)?;
    }
    Err(damaged("an archive without a .mmdb file"))
}

/// Octal digits, padded with spaces or zeros.
fn size(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches([' ', '\0']), 8).ok()
}

/// Copies, and tells which side failed.
fn copy(input: &mut impl Read, output: &mut impl Write) -> Result<u64, Error> {
    let mut buffer = vec![0; 64 << 10];
    let mut total = 0;
    loop {
        let n = match input.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Error::Input(e)),
        };
        output.write_all(&buffer[..n]).map_err(Error::Output)?;
        total += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn tar(members: &[(&str, u8, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, kind, content) in members {
            let mut header = vec![0; BLOCK];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
            header[156] = *kind;
            header[257..262].copy_from_slice(b"ustar");
            out.extend(header);
            out.extend(*content);
            out.resize(out.len().next_multiple_of(BLOCK), 0);
        }
        out.resize(out.len() + 2 * BLOCK, 0);
        out
    }

    fn run(bytes: &[u8], limit: u64) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        unpack(bytes, &mut out, limit).map(|()| out).map_err(|e| match e {
            Error::TooLarge => "too large".to_owned(),
            Error::Input(e) | Error::Output(e) => e.to_string(),
        })
    }

    #[test]
    fn plain_packed_and_archived() {
        let file = vec![7; 2000];
        let archive = tar(&[
            ("x_2026/", b'5', b""),
            ("x_2026/LICENSE.txt", b'0', &[b'l'; 700]),
            ("x_2026/evil.mmdb", b'2', b""),
            ("x_2026/x.mmdb", b'0', &file),
            ("x_2026/second.mmdb", b'0', b"not this one"),
        ]);
        for input in [&file, &gz(&file), &archive, &gz(&archive)] {
            assert_eq!(run(input, 10_000).as_deref(), Ok(file.as_slice()));
        }
        assert_eq!(run(b"", 10), Ok(Vec::new()));
        assert_eq!(run(b"x", 10), Ok(b"x".to_vec()));
    }

    #[test]
    fn what_is_too_large_or_broken() {
        let zeros = vec![0; 1 << 20];
        assert_eq!(run(&gz(&zeros), 1000).unwrap_err(), "too large");
        assert_eq!(run(&zeros[..1001], 1000).unwrap_err(), "too large");
        assert_eq!(run(&zeros[..1000], 1000).map(|f| f.len()), Ok(1000));
        let packed = gz(&zeros);
        assert!(run(&packed[..packed.len() / 2], 2 << 20).is_err());
        let archive = tar(&[("x.mmdb", b'0', &zeros)]);
        assert_eq!(run(&archive, 10_000).unwrap_err(), "the archive breaks off");
        assert!(run(&archive[..5000], 2 << 20).is_err());
        let without = tar(&[("x.txt", b'0', b"x")]);
        assert_eq!(
            run(&without, 10_000).unwrap_err(),
            "an archive without a .mmdb file"
        );
        let mut odd = archive.clone();
        odd[124..136].copy_from_slice(b"99999999999 ");
        assert_eq!(run(&odd, 10_000).unwrap_err(), "a damaged archive");
        let mut huge = without.clone();
        huge[124..136].copy_from_slice(b"77777777777 ");
        assert!(run(&huge, 10_000).is_err());
    }
}
