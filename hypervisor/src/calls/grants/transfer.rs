//! `GNTTABOP_transfer`: a frame given away for good.

use core::mem::offset_of;

use grants::{Granted, Status};
use vocabulary::{DomainId, Gfn, GrantRef, Mfn};
use xen_abi::grant_table::GnttabTransfer as Request;

use super::{deny, each, status_of, Lenders};
use crate::domain::Domain;
use crate::guest;
use crate::hypercall::{Answer, Arguments};
use crate::vcpu::Vcpu;
use crate::{ownership, trace};

const STATUS: u64 = offset_of!(Request, status) as u64;

/// Transfers each structure's frame.
pub fn run(vcpu: &Vcpu, arguments: &mut Arguments, count: u32) -> Answer {
    let mut lenders = Lenders::default();
    each::<Request>(arguments, count, |at| {
        let request = guest::read::<Request>(at)?;
        let given = transfer(&vcpu.domain, &mut lenders, &request);
        if given.is_ok() {
            let words = [u32::from(request.domid)];
            trace::note(trace::event::GRANT_TRANSFER, &words);
        }
        let status = status_of(vcpu, "transfer", &given);
        guest::write(at.wrapping_add(STATUS), &status)
    })
}

/// Takes the frame from its owner, then gives it to the receiver. As the interface has it, a frame is lost to
/// its owner by whatever fails but `BadPage`.
fn transfer(sender: &Domain, lenders: &mut Lenders, request: &Request) -> Granted<()> {
    // Nothing maps it, so that there is nothing to flush before it is used again.
    let Ok(frame) = ownership::take_away(sender, Mfn(request.mfn)) else {
        return deny(
            Status::BadPage,
            "the frame is not the caller's, or is in use",
        );
    };
    let given = give(sender.id, lenders, request, frame);
    if given.is_err() {
        ownership::discard(frame);
    }
    given
}

/// Makes a frame that is nobody's the receiver's; it stays nobody's where that fails.
fn give(sender: DomainId, lenders: &mut Lenders, request: &Request, frame: Mfn) -> Granted<()> {
    let receiver = lenders.find(DomainId(request.domid))?;
    let reference = GrantRef(request.grant_ref);
    let pin = match receiver
        .grants
        .table
        .begin_transfer(sender, reference, Some(Gfn(frame.0)))
    {
        Err(denied) if denied.status == Status::BadReference => {
            return deny(Status::General, denied.rule)
        }
        other => other?,
    };
    if ownership::adopt(receiver, frame, hw::paging::NO_FRAME).is_err() {
        return deny(Status::General, "the receiver has as much memory as it may");
    }
    pin.complete();
    Ok(())
}
