//! Segment descriptors, the interrupt descriptor table and the task state segment.

use crate::percpu::area;
use crate::registers::selector;

/// The 64-bit task state segment (AMD64 manual, volume 2, section 12.2.5): stacks to switch to, and no
/// I/O bitmap, so that every port access of a guest faults.
#[derive(Debug, Default)]
#[repr(C, packed(4))]
pub struct TaskState {
    reserved0: u32,
    /// Stack for entries from ring 3.
    rsp0: u64,
    rsp1: u64,
    rsp2: u64,
    reserved1: u64,
    /// Interrupt stack table: NMI, debug, machine check, double fault, unused.
    ist: [u64; 7],
    reserved2: u64,
    reserved3: u16,
    io_map_base: u16,
}

impl TaskState {
    /// The segment of the processor whose area starts at `base`.
    pub fn new(base: u64) -> Self {
        Self {
            rsp0: base + area::STACK_TOP,
            ist: [
                base + area::NMI_STACK_TOP,
                base + area::DEBUG_STACK_TOP,
                base + area::MACHINE_CHECK_STACK_TOP,
                base + area::DOUBLE_FAULT_STACK_TOP,
                0,
                0,
                0,
            ],
            io_map_base: core::mem::size_of::<Self>() as u16,
            ..Self::default()
        }
    }

    /// The two words of a descriptor for a segment at `address`.
    pub fn descriptor(address: u64) -> [u64; 2] {
        let limit = core::mem::size_of::<Self>() as u64 - 1;
        system_descriptor(address, limit, 0x9)
    }
}

/// A sixteen-byte system descriptor of `kind` (0x9 available TSS, 0x2 LDT).
pub fn system_descriptor(address: u64, limit: u64, kind: u64) -> [u64; 2] {
    let low = (limit & 0xffff)
        | (address & 0xff_ffff) << 16
        | (0x80 | kind) << 40
        | (limit >> 16 & 0xf) << 48
        | (address >> 24 & 0xff) << 56;
    [low, address >> 32]
}

/// Contents of the one frame of reserved descriptors that every descriptor window maps at entry 0xe000/8:
/// (entry within the frame, descriptor). Accessed bits are set, so the processor never writes to it.
pub const fn reserved_descriptors() -> [(usize, u64); 6] {
    const CODE64_RING0: u64 = 0x00af_9b00_0000_ffff;
    const DATA_RING0: u64 = 0x00cf_9300_0000_ffff;
    const CODE32_RING3: u64 = 0x00cf_fb00_0000_ffff;
    const DATA_RING3: u64 = 0x00cf_f300_0000_ffff;
    const CODE64_RING3: u64 = 0x00af_fb00_0000_ffff;
    const fn slot(selector: u16) -> usize {
        (selector as usize & 0xfff) >> 3
    }
    [
        (slot(selector::HYPERVISOR_CODE), CODE64_RING0),
        (slot(selector::HYPERVISOR_DATA), DATA_RING0),
        (slot(selector::GUEST_CODE32), CODE32_RING3),
        (slot(selector::GUEST_DATA), DATA_RING3),
        (slot(selector::GUEST_CODE64), CODE64_RING3),
        // FLAT_RING3 data selectors of 32-bit guests stand one further on; the same descriptor serves.
        (slot(0xe03b), DATA_RING3),
    ]
}

/// A gate of the interrupt descriptor table.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Gate {
    low: u64,
    high: u64,
}

impl Gate {
    fn new(address: u64, stack: u64, privilege: u64) -> Self {
        let attributes = 0x8e | privilege << 5;
        Self {
            low: (address & 0xffff)
                | u64::from(selector::HYPERVISOR_CODE) << 16
                | stack << 32
                | attributes << 40
                | (address >> 16 & 0xffff) << 48,
            high: address >> 32,
        }
    }
}

static mut GATES: [Gate; 256] = [Gate { low: 0, high: 0 }; 256];

/// A pseudo-descriptor for `lgdt` and `lidt`.
#[repr(C, packed)]
pub(crate) struct TablePointer {
    pub limit: u16,
    pub base: u64,
}

/// The pseudo-descriptor of a table.
pub(crate) fn table_pointer(limit: u16, base: u64) -> TablePointer {
    TablePointer { limit, base }
}

extern "C" {
    static special_stubs: [u64; 5];
}

/// Fills the interrupt descriptor table, which all processors share. Once, at boot.
pub fn load_boot_tables() {
    extern "C" {
        fn vector_stubs();
    }
    let stubs = vector_stubs as *const () as u64;
    // SAFETY: the assembly defines five addresses there, read-only.
    let [debug, nmi, double_fault, page_fault, machine_check] = unsafe { special_stubs };
    let mut gates = [Gate::default(); 256];
    for (vector, gate) in gates.iter_mut().enumerate() {
        *gate = match vector {
            1 => Gate::new(debug, 2, 0),
            2 => Gate::new(nmi, 1, 0),
            8 => Gate::new(double_fault, 4, 0),
            14 => Gate::new(page_fault, 0, 0),
            18 => Gate::new(machine_check, 3, 0),
            // A guest program may raise breakpoint, overflow and the old system call gate itself.
            3 | 4 | 0x80 => Gate::new(stubs + vector as u64 * STUB_SIZE, 0, 3),
            _ => Gate::new(stubs + vector as u64 * STUB_SIZE, 0, 0),
        };
    }
    // SAFETY: runs once on the boot processor before the table is loaded anywhere.
    unsafe { (&raw mut GATES).write(gates) }
}

/// Distance between two vectors' stubs; the assembly aligns each to it.
const STUB_SIZE: u64 = 16;

/// Loads the shared interrupt descriptor table into this processor.
pub(crate) fn load_interrupt_table() {
    let pointer = TablePointer {
        limit: (core::mem::size_of::<[Gate; 256]>() - 1) as u16,
        base: (&raw const GATES) as u64,
    };
    // SAFETY: the table is filled, lives forever and its gates lead to the assembly stubs.
    unsafe { core::arch::asm!("lidt [{}]", in(reg) &pointer, options(nostack, readonly)) }
}
