//! What the builder of another domain does to it before it runs: memory, foreign mappings, tables, grants, events, and
//! its end. Each case makes a domain of its own and destroys it.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::events::{self, op as event};
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::mmu::{ext, update, READ_ONLY, WRITABLE};
use guest_kit::pages::{m2p, Page, PAGE};

use crate::mmu_entries::hypervisor_mfn;
use crate::other::*;

/// The group.
pub const GROUP: Group = Group {
    name: "other-domain",
    cases: &[
        case!("other-claim", "a claim sets free frames aside, once", claim),
        case!(
            "other-populate",
            "frames for another domain, up to its maximum",
            populate
        ),
        case!(
            "other-map",
            "its frames are mapped by whoever builds it",
            map
        ),
        case!(
            "other-map-refused",
            "only its frames are, and not by our own number",
            map_refused
        ),
        case!(
            "other-map-machphys",
            "the hypervisor shows its m2p table to read",
            map_machphys
        ),
        case!(
            "other-machphys",
            "its m2p entries are set by its builder",
            machphys
        ),
        case!("other-pin", "its tables are pinned for it", pin),
        case!(
            "other-resource",
            "its grant table is had as a resource",
            resource
        ),
        case!(
            "other-resource-bad",
            "what is no resource is EINVAL",
            resource_bad
        ),
        case!(
            "other-grant-table",
            "its grant table is set up and asked about",
            grant_table
        ),
        case!(
            "other-grant-tables",
            "five domains at once have all of their grant tables",
            grant_tables
        ),
        case!(
            "other-events",
            "its ports are made, bound, seen and reset",
            event_channels
        ),
        case!(
            "other-translated",
            "it has nothing of translated domains",
            translated
        ),
        case!("other-memory-map", "it is given a memory map", memory_map),
        case!("other-end", "what we map of it outlives it", end),
    ],
};

fn claim() {
    let other = Other::create();
    let ask =
        |domain: u64, frames: u64, order: u64| memory_op(24, at(&[0u64, frames, order, domain]));
    assert_eq!(ask(other.0, 100, 0), 0);
    assert_eq!(ask(other.0, 100, 0), EINVAL, "twice");
    assert_eq!(other.total(), 0);
    assert_eq!(ask(other.0, 0, 0), 0);
    assert_eq!(ask(other.0, MOST + 1, 0), EINVAL, "beyond the maximum");
    assert_eq!(ask(other.0, 10, 1), EINVAL, "an order");
    assert_eq!(ask(other.0, 10, 1 << 32), EINVAL, "flags");
    assert_eq!(ask(NOBODY, 10, 0), EINVAL, "nobody");
    let mut numbers = [0, 1, 2, 3];
    assert_eq!(ask(other.0, 100, 0), 0);
    assert_eq!(other.extents(POPULATE, &mut numbers, 0, 0), 4);
    assert_eq!(ask(other.0, 0, 0), 0);
    assert_eq!(ask(other.0, 4, 0), EINVAL, "no more than it has");
    assert_eq!(ask(other.0, 5, 0), 0);
}

fn populate() {
    let other = Other::create();
    let mut numbers = [0x70, 0x71, 0x72];
    assert_eq!(other.extents(POPULATE, &mut numbers, 0, 0), 3);
    assert_eq!(numbers.map(m2p), [0x70, 0x71, 0x72]);
    let mut large = [0x200];
    assert_eq!(other.extents(POPULATE, &mut large, 9, 0), 1);
    assert_eq!((large[0] % 512, m2p(large[0] + 511)), (0, 0x3ff));
    assert_eq!(other.total(), 515);
    let mut rest = [0; 100];
    assert_eq!(other.extents(POPULATE, &mut rest, 0, 0), 85, "partly");
    assert_eq!(other.extents(DECREASE, &mut numbers, 0, 0), 3);
    assert_eq!(other.total(), 597);
    assert_eq!(
        other.extents(DECREASE, &mut numbers, 0, 0),
        0,
        "not its own"
    );
    assert_eq!(
        other.extents(POPULATE, &mut numbers, 0, 1 << 16),
        3,
        "on demand means nothing"
    );
    assert_eq!(other.total(), 597);
    assert_eq!(other.extents(POPULATE, &mut numbers, 0, 12), 0, "12 bits");
    assert_eq!(
        other.extents(POPULATE, &mut numbers[..1], 0, 1 << 8 | 1 << 17),
        1,
        "node 0"
    );
    assert_eq!(
        other.extents(POPULATE, &mut numbers[..1], 0, 101 << 8),
        0,
        "node 100"
    );
    let nobody = Other(NOBODY);
    assert_eq!(nobody.extents(POPULATE, &mut numbers, 0, 0), 0);
    assert_eq!(nobody.total(), ESRCH);
}

