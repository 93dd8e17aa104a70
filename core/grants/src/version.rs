//! Changing the version of a table, and swapping two entries.

use core::sync::atomic::Ordering;

use spin::mutex::SpinMutexGuard;
use vocabulary::{refuse, Errno, Gfn, GrantRef, Refused, PAGE_SIZE};
use xen_abi::grant_table::{
    GTF_permit_access, GTF_reading, GTF_sub_page, GTF_type_mask, GTF_writing,
    GNTTAB_NR_RESERVED_ENTRIES,
};

use crate::active::Active;
use crate::denied::{deny, Granted, Status};
use crate::entry::Header;
use crate::table::{GrantTable, Version};
use crate::SharedPage;

/// Entries that survive a change: the toolstack may have put the console and the store there.
const RESERVED: usize = GNTTAB_NR_RESERVED_ENTRIES as usize;

/// A reserved entry, independent of versions.
#[derive(Clone, Copy, Default)]
struct Kept {
    flags: u16,
    in_use: u16,
    borrower: u16,
    frame: u64,
}

impl<F: SharedPage> GrantTable<F> {
    /// `GNTTABOP_set_version`: gives all entries the other layout. All but the first 8 are emptied; of
    /// those, the ones that lend whole frames stay, in use or not. `allocate` gives zeroed frames for the
    /// statuses; it is called with the table's control lock held. Version 1 keeps them for later.
    ///
    /// # Errors
    /// `EINVAL`: no such version. `EBUSY`: an entry beyond the first 8 is in use. `ENOMEM`.
    pub fn set_version(&self, number: u32, mut allocate: impl FnMut() -> Option<F>) -> Refused<()> {
        let Some(version) = Version::from_number(number) else {
            return refuse(Errno::EINVAL, "grant tables have versions 1 and 2");
        };
        let control = self.control.lock();
        if version == self.version() {
            return Ok(());
        }
        if version == Version::V2
            && self
                .grow_statuses(self.frame_count(), &mut allocate)
                .is_err()
        {
            return refuse(Errno::ENOMEM, "no memory for status frames");
        }
        self.changing.store(true, Ordering::SeqCst);
        let changed = self.change(version);
        self.changing.store(false, Ordering::SeqCst);
        drop(control);
        changed
    }

    /// Changes the layout, while no new pins are made.
    fn change(&self, version: Version) -> Refused<()> {
        // Whoever pinned an entry did so under its lock before we come by it here, or sees `changing`.
        if self.next_pinned(GrantRef(RESERVED as u32)).is_some() {
            return refuse(Errno::EBUSY, "grants are in use");
        }
        // Releases of reserved entries wait until their new places are written.
        let held: [Option<SpinMutexGuard<'_, Active>>; RESERVED] =
            core::array::from_fn(|index| Some(self.record(GrantRef(index as u32))?.lock()));
        if held.iter().flatten().any(|active| active.transfer) {
            return refuse(
                Errno::EBUSY,
                "a transfer into a reserved grant entry is under way",
            );
        }
        let kept: [Kept; RESERVED] =
            core::array::from_fn(|index| self.keep(GrantRef(index as u32)).unwrap_or_default());
        for frame in (0..self.frame_count()).filter_map(|index| self.frame(index)) {
            wipe(frame);
        }
        if version == Version::V2 {
            for frame in (0..self.status_frame_count()).filter_map(|index| self.status_frame(index))
            {
                wipe(frame);
            }
        }
        self.store_version(version);
        for (index, kept) in kept.iter().enumerate() {
            self.restore(GrantRef(index as u32), *kept);
        }
        drop(held);
        Ok(())
    }

    /// A reserved entry as it is in the present version, or nothing if it cannot be kept. One in use is
    /// kept whatever the guest wrote into it since: what counts then is our record.
    fn keep(&self, reference: GrantRef) -> Option<Kept> {
        let entry = self.entry(reference).ok()?;
        let header = entry.header();
        let lends_frame = header.flags & GTF_type_mask == GTF_permit_access
            && (entry.version == Version::V1 || header.flags & GTF_sub_page == 0);
        if !lends_frame {
            return None;
        }
        let in_use = match entry.version {
            Version::V1 => header.flags,
            Version::V2 => entry.status(),
        } & (GTF_reading | GTF_writing);
        Some(Kept {
            flags: header.flags & !(GTF_reading | GTF_writing),
            in_use,
            borrower: header.borrower.0,
            frame: entry.frame_number().0,
        })
    }

    /// Writes a reserved entry in the present version.
    fn restore(&self, reference: GrantRef, kept: Kept) {
        let Ok(entry) = self.entry(reference) else {
            return;
        };
        let in_header = match entry.version {
            Version::V1 => kept.in_use,
            Version::V2 => 0,
        };
        if entry.version == Version::V1 && kept.frame > u64::from(u32::MAX) {
            return;
        }
        entry.set_frame_number(Gfn(kept.frame));
        entry.set_status(kept.in_use);
        let header = Header {
            flags: kept.flags | in_header,
            borrower: vocabulary::DomainId(kept.borrower),
        };
        entry.exchange_header(Header::from_word(0), header);
    }

    /// `GNTTABOP_swap_grant_ref`: exchanges two entries' contents.
    ///
    /// # Errors
    /// `BadReference`: no such entry. `Again`: one is in use, or the version is being changed.
    pub fn swap(&self, first: GrantRef, second: GrantRef) -> Granted<()> {
        if first.0 >= self.entry_count() || second.0 >= self.entry_count() {
            return deny(Status::BadReference, "no such grant entry");
        }
        if first == second {
            return Ok(());
        }
        let low = self.lock(first.min(second))?;
        let high = self.lock(first.max(second))?;
        if self.changing.load(Ordering::SeqCst) {
            return deny(Status::Again, "the grant table's version is being changed");
        }
        if !low.is_idle() || !high.is_idle() {
            return deny(Status::Again, "a grant entry to be swapped is in use");
        }
        let (one, other) = (self.entry(first)?, self.entry(second)?);
        let (words, other_words) = (one.words(), other.words());
        one.set_words(other_words);
        other.set_words(words);
        Ok(())
    }
}

/// Zeroes a shared frame.
fn wipe<F: SharedPage>(frame: &F) {
    for offset in (0..PAGE_SIZE).step_by(4) {
        frame.store(offset, 0);
    }
}
