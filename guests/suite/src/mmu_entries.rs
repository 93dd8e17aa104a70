//! Changing single entries: `mmu_update` and `update_va_mapping`, what they do and what they refuse.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::mmu::{self, update, *};
use guest_kit::pages::{m2p, Page, PAGE};
use guest_kit::trap::expect_fault;

/// The group.
pub const GROUP: Group = Group {
    name: "mmu",
    cases: &[
        case!(
            "mmu-update-normal",
            "MMU_NORMAL_PT_UPDATE changes what an address maps",
            normal
        ),
        case!(
            "mmu-update-no-translate",
            "MMU_PT_UPDATE_NO_TRANSLATE does the same for a PV guest",
            no_translate
        ),
        case!(
            "mmu-update-preserve-ad",
            "MMU_PT_UPDATE_PRESERVE_AD keeps the accessed and dirty bits",
            preserve_ad
        ),
        case!(
            "mmu-update-machphys",
            "MMU_MACHPHYS_UPDATE sets the m2p entry of our frame only",
            machphys
        ),
        case!(
            "mmu-update-bad-command",
            "commands 4 to 7 give ENOSYS",
            bad_command
        ),
        case!(
            "mmu-update-bad-table",
            "an entry in a frame that does not exist gives EINVAL",
            bad_table
        ),
        case!(
            "mmu-update-data-page",
            "an entry in a writable data page is simply written",
            data_page
        ),
        case!(
            "mmu-update-bad-frame",
            "an entry that maps a frame nobody owns is refused",
            bad_frame
        ),
        case!(
            "mmu-update-stops",
            "a list stops at its first failure and counts what was done",
            stops
        ),
        case!("mmu-update-empty", "an empty list succeeds", empty),
        case!(
            "mmu-update-bad-domain",
            "a domain that does not exist gives ESRCH",
            bad_domain
        ),
        case!(
            "va-mapping-flushes",
            "update_va_mapping takes every flush kind, and both bits at once as none",
            flushes
        ),
        case!(
            "va-mapping-mask",
            "a bad CPU mask gives EFAULT, a good one flushes",
            mask_pointer
        ),
        case!(
            "va-mapping-no-table",
            "an address without an L1 table gives EINVAL",
            no_table
        ),
        case!(
            "va-mapping-hypervisor",
            "an address of the hypervisor gives EINVAL",
            hypervisor_address
        ),
        case!(
            "va-mapping-otherdomain",
            "update_va_mapping_otherdomain takes DOMID_SELF, refuses no domain",
            otherdomain
        ),
        case!(
            "map-hypervisor-frame",
            "a writable mapping of the hypervisor's own frames is refused",
            hypervisor_frame
        ),
        case!(
            "map-local-apic",
            "a mapping of the local APIC's page is refused",
            local_apic
        ),
        case!(
            "map-page-table-writable",
            "a page table is never mapped writable",
            page_table_writable
        ),
        case!(
            "map-page-table-readonly",
            "a page table may be mapped read-only",
            page_table_readonly
        ),
        case!(
            "entry-not-present",
            "an entry without the present bit may hold anything",
            not_present
        ),
        case!(
            "entry-table-attributes",
            "PWT, PCD, PS and G are refused above L1",
            table_attributes
        ),
        case!(
            "entry-beyond-physical",
            "a frame beyond the processor's physical addresses is refused",
            beyond_physical
        ),
        case!(
            "entry-available-bits",
            "bits 9 to 11 and 53 to 62 are the guest's own",
            available_bits
        ),
        case!("entry-no-execute", "a page with NX cannot run", no_execute),
        case!(
            "entry-superpage",
            "a superpage entry is refused in L2 and L3",
            superpage
        ),
        case!(
            "entry-hypervisor-slots",
            "the L4 slots 256 to 271 cannot be written",
            hypervisor_slots
        ),
        case!(
            "entry-linear-table",
            "an L4 may map itself read-only, not writable",
            linear_table
        ),
    ],
};

fn pair() -> (Page, Page) {
    let (window, other) = (Page::take(), Page::take());
    window.words()[0] = 1;
    other.words()[0] = 2;
    (window, other)
}

