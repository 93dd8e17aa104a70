//! `memory_op`: giving frames back, getting new ones, exchanging them, and asking about memory.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::mmu;
use guest_kit::pages::{m2p, p2m, p2m_list, shared_info_address, Page, PAGE};
use guest_kit::start::start_info;

/// The group.
pub const GROUP: Group = Group {
    name: "memory",
    cases: &[
        case!(
            "memory-current",
            "current_reservation counts our frames",
            current
        ),
        case!(
            "memory-maximum",
            "maximum_reservation is at least the current one",
            maximum
        ),
        case!(
            "memory-maximum-gpfn",
            "maximum_gpfn is what shared_info says, less 1",
            maximum_gpfn
        ),
        case!(
            "memory-ram-page",
            "maximum_ram_page is at least every frame of ours",
            ram_page
        ),
        case!(
            "memory-bad-domain",
            "a domain that does not exist gives ESRCH",
            bad_domain
        ),
        case!(
            "memory-decrease",
            "decrease_reservation takes frames back",
            decrease
        ),
        case!(
            "memory-decrease-bad",
            "it stops at a frame that is not ours",
            decrease_bad
        ),
        case!(
            "memory-increase",
            "increase_reservation gives frames and their numbers",
            increase
        ),
        case!(
            "memory-populate",
            "populate_physmap fills a hole and sets the m2p entry",
            populate
        ),
        case!(
            "memory-populate-run",
            "an extent of order 2 is four consecutive machine frames",
            populate_run
        ),
        case!(
            "memory-populate-order",
            "an extent too large gives none",
            populate_order
        ),
        case!(
            "memory-exchange",
            "exchange gives another frame for one of ours",
            exchange
        ),
        case!(
            "memory-exchange-bad",
            "exchange refuses unequal sizes",
            exchange_bad
        ),
        case!(
            "memory-exchange-mapped",
            "exchange refuses a frame that is still mapped",
            exchange_mapped
        ),
        case!(
            "memory-bad-pointers",
            "a bad address gives no extent, where there are none EFAULT",
            bad_pointers
        ),
        case!(
            "memory-machphys",
            "machphys_mapping says where the m2p table is",
            machphys
        ),
        case!(
            "memory-machphys-list",
            "machphys_mfn_list gives its frames",
            machphys_list
        ),
        case!(
            "memory-machine-map",
            "machine_memory_map gives the machine's e820",
            machine_map
        ),
        case!(
            "memory-of-others",
            "memory of the machine that is not the domain's cannot be mapped, wherever it lies",
            of_others
        ),
        case!(
            "memory-machine-map-short",
            "and EINVAL when there is too little room",
            machine_map_short
        ),
        case!(
            "memory-map-unset",
            "memory_map gives ENOSYS until a map was set, then that",
            memory_map
        ),
        case!("memory-unknown", "unknown operations give ENOSYS", unknown),
        case!(
            "memory-unwritable-table",
            "a frame given back cannot be mapped again",
            gone
        ),
    ],
};

const SELF: u64 = 0x7ff0;
const INCREASE: u64 = 0;
const DECREASE: u64 = 1;
const POPULATE: u64 = 6;

fn reserve(operation: u64, extents: &mut [u64], order: u32) -> i64 {
    // extent_start, nr_extents, extent_order and mem_flags, domid
    let argument = [
        extents.as_mut_ptr() as u64,
        extents.len() as u64,
        order as u64,
        SELF,
    ];
    memory_op(operation, at(&argument))
}

fn count(operation: u64) -> i64 {
    memory_op(operation, at(&(SELF as u16)))
}

/// Gives a page's frame back; the page has no frame from then on.
fn give_back(page: Page) -> u64 {
    let mfn = page.mfn();
    page.unmap();
    assert_eq!(reserve(DECREASE, &mut [mfn], 0), 1);
    p2m_list()[page.pfn() as usize] = u64::MAX;
    mfn
}

/// Gives a page a frame again.
fn refill(page: Page) -> u64 {
    let mut extents = [page.pfn()];
    assert_eq!(reserve(POPULATE, &mut extents, 0), 1);
    adopt(page, extents[0]);
    extents[0]
}

fn adopt(page: Page, mfn: u64) {
    p2m_list()[page.pfn() as usize] = mfn;
    page.make_writable();
}

fn current() {
    let before = count(2 + 1);
    let page = Page::take();
    give_back(page);
    assert_eq!(count(3), before - 1);
    refill(page);
    assert_eq!(count(3), before);
    assert!(before as u64 <= start_info().nr_pages, "{before}");
}

