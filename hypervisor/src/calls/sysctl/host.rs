//! `sysctl`: what the machine is.

use hw::cpu::cpuid;
use vocabulary::{refuse, Errno, Refused};
use xen_abi::physdev::PciDevice;
use xen_abi::sysctl as numbers;
use xen_abi::sysctl_machine as abi;

use super::Request;
use crate::cpuid::{self as policies, MachinePolicy};
use crate::{boot, clock, guest, idle_time, machine, processors, topology};

/// The most processors, nodes and devices looked at in one call: more than there can be.
const MOST: u32 = 1024;

/// One more than the highest number of a processor that runs.
fn processor_numbers() -> u32 {
    processors::online()
        .iter()
        .last()
        .map_or(1, |last| last as u32 + 1)
}

/// `XEN_SYSCTL_physinfo`.
pub fn physinfo(request: &mut Request) -> Refused<()> {
    let (threads, cores) = topology::neighbours(0);
    let usable = boot::info().map_or(0, |boot| boot.memory.usable_bytes());
    let features = policies::machine_features(MachinePolicy::Host);
    let mut hw_cap = [0; 8];
    for (place, &word) in hw_cap.iter_mut().zip(&features) {
        *place = word;
    }
    request.answer(&abi::Physinfo {
        threads_per_core: threads,
        cores_per_socket: cores,
        nr_cpus: processors::count() as u32,
        max_cpu_id: processor_numbers() - 1,
        nr_nodes: crate::nodes::count(),
        max_node_id: crate::nodes::NODES as u32 - 1,
        cpu_khz: clock::tsc_khz() as u32,
        // PV domains are given devices by `xen-pciback`, which needs no I/O MMU but trusts the domain.
        capabilities: numbers::XEN_SYSCTL_PHYSCAP_pv
            | numbers::XEN_SYSCTL_PHYSCAP_directio
            | numbers::XEN_SYSCTL_PHYSCAP_gnttab_v1
            | numbers::XEN_SYSCTL_PHYSCAP_gnttab_v2,
        arch_capabilities: 0,
        pad: 0,
        total_pages: usable >> 12,
        free_pages: machine::free_frames(),
        scrub_pages: 0,
        outstanding_pages: machine::claimed_frames(),
        max_mfn: max_frame(),
        hw_cap,
    })
}

/// The highest frame that has a place in the frame table and an address of the processor's width.
fn max_frame() -> u64 {
    let [widths, ..] = cpuid(0x8000_0008, 0);
    let bits = (widths & 0xff).clamp(36, 52);
    hw::m2p::frames().min(1 << (bits - 12)).saturating_sub(1)
}

/// `XEN_SYSCTL_getcpuinfo`.
pub fn idle_times(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::Getcpuinfo>()?;
    let count = asked.max_cpus.min(processor_numbers());
    for index in 0..count {
        let idletime = idle_time::of(index as usize).0;
        let place = guest::element::<abi::Cpuinfo>(asked.info, u64::from(index));
        guest::write(place, &abi::Cpuinfo { idletime })?;
    }
    asked.nr_cpus = count;
    request.answer(&asked)
}

/// `XEN_SYSCTL_availheap`.
pub fn available(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::Availheap>()?;
    let width = |bits: u32| u8::try_from(bits).unwrap_or(u8::MAX);
    let above = width(asked.min_bitwidth).saturating_sub(1);
    let most = match asked.max_bitwidth {
        0 => u8::MAX,
        bits => width(bits),
    };
    let frames = match u8::try_from(asked.node) {
        Ok(node) => machine::free_by_width(above, most, Some(node)),
        Err(_) if asked.node == -1 => machine::free_by_width(above, most, None),
        Err(_) => 0,
    };
    asked.avail_bytes = frames << 12;
    request.answer(&asked)
}

/// `XEN_SYSCTL_cputopoinfo`: how many, and where each is if there is room for it.
pub fn topology(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::Cputopoinfo>()?;
    let mut count = processor_numbers();
    if asked.cputopo != 0 {
        count = count.min(asked.num_cpus);
        for index in 0..count {
            let place = guest::element::<abi::Cputopo>(asked.cputopo, u64::from(index));
            guest::write(place, &place_of(index as usize))?;
        }
    }
    asked.num_cpus = count;
    request.answer(&asked)
}

fn place_of(index: usize) -> abi::Cputopo {
    match topology::place(index).filter(|_| processors::online().contains(index)) {
        Some(place) => abi::Cputopo {
            core: place.core,
            socket: place.package,
            node: crate::nodes::of_processor(index),
        },
        None => abi::Cputopo {
            core: numbers::XEN_INVALID_CORE_ID,
            socket: numbers::XEN_INVALID_SOCKET_ID,
            node: numbers::XEN_INVALID_NODE_ID,
        },
    }
}

/// `XEN_SYSCTL_numainfo`: how many, and of each its memory and its distance to all.
pub fn nodes(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::Numainfo>()?;
    let mut count = crate::nodes::count();
    if asked.meminfo != 0 || asked.distance != 0 {
        count = count.min(asked.num_nodes);
        for node in 0..count {
            write_node(&asked, node, count)?;
        }
    }
    asked.num_nodes = count;
    request.answer(&asked)
}

fn write_node(asked: &abi::Numainfo, node: u32, count: u32) -> Refused<()> {
    if asked.meminfo != 0 {
        let place = guest::element::<abi::Meminfo>(asked.meminfo, u64::from(node));
        let memory = abi::Meminfo {
            memsize: crate::nodes::span(node).1 << 12,
            memfree: machine::free_on_node(node as u8) << 12,
        };
        guest::write(place, &memory)?;
    }
    if asked.distance != 0 {
        for other in 0..count {
            let index = u64::from(node) * u64::from(count) + u64::from(other);
            let place = guest::element::<u32>(asked.distance, index);
            let distance = crate::nodes::distance(node, other);
            guest::write(place, &u32::from(distance))?;
        }
    }
    Ok(())
}

/// `XEN_SYSCTL_pcitopoinfo`: devices' nodes, which the firmware's tables that are read here do not tell.
pub fn devices(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::Pcitopoinfo>()?;
    if asked.devs == 0 || asked.nodes == 0 {
        return refuse(
            Errno::EINVAL,
            "devices or their nodes are at no address at all",
        );
    }
    let count = asked.num_devs.min(MOST);
    for index in 0..count {
        let place = guest::element::<PciDevice>(asked.devs, u64::from(index));
        guest::read::<PciDevice>(place).map(|_| ())?;
        let place = guest::element::<u32>(asked.nodes, u64::from(index));
        guest::write(place, &numbers::XEN_INVALID_NODE_ID)?;
    }
    asked.num_devs = count;
    request.answer(&asked)
}
