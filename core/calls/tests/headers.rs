//! Checks that the table lacks no hypercall and no operation that the C headers of libxen-dev name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use calls::{Operation, HYPERCALLS};

/// Every header that names operations. The first must come before `__XEN__` is defined.
const PROGRAM: &str = "#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/hvm/save.h>
#define __XEN__ 1
#include <xen/arch-x86/xen-mca.h>
#include <xen/argo.h>
#include <xen/callback.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/dm_op.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hypfs.h>
#include <xen/kexec.h>
#include <xen/memory.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/pmu.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/xenoprof.h>
#include <xen/xsm/flask_op.h>
";

/// Beginnings of the names of operations. With `…` only names that go on with a small letter are meant:
/// those with capitals are arguments there.
const FAMILIES: &[&str] = &[
    "__HYPERVISOR_…",
    "CALLBACKOP_",
    "CALLBACKTYPE_",
    "CONSOLEIO_",
    "EVTCHNOP_",
    "FLASK_",
    "GNTTABOP_",
    "HVMOP_…",
    "KEXEC_CMD_",
    "MAP_PIRQ_TYPE_",
    "MMUEXT_",
    "MMU_",
    "PHYSDEVOP_IRQ_",
    "PHYSDEVOP_…",
    "PMSTAT_…",
    "SCHEDOP_",
    "SEGBASE_",
    "VCPUOP_",
    "VMASST_TYPE_",
    "XENMAPSPACE_",
    "XENMEM_…",
    "XENNMI_",
    "XENOPROF_…",
    "XENPF_…",
    "XENPMU_…",
    "XENVER_",
    "XEN_ARGO_OP_",
    "XEN_DMOP_…",
    "XEN_DOMCTL_MONITOR_OP_",
    "XEN_DOMCTL_PSR_",
    "XEN_DOMCTL_SCHEDOP_",
    "XEN_DOMCTL_SENDTRIGGER_",
    "XEN_DOMCTL_SHADOW_OP_",
    "XEN_DOMCTL_VM_EVENT_OP_",
    "XEN_DOMCTL_…",
    "XEN_EFI_…",
    "XEN_FW_",
    "XEN_HYPFS_OP_",
    "XEN_MC_…",
    "XEN_PM_",
    "XEN_SYSCTL_COVERAGE_…",
    "XEN_SYSCTL_CPUPOOL_OP_",
    "XEN_SYSCTL_CPU_HOTPLUG_",
    "XEN_SYSCTL_LIVEPATCH_",
    "XEN_SYSCTL_LOCKPROF_",
    "XEN_SYSCTL_PERFCOP_",
    "XEN_SYSCTL_PSR_…",
    "XEN_SYSCTL_SCHEDOP_",
    "XEN_SYSCTL_TBUFOP_",
    "XEN_SYSCTL_…",
];

/// Names of those families that are no operations.
const NO_OPERATIONS: &[(&str, &str)] = &[
    ("__HYPERVISOR_arch_0", "called mca on x86"),
    ("GNTTABOP_error_msgs", "texts"),
    ("PHYSDEVOP_pirq_eoi_gmfn", "an alias of the second version"),
    ("XENMEM_resource_grant_table_id_shared", "an argument"),
    ("XENMEM_resource_grant_table_id_status", "an argument"),
    ("XENMEM_resource_ioreq_server_frame_bufioreq", "an argument"),
    ("XENMEM_resource_ioreq_server_frame_ioreq", "an argument"),
    ("XENOPROF_last_op", "a bound"),
    ("XENPF_settime", "an alias of settime64"),
    ("XEN_DMOP_no_gfns", "a flag"),
];

#[test]
fn the_table_lacks_no_operation_of_the_c_headers() {
    let ours = names();
    let theirs = macros_of_the_headers();
    for (name, _) in NO_OPERATIONS {
        assert!(theirs.contains(*name), "the headers have no {name}");
    }
    let missing: Vec<&String> = theirs
        .iter()
        .filter(|name| FAMILIES.iter().any(|family| belongs(name, family)))
        .filter(|name| !NO_OPERATIONS.iter().any(|(known, _)| known == name))
        .filter(|name| !ours.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "the table lacks {missing:#?}");
}

fn belongs(name: &str, family: &str) -> bool {
    match family.strip_suffix('…') {
        Some(beginning) => name
            .strip_prefix(beginning)
            .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_lowercase())),
        None => name.starts_with(family),
    }
}

/// The header names of every row.
fn names() -> BTreeSet<String> {
    fn add(operations: &[Operation], names: &mut BTreeSet<String>) {
        for row in operations {
            names.insert(row.name.to_string());
            add(row.operations, names);
        }
    }
    let mut names = BTreeSet::new();
    for row in HYPERCALLS {
        names.insert(format!("__HYPERVISOR_{}", row.name));
        add(row.operations, &mut names);
    }
    names
}

/// Every macro that is defined once the headers are included.
fn macros_of_the_headers() -> BTreeSet<String> {
    assert!(
        Path::new("/usr/include/xen/xen.h").exists(),
        "/usr/include/xen/xen.h is missing: apt install libxen-dev gcc"
    );
    let mut compiler = Command::new("cc")
        .args(["-E", "-dM", "-x", "c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cc does not start ({error}): apt install libxen-dev gcc"));
    let mut input = compiler.stdin.take().unwrap();
    input.write_all(PROGRAM.as_bytes()).unwrap();
    drop(input);
    let output = compiler.wait_with_output().unwrap();
    assert!(output.status.success(), "the headers do not compile");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("#define "))
        .filter_map(|rest| rest.split([' ', '(']).next())
        .map(str::to_string)
        .collect()
}
