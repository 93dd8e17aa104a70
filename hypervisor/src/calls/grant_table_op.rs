//! `grant_table_op`: setting up what a domain lends, and using what others lent.

use alloc::sync::Arc;

use calls::GrantTableOp;
use grants::{Granted, Status};
use memory::Stop;
use vocabulary::{DomainId, Errno, Refusal};
use xen_abi::grant_table as abi;

use super::grants::{cache, copy, deny, dump, map, status_of, swap, transfer, unmap};
use crate::domain::Domain;
use crate::grants::GrantFrame;
use crate::hypercall::{refuse, Answer, Arguments, Caller};
use crate::vcpu::Vcpu;
use crate::{authority, guest};

/// Bits of the operation that number it; those above are for continuations.
const NUMBER: u32 = (1 << cache::NUMBER_BITS) - 1;

/// Arguments: operation, its structures, their count.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, structures, count, ..] = arguments.0;
    let vcpu = caller.vcpu;
    let count = count as u32;
    if count as i32 <= -1 {
        return refuse(Errno::EINVAL, "the count of grant operations is negative");
    }
    let number = operation as u32 & NUMBER;
    if operation as u32 != number && number != abi::GNTTABOP_cache_flush {
        return refuse(
            Errno::EINVAL,
            "the number of a grant operation has reserved bits set",
        );
    }
    let operation = GrantTableOp::from_number(number).map_err(Refusal::from)?;
    match operation {
        GrantTableOp::MapGrantRef => many(arguments, |rest| map::run(vcpu, rest, count)),
        GrantTableOp::UnmapGrantRef => many(arguments, |rest| {
            unmap::run::<abi::GnttabUnmapGrantRef>(vcpu, rest, count)
        }),
        GrantTableOp::UnmapAndReplace => many(arguments, |rest| {
            unmap::run::<abi::GnttabUnmapAndReplace>(vcpu, rest, count)
        }),
        GrantTableOp::Copy => many(arguments, |rest| copy::run(vcpu, rest, count)),
        GrantTableOp::Transfer => many(arguments, |rest| transfer::run(vcpu, rest, count)),
        GrantTableOp::SwapGrantRef => many(arguments, |rest| swap::run(vcpu, rest, count)),
        GrantTableOp::CacheFlush => many(arguments, |rest| cache::run(vcpu, rest, count)),
        GrantTableOp::SetupTable => one(count, || setup(vcpu, structures)),
        GrantTableOp::QuerySize => one(count, || query(vcpu, structures)),
        GrantTableOp::SetVersion => {
            let mut request = guest::read::<abi::GnttabSetVersion>(structures)?;
            let own = &vcpu.domain.grants;
            if request.version == 2 && own.highest_version < 2 {
                return refuse(Errno::ENOSYS, "the domain's grant table has version 1 only");
            }
            let result = own.set_version(vcpu.domain.id, request.version);
            request.version = own.table.version().number();
            guest::write(structures, &request)?;
            result?;
            Ok(0)
        }
        GrantTableOp::GetVersion => {
            let mut request = guest::read::<abi::GnttabGetVersion>(structures)?;
            let target = authority::target(vcpu, DomainId(request.dom))?;
            request.version = target.grants.table.version().number();
            guest::write(structures, &request)?;
            Ok(0)
        }
        GrantTableOp::GetStatusFrames => one(count, || status_frames(vcpu, structures)),
        GrantTableOp::DumpTable => one(count, || dump::run(vcpu, structures)),
    }
}

/// Operations that take any number of structures.
#[inline(always)]
fn many(arguments: &mut Arguments, work: impl FnOnce(&mut Arguments) -> Answer) -> Answer {
    if !hw::copy::is_guest_range(arguments.get(1), 0) {
        return refuse(Errno::EFAULT, "an argument's address is not the guest's");
    }
    work(arguments)
}

/// Operations that take one structure only.
fn one(count: u32, work: impl FnOnce() -> Answer) -> Answer {
    if count == 1 {
        work()
    } else {
        refuse(Errno::EINVAL, "this grant operation takes one structure")
    }
}

/// The domain whose table a structure names.
fn named(vcpu: &Vcpu, id: u16) -> Granted<Arc<Domain>> {
    match authority::target(vcpu, DomainId(id)) {
        Ok(domain) => Ok(domain),
        Err(refusal) if refusal.errno == Errno::EPERM => {
            deny(Status::PermissionDenied, refusal.rule)
        }
        Err(refusal) => deny(Status::BadDomain, refusal.rule),
    }
}

/// Frames that a table grows by before the call is continued.
const GROWTH: u32 = 32;

fn setup(vcpu: &Vcpu, structure: u64) -> Answer {
    let mut request = guest::read::<abi::GnttabSetupTable>(structure)?;
    let target = named(vcpu, request.dom);
    let step = target.as_ref().map_or(0, |target| {
        target.grants.table.frame_count().saturating_add(GROWTH)
    });
    let grown = target.and_then(|target| {
        // What is beyond the limit is refused whole, not after the table grew as far as it may.
        let most = target.grants.table.max_frames();
        let wanted = if request.nr_frames > most {
            request.nr_frames
        } else {
            request.nr_frames.min(step)
        };
        target.grants.grow(target.id, wanted)?;
        Ok(target)
    });
    if grown.is_ok() && request.nr_frames > step {
        return Err(Stop::Again);
    }
    request.status = status_of(vcpu, "table set-up", &grown);
    if let Ok(target) = grown {
        let table = &target.grants.table;
        tell(request.frame_list, request.nr_frames, |index| {
            table.frame(index)
        })?;
    }
    guest::write(structure, &request)?;
    Ok(0)
}

/// Writes the numbers of `count` frames into an array.
fn tell<'a>(
    array: u64,
    count: u32,
    frame: impl Fn(u32) -> Option<&'a GrantFrame>,
) -> Result<(), Refusal> {
    for index in 0..count {
        let number = frame(index).map_or(u64::MAX, |frame| frame.number().0);
        guest::write(guest::element::<u64>(array, u64::from(index)), &number)?;
    }
    Ok(())
}

fn query(vcpu: &Vcpu, structure: u64) -> Answer {
    let mut request = guest::read::<abi::GnttabQuerySize>(structure)?;
    let target = named(vcpu, request.dom);
    request.status = status_of(vcpu, "table query", &target);
    if let Ok(target) = target {
        request.nr_frames = target.grants.table.frame_count();
        request.max_nr_frames = target.grants.table.max_frames();
    }
    guest::write(structure, &request)?;
    Ok(0)
}

fn status_frames(vcpu: &Vcpu, structure: u64) -> Answer {
    let mut request = guest::read::<abi::GnttabGetStatusFrames>(structure)?;
    let checked = named(vcpu, request.dom).and_then(|target| {
        target.grants.table.check_status_frames(request.nr_frames)?;
        Ok(target)
    });
    request.status = status_of(vcpu, "status frames query", &checked);
    if let Ok(target) = checked {
        let table = &target.grants.table;
        tell(request.frame_list, request.nr_frames, |index| {
            table.status_frame(index)
        })?;
    }
    guest::write(structure, &request)?;
    Ok(0)
}
