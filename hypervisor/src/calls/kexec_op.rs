//! `kexec_op`: another kernel in the hypervisor's place. None is ever loaded: no memory is set aside for one.

use calls::KexecOp;
use vocabulary::{refuse, Errno, Refusal, Refused};
use xen_abi::kexec as abi;

use crate::hypercall::{Answer, Arguments, Caller};
use crate::{authority, guest};

/// Arguments: operation, structure.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, structure, ..] = arguments.0;
    authority::control(caller.vcpu)?;
    match KexecOp::from_number(operation as u32).map_err(Refusal::from)? {
        KexecOp::Kexec => {
            check_kind(guest::read::<u32>(structure)?)?;
            Ok(refuse(Errno::ENOENT, "no kernel is loaded")?)
        }
        KexecOp::KexecGetRange => {
            range(structure)?;
            Ok(0)
        }
        KexecOp::KexecLoad => {
            let kind = guest::read::<u8>(structure)?;
            check_kind(u32::from(kind))?;
            Ok(refuse(
                Errno::EADDRNOTAVAIL,
                "no memory is set aside for another kernel",
            )?)
        }
        // What is not there is unloaded without complaint, and is not loaded.
        KexecOp::KexecUnload | KexecOp::KexecStatus => {
            check_kind(u32::from(guest::read::<u8>(structure)?))?;
            Ok(0)
        }
    }
}

fn check_kind(kind: u32) -> Refused<()> {
    if kind == abi::KEXEC_TYPE_DEFAULT || kind == abi::KEXEC_TYPE_CRASH {
        Ok(())
    } else {
        refuse(Errno::EINVAL, "a kernel is loaded for a change or a crash")
    }
}

/// The ranges of machine memory that a crash kernel's loader asks for.
fn range(structure: u64) -> Refused<()> {
    let mut asked = guest::read::<abi::KexecRange>(structure)?;
    match u32::try_from(asked.range) {
        // Set aside for it: nothing.
        Ok(abi::KEXEC_RANGE_MA_CRASH) => (asked.start, asked.size) = (0, 0),
        Ok(abi::KEXEC_RANGE_MA_XEN) => {
            let (start, end) = hw::layout::image_range();
            (asked.start, asked.size) = (start, end - start);
        }
        _ => return refuse(Errno::EINVAL, "nothing is told of such a range"),
    }
    guest::write(structure, &asked)
}
