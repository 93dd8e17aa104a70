//! A lender in vectors: its shared frames and what a guest does with them.

use std::sync::atomic::Ordering::SeqCst;

pub use shared_page::simulated::Page as Frame;
use vocabulary::{DomainId, GrantRef, Mfn, VcpuId};
use xen_abi::grant_table::{GTF_permit_access, GTF_reading, GTF_type_mask, GTF_writing};

use crate::{Grant, GrantHandle, GrantTable, Granted, MapRequest, Maptrack, Version};

/// A domain: what it lends and what it borrows.
pub struct Domain {
    pub table: GrantTable<Frame>,
    pub track: Maptrack<Frame>,
}

pub fn domain(id: u16, frames: u32) -> Domain {
    let table = GrantTable::new(DomainId(id), 8).unwrap();
    table.grow(frames, || Some(Frame::empty())).unwrap();
    Domain {
        table,
        track: Maptrack::new(DomainId(id), 2, 2).unwrap(),
    }
}

impl Domain {
    /// The frame and the index of an entry's first word.
    pub fn place(&self, reference: u32) -> (&Frame, usize) {
        let each = match self.table.version() {
            Version::V1 => 512,
            Version::V2 => 256,
        };
        let frame = self.table.frame(reference / each).unwrap();
        (frame, (reference % each) as usize * (1024 / each as usize))
    }

    pub fn header(&self, reference: u32) -> u32 {
        let (frame, index) = self.place(reference);
        frame.0[index].load(SeqCst)
    }

    /// The guest writes an entry: its frame first, its header last.
    pub fn write(&self, reference: u32, flags: u16, borrower: u16, second: u32, frame: u64) {
        let (page, index) = self.place(reference);
        match self.table.version() {
            Version::V1 => page.0[index + 1].store(frame as u32, SeqCst),
            Version::V2 => {
                page.0[index + 1].store(second, SeqCst);
                page.0[index + 2].store(frame as u32, SeqCst);
                page.0[index + 3].store((frame >> 32) as u32, SeqCst);
            }
        }
        page.0[index].store(u32::from(flags) | u32::from(borrower) << 16, SeqCst);
    }

    /// The guest lends a whole frame.
    pub fn lend(&self, reference: u32, borrower: u16, frame: u64, flags: u16) {
        self.write(reference, GTF_permit_access | flags, borrower, 0, frame);
    }

    /// The in-use flags the guest sees.
    pub fn in_use(&self, reference: u32) -> u16 {
        let flags = match self.table.version() {
            Version::V1 => self.header(reference) as u16,
            Version::V2 => {
                let frame = self.table.status_frame(reference / 2048).unwrap();
                let word = frame.0[reference as usize % 2048 / 2].load(SeqCst);
                (word >> (reference % 2 * 16)) as u16
            }
        };
        flags & (GTF_reading | GTF_writing)
    }

    /// The guest takes an entry back, as the interface says; whether it could.
    pub fn revoke(&self, reference: u32) -> bool {
        let (frame, index) = self.place(reference);
        let header = frame.0[index].load(SeqCst);
        match self.table.version() {
            Version::V1 => {
                header as u16 & (GTF_reading | GTF_writing) == 0
                    && frame.0[index]
                        .compare_exchange(header, 0, SeqCst, SeqCst)
                        .is_ok()
            }
            Version::V2 => {
                // Nobody new comes in once the type is gone; whoever is in keeps it.
                frame.0[index].store(header & !u32::from(GTF_type_mask), SeqCst);
                if self.in_use(reference) != 0 {
                    frame.0[index].store(header, SeqCst);
                    return false;
                }
                frame.0[index].store(0, SeqCst);
                true
            }
        }
    }
}

/// A request for the processor's page tables.
pub fn host(reference: u32, readonly: bool) -> MapRequest {
    MapRequest {
        reference: GrantRef(reference),
        host: true,
        device: false,
        readonly,
        by_entry: false,
    }
}

/// Maps for `borrower`; the machine frame is the frame.
pub fn map(
    lender: &Domain,
    borrower: &Domain,
    request: MapRequest,
) -> Granted<(GrantHandle, Grant)> {
    let pending = lender
        .table
        .begin_map(&borrower.track, VcpuId(0), request)?;
    let grant = pending.grant();
    let machine = grant.machine.unwrap_or(Mfn(grant.frame.0));
    Ok((pending.commit(machine), grant))
}

/// Unmaps all of a handle.
pub fn unmap(lender: &Domain, borrower: &Domain, handle: GrantHandle) -> Granted<()> {
    let unmapping = borrower.track.begin_unmap(VcpuId(1), handle, true, true)?;
    assert_eq!(unmapping.mapping().lender, lender.table.domain());
    unmapping.finish(Some(&lender.table));
    Ok(())
}
