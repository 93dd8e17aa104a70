//! NUMA nodes: which node a frame of RAM belongs to, as the firmware's affinity table (SRAT) says.

use arrayvec::ArrayVec;
use firmware::acpi::Acpi;
use spin::Once;

/// The most nodes that are told apart, as many as the allocator has lists for; memory of others counts to node 0.
const NODES: usize = 8;
/// The most ranges kept; memory outside them counts to node 0.
const RANGES: usize = 64;

/// Frames of one node: first, end, node.
type Range = (u64, u64, u8);

static RANGES_KNOWN: Once<ArrayVec<Range, RANGES>> = Once::new();

/// Learns the nodes. Proximity domains are numbered as they are first named: the boot's memory is node 0.
pub fn learn(acpi: &Acpi) {
    RANGES_KNOWN.call_once(|| {
        let mut domains = ArrayVec::<u32, NODES>::new();
        let mut ranges = ArrayVec::new();
        for affinity in acpi.srat.iter().flat_map(|srat| &srat.memory) {
            let known = domains.iter().position(|&domain| domain == affinity.domain);
            let node = match known {
                Some(node) => node,
                None if domains.try_push(affinity.domain).is_ok() => domains.len() - 1,
                None => 0,
            };
            let end = affinity.start.saturating_add(affinity.length) >> 12;
            let _ = ranges.try_push((affinity.start.div_ceil(4096), end, node as u8));
        }
        ranges
    });
}

/// Cuts `[first, end)` where the node changes; `each` gets first frame, end and node of every piece.
pub fn cut(first: u64, end: u64, mut each: impl FnMut(u64, u64, u8)) {
    let empty = ArrayVec::new_const();
    let ranges = RANGES_KNOWN.get().unwrap_or(&empty);
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
