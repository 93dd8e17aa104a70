//! `vcpu_op`: a domain's own virtual processors.

use core::sync::atomic::Ordering::{AcqRel, Acquire};

use calls::VcpuOp;
use hw::window::Window;
use memory::{Budget, PageRef};
use vocabulary::{
    refuse as refused, Errno, Mfn, Nanos, Refusal, Refused, VcpuId, VirtAddr, PAGE_SIZE,
};
use xen_abi::arch_x86::VcpuGuestContext;
use xen_abi::sched::SHUTDOWN_poweroff;
use xen_abi::vcpu::{
    VcpuGetPhysid, VcpuRegisterRunstateMemoryArea, VcpuRegisterTimeMemoryArea,
    VcpuRegisterVcpuInfo, VcpuRunstateInfo, VcpuSetPeriodicTimer, VcpuSetSingleshotTimer,
};
use xen_abi::xen::VcpuTimeInfo;

use crate::hypercall::{refuse, Answer, Arguments, Caller};
use crate::vcpu::Vcpu;
use crate::vcpus::{self, INFO_BYTES};
use crate::{crash, events, guest, machine, nmi, schedule, vcpu_time};

/// The shortest period of a periodic timer in nanoseconds.
const SHORTEST_PERIOD: u64 = 1_000_000;
/// The longest (the largest difference of two times).
const LONGEST_PERIOD: u64 = i64::MAX as u64;
/// Table entries that `VCPUOP_initialise` may look at before it is continued.
const BUDGET: u32 = 12_000;

/// Arguments: operation, vCPU, its structure.
#[inline]
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, id, structure, ..] = arguments.0;
    let own = caller.vcpu;
    let domain = &own.domain;
    // A vCPU that asks about itself, as it does for its timer, is not counted as referenced once more.
    let other;
    let vcpu = if id == u64::from(own.id.0) {
        own
    } else if let Some(found) = domain.vcpu(VcpuId(id as u32)) {
        other = found;
        &other
    } else {
        if operation == u64::from(xen_abi::vcpu::VCPUOP_is_up) {
            // Linux counts its vCPUs by asking for 8192 of them: an answer, and nothing for the log.
            return Ok(Errno::ENOENT.answer() as u64);
        }
        return refuse(Errno::ENOENT, "the domain has no such vCPU");
    };
    match VcpuOp::from_number(operation as u32).map_err(Refusal::from)? {
        VcpuOp::SetSingleshotTimer => set_singleshot(own, vcpu, structure)?,
        VcpuOp::StopSingleshotTimer => {
            same(own, vcpu)?;
            vcpu.time.singleshot.stop();
        }
        VcpuOp::Initialise => return initialise(vcpu, structure),
        VcpuOp::Up => up(vcpu)?,
        VcpuOp::Down => down(own, vcpu),
        VcpuOp::IsUp => return Ok(u64::from(vcpu.is_up.load(Acquire))),
        VcpuOp::GetRunstateInfo => guest::write(structure, &runstate(vcpu))?,
        VcpuOp::RegisterRunstateMemoryArea => {
            let request = guest::read::<VcpuRegisterRunstateMemoryArea>(structure)?;
            area::<VcpuRunstateInfo>(request.addr)?;
            vcpu_time::register_runstate_area(vcpu, request.addr);
        }
        VcpuOp::SetPeriodicTimer => {
            let request = guest::read::<VcpuSetPeriodicTimer>(structure)?;
            if !(SHORTEST_PERIOD..=LONGEST_PERIOD).contains(&request.period_ns) {
                return refuse(Errno::EINVAL, "a period is at least a millisecond");
            }
            vcpu_time::set_period(vcpu, request.period_ns);
        }
        VcpuOp::StopPeriodicTimer => vcpu_time::set_period(vcpu, 0),
        VcpuOp::RegisterVcpuInfo => {
            let request = guest::read::<VcpuRegisterVcpuInfo>(structure)?;
            register_info(own, vcpu, &request)?;
        }
        VcpuOp::SendNmi => send_nmi(vcpu, structure)?,
        VcpuOp::GetPhysid => guest::write(structure, &physical_id(vcpu)?)?,
        VcpuOp::RegisterVcpuTimeMemoryArea => {
            let request = guest::read::<VcpuRegisterTimeMemoryArea>(structure)?;
            area::<VcpuTimeInfo>(request.addr)?;
            vcpu_time::register_time_area(vcpu, request.addr);
        }
    }
    Ok(0)
}

fn same(own: &Vcpu, vcpu: &Vcpu) -> Refused<()> {
    if own.id == vcpu.id {
        Ok(())
    } else {
        refused(Errno::EINVAL, "a vCPU sets its own timer only")
    }
}

/// Whether a `T` at the address would be guest memory. Address 0 stands for none.
fn area<T>(address: u64) -> Refused<()> {
    let size = core::mem::size_of::<T>() as u64;
    let is_guest = VirtAddr(address).is_guest() && hw::copy::is_guest_range(address, size);
    if address == 0 || is_guest {
        Ok(())
    } else {
        refused(Errno::EFAULT, "the area is no guest memory")
    }
}

#[inline]
fn set_singleshot(own: &Vcpu, vcpu: &Vcpu, structure: u64) -> Refused<()> {
    same(own, vcpu)?;
    // `VCPU_SSHOTTMR_future` asks for a refusal of deadlines that have passed; Xen 4.17 ignores it, and fires.
    let request = guest::read::<VcpuSetSingleshotTimer>(structure)?;
    vcpu.time
        .singleshot
        .set(vcpu.key, Nanos(request.timeout_abs_ns))
}

