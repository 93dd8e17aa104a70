//! Which names are kernels of a flavour.

use super::is_kernel;

#[test]
fn a_flavour_is_told_from_the_others() {
    assert!(is_kernel("linux-image-6.1.0-56-amd64", "amd64"));
    assert!(is_kernel("linux-image-6.1.0-56-cloud-amd64", "cloud-amd64"));
    assert!(!is_kernel("linux-image-6.1.0-56-cloud-amd64", "amd64"));
    assert!(!is_kernel("linux-image-6.1.0-56-amd64.partial", "amd64"));
    assert!(!is_kernel("linux-image-amd64", "amd64"));
}
