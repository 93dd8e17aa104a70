//! Mapping and unmapping, one behaviour a test.

use std::sync::atomic::Ordering::SeqCst;

use vocabulary::{DomainId, Gfn, GrantRef, Mfn, VcpuId};
use xen_abi::grant_table::{
    GTF_accept_transfer, GTF_reading, GTF_readonly, GTF_sub_page, GTF_transitive, GTF_writing,
    GTF_PWT,
};

use super::mock::{domain, host, map, unmap, Domain, Frame};
use crate::{GrantHandle, GrantTable, MapRequest, Maptrack, Status};

fn status<T>(result: crate::Granted<T>) -> Status {
    result.err().unwrap().status
}

fn both_versions(test: impl Fn(Domain, Domain)) {
    for version in [1, 2] {
        let lender = domain(1, 2);
        lender
            .table
            .set_version(version, || Some(Frame::empty()))
            .unwrap();
        test(lender, domain(2, 0));
    }
}

#[test]
fn a_mapping_marks_the_entry_until_it_is_unmapped() {
    both_versions(|lender, borrower| {
        lender.lend(9, 2, 0x1234, GTF_PWT);
        let (handle, grant) = map(&lender, &borrower, host(9, false)).unwrap();
        assert_eq!((grant.owner, grant.frame), (DomainId(1), Gfn(0x1234)));
        assert_eq!(
            (grant.writable, grant.cache, grant.machine),
            (true, GTF_PWT, None)
        );
        assert_eq!(lender.in_use(9), GTF_reading | GTF_writing);
        assert!(!lender.revoke(9));
        let mapping = borrower.track.mapping(handle).unwrap();
        assert_eq!(
            (mapping.frame, mapping.reference),
            (Mfn(0x1234), GrantRef(9))
        );
        unmap(&lender, &borrower, handle).unwrap();
        assert_eq!(lender.in_use(9), 0);
        assert!(lender.revoke(9));
        assert_eq!(status(unmap(&lender, &borrower, handle)), Status::BadHandle);
        assert!(lender.table.is_idle());
    });
}

#[test]
fn flags_follow_the_last_reader_and_the_last_writer() {
    both_versions(|lender, borrower| {
        lender.lend(3, 2, 7, 0);
        let (reader, _) = map(&lender, &borrower, host(3, true)).unwrap();
        assert_eq!(lender.in_use(3), GTF_reading);
        let (writer, _) = map(&lender, &borrower, host(3, false)).unwrap();
        let (other, _) = map(&lender, &borrower, host(3, false)).unwrap();
        unmap(&lender, &borrower, writer).unwrap();
        assert_eq!(lender.in_use(3), GTF_reading | GTF_writing);
        unmap(&lender, &borrower, other).unwrap();
        assert_eq!(lender.in_use(3), GTF_reading);
        unmap(&lender, &borrower, reader).unwrap();
        assert_eq!(lender.in_use(3), 0);
    });
}

#[test]
fn what_is_not_lent_is_refused_and_leaves_no_trace() {
    both_versions(|lender, borrower| {
        let refused = |request| status(map(&lender, &borrower, request));
        assert_eq!(refused(host(4, true)), Status::General, "an empty entry");
        lender.lend(4, 3, 7, 0);
        assert_eq!(
            refused(host(4, true)),
            Status::General,
            "another borrower's"
        );
        lender.lend(4, 2, 7, GTF_readonly);
        assert_eq!(
            refused(host(4, false)),
            Status::General,
            "writing what is read-only"
        );
        lender.write(4, GTF_accept_transfer, 2, 0, 7);
        assert_eq!(refused(host(4, true)), Status::General, "a transfer");
        lender.write(4, GTF_transitive, 2, 1, 7);
        assert_eq!(
            refused(host(4, true)),
            Status::General,
            "a transitive grant"
        );
        assert_eq!(refused(host(5000, true)), Status::BadReference);
        assert_eq!(refused(host(u32::MAX, true)), Status::BadReference);
        let neither = MapRequest {
            host: false,
            ..host(4, true)
        };
        assert_eq!(refused(neither), Status::BadReference);
        assert_eq!(lender.in_use(4), 0);
        assert!(lender.table.is_idle());
        assert_eq!(borrower.track.next_mapping(0), None);
    });
}

#[test]
fn sub_page_grants_are_not_mapped_in_version_2_and_mean_nothing_in_version_1() {
    both_versions(|lender, borrower| {
        lender.lend(4, 2, 7, GTF_sub_page);
        let mapped = map(&lender, &borrower, host(4, true));
        assert_eq!(mapped.is_ok(), lender.table.version().number() == 1);
    });
}

