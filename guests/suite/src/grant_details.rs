//! Grant operations, closer: what a mapping's entry looks like, refusals of each operation, long batches,
//! transfers.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::grants::*;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::mmu;
use guest_kit::pages::Page;

/// The group.
pub const GROUP: Group = Group {
    name: "grant-details",
    cases: &[
        case!(
            "grant-entry",
            "a mapping's entry is as its flags ask",
            entry_bits
        ),
        case!(
            "grant-device",
            "a device mapping answers the machine address and is unmapped by it",
            device
        ),
        case!(
            "grant-frames",
            "only the granter's own frames are mapped",
            frames
        ),
        case!(
            "grant-pte-bad",
            "a map or unmap by a bad entry address is refused",
            pte_bad
        ),
        case!(
            "grant-unmap-rights",
            "an unmap must name a mapping with the grant's rights",
            unmap_rights
        ),
        case!(
            "grant-replace-bad",
            "unmap_and_replace refuses bad replacements and entry mappings",
            replace_bad
        ),
        case!(
            "grant-swap-busy",
            "an entry in use is not swapped",
            swap_busy
        ),
        case!(
            "grant-long-batch",
            "120 maps, copies and unmaps in one call each are all done",
            long_batch
        ),
        case!(
            "grant-transfer",
            "a transfer moves a frame with its contents",
            transfer
        ),
        case!(
            "grant-transfer-bad",
            "a frame in use stays; one that is taken is lost when the transfer fails",
            transfer_bad
        ),
        case!(
            "grant-copy-domains",
            "frames are named by DOMID_SELF only, grants by any number",
            copy_domains
        ),
        case!(
            "grant-cache-flush",
            "cache_flush checks its range and its operation",
            cache_flush
        ),
        case!(
            "grant-counts",
            "operations check their count and number first",
            counts
        ),
    ],
};

const OURSELVES: u16 = 0x7ff0;
const REFERENCE: u32 = 50;
const MAP_DEVICE: u32 = 1;
const MAP_APPLICATION: u32 = 8;

fn granted() -> (Table, Page) {
    let (table, page) = (setup(), Page::take());
    table.grant(REFERENCE, PERMIT_ACCESS, 0, page.mfn());
    (table, page)
}

/// Unmaps by a host and a device address; the answer is the status.
fn unmap_both(host_address: u64, device_address: u64, handle: u32) -> i16 {
    let mut argument = [host_address, device_address, handle as u64];
    assert_eq!(table_op(op::UNMAP, at_mut(&mut argument), 1), 0);
    (argument[2] >> 32) as i16
}

fn entry_bits() {
    let (_, page) = granted();
    let kernel = 1 << 52;
    let base = page.machine() | mmu::NX | mmu::P | mmu::US | mmu::A | mmu::D;
    for (flags, entry) in [
        (MAP_HOST, base | kernel | mmu::RW),
        (MAP_HOST | MAP_READ_ONLY, base | kernel),
        (MAP_HOST | MAP_APPLICATION, base | mmu::G | mmu::RW),
        (MAP_HOST | 1 << 16, base | kernel | mmu::RW | 1 << 9),
        (MAP_HOST | 0xffff << 16, base | kernel | mmu::RW | 7 << 9),
    ] {
        let window = Page::take();
        let map = map(window.va, flags, REFERENCE, 0);
        assert_eq!(mmu::entry_of(window.va, 1), entry, "{flags:#x}");
        assert_eq!(unmap(window.va, map.handle), status::OKAY);
        assert_eq!(mmu::entry_of(window.va, 1), 0);
    }
}

fn device() {
    let (table, page) = granted();
    let window = Page::take();
    let map = map(window.va, MAP_HOST | MAP_DEVICE, REFERENCE, 0);
    assert_eq!(
        (map.status, map.device_address),
        (status::OKAY, page.machine())
    );
    let wrong = unmap_both(window.va, page.machine() + 4096, map.handle);
    assert_eq!(wrong, status::BAD_DEV_ADDR);
    assert_eq!(
        unmap_both(0, 0, map.handle),
        status::OKAY,
        "nothing asked for"
    );
    assert_eq!(unmap_both(0, page.machine(), map.handle), status::OKAY);
    assert_eq!(table.flags(REFERENCE), PERMIT_ACCESS | READING | WRITING);
    assert_eq!(unmap_both(0, 5, map.handle), status::OKAY, "not mapped so");
    assert_eq!(unmap_both(window.va, 0, map.handle), status::OKAY);
    assert_eq!(table.flags(REFERENCE), PERMIT_ACCESS);
    halves_in_one_batch(window, page);
    assert_eq!(table.flags(REFERENCE), PERMIT_ACCESS);
}

