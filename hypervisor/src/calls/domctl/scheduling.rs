//! A domain's share of processor time.

use core::sync::atomic::Ordering::Relaxed;

use calls::DomctlSchedulerOp;
use memory::Attempt;
use vocabulary::{refuse, Errno};
use xen_abi::domctl::XEN_SCHEDULER_CREDIT2;
use xen_abi::domctl_vcpu::{SchedCredit2, SchedulerOp};
use zerocopy::{FromBytes, IntoBytes};

use super::Request;
use crate::schedule;

/// Cap of a vCPU that uses a whole processor.
const WHOLE: usize = 100;

/// `XEN_DOMCTL_scheduler_op`: weight and cap of the domain; vCPUs have none of their own. EINVAL: another scheduler, or
/// an operation it does not know.
pub fn adjust(request: &mut Request<'_>) -> Attempt<u64> {
    let mut part: SchedulerOp = request.part()?;
    if part.sched_id != XEN_SCHEDULER_CREDIT2 {
        return Ok(refuse(
            Errno::EINVAL,
            "the request is for another scheduler than there is",
        )?);
    }
    let settings = &request.domain.settings;
    match DomctlSchedulerOp::from_number(part.cmd) {
        Ok(DomctlSchedulerOp::Getinfo) => {
            let answer = SchedCredit2 {
                weight: settings.weight.load(Relaxed),
                cap: settings.cap.load(Relaxed),
            };
            let _ = answer.write_to_prefix(part.u.as_mut_bytes());
            request.answer(&part)?;
            Ok(0)
        }
        Ok(DomctlSchedulerOp::Putinfo) => {
            let Ok((wanted, _)) = SchedCredit2::read_from_prefix(part.u.as_bytes()) else {
                return Ok(refuse(Errno::EINVAL, "the request has no parameters")?);
            };
            if usize::from(wanted.cap) > WHOLE * request.domain.vcpu_count() {
                return Ok(refuse(
                    Errno::EINVAL,
                    "the cap is more than the domain's vCPUs can use",
                )?);
            }
            if wanted.weight != 0 {
                for vcpu in request.domain.vcpus() {
                    schedule::set_weight(&vcpu, wanted.weight)?;
                }
                settings.weight.store(wanted.weight, Relaxed);
            }
            settings.cap.store(wanted.cap, Relaxed);
            request.answer(&part)?;
            Ok(0)
        }
        Ok(DomctlSchedulerOp::Putvcpuinfo | DomctlSchedulerOp::Getvcpuinfo) => Ok(refuse(
            Errno::EINVAL,
            "this scheduler has no parameters of single vCPUs",
        )?),
        Err(_) => Ok(refuse(
            Errno::EINVAL,
            "there is no such operation on a scheduler",
        )?),
    }
}
