//! What a kernel file is packed in: a bzImage, a compressed file, or nothing.
//!
//! The layout of a bzImage is that of the Linux x86 boot protocol (Linux documentation, "The Linux/x86 Boot Protocol").

use core::fmt;

use crate::error::ImageError;
use crate::{unpack, CorruptData};

/// More than any kernel decompresses to; a size above it is a damaged one.
const LARGEST_KERNEL: u64 = 1 << 30;

/// How a payload is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// xz.
    Xz,
    /// LZMA in the old format of lzma-utils.
    Lzma,
    /// Zstandard (RFC 8878).
    Zstd,
    /// LZ4 in the legacy frame that Linux uses.
    Lz4,
    /// bzip2; not supported.
    Bzip2,
    /// LZO; not supported.
    Lzo,
}

impl Compression {
    /// The compression by the first bytes of the data; `None` where they are of no known kind.
    fn of(data: &[u8]) -> Option<Self> {
        const MAGICS: [(&[u8], Compression); 8] = [
            (b"\x7fELF", Compression::None),
            (&[0x1f, 0x8b], Compression::Gzip),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Compression::Xz),
            (&[0x5d, 0, 0], Compression::Lzma),
            (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
            (&[0x02, 0x21, 0x4c, 0x18], Compression::Lz4),
            (b"BZh", Compression::Bzip2),
            (&[0x89, b'L', b'Z', b'O'], Compression::Lzo),
        ];
        let (_, compression) = MAGICS.iter().find(|(magic, _)| data.starts_with(magic))?;
        Some(*compression)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "no compression",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Bzip2 => "bzip2",
            Self::Lzo => "lzo",
        })
    }
}

/// A kernel file, recognised.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    compression: Compression,
    payload: &'a [u8],
    unpacked: usize,
}

impl<'a> Container<'a> {
    /// How the ELF file in it is compressed.
    pub const fn compression(&self) -> Compression {
        self.compression
    }

    /// The size of the ELF file in it, in bytes: the buffer that [`Self::unpack`] needs.
    pub const fn unpacked_bytes(&self) -> usize {
        self.unpacked
    }

    /// The ELF file itself, where it is not compressed and need not be unpacked.
    pub fn as_elf(&self) -> Option<&'a [u8]> {
        (self.compression == Compression::None).then_some(self.payload)
    }

    /// Decompresses the ELF file into the front of `buffer`, which has [`Self::unpacked_bytes`] or more. The answer is the
    /// part of the buffer that holds it.
    ///
    /// The heap needed beside the buffer is small (below 100 KiB) but for Zstandard, which keeps a window of its own, up
    /// to 8 MiB and more as the data say.
    ///
    /// # Errors
    ///
    /// [`ImageError::Corrupt`] where the data are not what they say.
    pub fn unpack<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], ImageError> {
        let corrupt = |fault| ImageError::Corrupt {
            compression: self.compression,
            fault,
        };
        let output = buffer
            .get_mut(..self.unpacked)
            .ok_or(corrupt(CorruptData::Size))?;
        match self.compression {
            Compression::None => output.copy_from_slice(self.payload),
            Compression::Gzip => unpack::gzip(self.payload, output).map_err(corrupt)?,
            Compression::Xz => crate::xz::unpack(self.payload, output).map_err(corrupt)?,
            Compression::Lzma => {
                crate::lzma::unpack_alone(self.payload, output).map_err(corrupt)?
            }
            Compression::Zstd => unpack::zstd(self.payload, output).map_err(corrupt)?,
            Compression::Lz4 => unpack::lz4(self.payload, output).map_err(corrupt)?,
            unsupported @ (Compression::Bzip2 | Compression::Lzo) => {
                return Err(ImageError::Unsupported(unsupported));
            }
        }
        Ok(output)
    }
}

/// Finds out what `file` is: a bzImage with a compressed or bare ELF file in it, an ELF file, or one compressed by gzip.
///
/// # Errors
///
/// Where it is none of these, is cut short, or is compressed in a way that is not supported.
pub fn recognise(file: &[u8]) -> Result<Container<'_>, ImageError> {
    if let Some(payload) = bzimage_payload(file)? {
        return packed(payload);
    }
    match Compression::of(file) {
        Some(Compression::None) => Ok(Container {
            compression: Compression::None,
            payload: file,
            unpacked: file.len(),
        }),
        // Of the bare formats only gzip ends with the size of what is in it.
        Some(Compression::Gzip) => packed(file),
        _ => Err(ImageError::NotAKernel),
    }
}

/// The payload of a bzImage; `None` where the file is none.
fn bzimage_payload(file: &[u8]) -> Result<Option<&[u8]>, ImageError> {
    const SECTOR: u64 = 512;
    /// The first protocol that says where the payload is.
    const FIRST_VERSION: u16 = 0x0208;
    if file.get(0x202..0x206) != Some(b"HdrS") {
        return Ok(None);
    }
    let short = |needed| ImageError::Truncated {
        needed,
        present: file.len() as u64,
    };
    let field = |at: usize| {
        let bytes = file.get(at..at.wrapping_add(4));
        let bytes: Option<[u8; 4]> = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_le_bytes).ok_or(short(0x250))
    };
    let version = (field(0x206)? & 0xffff) as u16;
    if version < FIRST_VERSION {
        return Err(ImageError::OldProtocol { version });
    }
    let setup_sectors = match field(0x1f1)? & 0xff {
        // The protocol's rule for very old images.
        0 => 4,
        sectors => u64::from(sectors),
    };
    // None of these sums can overflow: two are of 32 bits, one of 17.
    let start = (setup_sectors + 1) * SECTOR + u64::from(field(0x248)?);
    let end = start + u64::from(field(0x24c)?);
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let payload = range.and_then(|(start, end)| file.get(start..end));
    payload.map(Some).ok_or(short(end))
}

/// A payload whose last four bytes are the size of what is in it, as gzip's are and Linux appends to the other formats.
fn packed(payload: &[u8]) -> Result<Container<'_>, ImageError> {
    let compression = Compression::of(payload).ok_or(ImageError::UnknownPayload)?;
    match compression {
        Compression::None => {
            return Ok(Container {
                compression,
                payload,
                unpacked: payload.len(),
            });
        }
        Compression::Bzip2 | Compression::Lzo => return Err(ImageError::Unsupported(compression)),
        _ => {}
    }
    let (data, size) = payload.split_last_chunk::<4>().ok_or(ImageError::Corrupt {
        compression,
        fault: CorruptData::Truncated,
    })?;
    let bytes = u64::from(u32::from_le_bytes(*size));
    if bytes > LARGEST_KERNEL {
        return Err(ImageError::TooLarge { bytes });
    }
    // gzip's own trailer is the size, the others end before it.
    let payload = if compression == Compression::Gzip {
        payload
    } else {
        data
    };
    Ok(Container {
        compression,
        payload,
        unpacked: bytes as usize,
    })
}
