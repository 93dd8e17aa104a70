//! Grant tables, with dom0 granting to itself: the table, mapping, and copying.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::grants::*;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::mmu;
use guest_kit::pages::Page;
use guest_kit::trap::expect_fault;

/// The group.
pub const GROUP: Group = Group {
    name: "grants",
    cases: &[
        case!(
            "grant-setup",
            "setup_table gives the frames of our table, which map writable",
            setup_table
        ),
        case!(
            "grant-setup-bad",
            "setup_table refuses too many frames and other domains",
            setup_bad
        ),
        case!(
            "grant-query-size",
            "query_size gives frames in use and their limit",
            query_size
        ),
        case!(
            "grant-version",
            "the table starts as version 1; 1 and 2 can be set, nothing else",
            version
        ),
        case!(
            "grant-version-busy",
            "the version cannot change while a grant is in use",
            version_busy
        ),
        case!(
            "grant-map",
            "a grant maps, and both addresses see one frame",
            map_one
        ),
        case!(
            "grant-map-flags",
            "a mapping marks the entry read or written, the unmap unmarks it",
            map_flags
        ),
        case!(
            "grant-map-readonly",
            "a read-only mapping does not take writes",
            map_readonly
        ),
        case!(
            "grant-readonly-enforced",
            "a read-only grant cannot be mapped writable",
            readonly_enforced
        ),
        case!("grant-stale", "a grant taken back cannot be mapped", stale),
        case!(
            "grant-wrong-domain",
            "a grant to another domain cannot be mapped",
            wrong_domain
        ),
        case!(
            "grant-bad-reference",
            "references beyond the table are refused",
            bad_reference
        ),
        case!(
            "grant-map-bad-domain",
            "a granter that does not exist is refused",
            bad_domain
        ),
        case!(
            "grant-map-no-kind",
            "a map for neither host nor device is refused",
            no_kind
        ),
        case!(
            "grant-map-bad-address",
            "an address without a page table, or of the hypervisor, is refused",
            bad_address
        ),
        case!(
            "grant-unmap-twice",
            "the second unmap finds a bad handle",
            unmap_twice
        ),
        case!(
            "grant-unmap-bad",
            "an unmap with a wrong handle or address is refused",
            unmap_bad
        ),
        case!(
            "grant-map-pte",
            "a map may name the table entry instead of the address",
            map_pte
        ),
        case!(
            "grant-map-table-refused",
            "a page table cannot be mapped writable through a grant",
            map_table
        ),
        case!(
            "grant-unmap-replace",
            "unmap_and_replace moves another mapping in",
            unmap_replace
        ),
        case!("grant-swap", "swap_grant_ref exchanges two entries", swap),
        case!(
            "grant-batch",
            "a list of maps goes on past a refused one",
            batch
        ),
        case!("grant-unknown", "unknown operations give ENOSYS", unknown),
    ],
};

/// A page granted to ourselves.
struct Granted {
    table: Table,
    page: Page,
}

const REFERENCE: u32 = 20;

fn granted(flags: u16) -> Granted {
    let table = setup();
    let page = Page::take();
    page.words()[0] = 0x6789;
    table.grant(REFERENCE, PERMIT_ACCESS | flags, 0, page.mfn());
    Granted { table, page }
}

fn setup_table() {
    let table = setup();
    table.grant(100, 0, 0, 0);
    assert_eq!(table.flags(100), 0);
}

fn setup_status(domain: u64, frames: u64) -> i16 {
    let mut list = [0u64; 128];
    let mut argument = [domain | frames << 32, 0, list.as_mut_ptr() as u64];
    assert_eq!(table_op(op::SETUP, at_mut(&mut argument), 1), 0);
    argument[1] as i16
}

fn setup_bad() {
    assert_eq!(setup_status(0x1234, 1), status::BAD_DOMAIN);
    assert_eq!(setup_status(0x7ff0, 100_000), status::GENERAL_ERROR);
    let argument = [0x7ff0u64 | 1 << 32, 0, 0];
    assert_eq!(
        table_op(op::SETUP, at(&argument), 2),
        EINVAL,
        "more than one"
    );
}

fn query_size() {
    // dom, nr_frames, max_nr_frames, status
    let mut argument = [0x7ff0u32, 0, 0, 0];
    assert_eq!(table_op(op::QUERY_SIZE, at_mut(&mut argument), 1), 0);
    assert_eq!(argument[3] as i16, status::OKAY);
    assert!(
        argument[1] >= 1 && argument[1] <= argument[2],
        "{argument:?}"
    );
    let mut argument = [0x1234u32, 0, 0, 0];
    assert_eq!(table_op(op::QUERY_SIZE, at_mut(&mut argument), 1), 0);
    assert_eq!(argument[3] as i16, status::BAD_DOMAIN);
}

