//! Contexts of vCPUs: registers, tables and handlers as a whole, and what came later beside them.

use alloc::vec::Vec;
use core::sync::atomic::Ordering::{Acquire, Relaxed};

use hw::vcpu::Callback;
use memory::{Attempt, Budget};
use vocabulary::{refuse, Errno, Refused, VirtAddr};
use xen_abi::arch_x86::VcpuGuestContext;
use xen_abi::domctl_vcpu::{ExtVcpucontext, VcpuContext, VcpuMsr, VcpuMsrs, Vcpuextstate};
use xen_abi::xen::{VMASST_TYPE_m2p_strict, VMASST_TYPE_runstate_update_flag};

use super::held::{Held, HeldDomain};
use super::Request;
use crate::{clock, contexts, cpuid, guest, vcpus};

/// Table entries looked at before the call is continued.
const BUDGET: u32 = 12_000;
/// Bytes before the vector state of `XEN_DOMCTL_getvcpuextstate`: XCR0, and all it ever was.
const STATE_HEADER: usize = 16;
/// Bytes of [`ExtVcpucontext`] before its machine-check part.
const WITHOUT_MACHINE_CHECKS: usize = core::mem::offset_of!(ExtVcpucontext, vmce);
/// The most bytes of vector state there can be (Intel SDM volume 1, chapter 13: 11 KiB with AMX).
const MOST_STATE: u64 = 16 * 1024;

/// The assists a PV domain can have.
const ASSISTS: u64 =
    ((1 << (VMASST_TYPE_runstate_update_flag + 1)) - 1) | (1 << VMASST_TYPE_m2p_strict);

/// `XEN_DOMCTL_setvcpucontext`. EINVAL: the caller's own domain, no such vCPU, or something in it is not the guest's to
/// have; EFAULT.
pub fn set(request: &mut Request<'_>) -> Attempt<u64> {
    let asked: VcpuContext = request.part()?;
    if request.is_own() {
        return Ok(refuse(
            Errno::EINVAL,
            "a domain does not do this to itself",
        )?);
    }
    let vcpu = request.vcpu_of_domain(asked.vcpu, Errno::EINVAL)?;
    if asked.ctxt == 0 {
        if !vcpu.is_initialised.load(Acquire) {
            return Ok(0);
        }
        return Ok(refuse(Errno::EOPNOTSUPP, "a vCPU is not reset")?);
    }
    let context = guest::read::<VcpuGuestContext>(asked.ctxt)?;
    if vcpu.id.0 == 0 && context.vm_assist & !ASSISTS != 0 {
        return Ok(refuse(Errno::EINVAL, "there is no such assist")?);
    }
    let _held = HeldDomain::new(&request.domain);
    if vcpu.is_initialised.load(Acquire) {
        contexts::check_tables(&vcpu, &context)?;
        vcpus::change(&vcpu, &context)?;
    } else {
        vcpus::initialise(&vcpu, &context, &mut Budget::new(BUDGET))?;
    }
    if vcpu.id.0 == 0 {
        request.domain.set_assists(context.vm_assist, u64::MAX);
        // The domain's builder has cleared the shared page by now, and with it the wall clock.
        clock::publish_wall(&request.domain);
    }
    Ok(0)
}

/// `XEN_DOMCTL_getvcpucontext`. EINVAL: no such vCPU, or the caller itself; ENODATA: it has none; EFAULT.
pub fn get(request: &mut Request<'_>) -> Attempt<u64> {
    let asked: VcpuContext = request.part()?;
    let vcpu = request.vcpu_of_domain(asked.vcpu, Errno::EINVAL)?;
    if core::ptr::eq(&*vcpu, request.vcpu) {
        return Ok(refuse(Errno::EINVAL, "a vCPU does not do this to itself")?);
    }
    if !vcpu.is_initialised.load(Acquire) {
        return Ok(refuse(Errno::ENODATA, "the vCPU has no context yet")?);
    }
    let held = Held::new(&vcpu);
    let context = contexts::show(&vcpu);
    drop(held);
    guest::write(asked.ctxt, &context)?;
    request.answer(&asked)?;
    Ok(0)
}