fn map() {
    let other = Other::create();
    let (mfn, window) = (other.frame(5), window());
    other.map(window, mfn);
    window.words()[7] = 0x1234;
    assert_eq!(map_of(window, (mfn * PAGE) | READ_ONLY, other.0), 0);
    assert_eq!(window.words()[7], 0x1234);
    let mut numbers = [mfn];
    assert_eq!(other.extents(DECREASE, &mut numbers, 0, 0), 1);
    assert_eq!(window.words()[7], 0x1234, "held by the mapping");
    window.unmap();
}

fn map_refused() {
    let other = Other::create();
    let (mfn, window) = (other.frame(5), window());
    let own = Page::take();
    let writable = |mfn: u64| (mfn * PAGE) | WRITABLE;
    assert!(map_of(window, writable(mfn), SELF) < 0);
    assert!(map_of(window, writable(own.mfn()), other.0) < 0);
    assert!(map_of(window, writable(mfn), IO) < 0);
    assert!(map_of(window, writable(mfn), XEN) < 0);
    assert!(map_of(window, writable(hypervisor_mfn()), other.0) < 0);
    assert_eq!(map_of(window, writable(mfn), NOBODY), ESRCH);
    assert_eq!(map_of(window, writable(own.mfn()), 0), ESRCH, "ourselves");
    assert_eq!(update_of(own.machine(), 0, 0), ESRCH, "ourselves");
    assert_eq!(mmuext_of(ext::PIN_L1, own.mfn(), 0), ESRCH, "ourselves");
    assert_eq!(mmuext_of(ext::TLB_FLUSH_LOCAL, 0, other.0), EPERM);
    assert_eq!(mmuext_of(ext::NEW_USER_BASEPTR, 0, other.0), EPERM);
}

fn map_machphys() {
    let own = Page::take();
    let window = window();
    let frame = hypervisor_mfn() * PAGE;
    assert_eq!(map_of(window, frame | READ_ONLY, XEN), 0);
    let number = own.mfn();
    assert!(number < 512 * 512, "in the table's first 2 MiB");
    assert_eq!(
        map_of(window, (frame + number / 512 * PAGE) | READ_ONLY, XEN),
        0
    );
    assert_eq!(window.words()[(number % 512) as usize], own.pfn());
    window.unmap();
}

fn machphys() {
    let other = Other::create();
    let mfn = other.frame(5);
    assert_eq!(update_of((mfn * PAGE) | update::MACHPHYS, 0x77, other.0), 0);
    assert_eq!(m2p(mfn), 0x77);
    let own = Page::take();
    let refused = update_of(own.machine() | update::MACHPHYS, 0x77, other.0);
    assert_eq!(refused, EINVAL);
    assert_eq!(m2p(own.mfn()), own.pfn());
}

fn pin() {
    let other = Other::create();
    let (table, page, window) = (other.frame(1), other.frame(2), window());
    other.map(window, table);
    window.words().fill(0);
    window.words()[3] = (page * PAGE) | READ_ONLY;
    assert!(
        mmuext_of(ext::PIN_L1, table, other.0) < 0,
        "we can write it"
    );
    window.unmap();
    assert_eq!(mmuext_of(ext::PIN_L1, table, other.0), 0);
    assert!(mmuext_of(ext::PIN_L1, table, SELF) < 0, "it is not ours");
    assert!(map_of(window, (table * PAGE) | WRITABLE, other.0) < 0);
    assert_eq!(map_of(window, (table * PAGE) | READ_ONLY, other.0), 0);
    let entry = window.words()[3];
    assert_eq!(entry & !0xfff & !(1 << 63), page * PAGE);
    let tables = (other.0 + 1) << 16;
    assert_eq!(update_of(table * PAGE + 24, 0, tables | other.0), 0);
    assert_eq!(window.words()[3], 0);
    window.unmap();
    assert_eq!(mmuext_of(ext::UNPIN, table, other.0), 0);
    assert!(mmuext_of(ext::UNPIN, table, other.0) < 0, "twice");
    other.map(window, table);
    window.unmap();
}

/// `struct xen_mem_acquire_resource`: domain and type, which, count and padding, first, list.
fn acquire(domain: u64, kind: u64, id: u64, count: u64, first: u64, list: u64) -> (i64, u64) {
    let mut argument = [domain | kind << 16 | id << 32, count, first, list];
    let answer = memory_op(28, at_mut(&mut argument));
    (answer, argument[1])
}

const GRANT_TABLE: u64 = 1;

