//! Xen 4.17's public interface as Rust types and constants: layouts and numbers, no logic.
//!
//! One module a header. Constants keep the header's own spelling; structures have the header's fields
//! and the 64-bit guest's layout, and are plain bytes (`zerocopy`), so that safe code can copy them in
//! and out of guest memory: `T::new_zeroed()`, `value.as_bytes()`, `T::read_from_prefix(bytes)`.
//! A C union is an array of words in the structure that holds it, and one structure a variant.
//! `tests/layout.rs` compares all of it with the C headers of Debian's `libxen-dev`.
#![cfg_attr(not(test), no_std)]

#[macro_use]
pub mod layout;

pub mod arch_x86;
pub mod argo;
pub mod callback;
pub mod console;
pub mod dm_op;
pub mod domctl;
pub mod domctl_device;
pub mod domctl_memory;
pub mod domctl_vcpu;
pub mod domctl_watch;
pub mod elfnote;
pub mod errno;
pub mod event_channel;
pub mod features;
pub mod flask;
pub mod grant_table;
pub mod hvm_op;
pub mod hypfs;
pub mod kexec;
pub mod mca;
pub mod memory;
pub mod nmi;
pub mod physdev;
pub mod platform;
pub mod platform_firmware;
pub mod platform_power;
pub mod sched;
pub mod start_info;
pub mod sysctl;
pub mod sysctl_machine;
pub mod sysctl_processors;
pub mod sysctl_watch;
pub mod vcpu;
pub mod version;
pub mod xen;
pub mod xenoprof;
pub mod xenpmu;

pub use errno::Errno;

use layout::Header;

macro_rules! headers {
    ($($module:ident = $file:literal),* $(,)?) => {
        /// Every module with the header it describes.
        pub const HEADERS: &[Header] = &[
            $(Header { file: $file, structures: $module::STRUCTURES, constants: $module::CONSTANTS }),*
        ];
    };
}

headers! {
    arch_x86 = "arch-x86/xen.h",
    argo = "argo.h",
    callback = "callback.h",
    console = "io/console.h",
    dm_op = "hvm/dm_op.h",
    domctl = "domctl.h",
    domctl_device = "domctl.h",
    domctl_memory = "domctl.h",
    domctl_vcpu = "domctl.h",
    domctl_watch = "domctl.h",
    elfnote = "elfnote.h",
    errno = "errno.h",
    event_channel = "event_channel.h",
    features = "features.h",
    flask = "xsm/flask_op.h",
    grant_table = "grant_table.h",
    hvm_op = "hvm/hvm_op.h",
    hypfs = "hypfs.h",
    kexec = "kexec.h",
    mca = "arch-x86/xen-mca.h",
    memory = "memory.h",
    nmi = "nmi.h",
    physdev = "physdev.h",
    platform = "platform.h",
    platform_firmware = "platform.h",
    platform_power = "platform.h",
    sched = "sched.h",
    start_info = "arch-x86/hvm/start_info.h",
    sysctl = "sysctl.h",
    sysctl_machine = "sysctl.h",
    sysctl_processors = "sysctl.h",
    sysctl_watch = "sysctl.h",
    vcpu = "vcpu.h",
    version = "version.h",
    xen = "xen.h",
    xenoprof = "xenoprof.h",
    xenpmu = "pmu.h",
}
