//! Random operations of three domains on each other's grants, each of which may die at any moment, against a plain
//! model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vocabulary::{DomainId, Gfn, GrantRef, Mfn, VcpuId};
use xen_abi::grant_table::{GTF_reading, GTF_readonly, GTF_writing};

use super::mock::{domain, Domain, Frame};
use crate::{CopyAccess, GrantHandle, MapRequest, Mapping};

const DOMAINS: u16 = 3;
const ENTRIES: u32 = 12;

#[derive(Clone, Debug)]
enum Operation {
    /// A guest writes an entry: lender, entry, borrower, frame, read-only.
    Lend(u16, u32, u16, u64, bool),
    Revoke(u16, u32),
    /// Lender, borrower, entry, read-only, host, device, commit.
    Map(u16, u16, u32, bool, bool, bool, bool),
    /// Borrower, which of its handles, host, device, finish.
    Unmap(u16, usize, bool, bool, bool),
    /// Lender, borrower, entry, write.
    Copy(u16, u16, u32, bool),
    Version(u16, u32),
    Swap(u16, u32, u32),
    /// The domain ends: it does nothing any more, and what it borrowed is given back.
    Die(u16),
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let domain = || 0..DOMAINS;
    let entry = || 0..ENTRIES;
    prop_oneof![
        6 => (domain(), entry(), domain(), 1..99u64, any::<bool>())
            .prop_map(|(l, e, b, f, r)| Lend(l, e, b, f, r)),
        4 => (domain(), entry()).prop_map(|(l, e)| Revoke(l, e)),
        10 => (domain(), domain(), entry(), any::<[bool; 3]>(), 0..4u8)
            .prop_map(|(l, b, e, [r, h, d], c)| Map(l, b, e, r, h, d, c != 0)),
        8 => (domain(), any::<usize>(), any::<[bool; 2]>(), 0..4u8)
            .prop_map(|(b, n, [h, d], f)| Unmap(b, n, h, d, f != 0)),
        3 => (domain(), domain(), entry(), any::<bool>()).prop_map(|(l, b, e, w)| Copy(l, b, e, w)),
        1 => (domain(), 1..3u32).prop_map(|(l, v)| Version(l, v)),
        1 => (domain(), entry(), entry()).prop_map(|(l, a, b)| Swap(l, a, b)),
        1 => domain().prop_map(Die),
    ]
}

/// The domains without whose life an operation does not happen: the guest that acts, and the owner of a page that is
/// not to be had any more.
fn actors(operation: &Operation) -> Vec<u16> {
    match *operation {
        Operation::Map(lender, borrower, ..) | Operation::Copy(lender, borrower, ..) => {
            vec![lender, borrower]
        }
        Operation::Lend(domain, ..)
        | Operation::Revoke(domain, _)
        | Operation::Unmap(domain, ..)
        | Operation::Version(domain, _)
        | Operation::Swap(domain, ..)
        | Operation::Die(domain) => vec![domain],
    }
}

/// An entry as its guest wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Lent {
    borrower: u16,
    frame: u64,
    readonly: bool,
}

struct World {
    domains: Vec<Domain>,
    entries: BTreeMap<(u16, u32), Lent>,
    /// Each borrower's mappings.
    mappings: Vec<Vec<(GrantHandle, Mapping)>>,
    dead: [bool; DOMAINS as usize],
}

impl World {
    fn new() -> Self {
        Self {
            domains: (0..DOMAINS).map(|id| domain(id, 1)).collect(),
            entries: BTreeMap::new(),
            mappings: vec![Vec::new(); DOMAINS as usize],
            dead: [false; DOMAINS as usize],
        }
    }

    fn at(&self, id: u16) -> &Domain {
        &self.domains[id as usize]
    }