fn set_version(version: u32) -> i64 {
    let mut argument = version;
    table_op(op::SET_VERSION, at_mut(&mut argument), 1)
}

fn get_version() -> u32 {
    let mut argument = [0x7ff0u32, 0];
    assert_eq!(table_op(op::GET_VERSION, at_mut(&mut argument), 1), 0);
    argument[1]
}

fn version() {
    assert_eq!(get_version(), 1);
    assert_eq!((set_version(2), get_version()), (0, 2));
    assert_eq!((set_version(1), get_version()), (0, 1));
    for bad in [0, 3, u32::MAX] {
        assert_eq!(set_version(bad), EINVAL);
    }
    assert_eq!(get_version(), 1);
}

fn version_busy() {
    let granted = granted(0);
    let window = Page::take();
    let map = map(window.va, MAP_HOST, REFERENCE, 0);
    assert_eq!(map.status, status::OKAY);
    assert_eq!(set_version(2), EBUSY);
    assert_eq!(unmap(window.va, map.handle), status::OKAY);
    granted.table.grant(REFERENCE, 0, 0, 0);
}

fn map_one() {
    let granted = granted(0);
    let window = Page::take();
    let map = map(window.va, MAP_HOST, REFERENCE, 0);
    assert_eq!(map.status, status::OKAY);
    assert_eq!(window.words()[0], 0x6789);
    window.words()[1] = 0x1111;
    assert_eq!(granted.page.words()[1], 0x1111);
    assert_eq!(unmap(window.va, map.handle), status::OKAY);
    assert_eq!(expect_fault(|| window.words()[0] = 1).vector, 14);
}

fn map_flags() {
    let granted = granted(0);
    let window = Page::take();
    let write = map(window.va, MAP_HOST, REFERENCE, 0);
    assert_eq!(
        granted.table.flags(REFERENCE),
        PERMIT_ACCESS | READING | WRITING
    );
    assert_eq!(unmap(window.va, write.handle), status::OKAY);
    assert_eq!(granted.table.flags(REFERENCE), PERMIT_ACCESS);
    let read = map(window.va, MAP_HOST | MAP_READ_ONLY, REFERENCE, 0);
    assert_eq!(granted.table.flags(REFERENCE), PERMIT_ACCESS | READING);
    assert_eq!(unmap(window.va, read.handle), status::OKAY);
    assert_eq!(granted.table.flags(REFERENCE), PERMIT_ACCESS);
}

fn map_readonly() {
    let _granted = granted(0);
    let window = Page::take();
    let map = map(window.va, MAP_HOST | MAP_READ_ONLY, REFERENCE, 0);
    assert_eq!((map.status, window.words()[0]), (status::OKAY, 0x6789));
    assert_eq!(expect_fault(|| window.words()[0] = 1).error, 3);
    assert_eq!(unmap(window.va, map.handle), status::OKAY);
}

fn readonly_enforced() {
    let granted = granted(READ_ONLY);
    let window = Page::take();
    assert_eq!(
        map(window.va, MAP_HOST, REFERENCE, 0).status,
        status::GENERAL_ERROR
    );
    assert_eq!(granted.table.flags(REFERENCE), PERMIT_ACCESS | READ_ONLY);
    let map = map(window.va, MAP_HOST | MAP_READ_ONLY, REFERENCE, 0);
    assert_eq!(map.status, status::OKAY);
    assert_eq!(unmap(window.va, map.handle), status::OKAY);
}

fn stale() {
    let granted = granted(0);
    granted.table.grant(REFERENCE, 0, 0, granted.page.mfn());
    let window = Page::take();
    assert_eq!(
        map(window.va, MAP_HOST, REFERENCE, 0).status,
        status::GENERAL_ERROR
    );
}

fn wrong_domain() {
    let granted = granted(0);
    granted
        .table
        .grant(REFERENCE, PERMIT_ACCESS, 5, granted.page.mfn());
    let window = Page::take();
    assert_eq!(
        map(window.va, MAP_HOST, REFERENCE, 0).status,
        status::GENERAL_ERROR
    );
}

fn bad_reference() {
    let _granted = granted(0);
    let window = Page::take();
    for reference in [100_000, u32::MAX] {
        assert_eq!(
            map(window.va, MAP_HOST, reference, 0).status,
            status::BAD_GNTREF
        );
    }
}

fn bad_domain() {
    let window = Page::take();
    for domain in [0x1234, 0x7ff0, 0x7ff2] {
        assert_eq!(
            map(window.va, MAP_HOST, REFERENCE, domain).status,
            status::BAD_DOMAIN
        );
    }
}

fn no_kind() {
    let _granted = granted(0);
    assert_eq!(
        map(Page::take().va, 0, REFERENCE, 0).status,
        status::BAD_GNTREF
    );
}

