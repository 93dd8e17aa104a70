//! Tests of what Bochs is told.

use super::describe;
use crate::machine::{Hypervisor, Machine};
use std::path::{Path, PathBuf};

#[test]
fn the_boot_disk_comes_first_and_what_is_written_to_the_other_is_forgotten() {
    let hypervisor = Hypervisor::Xen(PathBuf::from("/xen"));
    let machine = Machine::with_modules(&hypervisor, Vec::new())
        .processors(3)
        .memory(512)
        .disk(Path::new("/toolstack"));
    let text = describe(&machine, Path::new("/boot"), Path::new("/folder"));
    for expected in [
        "count=3, quantum=5, ips=1000000000,",
        "memory: guest=512, host=512\n",
        "ata0-master: type=disk, mode=flat, path=/boot\n",
        "ata0-slave: type=disk, mode=volatile, path=/toolstack, journal=/folder/ata0-slave\n",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
