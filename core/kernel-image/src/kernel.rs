//! The ELF file of a kernel: where its parts go, what it asks for, and whether that can be.

use arrayvec::ArrayVec;
use object::elf::{FileHeader64, EM_X86_64, PT_LOAD, SHT_NOTE};
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader, SectionHeader};
use object::LittleEndian;
use vocabulary::{VirtAddr, PAGE_SIZE};

use crate::error::ImageError;
use crate::features::Features;
use crate::notes::Notes;

/// The most segments a kernel may have. Linux has four.
pub const MOST_SEGMENTS: usize = 16;

/// The ELF header in use.
type Header = FileHeader64<LittleEndian>;
/// The byte order in use.
const ENDIAN: LittleEndian = LittleEndian;

/// A part of the kernel to be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Where it is mapped when the kernel starts.
    pub address: VirtAddr,
    /// Its contents; what follows them up to [`Self::memory_bytes`] is zero.
    pub data: &'a [u8],
    /// Its size in memory; not below the size of the data.
    pub memory_bytes: u64,
}

impl Segment<'_> {
    /// The first address after it. It was checked not to wrap.
    pub const fn end(&self) -> VirtAddr {
        VirtAddr(self.address.0.wrapping_add(self.memory_bytes))
    }
}

/// A kernel that can be loaded and started as a para-virtualized dom0.
#[derive(Clone, Debug)]
pub struct Kernel<'a> {
    /// Its parts, by rising address, none overlapping.
    pub segments: ArrayVec<Segment<'a>, MOST_SEGMENTS>,
    /// The first address of the first part.
    pub start: VirtAddr,
    /// The first address after the last part.
    pub end: VirtAddr,
    /// Where it starts running.
    pub entry: VirtAddr,
    /// The virtual address of pseudo-physical address 0. The frame of an address is its distance from here.
    pub base: VirtAddr,
    /// Everything its notes say.
    pub notes: Notes<'a>,
}

/// Reads the ELF file `elf` and checks that a hypervisor which gives a PV dom0 the features `offered` (usually
/// [`Features::PV_DOM0`]) can run it.
///
/// A segment goes to its physical address, less the note PADDR_OFFSET, plus the note VIRT_BASE; its own virtual address
/// does not count (that of Linux's per-CPU segment is 0).
///
/// # Errors
///
/// What is wrong with it, see [`ImageError`].
pub fn examine(elf: &[u8], offered: Features) -> Result<Kernel<'_>, ImageError> {
    let header = header(elf)?;
    let notes = notes(elf, header)?;
    check_demands(&notes, offered)?;
    let base = notes.virt_base.unwrap_or_default();
    let shift = base.0.wrapping_sub(notes.paddr_offset.unwrap_or(0));
    let segments = segments(elf, header, shift)?;
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return Err(ImageError::NothingToLoad);
    };
    let (start, end) = (first.address, last.end());
    let kernel = Kernel {
        start,
        end,
        entry: notes.entry.unwrap_or(VirtAddr(header.e_entry(ENDIAN))),
        base,
        notes,
        segments,
    };
    kernel.check_places()?;
    Ok(kernel)
}

fn header(elf: &[u8]) -> Result<&Header, ImageError> {
    /// Offsets in the identification: the class, and the machine behind it.
    const CLASS: usize = 4;
    const CLASS_32: u8 = 1;
    if !elf.starts_with(b"\x7fELF") {
        return Err(ImageError::BrokenElf("no ELF file is packed in it"));
    }
    if elf.get(CLASS) == Some(&CLASS_32) {
        return Err(ImageError::ThirtyTwoBit);
    }
    let header = Header::parse(elf).map_err(|_| ImageError::BrokenElf("the file header"))?;
    if header.endian().is_err() || !header.is_little_endian() {
        return Err(ImageError::BrokenElf("the byte order"));
    }
    let machine = header.e_machine(ENDIAN);
    if machine != EM_X86_64 {
        return Err(ImageError::OtherMachine { machine });
    }
    Ok(header)
}

/// The Xen notes, from the note segments or, where there is none with any, from the note sections.
fn notes<'a>(elf: &'a [u8], header: &'a Header) -> Result<Notes<'a>, ImageError> {
    let mut notes = Notes::default();
    let mut found = false;
    let headers = header
        .program_headers(ENDIAN, elf)
        .map_err(|_| ImageError::BrokenElf("the program headers"))?;
    for program in headers {
        let iterator = program
            .notes(ENDIAN, elf)
            .map_err(|_| ImageError::BrokenElf("a note segment"))?;
        found |= add_notes(&mut notes, iterator)?;
    }
    if found {
        return Ok(notes);
    }
    // A file without section headers is as good as one without note sections.
    let sections = header.section_headers(ENDIAN, elf).unwrap_or(&[]);
    for section in sections {
        if section.sh_type(ENDIAN) != SHT_NOTE {
            continue;
        }
        let iterator = section
            .notes(ENDIAN, elf)
            .map_err(|_| ImageError::BrokenElf("a note section"))?;
        found |= add_notes(&mut notes, iterator)?;
    }
    if found {
        Ok(notes)
    } else {
        Err(ImageError::NoXenNotes)
    }
}

