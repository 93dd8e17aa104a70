//! The local APIC, by memory (xAPIC) or by model-specific registers (x2APIC): interrupts, timer, IPIs.
//!
//! Registers and bits: Intel SDM volume 3, chapter 11. One mode for all processors, chosen by [`initialise`] before the
//! others start; what is said here is said to the calling processor's own APIC.

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, Ordering};

use firmware::acpi::Polarity;
use vocabulary::{MachineAddr, VirtAddr};

use crate::cpu::{self, msr};
use crate::mmio::Mmio;

/// Registers by their offset in memory; the model-specific ones are `X2APIC_BASE` + offset / 16.
mod register {
    pub const ID: u32 = 0x20;
    pub const VERSION: u32 = 0x30;
    pub const TASK_PRIORITY: u32 = 0x80;
    pub const END_OF_INTERRUPT: u32 = 0xb0;
    pub const LOGICAL_DESTINATION: u32 = 0xd0;
    pub const DESTINATION_FORMAT: u32 = 0xe0;
    pub const SPURIOUS: u32 = 0xf0;
    pub const IN_SERVICE: u32 = 0x100;
    pub const REQUESTED: u32 = 0x200;
    pub const ERROR_STATUS: u32 = 0x280;
    pub const COMMAND: u32 = 0x300;
    pub const COMMAND_HIGH: u32 = 0x310;
    pub const TIMER: u32 = 0x320;
    pub const THERMAL: u32 = 0x330;
    pub const PERFORMANCE: u32 = 0x340;
    pub const LINT0: u32 = 0x350;
    pub const LINT1: u32 = 0x360;
    pub const ERROR: u32 = 0x370;
    pub const INITIAL_COUNT: u32 = 0x380;
    pub const CURRENT_COUNT: u32 = 0x390;
    pub const DIVIDE: u32 = 0x3e0;
}

const X2APIC_BASE: u32 = 0x800;
/// The deadline timer's register.
const TSC_DEADLINE: u32 = 0x6e0;
const REGISTERS_BYTES: usize = 4096;

const BASE_ENABLE: u64 = 1 << 11;
const BASE_X2APIC: u64 = 1 << 10;
const SPURIOUS_ENABLE: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
const DELIVER_NMI: u32 = 4 << 8;
const DELIVER_INIT: u32 = 5 << 8;
const DELIVER_STARTUP: u32 = 6 << 8;
const ACTIVE_LOW: u32 = 1 << 13;
const COMMAND_PENDING: u32 = 1 << 12;
const COMMAND_ASSERT: u32 = 1 << 14;
const ALL_BUT_SELF: u32 = 3 << 18;
const TIMER_DEADLINE_MODE: u32 = 2 << 17;
/// The timer's clock undivided.
const DIVIDE_BY_1: u32 = 0b1011;
/// Destination format: all of the flat model.
const FLAT: u32 = 0xffff_ffff;
/// Looks at a command that is not taken before it is given up: on the order of a second.
const PATIENCE: u32 = 100_000_000;

/// The registers' address in xAPIC mode; 0 in x2APIC mode.
static REGISTERS: AtomicU64 = AtomicU64::new(0);
/// Whether the timer takes a time-stamp instead of a count.
static DEADLINE: AtomicBool = AtomicBool::new(false);
/// The timer's vector.
static TIMER_VECTOR: AtomicU8 = AtomicU8::new(0);
/// Timer counts for 2^32 ticks of the time-stamp counter.
static COUNTS_PER_TSC: AtomicU64 = AtomicU64::new(0);

/// Vectors that the APIC itself needs.
#[derive(Clone, Copy, Debug)]
pub struct Vectors {
    /// Interrupts withdrawn before they could be taken. No end of interrupt belongs to it.
    pub spurious: u8,
    /// Errors: read [`take_error`].
    pub error: u8,
    /// The timer.
    pub timer: u8,
}

/// An NMI pin of this processor's, as the MADT names it.
#[derive(Clone, Copy, Debug)]
pub struct NmiPin {
    /// 0 or 1.
    pub lint: u8,
    /// Its polarity.
    pub polarity: Polarity,
}

/// Why there is no local APIC to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApicError {
    /// Its registers cannot be mapped.
    OutOfReach,
}

/// Whether the processor has x2APIC mode.
pub fn has_x2apic() -> bool {
    let [_, _, ecx, _] = cpu::cpuid(1, 0);
    ecx & (1 << 21) != 0
}

/// Whether the firmware left x2APIC mode on, in which case it must stay.
pub fn is_x2apic_on() -> bool {
    cpu::read_msr(msr::APIC_BASE) & BASE_X2APIC != 0
}