fn replace(command: u64) {
    let (window, other) = pair();
    let entry = entry_address(window.va, 1);
    assert_eq!(set_entry(entry | command, other.entry(WRITABLE)), 0);
    assert_eq!(mmuext_one(ext::INVLPG_LOCAL, window.va, 0), 0);
    assert_eq!(window.words()[0], 2);
    assert_eq!(entry_of(window.va, 1) & FRAME, other.machine());
}

fn normal() {
    replace(update::NORMAL);
}

fn no_translate() {
    replace(update::NO_TRANSLATE);
}

fn preserve_ad() {
    let (window, _) = pair();
    let entry = entry_address(window.va, 1);
    let plain = window.entry(P | RW | US);
    assert_ne!(entry_of(window.va, 1) & D, 0);
    assert_eq!(set_entry(entry | update::PRESERVE_AD, plain), 0);
    assert_eq!(entry_of(window.va, 1) & (A | D), A | D);
    assert_eq!(set_entry(entry | update::NORMAL, plain), 0);
    assert_eq!(entry_of(window.va, 1) & D, 0);
    assert_eq!(mmuext_one(ext::INVLPG_LOCAL, window.va, 0), 0);
}

fn machphys() {
    let page = Page::take();
    let (pfn, mfn) = (page.pfn(), page.mfn());
    assert_eq!(set_entry(page.machine() | update::MACHPHYS, 0x1234), 0);
    assert_eq!(m2p(mfn), 0x1234);
    assert_eq!(set_entry(page.machine() | update::MACHPHYS, pfn), 0);
    assert_eq!(m2p(mfn), pfn);
    let foreign = hypervisor_mfn();
    assert_eq!(set_entry((foreign * PAGE) | update::MACHPHYS, 1), EINVAL);
    assert_eq!(set_entry((BEYOND * PAGE) | update::MACHPHYS, 1), EINVAL);
}

/// A frame number beyond all memory, yet a legal one.
const BEYOND: u64 = 0xff_ffff;

/// A frame of the hypervisor's: the first that holds the machine-to-physical table.
pub fn hypervisor_mfn() -> u64 {
    let mut frames = [0u64; 1];
    // max_extents, extent_start, nr_extents
    let mut argument = [1u64, frames.as_mut_ptr() as u64, 0];
    assert_eq!(memory_op(5, at_mut(&mut argument)), 0);
    frames[0]
}

fn bad_command() {
    let (window, _) = pair();
    let entry = entry_address(window.va, 1);
    for command in 4..8 {
        assert_eq!(set_entry(entry | command, entry_of(window.va, 1)), ENOSYS);
    }
}

fn bad_table() {
    for frame in [BEYOND, hypervisor_mfn()] {
        assert_refused(set_entry(frame * PAGE, 0));
    }
}

fn data_page() {
    let page = Page::take();
    assert_eq!(set_entry(page.machine() + 24, 0xdead_beef), 0);
    assert_eq!(page.words()[3], 0xdead_beef);
}

fn bad_frame() {
    let (window, _) = pair();
    let entry = entry_address(window.va, 1);
    let old = entry_of(window.va, 1);
    for flags in [READ_ONLY, WRITABLE] {
        assert_refused(set_entry(entry, (free_mfn() * PAGE) | flags));
        assert_eq!(entry_of(window.va, 1), old);
    }
}

/// A frame that belongs to nobody: one we own no longer.
fn free_mfn() -> u64 {
    let page = Page::take();
    let mfn = page.mfn();
    page.unmap();
    let frames = [mfn];
    // extent_start, nr_extents, extent_order, mem_flags, domid
    let argument = [at(&frames), 1, 0, 0x7ff0];
    assert_eq!(memory_op(1, at(&argument)), 1);
    guest_kit::pages::p2m_list()[page.pfn() as usize] = u64::MAX;
    mfn
}

