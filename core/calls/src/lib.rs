//! The one table of every hypercall and sub-operation of Xen 4.17's public headers, with its state here.
//!
//! Everything that could disagree about what works comes from it: the hypervisor's dispatcher
//! ([`with_done_hypercalls!`]), the enums handlers match on ([`MemoryOp`] and the others hold the done
//! operations only), the names in the log, and the coverage page ([`write_markdown`]).
//! To change a state, change one word: in `table.rs` for a hypercall, in the file of its subject for a
//! sub-operation.
#![cfg_attr(not(test), no_std)]

#[macro_use]
mod operations;

mod control;
mod coverage;
mod events;
mod grants;
mod guest;
mod hvm;
mod machine;
mod memory;
mod platform;
mod processor;
mod services;
mod table;
#[cfg(test)]
mod tests;

pub use control::{
    DomctlDebugOp, DomctlMonitorOp, DomctlOp, DomctlPsrAllocOp, DomctlPsrCmtOp, DomctlSchedulerOp,
    DomctlShadowOp, DomctlTrigger, DomctlVmEventOp, DomctlVmtraceOp,
};
pub use coverage::write_markdown;
pub use events::EventChannelOp;
pub use grants::GrantTableOp;
pub use guest::{ConsoleIoOp, VersionOp};
pub use hvm::{Altp2mOp, DeviceModelOp, HvmOp};
pub use machine::{
    SysctlCoverageOp, SysctlCpuHotplugOp, SysctlCpuPolicy, SysctlCpupoolOp, SysctlFeatureset,
    SysctlLivepatchOp, SysctlLockProfileOp, SysctlOp, SysctlPageOfflineOp, SysctlPerformanceOp,
    SysctlPmOp, SysctlPmStatOp, SysctlPsrAllocOp, SysctlPsrCmtOp, SysctlSchedulerOp, SysctlTraceOp,
};
pub use memory::{
    AccessOp, AssistType, MapSpace, MemoryOp, MmuUpdateOp, MmuextOp, PagingOp, ResourceType,
    SharingOp,
};
pub use operations::{NotDone, Operation, State};
pub use platform::{
    EfiCall, EfiInfo, FirmwareInfoType, PhysdevOp, PirqType, PlatformOp, PowerInfoType,
};
pub use processor::{CallbackOp, CallbackType, NmiOp, SchedOp, SegmentBase, VcpuOp};
pub use services::{ArgoOp, FlaskOp, HypfsOp, KexecOp, MachineCheckOp, ProfileOp, XenpmuOp};
pub use table::{hypercall, Hypercall, HYPERCALLS};