#[test]
fn an_aborted_mapping_undoes_pin_and_handle() {
    both_versions(|lender, borrower| {
        lender.lend(4, 2, 7, 0);
        let begin = || {
            lender
                .table
                .begin_map(&borrower.track, VcpuId(0), host(4, false))
                .unwrap()
        };
        begin().abort();
        drop(begin());
        assert_eq!(lender.in_use(4), 0);
        assert!(lender.table.is_idle());
        let (handle, _) = map(&lender, &borrower, host(4, false)).unwrap();
        assert_eq!(handle.0 & 0xf_ffff, 0, "the handle's number was free again");
        let unmapping = borrower
            .track
            .begin_unmap(VcpuId(0), handle, true, false)
            .unwrap();
        assert_eq!(
            status(unmap(&lender, &borrower, handle)),
            Status::BadHandle,
            "it is busy"
        );
        unmapping.abort();
        unmap(&lender, &borrower, handle).unwrap();
    });
}

#[test]
fn host_and_device_mappings_go_one_by_one() {
    both_versions(|lender, borrower| {
        lender.lend(4, 2, 7, 0);
        let request = MapRequest {
            device: true,
            ..host(4, false)
        };
        let (handle, _) = map(&lender, &borrower, request).unwrap();
        let first = borrower
            .track
            .begin_unmap(VcpuId(0), handle, false, true)
            .unwrap();
        assert!(first.device() && !first.host());
        first.finish(Some(&lender.table));
        assert_eq!(lender.in_use(4), GTF_reading | GTF_writing);
        let again = borrower
            .track
            .begin_unmap(VcpuId(0), handle, false, true)
            .unwrap();
        assert!(!again.device(), "nothing left to do for devices");
        again.finish(Some(&lender.table));
        let last = borrower
            .track
            .begin_unmap(VcpuId(0), handle, true, true)
            .unwrap();
        assert!(last.host() && !last.device());
        last.finish(Some(&lender.table));
        assert_eq!(lender.in_use(4), 0);
        assert_eq!(status(borrower.track.mapping(handle)), Status::BadHandle);
    });
}

#[test]
fn an_entry_in_use_stays_what_it_was() {
    both_versions(|lender, borrower| {
        lender.lend(4, 2, 7, 0);
        let (first, _) = map(&lender, &borrower, host(4, true)).unwrap();
        // A lender that breaks the rules: another frame, another borrower.
        lender.lend(4, 3, 8, GTF_reading);
        let (second, grant) = map(&lender, &borrower, host(4, true)).unwrap();
        assert_eq!((grant.frame, grant.machine), (Gfn(7), Some(Mfn(7))));
        let stranger = domain(3, 0);
        assert_eq!(
            status(map(&lender, &stranger, host(4, true))),
            Status::General
        );
        assert_eq!(
            status(map(&lender, &borrower, host(4, false))),
            Status::General
        );
        unmap(&lender, &borrower, first).unwrap();
        unmap(&lender, &borrower, second).unwrap();
        assert_eq!(lender.in_use(4), 0);
        assert!(map(&lender, &stranger, host(4, false)).is_ok());
    });
}

#[test]
fn handles_run_out_and_are_told_apart_by_generation() {
    let (lender, borrower) = (domain(1, 1), domain(2, 0));
    lender.lend(4, 2, 7, 0);
    let mut handles: Vec<_> = (0..512)
        .map(|_| map(&lender, &borrower, host(4, true)).unwrap().0)
        .collect();
    assert_eq!(
        status(map(&lender, &borrower, host(4, true))),
        Status::NoSpace
    );
    let last = handles.pop().unwrap();
    unmap(&lender, &borrower, last).unwrap();
    let (next, _) = map(&lender, &borrower, host(4, true)).unwrap();
    assert_eq!(next.0 & 0xf_ffff, last.0 & 0xf_ffff);
    assert_ne!(next, last);
    assert_eq!(status(borrower.track.mapping(last)), Status::BadHandle);
    handles.push(next);
    for handle in [
        GrantHandle(u32::MAX),
        GrantHandle(512),
        GrantHandle(0x7ff_ffff),
    ] {
        assert_eq!(status(unmap(&lender, &borrower, handle)), Status::BadHandle);
    }
    handles
        .iter()
        .for_each(|handle| unmap(&lender, &borrower, *handle).unwrap());
    assert!(lender.table.is_idle());
}