fn stops() {
    let page = Page::take();
    let base = page.machine();
    let list = [
        [base, 7],
        [base + 8, 8],
        [BEYOND * PAGE, 9],
        [base + 16, 10],
    ];
    let (result, done) = mmu_update(&list);
    assert!(result == EINVAL, "{result}");
    assert_eq!(done, 2);
    assert_eq!(&page.words()[..3], &[7, 8, 0]);
}

fn empty() {
    assert_eq!(mmu_update(&[]), (0, 0));
}

fn bad_domain() {
    let page = Page::take();
    let list = [[page.machine(), 7]];
    let args = [list.as_ptr() as u64, 1, 0, 0x1234, 0, 0];
    assert_eq!(call(nr::MMU_UPDATE, args), ESRCH);
}

fn flushes() {
    let (window, other) = pair();
    let own = window.mfn();
    for flags in [TLB_FLUSH, INVLPG, TLB_FLUSH | ALL, INVLPG | ALL] {
        assert_eq!(
            update_va_mapping(window.va, other.entry(WRITABLE), flags),
            0
        );
        assert_eq!(window.words()[0], 2, "flags {flags}");
        assert_eq!(
            update_va_mapping(window.va, (own * PAGE) | WRITABLE, flags),
            0
        );
        assert_eq!(window.words()[0], 1, "flags {flags}");
    }
    assert_eq!(
        update_va_mapping(window.va, (own * PAGE) | WRITABLE, NO_FLUSH),
        0
    );
    let both = TLB_FLUSH | INVLPG;
    assert_eq!(
        update_va_mapping(window.va, (own * PAGE) | WRITABLE, both),
        0
    );
}

fn mask_pointer() {
    let (window, other) = pair();
    let mask = Page::take();
    mask.words()[0] = 1;
    // The mask's address goes above the two flag bits, so it is aligned to 8.
    assert_eq!(
        update_va_mapping(window.va, other.entry(WRITABLE), INVLPG | mask.va),
        0
    );
    assert_eq!(window.words()[0], 2);
    mask.unmap();
    let result = update_va_mapping(window.va, other.entry(WRITABLE), INVLPG | mask.va);
    assert_eq!(result, EFAULT);
}

fn no_table() {
    for va in [0x7000_0000_0000, 0xffff_c000_0000_0000] {
        assert_eq!(
            update_va_mapping(va, Page::take().entry(WRITABLE), INVLPG),
            EINVAL
        );
    }
}

fn hypervisor_address() {
    for va in [
        0xffff_8000_0000_0000,
        0xffff_82d0_0000_0000,
        0xffff_87ff_ffff_f000,
    ] {
        let result = update_va_mapping(va, Page::take().entry(WRITABLE), INVLPG);
        assert_eq!(result, EINVAL, "{va:#x}");
    }
}

fn otherdomain() {
    let (window, other) = pair();
    let map = |domain| {
        let args = [window.va, other.entry(WRITABLE), INVLPG, domain, 0, 0];
        call(nr::UPDATE_VA_MAPPING_OTHERDOMAIN, args)
    };
    assert_eq!(map(DOMID_SELF), 0);
    assert_eq!(window.words()[0], 2);
    assert_eq!(map(0x1234), ESRCH);
}

fn hypervisor_frame() {
    let window = Page::take();
    let result = update_va_mapping(window.va, (hypervisor_mfn() * PAGE) | WRITABLE, INVLPG);
    assert_refused(result);
    window.words()[0] = 5;
}

fn local_apic() {
    let window = Page::take();
    let result = update_va_mapping(window.va, 0xfee0_0000 | WRITABLE, INVLPG);
    assert_eq!(result, EPERM);
}

fn page_table_writable() {
    let window = Page::take();
    for level in 1..=4 {
        let table = entry_address(window.va, level) & FRAME;
        assert_refused(update_va_mapping(window.va, table | WRITABLE, INVLPG));
    }
}

fn page_table_readonly() {
    let window = Page::take();
    for level in 1..=4 {
        let table = entry_address(window.va, level) & FRAME;
        assert_eq!(update_va_mapping(window.va, table | READ_ONLY, INVLPG), 0);
        let index = index(window.va, level) as usize;
        assert_ne!(window.words()[index] & P, 0, "L{level}");
    }
}

