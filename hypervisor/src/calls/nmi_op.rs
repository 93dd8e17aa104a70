//! `nmi_op`: the older way to register an NMI handler.

use core::sync::atomic::Ordering::Relaxed;

use calls::{CallbackType, NmiOp};
use vocabulary::{Errno, Refusal};
use xen_abi::nmi::XennmiCallback;

use crate::guest;
use crate::hypercall::{refuse, Answer, Arguments, Caller};

/// Arguments: operation, its structure.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, structure, ..] = arguments.0;
    match NmiOp::from_number(operation as u32).map_err(Refusal::from)? {
        NmiOp::RegisterCallback => {
            let request = guest::read::<XennmiCallback>(structure)?;
            if caller.vcpu.id.0 != 0 {
                return refuse(Errno::EINVAL, "only the first vCPU takes NMIs this way");
            }
            super::callback_op::set(
                caller.vcpu,
                CallbackType::Nmi,
                request.handler_address,
                true,
            )?;
        }
        NmiOp::UnregisterCallback => caller.vcpu.context.nmi.entry.store(0, Relaxed),
    }
    Ok(0)
}