fn bad_address() {
    let granted = granted(0);
    for address in [
        0x7000_0000_0000,
        0xffff_8300_0000_0000,
        0x8000_0000_0000_0000,
    ] {
        let status = map(address, MAP_HOST, REFERENCE, 0).status;
        assert_eq!(status, status::GENERAL_ERROR, "{address:#x}");
    }
    assert_eq!(granted.table.flags(REFERENCE), PERMIT_ACCESS);
}

fn unmap_twice() {
    let _granted = granted(0);
    let window = Page::take();
    let map = map(window.va, MAP_HOST, REFERENCE, 0);
    assert_eq!(unmap(window.va, map.handle), status::OKAY);
    assert_eq!(unmap(window.va, map.handle), status::BAD_HANDLE);
}

fn unmap_bad() {
    let _granted = granted(0);
    let (window, other) = (Page::take(), Page::take());
    let map = map(window.va, MAP_HOST, REFERENCE, 0);
    for handle in [map.handle + 1000, u32::MAX] {
        assert_eq!(unmap(window.va, handle), status::BAD_HANDLE);
    }
    assert_eq!(unmap(other.va, map.handle), status::GENERAL_ERROR);
    assert_eq!(window.words()[0], 0x6789, "still mapped");
    assert_eq!(unmap(window.va, map.handle), status::OKAY);
}

fn map_pte() {
    let _granted = granted(0);
    let window = Page::take();
    let entry = mmu::entry_address(window.va, 1);
    let map = map(entry, MAP_HOST | MAP_CONTAINS_PTE, REFERENCE, 0);
    assert_eq!(map.status, status::OKAY);
    assert_eq!(mmu::mmuext_one(mmu::ext::INVLPG_LOCAL, window.va, 0), 0);
    assert_eq!(window.words()[0], 0x6789);
    assert_eq!(unmap(entry, map.handle), status::OKAY);
}

fn map_table() {
    let granted = granted(0);
    granted.page.words().fill(0);
    granted.page.make_readonly();
    assert_eq!(mmu::pin(1, granted.page.mfn()), 0);
    let window = Page::take();
    assert_ne!(map(window.va, MAP_HOST, REFERENCE, 0).status, status::OKAY);
    assert_eq!(mmu::unpin(granted.page.mfn()), 0);
    granted.page.make_writable();
}

fn unmap_replace() {
    let _granted = granted(0);
    let (window, source) = (Page::take(), Page::take());
    source.words()[0] = 0x4242;
    let map = map(window.va, MAP_HOST, REFERENCE, 0);
    assert_eq!(map.status, status::OKAY);
    // host_addr, new_addr, handle, status
    let mut argument = [window.va, source.va, map.handle as u64];
    assert_eq!(table_op(op::UNMAP_AND_REPLACE, at_mut(&mut argument), 1), 0);
    assert_eq!((argument[2] >> 32) as i16, status::OKAY);
    assert_eq!(window.words()[0], 0x4242);
    assert_eq!(expect_fault(|| source.words()[0] = 1).vector, 14);
}

fn swap() {
    let granted = granted(0);
    granted.table.grant(REFERENCE + 1, 0, 0, 0);
    // ref_a, ref_b, status
    let mut argument = [REFERENCE, REFERENCE + 1, 0];
    assert_eq!(table_op(op::SWAP, at_mut(&mut argument), 1), 0);
    assert_eq!(argument[2] as i16, status::OKAY);
    assert_eq!(granted.table.flags(REFERENCE), 0);
    assert_eq!(granted.table.flags(REFERENCE + 1), PERMIT_ACCESS);
    let mut argument = [REFERENCE, 1 << 20, 0];
    assert_eq!(table_op(op::SWAP, at_mut(&mut argument), 1), 0);
    assert_eq!(argument[2] as i16, status::BAD_GNTREF);
}

fn batch() {
    let _granted = granted(0);
    let (first, second) = (Page::take(), Page::take());
    let request = |host_address, reference| Map {
        host_address,
        flags: MAP_HOST,
        reference,
        ..Map::default()
    };
    let mut list = [
        request(first.va, REFERENCE),
        request(first.va, 1 << 20),
        request(second.va, REFERENCE),
    ];
    assert_eq!(table_op(op::MAP, at_mut(&mut list), 3), 0);
    let statuses = list.map(|map| map.status);
    assert_eq!(statuses, [status::OKAY, status::BAD_GNTREF, status::OKAY]);
    assert_eq!(unmap(first.va, list[0].handle), status::OKAY);
    assert_eq!(unmap(second.va, list[2].handle), status::OKAY);
}

fn unknown() {
    let argument = [0u64; 8];
    for operation in [13, 14, 100] {
        assert_eq!(table_op(operation, at(&argument), 1), ENOSYS, "{operation}");
    }
}
