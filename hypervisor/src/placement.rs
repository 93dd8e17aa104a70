//! On which NUMA nodes a domain's memory lies: those that were chosen for it, or else those of the processors that its
//! vCPUs may run on; from each in turn, from others where these have none left.

use core::sync::atomic::{
    AtomicBool, AtomicU64, AtomicU8,
    Ordering::{Acquire, Relaxed, Release},
};

use allocator::{NodeChoice, NodeSet};
use sched::CpuSet;
use vocabulary::{refuse, Errno, Refused};

use crate::console::print;
use crate::domain::Domain;
use crate::nodes::{self, NODES};
use crate::schedule::settings;
use crate::{domains, machine, processors};

/// The node that whoever takes memory names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedNode {
    /// None: the domain's own in turn.
    None,
    /// This one before the domain's own.
    First(u8),
    /// This one or no memory at all.
    Only(u8),
}

/// Where a domain's memory comes from.
pub struct Placement {
    /// Nodes, a bit each; never empty of those that the machine has.
    nodes: AtomicU64,
    /// Somebody chose them: they do not follow the vCPUs.
    is_chosen: AtomicBool,
    /// The node that the last memory was asked of.
    last: AtomicU8,
}

impl Placement {
    /// Anywhere.
    pub const fn new() -> Self {
        Self {
            nodes: AtomicU64::new(u64::MAX),
            is_chosen: AtomicBool::new(false),
            last: AtomicU8::new(NODES as u8 - 1),
        }
    }

    /// The nodes, as far as the machine has them.
    pub fn nodes(&self) -> NodeSet {
        NodeSet(self.nodes.load(Acquire) & nodes::all().0)
    }

    /// Where the next piece of memory comes from, of which its taker may have named a node.
    pub fn next(&self, asked: AskedNode) -> NodeChoice {
        match asked {
            AskedNode::Only(node) => return NodeChoice::Only(node),
            AskedNode::First(first) if usize::from(first) < NODES => {
                let nodes = self.nodes();
                return NodeChoice::Prefer { first, nodes };
            }
            _ if nodes::count() == 1 => return NodeChoice::Any,
            _ => {}
        }
        let nodes = self.nodes();
        // Two that take memory at the same time may have the same turn, which does no harm.
        let Some(first) = nodes.after(self.last.load(Relaxed)) else {
            return NodeChoice::Any;
        };
        self.last.store(first, Relaxed);
        NodeChoice::Prefer { first, nodes }
    }
}

/// Every node that the allocator tells apart, as a caller names it who means all.
const EVERY_NODE: u64 = (1 << NODES) - 1;

/// Chooses a domain's nodes; all that can be named: they follow its vCPUs. EINVAL: none of them is there.
pub fn choose(domain: &Domain, wanted: NodeSet) -> Refused<()> {
    if wanted.0 & nodes::all().0 == 0 {
        return refuse(Errno::EINVAL, "none of the nodes is there");
    }
    let placement = &domain.settings.placement;
    let follows = wanted.0 & EVERY_NODE == EVERY_NODE;
    placement.is_chosen.store(!follows, Release);
    if follows {
        follow(domain);
    } else {
        placement.nodes.store(wanted.0, Release);
    }
    Ok(())
}

/// Has the nodes follow the vCPUs, which got other affinities or another pool, unless they were chosen. Those where a vCPU
/// is better run count if there is any, else those where one may run. Memory that the domain has stays where it is.
pub fn follow(domain: &Domain) {
    let placement = &domain.settings.placement;
    if nodes::count() == 1 || placement.is_chosen.load(Acquire) {
        return;
    }
    let (mut may, mut better) = (CpuSet::EMPTY, CpuSet::EMPTY);
    for vcpu in domain.vcpus() {
        let (hard, soft) = settings::affinity(&vcpu);
        may = may.or(&hard);
        better = better.or(&soft);
    }
    may = may.and(&settings::processors(domain));
    let both = may.and(&better);
    let counted = if both.is_empty() { may } else { both };
    let found = counted.iter().fold(0, |found, processor| {
        found | 1u64 << nodes::of_processor(processor.0 as usize)
    });
    if found != 0 {
        placement.nodes.store(found, Release);
    }
}

/// Prints the nodes, and how many frames of each domain lie on which (debug key `u`).
pub fn show() {
    for node in 0..nodes::count() {
        let (first, spanned) = nodes::span(node);
        print(format_args!(
            "(XEN) NODE{node} start->{first} size->{spanned} free->{}\n",
            machine::free_on_node(node as u8)
        ));
    }
    for processor in processors::online().iter() {
        let node = nodes::of_processor(processor);
        print(format_args!("(XEN) CPU{processor} -> NODE{node}\n"));
    }
    print(format_args!("(XEN) Memory location of each domain:\n"));
    domains::for_each(|domain| {
        let mut counts = [0u64; NODES];
        let pages = domain.pages.lock();
        for frame in pages.iter(machine::frames()) {
            if let Some(count) = counts.get_mut(usize::from(nodes::of_frame(frame.0))) {
                *count += 1;
            }
        }
        let total = pages.total();
        drop(pages);
        print(format_args!(
            "(XEN) Domain {} (total: {total}):\n",
            domain.id
        ));
        for (node, count) in (0..nodes::count()).zip(counts) {
            print(format_args!("(XEN)     Node {node}: {count}\n"));
        }
    });
}
