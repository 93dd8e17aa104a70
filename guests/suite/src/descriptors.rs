//! Descriptor tables: `set_gdt`, `update_descriptor`, `MMUEXT_SET_LDT`.

use core::arch::asm;
use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::mmu::*;
use guest_kit::pages::{Page, PAGE};
use guest_kit::trap::{catch, expect_fault};

/// The group.
pub const GROUP: Group = Group {
    name: "descriptors",
    cases: &[
        case!(
            "gdt-set",
            "set_gdt installs frames, and their selectors load",
            gdt_set
        ),
        case!(
            "gdt-too-many",
            "set_gdt refuses entries in the hypervisor's part",
            gdt_too_many
        ),
        case!(
            "gdt-bad-frame",
            "set_gdt refuses frames that are not ours",
            gdt_bad_frame
        ),
        case!(
            "gdt-writable-frame",
            "set_gdt refuses a frame that is mapped writable",
            gdt_writable
        ),
        case!(
            "gdt-frame-stays-readonly",
            "a frame of the GDT cannot be mapped writable",
            gdt_stays
        ),
        case!(
            "gdt-bad-content",
            "set_gdt refuses a frame that holds a system descriptor",
            gdt_bad_content
        ),
        case!(
            "gdt-empty",
            "set_gdt of no entries takes the table away",
            gdt_empty
        ),
        case!(
            "descriptor-good",
            "update_descriptor writes a data segment into the GDT",
            good
        ),
        case!(
            "descriptor-dpl",
            "the privilege level of a descriptor is raised to 3",
            raised
        ),
        case!(
            "descriptor-bad",
            "update_descriptor refuses system descriptors",
            bad
        ),
        case!(
            "descriptor-call-gate",
            "a call gate never becomes one that can be called",
            call_gate
        ),
        case!(
            "descriptor-unaligned",
            "update_descriptor refuses an unaligned address",
            unaligned
        ),
        case!(
            "descriptor-bad-frame",
            "update_descriptor refuses frames that are not ours",
            bad_frame
        ),
        case!(
            "descriptor-not-present",
            "a descriptor that is not present may hold anything",
            not_present
        ),
        case!("ldt-set", "SET_LDT makes LDT selectors load", ldt_set),
        case!(
            "ldt-bad",
            "SET_LDT refuses too many entries and unaligned or bad addresses",
            ldt_bad
        ),
        case!(
            "ldt-writable-page",
            "a selector in an LDT page with a writable mapping is a page fault at its descriptor",
            ldt_writable
        ),
        case!(
            "ldt-late-page",
            "an LDT page that becomes read-only after SET_LDT serves when it is used",
            ldt_late
        ),
        case!(
            "ldt-empty",
            "SET_LDT of no entries makes LDT selectors fault",
            ldt_empty
        ),
        case!("flat-selectors", "the flat selectors load", flat),
    ],
};

/// A present, writable data segment of 4 GiB with DPL 3.
pub const DATA_SEGMENT: u64 = 0x00cf_f300_0000_ffff;
/// The same with DPL 0.
const DATA_SEGMENT_DPL0: u64 = 0x00cf_9300_0000_ffff;
/// A call gate to the flat code selector.
const CALL_GATE: u64 = 0xffff_ec00_e033_0000;
/// A 64-bit TSS.
const TSS: u64 = 0x0000_e900_0000_0067;
/// An LDT descriptor.
const LDT: u64 = 0x0000_e200_0000_ffff;
/// A 64-bit interrupt gate.
const INTERRUPT_GATE: u64 = 0x0000_ee00_e033_0000;

fn set_gdt(frames: &[u64], entries: u64) -> i64 {
    call2(nr::SET_GDT, frames.as_ptr() as u64, entries)
}

fn update_descriptor(machine: u64, value: u64) -> i64 {
    call2(nr::UPDATE_DESCRIPTOR, machine, value)
}

/// Installs a one-page GDT with a data segment at index 8.
pub fn own_gdt() -> Page {
    let page = Page::take();
    page.words()[8] = DATA_SEGMENT;
    page.make_readonly();
    assert_eq!(set_gdt(&[page.mfn()], 512), 0);
    page
}

fn drop_gdt() {
    assert_eq!(set_gdt(&[], 0), 0);
}

/// Loads ES; gives the error code of the fault if it faults.
fn load_es(selector: u16) -> Option<(u64, u64)> {
    let caught = catch(|| unsafe { asm!("mov es, {0:x}", in(reg) selector) });
    unsafe { asm!("mov es, {0:x}", in(reg) 0u16) };
    caught.map(|frame| (frame.vector, frame.error))
}

fn gdt_set() {
    own_gdt();
    assert_eq!(load_es((8 * 8) | 3), None);
    assert_eq!(load_es((9 * 8) | 3), Some((13, 9 * 8)));
    drop_gdt();
}

fn gdt_too_many() {
    let page = Page::take().make_readonly();
    let frames = [page.mfn(); 16];
    for entries in [14 * 512 + 1, 8192, 65536, u32::MAX as u64] {
        assert_eq!(set_gdt(&frames, entries), EINVAL, "{entries}");
    }
}

fn gdt_bad_frame() {
    for mfn in [crate::mmu_entries::hypervisor_mfn(), 0xff_ffff, u64::MAX] {
        assert_refused(set_gdt(&[mfn], 512));
    }
}

