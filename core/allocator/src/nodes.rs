//! Which NUMA nodes a request is served from, and in which order.

/// A set of nodes, a bit each; at most 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeSet(pub u64);

impl NodeSet {
    /// No node.
    pub const EMPTY: Self = Self(0);

    /// Whether the node is one of them.
    pub const fn contains(self, node: usize) -> bool {
        node < 64 && self.0 >> node & 1 != 0
    }

    /// The node whose turn it is after `last`: the next higher, or else the lowest. `None` in an empty set.
    pub const fn after(self, last: u8) -> Option<u8> {
        let above = match u64::MAX.checked_shl(last as u32 + 1) {
            Some(mask) => self.0 & mask,
            None => 0,
        };
        let left = if above != 0 { above } else { self.0 };
        if left == 0 {
            return None;
        }
        Some(left.trailing_zeros() as u8)
    }

    /// The numbers below `count`, each once: `first`, then the set's from there on, then, if `others`, the rest.
    pub(crate) fn in_turn(
        self,
        first: u8,
        count: usize,
        others: bool,
    ) -> impl Iterator<Item = usize> {
        let start = usize::from(first);
        let rest = move || (1..count).map(move |step| (start + step) % count);
        let inside = rest().filter(move |&node| self.contains(node));
        let outside = rest().filter(move |&node| others && !self.contains(node));
        core::iter::once(start).chain(inside).chain(outside)
    }
}

/// On which NUMA node memory is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeChoice {
    /// Wherever most is free.
    #[default]
    Any,
    /// On `first` while it has some, else on the other `nodes` in turn, else on those that are left.
    Prefer {
        /// The first one looked at, which need not be one of the set.
        first: u8,
        /// Those that are better than the rest.
        nodes: NodeSet,
    },
    /// On this node or not at all.
    Only(u8),
}