fn resource() {
    let other = Other::create();
    assert_eq!(
        acquire(other.0, GRANT_TABLE, 0, 0, 0, 0),
        (0, 4),
        "its size"
    );
    let mut frames = [0u64; 3];
    let list = frames.as_mut_ptr() as u64;
    assert_eq!(acquire(other.0, GRANT_TABLE, 0, 2, 1, list).0, 0);
    assert!(frames[0] != 0 && frames[1] != 0 && frames[2] == 0);
    let window = window();
    other.map(window, frames[0]);
    // Entry 512 of version 1, which we may use.
    window.words()[0] = 1;
    window.unmap();
    assert_eq!(acquire(other.0, GRANT_TABLE, 0, 1, 0, list).0, 0);
    other.map(window, frames[0]);
    assert_eq!(window.words()[0], 0);
    other.destroy();
    window.words()[0] = 3;
    window.unmap();
}

fn resource_bad() {
    let other = Other::create();
    let mut frames = [0u64; 8];
    let list = frames.as_mut_ptr() as u64;
    assert_eq!(acquire(SELF, GRANT_TABLE, 0, 1, 0, list).0, ESRCH);
    assert_eq!(acquire(0, GRANT_TABLE, 0, 1, 0, list).0, EPERM);
    assert_eq!(acquire(NOBODY, GRANT_TABLE, 0, 1, 0, list).0, ESRCH);
    for (kind, id) in [(0, 0), (2, 0), (GRANT_TABLE, 2)] {
        assert_eq!(acquire(other.0, kind, id, 1, 0, list).0, EINVAL);
    }
    assert_eq!(acquire(other.0, 3, 0, 1, 0, list).0, EOPNOTSUPP);
    assert_eq!(acquire(other.0, GRANT_TABLE, 0, 0, 0, list).0, EINVAL);
    assert_eq!(acquire(other.0, GRANT_TABLE, 0, 5, 0, list).0, EINVAL);
    assert_eq!(acquire(other.0, GRANT_TABLE, 0, 1, 4, list).0, EINVAL);
    assert_eq!(acquire(other.0, GRANT_TABLE, 0, 1, 1 << 32, list).0, EINVAL);
    assert_eq!(
        acquire(other.0, GRANT_TABLE, 1, 1, 0, list).0,
        EINVAL,
        "version 1"
    );
    assert_eq!(
        acquire(other.0, GRANT_TABLE, 0, 1 | 1 << 32, 0, list).0,
        EINVAL
    );
    assert_eq!(
        acquire(other.0, GRANT_TABLE, 0, 1, 0, 0).0,
        EINVAL,
        "no list"
    );
}

fn grant_table() {
    let other = Other::create();
    let mut frames = [0u64; 2];
    // struct gnttab_setup_table: domain, frames; status; list
    let mut setup = [other.0 | 2 << 32, 0, frames.as_mut_ptr() as u64];
    assert_eq!(call3(nr::GRANT_TABLE_OP, 2, at_mut(&mut setup), 1), 0);
    assert_eq!(setup[1] as u16, 0, "status");
    assert!(frames[0] != 0 && frames[1] != 0);
    // struct gnttab_query_size: domain; frames and maximum, status
    let mut size = [u32::from(other.0 as u16), 0, 0, 9];
    assert_eq!(call3(nr::GRANT_TABLE_OP, 6, at_mut(&mut size), 1), 0);
    assert_eq!((size[1], size[2], size[3] as u16), (2, 4, 0));
    let mut version = [u32::from(other.0 as u16), 0];
    assert_eq!(call3(nr::GRANT_TABLE_OP, 10, at_mut(&mut version), 1), 0);
    assert_eq!(version[1], 1);
    setup[0] = other.0 | 5 << 32;
    assert_eq!(call3(nr::GRANT_TABLE_OP, 2, at_mut(&mut setup), 1), 0);
    assert_ne!(setup[1] as u16, 0, "beyond its maximum");
}

/// Found where forty guests began at once: the hypervisor's heap was full, and did not grow for what guests make it hold.
fn grant_tables() {
    const FRAMES: u64 = 64;
    let domains = [(); 5].map(|()| Other::lending(FRAMES));
    for other in &domains {
        let mut frames = [0u64; FRAMES as usize];
        let mut setup = [other.0 | FRAMES << 32, 0, frames.as_mut_ptr() as u64];
        assert_eq!(call3(nr::GRANT_TABLE_OP, 2, at_mut(&mut setup), 1), 0);
        assert_eq!(setup[1] as i16, 0, "status of {}", other.0);
        assert!(frames.iter().all(|frame| *frame != 0));
    }
}