fn maximum() {
    assert!(count(4) >= count(3));
}

fn maximum_gpfn() {
    let max_pfn = (shared_info_address() + 3088) as *mut u64;
    for frames in [0x1000, start_info().nr_pages] {
        unsafe { max_pfn.write_volatile(frames) };
        assert_eq!(count(14) as u64, frames - 1);
    }
}

fn ram_page() {
    let last = memory_op(2, 0) as u64;
    assert!(last >= Page::take().mfn());
    assert!(last >= mmu::current_l4());
}

fn bad_domain() {
    for operation in [3, 4, 14] {
        assert_eq!(memory_op(operation, at(&0x1234u16)), ESRCH, "{operation}");
    }
}

fn decrease() {
    let pages = [Page::take(), Page::take(), Page::take()];
    let mut frames = pages.map(|page| page.unmap().mfn());
    assert_eq!(reserve(DECREASE, &mut frames, 0), 3);
    for page in pages {
        p2m_list()[page.pfn() as usize] = u64::MAX;
        refill(page);
    }
}

fn decrease_bad() {
    let page = Page::take().unmap();
    let mut frames = [page.mfn(), 0xff_ffff, page.mfn()];
    assert_eq!(reserve(DECREASE, &mut frames, 0), 1);
    p2m_list()[page.pfn() as usize] = u64::MAX;
    refill(page);
    assert_eq!(
        reserve(DECREASE, &mut [crate::mmu_entries::hypervisor_mfn()], 0),
        0
    );
}

fn increase() {
    let pages = [Page::take(), Page::take()];
    for page in pages {
        give_back(page);
    }
    let mut frames = [0u64; 2];
    assert_eq!(reserve(INCREASE, &mut frames, 0), 2);
    assert!(frames[0] != 0 && frames[1] != 0 && frames[0] != frames[1]);
    for (page, mfn) in pages.into_iter().zip(frames) {
        adopt(page, mfn);
        assert_eq!(mmu::set_entry(page.machine() | 1, page.pfn()), 0);
        page.words()[0] = 1;
    }
}

fn populate() {
    let page = Page::take();
    give_back(page);
    let mfn = refill(page);
    assert_eq!(m2p(mfn), page.pfn());
    page.words()[0] = 3;
}

/// Four pages whose first frame number is a multiple of four.
fn aligned_run() -> Page {
    let run = Page::take_run(8);
    run.next((4 - run.pfn() % 4) % 4)
}

fn populate_run() {
    let run = aligned_run();
    for index in 0..4 {
        give_back(run.next(index));
    }
    let mut extents = [run.pfn()];
    assert_eq!(reserve(POPULATE, &mut extents, 2), 1);
    assert_eq!(extents[0] % 4, 0);
    for index in 0..4 {
        adopt(run.next(index), extents[0] + index);
        assert_eq!(m2p(extents[0] + index), run.pfn() + index);
    }
}

fn populate_order() {
    for order in [20, 40, 64, 200] {
        assert_eq!(
            reserve(POPULATE, &mut [0x10_0000], order),
            0,
            "order {order}"
        );
    }
}

/// `struct xen_memory_exchange`: the reservations in and out, and how many were exchanged.
fn exchange_of(given: &[u64], order_in: u32, wanted: &mut [u64], order_out: u32) -> (i64, u64) {
    let mut argument = [
        given.as_ptr() as u64,
        given.len() as u64,
        order_in as u64,
        SELF,
        wanted.as_mut_ptr() as u64,
        wanted.len() as u64,
        order_out as u64,
        SELF,
        0,
    ];
    (memory_op(11, at_mut(&mut argument)), argument[8])
}

fn exchange() {
    let page = Page::take();
    let old = page.mfn();
    page.unmap();
    let mut wanted = [page.pfn()];
    assert_eq!(exchange_of(&[old], 0, &mut wanted, 0), (0, 1));
    let new = wanted[0];
    assert_eq!(m2p(new), page.pfn());
    adopt(page, new);
    page.words()[0] = 1;
}

fn exchange_bad() {
    let page = Page::take();
    let (given, mut wanted) = ([page.mfn()], [page.pfn(); 2]);
    assert_eq!(exchange_of(&given, 0, &mut wanted, 0).0, EINVAL);
    assert_eq!(exchange_of(&given, 1, &mut wanted[..1], 0).0, EINVAL);
}

fn exchange_mapped() {
    let page = Page::take();
    let mut wanted = [page.pfn()];
    assert_eq!(exchange_of(&[page.mfn()], 0, &mut wanted, 0), (EINVAL, 0));
    page.words()[0] = 1;
}

