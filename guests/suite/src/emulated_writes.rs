//! Writes to our own page tables, which are mapped read-only: the hypervisor carries them out as if
//! they were `mmu_update`, whatever the instruction and its width, or lets the fault through.

use core::arch::asm;
use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::mmu::*;
use guest_kit::pages::{Page, PAGE};
use guest_kit::trap::{catch, expect_fault};

/// The group.
pub const GROUP: Group = Group {
    name: "ptwrite",
    cases: &[
        case!(
            "ptwrite-mov",
            "a MOV of 8 bytes into an L1 takes effect",
            mov
        ),
        case!(
            "ptwrite-xchg",
            "XCHG gives the old entry and sets the new one",
            xchg
        ),
        case!(
            "ptwrite-lock-and",
            "LOCK AND with an immediate clears bits of an entry",
            lock_and
        ),
        case!(
            "ptwrite-lock-btr",
            "LOCK BTR clears one bit and gives it in the carry flag",
            lock_btr
        ),
        case!(
            "ptwrite-lock-or",
            "LOCK OR of one byte sets bits",
            lock_or_byte
        ),
        case!(
            "ptwrite-cmpxchg",
            "LOCK CMPXCHG succeeds on a match and fails otherwise",
            cmpxchg
        ),
        case!(
            "ptwrite-byte",
            "a write of one byte is merged into the entry",
            byte
        ),
        case!(
            "ptwrite-word",
            "a write of two bytes is merged into the entry",
            word
        ),
        case!(
            "ptwrite-dword",
            "a write of four bytes is merged into the entry",
            dword
        ),
        case!("ptwrite-add", "a read-modify-write without LOCK works", add),
        case!("ptwrite-clear", "writing 0 unmaps the page", clear),
        case!(
            "ptwrite-unaligned",
            "a write across two entries faults",
            unaligned
        ),
        case!(
            "ptwrite-foreign-frame",
            "an entry for a foreign frame faults and changes nothing",
            foreign
        ),
        case!(
            "ptwrite-table-writable",
            "an entry that maps a table writable faults",
            table_writable
        ),
        case!(
            "ptwrite-upper-levels",
            "tables of levels 2 to 4 are not emulated: the write faults",
            upper_levels
        ),
        case!(
            "ptwrite-not-a-table",
            "a write to a read-only page that is no table faults",
            not_a_table
        ),
        case!(
            "ptwrite-flags",
            "the emulated instruction leaves flags and registers as the real one",
            flags
        ),
    ],
};

/// A page, and where the kit sees the L1 entry that maps it.
fn target() -> (Page, *mut u64) {
    let page = Page::take();
    (page, entry_pointer(page.va))
}

fn entry_pointer(va: u64) -> *mut u64 {
    let address = entry_address(va, 1);
    (guest_kit::pages::va_of(address / PAGE) + address % PAGE) as *mut u64
}

fn flush(va: u64) {
    assert_eq!(mmuext_one(ext::INVLPG_LOCAL, va, 0), 0);
}

fn mov() {
    let (page, entry) = target();
    let other = Page::take();
    other.words()[0] = 42;
    unsafe { entry.write_volatile(other.entry(WRITABLE)) };
    flush(page.va);
    assert_eq!(page.words()[0], 42);
}

fn xchg() {
    let (page, entry) = target();
    let old = unsafe { entry.read_volatile() };
    let mut value = 0u64;
    unsafe { asm!("xchg [{}], {}", in(reg) entry, inout(reg) value) };
    assert_eq!(value, old);
    assert_eq!(unsafe { entry.read_volatile() }, 0);
    value = old;
    unsafe { asm!("xchg [{}], {}", in(reg) entry, inout(reg) value) };
    assert_eq!(value, 0);
    page.words()[0] = 1;
}

fn lock_and() {
    let (page, entry) = target();
    unsafe { asm!("lock and qword ptr [{}], -3", in(reg) entry) };
    flush(page.va);
    let frame = expect_fault(|| page.words()[0] = 1);
    assert_eq!((frame.vector, frame.error), (14, 3));
}

fn lock_btr() {
    let (page, entry) = target();
    let mut was: u8;
    unsafe { asm!("lock btr qword ptr [{}], 1", "setc {}", in(reg) entry, out(reg_byte) was) };
    assert_eq!(was, 1);
    unsafe { asm!("lock btr qword ptr [{}], 1", "setc {}", in(reg) entry, out(reg_byte) was) };
    assert_eq!(was, 0);
    flush(page.va);
    assert_eq!(expect_fault(|| page.words()[0] = 1).error, 3);
}

fn lock_or_byte() {
    let (_, entry) = target();
    unsafe { asm!("lock or byte ptr [{} + 1], 0x0e", in(reg) entry) };
    assert_eq!(unsafe { entry.read_volatile() } & 0xe00, 0xe00);
}

