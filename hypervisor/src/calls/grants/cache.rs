//! `GNTTABOP_cache_flush`: cache lines of a page written back, for devices that do not look into caches.

use hw::window::Window;
use memory::{PageRef, Stop};
use vocabulary::{refuse, DomainId, Errno, MachineAddr, Mfn, Refused, PAGE_SIZE};
use xen_abi::grant_table::{GnttabCacheFlush as Request, GNTTAB_CACHE_CLEAN, GNTTAB_CACHE_INVAL};

use super::{go_on, BATCH};
use crate::guest;
use crate::hypercall::{Answer, Arguments};
use crate::machine::{self, Machine};
use crate::vcpu::Vcpu;

/// Bits of the operation's argument from which on a call that is continued keeps its next handle: below them is the
/// operation's number.
pub const NUMBER_BITS: u32 = 12;
/// Handles looked at before a call is continued.
const HANDLES: u32 = 8192;
/// The structure's page is to be looked for among the handles from this number on.
struct Unfinished(u32);

/// Flushes for each structure, up to the first that is refused.
pub fn run(vcpu: &Vcpu, arguments: &mut Arguments, count: u32) -> Answer {
    let [operation, structures, ..] = arguments.0;
    let number = operation & ((1 << NUMBER_BITS) - 1);
    let mut first = (operation as u32) >> NUMBER_BITS;
    arguments.set(0, number);
    let now = count.min(BATCH);
    for index in 0..now {
        let at = guest::element::<Request>(structures, u64::from(index));
        let request = guest::read::<Request>(at)?;
        if let Some(Unfinished(next)) = flush(vcpu, &request, first)? {
            arguments.set(0, number | u64::from(next) << NUMBER_BITS);
            arguments.set(1, at);
            arguments.set(2, u64::from(count - index));
            return Err(Stop::Again);
        }
        first = 0;
    }
    go_on::<Request>(arguments, count, now)
}

fn flush(vcpu: &Vcpu, request: &Request, first: u32) -> Refused<Option<Unfinished>> {
    let (offset, length) = (usize::from(request.offset), usize::from(request.length));
    if offset >= PAGE_SIZE || offset + length > PAGE_SIZE {
        return refuse(Errno::EINVAL, "a cache flush crosses the end of a page");
    }
    // Naming the page by a grant is among what is refused, as on Xen.
    if request.op & !(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL) != 0 {
        return refuse(Errno::EINVAL, "a cache flush writes back or discards");
    }
    if length == 0 || request.op == 0 {
        return Ok(None);
    }
    let frame = MachineAddr(request.a).frame();
    let owner = owner_of(frame)?;
    if owner != vcpu.domain.id {
        if let Some(unfinished) = find(vcpu, frame, first)? {
            return Ok(Some(unfinished));
        }
    }
    let held = PageRef::acquire(machine::frames(), &Machine, frame, owner)?;
    if request.op & GNTTAB_CACHE_CLEAN == 0 {
        return refuse(
            Errno::EOPNOTSUPP,
            "cache lines are not discarded without being written back",
        );
    }
    Window::open(frame).write_back(offset, length);
    drop(held);
    Ok(None)
}

/// The domain that a frame belongs to. EINVAL, EPERM: none.
fn owner_of(frame: Mfn) -> Refused<DomainId> {
    let Some(page) = machine::frames().ram(frame) else {
        return refuse(Errno::EINVAL, "the frame is no RAM");
    };
    let owner = page.owner();
    if owner == DomainId::XEN || page.is_hypervisors() || page.is_free() {
        return refuse(Errno::EPERM, "the frame is no domain's");
    }
    Ok(owner)
}

/// Looks for the frame among the caller's grant mappings from number `first` on: `None` where it is there. EINVAL
/// where it is in none of them.
fn find(vcpu: &Vcpu, frame: Mfn, first: u32) -> Refused<Option<Unfinished>> {
    let borrowed = &vcpu.domain.grants.borrowed;
    let end = borrowed.numbers();
    let stop = end.min(first.saturating_add(HANDLES));
    let is_it = |number| {
        let mapping = borrowed
            .mapping_at(number)
            .and_then(|handle| borrowed.mapping(handle).ok());
        mapping.is_some_and(|mapping| mapping.frame == frame)
    };
    if (first..stop).any(is_it) {
        return Ok(None);
    }
    if stop < end {
        return Ok(Some(Unfinished(stop)));
    }
    refuse(
        Errno::EINVAL,
        "the frame is another domain's and not mapped by a grant",
    )
}
