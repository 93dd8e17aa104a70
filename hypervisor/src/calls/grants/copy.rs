//! `GNTTABOP_copy`: bytes from one page to another, each the caller's own or granted.

use core::mem::offset_of;

use alloc::sync::Arc;

use grants::{CopyAccess, CopyPin, Granted, Status};
use hw::window::Window;
use vocabulary::{DomainId, GrantRef, Mfn, PAGE_SIZE};
use xen_abi::grant_table as abi;
use xen_abi::grant_table::{GnttabCopy as Request, GnttabCopyPtr};

use super::{deny, each, status_of, Held, Lenders};
use crate::domain::Domain;
use crate::grants::GrantFrame;
use crate::guest;
use crate::hypercall::{Answer, Arguments};
use crate::vcpu::Vcpu;

const STATUS: u64 = offset_of!(Request, status) as u64;

/// One side of a copy.
struct Side {
    domain: Arc<Domain>,
    by_grant: bool,
    word: u64,
    offset: u16,
    write: bool,
}

/// Copies for each structure. Each has its own status; a refused one does not stop the others.
pub fn run(vcpu: &Vcpu, arguments: &mut Arguments, count: u32) -> Answer {
    let mut lenders = Lenders::default();
    each::<Request>(arguments, count, |at| {
        let request = guest::read::<Request>(at)?;
        let status = status_of(vcpu, "copy", &copy(vcpu, &mut lenders, &request));
        guest::write(at.wrapping_add(STATUS), &status)
    })
}

fn copy(vcpu: &Vcpu, lenders: &mut Lenders, request: &Request) -> Granted<()> {
    let side = |lenders: &mut Lenders, end: &GnttabCopyPtr, flag: u16, write: bool| {
        let by_grant = request.flags & flag != 0;
        let domain = named(vcpu, lenders, DomainId(end.domid), by_grant)?;
        Ok(Side {
            domain,
            by_grant,
            word: end.u,
            offset: end.offset,
            write,
        })
    };
    let source = side(lenders, &request.source, abi::GNTCOPY_source_gref, false)?;
    let target = side(lenders, &request.dest, abi::GNTCOPY_dest_gref, true)?;
    let length = request.len;
    with_page(vcpu, &source, |from, readable| {
        with_page(vcpu, &target, |to, writable| {
            for offset in [source.offset, target.offset] {
                if usize::from(offset) + usize::from(length) > PAGE_SIZE {
                    return deny(
                        Status::BadCopyArgument,
                        "a grant copy crosses the end of a page",
                    );
                }
            }
            if let Some(pin) = readable {
                pin.check(source.offset, length)?;
            }
            if let Some(pin) = writable {
                pin.check(target.offset, length)?;
            }
            let (from_offset, to_offset) = (usize::from(source.offset), usize::from(target.offset));
            Window::open(to).copy_part(
                to_offset,
                &Window::open(from),
                from_offset,
                usize::from(length),
            );
            Ok(())
        })
    })
}

/// The domain that a side names. Only the caller's own frames can be named without a grant, and only by
/// `DOMID_SELF`.
fn named(vcpu: &Vcpu, lenders: &mut Lenders, id: DomainId, by_grant: bool) -> Granted<Arc<Domain>> {
    if id == DomainId::SELF {
        return Ok(Arc::clone(&vcpu.domain));
    }
    let domain = lenders.find(id)?;
    if by_grant {
        Ok(domain)
    } else {
        deny(
            Status::PermissionDenied,
            "only the caller's own frames are copied without a grant",
        )
    }
}

/// Runs `work` with a side's frame, which is held as long, and with the grant it came from.
fn with_page(
    vcpu: &Vcpu,
    side: &Side,
    work: impl FnOnce(Mfn, Option<&CopyPin<'_, GrantFrame>>) -> Granted<()>,
) -> Granted<()> {
    let own = vcpu.domain.id;
    if !side.by_grant {
        let frame = Mfn(side.word);
        let held = Held::take(frame, own, own, side.write)?;
        let done = work(frame, None);
        drop(held);
        return done;
    }
    // The reference is the low half of the word that would be a frame.
    let reference = GrantRef(side.word as u32);
    match side
        .domain
        .grants
        .table
        .begin_copy(own, reference, side.write)?
    {
        CopyAccess::Direct(pin) => with_granted(&pin, side.write, work),
        CopyAccess::Transitive(through) => {
            let Ok(lender) = Lenders::default().find(through.lender()) else {
                return deny(
                    Status::General,
                    "a transitive grant names a domain that does not exist",
                );
            };
            let pin = through.resolve(&lender.grants.table)?;
            with_granted(&pin, side.write, work)
        }
    }
}

fn with_granted(
    pin: &CopyPin<'_, GrantFrame>,
    write: bool,
    work: impl FnOnce(Mfn, Option<&CopyPin<'_, GrantFrame>>) -> Granted<()>,
) -> Granted<()> {
    let frame = pin.machine().unwrap_or(Mfn(pin.frame().0));
    // Nobody maps the frame here, so that its owner is as good as any user.
    let held = Held::take(frame, pin.owner(), pin.owner(), write)?;
    let done = work(frame, Some(pin));
    drop(held);
    done
}
