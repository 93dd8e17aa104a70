//! Copies and transfers, one behaviour a test.

use std::sync::atomic::Ordering::SeqCst;

use vocabulary::{DomainId, Gfn, GrantRef};
use xen_abi::grant_table::{
    GTF_accept_transfer, GTF_permit_access, GTF_reading, GTF_readonly, GTF_sub_page,
    GTF_transfer_committed, GTF_transfer_completed, GTF_transitive, GTF_writing,
};

use super::mock::{domain, host, map, Domain, Frame};
use crate::{CopyAccess, CopyPin, Granted, Status};

fn lender(version: u32) -> Domain {
    let lender = domain(1, 2);
    lender
        .table
        .set_version(version, || Some(Frame::empty()))
        .unwrap();
    lender
}

fn begin(lender: &Domain, reference: u32, write: bool) -> Granted<CopyAccess<'_, Frame>> {
    lender
        .table
        .begin_copy(DomainId(2), GrantRef(reference), write)
}

fn direct(access: Granted<CopyAccess<'_, Frame>>) -> CopyPin<'_, Frame> {
    match access.unwrap() {
        CopyAccess::Direct(pin) => pin,
        CopyAccess::Transitive(_) => panic!("a transitive grant"),
    }
}

fn status<T>(result: Granted<T>) -> Status {
    result.err().unwrap().status
}

#[test]
fn a_copy_pins_the_entry_while_it_lasts() {
    for version in [1, 2] {
        let lender = lender(version);
        lender.lend(8, 2, 77, 0);
        let pin = direct(begin(&lender, 8, false));
        assert_eq!(
            (pin.owner(), pin.frame(), pin.writable()),
            (DomainId(1), Gfn(77), false)
        );
        assert_eq!(lender.in_use(8), GTF_reading);
        let other = direct(begin(&lender, 8, true));
        assert_eq!(lender.in_use(8), GTF_reading | GTF_writing);
        drop(other);
        assert_eq!(lender.in_use(8), GTF_reading);
        drop(pin);
        assert_eq!(lender.in_use(8), 0);
        lender.lend(8, 2, 77, GTF_readonly);
        assert_eq!(status(begin(&lender, 8, true)), Status::General);
        assert_eq!(status(begin(&lender, 9999, true)), Status::BadReference);
    }
}

#[test]
fn a_copy_stays_in_the_page_and_in_the_part_lent() {
    let lender = lender(2);
    lender.lend(8, 2, 77, 0);
    let pin = direct(begin(&lender, 8, false));
    assert!(pin.check(0, 4096).is_ok());
    assert_eq!(status(pin.check(1, 4096)), Status::BadCopyArgument);
    assert_eq!(
        status(pin.check(u16::MAX, u16::MAX)),
        Status::BadCopyArgument
    );
    lender.write(9, GTF_permit_access | GTF_sub_page, 2, 100 | 50 << 16, 78);
    let part = direct(begin(&lender, 9, false));
    assert_eq!(part.frame(), Gfn(78));
    assert!(part.check(100, 50).is_ok());
    assert!(part.check(149, 1).is_ok());
    assert_eq!(status(part.check(99, 2)), Status::General);
    assert_eq!(status(part.check(149, 2)), Status::General);
    lender.write(10, GTF_permit_access | GTF_sub_page, 2, u32::MAX, 78);
    let odd = direct(begin(&lender, 10, false));
    assert_eq!(status(odd.check(0, 1)), Status::General);
}

#[test]
fn a_transitive_grant_leads_to_another_lender_once() {
    let (middle, end) = (lender(2), domain(3, 1));
    end.lend(20, 1, 500, 0);
    middle.write(8, GTF_transitive, 2, 3, 20);
    let CopyAccess::Transitive(through) = begin(&middle, 8, true).unwrap() else {
        panic!("not transitive");
    };
    assert_eq!(through.lender(), DomainId(3));
    let pin = through.resolve(&end.table).unwrap();
    assert_eq!((pin.owner(), pin.frame()), (DomainId(3), Gfn(500)));
    assert_eq!(middle.in_use(8), GTF_reading | GTF_writing);
    assert_eq!(end.in_use(20), GTF_reading | GTF_writing);
    drop(pin);
    assert_eq!((middle.in_use(8), end.in_use(20)), (0, 0));

    // To oneself, to the wrong table, to an entry for somebody else, and through two of them.
    middle.write(8, GTF_transitive, 2, 1, 9);
    assert_eq!(status(begin(&middle, 8, false)), Status::General);
    let resolve = |table: &Domain| match begin(&middle, 8, false).unwrap() {
        CopyAccess::Transitive(through) => through.resolve(&table.table).map(drop),
        CopyAccess::Direct(_) => panic!("not transitive"),
    };
    middle.write(8, GTF_transitive, 2, 3, 21);
    assert_eq!(status(resolve(&domain(4, 1))), Status::BadDomain);
    assert_eq!(status(resolve(&end)), Status::General);
    end.table.set_version(2, || Some(Frame::empty())).unwrap();
    end.write(21, GTF_transitive, 1, 5, 21);
    assert_eq!(status(resolve(&end)), Status::General);
    assert_eq!(middle.in_use(8), 0);
    assert!(middle.table.is_idle() && end.table.is_idle());
}

#[test]
fn a_transfer_is_committed_then_completed() {
    for version in [1, 2] {
        let receiver = lender(version);
        let begin = |frame| {
            receiver
                .table
                .begin_transfer(DomainId(2), GrantRef(8), frame)
        };
        assert_eq!(status(begin(None)), Status::BadReference, "not prepared");
        receiver.write(8, GTF_accept_transfer, 3, 0, 40);
        assert_eq!(status(begin(None)), Status::BadReference, "another sender");
        receiver.write(8, GTF_accept_transfer, 2, 0, 40);
        let large = begin(Some(Gfn(1 << 40)));
        assert_eq!(large.is_ok(), version == 2);
        drop(large);
        let flags = || receiver.header(8) as u16;
        assert_eq!(flags(), GTF_accept_transfer, "taken back");
        let pin = begin(Some(Gfn(0x999))).unwrap();
        assert_eq!(pin.slot(), Gfn(40));
        assert_eq!(flags(), GTF_accept_transfer | GTF_transfer_committed);
        assert_eq!(
            status(begin(None)),
            Status::BadReference,
            "committed already"
        );
        assert!(!receiver.table.is_idle());
        pin.complete();
        let done = GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed;
        assert_eq!(flags(), done);
        let (frame, index) = receiver.place(8);
        assert_eq!(frame.0[index + version as usize].load(SeqCst), 0x999);
        assert_eq!(
            status(begin(None)),
            Status::BadReference,
            "completed already"
        );
        assert!(receiver.table.is_idle());
    }
}

#[test]
fn an_entry_is_not_lent_and_transferred_at_once() {
    let receiver = lender(1);
    receiver.write(8, GTF_accept_transfer, 2, 0, 40);
    let pin = receiver
        .table
        .begin_transfer(DomainId(2), GrantRef(8), None)
        .unwrap();
    receiver.lend(8, 2, 40, 0);
    assert_eq!(status(begin(&receiver, 8, false)), Status::General);
    pin.abort();
    let borrower = domain(2, 0);
    receiver.lend(8, 2, 40, 0);
    map(&receiver, &borrower, host(8, false)).unwrap();
    receiver.write(8, GTF_accept_transfer, 2, 0, 40);
    let begun = receiver
        .table
        .begin_transfer(DomainId(2), GrantRef(8), None);
    assert_eq!(status(begun), Status::BadReference);
}