fn compare_exchange(entry: *mut u64, expected: u64, new: u64) -> (bool, u64) {
    let (mut rax, success): (u64, u8) = (expected, 0);
    let mut success = success;
    unsafe {
        asm!(
            "lock cmpxchg [{}], {}",
            "setz {}",
            in(reg) entry,
            in(reg) new,
            inout(reg_byte) success,
            inout("rax") rax,
        )
    };
    (success == 1, rax)
}

fn cmpxchg() {
    let (page, entry) = target();
    let other = Page::take();
    other.words()[0] = 43;
    let old = unsafe { entry.read_volatile() };
    let new = other.entry(WRITABLE);
    assert_eq!(compare_exchange(entry, old ^ 0x200, new), (false, old));
    assert_eq!(unsafe { entry.read_volatile() }, old);
    assert_eq!(compare_exchange(entry, old, new), (true, old));
    flush(page.va);
    assert_eq!(page.words()[0], 43);
}

fn byte() {
    let (_, entry) = target();
    let old = unsafe { entry.read_volatile() };
    unsafe { asm!("mov byte ptr [{} + 7], 0x40", in(reg) entry) };
    let mine = !(1 << 52 | G);
    assert_eq!(
        unsafe { entry.read_volatile() } & mine,
        (old | 1 << 62) & mine
    );
}

fn word() {
    let (_, entry) = target();
    let old = unsafe { entry.read_volatile() };
    unsafe { asm!("mov word ptr [{} + 6], 0x4020", in(reg) entry) };
    // Bits 8 and 52 tell guest kernel from guest user pages; the hypervisor sets them by itself.
    let mine = !(1 << 52 | G);
    assert_eq!(
        unsafe { entry.read_volatile() } & mine,
        (old | 0x4020 << 48) & mine
    );
}

fn dword() {
    let (page, entry) = target();
    unsafe { asm!("mov dword ptr [{}], 0", in(reg) entry) };
    assert_eq!(unsafe { entry.read_volatile() } & 0xffff_ffff, 0);
    flush(page.va);
    assert_eq!(expect_fault(|| page.words()[0] = 1).error, 2);
}

fn add() {
    let (_, entry) = target();
    let old = unsafe { entry.read_volatile() };
    unsafe { asm!("add qword ptr [{}], 0x400", in(reg) entry) };
    assert_eq!(unsafe { entry.read_volatile() }, old + 0x400);
}

fn clear() {
    let (page, entry) = target();
    unsafe { entry.write_volatile(0) };
    flush(page.va);
    assert_eq!(expect_fault(|| page.words()[0] = 1).error, 2);
}

fn unaligned() {
    let (_, entry) = target();
    let old = unsafe { entry.read_volatile() };
    let frame = expect_fault(|| unsafe { asm!("mov qword ptr [{} + 4], 0", in(reg) entry) });
    assert_eq!((frame.vector, frame.error), (14, 3));
    assert_eq!(unsafe { entry.read_volatile() }, old);
}

fn foreign() {
    let (_, entry) = target();
    let old = unsafe { entry.read_volatile() };
    let foreign = (crate::mmu_entries::hypervisor_mfn() * PAGE) | WRITABLE;
    let frame = expect_fault(|| unsafe { entry.write_volatile(foreign) });
    assert_eq!((frame.vector, frame.error), (14, 3));
    assert_eq!(guest_kit::vcpu::area().cr2, entry as u64);
    assert_eq!(unsafe { entry.read_volatile() }, old);
}

fn table_writable() {
    let (page, entry) = target();
    let table = entry_address(page.va, 1) & !(PAGE - 1);
    let frame = expect_fault(|| unsafe { entry.write_volatile(table | WRITABLE) });
    assert_eq!((frame.vector, frame.error), (14, 3));
}

fn upper_levels() {
    let tables = build_tables(guest_kit::user::CODE);
    assert_eq!(pin(4, tables[3].mfn()), 0);
    for table in &tables[1..] {
        let slot = (table.va + 8) as *mut u64;
        let frame = expect_fault(|| unsafe { slot.write_volatile(0) });
        assert_eq!((frame.vector, frame.error), (14, 3));
    }
    let slot = (tables[0].va + 8) as *mut u64;
    assert!(catch(|| unsafe { slot.write_volatile(0x10) }).is_none());
    assert_eq!(tables[0].words()[1], 0x10);
    assert_eq!(unpin(tables[3].mfn()), 0);
}

fn not_a_table() {
    let page = Page::take().make_readonly();
    let frame = expect_fault(|| page.words()[0] = 1);
    assert_eq!((frame.vector, frame.error), (14, 3));
}

fn flags() {
    let (_, entry) = target();
    let (rflags, copied): (u64, u64);
    unsafe {
        asm!(
            "mov {copied}, 0x1234",
            "lock and qword ptr [{entry}], -1",
            "pushfq",
            "pop {rflags}",
            entry = in(reg) entry,
            copied = out(reg) copied,
            rflags = out(reg) rflags,
        )
    };
    // Not zero, not carry, not overflow: what AND of a plain entry gives.
    assert_eq!((copied, rflags & 0x841), (0x1234, 0));
}