fn initialise(vcpu: &Vcpu, structure: u64) -> Answer {
    if !vcpus::has_info(vcpu) {
        return refuse(Errno::EINVAL, "the vCPU has no vcpu_info yet");
    }
    let context = guest::read::<VcpuGuestContext>(structure)?;
    // One initialisation at a time: of two, the second finds it done.
    let _initialising = INITIALISING.lock();
    if vcpu.is_initialised.load(Acquire) {
        return refuse(Errno::EEXIST, "the vCPU has its context");
    }
    vcpus::initialise(vcpu, &context, &mut Budget::new(BUDGET))?;
    Ok(0)
}

static INITIALISING: hw::sync::SpinLock<(), { crate::levels::INITIALISING }> =
    hw::sync::SpinLock::new(());

static GOING_DOWN: hw::sync::SpinLock<(), { crate::levels::INITIALISING }> =
    hw::sync::SpinLock::new(());

fn up(vcpu: &Vcpu) -> Refused<()> {
    if !vcpus::has_info(vcpu) || !vcpu.is_initialised.load(Acquire) {
        return refused(Errno::EINVAL, "the vCPU has no context yet");
    }
    schedule::up(vcpu);
    Ok(())
}

/// `VCPUOP_down`. The domain's last vCPU to go down switches it off.
fn down(own: &Vcpu, vcpu: &Vcpu) {
    let is_other_up = |other: &Vcpu| other.id != vcpu.id && other.is_up.load(Acquire);
    // One at a time in the machine: of the last two, the second finds the first one down.
    let going_down = GOING_DOWN.lock();
    let others = own.domain.vcpus().any(|other| is_other_up(&other));
    if others {
        schedule::down(vcpu);
    }
    drop(going_down);
    if !others {
        crash::end(own, SHUTDOWN_poweroff as u8);
    }
}

fn runstate(vcpu: &Vcpu) -> VcpuRunstateInfo {
    let fields = schedule::runstate(vcpu);
    VcpuRunstateInfo {
        state: fields.state as i32,
        _padding: 0,
        state_entry_time: fields.state_entry_time,
        time: fields.time,
    }
}

/// Moves `vcpu_info` to where the guest wants it, once; for itself or a vCPU that is down. Its contents move
/// along, and all events count as pending, so that none is lost that came meanwhile.
fn register_info(own: &Vcpu, vcpu: &Vcpu, request: &VcpuRegisterVcpuInfo) -> Refused<()> {
    let offset = request.offset as usize;
    if offset > PAGE_SIZE - INFO_BYTES || offset % 8 != 0 {
        return refused(
            Errno::ENXIO,
            "vcpu_info must be aligned and lie in one frame",
        );
    }
    if vcpu.info_registered.load(Acquire) {
        return refused(Errno::EINVAL, "the vCPU registered its vcpu_info before");
    }
    if own.id != vcpu.id && vcpu.is_up.load(Acquire) {
        return refused(Errno::EINVAL, "the vCPU is up, and is not the caller");
    }
    let frame = Mfn(request.mfn);
    let page = PageRef::acquire(machine::frames(), &machine::Machine, frame, vcpu.domain.id)?;
    let page = page
        .writable()
        .map_err(|_| Refusal::new(Errno::EINVAL, "the frame is not writable memory"))?;
    if vcpu.info_registered.swap(true, AcqRel) {
        return refused(Errno::EINVAL, "the vCPU registered its vcpu_info before");
    }
    let old = Mfn(vcpu.info_frame.load(Acquire));
    let new = Window::open(frame);
    if vcpus::dummy_info() == Some(old) {
        new.write(offset, &[0; INFO_BYTES]);
        new.write(offset + 1, &[1]);
    } else {
        let mut contents = [0; INFO_BYTES];
        Window::open(old).read(vcpu.id.0 as usize * INFO_BYTES, &mut contents);
        new.write(offset, &contents);
    }
    // The guest's page from now on, for as long as the domain lives.
    vcpu.set_info(page.keep(), offset);
    events::info_moved(vcpu);
    vcpu_time::publish(vcpu);
    Ok(())
}

fn send_nmi(vcpu: &Vcpu, structure: u64) -> Refused<()> {
    if structure != 0 {
        return refused(Errno::EINVAL, "an NMI takes no argument");
    }
    nmi::send(vcpu);
    Ok(())
}

/// `VCPUOP_get_physid`: the processor of a vCPU of the hardware domain that cannot leave it.
fn physical_id(vcpu: &Vcpu) -> Refused<VcpuGetPhysid> {
    let (affinity, _) = schedule::settings::affinity(vcpu);
    let only = affinity
        .lowest()
        .filter(|_| vcpu.domain.privileged && affinity.len() == 1);
    let apic_id = only.and_then(|cpu| hw::percpu::PerCpu::apic_id_of(cpu.0 as usize));
    match apic_id {
        // The firmware's own number of the processor is the same on the machines there are.
        Some(apic_id) => Ok(VcpuGetPhysid {
            phys_id: u64::from(apic_id) | u64::from(apic_id) << 32,
        }),
        None => refused(Errno::EINVAL, "the vCPU is not pinned to one processor"),
    }
}
