//! Copies through grants, and the second version of the grant table.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::grants::*;
use guest_kit::hypercall::*;
use guest_kit::mmu;
use guest_kit::pages::Page;

/// The group.
pub const GROUP: Group = Group {
    name: "copies",
    cases: &[
        case!(
            "copy-frames",
            "a copy between our own frames moves just the bytes named",
            frames
        ),
        case!(
            "copy-from-grant",
            "a copy from a grant reads it",
            from_grant
        ),
        case!("copy-to-grant", "a copy to a grant writes it", to_grant),
        case!(
            "copy-to-readonly",
            "a copy to a read-only grant is refused",
            to_readonly
        ),
        case!(
            "copy-bad-range",
            "a copy across the end of a page is refused",
            bad_range
        ),
        case!("copy-empty", "a copy of no bytes is allowed", empty),
        case!(
            "copy-stale",
            "a copy from a grant taken back is refused",
            stale
        ),
        case!(
            "copy-bad-reference",
            "a copy from a reference beyond the table is refused",
            bad_reference
        ),
        case!(
            "copy-bad-domain",
            "a copy from a domain that does not exist is refused",
            bad_domain
        ),
        case!(
            "copy-bad-frame",
            "a copy from a frame that is not ours is refused",
            bad_frame
        ),
        case!(
            "copy-to-table",
            "a copy onto a page table is refused",
            to_table
        ),
        case!(
            "copy-pins",
            "a copy leaves the entry's flags as they were",
            leaves_flags
        ),
        case!(
            "v2-map",
            "a version-2 entry maps, its use shows in the status frames",
            v2_map
        ),
        case!(
            "v2-sub-page",
            "a version-2 sub-page grant copies within its bounds only",
            v2_sub_page
        ),
        case!(
            "v2-status-frames",
            "get_status_frames refuses more than there are",
            v2_status
        ),
    ],
};

const OURSELVES: u16 = 0x7ff0;
const REFERENCE: u32 = 30;
/// The source is a grant reference.
const FROM_GRANT: u16 = 1;
/// The destination is a grant reference.
const TO_GRANT: u16 = 2;

fn end(frame_or_reference: u64, domain: u16, offset: u16) -> CopyEnd {
    CopyEnd {
        frame_or_reference,
        domain,
        offset,
        pad: 0,
    }
}

fn own(page: Page, offset: u16) -> CopyEnd {
    end(page.mfn(), OURSELVES, offset)
}

fn granted(offset: u16) -> CopyEnd {
    end(REFERENCE as u64, 0, offset)
}

fn pair() -> (Page, Page) {
    let (source, target) = (Page::take(), Page::take());
    source.bytes().fill(0x55);
    (source, target)
}

fn frames() {
    let (source, target) = pair();
    assert_eq!(copy(own(source, 16), own(target, 100), 10, 0), status::OKAY);
    let bytes = target.bytes();
    assert_eq!(
        (bytes[99], bytes[100], bytes[109], bytes[110]),
        (0, 0x55, 0x55, 0)
    );
}

fn from_grant() {
    let (source, target) = pair();
    setup().grant(REFERENCE, PERMIT_ACCESS | READ_ONLY, 0, source.mfn());
    assert_eq!(
        copy(granted(0), own(target, 0), 4096, FROM_GRANT),
        status::OKAY
    );
    assert_eq!(target.bytes()[4095], 0x55);
}

fn to_grant() {
    let (source, target) = pair();
    setup().grant(REFERENCE, PERMIT_ACCESS, 0, target.mfn());
    assert_eq!(copy(own(source, 0), granted(4), 4, TO_GRANT), status::OKAY);
    assert_eq!(target.words()[0], 0x5555_5555_0000_0000);
}

fn to_readonly() {
    let (source, target) = pair();
    setup().grant(REFERENCE, PERMIT_ACCESS | READ_ONLY, 0, target.mfn());
    assert_eq!(
        copy(own(source, 0), granted(0), 4, TO_GRANT),
        status::GENERAL_ERROR
    );
    assert_eq!(target.words()[0], 0);
}

fn bad_range() {
    let (source, target) = pair();
    for (from, to, length) in [
        (4090, 0, 7),
        (0, 4090, 7),
        (1, 0, 4096),
        (0, 4096, 1),
        (0, 0, 4097),
        (0, 0, 65535),
    ] {
        let result = copy(own(source, from), own(target, to), length, 0);
        assert_eq!(result, status::BAD_COPY_ARG, "{from} {to} {length}");
    }
    assert_eq!(target.words()[0], 0);
}

fn empty() {
    let (source, target) = pair();
    assert_eq!(copy(own(source, 0), own(target, 0), 0, 0), status::OKAY);
    assert_eq!(target.words()[0], 0);
}

fn stale() {
    let (source, target) = pair();
    setup().grant(REFERENCE, 0, 0, source.mfn());
    assert_eq!(
        copy(granted(0), own(target, 0), 4, FROM_GRANT),
        status::GENERAL_ERROR
    );
}

