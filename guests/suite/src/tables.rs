//! Tables as a whole: pinning, unpinning, base pointers, flushes, clearing and copying of pages.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::mmu::*;
use guest_kit::pages::{m2p, va_of, Page, PAGE};
use guest_kit::user::CODE;

/// The group.
pub const GROUP: Group = Group {
    name: "tables",
    cases: &[
        case!(
            "pin-each-level",
            "tables of each level are pinned and unpinned",
            each_level
        ),
        case!(
            "pin-whole-tree",
            "pinning an L4 types everything below it",
            whole_tree
        ),
        case!(
            "pin-writable-mapping",
            "a frame with a writable mapping cannot be pinned",
            writable_mapping
        ),
        case!(
            "pin-inner-writable",
            "nor can a table that leads to such a frame",
            inner_writable
        ),
        case!("pin-twice", "pinning a pinned table gives EINVAL", twice),
        case!(
            "pin-other-level",
            "a table pinned at one level cannot be pinned at another",
            other_level
        ),
        case!(
            "unpin-unpinned",
            "unpinning what is not pinned gives EINVAL",
            unpinned
        ),
        case!(
            "unpin-frees",
            "after the unpin the frame may be mapped writable again",
            unpin_frees
        ),
        case!(
            "unpin-frees-many",
            "so may every table below, however many there are",
            unpin_frees_many
        ),
        case!(
            "unpin-frees-though-refused",
            "even where a later request of the list is refused",
            unpin_frees_though_refused
        ),
        case!(
            "pin-bad-frame",
            "pinning a frame that is not ours is refused",
            bad_frame
        ),
        case!(
            "pin-foreign-entry",
            "a table with a present entry to a foreign frame cannot be pinned",
            foreign_entry
        ),
        case!(
            "pin-self-mapping",
            "an L1 that maps itself writable cannot be pinned, read-only can",
            self_mapping
        ),
        case!(
            "pin-hypervisor-slots",
            "pinning an L4 puts the hypervisor's slots in",
            slots_filled
        ),
        case!(
            "new-baseptr",
            "NEW_BASEPTR switches to another L4 with the same kernel",
            new_baseptr
        ),
        case!(
            "new-baseptr-bad",
            "NEW_BASEPTR of a frame that is no L4 is refused",
            new_baseptr_bad
        ),
        case!(
            "new-user-baseptr-bad",
            "NEW_USER_BASEPTR refuses a frame that is no L4",
            user_baseptr_bad
        ),
        case!(
            "new-user-baseptr-none",
            "NEW_USER_BASEPTR takes 0 as none",
            user_baseptr_none
        ),
        case!("tlb-flushes", "all six TLB flushes succeed", flushes),
        case!(
            "tlb-flush-bad-mask",
            "a flush with an unreadable CPU mask gives EINVAL",
            bad_mask
        ),
        case!(
            "flush-cache",
            "dom0 may flush caches, here and everywhere",
            flush_cache
        ),
        case!(
            "clear-page",
            "CLEAR_PAGE zeroes a frame, but never a table",
            clear_page
        ),
        case!(
            "copy-page",
            "COPY_PAGE copies a frame, but never onto a table",
            copy_page
        ),
        case!(
            "mark-super",
            "MARK_SUPER and UNMARK_SUPER are not supported",
            mark_super
        ),
        case!("mmuext-unknown", "unknown commands give ENOSYS", unknown),
        case!(
            "mmuext-bad-domain",
            "a domain that does not exist gives ESRCH",
            bad_domain
        ),
        case!(
            "mmuext-stops",
            "a list stops at its first failure and counts what was done",
            stops
        ),
        case!(
            "table-entry-through-l2",
            "an L1 linked into an L2 in use becomes a table at once",
            linked
        ),
    ],
};

