//! Virtual NUMA nodes: the toolstack describes them, the guest asks for them. They mean nothing to the hypervisor.

use alloc::vec::Vec;

use vocabulary::{refuse, Errno, Refused};
use xen_abi::domctl_memory::Vnuma;
use xen_abi::memory::{Vmemrange, VnumaTopologyInfo};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::Domain;
use crate::guest;

/// The most virtual nodes and ranges of memory: more than any guest knows what to do with.
const MOST_NODES: u32 = 64;
const MOST_RANGES: u32 = 256;

/// A domain's virtual nodes.
pub struct VirtualNodes {
    /// How many.
    count: u32,
    /// Distances, `count` a row.
    distances: Vec<u32>,
    /// Each vCPU's node.
    of_vcpus: Vec<u32>,
    /// Which memory is whose.
    memory: Vec<Vmemrange>,
}

/// Reads an array. ENOMEM, EFAULT.
fn read<T: FromBytes + IntoBytes + Clone>(address: u64, count: u32) -> Refused<Vec<T>> {
    let mut elements = Vec::new();
    if elements.try_reserve_exact(count as usize).is_err() {
        return refuse(Errno::ENOMEM, "no memory for the virtual nodes");
    }
    elements.resize_with(count as usize, T::new_zeroed);
    guest::read_bytes(address, elements.as_mut_bytes())?;
    Ok(elements)
}

fn write<T: IntoBytes + Immutable>(address: u64, elements: &[T]) -> Refused<()> {
    guest::write_bytes(address, elements.as_bytes())
}

/// Describes the domain's virtual nodes. EINVAL: no node, more than 64 or 256 ranges, or not as many vCPUs as the domain
/// can have; EFAULT; ENOMEM.
pub fn set(domain: &Domain, asked: &Vnuma) -> Refused<()> {
    let nodes = asked.nr_vnodes;
    let is_sound = (1..=MOST_NODES).contains(&nodes)
        && asked.nr_vmemranges <= MOST_RANGES
        && asked.nr_vcpus == domain.config.max_vcpus
        && asked.pad == 0;
    if !is_sound {
        return refuse(
            Errno::EINVAL,
            "there are 1 to 64 virtual nodes, and as many vCPUs as the domain can have",
        );
    }
    let described = VirtualNodes {
        count: nodes,
        distances: read(asked.vdistance, nodes * nodes)?,
        of_vcpus: read(asked.vcpu_to_vnode, asked.nr_vcpus)?,
        memory: read(asked.vmemrange, asked.nr_vmemranges)?,
    };
    let machine_nodes = read::<u32>(asked.vnode_to_pnode, nodes)?;
    let is_node = |node: &u32| *node < crate::nodes::count() || *node == ANY_NODE;
    if !machine_nodes.iter().all(is_node) {
        return refuse(Errno::EINVAL, "the machine has no such node");
    }
    let old = domain.settings.virtual_nodes.lock().replace(described);
    drop(old);
    Ok(())
}

/// The machine's node of a virtual one that has none.
const ANY_NODE: u32 = 0xff;

/// Tells of the domain's virtual nodes. EOPNOTSUPP: it has none; ENOBUFS: less room than there is to tell, and how much
/// is; EFAULT.
pub fn tell(domain: &Domain, structure: u64, mut asked: VnumaTopologyInfo) -> Refused<()> {
    let slot = domain.settings.virtual_nodes.lock();
    let Some(nodes) = slot.as_ref() else {
        return refuse(Errno::EOPNOTSUPP, "the domain has no virtual nodes");
    };
    let (vcpus, ranges) = (nodes.of_vcpus.len() as u32, nodes.memory.len() as u32);
    let has_room =
        asked.nr_vnodes >= nodes.count && asked.nr_vcpus >= vcpus && asked.nr_vmemranges >= ranges;
    (asked.nr_vnodes, asked.nr_vcpus, asked.nr_vmemranges) = (nodes.count, vcpus, ranges);
    guest::write(structure, &asked)?;
    if !has_room {
        return refuse(Errno::ENOBUFS, "there is no room for all virtual nodes");
    }
    write(asked.vmemrange, &nodes.memory)?;
    write(asked.vdistance, &nodes.distances)?;
    write(asked.vcpu_to_vnode, &nodes.of_vcpus)
}