fn bad_reference() {
    let (_, target) = pair();
    let from = end(1 << 20, 0, 0);
    assert_eq!(
        copy(from, own(target, 0), 4, FROM_GRANT),
        status::BAD_GNTREF
    );
}

fn bad_domain() {
    let (_, target) = pair();
    let from = end(REFERENCE as u64, 0x1234, 0);
    assert_eq!(
        copy(from, own(target, 0), 4, FROM_GRANT),
        status::BAD_DOMAIN
    );
}

fn bad_frame() {
    let (source, target) = pair();
    for mfn in [0xff_ffff, crate::mmu_entries::hypervisor_mfn()] {
        let bad = end(mfn, OURSELVES, 0);
        let results = [
            copy(bad, own(target, 0), 4, 0),
            copy(own(source, 0), bad, 4, 0),
        ];
        assert_eq!(results, [status::BAD_PAGE; 2], "{mfn:#x}");
    }
}

fn to_table() {
    let (source, table) = pair();
    table.make_readonly();
    assert_eq!(mmu::pin(1, table.mfn()), 0);
    assert_ne!(copy(own(source, 0), own(table, 0), 4, 0), status::OKAY);
    assert_eq!(table.words()[0], 0);
}

fn leaves_flags() {
    let (source, target) = pair();
    let table = setup();
    table.grant(REFERENCE, PERMIT_ACCESS, 0, source.mfn());
    assert_eq!(
        copy(granted(0), own(target, 0), 4, FROM_GRANT),
        status::OKAY
    );
    assert_eq!(table.flags(REFERENCE), PERMIT_ACCESS);
}

fn set_version(version: u32) {
    let mut argument = version;
    assert_eq!(table_op(op::SET_VERSION, at_mut(&mut argument), 1), 0);
}

/// Runs with version 2 and its first frames of entries and of status words mapped.
fn with_v2(test: fn(Page, Page)) {
    set_version(2);
    let table = setup();
    let mut frames = [0u64; 1];
    // nr_frames, dom, status, frame_list
    let mut argument = [1 | (OURSELVES as u64) << 32, frames.as_mut_ptr() as u64];
    assert_eq!(table_op(op::GET_STATUS_FRAMES, at_mut(&mut argument), 1), 0);
    assert_eq!((argument[0] >> 48) as i16, status::OKAY);
    let words = Page::take();
    let entry = frames[0] << 12 | mmu::WRITABLE;
    assert_eq!(mmu::update_va_mapping(words.va, entry, mmu::INVLPG), 0);
    test(table.frame, words);
    words.unmap();
    table.frame.unmap();
    set_version(1);
}

/// Writes a version-2 entry: flags and domain, offset and length of a sub-page, frame.
fn grant_v2(table: Page, flags: u16, sub_page: (u16, u16), mfn: u64) {
    let entry = &mut table.words()[2 * REFERENCE as usize..][..2];
    entry[1] = mfn;
    entry[0] = flags as u64 | (sub_page.0 as u64) << 32 | (sub_page.1 as u64) << 48;
}

fn status_of(words: Page) -> u16 {
    (words.words()[REFERENCE as usize / 4] >> (16 * (REFERENCE % 4))) as u16
}

fn v2_map() {
    with_v2(|table, words| {
        let (source, window) = pair();
        grant_v2(table, PERMIT_ACCESS, (0, 0), source.mfn());
        let map = map(window.va, MAP_HOST, REFERENCE, 0);
        assert_eq!((map.status, window.bytes()[0]), (status::OKAY, 0x55));
        assert_eq!(status_of(words), READING | WRITING);
        assert_eq!(unmap(window.va, map.handle), status::OKAY);
        assert_eq!(status_of(words), 0);
    });
}

fn v2_sub_page() {
    with_v2(|table, _| {
        let (source, target) = pair();
        grant_v2(table, PERMIT_ACCESS | SUB_PAGE, (64, 32), source.mfn());
        let from = |offset, length| copy(granted(offset), own(target, 0), length, FROM_GRANT);
        assert_eq!(from(64, 32), status::OKAY);
        assert_eq!(target.words()[3..5], [0x5555_5555_5555_5555, 0]);
        for (offset, length) in [(0, 8), (60, 8), (64, 33), (96, 1)] {
            assert_eq!(
                from(offset, length),
                status::GENERAL_ERROR,
                "{offset} {length}"
            );
        }
        let window = Page::take();
        let status = map(window.va, MAP_HOST, REFERENCE, 0).status;
        assert_eq!(status, status::GENERAL_ERROR, "a part cannot be mapped");
    });
}

fn v2_status() {
    with_v2(|_, _| {
        let frames = [0u64; 64];
        let mut argument = [1000 | (OURSELVES as u64) << 32, at(&frames)];
        assert_eq!(table_op(op::GET_STATUS_FRAMES, at_mut(&mut argument), 1), 0);
        assert_eq!((argument[0] >> 48) as i16, status::GENERAL_ERROR);
    });
}
