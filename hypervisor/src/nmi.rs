//! Non-maskable interrupts of guests.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use hw::percpu::PerCpu;
use hw::registers::Registers;

use crate::inject::{self, Target};
use crate::vcpu::Vcpu;
use crate::{schedule, work};

/// Looks whether an NMI waits, which its vCPU's kernel may take now that it said where.
#[inline]
pub fn handler_given(vcpu: &Vcpu) {
    if vcpu.nmi_pending.load(Relaxed) {
        PerCpu::current().work.fetch_or(work::NMI, AcqRel);
    }
}

/// The NMI's vector in a guest's trap table, which is one of the ways to give a handler.
const VECTOR: usize = 2;

/// The vCPU's handler of NMIs: its callback, or what its trap table says (where Linux puts it).
fn handler(vcpu: &Vcpu) -> Option<Target> {
    Target::of(&vcpu.context.nmi).or_else(|| {
        let address = vcpu.traps.get(VECTOR)?.address.load(Relaxed);
        (address != 0).then_some(Target {
            address,
            masks_events: true,
        })
    })
}

/// Has an NMI wait for the vCPU, wherever it is.
pub fn send(vcpu: &Vcpu) {
    if !vcpu.nmi_pending.swap(true, AcqRel) {
        if vcpu.is_running.load(Acquire) {
            work::raise_on(vcpu.processor.load(Relaxed) as usize, work::NMI);
        }
        schedule::wake(vcpu);
    }
}

/// Delivers a waiting NMI to the vCPU, which runs here, where it has a handler.
pub fn deliver(vcpu: &Vcpu, registers: &mut Registers) {
    let Some(target) = handler(vcpu) else { return };
    if vcpu.nmi_pending.swap(false, AcqRel) {
        inject::bounce(
            vcpu,
            registers,
            Target {
                masks_events: true,
                ..target
            },
            None,
        );
    }
}
