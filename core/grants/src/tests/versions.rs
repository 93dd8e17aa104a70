//! Versions and swaps, one behaviour a test.

use vocabulary::{Errno, GrantRef, VcpuId};
use xen_abi::grant_table::{GTF_permit_access, GTF_reading, GTF_sub_page, GTF_writing};

use super::mock::{domain, host, map, unmap, Frame};
use crate::{Status, Version};

#[test]
fn version_2_has_half_the_entries_and_a_status_frame() {
    let lender = domain(1, 3);
    assert_eq!(
        lender.table.check_status_frames(0).unwrap_err().status,
        Status::General
    );
    let set = |version| lender.table.set_version(version, || Some(Frame::empty()));
    assert_eq!(set(0).unwrap_err().errno, Errno::EINVAL);
    assert_eq!(set(3).unwrap_err().errno, Errno::EINVAL);
    let none = lender.table.set_version(2, || None);
    assert_eq!(none.unwrap_err().errno, Errno::ENOMEM);
    assert_eq!(lender.table.version(), Version::V1);
    set(2).unwrap();
    assert_eq!(
        (
            lender.table.entry_count(),
            lender.table.status_frame_count()
        ),
        (768, 1)
    );
    assert!(lender.table.check_status_frames(1).is_ok());
    assert_eq!(
        lender.table.check_status_frames(2).unwrap_err().status,
        Status::General
    );
    lender.table.grow(8, || Some(Frame::empty())).unwrap();
    assert_eq!(lender.table.status_frame_count(), 1);
    set(1).unwrap();
    assert_eq!(lender.table.entry_count(), 4096);
}

#[test]
fn only_reserved_entries_survive_and_keep_their_users() {
    let (lender, borrower) = (domain(1, 2), domain(2, 0));
    lender.lend(0, 2, 50, 0);
    lender.lend(1, 2, 51, 0);
    lender.lend(9, 2, 52, 0);
    let (handle, _) = map(&lender, &borrower, host(1, false)).unwrap();
    let (blocking, _) = map(&lender, &borrower, host(9, false)).unwrap();
    let set = |version| lender.table.set_version(version, || Some(Frame::empty()));
    assert_eq!(set(2).unwrap_err().errno, Errno::EBUSY);
    assert_eq!(
        lender.in_use(9),
        GTF_reading | GTF_writing,
        "nothing changed"
    );
    unmap(&lender, &borrower, blocking).unwrap();
    set(2).unwrap();
    let plain = |borrower: u32| u32::from(GTF_permit_access) | borrower << 16;
    assert_eq!((lender.header(0), lender.header(1)), (plain(2), plain(2)));
    assert_eq!(
        (lender.in_use(0), lender.in_use(1)),
        (0, GTF_reading | GTF_writing)
    );
    assert_eq!(lender.header(9), 0);
    let (other, grant) = map(&lender, &borrower, host(0, true)).unwrap();
    assert_eq!(grant.frame.0, 50);
    set(1).unwrap();
    assert_eq!(lender.in_use(0), GTF_reading);
    assert_eq!(lender.in_use(1), GTF_reading | GTF_writing);
    unmap(&lender, &borrower, handle).unwrap();
    unmap(&lender, &borrower, other).unwrap();
    assert_eq!((lender.header(0), lender.header(1)), (plain(2), plain(2)));
    assert!(lender.table.is_idle());
}

#[test]
fn reserved_entries_that_the_other_version_lacks_are_dropped() {
    let lender = domain(1, 1);
    let set = |version| lender.table.set_version(version, || Some(Frame::empty()));
    set(2).unwrap();
    lender.lend(0, 2, 1 << 40, 0);
    lender.lend(1, 2, 51, GTF_sub_page);
    lender.lend(2, 2, 52, 0);
    set(1).unwrap();
    assert_eq!((lender.header(0), lender.header(1)), (0, 0));
    assert_ne!(lender.header(2), 0);
}

#[test]
fn swapped_entries_change_places() {
    for version in [1, 2] {
        let (lender, borrower) = (domain(1, 2), domain(2, 0));
        lender
            .table
            .set_version(version, || Some(Frame::empty()))
            .unwrap();
        lender.lend(10, 2, 70, 0);
        lender.lend(300, 2, 71, 0);
        lender.table.swap(GrantRef(300), GrantRef(10)).unwrap();
        let (handle, grant) = map(&lender, &borrower, host(10, false)).unwrap();
        assert_eq!(grant.frame.0, 71);
        let swap = |first, second| lender.table.swap(GrantRef(first), GrantRef(second));
        assert_eq!(swap(10, 11).unwrap_err().status, Status::Again);
        assert_eq!(swap(11, 10).unwrap_err().status, Status::Again);
        assert_eq!(swap(11, 9999).unwrap_err().status, Status::BadReference);
        swap(10, 10).unwrap();
        unmap(&lender, &borrower, handle).unwrap();
        swap(10, 11).unwrap();
        let pending = lender
            .table
            .begin_map(&borrower.track, VcpuId(0), host(11, false))
            .unwrap();
        assert_eq!(pending.grant().frame.0, 71);
    }
}
