//! `domctl`: what a toolstack does with one domain.

pub mod affinity;
pub mod contexts;
pub mod create;
pub mod destroy;
pub mod devices;
pub mod held;
pub mod hvm;
pub mod info;
pub mod lifecycle;
pub mod pages;
pub mod permissions;
pub mod policy;
pub mod request;
pub mod scheduling;
pub mod time;
pub mod watching;

use calls::DomctlOp;
use hw::sync::SpinLock;
use memory::Stop;
use vocabulary::{DomainId, Errno, Refusal};
use xen_abi::domctl::{
    Domctl, XEN_DOMCTL_createdomain, XEN_DOMCTL_getdomaininfo, XEN_DOMCTL_test_assign_device,
    XEN_DOMCTL_INTERFACE_VERSION,
};

use crate::hypercall::{refuse, Answer, Arguments, Caller};
use crate::{authority, domains, guest, levels};

pub use request::Request;

/// Held by whoever changes what domains there are and what they are made of. Nobody waits for it: the call of one who
/// finds it taken is made again.
pub static PLANE: SpinLock<(), { levels::CONTROL }> = SpinLock::new(());

/// Argument: the request.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [structure, ..] = arguments.0;
    let frame = guest::read::<Domctl>(structure)?;
    if frame.interface_version != XEN_DOMCTL_INTERFACE_VERSION {
        return refuse(
            Errno::EACCES,
            "the caller was made for another version of the interface",
        );
    }
    let needs_domain = ![
        XEN_DOMCTL_createdomain,
        XEN_DOMCTL_getdomaininfo,
        XEN_DOMCTL_test_assign_device,
    ]
    .contains(&frame.cmd)
        && !devices::is_about_nobody(&frame);
    let domain = domains::find(DomainId(frame.domain));
    if domain.is_none() && needs_domain {
        return refuse(Errno::ESRCH, "there is no such domain");
    }
    let control = authority::control(caller.vcpu)?;
    let operation = DomctlOp::from_number(frame.cmd).map_err(Refusal::from)?;
    match (operation, domain) {
        (DomctlOp::Getdomaininfo, domain) => info::get(structure, frame, domain),
        (DomctlOp::Createdomain, _) => {
            let Some(_alone) = PLANE.try_lock() else {
                return Err(Stop::Again);
            };
            create::create(structure, frame)
        }
        (operation, Some(domain)) => {
            let Some(_alone) = PLANE.try_lock() else {
                return Err(Stop::Again);
            };
            let vcpu = caller.vcpu;
            let mut request = Request {
                vcpu,
                _control: control,
                structure,
                frame,
                domain,
            };
            on_domain(operation, &mut request)
        }
        (DomctlOp::TestAssignDevice, None) => devices::test(),
        (DomctlOp::AssignDevice | DomctlOp::DeassignDevice, None) => devices::assign_nobody(&frame),
        (_, None) => refuse(Errno::ESRCH, "there is no such domain"),
    }
}