fn each_level() {
    let tables = build_tables(CODE);
    for level in 1..=4u32 {
        let mfn = tables[level as usize - 1].mfn();
        assert_eq!(pin(level, mfn), 0, "pin L{level}");
    }
    for level in (1..=4u32).rev() {
        let mfn = tables[level as usize - 1].mfn();
        assert_eq!(unpin(mfn), 0, "unpin L{level}");
    }
}

fn whole_tree() {
    let tables = build_tables(CODE);
    assert_eq!(pin(4, tables[3].mfn()), 0);
    for table in &tables {
        assert_refused(update_va_mapping(table.va, table.entry(WRITABLE), INVLPG));
    }
    assert_eq!(unpin(tables[3].mfn()), 0);
    for table in &tables {
        table.make_writable();
    }
}

fn writable_mapping() {
    let page = Page::take();
    for level in 1..=4 {
        let result = pin(level, page.mfn());
        assert_eq!(result, EINVAL, "L{level}");
    }
    page.make_readonly();
    assert_eq!(pin(1, page.mfn()), 0);
}

fn inner_writable() {
    let tables = build_tables(CODE);
    tables[0].make_writable();
    for level in 2..=4 {
        let result = pin(level, tables[level as usize - 1].mfn());
        assert_eq!(result, EINVAL, "L{level}");
    }
    tables[0].make_readonly();
    assert_eq!(pin(4, tables[3].mfn()), 0);
}

fn twice() {
    let page = Page::take().make_readonly();
    assert_eq!(pin(1, page.mfn()), 0);
    assert_eq!(pin(1, page.mfn()), EINVAL);
    assert_eq!(unpin(page.mfn()), 0);
}

fn other_level() {
    let page = Page::take().make_readonly();
    assert_eq!(pin(1, page.mfn()), 0);
    for level in 2..=4 {
        assert_eq!(pin(level, page.mfn()), EINVAL);
    }
    assert_eq!(unpin(page.mfn()), 0);
    assert_eq!(pin(2, page.mfn()), 0);
}

fn unpinned() {
    assert_eq!(unpin(Page::take().mfn()), EINVAL);
    let page = Page::take().make_readonly();
    assert_eq!(pin(1, page.mfn()), 0);
    assert_eq!(unpin(page.mfn()), 0);
    assert_eq!(unpin(page.mfn()), EINVAL);
}

fn unpin_frees() {
    let page = Page::take().make_readonly();
    assert_eq!(pin(1, page.mfn()), 0);
    assert_ne!(update_va_mapping(page.va, page.entry(WRITABLE), INVLPG), 0);
    assert_eq!(unpin(page.mfn()), 0);
    page.make_writable().words()[0] = 1;
}

/// Tables below one that are more than a hypervisor drops in one go.
const MANY: u64 = 80;

/// An L2 with full L1 tables below it, pinned; all in one run of pages, the L2 first.
fn many_tables() -> Page {
    let first = Page::take_run(MANY as usize + 1);
    let data = Page::take().make_readonly();
    for number in 1..=MANY {
        let table = first.next(number);
        table.words().fill(data.entry(READ_ONLY));
        first.words()[number as usize] = table.entry(TABLE);
        table.make_readonly();
    }
    first.make_readonly();
    assert_eq!(pin(2, first.mfn()), 0);
    first
}

/// All of them may be written to now, the last one too.
fn are_free(first: Page) {
    for number in (0..=MANY).rev() {
        first.next(number).make_writable().words()[0] = 0;
    }
}

fn unpin_frees_many() {
    let first = many_tables();
    assert_eq!(unpin(first.mfn()), 0);
    are_free(first);
}

fn unpin_frees_though_refused() {
    let first = many_tables();
    let list = [ExtOp::new(ext::UNPIN, first.mfn(), 0), ExtOp::new(99, 0, 0)];
    assert_eq!(mmuext(&list), (ENOSYS, 1));
    are_free(first);
}

fn bad_frame() {
    for mfn in [
        crate::mmu_entries::hypervisor_mfn(),
        0xff_ffff,
        u64::MAX >> 12,
    ] {
        assert_refused(pin(1, mfn));
        assert_eq!(unpin(mfn), EINVAL, "{mfn:#x}");
    }
}

