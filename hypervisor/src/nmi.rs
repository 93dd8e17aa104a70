//! Non-maskable interrupts of guests.

use core::sync::atomic::Ordering::AcqRel;

use hw::percpu::PerCpu;
use hw::registers::Registers;

use crate::inject::{self, Target};
use crate::vcpu::Vcpu;
use crate::work;

/// Looks after an `iret` whether an NMI waits.
#[inline]
pub fn after_iret(vcpu: &Vcpu) {
    if vcpu.nmi_pending.load(core::sync::atomic::Ordering::Relaxed) {
        PerCpu::current().work.fetch_or(work::NMI, AcqRel);
    }
}

/// Delivers a waiting NMI to the vCPU, which runs here, where it has a handler.
pub fn deliver(vcpu: &Vcpu, registers: &mut Registers) {
    let Some(target) = Target::of(&vcpu.context.nmi) else { return };
    if vcpu.nmi_pending.swap(false, AcqRel) {
        inject::bounce(vcpu, registers, Target { masks_events: true, ..target }, None);
    }
}
