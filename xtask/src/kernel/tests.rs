//! Tests of reading what a kernel module depends on.

use super::{canonical, depends};

#[test]
fn dependencies_come_from_the_module_itself() {
    let with = b"\x7fELF\0license=GPL\0depends=virtio,virtio_ring\0retpoline=Y\0";
    assert_eq!(depends(with), ["virtio", "virtio_ring"]);
    assert!(depends(b"\0license=GPL\0depends=\0").is_empty());
    assert!(depends(b"no such string").is_empty());
}

#[test]
fn file_names_and_module_names_meet() {
    assert_eq!(canonical("xen-evtchn"), "xen_evtchn");
}