#[test]
fn no_generation_makes_a_handle_of_all_ones() {
    let (lender, borrower) = (domain(1, 1), domain(2, 0));
    lender.lend(4, 2, 7, 0);
    let generations: std::collections::BTreeSet<u32> = (0..5000)
        .map(|_| {
            let (handle, _) = map(&lender, &borrower, host(4, true)).unwrap();
            unmap(&lender, &borrower, handle).unwrap();
            handle.0 >> 20
        })
        .collect();
    assert_eq!(
        (generations.len(), generations.last().copied()),
        (4095, Some(4094))
    );
}

#[test]
fn a_dying_borrower_and_a_dead_lender_are_cleaned_up() {
    let (lender, borrower) = (domain(1, 1), domain(2, 0));
    lender.lend(4, 2, 7, 0);
    lender.lend(5, 2, 8, 0);
    for reference in [4, 5, 4] {
        map(&lender, &borrower, host(reference, false)).unwrap();
    }
    assert_eq!(lender.table.next_pinned(GrantRef(0)), Some(GrantRef(4)));
    assert_eq!(lender.table.next_pinned(GrantRef(5)), Some(GrantRef(5)));
    let mut from = 0;
    while let Some((index, handle)) = borrower.track.next_mapping(from) {
        let unmapping = borrower
            .track
            .begin_unmap(VcpuId(0), handle, true, true)
            .unwrap();
        // The second lender is gone by then.
        unmapping.finish((index != 1).then_some(&lender.table));
        from = index + 1;
    }
    assert_eq!(from, 3);
    assert_eq!(borrower.track.next_mapping(0), None);
    assert_eq!(lender.table.next_pinned(GrantRef(0)), Some(GrantRef(5)));
}

#[test]
fn tables_grow_to_their_limit() {
    let table = GrantTable::new(DomainId(1), 3).unwrap();
    assert_eq!(
        (table.frame_count(), table.entry_count(), table.max_frames()),
        (0, 0, 3)
    );
    table.grow(2, || Some(Frame::empty())).unwrap();
    let first = table.frame(0).unwrap().clone();
    first.0[0].store(5, SeqCst);
    assert_eq!(
        status(table.grow(4, || Some(Frame::empty()))),
        Status::General
    );
    assert_eq!(status(table.grow(3, || None)), Status::NoSpace);
    assert_eq!(table.frame_count(), 2);
    table.grow(3, || Some(Frame::empty())).unwrap();
    table.grow(1, || panic!("no frame is needed")).unwrap();
    assert_eq!((table.frame_count(), table.entry_count()), (3, 1536));
    assert_eq!(table.frame(0).unwrap().0[0].load(SeqCst), 5);
    assert!(table.frame(3).is_none());
    assert!(GrantTable::<Frame>::new(DomainId(1), u32::MAX).is_err());
    assert!(Maptrack::<Frame>::new(DomainId(1), 0, u32::MAX).is_ok());
    let none = Maptrack::<Frame>::new(DomainId(1), 1, 0).unwrap();
    assert!(none.reserve(VcpuId(0)).is_err());
}

#[test]
fn a_record_of_an_entry_stays_small() {
    assert!(size_of::<spin::mutex::SpinMutex<crate::active::Active>>() <= 48);
}

#[test]
fn an_entry_is_held_a_bounded_number_of_times() {
    let (lender, borrower) = (domain(1, 1), domain(2, 0));
    lender.lend(4, 2, 7, 0);
    let borrower_id = borrower.track.domain();
    let copies: Vec<_> = (0..65535)
        .map(|_| {
            lender
                .table
                .begin_copy(borrower_id, GrantRef(4), false)
                .unwrap()
        })
        .collect();
    assert_eq!(
        status(lender.table.begin_copy(borrower_id, GrantRef(4), false)),
        Status::NoSpace
    );
    assert_eq!(lender.in_use(4), GTF_reading);
    drop(copies);
    assert_eq!(lender.in_use(4), 0);
}

#[test]
fn handles_that_are_prepared_are_given_as_others_are() {
    let lender = domain(1, 2);
    lender.lend(9, 2, 0x1234, 0);
    let (plain, prepared) = (domain(2, 0), domain(2, 0));
    assert!(prepared.track.prepare(512));
    // There are no more.
    assert!(prepared.track.prepare(u32::MAX));
    for borrower in [&plain, &prepared] {
        let (handle, _) = map(&lender, borrower, host(9, false)).unwrap();
        assert_eq!(handle, GrantHandle(0));
        unmap(&lender, borrower, handle).unwrap();
    }
}
