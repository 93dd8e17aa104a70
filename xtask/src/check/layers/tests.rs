//! Tests of the layer rule.

use super::{dependencies, may_use};

#[test]
fn arrows_point_down() {
    assert!(may_use("hypervisor", "hw"));
    assert!(may_use("hw", "core"));
    assert!(may_use("core", "core"));
    assert!(!may_use("core", "hw"));
    assert!(!may_use("abi", "core"));
    assert!(!may_use("guests", "core"));
    assert!(may_use("guests", "abi"));
}

#[test]
fn only_real_dependencies_count() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\nxen-abi.workspace = true\n# no\nspin = \"1\"\n[dev-dependencies]\nproptest = \"1\"\n";
    assert_eq!(dependencies(manifest), ["xen-abi", "spin"]);
}