fn halves_in_one_batch(window: Page, page: Page) {
    let map = map(window.va, MAP_HOST | MAP_DEVICE, REFERENCE, 0);
    let handle = map.handle as u64;
    let mut unmaps = [
        [window.va, 0, handle],
        [0, page.machine(), handle],
        [window.va, 0, handle],
    ];
    assert_eq!(table_op(op::UNMAP, at_mut(&mut unmaps), 3), 0);
    let statuses = unmaps.map(|unmap| (unmap[2] >> 32) as i16);
    let expected = [status::OKAY, status::OKAY, status::BAD_HANDLE];
    assert_eq!(statuses, expected);
}

fn frames() {
    let table = setup();
    let window = Page::take();
    // The hypervisor's, none, the local APIC's, video memory.
    for mfn in [
        crate::mmu_entries::hypervisor_mfn(),
        0xff_ffff,
        0xf_ee00,
        0xa0,
    ] {
        table.grant(REFERENCE, PERMIT_ACCESS, 0, mfn);
        for flags in [MAP_HOST, MAP_HOST | MAP_READ_ONLY] {
            let map = map(window.va, flags, REFERENCE, 0);
            assert_eq!(map.status, status::BAD_PAGE, "{mfn:#x}");
        }
        assert_eq!(table.flags(REFERENCE), PERMIT_ACCESS);
    }
}

fn pte_bad() {
    let (table, _) = granted();
    let window = Page::take();
    let entry = mmu::entry_address(window.va, 1);
    let kind = MAP_HOST | MAP_CONTAINS_PTE;
    for bad in [entry + 1, entry + 4, 0, 0xff_ffff_f000, window.machine()] {
        assert_eq!(map(bad, kind, REFERENCE, 0).status, status::GENERAL_ERROR);
        assert_eq!(table.flags(REFERENCE), PERMIT_ACCESS);
    }
    let by_entry = map(entry, kind, REFERENCE, 0);
    for bad in [entry + 1, entry + 8, window.va] {
        assert_eq!(unmap(bad, by_entry.handle), status::GENERAL_ERROR);
    }
    assert_eq!(unmap(entry, by_entry.handle), status::OKAY);
    let by_address = map(window.va, MAP_HOST, REFERENCE, 0);
    assert_eq!(unmap(entry, by_address.handle), status::GENERAL_ERROR);
    assert_eq!(unmap(window.va, by_address.handle), status::OKAY);
}

fn unmap_rights() {
    let (_, page) = granted();
    let window = Page::take();
    let map = map(window.va, MAP_HOST | MAP_READ_ONLY, REFERENCE, 0);
    // The page's own mapping is writable.
    assert_eq!(unmap(page.va, map.handle), status::GENERAL_ERROR);
    assert_eq!(unmap(window.va, map.handle), status::OKAY);
}

fn replace(host_address: u64, new_address: u64, handle: u32) -> i16 {
    let mut argument = [host_address, new_address, handle as u64];
    assert_eq!(table_op(op::UNMAP_AND_REPLACE, at_mut(&mut argument), 1), 0);
    (argument[2] >> 32) as i16
}

fn replace_bad() {
    let (table, _) = granted();
    let (window, source) = (Page::take(), Page::take());
    let entry = mmu::entry_address(window.va, 1);
    let by_entry = map(entry, MAP_HOST | MAP_CONTAINS_PTE, REFERENCE, 0);
    assert_eq!(
        replace(entry, source.va, by_entry.handle),
        status::GENERAL_ERROR
    );
    assert_eq!(unmap(entry, by_entry.handle), status::OKAY);
    let map = map(window.va, MAP_HOST, REFERENCE, 0);
    assert_eq!(replace(window.va, source.va, 12345), status::BAD_HANDLE);
    for bad in [0x7000_0000_0000, 0xffff_8300_0000_0000] {
        assert_eq!(replace(window.va, bad, map.handle), status::GENERAL_ERROR);
    }
    assert_eq!(
        replace(0, source.va, map.handle),
        status::OKAY,
        "nothing asked for"
    );
    assert_eq!(table.flags(REFERENCE), PERMIT_ACCESS | READING | WRITING);
    assert_eq!(
        replace(window.va, 0, map.handle),
        status::OKAY,
        "a plain unmap"
    );
    assert_eq!(table.flags(REFERENCE), PERMIT_ACCESS);
}

