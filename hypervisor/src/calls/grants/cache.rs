//! `GNTTABOP_cache_flush`: cache lines of a page written back, for devices that do not look into caches.

use hw::window::Window;
use memory::PageRef;
use vocabulary::{refuse, DomainId, Errno, MachineAddr, Mfn, Refused, PAGE_SIZE};
use xen_abi::grant_table::{GnttabCacheFlush as Request, GNTTAB_CACHE_CLEAN, GNTTAB_CACHE_INVAL};

use super::each;
use crate::guest;
use crate::hypercall::{Answer, Arguments};
use crate::machine::{self, Machine};
use crate::vcpu::Vcpu;

/// Flushes for each structure, up to the first that is refused.
pub fn run(vcpu: &Vcpu, arguments: &mut Arguments, count: u32) -> Answer {
    each::<Request>(arguments, count, |at| {
        flush(vcpu, &guest::read::<Request>(at)?)
    })
}

fn flush(vcpu: &Vcpu, request: &Request) -> Refused<()> {
    let (offset, length) = (usize::from(request.offset), usize::from(request.length));
    if offset >= PAGE_SIZE || offset + length > PAGE_SIZE {
        return refuse(Errno::EINVAL, "a cache flush crosses the end of a page");
    }
    // Naming the page by a grant is among what is refused, as on Xen.
    if request.op & !(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL) != 0 {
        return refuse(Errno::EINVAL, "a cache flush writes back or discards");
    }
    if length == 0 || request.op == 0 {
        return Ok(());
    }
    let frame = MachineAddr(request.a).frame();
    let held = hold(vcpu, frame)?;
    if request.op & GNTTAB_CACHE_CLEAN == 0 {
        return refuse(
            Errno::EOPNOTSUPP,
            "cache lines are not discarded without being written back",
        );
    }
    Window::open(frame).write_back(offset, length);
    drop(held);
    Ok(())
}

/// References a frame that is the caller's, or that it has mapped by a grant.
fn hold(vcpu: &Vcpu, frame: Mfn) -> Refused<PageRef<'static, Machine>> {
    let Some(page) = machine::frames().ram(frame) else {
        return refuse(Errno::EINVAL, "the frame is no RAM");
    };
    let owner = page.owner();
    if owner == DomainId::XEN || page.is_hypervisors() || page.is_free() {
        return refuse(Errno::EPERM, "the frame is no domain's");
    }
    if owner != vcpu.domain.id && !has_mapped(vcpu, frame) {
        return refuse(
            Errno::EINVAL,
            "the frame is another domain's and not mapped by a grant",
        );
    }
    PageRef::acquire(machine::frames(), &Machine, frame, owner)
}

/// Whether one of the caller's grant mappings is of the frame.
fn has_mapped(vcpu: &Vcpu, frame: Mfn) -> bool {
    let borrowed = &vcpu.domain.grants.borrowed;
    let mut from = 0;
    while let Some((number, handle)) = borrowed.next_mapping(from) {
        if borrowed
            .mapping(handle)
            .is_ok_and(|mapping| mapping.frame == frame)
        {
            return true;
        }
        from = number + 1;
    }
    false
}
