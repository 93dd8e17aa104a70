//! Entries as they lie in the shared frames, in both versions.

use shared_page::SharedPage;
use vocabulary::{DomainId, Gfn, GrantRef};
use xen_abi::grant_table::{GTF_permit_access, GTF_sub_page, GTF_transitive, GTF_type_mask};

use crate::denied::{deny, Granted, Status};
use crate::table::Version;

/// Entries' offset of the word with flags (low half) and borrower (high half).
const HEADER: usize = 0;
/// A version-1 entry's frame; a version-2 entry's sub-page range or transitive lender.
const SECOND: usize = 4;
/// A version-2 entry's frame, or transitive reference.
const THIRD: usize = 8;
/// High half of a version-2 entry's frame.
const FOURTH: usize = 12;

/// The first word of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub flags: u16,
    pub borrower: DomainId,
}

impl Header {
    pub const fn from_word(word: u32) -> Self {
        Self {
            flags: word as u16,
            borrower: DomainId((word >> 16) as u16),
        }
    }

    pub const fn word(self) -> u32 {
        self.flags as u32 | (self.borrower.0 as u32) << 16
    }
}

/// What an entry lends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lent {
    /// A whole frame.
    Frame(Gfn),
    /// Some bytes of a frame, to copy only.
    Part { frame: Gfn, start: u16, length: u16 },
    /// What entry `reference` of `lender` lends to this table's domain, to copy only.
    Transitive {
        lender: DomainId,
        reference: GrantRef,
    },
}

/// One entry: where it lies.
pub(crate) struct Entry<'t, F> {
    pub version: Version,
    frame: &'t F,
    offset: usize,
    /// Version 2: the frame and byte offset of the word with its status, and the status' shift in the word.
    status: Option<(&'t F, usize, u32)>,
}

impl<'t, F: SharedPage> Entry<'t, F> {
    /// Entry number `index` of its frame. `status` is given for version 2: the frame that holds statuses,
    /// and the number of this entry's in it.
    pub fn new(
        version: Version,
        frame: &'t F,
        index: usize,
        status: Option<(&'t F, usize)>,
    ) -> Self {
        let status = status.map(|(frame, index)| (frame, index / 2 * 4, index as u32 % 2 * 16));
        Self {
            version,
            frame,
            offset: index * version.entry_bytes(),
            status,
        }
    }

    pub fn header(&self) -> Header {
        Header::from_word(self.frame.load(self.offset + HEADER))
    }

    /// Replaces the header if it still is `current`.
    pub fn exchange_header(&self, current: Header, new: Header) -> bool {
        self.frame
            .compare_exchange(self.offset + HEADER, current.word(), new.word())
            .is_ok()
    }

    /// Sets flags of the header.
    pub fn set_flags(&self, flags: u16) {
        self.frame.fetch_or(self.offset + HEADER, u32::from(flags));
    }

    /// Clears flags of the header.
    pub fn clear_flags(&self, flags: u16) {
        self.frame
            .fetch_and(self.offset + HEADER, !u32::from(flags));
    }

    /// Sets in-use flags where version 2 keeps them.
    pub fn set_status(&self, flags: u16) {
        if let Some((frame, offset, shift)) = self.status {
            frame.fetch_or(offset, u32::from(flags) << shift);
        }
    }

    /// Clears in-use flags, wherever this version keeps them.
    pub fn clear_in_use(&self, flags: u16) {
        match self.status {
            Some((frame, offset, shift)) => {
                frame.fetch_and(offset, !(u32::from(flags) << shift));
            }
            None => self.clear_flags(flags),
        }
    }

    /// The in-use flags of a version-2 entry.
    pub fn status(&self) -> u16 {
        self.status.map_or(0, |(frame, offset, shift)| {
            (frame.load(offset) >> shift) as u16
        })
    }

    /// The frame number, as the entry's version writes it.
    pub fn frame_number(&self) -> Gfn {
        Gfn(match self.version {
            Version::V1 => u64::from(self.frame.load(self.offset + SECOND)),
            Version::V2 => {
                let low = self.frame.load(self.offset + THIRD);
                let high = self.frame.load(self.offset + FOURTH);
                u64::from(low) | u64::from(high) << 32
            }
        })
    }

    /// Writes a frame number; a version-1 entry keeps its low 32 bits.
    pub fn set_frame_number(&self, frame: Gfn) {
        match self.version {
            Version::V1 => self.frame.store(self.offset + SECOND, frame.0 as u32),
            Version::V2 => {
                self.frame.store(self.offset + THIRD, frame.0 as u32);
                self.frame
                    .store(self.offset + FOURTH, (frame.0 >> 32) as u32);
            }
        }
    }

    /// What the entry lends, its header being `header`. The type was checked to be one that lends.
    #[inline(always)]
    pub fn lent(&self, header: Header) -> Granted<Lent> {
        let kind = header.flags & GTF_type_mask;
        let second = || self.frame.load(self.offset + SECOND);
        if kind == GTF_permit_access {
            if self.version == Version::V1 || header.flags & GTF_sub_page == 0 {
                return Ok(Lent::Frame(self.frame_number()));
            }
            let range = second();
            let (start, length) = (range as u16, (range >> 16) as u16);
            return Ok(Lent::Part {
                frame: self.frame_number(),
                start,
                length,
            });
        }
        if kind == GTF_transitive && self.version == Version::V2 {
            let lender = DomainId(second() as u16);
            let reference = GrantRef(self.frame.load(self.offset + THIRD));
            return Ok(Lent::Transitive { lender, reference });
        }
        deny(Status::General, "the grant entry lends nothing")
    }

    /// Reads the whole entry as words; a version-1 entry's last two are 0.
    pub fn words(&self) -> [u32; 4] {
        let word = |offset: usize| {
            let inside = offset < self.version.entry_bytes();
            if inside {
                self.frame.load(self.offset + offset)
            } else {
                0
            }
        };
        [word(HEADER), word(SECOND), word(THIRD), word(FOURTH)]
    }

    /// Writes the whole entry, its header last, so that the lender's other vCPUs see no half entry.
    pub fn set_words(&self, words: [u32; 4]) {
        let [header, second, third, fourth] = words;
        self.frame.store(self.offset + HEADER, 0);
        self.frame.store(self.offset + SECOND, second);
        if self.version == Version::V2 {
            self.frame.store(self.offset + THIRD, third);
            self.frame.store(self.offset + FOURTH, fourth);
        }
        self.frame.store(self.offset + HEADER, header);
    }
}
