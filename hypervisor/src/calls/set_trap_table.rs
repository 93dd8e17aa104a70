//! `set_trap_table`: the guest kernel's handlers of exceptions.

use core::sync::atomic::Ordering::Relaxed;

use vocabulary::{Errno, VirtAddr};
use xen_abi::arch_x86::TrapInfo;

use crate::hypercall::{refuse, Answer, Arguments, Caller};
use crate::vcpu::Vcpu;
use crate::{guest, nmi};

/// Most entries of one table: one a vector, and the end.
const MOST: u64 = 257;

/// Argument: the table, which an entry with address zero ends; a null pointer forgets all handlers.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let table = arguments.get(0);
    let vcpu = caller.vcpu;
    if table == 0 {
        for entry in vcpu.traps.iter() {
            entry.address.store(0, Relaxed);
        }
        return Ok(0);
    }
    for index in 0..MOST {
        let info = guest::read::<TrapInfo>(guest::element::<TrapInfo>(table, index))?;
        if info.address == 0 {
            break;
        }
        // One in the hypervisor's part is the guest's loss: entry is in ring 3, and the fetch faults there.
        if !VirtAddr(info.address).is_canonical() {
            return refuse(Errno::EINVAL, "a trap handler's address is not canonical");
        }
        set(vcpu, &info);
    }
    nmi::handler_given(vcpu);
    Ok(0)
}

/// Stores one handler whose address was checked.
pub fn set(vcpu: &Vcpu, info: &TrapInfo) {
    if let Some(entry) = vcpu.traps.get(usize::from(info.vector)) {
        entry.selector.store(u32::from(info.cs) | 3, Relaxed);
        entry.flags.store(u32::from(info.flags), Relaxed);
        entry.address.store(info.address, Relaxed);
    }
}