/// Chooses the mode for all processors; `address` is where the MADT says the registers are. To be called once, on the
/// boot processor, and followed by [`switch_on`] and [`enable`].
pub fn initialise(address: u64, x2apic: bool) -> Result<(), ApicError> {
    let x2apic = (x2apic && has_x2apic()) || is_x2apic_on();
    if !x2apic {
        // SAFETY: the MADT names the local APIC's own page, which is never RAM; what writing its registers does to
        // this processor's interrupts is this module's subject.
        let registers = unsafe { Mmio::map(MachineAddr(address), REGISTERS_BYTES) };
        let registers = registers.ok_or(ApicError::OutOfReach)?;
        REGISTERS.store(registers.address().0, Ordering::Release);
    }
    let [_, _, ecx, _] = cpu::cpuid(1, 0);
    DEADLINE.store(ecx & (1 << 24) != 0, Ordering::Relaxed);
    Ok(())
}

/// Whether x2APIC mode was chosen.
pub fn uses_x2apic() -> bool {
    REGISTERS.load(Ordering::Relaxed) == 0
}

/// Switches this processor's APIC on in the chosen mode. Before that it has no registers: reading one of x2APIC mode
/// faults.
pub fn switch_on() {
    let mut base = cpu::read_msr(msr::APIC_BASE) | BASE_ENABLE;
    if uses_x2apic() {
        base |= BASE_X2APIC;
    }
    // SAFETY: keeps the registers where they are and only switches the APIC on in the chosen mode; interrupts stay
    // off in RFLAGS.
    unsafe { cpu::write_msr(msr::APIC_BASE, base) };
}

/// Sets this processor's APIC up, which is on: nothing in service, LINT pins and timer masked, NMI pins as given.
pub fn enable(vectors: Vectors, nmi_pins: impl Iterator<Item = NmiPin>) {
    TIMER_VECTOR.store(vectors.timer, Ordering::Relaxed);

    write(register::TASK_PRIORITY, 0);
    if !uses_x2apic() {
        write(register::DESTINATION_FORMAT, FLAT);
        write(register::LOGICAL_DESTINATION, 0);
    }
    for line in [register::TIMER, register::LINT0, register::LINT1] {
        write(line, MASKED);
    }
    let last_line = (read(register::VERSION) >> 16) & 0xff;
    if last_line >= 4 {
        write(register::PERFORMANCE, MASKED);
    }
    if last_line >= 5 {
        write(register::THERMAL, MASKED);
    }
    for pin in nmi_pins {
        let line = if pin.lint == 0 {
            register::LINT0
        } else {
            register::LINT1
        };
        let low = if pin.polarity == Polarity::Low {
            ACTIVE_LOW
        } else {
            0
        };
        write(line, DELIVER_NMI | low);
    }
    write(
        register::SPURIOUS,
        SPURIOUS_ENABLE | u32::from(vectors.spurious),
    );
    finish_stale_interrupts();
    take_error();
    write(register::ERROR, u32::from(vectors.error));
    write(register::DIVIDE, DIVIDE_BY_1);
    write(register::TIMER, timer_line());
    // SAFETY: only orders: by memory, the switch to deadline mode must be seen before the first deadline is written.
    unsafe { core::arch::asm!("mfence", options(nostack, preserves_flags)) };
}

/// Ends what firmware or a crashed kernel left in service.
fn finish_stale_interrupts() {
    for _ in 0..256 {
        let in_service = (0..8).any(|index| read(register::IN_SERVICE + index * 0x10) != 0);
        if !in_service {
            break;
        }
        end_of_interrupt();
    }
}

/// This processor's APIC number.
pub fn id() -> u32 {
    let id = read(register::ID);
    if uses_x2apic() {
        id
    } else {
        id >> 24
    }
}

/// Ends the interrupt in service with the highest priority.
#[inline]
pub fn end_of_interrupt() {
    write(register::END_OF_INTERRUPT, 0);
}

/// Whether the vector is waiting to be taken.
pub fn is_requested(vector: u8) -> bool {
    let word = read(register::REQUESTED + u32::from(vector / 32) * 0x10);
    word & (1 << (vector % 32)) != 0
}

/// The errors noted since the last call (Intel SDM, figure 11-9), 0 for none.
pub fn take_error() -> u32 {
    write(register::ERROR_STATUS, 0);
    read(register::ERROR_STATUS)
}

/// Interrupts the processor with that APIC number.
pub fn send(apic_id: u32, vector: u8) {
    command(apic_id, u32::from(vector) | COMMAND_ASSERT);
}

/// Interrupts all other processors, including any that never started (they ignore it).
pub fn send_to_others(vector: u8) {
    command(0, u32::from(vector) | COMMAND_ASSERT | ALL_BUT_SELF);
}

/// Sends a non-maskable interrupt.
pub fn send_nmi(apic_id: u32) {
    command(apic_id, DELIVER_NMI | COMMAND_ASSERT);
}

/// Sends a non-maskable interrupt to all others.
pub fn send_nmi_to_others() {
    command(0, DELIVER_NMI | COMMAND_ASSERT | ALL_BUT_SELF);
}

/// Resets a processor to wait for its start.
pub(crate) fn send_init(apic_id: u32) {
    command(apic_id, DELIVER_INIT | COMMAND_ASSERT);
}

/// Starts a processor in real mode at machine address `page` * 4096.
pub(crate) fn send_startup(apic_id: u32, page: u8) {
    command(apic_id, DELIVER_STARTUP | COMMAND_ASSERT | u32::from(page));
}