fn foreign_entry() {
    let page = Page::take();
    page.words()[9] = (crate::mmu_entries::hypervisor_mfn() * PAGE) | WRITABLE;
    page.make_readonly();
    assert_refused(pin(1, page.mfn()));
    assert_eq!(unpin(page.mfn()), EINVAL);
    page.make_writable().words()[9] = 0;
    assert_eq!(pin(1, page.make_readonly().mfn()), 0);
}

fn self_mapping() {
    let page = Page::take();
    page.words()[3] = page.entry(WRITABLE);
    page.make_readonly();
    assert_refused(pin(1, page.mfn()));
    page.make_writable().words()[3] = page.entry(READ_ONLY);
    page.make_readonly();
    assert_eq!(pin(1, page.mfn()), 0);
    assert_eq!(unpin(page.mfn()), 0);
}

fn slots_filled() {
    let first = current_l4();
    let copy = Page::take();
    let current = va_of(first) as *const [u64; 512];
    copy.words().copy_from_slice(unsafe { &*current });
    copy.words()[256..272].fill(0x1234);
    assert_eq!(pin(4, copy.make_readonly().mfn()), 0);
    assert!(!copy.words()[256..272].contains(&0x1234));
    assert_eq!(mmuext_one(ext::NEW_BASEPTR, copy.mfn(), 0), 0);
    assert_eq!(m2p(copy.mfn()), copy.pfn());
    assert_eq!(mmuext_one(ext::NEW_BASEPTR, first, 0), 0);
    assert_eq!(unpin(copy.mfn()), 0);
}

/// A second L4 with the kernel's entries, pinned.
pub fn kernel_l4_copy() -> Page {
    let copy = Page::take();
    let current = va_of(current_l4()) as *const [u64; 512];
    copy.words().copy_from_slice(unsafe { &*current });
    for slot in 256..272 {
        copy.words()[slot] = 0;
    }
    copy.make_readonly();
    assert_eq!(pin(4, copy.mfn()), 0);
    copy
}

fn new_baseptr() {
    let first = current_l4();
    let copy = kernel_l4_copy();
    assert_eq!(mmuext_one(ext::NEW_BASEPTR, copy.mfn(), 0), 0);
    assert_eq!(current_l4(), copy.mfn());
    assert_eq!(mmuext_one(ext::NEW_BASEPTR, first, 0), 0);
    assert_eq!(current_l4(), first);
    assert_eq!(unpin(copy.mfn()), 0);
}

fn new_baseptr_bad() {
    let first = current_l4();
    let l1 = Page::take().make_readonly();
    assert_eq!(pin(1, l1.mfn()), 0);
    let bad = [
        Page::take().mfn(),
        l1.mfn(),
        0xff_ffff,
        crate::mmu_entries::hypervisor_mfn(),
    ];
    for mfn in bad {
        assert_refused(mmuext_one(ext::NEW_BASEPTR, mfn, 0));
        assert_eq!(current_l4(), first);
    }
}

fn user_baseptr_bad() {
    let bad = [
        Page::take().mfn(),
        0xff_ffff,
        crate::mmu_entries::hypervisor_mfn(),
    ];
    for mfn in bad {
        assert_refused(mmuext_one(ext::NEW_USER_BASEPTR, mfn, 0));
    }
}

fn user_baseptr_none() {
    let _space = guest_kit::user::UserSpace::new();
    assert_eq!(mmuext_one(ext::NEW_USER_BASEPTR, 0, 0), 0);
}

fn flushes() {
    let page = Page::take();
    page.words()[0] = 1;
    for (command, first, second) in [
        (ext::TLB_FLUSH_LOCAL, 0, 0),
        (ext::INVLPG_LOCAL, page.va, 0),
        (ext::TLB_FLUSH_MULTI, 0, page.va),
        (ext::INVLPG_MULTI, page.va, page.va),
        (ext::TLB_FLUSH_ALL, 0, 0),
        (ext::INVLPG_ALL, page.va, 0),
    ] {
        assert_eq!(mmuext_one(command, first, second), 0, "command {command}");
    }
}