fn not_present() {
    let window = Page::take();
    let junk = 0x7ff5_5555_5555_5554;
    assert_eq!(update_va_mapping(window.va, junk, INVLPG), 0);
    assert_eq!(entry_of(window.va, 1), junk);
    let frame = expect_fault(|| unsafe { (window.va as *mut u64).write_volatile(1) });
    assert_eq!((frame.vector, frame.error), (14, 2));
}

fn table_attributes() {
    let tables = mmu::build_tables(guest_kit::user::CODE);
    for level in 2..=4 {
        let (table, below) = (tables[level - 1], tables[level - 2]);
        assert_eq!(pin(level as u32, table.mfn()), 0);
        let slot = table.machine() + 8 * 7;
        for bit in [3, 4, 7, 8] {
            let result = set_entry(slot, below.entry(TABLE) | 1 << bit);
            assert_eq!(result, EINVAL, "L{level} bit {bit}");
        }
    }
}

fn beyond_physical() {
    let window = Page::take();
    let old = entry_of(window.va, 1);
    for bit in 46..52 {
        let entry = window.entry(WRITABLE) | 1 << bit;
        assert_refused(update_va_mapping(window.va, entry, INVLPG));
        assert_eq!(entry_of(window.va, 1), old, "bit {bit}");
    }
}

fn available_bits() {
    let window = Page::take();
    let mine = 0xe00 | 0x3ff << 53;
    for bit in (9..12).chain(53..63) {
        let entry = window.entry(WRITABLE) | 1 << bit;
        assert_eq!(update_va_mapping(window.va, entry, INVLPG), 0, "bit {bit}");
        assert_eq!(entry_of(window.va, 1) & mine, 1 << bit);
    }
}

fn no_execute() {
    let page = Page::take();
    page.bytes()[0] = 0xc3;
    let run = || unsafe { core::mem::transmute::<u64, extern "C" fn()>(page.va)() };
    run();
    assert_eq!(
        update_va_mapping(page.va, page.entry(WRITABLE) | NX, INVLPG),
        0
    );
    let frame = expect_fault(run);
    assert_eq!((frame.vector, frame.error, frame.rip), (14, 0x11, page.va));
}

fn superpage() {
    let tables = mmu::build_tables(guest_kit::user::CODE);
    let target = Page::take().machine() & !0x1f_ffff;
    for level in [2, 3] {
        assert_eq!(pin(level, tables[level as usize - 1].mfn()), 0);
        let entry = tables[level as usize - 1].machine() + 8 * 7;
        assert_eq!(set_entry(entry, target | TABLE | PS), EINVAL, "L{level}");
    }
}

fn hypervisor_slots() {
    let l4 = current_l4() * PAGE;
    let empty = Page::take();
    empty.make_readonly();
    for slot in [256u64, 260, 271] {
        assert_eq!(set_entry(l4 + 8 * slot, 0), EINVAL, "slot {slot}");
        assert_eq!(
            set_entry(l4 + 8 * slot, empty.entry(TABLE)),
            EINVAL,
            "slot {slot}"
        );
    }
    for slot in [0u64, 255, 272, 300] {
        assert_eq!(
            set_entry(l4 + 8 * slot, empty.entry(TABLE)),
            0,
            "slot {slot}"
        );
        assert_eq!(set_entry(l4 + 8 * slot, 0), 0, "slot {slot}");
    }
}

fn linear_table() {
    let tables = mmu::build_tables(guest_kit::user::CODE);
    let l4 = tables[3];
    assert_eq!(pin(4, l4.mfn()), 0);
    let slot = l4.machine() + 8 * 300;
    assert_eq!(set_entry(slot, l4.entry(TABLE)), EINVAL);
    // Xenolith is as Xen is with `pv-linear-pt=false`.
    let expected = if is_xenolith() { EINVAL } else { 0 };
    assert_eq!(set_entry(slot, l4.entry(TABLE & !RW)), expected);
    assert_eq!(set_entry(slot, 0), 0);
    assert_eq!(unpin(l4.mfn()), 0);
}
