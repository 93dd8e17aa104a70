//! Tests of what QEMU is told.

use super::{initrd_argument, Hypervisor, Machine, Pace, Program};
use crate::dom0::Dom0;
use std::path::PathBuf;

fn words(machine: &Machine) -> String {
    let list = machine.arguments();
    let words: Vec<_> = list.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

#[test]
fn commas_in_modules_are_doubled() {
    let modules = [
        (PathBuf::from("/a,b"), "x=1,2".to_owned()),
        (PathBuf::from("/c"), String::new()),
    ];
    assert_eq!(initrd_argument(&modules), "/a,,b x=1,,2,/c");
}

#[test]
fn a_counted_machine_has_no_threads() {
    let hypervisor = Hypervisor::Xen(PathBuf::from("/xen"));
    let mut machine = Machine::with_modules(&hypervisor, Vec::new()).words("dom0_mem=1G");
    assert!(words(&machine).contains("tcg,thread=multi"));
    machine.pace = Pace::Counted;
    assert!(words(&machine).contains("-icount shift=0,sleep=off"));
    assert!(!words(&machine).contains("-initrd"));
    assert!(words(&machine).contains("spec-ctrl=eager-fpu dom0_mem=1G"));
}

#[test]
fn nodes_share_memory_and_processors() {
    let machine = Machine::with_modules(&Hypervisor::Bare, Vec::new())
        .processors(4)
        .memory(1024)
        .nodes(2);
    let words = words(&machine);
    for expected in [
        "memory-backend-ram,id=node0,size=512M",
        "node,nodeid=0,memdev=node0,cpus=0-1",
        "node,nodeid=1,memdev=node1,cpus=2-3",
        "dist,src=0,dst=1,val=21",
    ] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
}

#[test]
fn on_bochs_the_toolstack_lies_behind_the_boot_disk() {
    let dom0 = Dom0 {
        kernel: PathBuf::from("/kernel"),
        initramfs: PathBuf::from("/initramfs"),
        toolstack: Some(PathBuf::from("/toolstack")),
    };
    let hypervisor = Hypervisor::Xen(PathBuf::from("/xen"));
    let machine = Machine::for_parallel_work(&hypervisor, &dom0, "cases");
    assert_eq!(machine.program, Program::Bochs);
    assert_eq!(machine.disks, [PathBuf::from("/toolstack")]);
    assert!(words(&machine).contains("disk=sdb"));
    assert!(machine.command_line().contains("x2apic=0"));
}