fn swap_one(first: u32, second: u32) -> i16 {
    let mut argument = [first, second, 0];
    assert_eq!(table_op(op::SWAP, at_mut(&mut argument), 1), 0);
    argument[2] as i16
}

fn swap_busy() {
    const AGAIN: i16 = -12;
    let _granted = granted();
    let window = Page::take();
    let map = map(window.va, MAP_HOST, REFERENCE, 0);
    assert_eq!(swap_one(REFERENCE, REFERENCE + 1), AGAIN);
    assert_eq!(swap_one(REFERENCE + 1, REFERENCE), AGAIN);
    assert_eq!(swap_one(REFERENCE, REFERENCE), status::OKAY);
    assert_eq!(swap_one(1 << 20, 1 << 20), status::BAD_GNTREF);
    assert_eq!(unmap(window.va, map.handle), status::OKAY);
}

fn long_batch() {
    const COUNT: usize = 120;
    let (table, page) = granted();
    page.words().fill(7);
    let windows = Page::take_run(COUNT);
    let mut maps = [Map::default(); COUNT];
    for (index, map) in maps.iter_mut().enumerate() {
        (map.host_address, map.flags) = (windows.next(index as u64).va, MAP_HOST);
        map.reference = REFERENCE;
    }
    assert_eq!(table_op(op::MAP, at_mut(&mut maps), COUNT as u64), 0);
    let refused = maps.iter().position(|map| map.status != status::OKAY);
    assert_eq!(refused, None);
    assert!((0..COUNT as u64).all(|index| windows.next(index).words()[5] == 7));
    let target = Page::take();
    let mut copies = [Copy::default(); COUNT];
    for (index, copy) in copies.iter_mut().enumerate() {
        (copy.source.frame_or_reference, copy.flags) = (REFERENCE as u64, 1);
        copy.destination.frame_or_reference = target.mfn();
        copy.destination.domain = OURSELVES;
        copy.destination.offset = 16 * index as u16;
        (copy.length, copy.status) = (8, 1);
    }
    assert_eq!(table_op(op::COPY, at_mut(&mut copies), COUNT as u64), 0);
    assert!(copies.iter().all(|copy| copy.status == status::OKAY));
    let expected = |index: usize| 7 * (index % 2 == 0 && index < 2 * COUNT) as u64;
    assert!((0..512).all(|index| target.words()[index] == expected(index)));
    let mut unmaps = maps.map(|map| [map.host_address, 0, map.handle as u64 | 1 << 32]);
    assert_eq!(table_op(op::UNMAP, at_mut(&mut unmaps), COUNT as u64), 0);
    assert!(unmaps
        .iter()
        .all(|unmap| (unmap[2] >> 32) as i16 == status::OKAY));
    assert_eq!(table.flags(REFERENCE), PERMIT_ACCESS);
}

const ACCEPT_TRANSFER: u16 = 2;
const TRANSFER_DONE: u16 = ACCEPT_TRANSFER | 4 | 8;

fn send(mfn: u64, domain: u64, reference: u32) -> i16 {
    let mut argument = [mfn, domain | (reference as u64) << 32, 0];
    assert_eq!(table_op(op::TRANSFER, at_mut(&mut argument), 1), 0);
    argument[2] as i16
}

/// Maps a frame at a page's address.
fn map_frame(page: Page, mfn: u64) -> i64 {
    mmu::update_va_mapping(page.va, (mfn * 4096) | mmu::WRITABLE, mmu::INVLPG)
}

fn transfer() {
    let (table, page) = (setup(), Page::take());
    let mfn = page.mfn();
    page.words()[0] = 0x1234;
    table.grant(REFERENCE, ACCEPT_TRANSFER, 0, 0);
    page.unmap();
    assert_eq!(send(mfn, 0, REFERENCE), status::OKAY);
    assert_eq!(table.flags(REFERENCE), TRANSFER_DONE);
    let entry = table.frame.words()[REFERENCE as usize];
    assert_eq!(entry >> 32, mfn);
    assert_eq!(map_frame(page, mfn), 0);
    assert_eq!(page.words()[0], 0x1234);
    table.grant(REFERENCE, 0, 0, 0);
}

