//! What the machine's memory looks like: memory maps and the machine-to-physical table.

use hw::boot::MemoryRegion;
use vocabulary::{Errno, Refused};
use xen_abi::memory::{e820, E820Entry, MachphysMfnList, MemoryMap};

use crate::hypercall::{refuse, Answer};
use crate::vcpu::Vcpu;
use crate::{authority, boot, devices, guest};

/// `XENMEM_memory_map`: the map of the caller's own memory. A PV domain without one of its own has none to
/// tell (`ENOSYS`, by which Linux makes its own).
pub fn memory_map(_: &Vcpu, _: u64) -> Answer {
    refuse(Errno::ENOSYS, "no memory map was set for the domain")
}

/// `XENMEM_machine_memory_map`: the machine's, for the first domain.
pub fn machine_memory_map(vcpu: &Vcpu, structure: u64) -> Answer {
    authority::control(vcpu)?;
    let mut request = guest::read::<MemoryMap>(structure)?;
    let room = request.nr_entries;
    let mut count = 0;
    for entry in entries() {
        if count == room {
            break;
        }
        guest::write(guest::element::<E820Entry>(request.buffer, u64::from(count)), &entry)?;
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
    let kept = devices::kept_pages().filter(|&address| !regions.iter().any(|region| {
        (region.start..region.end).contains(&address)
    }));
    firmware.chain(kept.map(|addr| E820Entry { addr, size: 4096, kind: e820::RESERVED }))
}

/// `XENMEM_machphys_mfn_list`: the first frame of every 2 MiB of the machine-to-physical table.
pub fn machphys_frames(structure: u64) -> Answer {
    let mut request = guest::read::<MachphysMfnList>(structure)?;
    let pieces = (hw::paging::m2p_frames() * 8).div_ceil(2 << 20);
    let mut count = 0u32;
    for piece in 0..pieces.min(u64::from(request.max_extents)) {
        let frame = frame_of(piece)?;
        guest::write(guest::element::<u64>(request.extent_start, piece), &frame)?;
        count += 1;
    }
    request.nr_extents = count;
    guest::write(structure, &request)?;
    Ok(0)
}

/// A piece that is not one large page has no single first frame: zero, as for a hole.
fn frame_of(piece: u64) -> Refused<u64> {
    Ok(hw::paging::m2p_piece(piece).map_or(0, |frame| frame.0))
}
