//! Giving a frame away for good, into an entry that its domain prepared (`GNTTABOP_transfer`).

use vocabulary::{DomainId, Gfn, GrantRef};
use xen_abi::grant_table::{
    GTF_accept_transfer, GTF_transfer_committed, GTF_transfer_completed, GTF_type_mask,
};

use crate::denied::{deny, Granted, Status};
use crate::entry::{Entry, Header};
use crate::table::{GrantTable, Version};
use crate::SharedPage;

/// Attempts at committing to an entry that its domain keeps changing.
const ATTEMPTS: u32 = 16;

/// An entry committed to a transfer: its domain waits for the frame. Dropping it takes the commitment back.
#[must_use = "the commitment is taken back when dropped"]
pub struct TransferPin<'a, F: SharedPage> {
    table: &'a GrantTable<F>,
    reference: GrantRef,
    slot: Gfn,
    frame: Option<Gfn>,
}

impl<F: SharedPage> GrantTable<F> {
    /// Commits an entry of this table, the receiver's, to a frame from `sender`. `frame` is the number
    /// that `complete` writes into the entry: nothing for a translated receiver, who knows its slot.
    ///
    /// # Errors
    /// `BadReference`: no such entry, or it does not accept a frame from the sender. `AddressTooBig`: a
    /// version-1 entry cannot express the frame. `Again`: the version is being changed.
    pub fn begin_transfer(
        &self,
        sender: DomainId,
        reference: GrantRef,
        frame: Option<Gfn>,
    ) -> Granted<TransferPin<'_, F>> {
        let mut active = self.lock(reference)?;
        if self.changing.load(core::sync::atomic::Ordering::SeqCst) {
            return deny(Status::Again, "the grant table's version is being changed");
        }
        if !active.is_idle() {
            return deny(Status::BadReference, "the grant entry is in use");
        }
        let entry = self.entry(reference)?;
        if entry.version == Version::V1 && frame.is_some_and(|frame| frame.0 > u64::from(u32::MAX))
        {
            return deny(
                Status::AddressTooBig,
                "a version-1 grant entry cannot express the frame",
            );
        }
        for _ in 0..ATTEMPTS {
            let header = entry.header();
            let begun = GTF_transfer_committed | GTF_transfer_completed;
            let wanted = header.flags & (GTF_type_mask | begun) == GTF_accept_transfer;
            if !wanted || header.borrower != sender {
                return deny(
                    Status::BadReference,
                    "the grant entry accepts no frame from there",
                );
            }
            let flags = header.flags | GTF_transfer_committed;
            if entry.exchange_header(header, Header { flags, ..header }) {
                active.transfer = true;
                let slot = entry.frame_number();
                return Ok(TransferPin {
                    table: self,
                    reference,
                    slot,
                    frame,
                });
            }
        }
        deny(Status::BadReference, "the grant entry keeps changing")
    }

    /// Ends a transfer, unlocking the entry for other uses once `tell` has told the receiver.
    fn end_transfer(&self, reference: GrantRef, tell: impl FnOnce(&Entry<'_, F>)) {
        let Some(record) = self.record(reference) else {
            return;
        };
        let mut active = record.lock();
        active.transfer = false;
        if let Ok(entry) = self.entry(reference) {
            tell(&entry);
        }
    }
}

impl<F: SharedPage> TransferPin<'_, F> {
    /// The slot the receiver wants filled, in its own numbering: of use for translated receivers.
    pub fn slot(&self) -> Gfn {
        self.slot
    }

    /// The frame belongs to the receiver now: writes its number and tells the receiver.
    pub fn complete(self) {
        self.table.end_transfer(self.reference, |entry| {
            if let Some(frame) = self.frame {
                entry.set_frame_number(frame);
            }
            entry.set_flags(GTF_transfer_completed);
        });
        core::mem::forget(self);
    }

    /// The transfer failed: takes the commitment back, as dropping does.
    pub fn abort(self) {}
}

impl<F: SharedPage> Drop for TransferPin<'_, F> {
    fn drop(&mut self) {
        self.table.end_transfer(self.reference, |entry| {
            entry.clear_flags(GTF_transfer_committed)
        });
    }
}
