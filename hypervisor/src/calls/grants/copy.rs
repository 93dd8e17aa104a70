//! `GNTTABOP_copy`: bytes from one page to another, each the caller's own or granted.

use core::mem::offset_of;

use alloc::sync::Arc;

use grants::{CopyAccess, CopyPin, Granted, Status};
use hw::window::Window;
use memory::PageRef;
use vocabulary::{DomainId, GrantRef, Mfn, PAGE_SIZE};
use xen_abi::grant_table as abi;
use xen_abi::grant_table::{GnttabCopy as Request, GnttabCopyPtr};

use super::{bad_page, deny, each, not_writable, status_of, Lenders};
use crate::domain::Domain;
use crate::grants::GrantFrame;
use crate::guest;
use crate::hypercall::{Answer, Arguments};
use crate::machine::{self, Machine};
use crate::vcpu::Vcpu;

const STATUS: u64 = offset_of!(Request, status) as u64;

/// One side of a copy.
struct Side<'a> {
    /// Who lends; `None` for a frame of the caller's own.
    lender: Option<&'a Arc<Domain>>,
    word: u64,
    offset: u16,
}

/// Copies for each structure. Each has its own status; a refused one does not stop the others.
pub fn run(vcpu: &Vcpu, arguments: &mut Arguments, count: u32) -> Answer {
    // One for each side: neither forgets the domain that the other copies from or to.
    let mut lenders = [Lenders::default(), Lenders::default()];
    each::<Request>(arguments, count, |at| {
        let request = guest::read::<Request>(at)?;
        let status = status_of(vcpu, "copy", &copy(vcpu, &mut lenders, &request));
        guest::write(at.wrapping_add(STATUS), &status)
    })
}

fn copy(vcpu: &Vcpu, lenders: &mut [Lenders; 2], request: &Request) -> Granted<()> {
    let [from, to] = lenders;
    let given = |flag: u16| request.flags & flag != 0;
    let source = side(vcpu, from, &request.source, given(abi::GNTCOPY_source_gref))?;
    let target = side(vcpu, to, &request.dest, given(abi::GNTCOPY_dest_gref))?;
    let length = request.len;
    with_page::<false>(vcpu, &source, |from, readable| {
        with_page::<true>(vcpu, &target, |to, writable| {
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

/// What an end of a copy names. Only the caller's own frames can be named without a grant, and only by
/// `DOMID_SELF`.
#[inline]
fn side<'a>(
    vcpu: &'a Vcpu,
    lenders: &'a mut Lenders,
    end: &GnttabCopyPtr,
    by_grant: bool,
) -> Granted<Side<'a>> {
    let id = DomainId(end.domid);
    let lender = if id == DomainId::SELF {
        by_grant.then_some(&vcpu.domain)
    } else {
        let domain = lenders.find(id)?;
        if !by_grant {
            return deny(
                Status::PermissionDenied,
                "only the caller's own frames are copied without a grant",
            );
        }
        Some(domain)
    };
    Ok(Side {
        lender,
        word: end.u,
        offset: end.offset,
    })
}

/// Runs `work` with a side's frame, which is held as long, writable where `WRITE`, and with the grant it came from.
#[inline(always)]
fn with_page<const WRITE: bool>(
    vcpu: &Vcpu,
    side: &Side<'_>,
    work: impl FnOnce(Mfn, Option<&CopyPin<'_, GrantFrame>>) -> Granted<()>,
) -> Granted<()> {
    let own = vcpu.domain.id;
    let Some(lender) = side.lender else {
        let frame = Mfn(side.word);
        return with_frame::<WRITE>(frame, own, || work(frame, None));
    };
    // The reference is the low half of the word that would be a frame.
    let reference = GrantRef(side.word as u32);
    let pin = match lender.grants.table.begin_copy(own, reference, WRITE)? {
        CopyAccess::Direct(pin) => pin,
        CopyAccess::Transitive(through) => {
            let mut lenders = Lenders::default();
            let Ok(lender) = lenders.find(through.lender()) else {
                return deny(
                    Status::General,
                    "a transitive grant names a domain that does not exist",
                );
            };
            return with_granted::<WRITE>(&through.resolve(&lender.grants.table)?, work);
        }
    };
    with_granted::<WRITE>(&pin, work)
}

#[inline(always)]
fn with_granted<const WRITE: bool>(
    pin: &CopyPin<'_, GrantFrame>,
    work: impl FnOnce(Mfn, Option<&CopyPin<'_, GrantFrame>>) -> Granted<()>,
) -> Granted<()> {
    let frame = pin.machine().unwrap_or(Mfn(pin.frame().0));
    // Nobody maps the frame here, so that its owner is as good as any user.
    with_frame::<WRITE>(frame, pin.owner(), || work(frame, Some(pin)))
}

/// Runs `work` while a frame of `owner` is held, writable where `WRITE`.
#[inline(always)]
fn with_frame<const WRITE: bool>(
    frame: Mfn,
    owner: DomainId,
    work: impl FnOnce() -> Granted<()>,
) -> Granted<()> {
    let page = PageRef::acquire(machine::frames(), &Machine, frame, owner).map_err(bad_page)?;
    if !WRITE {
        let done = work();
        drop(page);
        return done;
    }
    let page = page.writable().map_err(not_writable)?;
    let done = work();
    drop(page);
    done
}
