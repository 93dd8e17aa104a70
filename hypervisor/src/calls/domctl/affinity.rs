//! Where vCPUs run and where memory comes from: affinities of vCPUs and nodes.

use core::sync::atomic::Ordering::Acquire;

use allocator::NodeSet;
use memory::Attempt;
use sched::CpuSet;
use vocabulary::{refuse, Errno, Refused};
use xen_abi::domctl::NodeAffinity;
use xen_abi::domctl_memory::Vnuma;
use xen_abi::domctl_vcpu::{
    Getvcpuinfo, VcpuAffinity, XEN_VCPUAFFINITY_FORCE, XEN_VCPUAFFINITY_HARD, XEN_VCPUAFFINITY_SOFT,
};
use xen_abi::xen::XenctlBitmap;

use super::Request;
use crate::{bitmap, placement, processors, schedule, virtual_nodes};

/// Bytes of a set of processors.
const SET_BYTES: usize = core::mem::size_of::<CpuSet>();
/// Nodes that a domain's setting can name.
const NODE_BYTES: usize = core::mem::size_of::<u64>();

/// Those that can be named: from 0 to the highest in use.
fn named() -> CpuSet {
    let highest = processors::online().iter().last().unwrap_or(0);
    CpuSet::first(highest as u32 + 1)
}

fn read(map: &XenctlBitmap) -> Refused<CpuSet> {
    let mut bytes = [0; SET_BYTES];
    bitmap::read(map, &mut bytes)?;
    let mut words = [0; SET_BYTES / 8];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = chunk.try_into().map_or(0, u64::from_le_bytes);
    }
    Ok(CpuSet::from_words(&words))
}

fn write(map: &XenctlBitmap, set: &CpuSet) -> Refused<()> {
    let bytes = set.words().map(u64::to_le_bytes);
    bitmap::write(map, bytes.as_flattened())
}

/// Checks what an affinity request names. EINVAL: neither of the two, or a map without an address.
fn check(part: &VcpuAffinity) -> Refused<(bool, bool)> {
    let hard = part.flags & XEN_VCPUAFFINITY_HARD != 0;
    let soft = part.flags & XEN_VCPUAFFINITY_SOFT != 0;
    let lacks = |wanted: bool, map: &XenctlBitmap| wanted && map.bitmap == 0;
    if part.flags == 0 || lacks(hard, &part.cpumap_hard) || lacks(soft, &part.cpumap_soft) {
        return refuse(
            Errno::EINVAL,
            "the request names no affinity, or one without a map",
        );
    }
    Ok((hard, soft))
}

/// `XEN_DOMCTL_setvcpuaffinity`: the maps come back as what they amount to. EINVAL: no such vCPU, no map, or none of
/// the processors is in use; EBUSY: the vCPU keeps itself on a processor, and is not forced from it; EFAULT.
pub fn set(request: &mut Request<'_>) -> Attempt<u64> {
    let part: VcpuAffinity = request.part()?;
    let vcpu = request.announced_vcpu(part.vcpu)?;
    let (hard, soft) = check(&part)?;
    if part.flags & XEN_VCPUAFFINITY_FORCE != 0 {
        schedule::settings::override_affinity(&vcpu, None)?;
    }
    let online = schedule::settings::processors(&request.domain);
    // One after the other, as the interface has it: the second is seen against what the first became.
    if hard {
        let wanted = read(&part.cpumap_hard)?;
        schedule::settings::set_affinity(&vcpu, wanted, schedule::settings::affinity(&vcpu).1)?;
        write(&part.cpumap_hard, &wanted.and(&online))?;
    }
    if soft {
        let wanted = read(&part.cpumap_soft)?;
        let (hard, _) = schedule::settings::affinity(&vcpu);
        schedule::settings::set_soft_affinity(&vcpu, wanted)?;
        let effective = wanted.and(&online).and(&hard);
        write(&part.cpumap_soft, &effective)?;
    }
    placement::follow(&request.domain);
    Ok(0)
}

/// `XEN_DOMCTL_getvcpuaffinity`: as they were set. EINVAL: no such vCPU, or no map; EFAULT.
pub fn get(request: &mut Request<'_>) -> Attempt<u64> {
    let part: VcpuAffinity = request.part()?;
    let vcpu = request.announced_vcpu(part.vcpu)?;
    let (hard, soft) = check(&part)?;
    let (hard_set, soft_set) = schedule::settings::affinity(&vcpu);
    let named = named();
    if hard {
        write(&part.cpumap_hard, &hard_set.and(&named))?;
    }
    if soft {
        write(&part.cpumap_soft, &soft_set.and(&named))?;
    }
    Ok(0)
}

/// `XEN_DOMCTL_setnodeaffinity`. EINVAL: none of the nodes is there; EFAULT.
pub fn set_nodes(request: &mut Request<'_>) -> Attempt<u64> {
    let NodeAffinity { nodemap } = request.part()?;
    let mut bytes = [0; NODE_BYTES];
    bitmap::read(&nodemap, &mut bytes)?;
    placement::choose(&request.domain, NodeSet(u64::from_le_bytes(bytes)))?;
    Ok(0)
}

/// `XEN_DOMCTL_getnodeaffinity`. EFAULT.
pub fn get_nodes(request: &mut Request<'_>) -> Attempt<u64> {
    let NodeAffinity { nodemap } = request.part()?;
    let nodes = request.domain.settings.placement.nodes();
    bitmap::write(&nodemap, &nodes.0.to_le_bytes())?;
    Ok(0)
}

/// `XEN_DOMCTL_setvnumainfo`. EINVAL, EFAULT, ENOMEM.
pub fn describe_nodes(request: &mut Request<'_>) -> Attempt<u64> {
    let part: Vnuma = request.part()?;
    virtual_nodes::set(&request.domain, &part)?;
    Ok(0)
}

/// `XEN_DOMCTL_getvcpuinfo`. EINVAL: no such vCPU.
pub fn info(request: &mut Request<'_>) -> Attempt<u64> {
    let mut part: Getvcpuinfo = request.part()?;
    let vcpu = request.announced_vcpu(part.vcpu)?;
    let [ran, ..] = schedule::runstate(&vcpu).time;
    part.online = u8::from(vcpu.is_up.load(Acquire));
    part.blocked = u8::from(vcpu.waiting.is_on());
    part.running = u8::from(vcpu.is_running.load(Acquire));
    part.cpu_time = ran;
    part.cpu = vcpu.processor.load(Acquire);
    request.answer(&part)?;
    Ok(0)
}