/// `XEN_DOMCTL_get_ext_vcpucontext`. ESRCH: no such vCPU, or the caller itself.
pub fn get_more(request: &mut Request<'_>) -> Attempt<u64> {
    let mut part: ExtVcpucontext = request.part()?;
    let vcpu = request.vcpu_of_domain(part.vcpu, Errno::ESRCH)?;
    if core::ptr::eq(&*vcpu, request.vcpu) {
        return Ok(refuse(Errno::ESRCH, "a vCPU does not do this to itself")?);
    }
    let held = Held::new(&vcpu);
    let state = &vcpu.context;
    let masks = |callback: &Callback| callback.masks_events.load(Relaxed);
    part.size = core::mem::size_of::<ExtVcpucontext>() as u32;
    part.syscall32_callback_eip = state.syscall32.entry.load(Relaxed);
    part.sysenter_callback_eip = state.sysenter.entry.load(Relaxed);
    part.syscall32_disables_events = masks(&state.syscall32);
    part.sysenter_disables_events = masks(&state.sysenter);
    (
        part.syscall32_callback_cs,
        part.sysenter_callback_cs,
        part._padding,
    ) = (0, 0, 0);
    // There are no banks of machine checks for guests, so nothing about them.
    part.vmce = zerocopy::FromZeros::new_zeroed();
    drop(held);
    request.answer(&part)?;
    Ok(0)
}

/// `XEN_DOMCTL_set_ext_vcpucontext`. ESRCH: no such vCPU; EINVAL: the caller itself, or a handler's address is not
/// canonical.
pub fn set_more(request: &mut Request<'_>) -> Attempt<u64> {
    let part: ExtVcpucontext = request.part()?;
    let vcpu = request.vcpu_of_domain(part.vcpu, Errno::ESRCH)?;
    if core::ptr::eq(&*vcpu, request.vcpu) || (part.size as usize) < WITHOUT_MACHINE_CHECKS {
        return Ok(refuse(
            Errno::EINVAL,
            "a vCPU does not do this to itself, nor is less than the callbacks set",
        )?);
    }
    let entries = [part.syscall32_callback_eip, part.sysenter_callback_eip];
    if entries.iter().any(|&entry| !VirtAddr(entry).is_canonical()) {
        return Ok(refuse(
            Errno::EINVAL,
            "a callback's address is not canonical",
        )?);
    }
    let _held = Held::new(&vcpu);
    let state = &vcpu.context;
    for (callback, entry, masks) in [
        (
            &state.syscall32,
            part.syscall32_callback_eip,
            part.syscall32_disables_events,
        ),
        (
            &state.sysenter,
            part.sysenter_callback_eip,
            part.sysenter_disables_events,
        ),
    ] {
        callback.masks_events.store(u8::from(masks != 0), Relaxed);
        callback.entry.store(entry, Relaxed);
    }
    Ok(0)
}

/// `XEN_DOMCTL_get_vcpu_msrs`: a PV guest's registers are all zero, so there are none to tell. ESRCH: no such vCPU; EINVAL:
/// the caller itself.
pub fn get_registers(request: &mut Request<'_>) -> Attempt<u64> {
    let mut part: VcpuMsrs = request.part()?;
    check_other(request, part.vcpu)?;
    part.msr_count = if part.msrs == 0 { MOST_REGISTERS } else { 0 };
    request.answer(&part)?;
    Ok(0)
}

/// What toolstacks make room for.
const MOST_REGISTERS: u32 = 7;

/// `XEN_DOMCTL_set_vcpu_msrs`. ESRCH: no such vCPU; EINVAL: the caller itself, or a register that guests do not
/// have; EFAULT.
pub fn set_registers(request: &mut Request<'_>) -> Attempt<u64> {
    let mut part: VcpuMsrs = request.part()?;
    check_other(request, part.vcpu)?;
    if part.msr_count != 0 {
        guest::read::<VcpuMsr>(part.msrs)?;
        part.msr_count = 0;
        request.answer(&part)?;
        return Ok(refuse(
            Errno::EINVAL,
            "guests have no register that is set from outside",
        )?);
    }
    Ok(0)
}

