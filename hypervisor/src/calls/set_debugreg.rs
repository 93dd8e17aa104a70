//! `set_debugreg`: a debug register of the vCPU.

use core::sync::atomic::Ordering::Relaxed;

use hw::copy;
use hw::switch;
use vocabulary::{refuse, Errno, Refused};

use crate::hypercall::{Answer, Arguments, Caller};
use crate::vcpu::Vcpu;

/// Arguments: the register, 0 to 7; its value.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [number, value, ..] = arguments.0;
    set(caller.vcpu, number as u32, value)?;
    switch::load_debug(&caller.vcpu.context);
    Ok(0)
}

/// Where register `number` is kept. DR4 and DR5 are the old names of DR6 and DR7 without CR4.DE,
/// which guests do not have.
pub fn slot(number: u32) -> Option<usize> {
    match number {
        0..=3 => Some(number as usize),
        4 | 6 => Some(4),
        5 | 7 => Some(5),
        _ => None,
    }
}

/// DR7: reserved bits that read as one, as zero; the general-detect and task-switch features.
const CONTROL_ONE: u64 = 1 << 10;
const CONTROL_ZERO: u64 = 0xffff_0000_0000_d800;
const GENERAL_DETECT: u64 = 1 << 13;

/// Sets a debug register; the caller loads it where the vCPU runs.
pub fn set(vcpu: &Vcpu, number: u32, value: u64) -> Refused<()> {
    let Some(slot) = slot(number) else {
        return refuse(Errno::ENODEV, "there is no such debug register");
    };
    let value = match number {
        0..=3 if !copy::is_guest_range(value, 8) || !vocabulary::VirtAddr(value).is_canonical() => {
            return refuse(
                Errno::EPERM,
                "a breakpoint lies outside the guest's address space",
            );
        }
        0..=3 => value,
        4 | 6 if value >> 32 != 0 => {
            return refuse(Errno::EINVAL, "the debug status has 32 bits");
        }
        4 | 6 => value & 0xffff_efff | 0xffff_0ff0,
        _ => control(value)?,
    };
    if let Some(place) = vcpu.context.debug.get(slot) {
        place.store(value, Relaxed);
    }
    Ok(())
}

/// Checks DR7: four-byte I/O breakpoints and the like need CR4.DE, which guests do not have.
fn control(value: u64) -> Refused<u64> {
    if value >> 32 != 0 {
        return refuse(Errno::EINVAL, "the debug control has 32 bits");
    }
    if value & GENERAL_DETECT != 0 {
        return refuse(
            Errno::EPERM,
            "the debug control register asks for what guests cannot have",
        );
    }
    let enabled = (0..4).filter(|number| value >> (number * 2) & 3 != 0);
    for number in enabled {
        let kind = value >> (16 + number * 4) & 3;
        if kind == 2 {
            return refuse(Errno::EPERM, "breakpoints on I/O are not for guests");
        }
    }
    Ok(value & !CONTROL_ZERO | CONTROL_ONE)
}
