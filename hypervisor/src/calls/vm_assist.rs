//! `vm_assist`: conveniences that a guest turns on.

use calls::AssistType;
use vocabulary::Errno;
use xen_abi::xen as abi;

use crate::hypercall::{refuse, Answer, Arguments, Caller};

/// Arguments: enable or disable (`VMASST_CMD_*`), which (`VMASST_TYPE_*`).
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [command, kind, ..] = arguments.0;
    let Ok(kind) = AssistType::from_number(kind as u32) else {
        return refuse(Errno::EINVAL, "there is no such assist");
    };
    let bit = 1u64 << kind.number();
    let domain = &caller.vcpu.domain;
    match command as u32 {
        abi::VMASST_CMD_enable => domain.set_assists(bit, 0),
        abi::VMASST_CMD_disable => domain.set_assists(0, bit),
        _ => {
            return refuse(
                Errno::ENOSYS,
                "assists are enabled or disabled, nothing else",
            )
        }
    };
    Ok(0)
}
