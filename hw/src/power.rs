//! Sleeping, switching off and resetting the machine.

use firmware::acpi::{Fadt, Register, Space};
use vocabulary::MachineAddr;

use crate::mmio::Mmio;
use crate::{console, ports};

/// The bits of a PM1 control register that say which state to enter, and enter it (ACPI 6.5, section 4.8.3.2.1).
const SLEEP_TYPE: u16 = 7 << 10;
const SLEEP_ENABLE: u16 = 1 << 13;

const KEYBOARD_STATUS: u16 = 0x64;
const KEYBOARD_BUSY: u8 = 1 << 1;
/// The keyboard controller's command that pulls the reset line.
const KEYBOARD_RESET: u8 = 0xfe;
/// The chip set's reset control register: first the kind of reset, then doing it.
const RESET_CONTROL: u16 = 0xcf9;
const RESET_HARD: u8 = 0x02;
const RESET_NOW: u8 = 0x06;
/// Looks at a register while waiting for hardware to act: tens of milliseconds on real machines.
const PATIENCE: u32 = 20_000;

/// The machine did not go to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SleepError {
    /// The FADT names no control register that can be written.
    NoRegister,
    /// The registers were written and nothing happened.
    StillAwake,
}

/// Enters the ACPI state whose PM1 control values dom0 found (`XENPF_enter_acpi_sleep`); does not return where it works
/// and the state is S5. All other processors must be out of the way.
pub fn enter_sleep(fadt: &Fadt, pm1a: u16, pm1b: u16) -> Result<(), SleepError> {
    let [first, second] = fadt.pm1_control;
    let first = first.ok_or(SleepError::NoRegister)?;
    flush_caches();
    // The type first, then the type with the bit that enters: some chip sets want two writes.
    for enable in [0, SLEEP_ENABLE] {
        for (register, value) in [(Some(first), pm1a), (second, pm1b)] {
            let Some(register) = register else { continue };
            let kept = read_register(&register, 16).unwrap_or(0) as u16;
            let kept = kept & !(SLEEP_TYPE | SLEEP_ENABLE);
            let value = kept | (value & SLEEP_TYPE) | enable;
            write_register(&register, 16, u32::from(value)).ok_or(SleepError::NoRegister)?;
        }
    }
    wait_a_while();
    Err(SleepError::StillAwake)
}

/// Enters a state by the sleep control register of machines without fixed hardware; `value` is dom0's.
pub fn enter_sleep_reduced(fadt: &Fadt, value: u8) -> Result<(), SleepError> {
    let register = fadt.sleep_control.ok_or(SleepError::NoRegister)?;
    flush_caches();
    write_register(&register, 8, u32::from(value)).ok_or(SleepError::NoRegister)?;
    wait_a_while();
    Err(SleepError::StillAwake)
}

/// Resets the machine: by the FADT's register, else the keyboard controller, else the chip set's register, else by a
/// triple fault.
pub fn reset(fadt: Option<&Fadt>) -> ! {
    if let Some((register, value)) = fadt.and_then(|fadt| fadt.reset) {
        let _ = write_register(&register, 8, u32::from(value));
        wait_a_while();
    }
    // SAFETY: the machine is to be reset; nothing runs afterwards.
    unsafe {
        for _ in 0..PATIENCE {
            if ports::read_u8(KEYBOARD_STATUS) & KEYBOARD_BUSY == 0 {
                break;
            }
        }
        ports::write_u8(KEYBOARD_STATUS, KEYBOARD_RESET);
        wait_a_while();
        ports::write_u8(RESET_CONTROL, RESET_HARD);
        ports::write_u8(RESET_CONTROL, RESET_NOW);
        wait_a_while();
        // With an empty interrupt table the next exception cannot be delivered, nor can the one that follows.
        let empty = [0u16; 5];
        core::arch::asm!("lidt [{}]", "int3", in(reg) &empty, options(nostack));
    }
    console::halt()
}

/// Waits by reading a port that does nothing (the POST code's), about a microsecond each.
fn wait_a_while() {
    for _ in 0..PATIENCE {
        // SAFETY: reading this port has no effect.
        unsafe { ports::read_u8(0x80) };
    }
}

fn flush_caches() {
    // SAFETY: writes caches back; changes no contents.
    unsafe { core::arch::asm!("wbinvd", options(nostack, preserves_flags)) };
}

/// Reads a power register of `bits` 8 or 16.
fn read_register(register: &Register, bits: u8) -> Option<u32> {
    match register.space {
        Space::Port => {
            let port = u16::try_from(register.address).ok()?;
            // SAFETY: the FADT names the port as a power register; reading it has no effect.
            Some(unsafe {
                match bits {
                    8 => u32::from(ports::read_u8(port)),
                    _ => u32::from(ports::read_u16(port)),
                }
            })
        }
        Space::Memory => memory_register(register).map(|it| it.read_u32(0)),
        Space::PciConfiguration => None,
    }
}

/// Writes a power register of `bits` 8 or 16.
fn write_register(register: &Register, bits: u8, value: u32) -> Option<()> {
    match register.space {
        Space::Port => {
            let port = u16::try_from(register.address).ok()?;
            // SAFETY: the FADT names the port as a power register, and the machine is to sleep or to be reset.
            unsafe {
                match bits {
                    8 => ports::write_u8(port, value as u8),
                    _ => ports::write_u16(port, value as u16),
                }
            }
        }
        Space::Memory => memory_register(register)?.write_u32(0, value),
        // Only the reset register may lie there, on machines that also have port 0xcf9.
        Space::PciConfiguration => return None,
    }
    Some(())
}

fn memory_register(register: &Register) -> Option<Mmio> {
    // SAFETY: the FADT names a power register, which is never RAM.
    unsafe { Mmio::map(MachineAddr(register.address), 4) }
}
