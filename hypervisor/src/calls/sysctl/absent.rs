//! `sysctl`: what is not here, answered as Debian's Xen answers where it lacks it too.

use calls::{SysctlLivepatchOp, SysctlPageOfflineOp};
use vocabulary::{refuse, Errno, Mfn, Refusal, Refused};
use xen_abi::sysctl_machine::PageOfflineOp;
use xen_abi::sysctl_processors::PsrAlloc;
use xen_abi::sysctl_watch::LivepatchList;

use super::Request;
use crate::{guest, machine};

/// The most frames of one request about broken memory.
const FRAMES: u32 = 1024;

/// `XEN_SYSCTL_page_offline_op`: no frame is taken out of use, so each is as it should be.
pub fn broken_memory(request: &mut Request) -> Refused<()> {
    let asked = request.part::<PageOfflineOp>()?;
    let count = asked.end.wrapping_sub(asked.start).wrapping_add(1);
    if asked.end < asked.start || count == 0 || count > FRAMES {
        return refuse(Errno::EINVAL, "the range of frames is empty or too long");
    }
    guest::read::<u32>(asked.status)?;
    let operation = SysctlPageOfflineOp::from_number(asked.cmd).map_err(|not_done| {
        let errno = match not_done.name {
            Some(_) => Errno::ENOSYS,
            None => Errno::EINVAL,
        };
        Refusal::new(errno, "frames are not taken out of use")
    })?;
    match operation {
        SysctlPageOfflineOp::PageOnline | SysctlPageOfflineOp::QueryPageOffline => {}
    }
    for index in 0..count {
        let frame = Mfn(u64::from(asked.start) + u64::from(index));
        if machine::frames().ram(frame).is_none() && frame.0 >= hw::m2p::frames() {
            return refuse(Errno::EINVAL, "there is no such frame");
        }
        let place = guest::element::<u32>(asked.status, u64::from(index));
        guest::write(place, &0u32)?;
    }
    Ok(())
}

/// `XEN_SYSCTL_coverage_op`: not built to measure it.
pub fn coverage() -> Refused<()> {
    refuse(
        Errno::EOPNOTSUPP,
        "the hypervisor was not built to tell what of it runs",
    )
}

/// `XEN_SYSCTL_psr_cmt_op`.
pub fn cache_monitoring() -> Refused<()> {
    refuse(Errno::ENODEV, "the use of caches is not measured")
}

/// `XEN_SYSCTL_psr_alloc`.
pub fn cache_allocation(request: &mut Request) -> Refused<()> {
    let asked = request.part::<PsrAlloc>()?;
    match calls::SysctlPsrAllocOp::from_number(asked.cmd) {
        Err(not_done) if not_done.name.is_none() => {
            refuse(Errno::EOPNOTSUPP, "there is no such resource")
        }
        _ => refuse(Errno::ENODEV, "caches are not divided among domains"),
    }
}

/// `XEN_SYSCTL_livepatch_op`: the list of patches is empty and stays so.
pub fn patches(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<LivepatchList>()?;
    if asked.pad != 0 {
        return refuse(Errno::EINVAL, "a field that must be zero is not");
    }
    let operation = SysctlLivepatchOp::from_number(asked.cmd).map_err(|_| {
        Refusal::new(
            Errno::EOPNOTSUPP,
            "the hypervisor is not patched while it runs",
        )
    })?;
    match operation {
        SysctlLivepatchOp::List if asked.list_pad != 0 => {
            refuse(Errno::EINVAL, "a field that must be zero is not")
        }
        SysctlLivepatchOp::List => {
            (asked.version, asked.nr) = (1, 0);
            (asked.name_total_size, asked.metadata_total_size) = (0, 0);
            request.answer(&asked)
        }
        SysctlLivepatchOp::Get | SysctlLivepatchOp::Action => {
            // In these the patch's name stands where the list has its version and place.
            let address = u64::from(asked.version) | u64::from(asked.idx) << 32;
            let length = asked.nr & 0xffff;
            if address == 0 || length == 0 || length > 128 {
                return refuse(Errno::EINVAL, "a patch has a name of 1 to 128 bytes");
            }
            refuse(Errno::ENOENT, "there is no such patch")
        }
    }
}
