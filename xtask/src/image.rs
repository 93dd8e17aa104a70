//! Turns the linked 64-bit ELF into the file that loaders take: a 32-bit ELF by machine address, symbols appended.
//!
//! QEMU's `-kernel` and GRUB's `multiboot` accept only 32-bit ELF files, though what they load may hold 64-bit code. The
//! segments are kept as they are; the PVH note is pointed at; a table of function names for backtraces (its format is
//! described in `hw/src/backtrace.rs`) becomes one more segment behind the image, and its place is written into the two
//! words at the symbol `boot_symbol_table`.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use object::elf;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol, SymbolKind};

#[cfg(test)]
mod tests;

/// What virtual addresses of names count from: the image's link address, `hw::layout::IMAGE_BASE`.
const IMAGE_BASE: u64 = 0xffff_82d0_0000_0000;
const PAGE: u64 = 4096;
const HEADER_BYTES: u32 = 52;
const PROGRAM_HEADER_BYTES: u32 = 32;
/// First word of the table of names: "XSYM".
const TABLE_MAGIC: u32 = u32::from_le_bytes(*b"XSYM");

/// A part of the new file: what a loader copies to a machine address (or, for a note, only points at).
struct Segment {
    kind: u32,
    flags: u32,
    address: u64,
    memory_bytes: u64,
    data: Vec<u8>,
}

/// Reads the linked image `elf64` and writes the loadable one to `out`.
pub fn wrap(elf64: &Path, out: &Path) -> io::Result<()> {
    let bytes = fs::read(elf64)?;
    let file = ElfFile64::<Endianness>::parse(&*bytes).map_err(io::Error::other)?;
    let mut segments = loadable_segments(&file)?;
    append_names(&file, &mut segments)?;
    let entry = file.entry();
    fs::write(out, write_elf32(entry, &segments)?)
}

/// Writes `image` gzipped to `out`, as `/boot` keeps it.
pub fn compress(image: &Path, out: &Path) -> io::Result<()> {
    let mut encoder =
        flate2::write::GzEncoder::new(fs::File::create(out)?, flate2::Compression::best());
    encoder.write_all(&fs::read(image)?)?;
    encoder.finish()?.flush()
}

/// The PT_LOAD and PT_NOTE segments by machine address; notes last, since they lie inside a loaded one.
fn loadable_segments(file: &ElfFile64<'_, Endianness>) -> io::Result<Vec<Segment>> {
    let endian = file.endian();
    let mut segments = Vec::new();
    let headers = file
        .elf_header()
        .program_headers(endian, file.data())
        .map_err(io::Error::other)?;
    for kind in [elf::PT_LOAD, elf::PT_NOTE] {
        for header in headers.iter().filter(|it| it.p_type(endian) == kind) {
            let data = header
                .data(endian, file.data())
                .map_err(|()| bad("a segment lies outside the file"))?;
            segments.push(Segment {
                kind,
                flags: header.p_flags(endian),
                address: header.p_paddr(endian),
                memory_bytes: header.p_memsz(endian),
                data: data.to_vec(),
            });
        }
    }
    Ok(segments)
}

/// Adds the segment of function names behind the image and tells the image where it is.
fn append_names(file: &ElfFile64<'_, Endianness>, segments: &mut Vec<Segment>) -> io::Result<()> {
    let table = name_table(file);
    let end = segments
        .iter()
        .map(|segment| segment.address + segment.memory_bytes)
        .max()
        .ok_or_else(|| bad("there is nothing to load"))?;
    let address = end.next_multiple_of(PAGE);
    let place = file
        .symbols()
        .find(|symbol| symbol.name() == Ok("boot_symbol_table"))
        .ok_or_else(|| bad("the symbol boot_symbol_table is missing"))?
        .address();
    let words = [address.to_le_bytes(), (table.len() as u64).to_le_bytes()].concat();
    let slot = segments
        .iter_mut()
        .filter(|segment| segment.kind == elf::PT_LOAD)
        .find_map(|segment| {
            let offset = usize::try_from(place.checked_sub(segment.address)?).ok()?;
            segment.data.get_mut(offset..offset + words.len())
        })
        .ok_or_else(|| bad("boot_symbol_table lies outside the loaded data"))?;
    slot.copy_from_slice(&words);
    let at = segments
        .iter()
        .position(|segment| segment.kind != elf::PT_LOAD)
        .unwrap_or(segments.len());
    segments.insert(
        at,
        Segment {
            kind: elf::PT_LOAD,
            flags: elf::PF_R,
            address,
            memory_bytes: table.len() as u64,
            data: table,
        },
    );
    Ok(())
}