/// Takes in the notes that Xen owns; whether there was one.
fn add_notes<'a>(
    notes: &mut Notes<'a>,
    iterator: Option<NoteIterator<'a, Header>>,
) -> Result<bool, ImageError> {
    let mut found = false;
    let Some(mut iterator) = iterator else {
        return Ok(false);
    };
    while let Some(note) = iterator
        .next()
        .map_err(|_| ImageError::BrokenElf("a note"))?
    {
        if note.name() == b"Xen" {
            notes.add(note.n_type(ENDIAN), note.desc())?;
            found = true;
        }
    }
    Ok(found)
}

/// The segments to load, by rising address. `shift` is added to their physical addresses.
fn segments<'a>(
    elf: &'a [u8],
    header: &'a Header,
    shift: u64,
) -> Result<ArrayVec<Segment<'a>, MOST_SEGMENTS>, ImageError> {
    let headers = header
        .program_headers(ENDIAN, elf)
        .map_err(|_| ImageError::BrokenElf("the program headers"))?;
    let mut segments = ArrayVec::new();
    for (number, program) in headers.iter().enumerate() {
        let memory_bytes = program.p_memsz(ENDIAN);
        if program.p_type(ENDIAN) != PT_LOAD || memory_bytes == 0 {
            continue;
        }
        let data = program
            .data(ENDIAN, elf)
            .map_err(|()| ImageError::SegmentBeyondFile { segment: number })?;
        let address = VirtAddr(program.p_paddr(ENDIAN).wrapping_add(shift));
        let fits = address.0.checked_add(memory_bytes).is_some();
        if !fits || (data.len() as u64) > memory_bytes {
            return Err(ImageError::SegmentBroken { segment: number });
        }
        let segment = Segment {
            address,
            data,
            memory_bytes,
        };
        segments
            .try_push(segment)
            .map_err(|_| ImageError::TooManySegments)?;
    }
    segments.sort_unstable_by_key(|segment| segment.address);
    for pair in segments.windows(2) {
        if let [low, high] = pair {
            if low.end() > high.address {
                return Err(ImageError::SegmentsOverlap { at: high.address });
            }
        }
    }
    Ok(segments)
}

/// Whether what the notes demand is given.
fn check_demands(notes: &Notes<'_>, offered: Features) -> Result<(), ImageError> {
    if notes
        .xen_version
        .is_some_and(|version| version != b"xen-3.0")
    {
        return Err(ImageError::OtherInterface);
    }
    if notes.loader.is_some_and(|loader| loader != b"generic") {
        return Err(ImageError::OtherLoader);
    }
    let lacking = notes.required - offered;
    if !lacking.is_empty() {
        return Err(ImageError::LacksFeatures(lacking));
    }
    if notes.requires_unnamed {
        return Err(ImageError::LacksUnnamedFeature);
    }
    if notes.supported_is_complete && !notes.supported.contains(Features::DOM0) {
        return Err(ImageError::NotForDom0);
    }
    let start = VirtAddr::HYPERVISOR_START;
    if let Some(demanded) = notes.hypervisor_start_low.filter(|low| *low > start) {
        return Err(ImageError::HypervisorTooLow { demanded });
    }
    Ok(())
}

impl Kernel<'_> {
    /// Whether the kernel lies in the guest's part of the address space and its notes name places in it.
    fn check_places(&self) -> Result<(), ImageError> {
        let (start, end) = (self.start, self.end);
        let last = VirtAddr(end.0.wrapping_sub(1));
        let below = |address: VirtAddr| address < VirtAddr::HYPERVISOR_START;
        // Both ends in the guest's part and on the same side of the hypervisor's leaves nothing of that between them.
        let free = start.is_guest() && last.is_guest() && below(start) == below(last);
        if !free || start < self.base {
            return Err(ImageError::BadPlace { start, end });
        }
        let inside = |address: VirtAddr| address >= start && address < end;
        if !inside(self.entry) {
            return Err(ImageError::OutsideKernel {
                note: "ENTRY",
                address: self.entry,
            });
        }
        if let Some(address) = self.notes.hypercall_page.filter(|page| !inside(*page)) {
            return Err(ImageError::OutsideKernel {
                note: "HYPERCALL_PAGE",
                address,
            });
        }
        let on_a_page = |address: VirtAddr| address.0 % PAGE_SIZE as u64 == 0;
        let p2m = self.notes.init_p2m;
        match p2m.filter(|address| !address.is_guest() || !on_a_page(*address)) {
            Some(address) => Err(ImageError::BadP2m { address }),
            None => Ok(()),
        }
    }

    /// The pseudo-physical address of a part: its distance from [`Self::base`].
    pub const fn physical(&self, segment: &Segment<'_>) -> u64 {
        segment.address.0.wrapping_sub(self.base.0)
    }
}