fn bad_mask() {
    for command in [ext::TLB_FLUSH_MULTI, ext::INVLPG_MULTI] {
        for mask in [0x1000, 0xffff_8300_0000_0000, 0x8000_0000_0000_0000] {
            assert_eq!(mmuext_one(command, 0, mask), EINVAL, "{mask:#x}");
        }
    }
}

fn flush_cache() {
    assert_eq!(mmuext_one(ext::FLUSH_CACHE, 0, 0), 0);
    assert_eq!(mmuext_one(ext::FLUSH_CACHE_GLOBAL, 0, 0), 0);
}

fn clear_page() {
    let page = Page::take();
    page.words().fill(7);
    assert_eq!(mmuext_one(ext::CLEAR_PAGE, page.mfn(), 0), 0);
    assert!(page.words().iter().all(|&word| word == 0));
    let table = Page::take().make_readonly();
    assert_eq!(pin(1, table.mfn()), 0);
    for mfn in [table.mfn(), 0xff_ffff, crate::mmu_entries::hypervisor_mfn()] {
        assert_refused(mmuext_one(ext::CLEAR_PAGE, mfn, 0));
    }
}

fn copy_page() {
    let (source, target) = (Page::take(), Page::take());
    source.words().fill(9);
    assert_eq!(mmuext_one(ext::COPY_PAGE, target.mfn(), source.mfn()), 0);
    assert!(target.words().iter().all(|&word| word == 9));
    let table = Page::take().make_readonly();
    assert_eq!(pin(1, table.mfn()), 0);
    assert_eq!(mmuext_one(ext::COPY_PAGE, target.mfn(), table.mfn()), 0);
    assert_eq!(target.words()[5], 0);
    assert_eq!(
        mmuext_one(ext::COPY_PAGE, table.mfn(), source.mfn()),
        EINVAL
    );
    let foreign = crate::mmu_entries::hypervisor_mfn();
    assert_refused(mmuext_one(ext::COPY_PAGE, target.mfn(), foreign));
}

fn mark_super() {
    for command in [ext::MARK_SUPER, ext::UNMARK_SUPER] {
        assert_eq!(mmuext_one(command, 0, 0), EOPNOTSUPP);
    }
}

fn unknown() {
    for command in [14, 21, 100, u32::MAX] {
        assert_eq!(mmuext_one(command, 0, 0), ENOSYS, "command {command}");
    }
}

fn bad_domain() {
    let operation = ExtOp::new(ext::TLB_FLUSH_LOCAL, 0, 0);
    let args = [at(&operation), 1, 0, 0x1234, 0, 0];
    assert_eq!(call(nr::MMUEXT_OP, args), ESRCH);
}

fn stops() {
    let page = Page::take();
    page.words()[0] = 5;
    let list = [
        ExtOp::new(ext::TLB_FLUSH_LOCAL, 0, 0),
        ExtOp::new(99, 0, 0),
        ExtOp::new(ext::CLEAR_PAGE, page.mfn(), 0),
    ];
    assert_eq!(mmuext(&list), (ENOSYS, 1));
    assert_eq!(page.words()[0], 5);
}

fn linked() {
    let tables = build_tables(CODE);
    assert_eq!(pin(4, tables[3].mfn()), 0);
    let l1 = Page::take();
    let slot = tables[1].machine() + 8 * 77;
    assert_refused(set_entry(slot, l1.entry(TABLE)));
    l1.make_readonly();
    assert_eq!(set_entry(slot, l1.entry(TABLE)), 0);
    assert_refused(update_va_mapping(l1.va, l1.entry(WRITABLE), INVLPG));
    assert_eq!(set_entry(slot, 0), 0);
    l1.make_writable();
    assert_eq!(unpin(tables[3].mfn()), 0);
}