/// Gives the APIC one command, after it took the last.
fn command(apic_id: u32, low: u32) {
    if uses_x2apic() {
        let value = u64::from(apic_id) << 32 | u64::from(low);
        // SAFETY: interrupts a processor, whose handlers keep every invariant. The fences order earlier stores before
        // the command: unlike a store to uncached memory, this register's write does not wait for them.
        unsafe {
            core::arch::asm!("mfence", "lfence", options(nostack, preserves_flags));
            cpu::write_msr(X2APIC_BASE + (register::COMMAND >> 4), value);
        }
        return;
    }
    wait_for_command();
    write(register::COMMAND_HIGH, apic_id << 24);
    write(register::COMMAND, low);
}

/// Waits until the last command was taken, which is at once on a sound machine.
fn wait_for_command() {
    for _ in 0..PATIENCE {
        if read(register::COMMAND) & COMMAND_PENDING == 0 {
            break;
        }
        core::hint::spin_loop();
    }
}

/// How often the timer's undivided clock ticked during a wait, and how long that was.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// Ticks of the timer's clock.
    pub counts: u32,
    /// The time that the wait took at least, in ticks of the time-stamp counter.
    pub least: u64,
    /// The most that it took: with what starting and reading the timer took.
    pub most: u64,
}

/// Lets the timer's undivided clock count down for as long as `wait` takes.
pub fn count_timer(wait: impl FnOnce()) -> Counted {
    write(register::TIMER, MASKED);
    let before = cpu::time_stamp_in_order();
    write(register::INITIAL_COUNT, u32::MAX);
    let start = cpu::time_stamp_in_order();
    wait();
    let end = cpu::time_stamp_in_order();
    let left = read(register::CURRENT_COUNT);
    let after = cpu::time_stamp_in_order();
    write(register::INITIAL_COUNT, 0);
    write(register::TIMER, timer_line());
    Counted {
        counts: u32::MAX.wrapping_sub(left),
        least: end.saturating_sub(start),
        most: after.saturating_sub(before),
    }
}

/// Tells how fast the timer runs: `counts` for 2^32 ticks of the time-stamp counter. Needed once, unless
/// [`uses_deadline`].
pub fn set_timer_rate(counts: u64) {
    COUNTS_PER_TSC.store(counts, Ordering::Relaxed);
}

/// Whether the timer takes time-stamps itself, so that it needs no rate.
pub fn uses_deadline() -> bool {
    DEADLINE.load(Ordering::Relaxed)
}

/// Has this processor interrupted by the timer's vector once its time-stamp counter reaches `deadline` (at once if it
/// has). Without deadline mode a distant one comes early: the handler looks at the clock and sets it again.
pub fn set_timer(deadline: u64) {
    if uses_deadline() {
        // Zero would switch the timer off.
        write_deadline(deadline.max(1));
        return;
    }
    let ticks = deadline.saturating_sub(cpu::time_stamp());
    let rate = COUNTS_PER_TSC.load(Ordering::Relaxed);
    // Rounded up, so that it does not come just before the deadline.
    let counts = ((u128::from(ticks) * u128::from(rate)) >> 32) + 1;
    write(
        register::INITIAL_COUNT,
        counts.min(u128::from(u32::MAX)) as u32,
    );
}

/// Takes back what [`set_timer`] set.
pub fn stop_timer() {
    if uses_deadline() {
        write_deadline(0);
    } else {
        write(register::INITIAL_COUNT, 0);
    }
}

fn write_deadline(value: u64) {
    // SAFETY: the processor has the register (CPUID said so), and all it does is interrupt.
    unsafe { cpu::write_msr(TSC_DEADLINE, value) };
}

/// The timer's line: one shot by count or by deadline.
fn timer_line() -> u32 {
    let mode = if uses_deadline() {
        TIMER_DEADLINE_MODE
    } else {
        0
    };
    mode | u32::from(TIMER_VECTOR.load(Ordering::Relaxed))
}

#[inline]
fn read(register: u32) -> u32 {
    let base = REGISTERS.load(Ordering::Relaxed);
    if base == 0 {
        return cpu::read_msr(X2APIC_BASE + (register >> 4)) as u32;
    }
    let pointer = (VirtAddr(base).0 + u64::from(register)) as *const u32;
    // SAFETY: `initialise` mapped the registers' page for ever; offsets come from `register` and stay in it.
    unsafe { pointer.read_volatile() }
}

#[inline]
fn write(register: u32, value: u32) {
    let base = REGISTERS.load(Ordering::Relaxed);
    if base == 0 {
        // SAFETY: an APIC's registers steer interrupts, never memory.
        unsafe { cpu::write_msr(X2APIC_BASE + (register >> 4), u64::from(value)) };
        return;
    }
    let pointer = (VirtAddr(base).0 + u64::from(register)) as *mut u32;
    // SAFETY: as in `read`, and an APIC's registers steer interrupts, never memory.
    unsafe { pointer.write_volatile(value) }
}
