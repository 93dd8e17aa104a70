//! NUMA nodes: which node memory and processors belong to, as the firmware's affinity table (SRAT) says, and how far they
//! are from each other (SLIT).

use allocator::NodeSet;
use arrayvec::ArrayVec;
use firmware::acpi::{Acpi, Slit};
use hw::percpu::{PerCpu, MAX_CPUS};
use spin::Once;

/// The most nodes that are told apart, as many as the allocator has lists for; what belongs to others counts to
/// node 0.
pub const NODES: usize = 8;
/// The most ranges kept; memory outside them counts to node 0.
const RANGES: usize = 64;

/// Frames of one node: first, end, node.
type Range = (u64, u64, u8);

/// What the firmware told.
struct Known {
    /// Proximity domains in the order in which they were first named: the place is the node's number.
    domains: ArrayVec<u32, NODES>,
    ranges: ArrayVec<Range, RANGES>,
    /// Nodes of processors, by APIC number.
    processors: ArrayVec<(u32, u8), MAX_CPUS>,
    /// From a node to another; `None` without a table that knows.
    distances: [[Option<u8>; NODES]; NODES],
}

/// Distance of a node to others, where the firmware tells none (ACPI 6.5, section 5.2.17).
const FAR: u8 = 20;

static KNOWN: Once<Known> = Once::new();

impl Known {
    fn node(&mut self, domain: u32) -> u8 {
        let known = self.domains.iter().position(|&other| other == domain);
        match known {
            Some(node) => node as u8,
            None if self.domains.try_push(domain).is_ok() => (self.domains.len() - 1) as u8,
            None => 0,
        }
    }
}

/// Learns the nodes. Proximity domains are numbered as they are first named: the boot's memory is node 0.
pub fn learn(acpi: &Acpi) {
    KNOWN.call_once(|| {
        let mut known = Known {
            domains: ArrayVec::new(),
            ranges: ArrayVec::new(),
            processors: ArrayVec::new(),
            distances: [[None; NODES]; NODES],
        };
        for affinity in acpi.srat.iter().flat_map(|srat| &srat.memory) {
            let node = known.node(affinity.domain);
            let end = affinity.start.saturating_add(affinity.length) >> 12;
            let range = (affinity.start.div_ceil(4096), end, node);
            let _ = known.ranges.try_push(range);
        }
        for affinity in acpi.srat.iter().flat_map(|srat| &srat.processors) {
            let node = known.node(affinity.domain);
            let _ = known.processors.try_push((affinity.apic_id, node));
        }
        if let Some(slit) = &acpi.slit {
            for (&from, row) in known.domains.iter().zip(&mut known.distances) {
                for (&to, distance) in known.domains.iter().zip(row) {
                    *distance = slit.distance(from, to);
                }
            }
        }
        known
    });
}

/// How many nodes there are, at least 1.
pub fn count() -> u32 {
    let known = KNOWN.get().map_or(0, |known| known.domains.len());
    (known as u32).max(1)
}

/// The machine's nodes.
pub fn all() -> NodeSet {
    NodeSet((1 << count().min(NODES as u32)) - 1)
}

/// How far a node is from another: 10 from itself, 255 where there is no way.
pub fn distance(from: u32, to: u32) -> u8 {
    let told = KNOWN.get().and_then(|known| {
        let row = known.distances.get(from as usize)?;
        *row.get(to as usize)?
    });
    told.unwrap_or(if from == to { Slit::NEAR } else { FAR })
}

/// The node of a frame of RAM.
pub fn of_frame(frame: u64) -> u8 {
    let ranges = KNOWN.get().map_or(&[] as &[Range], |known| &known.ranges);
    let holds = |range: &&Range| (range.0..range.1).contains(&frame);
    ranges.iter().find(holds).map_or(0, |range| range.2)
}

/// The node of a processor.
pub fn of_processor(index: usize) -> u32 {
    let apic_id = PerCpu::apic_id_of(index);
    let found = KNOWN.get().and_then(|known| {
        let mut all = known.processors.iter();
        all.find(|&&(other, _)| Some(other) == apic_id)
    });
    found.map_or(0, |&(_, node)| u32::from(node))
}

/// The node's first frame, and how many there are to its last, holes included. Without a table, node 0 spans all.
pub fn span(node: u32) -> (u64, u64) {
    let ranges = KNOWN.get().map_or(&[] as &[Range], |known| &known.ranges);
    if ranges.is_empty() && node == 0 {
        return (0, hw::m2p::frames());
    }
    let of_node = || ranges.iter().filter(|range| u32::from(range.2) == node);
    let first = of_node().map(|range| range.0).min().unwrap_or(0);
    let end = of_node().map(|range| range.1).max().unwrap_or(0);
    (first, end.saturating_sub(first))
}

/// Cuts `[first, end)` where the node changes; `each` gets first frame, end and node of every piece.
pub fn cut(first: u64, end: u64, mut each: impl FnMut(u64, u64, u8)) {
    let ranges = KNOWN.get().map_or(&[] as &[Range], |known| &known.ranges);
    let mut at = first;
    while at < end {
        let here = ranges
            .iter()
            .find(|&&(start, stop, _)| (start..stop).contains(&at));
        let (stop, node) = match here {
            Some(&(_, stop, node)) => (stop.min(end), node),
            None => {
                let next = ranges
                    .iter()
                    .map(|&(start, _, _)| start)
                    .filter(|&start| start > at);
                (next.min().unwrap_or(end).min(end), 0)
            }
        };
        each(at, stop, node);
        at = stop;
    }
}