/// Magic, count, then for each function by rising address its offset in the image and its name's offset in the names,
/// then the names, each ended by a zero byte. All numbers are 32-bit.
fn name_table(file: &ElfFile64<'_, Endianness>) -> Vec<u8> {
    let mut functions: Vec<(u32, String)> = file
        .symbols()
        .filter(|symbol| {
            matches!(
                symbol.kind(),
                SymbolKind::Text | SymbolKind::Unknown | SymbolKind::Label
            )
        })
        .filter(|symbol| symbol.is_definition() || symbol.kind() != SymbolKind::Text)
        .filter_map(|symbol| {
            let offset = u32::try_from(symbol.address().checked_sub(IMAGE_BASE)?).ok()?;
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name().ok()?));
            (!name.is_empty() && !name.starts_with(".L")).then_some((offset, name))
        })
        .collect();
    functions.sort();
    functions.dedup_by_key(|function| function.0);
    let mut numbers = Vec::new();
    let mut names = Vec::new();
    numbers.extend(TABLE_MAGIC.to_le_bytes());
    numbers.extend((functions.len() as u32).to_le_bytes());
    for (offset, name) in &functions {
        numbers.extend(offset.to_le_bytes());
        numbers.extend((names.len() as u32).to_le_bytes());
        names.extend(name.as_bytes());
        names.push(0);
    }
    numbers.extend(names);
    numbers
}

/// Lays the segments out page by page behind the headers; a note points into the segment that loads it.
fn write_elf32(entry: u64, segments: &[Segment]) -> io::Result<Vec<u8>> {
    let mut headers = Vec::new();
    let mut body: Vec<u8> = Vec::new();
    let mut placed: Vec<(u64, u64, u64)> = Vec::new(); // address, length, file offset
    for segment in segments {
        let length = segment.data.len() as u64;
        let inside = placed.iter().find(|(address, bytes, _)| {
            segment.kind != elf::PT_LOAD
                && segment.address >= *address
                && segment.address + length <= address + bytes
        });
        let offset = match inside {
            Some((address, _, offset)) => offset + (segment.address - address),
            None => {
                let offset = PAGE + (body.len() as u64).next_multiple_of(PAGE);
                body.resize((offset - PAGE) as usize, 0);
                body.extend(&segment.data);
                placed.push((segment.address, length, offset));
                offset
            }
        };
        for number in [
            u64::from(segment.kind),
            offset,
            segment.address,
            segment.address,
            length,
            segment.memory_bytes,
            u64::from(segment.flags),
            if segment.kind == elf::PT_LOAD {
                PAGE
            } else {
                4
            },
        ] {
            headers.extend(word(number)?);
        }
    }
    let mut file = elf32_header(word(entry)?, segments.len() as u16);
    file.extend(headers);
    if file.len() as u64 > PAGE {
        return Err(bad("too many segments"));
    }
    file.resize(PAGE as usize, 0);
    file.extend(body);
    Ok(file)
}

/// The file header of a 32-bit executable (System V ABI, ELF-32 file header).
fn elf32_header(entry: [u8; 4], segments: u16) -> Vec<u8> {
    let mut header = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header.extend(2u16.to_le_bytes()); // executable
    header.extend(elf::EM_386.to_le_bytes());
    header.extend(1u32.to_le_bytes());
    header.extend(entry);
    header.extend(HEADER_BYTES.to_le_bytes()); // program headers follow
    header.extend([0; 8]); // no sections, no flags
    header.extend((HEADER_BYTES as u16).to_le_bytes());
    header.extend((PROGRAM_HEADER_BYTES as u16).to_le_bytes());
    header.extend(segments.to_le_bytes());
    header.extend([0; 6]);
    header
}

fn word(number: u64) -> io::Result<[u8; 4]> {
    u32::try_from(number)
        .map(u32::to_le_bytes)
        .map_err(|_| bad("the image does not fit below 4 GiB"))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