fn transfer_bad() {
    let table = setup();
    table.grant(REFERENCE, ACCEPT_TRANSFER, 0, 0);
    let page = Page::take();
    for mfn in [
        page.mfn(),
        crate::mmu_entries::hypervisor_mfn(),
        0xff_ffff,
        1 << 50,
    ] {
        assert_eq!(send(mfn, 0, REFERENCE), status::BAD_PAGE, "{mfn:#x}");
    }
    assert_eq!(table.flags(REFERENCE), ACCEPT_TRANSFER);
    page.words()[0] = 1;
    for (domain, reference, expected) in [
        (0, REFERENCE + 1, status::GENERAL_ERROR),
        (0, 1 << 20, status::GENERAL_ERROR),
        (0x1234, REFERENCE, status::BAD_DOMAIN),
        (OURSELVES as u64, REFERENCE, status::BAD_DOMAIN),
    ] {
        let page = Page::take();
        let mfn = page.mfn();
        page.unmap();
        assert_eq!(send(mfn, domain, reference), expected);
        assert_ne!(map_frame(page, mfn), 0, "the frame is lost");
    }
    table.grant(REFERENCE, 0, 0, 0);
}

fn copy_domains() {
    let (_, page) = granted();
    let target = Page::take();
    let end = |frame_or_reference, domain| CopyEnd {
        frame_or_reference,
        domain,
        ..CopyEnd::default()
    };
    let own = end(target.mfn(), OURSELVES);
    assert_eq!(
        copy(end(page.mfn(), 0), own, 4, 0),
        status::PERMISSION_DENIED
    );
    assert_eq!(
        copy(own, end(page.mfn(), 0), 4, 0),
        status::PERMISSION_DENIED
    );
    assert_eq!(copy(end(page.mfn(), 0x1234), own, 4, 0), status::BAD_DOMAIN);
    let reference = REFERENCE as u64;
    for domain in [0, OURSELVES] {
        assert_eq!(copy(end(reference, domain), own, 4, 1), status::OKAY);
    }
    let high = end(reference | 5 << 32, 0);
    assert_eq!(copy(high, own, 4, 1), status::OKAY, "only 32 bits count");
    // The frame is looked at before the offset.
    let bad = CopyEnd {
        offset: 4095,
        ..end(0xff_ffff, OURSELVES)
    };
    assert_eq!(copy(bad, own, 4, 0), status::BAD_PAGE);
}

fn flush(address: u64, offset: u64, length: u64, operation: u64) -> i64 {
    let mut argument = [address, offset | length << 16 | operation << 32];
    table_op(op::CACHE_FLUSH, at_mut(&mut argument), 1)
}

fn cache_flush() {
    let address = Page::take().machine();
    let results = [0, 1, 2, 3, 4, 1 << 31].map(|it| flush(address, 0, 64, it));
    assert_eq!(results, [0, 0, EOPNOTSUPP, 0, EINVAL, EINVAL]);
    assert_eq!(flush(address, 0, 4096, 1), 0);
    assert_eq!(flush(address, 4096, 0, 1), EINVAL);
    assert_eq!(flush(address, 4095, 2, 1), EINVAL);
    assert_eq!(flush(0xff_ffff * 4096, 0, 8, 1), EINVAL);
}

fn counts() {
    let argument = [0u64; 8];
    let hypervisor = 0xffff_8300_0000_0000;
    for operation in [
        op::MAP,
        op::UNMAP,
        op::TRANSFER,
        op::COPY,
        op::UNMAP_AND_REPLACE,
        op::SWAP,
    ] {
        assert_eq!(table_op(operation, at(&argument), 0), 0);
        assert_eq!(table_op(operation, 0, 0), 0);
        assert_eq!(table_op(operation, hypervisor, 0), EFAULT);
        assert_eq!(table_op(operation, at(&argument), 0xffff_ffff), EINVAL);
        assert_eq!(table_op(operation | 1 << 12, at(&argument), 1), EINVAL);
    }
    for operation in [op::SETUP, op::QUERY_SIZE, op::GET_STATUS_FRAMES] {
        assert_eq!(table_op(operation, at(&argument), 0), EINVAL);
    }
}
