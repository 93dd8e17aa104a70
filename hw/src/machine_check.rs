//! Machine checks: what the error-reporting banks say (Intel SDM volume 3, chapter 16; AMD64 manual volume 2, chapter 9).

use crate::cpu;

const GLOBAL_CAPABILITY: u32 = 0x179;
const GLOBAL_STATUS: u32 = 0x17a;
const GLOBAL_CONTROL: u32 = 0x17b;
const FIRST_BANK: u32 = 0x400;
const HAS_GLOBAL_CONTROL: u64 = 1 << 8;
/// The interrupted program can go on where it was.
const CAN_RESTART: u64 = 1;
/// More banks than any processor has.
const MOST_BANKS: u32 = 128;

const VALID: u64 = 1 << 63;
const UNCORRECTED: u64 = 1 << 61;
const MISC_VALID: u64 = 1 << 59;
const ADDRESS_VALID: u64 = 1 << 58;
const CONTEXT_CORRUPT: u64 = 1 << 57;

/// One bank's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankError {
    /// The bank.
    pub bank: u32,
    /// Its status register.
    pub status: u64,
    /// The address it names.
    pub address: Option<u64>,
    /// Its further information.
    pub misc: Option<u64>,
}

impl BankError {
    /// Whether the hardware could not repair it, or the processor's state is lost.
    pub const fn is_fatal(&self) -> bool {
        self.status & (UNCORRECTED | CONTEXT_CORRUPT) != 0
    }
}

/// Whether the processor has the architecture of machine checks (CPUID leaf 1: MCE and MCA).
pub fn is_present() -> bool {
    let [_, _, _, edx] = cpu::cpuid(1, 0);
    edx & (1 << 7) != 0 && edx & (1 << 14) != 0
}

/// Banks of this processor; 0 where it has no machine checks.
pub fn banks() -> u32 {
    if !is_present() {
        return 0;
    }
    let capability = cpu::try_read_msr(GLOBAL_CAPABILITY).unwrap_or(0);
    ((capability & 0xff) as u32).min(MOST_BANKS)
}

/// Forgets what the firmware left and has every bank of this processor report from now on.
pub fn enable() {
    let capability = if is_present() {
        cpu::try_read_msr(GLOBAL_CAPABILITY)
    } else {
        None
    };
    let Some(capability) = capability else { return };
    if capability & HAS_GLOBAL_CONTROL != 0 {
        // SAFETY: switches error reporting on; the register exists as the capability register says.
        unsafe { cpu::write_msr(GLOBAL_CONTROL, u64::MAX) }
    }
    for bank in 0..banks() {
        // SAFETY: the bank exists; its control register only chooses what is reported, its status register may be
        // cleared at any time.
        unsafe {
            cpu::write_msr(FIRST_BANK + 4 * bank, u64::MAX);
            cpu::write_msr(FIRST_BANK + 4 * bank + 1, 0);
        }
    }
}

/// Whether the program that the machine check interrupted can go on.
pub fn can_restart() -> bool {
    cpu::try_read_msr(GLOBAL_STATUS).is_some_and(|status| status & CAN_RESTART != 0)
}

/// Takes each bank's error, if it has one.
pub fn take_errors() -> impl Iterator<Item = BankError> {
    (0..banks()).filter_map(|bank| {
        let first = FIRST_BANK + 4 * bank;
        let status = cpu::try_read_msr(first + 1).filter(|status| status & VALID != 0)?;
        let read = |flag, register| {
            if status & flag != 0 {
                cpu::try_read_msr(register)
            } else {
                None
            }
        };
        let error = BankError {
            bank,
            status,
            address: read(ADDRESS_VALID, first + 2),
            misc: read(MISC_VALID, first + 3),
        };
        // SAFETY: the bank exists; a cleared status makes room for its next error.
        unsafe { cpu::write_msr(first + 1, 0) };
        Some(error)
    })
}

/// Ends the machine check in progress: another one may come.
pub fn finish() {
    if is_present() {
        // SAFETY: the register exists with machine checks; zero means that none is in progress.
        unsafe { cpu::write_msr(GLOBAL_STATUS, 0) }
    }
}
