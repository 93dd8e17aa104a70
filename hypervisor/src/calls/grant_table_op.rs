//! `grant_table_op`: setting up what a domain lends, and using what others lent.

use calls::GrantTableOp;
use grants::{Granted, Status};
use vocabulary::{DomainId, Errno, Refusal};
use xen_abi::grant_table as abi;

use crate::grants::GrantFrame;
use crate::hypercall::{refuse, Answer, Arguments, Caller};
use crate::vcpu::Vcpu;
use crate::{authority, guest};

/// Arguments: operation, its structures, their count.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, structures, count, ..] = arguments.0;
    let vcpu = caller.vcpu;
    let count = count as u32;
    if count as i32 <= -1 {
        return refuse(Errno::EINVAL, "the count of grant operations is negative");
    }
    match GrantTableOp::from_number(operation as u32).map_err(Refusal::from)? {
        GrantTableOp::SetupTable => one(count, || setup(vcpu, structures)),
        GrantTableOp::QuerySize => one(count, || query(vcpu, structures)),
        GrantTableOp::SetVersion => {
            let mut request = guest::read::<abi::GnttabSetVersion>(structures)?;
            let table = &vcpu.domain.grants.table;
            let result = table.set_version(request.version, || GrantFrame::share(vcpu.domain.id));
            request.version = table.version().number();
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
    }
}

/// Operations that take one structure only.
fn one(count: u32, work: impl FnOnce() -> Answer) -> Answer {
    if count == 1 {
        work()
    } else {
        refuse(Errno::EINVAL, "this grant operation takes one structure")
    }
}

/// The `status` field for a result.
fn status_of<T>(result: &Granted<T>) -> i16 {
    result.as_ref().map_or_else(|denied| denied.status.number(), |_| abi::GNTST_okay)
}

fn setup(vcpu: &Vcpu, structure: u64) -> Answer {
    let mut request = guest::read::<abi::GnttabSetupTable>(structure)?;
    let Ok(target) = authority::target(vcpu, DomainId(request.dom)) else {
        request.status = Status::BadDomain.number();
        guest::write(structure, &request)?;
        return Ok(0);
    };
    let table = &target.grants.table;
    let grown = table.grow(request.nr_frames, || GrantFrame::share(target.id));
    request.status = status_of(&grown);
    if grown.is_ok() {
        for index in 0..request.nr_frames {
            let number = table.frame(index).map_or(u64::MAX, |frame| frame.number().0);
            guest::write(guest::element::<u64>(request.frame_list, u64::from(index)), &number)?;
        }
    }
    guest::write(structure, &request)?;
    Ok(0)
}

fn query(vcpu: &Vcpu, structure: u64) -> Answer {
    let mut request = guest::read::<abi::GnttabQuerySize>(structure)?;
    match authority::target(vcpu, DomainId(request.dom)) {
        Ok(target) => {
            request.nr_frames = target.grants.table.frame_count();
            request.max_nr_frames = target.grants.table.max_frames();
            request.status = abi::GNTST_okay;
        }
        Err(_) => request.status = Status::BadDomain.number(),
    }
    guest::write(structure, &request)?;
    Ok(0)
}

fn status_frames(vcpu: &Vcpu, structure: u64) -> Answer {
    let mut request = guest::read::<abi::GnttabGetStatusFrames>(structure)?;
    let Ok(target) = authority::target(vcpu, DomainId(request.dom)) else {
        request.status = Status::BadDomain.number();
        guest::write(structure, &request)?;
        return Ok(0);
    };
    let table = &target.grants.table;
    let checked = table.check_status_frames(request.nr_frames);
    request.status = status_of(&checked);
    if checked.is_ok() {
        for index in 0..request.nr_frames {
            let number = table.status_frame(index).map_or(u64::MAX, |frame| frame.number().0);
            guest::write(guest::element::<u64>(request.frame_list, u64::from(index)), &number)?;
        }
    }
    guest::write(structure, &request)?;
    Ok(0)
}