/// `EVTCHNOP_status`: the status, then by status.
fn status(domain: u64, port: u32) -> (u32, u32) {
    let mut argument = [domain as u32, port, 0, 0, 0, 0];
    assert_eq!(event_channel_op(event::STATUS, at_mut(&mut argument)), 0);
    (argument[2], argument[4])
}

fn event_channels() {
    let other = Other::create();
    let far = events::alloc_unbound(other.0 as u16, SELF as u16).unwrap();
    assert_eq!(status(other.0, far), (1, 0), "waits for us");
    let near = events::bind_interdomain(other.0 as u16, far).unwrap();
    assert_eq!(status(other.0, far), (2, 0), "is ours");
    assert_eq!(events::send(near), 0);
    assert_eq!(events::close(near), 0);
    assert_eq!(status(other.0, far), (1, 0), "waits for us again");
    let near = events::bind_interdomain(other.0 as u16, far).unwrap();
    let reset = [other.0 as u16];
    assert_eq!(event_channel_op(event::RESET, at(&reset)), 0);
    assert_eq!(status(other.0, far).0, 0, "closed");
    assert_eq!(
        events::status(near).unwrap().status,
        1,
        "waits for it again"
    );
    assert_eq!(events::bind_interdomain(other.0 as u16, far), Err(EINVAL));
    assert_eq!(events::close(near), 0);
    assert_eq!(events::alloc_unbound(NOBODY as u16, 0), Err(ESRCH));
    assert_eq!(event_channel_op(event::RESET, at(&[NOBODY as u16])), ESRCH);
    let mut ports = 0;
    let last = loop {
        match events::alloc_unbound(other.0 as u16, 0) {
            Ok(_) => ports += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((ports, last), (1023, ENOSPC));
}

fn translated() {
    let other = Other::create();
    let mfn = other.frame(5);
    // struct xen_pod_target: target; out: total, cache, entries; domain
    let mut pod = [0, 9, 9, 9, other.0];
    for operation in [16, 17] {
        assert_eq!(memory_op(operation, at_mut(&mut pod)), EINVAL);
    }
    pod[4] = NOBODY;
    assert_eq!(memory_op(17, at_mut(&mut pod)), ESRCH);
    // struct xen_add_to_physmap: domain, size, space; idx; gpfn
    for space in [0, 1, 2, 3] {
        assert_eq!(memory_op(7, at(&[other.0 | space << 32, 0, 0x10])), EACCES);
    }
    assert_eq!(memory_op(7, at(&[other.0 | 4 << 32, 0, 0x10])), ENOSYS);
    assert_eq!(memory_op(7, at(&[NOBODY, 0, 0x10])), ESRCH);
    assert_eq!(memory_op(15, at(&[other.0, mfn])), EACCES);
    assert_eq!(other.total(), 1);
    assert_eq!(memory_op(15, at(&[SELF, Page::take().mfn()])), EACCES);
    assert_eq!(memory_op(15, at(&[NOBODY, mfn])), ESRCH);
    // struct xen_vnuma_topology_info
    let mut topology = [other.0, 0, 0, 0, 0];
    assert_eq!(memory_op(26, at_mut(&mut topology)), EOPNOTSUPP);
    topology[0] = other.0 | 1 << 16;
    assert_eq!(memory_op(26, at_mut(&mut topology)), EINVAL, "padding");
    // struct xen_reserved_device_memory_map: flags, entries; buffer; device
    let mut reserved = [1 | 4u64 << 32, 0, 0];
    assert_eq!(memory_op(27, at_mut(&mut reserved)), 0);
    assert_eq!(reserved[0] >> 32, 0);
    reserved[0] = 2;
    assert_eq!(memory_op(27, at_mut(&mut reserved)), EINVAL);
    assert_eq!(
        memory_op(14, at(&(other.0 as u16))),
        0,
        "it has told no frames"
    );
}

fn memory_map() {
    let other = Other::create();
    // struct e820entry, packed: address, size, type
    let map = [0u32, 0, 0x10_0000, 0, 1];
    let set = |domain: u64, entries: u64| {
        let argument = [domain, entries, at(&map)];
        memory_op(13, at(&argument))
    };
    assert_eq!(set(other.0, 1), 0);
    assert_eq!(set(NOBODY, 1), ESRCH);
    assert_eq!(set(other.0, 1025), EINVAL);
}

fn end() {
    let other = Other::create();
    let (mfn, window) = (other.frame(5), window());
    other.map(window, mfn);
    window.words()[9] = 0x99;
    other.destroy();
    assert_eq!(window.words()[9], 0x99, "held by the mapping");
    window.words()[9] = 0x98;
    window.unmap();
    let gone = map_of(window, (mfn * PAGE) | WRITABLE, other.0);
    assert_eq!(gone, ESRCH, "the last of it was let go");
}