fn check_other(request: &Request<'_>, number: u32) -> Refused<()> {
    let vcpu = request.vcpu_of_domain(number, Errno::ESRCH)?;
    if core::ptr::eq(&*vcpu, request.vcpu) {
        return refuse(Errno::EINVAL, "a vCPU does not do this to itself");
    }
    Ok(())
}

/// `XEN_DOMCTL_getvcpuextstate`: without `buffer` and size, how large it is. ESRCH: no such vCPU; EINVAL: the caller
/// itself, or another size; EFAULT.
pub fn get_state(request: &mut Request<'_>) -> Attempt<u64> {
    let mut part: Vcpuextstate = request.part()?;
    let vcpu = request.vcpu_of_domain(part.vcpu, Errno::ESRCH)?;
    if core::ptr::eq(&*vcpu, request.vcpu) {
        return Ok(refuse(Errno::EINVAL, "a vCPU does not do this to itself")?);
    }
    let _held = Held::new(&vcpu);
    let image = vcpu.fpu.bytes();
    let xcr0 = vcpu.context.xcr0.load(Relaxed);
    let size = (image.len() + STATE_HEADER) as u64;
    part.xfeature_mask = hw::fpu::enabled();
    if part.size == 0 && part.buffer == 0 {
        part.size = size;
        request.answer(&part)?;
        return Ok(0);
    }
    if part.size != size {
        return Ok(refuse(
            Errno::EINVAL,
            "the buffer is not as large as the state",
        )?);
    }
    guest::write(part.buffer, &[xcr0, part.xfeature_mask])?;
    let place = part.buffer.wrapping_add(STATE_HEADER as u64);
    guest::write_bytes(place, image)?;
    request.answer(&part)?;
    Ok(0)
}

/// `XEN_DOMCTL_setvcpuextstate`. ESRCH: no such vCPU; EINVAL: the caller itself, or no state this machine has; EFAULT.
pub fn set_state(request: &mut Request<'_>) -> Attempt<u64> {
    let part: Vcpuextstate = request.part()?;
    let vcpu = request.vcpu_of_domain(part.vcpu, Errno::ESRCH)?;
    let header = STATE_HEADER as u64;
    let is_own = core::ptr::eq(&*vcpu, request.vcpu);
    if is_own || part.size < header || part.size > MOST_STATE {
        return Ok(refuse(
            Errno::EINVAL,
            "a vCPU does not do this to itself, and its state has a header and at most 16 KiB",
        )?);
    }
    let [xcr0, ever] = guest::read::<[u64; 2]>(part.buffer)?;
    if part.size == header {
        // All of it is as after a reset.
        return Ok(0);
    }
    let allowed = cpuid::state_components(&request.domain);
    if !hw::fpu::is_valid_xcr0(xcr0) || xcr0 & !allowed != 0 || xcr0 & !ever != 0 {
        return Ok(refuse(
            Errno::EINVAL,
            "the state has components that the domain has not",
        )?);
    }
    let size = vcpu.fpu.bytes().len();
    let given = (part.size - header) as usize;
    let mut image = Vec::new();
    if given > size || image.try_reserve_exact(size).is_err() {
        return Ok(refuse(
            Errno::EINVAL,
            "the state is larger than this machine's",
        )?);
    }
    image.resize(size, 0);
    let place = image.get_mut(..given).unwrap_or_default();
    guest::read_bytes(part.buffer.wrapping_add(header), place)?;
    let _held = Held::new(&vcpu);
    if !vcpu.fpu.set_bytes(&image, ever & allowed) {
        return Ok(refuse(
            Errno::EINVAL,
            "the state is not one that the processor loads",
        )?);
    }
    vcpu.context.xcr0.store(xcr0, Relaxed);
    Ok(0)
}
