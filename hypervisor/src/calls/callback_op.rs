//! `callback_op`: where the guest kernel wants control for events, failed returns, system calls and NMIs.

use core::sync::atomic::Ordering::Relaxed;

use calls::{CallbackOp, CallbackType};
use hw::vcpu::{mode, Callback};
use vocabulary::{refuse, Errno, Refusal, Refused, VirtAddr};
use xen_abi::callback::{CALLBACKF_mask_events, CallbackRegister, CallbackUnregister};

use crate::hypercall::{Answer, Arguments, Caller};
use crate::vcpu::Vcpu;
use crate::{guest, nmi};

/// Arguments: operation, its structure.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, structure, ..] = arguments.0;
    match CallbackOp::from_number(operation as u32).map_err(Refusal::from)? {
        CallbackOp::Register => {
            let request = guest::read::<CallbackRegister>(structure)?;
            let kind = kind(request.kind)?;
            let masks = request.flags & CALLBACKF_mask_events != 0;
            set(caller.vcpu, kind, request.address, masks)?;
            nmi::handler_given(caller.vcpu);
        }
        CallbackOp::Unregister => {
            let request = guest::read::<CallbackUnregister>(structure)?;
            forget(caller.vcpu, kind(request.kind)?)?;
        }
    }
    Ok(0)
}

fn kind(number: u16) -> Refused<CallbackType> {
    CallbackType::from_number(u32::from(number)).map_err(Refusal::from)
}

fn place(vcpu: &Vcpu, kind: CallbackType) -> &Callback {
    let context = &vcpu.context;
    match kind {
        CallbackType::Event => &context.event,
        CallbackType::Failsafe => &context.failsafe,
        CallbackType::Syscall => &context.syscall,
        CallbackType::Syscall32 => &context.syscall32,
        CallbackType::Sysenter => &context.sysenter,
        CallbackType::Nmi => &context.nmi,
    }
}

/// Registers a callback. EINVAL for a non-canonical address: `sysret` to one faults in ring 0. One in the
/// hypervisor's part is the guest's loss, since entry is in ring 3.
pub fn set(vcpu: &Vcpu, kind: CallbackType, address: u64, masks_events: bool) -> Refused<()> {
    if !VirtAddr(address).is_canonical() {
        return refuse(Errno::EINVAL, "a callback's address is not canonical");
    }
    let callback = place(vcpu, kind);
    callback.masks_events.store(u8::from(masks_events), Relaxed);
    callback.entry.store(address, Relaxed);
    if kind == CallbackType::Syscall {
        let (set, clear) = if address != 0 {
            (0, mode::NO_SYSCALL)
        } else {
            (mode::NO_SYSCALL, 0)
        };
        vcpu.context.change_mode(set, clear);
    }
    Ok(())
}

fn forget(vcpu: &Vcpu, kind: CallbackType) -> Refused<()> {
    match kind {
        CallbackType::Nmi => {
            place(vcpu, kind).entry.store(0, Relaxed);
            Ok(())
        }
        _ => refuse(
            Errno::EINVAL,
            "this callback can be replaced but not forgotten",
        ),
    }
}
