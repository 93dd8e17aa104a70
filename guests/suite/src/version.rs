//! `xen_version` and the pages handed over at start: `start_info`, `shared_info`.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::hypercall::*;
use guest_kit::pages::Page;
use guest_kit::start::start_info;

/// The group.
pub const GROUP: Group = Group {
    name: "version",
    cases: &[
        case!(
            "version-number",
            "xen_version(version) gives 4.17 as major and minor in one word",
            number
        ),
        case!(
            "start-info-magic",
            "start_info begins with xen-3.0-x86_64 and marks dom0",
            magic
        ),
    ],
};

fn number() {
    assert_eq!(xen_version(0, 0), 4 << 16 | 17);
}

fn magic() {
    let info = start_info();
    assert!(info.magic.starts_with(b"xen-3.0-x86_64"));
    assert_eq!(info.flags & 3, 3);
    let page = Page::take();
    assert_eq!(page.machine() & 0xfff, 0);
}
