//! Borrowers, a lender that takes entries back, and a version change at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use vocabulary::{DomainId, GrantRef, Mfn, VcpuId};

use super::mock::{domain, host, Domain, Frame};
use crate::{CopyAccess, Maptrack};

/// Holds that each borrower wants to have had.
const HOLDS: u32 = 5_000;
const ENTRIES: u32 = 4;

/// Clears a flag when dropped: a thread that fails does not leave the others running.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(false, SeqCst);
    }
}

/// The lender publishes a frame's number as lent before it lends it, and as taken back after it could
/// revoke the entry. A borrower that holds the entry must never see its frame taken back.
fn nobody_holds_what_was_taken_back(version: u32) {
    let lender = domain(1, 1);
    lender
        .table
        .set_version(version, || Some(Frame::empty()))
        .unwrap();
    let track = Maptrack::new(DomainId(2), 3, 2).unwrap();
    let lent: Vec<_> = (0..ENTRIES).map(|_| AtomicU64::new(0)).collect();
    let running = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| lend(&lender, &lent, &running));
        let stop = Stop(&running);
        let borrowers: Vec<_> = (0..2)
            .map(|vcpu| {
                let (lender, track, lent, running) = (&lender, &track, &lent, &running);
                scope.spawn(move || borrow(lender, track, lent, VcpuId(vcpu), running))
            })
            .collect();
        let failed = borrowers
            .into_iter()
            .filter_map(|thread| thread.join().err())
            .count();
        drop(stop);
        assert_eq!(failed, 0);
    });
    assert!(lender.table.is_idle());
    assert_eq!(track.next_mapping(0), None);
    assert!((0..ENTRIES).all(|reference| lender.in_use(8 + reference) == 0));
}

fn lend(lender: &Domain, lent: &[AtomicU64], running: &AtomicBool) {
    let mut frame = 1;
    while running.load(SeqCst) {
        for reference in 0..ENTRIES {
            let slot = &lent[reference as usize];
            if lender.header(8 + reference) == 0 {
                frame += 1;
                slot.store(frame, SeqCst);
                lender.lend(8 + reference, 2, frame, 0);
            } else if lender.revoke(8 + reference) {
                slot.store(0, SeqCst);
            }
        }
    }
}

fn borrow(
    lender: &Domain,
    track: &Maptrack<Frame>,
    lent: &[AtomicU64],
    vcpu: VcpuId,
    running: &AtomicBool,
) {
    let (mut held, mut round) = (0, 0);
    while held < HOLDS && running.load(SeqCst) {
        round += 1;
        let reference = round % ENTRIES;
        let now = || lent[reference as usize].load(SeqCst);
        if round % 3 == 0 {
            let access = lender
                .table
                .begin_copy(DomainId(2), GrantRef(8 + reference), true);
            if let Ok(CopyAccess::Direct(pin)) = access {
                assert_eq!(now(), pin.frame().0);
                held += 1;
            }
            continue;
        }
        let request = host(8 + reference, round % 2 == 0);
        let Ok(pending) = lender.table.begin_map(track, vcpu, request) else {
            continue;
        };
        let frame = pending.grant().frame.0;
        let handle = pending.commit(Mfn(frame));
        assert_eq!(now(), frame);
        let unmapping = track.begin_unmap(vcpu, handle, true, true).unwrap();
        assert_eq!((now(), unmapping.mapping().frame), (frame, Mfn(frame)));
        unmapping.finish(Some(&lender.table));
        held += 1;
    }
}

#[test]
fn in_version_1_nobody_holds_what_was_taken_back() {
    nobody_holds_what_was_taken_back(1);
}

#[test]
fn in_version_2_nobody_holds_what_was_taken_back() {
    nobody_holds_what_was_taken_back(2);
}

#[test]
fn the_version_changes_only_while_nothing_is_held() {
    let lender = domain(1, 1);
    let running = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let stop = Stop(&running);
        scope.spawn(|| {
            let mut version = 1;
            while running.load(SeqCst) {
                version = 3 - version;
                let _ = lender.table.set_version(version, || Some(Frame::empty()));
            }
        });
        for reference in [0, 100] {
            let lender = &lender;
            scope
                .spawn(move || {
                    for _ in 0..1000 {
                        // A header alone is an entry of frame 0 in both versions.
                        let (frame, index) = lender.place(reference);
                        frame.0[index].store(1 | 2 << 16, SeqCst);
                        drop(
                            lender
                                .table
                                .begin_copy(DomainId(2), GrantRef(reference), false),
                        );
                    }
                })
                .join()
                .unwrap();
        }
        drop(stop);
    });
    assert!(lender.table.is_idle());
    assert_eq!((lender.in_use(0), lender.in_use(100)), (0, 0));
}