fn bad_pointers() {
    for pointer in [0xffff_8300_0000_0000, 0x8000_0000_0000_0000] {
        let argument = [pointer, 1, 0, SELF];
        for operation in [INCREASE, DECREASE, POPULATE] {
            assert_eq!(
                memory_op(operation, at(&argument)),
                0,
                "{operation} {pointer:#x}"
            );
            assert_eq!(memory_op(operation, pointer), 0, "{operation} {pointer:#x}");
        }
        for operation in [3, 4, 5, 9, 10, 11, 12, 13, 14] {
            assert_eq!(
                memory_op(operation, pointer),
                EFAULT,
                "{operation} {pointer:#x}"
            );
        }
    }
}

fn machphys() {
    let mut argument = [0u64; 3];
    assert_eq!(memory_op(12, at_mut(&mut argument)), 0);
    assert_eq!(argument[0], 0xffff_8000_0000_0000);
    assert!(argument[1] > argument[0] && argument[2] >= Page::take().mfn());
}

fn machphys_list() {
    let mut frames = [0u64; 64];
    let mut argument = [64, frames.as_mut_ptr() as u64, 0];
    assert_eq!(memory_op(5, at_mut(&mut argument)), 0);
    let given = argument[2] as u32 as usize;
    assert!((1..=64).contains(&given) && frames[..given].iter().all(|&frame| frame != 0));
}

fn e820(operation: u64, room: u64) -> (i64, u64, Page) {
    let buffer = Page::take();
    let mut argument = [room, buffer.va];
    (
        memory_op(operation, at_mut(&mut argument)),
        argument[0] as u32 as u64,
        buffer,
    )
}

fn machine_map() {
    let (result, entries, buffer) = e820(10, 100);
    assert_eq!(result, 0);
    assert!((2..100).contains(&entries));
    // An entry is 20 bytes: address, size, type; the first is memory from 0.
    let first = buffer.bytes();
    assert_eq!(first[..8], [0; 8]);
    assert_eq!(first[16], 1);
}

/// Frames looked at are this far apart: a prime, so that they lie anywhere in larger pages.
const STRIDE: usize = 1021;

fn of_others() {
    let (result, entries, map) = e820(10, 100);
    assert_eq!(result, 0);
    let word = |at: usize| u64::from_le_bytes(map.bytes()[at..at + 8].try_into().expect("8 bytes"));
    let window = Page::take();
    let mut refused = 0;
    for index in 0..entries as usize {
        let at = index * 20;
        let (start, size) = (word(at), word(at + 8));
        // Below 1 MiB lies what drivers look for.
        let frames = (start.div_ceil(PAGE).max(0x100)..(start + size) / PAGE).step_by(STRIDE);
        for mfn in frames.filter(|mfn| map.bytes()[at + 16] == 1 && !is_ours(*mfn)) {
            assert_refused(mmu::update_va_mapping(
                window.va,
                (mfn * PAGE) | mmu::WRITABLE,
                mmu::INVLPG,
            ));
            refused += 1;
        }
    }
    window.words()[0] = 1;
    // The machine has some hundred MiB that are not ours: a frame of every four MiB was looked at.
    assert!(refused > 50, "{refused}");
}

fn is_ours(mfn: u64) -> bool {
    let pfn = m2p(mfn);
    pfn < p2m_list().len() as u64 && p2m(pfn) == mfn
}

fn machine_map_short() {
    assert_eq!(e820(10, 1).0, EINVAL);
}

fn memory_map() {
    assert_eq!(e820(9, 100).0, ENOSYS);
    // One entry: memory from 0, of 16 MiB.
    let mut entry = [0u32; 5];
    (entry[2], entry[4]) = (0x100_0000, 1);
    // domid, nr_entries, buffer
    let argument = [SELF, 1, at(&entry)];
    assert_eq!(memory_op(13, at(&argument)), 0);
    let (result, entries, buffer) = e820(9, 100);
    assert_eq!((result, entries), (0, 1));
    assert_eq!(buffer.bytes()[..20], unsafe {
        core::mem::transmute::<[u32; 5], [u8; 20]>(entry)
    });
}

fn unknown() {
    for operation in [8, 29, 40, 63] {
        assert_eq!(memory_op(operation, 0), ENOSYS, "{operation}");
    }
}

fn gone() {
    let page = Page::take();
    let mfn = give_back(page);
    assert_refused(mmu::update_va_mapping(
        page.va,
        mfn << 12 | mmu::WRITABLE,
        mmu::INVLPG,
    ));
    refill(page);
}