    /// Holds on an entry: (any, writers).
    fn holds(&self, lender: u16, entry: u32) -> (usize, usize) {
        let all = self.mappings.iter().flatten().map(|(_, mapping)| mapping);
        let mine = all.filter(|m| m.lender.0 == lender && m.reference.0 == entry);
        mine.fold((0, 0), |(any, writers), m| {
            (any + 1, writers + usize::from(m.writable))
        })
    }

    fn may(&self, lender: u16, borrower: u16, entry: u32, write: bool) -> Option<Lent> {
        let lent = *self.entries.get(&(lender, entry))?;
        (lent.borrower == borrower && !(write && lent.readonly)).then_some(lent)
    }

    fn apply(&mut self, operation: &Operation) {
        let dead = |id: &u16| self.dead[*id as usize];
        if actors(operation).iter().any(dead) {
            return;
        }
        match *operation {
            Operation::Die(domain) => self.die(domain),
            Operation::Lend(lender, entry, borrower, frame, readonly) => {
                // A well-behaved guest writes only entries that lend nothing.
                self.entries.entry((lender, entry)).or_insert_with(|| {
                    let flags = if readonly { GTF_readonly } else { 0 };
                    self.domains[lender as usize].lend(entry, borrower, frame, flags);
                    Lent {
                        borrower,
                        frame,
                        readonly,
                    }
                });
            }
            Operation::Revoke(lender, entry) => {
                let revoked = self.at(lender).revoke(entry);
                assert_eq!(revoked, self.holds(lender, entry).0 == 0);
                if revoked {
                    self.entries.remove(&(lender, entry));
                }
            }
            Operation::Map(..) => self.map(operation),
            Operation::Unmap(borrower, which, host, device, finish) => {
                self.unmap(borrower, which, host, device, finish);
            }
            Operation::Copy(lender, borrower, entry, write) => {
                let reference = GrantRef(entry);
                let access = self
                    .at(lender)
                    .table
                    .begin_copy(DomainId(borrower), reference, write);
                let frame = access.ok().map(|access| match access {
                    CopyAccess::Direct(pin) => pin.frame().0,
                    CopyAccess::Transitive(_) => panic!("nobody made one"),
                });
                let expected = self.may(lender, borrower, entry, write);
                assert_eq!(frame, expected.map(|lent| lent.frame));
            }
            Operation::Version(lender, version) => self.set_version(lender, version),
            Operation::Swap(lender, first, second) => {
                let swapped = self
                    .at(lender)
                    .table
                    .swap(GrantRef(first), GrantRef(second))
                    .is_ok();
                let held = |entry| self.holds(lender, entry).0 != 0;
                assert_eq!(swapped, first == second || !(held(first) || held(second)));
                if swapped && first != second {
                    let one = self.entries.remove(&(lender, first));
                    let other = self.entries.remove(&(lender, second));
                    other.map(|lent| self.entries.insert((lender, first), lent));
                    one.map(|lent| self.entries.insert((lender, second), lent));
                }
            }
        }
    }

    /// Ends all that a domain has borrowed, by number; what it lent stays with its borrowers.
    fn die(&mut self, domain: u16) {
        self.dead[domain as usize] = true;
        let track = &self.at(domain).track;
        for number in 0..track.numbers() {
            let Some(handle) = track.mapping_at(number) else {
                continue;
            };
            let unmapping = track.begin_unmap(VcpuId(0), handle, true, true).unwrap();
            let lender = unmapping.mapping().lender;
            unmapping.finish(Some(&self.at(lender.0).table));
        }
        assert_eq!(track.next_mapping(0), None);
        self.mappings[domain as usize].clear();
        let lends = (0..ENTRIES).any(|entry| self.holds(domain, entry).0 != 0);
        assert_eq!(self.at(domain).table.is_idle(), !lends);
    }

