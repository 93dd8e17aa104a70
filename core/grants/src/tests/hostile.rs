//! Shared frames that change between any two accesses: nothing loops, and every pin is given back.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use shared_page::simulated::Liar;
use vocabulary::{DomainId, GrantRef, Mfn, VcpuId};
use xen_abi::grant_table::GTF_permit_access;

use super::mock::Frame;
use crate::{CopyAccess, GrantTable, MapRequest, Maptrack, SharedPage, Status};

/// A frame whose words are likely enough to look like entries.
fn liar(seed: u32) -> Liar {
    let shape = |random: u32| match random % 4 {
        0 => random,
        1 => u32::from(GTF_permit_access) | 2 << 16,
        _ => random & 0xffff | 2 << 16,
    };
    Liar::new(seed, shape, 2)
}

/// A frame that always looks lendable but never lets itself be marked.
struct Restless(&'static AtomicU32);

impl SharedPage for Restless {
    type Relax = spin::Spin;

    fn load(&self, _: usize) -> u32 {
        self.0.fetch_add(1, SeqCst);
        u32::from(GTF_permit_access) | 2 << 16
    }
    fn store(&self, _: usize, _: u32) {}
    fn compare_exchange(&self, _: usize, current: u32, _: u32) -> Result<u32, u32> {
        self.0.fetch_add(1, SeqCst);
        Err(current)
    }
    fn fetch_or(&self, _: usize, _: u32) -> u32 {
        0
    }
    fn fetch_and(&self, _: usize, _: u32) -> u32 {
        0
    }
}

/// What a test does at the moment of an access, once.
type Action = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// A frame that lets a test act at the moment of an access.
struct Watched {
    frame: Frame,
    /// Called once, before the first write to the frame after it was set.
    action: Action,
}

impl Watched {
    fn act(&self) {
        let action = self.action.lock().unwrap().take();
        action.into_iter().for_each(|action| action());
    }
}

impl SharedPage for Watched {
    type Relax = spin::Spin;

    fn load(&self, offset: usize) -> u32 {
        self.frame.load(offset)
    }
    fn store(&self, offset: usize, value: u32) {
        self.act();
        self.frame.store(offset, value);
    }
    fn compare_exchange(&self, offset: usize, current: u32, new: u32) -> Result<u32, u32> {
        self.act();
        self.frame.compare_exchange(offset, current, new)
    }
    fn fetch_or(&self, offset: usize, bits: u32) -> u32 {
        self.act();
        self.frame.fetch_or(offset, bits)
    }
    fn fetch_and(&self, offset: usize, bits: u32) -> u32 {
        self.frame.fetch_and(offset, bits)
    }
}

/// A table with one shared frame, the frame, and what to do at the next write to any of its frames.
fn watched(version: u32) -> (Arc<GrantTable<Watched>>, Frame, Action) {
    let table = Arc::new(GrantTable::new(DomainId(1), 1).unwrap());
    let action = Arc::new(Mutex::new(None));
    let make = || {
        Some(Watched {
            frame: Frame::empty(),
            action: action.clone(),
        })
    };
    table.grow(1, make).unwrap();
    table.set_version(version, make).unwrap();
    let frame = table.frame(0).unwrap().frame.clone();
    (table, frame, action)
}

#[test]
fn an_entry_taken_back_while_it_is_being_marked_is_refused() {
    for (version, words) in [(1, 2), (2, 4)] {
        let (table, frame, action) = watched(version);
        let track = Maptrack::new(DomainId(2), 1, 1).unwrap();
        let index = 9 * words;
        frame.0[index].store(u32::from(GTF_permit_access) | 2 << 16, SeqCst);
        let guest = frame.clone();
        let take_back = move || guest.0[index].store(0, SeqCst);
        *action.lock().unwrap() = Some(Box::new(take_back));
        let begun = table.begin_map(&track, VcpuId(0), request(9, false));
        assert_eq!(begun.err().unwrap().status, Status::General);
        let statuses = table.status_frame(0).map_or(0, |page| page.frame.load(16));
        assert_eq!((frame.0[index].load(SeqCst), statuses), (0, 0));
        assert!(table.is_idle());
    }
}

#[test]
fn nobody_gets_in_while_the_version_changes() {
    let (table, frame, action) = watched(1);
    frame.0[18].store(u32::from(GTF_permit_access) | 2 << 16, SeqCst);
    let seen = Arc::new(Mutex::new(None));
    let (inner, answer) = (table.clone(), seen.clone());
    *action.lock().unwrap() = Some(Box::new(move || {
        let begun = inner.begin_copy(DomainId(2), GrantRef(9), false);
        *answer.lock().unwrap() = begun.err().map(|denied| denied.status);
    }));
    let make = || {
        Some(Watched {
            frame: Frame::empty(),
            action: action.clone(),
        })
    };
    table.set_version(2, make).unwrap();
    assert_eq!(*seen.lock().unwrap(), Some(Status::Again));
}

fn request(reference: u32, readonly: bool) -> MapRequest {
    MapRequest {
        reference: GrantRef(reference),
        host: true,
        device: reference % 2 == 0,
        readonly,
        by_entry: false,
    }
}

#[test]
fn an_entry_that_never_keeps_still_is_refused_after_a_bounded_effort() {
    let accesses: &'static AtomicU32 = Box::leak(Box::new(AtomicU32::new(0)));
    let table = GrantTable::new(DomainId(1), 1).unwrap();
    table.grow(1, || Some(Restless(accesses))).unwrap();
    let track = Maptrack::new(DomainId(2), 1, 1).unwrap();
    let begun = table.begin_map(&track, VcpuId(0), request(3, true));
    assert_eq!(begun.err().unwrap().status, Status::General);
    assert!(accesses.load(SeqCst) < 100);
    assert!(table.is_idle());
}

proptest! {
    #[test]
    fn lies_never_loop_panic_or_leak(
        seed in any::<u32>(),
        operations in prop::collection::vec((0u8..9, 0u32..1100), 1..200),
    ) {
        let table = GrantTable::new(DomainId(1), 4).unwrap();
        let mut next = seed;
        let mut liar = || {
            next = next.wrapping_mul(747_796_405).wrapping_add(1);
            Some(liar(next))
        };
        table.grow(2, &mut liar).unwrap();
        let track = Maptrack::new(DomainId(2), 2, 1).unwrap();
        let mut handles = Vec::new();
        for (operation, number) in operations {
            let reference = GrantRef(number);
            match operation {
                0..=2 => {
                    if let Ok(pending) = table.begin_map(&track, VcpuId(number), request(number, operation == 0)) {
                        if number % 5 != 0 {
                            handles.push(pending.commit(Mfn(1)));
                        }
                    }
                }
                3 => {
                    if let Some(handle) = handles.pop() {
                        track.begin_unmap(VcpuId(number), handle, true, true).unwrap().finish(Some(&table));
                    }
                }
                4 => match table.begin_copy(DomainId(2), reference, number % 2 == 0) {
                    Ok(CopyAccess::Transitive(through)) => drop(through.resolve(&table)),
                    Ok(CopyAccess::Direct(pin)) => drop(pin.check(number as u16, seed as u16)),
                    Err(_) => {}
                },
                5 => {
                    if let Ok(pin) = table.begin_transfer(DomainId(2), reference, None) {
                        pin.complete();
                    }
                }
                6 => drop(table.begin_transfer(DomainId(2), reference, None)),
                7 => drop(table.set_version(1 + number % 2, &mut liar)),
                _ => drop(table.swap(reference, GrantRef(number / 2))),
            }
        }
        for handle in handles {
            track.begin_unmap(VcpuId(0), handle, true, true).unwrap().finish(Some(&table));
        }
        prop_assert!(table.is_idle());
        prop_assert_eq!(track.next_mapping(0), None);
    }
}
