//! What the machine's memory looks like: memory maps and the machine-to-physical table.

use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use hw::boot::MemoryRegion;
use hw::window::Window;
use vocabulary::{DomainId, Errno};
use xen_abi::memory::{e820, E820Entry, ForeignMemoryMap, MachphysMfnList, MemoryMap};
use xen_abi::xen::SharedInfo;

use crate::domain::Domain;
use crate::hypercall::{refuse, Answer};
use crate::vcpu::Vcpu;
use crate::{authority, boot, devices, guest};

/// Entries of the longest map that a domain can be given.
const MOST_ENTRIES: u32 = 1024;
/// Word of `shared_info` in which a PV guest says how many entries its physical-to-machine table has.
const MAX_PFN: usize = core::mem::offset_of!(SharedInfo, arch) / 8;

/// What a PV guest says its pseudo-physical frames end at (`max_pfn`).
pub fn told_frames(domain: &Domain) -> u64 {
    let window = Window::open(domain.shared_info);
    window
        .words()
        .get(MAX_PFN)
        .map_or(0, |word| word.load(Relaxed))
}

/// `XENMEM_memory_map`: the map of the caller's own memory. A PV domain without one of its own has none to
/// tell (`ENOSYS`, by which Linux makes its own).
pub fn memory_map(vcpu: &Vcpu, structure: u64) -> Answer {
    let mut request = guest::read::<MemoryMap>(structure)?;
    // An entry at a time: guest memory is not touched, nor memory taken, with the map locked.
    let entry = |index: u32| vcpu.domain.memory_map.lock().get(index as usize).copied();
    if entry(0).is_none() {
        return refuse(Errno::ENOSYS, "no memory map was set for the domain");
    }
    let mut count = 0;
    while let Some(found) = entry(count).filter(|_| count < request.nr_entries) {
        let at = guest::element::<E820Entry>(request.buffer, u64::from(count));
        guest::write(at, &found)?;
        count += 1;
    }
    request.nr_entries = count;
    guest::write(structure, &request)?;
    Ok(0)
}

/// `XENMEM_set_memory_map`: gives a domain its map.
pub fn set_memory_map(vcpu: &Vcpu, structure: u64) -> Answer {
    let request = guest::read::<ForeignMemoryMap>(structure)?;
    if request.map.nr_entries > MOST_ENTRIES {
        return refuse(Errno::EINVAL, "a memory map has at most 1024 entries");
    }
    let domain = authority::target(vcpu, DomainId(request.domid))?;
    let mut map = Vec::new();
    if map
        .try_reserve_exact(request.map.nr_entries as usize)
        .is_err()
    {
        return refuse(Errno::ENOMEM, "no memory to keep the memory map");
    }
    for index in 0..request.map.nr_entries {
        let entry = guest::element::<E820Entry>(request.map.buffer, u64::from(index));
        map.push(guest::read::<E820Entry>(entry)?);
    }
    *domain.memory_map.lock() = map;
    Ok(0)
}

/// `XENMEM_machine_memory_map`: the machine's, for the first domain.
pub fn machine_memory_map(vcpu: &Vcpu, structure: u64) -> Answer {
    authority::control(vcpu)?;
    let mut request = guest::read::<MemoryMap>(structure)?;
    // As in Xen, which wants room for one more than it has.
    if request.nr_entries as usize <= entries().count() {
        return refuse(Errno::EINVAL, "the machine's memory map needs more room");
    }
    let mut count = 0;
    for entry in entries() {
        guest::write(
            guest::element::<E820Entry>(request.buffer, u64::from(count)),
            &entry,
        )?;
        count += 1;
    }
    request.nr_entries = count;
    guest::write(structure, &request)?;
    Ok(0)
}

/// The firmware's regions, and as reserved what the hypervisor keeps of device space (interrupt controllers).
fn entries() -> impl Iterator<Item = E820Entry> {
    let regions: &[MemoryRegion] = boot::info().map_or(&[], |boot| boot.memory.regions());
    let firmware = regions.iter().map(|region| E820Entry {
        addr: region.start,
        size: region.end - region.start,
        kind: region.kind.e820(),
    });
    let kept = devices::kept_pages().filter(|&address| {
        !regions
            .iter()
            .any(|region| (region.start..region.end).contains(&address))
    });
    firmware.chain(kept.map(|addr| E820Entry {
        addr,
        size: 4096,
        kind: e820::RESERVED,
    }))
}

/// `XENMEM_machphys_mfn_list`: the first frame of every 2 MiB of the machine-to-physical table. A hole is shown as the
/// piece before it.
pub fn machphys_frames(structure: u64) -> Answer {
    let mut request = guest::read::<MachphysMfnList>(structure)?;
    let mut count = 0;
    let mut last = 0;
    for piece in 0..hw::m2p::pieces().min(u64::from(request.max_extents)) {
        last = hw::m2p::piece(piece).map_or(last, |frame| frame.0);
        guest::write(guest::element::<u64>(request.extent_start, piece), &last)?;
        count += 1;
    }
    request.nr_extents = count;
    guest::write(structure, &request)?;
    Ok(0)
}