    fn set_version(&mut self, lender: u16, version: u32) {
        let table = &self.at(lender).table;
        let changes = version != table.version().number();
        let busy = (8..ENTRIES).any(|entry| self.holds(lender, entry).0 != 0);
        let set = table.set_version(version, || Some(Frame::empty()));
        assert_eq!(set.is_ok(), !(changes && busy));
        if changes && !busy {
            self.entries
                .retain(|(id, entry), _| *id != lender || *entry < 8);
        }
    }

    fn map(&mut self, operation: &Operation) {
        let Operation::Map(lender, borrower, entry, readonly, host, device, commit) = *operation
        else {
            return;
        };
        let request = MapRequest {
            reference: GrantRef(entry),
            host,
            device,
            readonly,
            by_entry: readonly,
        };
        let expected = self
            .may(lender, borrower, entry, !readonly)
            .filter(|_| host || device);
        let (from, to) = (
            &self.domains[lender as usize],
            &self.domains[borrower as usize],
        );
        let pending = from.table.begin_map(&to.track, VcpuId(entry), request).ok();
        assert_eq!(pending.is_some(), expected.is_some());
        let (Some(pending), Some(lent)) = (pending, expected) else {
            return;
        };
        let grant = pending.grant();
        assert_eq!(
            (grant.owner, grant.frame),
            (DomainId(lender), Gfn(lent.frame))
        );
        assert_eq!(grant.writable, !readonly);
        if !commit {
            pending.abort();
            return;
        }
        let handle = pending.commit(Mfn(lent.frame));
        let mapping = Mapping {
            lender: DomainId(lender),
            reference: GrantRef(entry),
            frame: Mfn(lent.frame),
            host,
            device,
            writable: !readonly,
            by_entry: readonly,
        };
        self.mappings[borrower as usize].push((handle, mapping));
    }

    fn unmap(&mut self, borrower: u16, which: usize, host: bool, device: bool, finish: bool) {
        let mine = &mut self.mappings[borrower as usize];
        let Some(which) = which.checked_rem(mine.len()) else {
            return;
        };
        let (handle, mapping) = mine[which];
        let track = &self.domains[borrower as usize].track;
        let unmapping = track.begin_unmap(VcpuId(0), handle, host, device).unwrap();
        assert_eq!(unmapping.mapping(), mapping);
        if !finish {
            return;
        }
        unmapping.finish(Some(&self.domains[mapping.lender.0 as usize].table));
        let rest = Mapping {
            host: mapping.host && !host,
            device: mapping.device && !device,
            ..mapping
        };
        if rest.host || rest.device {
            mine[which].1 = rest;
        } else {
            mine.remove(which);
            assert!(track.mapping(handle).is_err());
        }
    }

    fn compare(&self) {
        for lender in 0..DOMAINS {
            for entry in 0..ENTRIES {
                let (any, writers) = self.holds(lender, entry);
                let reading = if any > 0 { GTF_reading } else { 0 };
                let writing = if writers > 0 { GTF_writing } else { 0 };
                assert_eq!(self.at(lender).in_use(entry), reading | writing);
                let written = self.at(lender).header(entry) != 0;
                assert_eq!(written, self.entries.contains_key(&(lender, entry)));
            }
            for (handle, mapping) in &self.mappings[lender as usize] {
                assert_eq!(self.at(lender).track.mapping(*handle).unwrap(), *mapping);
            }
        }
    }

    /// Unmaps and revokes all; then nothing is left anywhere.
    fn end(mut self) {
        for borrower in 0..DOMAINS {
            while !self.mappings[borrower as usize].is_empty() {
                self.unmap(borrower, 0, true, true, true);
            }
        }
        self.compare();
        for domain in &self.domains {
            assert!((0..ENTRIES).all(|entry| domain.revoke(entry)));
            assert!(domain.table.is_idle());
            assert_eq!(domain.track.next_mapping(0), None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn tables_do_what_the_model_does(operations in prop::collection::vec(operation(), 1..150)) {
        let mut world = World::new();
        for operation in &operations {
            world.apply(operation);
            world.compare();
        }
        world.end();
    }
}