/// Does an operation on a domain that exists.
fn on_domain(operation: DomctlOp, request: &mut Request<'_>) -> Answer {
    match operation {
        DomctlOp::Createdomain | DomctlOp::Getdomaininfo => {
            refuse(Errno::EINVAL, "the operation is about no domain")
        }
        DomctlOp::Destroydomain => destroy::destroy(request),
        DomctlOp::Pausedomain => lifecycle::pause(request),
        DomctlOp::Unpausedomain => lifecycle::unpause(request),
        DomctlOp::Resumedomain => lifecycle::resume(request),
        DomctlOp::MaxVcpus => lifecycle::make_vcpus(request),
        DomctlOp::MaxMem => lifecycle::limit_memory(request),
        DomctlOp::Setdomainhandle => lifecycle::set_handle(request),
        DomctlOp::Setvcpucontext => contexts::set(request),
        DomctlOp::Getvcpucontext => contexts::get(request),
        DomctlOp::SetExtVcpucontext => contexts::set_more(request),
        DomctlOp::GetExtVcpucontext => contexts::get_more(request),
        DomctlOp::SetVcpuMsrs => contexts::set_registers(request),
        DomctlOp::GetVcpuMsrs => contexts::get_registers(request),
        DomctlOp::Setvcpuextstate => contexts::set_state(request),
        DomctlOp::Getvcpuextstate => contexts::get_state(request),
        DomctlOp::Getvcpuinfo => affinity::info(request),
        DomctlOp::Setvcpuaffinity => affinity::set(request),
        DomctlOp::Getvcpuaffinity => affinity::get(request),
        DomctlOp::Setnodeaffinity => affinity::set_nodes(request),
        DomctlOp::Getnodeaffinity => affinity::get_nodes(request),
        DomctlOp::SchedulerOp => scheduling::adjust(request),
        DomctlOp::Getpageframeinfo3 => pages::types(request),
        DomctlOp::HypercallInit => pages::hypercall_page(request),
        DomctlOp::SetAddressSize => pages::set_width(request),
        DomctlOp::GetAddressSize => pages::width(request),
        DomctlOp::IoportPermission => permissions::ports(request),
        DomctlOp::IomemPermission => permissions::frames(request),
        DomctlOp::IrqPermission => permissions::interrupts(request),
        DomctlOp::MemoryMapping => permissions::map_frames(request),
        DomctlOp::IoportMapping => permissions::map_ports(request),
        DomctlOp::GetCpuPolicy => policy::get(request),
        DomctlOp::SetCpuPolicy => policy::set(request),
        DomctlOp::Settimeoffset => time::set_offset(request),
        DomctlOp::Settscinfo => time::set_time_stamps(request),
        DomctlOp::Gettscinfo => time::time_stamps(request),
        other => apart(other, request),
    }
}

/// Does an operation on a domain that is about less usual things. The others are listed, so that one that becomes known
/// must be handled.
fn apart(operation: DomctlOp, request: &mut Request<'_>) -> Answer {
    use DomctlOp as Op;
    match operation {
        Op::ShadowOp => hvm::shadow(request),
        Op::SetTarget => hvm::set_target(request),
        Op::GetPagingMempoolSize | Op::SetPagingMempoolSize => hvm::paging_memory(),
        Op::Gethvmcontext | Op::Sethvmcontext | Op::GethvmcontextPartial => hvm::context(),
        Op::AssignDevice | Op::DeassignDevice => devices::assign(request),
        Op::TestAssignDevice | Op::GetDeviceGroup => devices::test(),
        Op::BindPtIrq | Op::UnbindPtIrq => devices::bind_interrupt(request),
        Op::Setvnumainfo => affinity::describe_nodes(request),
        Op::Setdebugging => watching::set_debugging(request),
        Op::Sendtrigger => watching::trigger(request),
        Op::Subscribe => watching::subscribe(request),
        Op::SetVirqHandler => watching::set_virq_handler(request),
        Op::VmEventOp => watching::ring(request),
        Op::MonitorOp => watching::monitor(request),
        Op::DebugOp | Op::VmtraceOp | Op::SetBrokenPageP2m => watching::of_hvm(),
        Op::SetAccessRequired => watching::set_access_required(request),
        Op::PsrCmtOp => watching::watch_cache(),
        Op::PsrAlloc => watching::divide_cache(request),
        Op::SoftReset => watching::soft_reset(),
        // Listed, so that an operation that becomes known must be handled here or above.
        #[rustfmt::skip]
        Op::Createdomain | Op::Getdomaininfo | Op::Destroydomain | Op::Pausedomain |
        Op::Unpausedomain | Op::Resumedomain | Op::MaxVcpus | Op::MaxMem |
        Op::Setdomainhandle | Op::Setvcpucontext | Op::Getvcpucontext |
        Op::SetExtVcpucontext | Op::GetExtVcpucontext | Op::SetVcpuMsrs | Op::GetVcpuMsrs |
        Op::Setvcpuextstate | Op::Getvcpuextstate | Op::Getvcpuinfo | Op::Setvcpuaffinity |
        Op::Getvcpuaffinity | Op::Setnodeaffinity | Op::Getnodeaffinity | Op::SchedulerOp |
        Op::Getpageframeinfo3 | Op::HypercallInit | Op::SetAddressSize | Op::GetAddressSize
        | Op::IoportPermission | Op::IomemPermission | Op::IrqPermission | Op::MemoryMapping
        | Op::IoportMapping | Op::GetCpuPolicy | Op::SetCpuPolicy | Op::Settimeoffset |
        Op::Settscinfo | Op::Gettscinfo => refuse(Errno::ENOSYS, "the operation is done elsewhere"),
    }
}