fn gdt_writable() {
    let page = Page::take();
    assert_refused(set_gdt(&[page.mfn()], 512));
}

fn gdt_stays() {
    let page = own_gdt();
    assert_refused(update_va_mapping(page.va, page.entry(WRITABLE), INVLPG));
    drop_gdt();
    page.make_writable();
}

fn gdt_bad_content() {
    for bad in [TSS, LDT, INTERRUPT_GATE] {
        let page = Page::take();
        page.words()[5] = bad;
        page.make_readonly();
        assert_eq!(set_gdt(&[page.mfn()], 512), EINVAL, "{bad:#x}");
    }
}

fn gdt_empty() {
    own_gdt();
    drop_gdt();
    assert_eq!(load_es((8 * 8) | 3), Some((13, 8 * 8)));
}

fn good() {
    let page = own_gdt();
    assert_eq!(update_descriptor(page.machine() + 8 * 20, DATA_SEGMENT), 0);
    assert_eq!(page.words()[20] & !(1 << 40), DATA_SEGMENT & !(1 << 40));
    assert_eq!(load_es((20 * 8) | 3), None);
    drop_gdt();
}

fn raised() {
    let page = own_gdt();
    assert_eq!(
        update_descriptor(page.machine() + 8 * 20, DATA_SEGMENT_DPL0),
        0
    );
    assert_eq!(page.words()[20] >> 45 & 3, 3);
    drop_gdt();
}

fn bad() {
    let page = own_gdt();
    for bad in [TSS, LDT, INTERRUPT_GATE] {
        assert_eq!(
            update_descriptor(page.machine() + 8 * 20, bad),
            EINVAL,
            "{bad:#x}"
        );
        assert_eq!(page.words()[20], 0);
    }
    drop_gdt();
}

fn call_gate() {
    let page = own_gdt();
    if update_descriptor(page.machine() + 8 * 20, CALL_GATE) == 0 {
        assert_eq!(page.words()[20] >> 45 & 3, 0, "DPL");
    }
    let pointer = [0u64, (20 * 8) | 3];
    let frame = expect_fault(|| unsafe { asm!("call fword ptr [{}]", in(reg) &pointer) });
    assert_eq!(frame.vector, 13);
    drop_gdt();
}

fn unaligned() {
    let page = own_gdt();
    for offset in [1, 4, 7] {
        let result = update_descriptor(page.machine() + 8 * 20 + offset, DATA_SEGMENT);
        assert_eq!(result, EINVAL, "offset {offset}");
    }
    drop_gdt();
}

fn bad_frame() {
    for mfn in [crate::mmu_entries::hypervisor_mfn(), 0xff_ffff] {
        assert_refused(update_descriptor(mfn * PAGE, DATA_SEGMENT));
    }
}

fn not_present() {
    let page = own_gdt();
    let absent = TSS & !(1 << 47);
    assert_eq!(update_descriptor(page.machine() + 8 * 20, absent), 0);
    assert_eq!(page.words()[20], absent);
    drop_gdt();
}

fn set_ldt(address: u64, entries: u64) -> i64 {
    mmuext_one(ext::SET_LDT, address, entries)
}

fn ldt_set() {
    let page = Page::take();
    page.words()[3] = DATA_SEGMENT;
    page.make_readonly();
    assert_eq!(set_ldt(page.va, 512), 0);
    assert_eq!(load_es((3 * 8) | 7), None);
    assert_eq!(load_es((4 * 8) | 7), Some((13, (4 * 8) | 4)));
    assert_eq!(set_ldt(0, 0), 0);
}

fn ldt_bad() {
    let page = Page::take().make_readonly();
    for (address, entries) in [
        (page.va, 8193),
        (page.va, u32::MAX as u64),
        (page.va + 8, 16),
        (0xffff_8300_0000_0000, 16),
        (0x8000_0000_0000_0000, 16),
    ] {
        assert_eq!(set_ldt(address, entries), EINVAL, "{address:#x} {entries}");
    }
}

fn ldt_writable() {
    let page = Page::take();
    page.words()[3] = DATA_SEGMENT;
    assert_eq!(set_ldt(page.va, 512), 0);
    let frame = expect_fault(|| unsafe { asm!("mov es, {0:x}", in(reg) 0x1fu16) });
    assert_eq!((frame.vector, frame.error), (14, 0));
    assert_eq!(guest_kit::vcpu::area().cr2, page.va + 3 * 8);
    assert_eq!(set_ldt(0, 0), 0);
}

fn ldt_late() {
    let page = Page::take();
    page.words()[3] = DATA_SEGMENT;
    assert_eq!(set_ldt(page.va, 512), 0);
    page.make_readonly();
    assert_eq!(load_es((3 * 8) | 7), None);
    assert_refused(update_va_mapping(page.va, page.entry(WRITABLE), INVLPG));
    assert_eq!(set_ldt(0, 0), 0);
    page.make_writable();
}

fn ldt_empty() {
    assert_eq!(set_ldt(0, 0), 0);
    assert_eq!(load_es((3 * 8) | 7), Some((13, (3 * 8) | 4)));
}

fn flat() {
    // Flat ring-3 data, stack and code selectors of public/arch-x86/xen-x86_64.h.
    for selector in [0xe02b, 0xe033, 0xe023] {
        assert_eq!(load_es(selector), None, "{selector:#x}");
    }
}
