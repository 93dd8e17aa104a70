//! Making vCPUs, and giving one its first context (`VCPUOP_initialise`).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release},
};

use calls::CallbackType;
use events::Waiting;
use hw::descriptors::DescriptorWindow;
use hw::fpu::FpuState;
use hw::registers::Registers;
use hw::sync::SpinLock;
use hw::vcpu::{guest_rflags, mode, VcpuContext};
use memory::{Budget, Stop};
use sched::{CpuId, CpuSet, VcpuKey, VcpuParameters};
use spin::Once;
use vocabulary::{refuse, Errno, MachineAddr, Mfn, Refusal, Refused, VcpuId, VirtAddr};
use xen_abi::arch_x86::{
    CpuUserRegs, VGCF_failsafe_disables_events, VGCF_online, VGCF_syscall_disables_events,
    VcpuGuestContext, VGCF_I387_VALID, VGCF_IN_KERNEL, XEN_LEGACY_MAX_VCPUS,
};
use xen_abi::xen::VcpuInfo;

use crate::calls::{callback_op, set_debugreg, set_gdt, set_trap_table, stack_switch};
use crate::counters::Counters;
use crate::domain::{Domain, VcpuLink};
use crate::vcpu::{Bases, DescriptorFrames, TrapEntry, Vcpu, NOWHERE};
use crate::vcpu_time::VcpuTime;
use crate::{boot, local_table, machine, privileged, schedule, time_stamps};

/// Heap that a vCPU needs, generously: its vector state is the most of it.
pub const HEAP_BYTES: usize = 24 << 10;
/// Bytes of `vcpu_info`.
pub const INFO_BYTES: usize = core::mem::size_of::<VcpuInfo>();
/// CR0 bit that a guest may choose: TS.
const CR0_TS: u64 = 1 << 3;

const OUT_OF_MEMORY: Refusal = Refusal::new(Errno::ENOMEM, "no memory for another vCPU");

/// The frame in which vCPUs have their `vcpu_info` that have no place for it in the shared page and have not
/// registered one. No guest sees it.
pub fn dummy_info() -> Option<Mfn> {
    static FRAME: Once<Option<Mfn>> = Once::new();
    *FRAME.call_once(|| machine::take_own(0))
}

/// Makes the vCPUs of a domain, all down and without context. The scheduler owns them from then on. ENOMEM; EEXIST
/// where it has them. Only its creator calls this.
pub fn create_all(domain: &Arc<Domain>, count: u32) -> Refused<()> {
    let mut vcpus = Vec::new();
    if vcpus.try_reserve_exact(count as usize).is_err() {
        return Err(OUT_OF_MEMORY);
    }
    for id in 0..count {
        match create(domain, VcpuId(id)) {
            Ok(vcpu) => vcpus.push(VcpuLink {
                context: Arc::clone(&vcpu.context),
                vcpu: Arc::downgrade(&vcpu),
            }),
            Err(refusal) => {
                forget(&vcpus);
                return Err(refusal);
            }
        }
    }
    if domain.vcpus.is_completed() {
        forget(&vcpus);
        return refuse(Errno::EEXIST, "the domain has its vCPUs");
    }
    domain.vcpus.call_once(|| vcpus);
    Ok(())
}

/// Undoes [`create`].
fn forget(vcpus: &[VcpuLink]) {
    for vcpu in vcpus.iter().filter_map(|link| link.vcpu.upgrade()) {
        schedule::remove(&vcpu);
    }
}

/// Makes one vCPU, down and without context. ENOMEM.
pub fn create(domain: &Arc<Domain>, id: VcpuId) -> Refused<Arc<Vcpu>> {
    let fpu = FpuState::new().ok_or(OUT_OF_MEMORY)?;
    let window =
        DescriptorWindow::new(&mut |order| machine::take_own(order)).map_err(|_| OUT_OF_MEMORY)?;
    let time = VcpuTime::new(id)?;
    let context = Arc::new(VcpuContext::new());
    context.window.store(window.number(), Relaxed);
    let place = if (id.0 as usize) < XEN_LEGACY_MAX_VCPUS {
        (domain.shared_info, id.0 as usize * INFO_BYTES)
    } else {
        (dummy_info().ok_or(OUT_OF_MEMORY)?, 0)
    };
    // Domains with one vCPU do not all begin on the same processor.
    let turn = id.0.wrapping_add(u32::from(domain.id.0));
    let first_cpu = CpuId(turn % crate::processors::count().max(1) as u32);
    let is_pinned = domain.privileged && boot::options().dom0_vcpus_pinned;
    let hard_affinity = if is_pinned {
        CpuSet::only(first_cpu)
    } else {
        CpuSet::ALL
    };
    let key = schedule::insert(&VcpuParameters {
        domain: domain.scheduled_as,
        number: id.0,
        hard_affinity,
        first_cpu,
        ..VcpuParameters::default()
    })?;
    let vcpu = Arc::new(assemble(domain, id, key, context, fpu, window, time));
    // The first vCPU of dom0 gets no context from anybody, so it has this from the start.
    privileged::set_cr4(&vcpu, 0);
    time_stamps::apply(&vcpu);
    vcpu.set_info(place.0, place.1);
    vcpu.context.info().upcall_mask.store(1, Relaxed);
    schedule::attach(&vcpu);
    Ok(vcpu)
}

fn assemble(
    domain: &Arc<Domain>,
    id: VcpuId,
    key: VcpuKey,
    context: Arc<VcpuContext>,
    fpu: FpuState,
    window: DescriptorWindow,
    time: VcpuTime,
) -> Vcpu {
    Vcpu {
        id,
        domain: Arc::clone(domain),
        context,
        fpu,
        saved: SpinLock::new(Registers::default()),
        traps: Box::new(core::array::from_fn(|_| TrapEntry::default())),
        window,
        descriptors: SpinLock::new(DescriptorFrames::default()),
        bases: Bases::default(),
        info_frame: AtomicU64::new(0),
        info_registered: AtomicBool::new(false),
        key,
        is_up: AtomicBool::new(false),
        is_initialised: AtomicBool::new(false),
        waiting: Waiting::new(),
        pauses: AtomicU32::new(0),
        nmi_pending: AtomicBool::new(false),
        processor: AtomicU32::new(0),
        is_running: AtomicBool::new(false),
        loaded_on: AtomicU32::new(NOWHERE),
        time,
        counters: Counters::new(),
    }
}

/// Whether the vCPU has a place for its `vcpu_info` that its guest knows; without, it cannot run.
pub fn has_info(vcpu: &Vcpu) -> bool {
    (vcpu.id.0 as usize) < XEN_LEGACY_MAX_VCPUS || vcpu.info_registered.load(Relaxed)
}

/// Gives a vCPU, which is down and has none, its first context. EINVAL: something in it is not the guest's to
/// have. With [`Stop::Again`] nothing is changed but how far its tables are validated.
pub fn initialise(
    vcpu: &Vcpu,
    context: &VcpuGuestContext,
    budget: &mut Budget,
) -> Result<(), Stop> {
    check(context)?;
    let kernel = frame_of_base(context.ctrlreg.get(3));
    let user = frame_of_base(context.ctrlreg.get(1));
    if context.flags & VGCF_IN_KERNEL == 0 && user.0 == 0 {
        return Ok(refuse(
            Errno::EINVAL,
            "a user program needs user page tables",
        )?);
    }
    // References come last: what else is set does not matter until the vCPU is initialised.
    set_entry_points(vcpu, context)?;
    take_bases(vcpu, kernel, user, budget)?;
    let frames = context.gdt_ents.div_ceil(512) as usize;
    let listed = context
        .gdt_frames
        .iter()
        .take(frames)
        .map(|&frame| Mfn(frame));
    let gdt: arrayvec::ArrayVec<Mfn, 16> = listed.collect();
    let tables = set_gdt::set(vcpu, &gdt, context.gdt_ents as u32)
        .and_then(|()| local_table::give(vcpu, VirtAddr(context.ldt_base), context.ldt_ents));
    if let Err(refusal) = tables {
        give_bases_back(vcpu, budget)?;
        return Err(refusal.into());
    }
    set_state(vcpu, context);
    vcpu.is_initialised.store(true, Release);
    if context.flags & VGCF_online != 0 {
        schedule::up(vcpu);
    }
    Ok(())
}

/// Changes a vCPU that has its context and does not run: all but its page tables and descriptors. EINVAL: something in
/// the new one is not the guest's to have.
pub fn change(vcpu: &Vcpu, context: &VcpuGuestContext) -> Refused<()> {
    check(context)?;
    let has_user = vcpu.bases.user.load(Relaxed) != 0;
    if context.flags & VGCF_IN_KERNEL == 0 && !has_user {
        return refuse(Errno::EINVAL, "a user program needs user page tables");
    }
    set_entry_points(vcpu, context)?;
    set_state(vcpu, context);
    if context.flags & VGCF_online != 0 {
        schedule::up(vcpu);
    } else {
        schedule::down(vcpu);
    }
    Ok(())
}

/// The frame that a value of CR3 names.
fn frame_of_base(register: Option<&u64>) -> Mfn {
    MachineAddr(register.copied().unwrap_or(0)).frame()
}

/// What can be told without looking at frames.
fn check(context: &VcpuGuestContext) -> Refused<()> {
    let entries = [
        context.event_callback_eip,
        context.failsafe_callback_eip,
        context.syscall_callback_eip,
    ];
    let handlers = context.trap_ctxt.iter().map(|trap| trap.address);
    if entries
        .into_iter()
        .chain(handlers)
        .any(|address| !VirtAddr(address).is_canonical())
    {
        return refuse(Errno::EINVAL, "a handler's address is not canonical");
    }
    let addresses = [
        context.user_regs.rip,
        context.fs_base,
        context.gs_base_kernel,
        context.gs_base_user,
        context.ldt_base,
    ];
    if addresses
        .into_iter()
        .any(|address| !VirtAddr(address).is_canonical())
    {
        return refuse(Errno::EINVAL, "an address or segment base is not canonical");
    }
    if context.gdt_ents > 14 * 512 {
        return refuse(Errno::EINVAL, "the GDT is larger than fourteen frames");
    }
    if context.ldt_ents > 8192 || context.ldt_base & 0xfff != 0 {
        return refuse(Errno::EINVAL, "the LDT is misaligned or too large");
    }
    Ok(())
}

/// References the tables. With [`Stop::Again`] the vCPU keeps what it has got so far of them; refused, nothing.
fn take_bases(vcpu: &Vcpu, kernel: Mfn, user: Mfn, budget: &mut Budget) -> Result<(), Stop> {
    let bases = &vcpu.bases;
    let has = |base: &AtomicU64, wanted: Mfn| [0, wanted.0].contains(&base.load(Relaxed));
    if !has(&bases.kernel, kernel) || !has(&bases.user, user) {
        // Of an attempt with other tables.
        give_bases_back(vcpu, budget)?;
    }
    let mmu = machine::mmu();
    for (base, frame) in [(&bases.kernel, kernel), (&bases.user, user)] {
        if base.load(Relaxed) == frame.0 {
            continue;
        }
        let taken = mmu.take_base(&mut vcpu.domain.paging.lock(), frame, budget);
        if let Err(Stop::Refused(refusal)) = taken {
            give_bases_back(vcpu, budget)?;
            return Err(refusal.into());
        }
        taken?;
        base.store(frame.0, Relaxed);
    }
    vcpu.context.kernel_cr3.store(kernel.address().0, Relaxed);
    vcpu.context.user_cr3.store(user.address().0, Relaxed);
    Ok(())
}

/// Gives a vCPU's page tables back. [`Stop::Again`]: call again to go on.
pub fn give_bases_back(vcpu: &Vcpu, budget: &mut Budget) -> Result<(), Stop> {
    let mmu = machine::mmu();
    let mut paging = vcpu.domain.paging.lock();
    for base in [&vcpu.bases.kernel, &vcpu.bases.user] {
        let frame = Mfn(base.load(Relaxed));
        if frame.0 != 0 {
            mmu.release_base(&mut paging, frame, budget)?;
            base.store(0, Relaxed);
        }
    }
    mmu.finish(&mut paging, budget)
}

/// Handlers, callbacks and the kernel's stack.
fn set_entry_points(vcpu: &Vcpu, context: &VcpuGuestContext) -> Refused<()> {
    for (number, trap) in context.trap_ctxt.iter().enumerate() {
        // The array is by vector; what its entries say of their own is nothing.
        let trap = xen_abi::arch_x86::TrapInfo {
            vector: number as u8,
            ..*trap
        };
        set_trap_table::set(vcpu, &trap);
    }
    let masks = |flag| context.flags & flag != 0;
    callback_op::set(vcpu, CallbackType::Event, context.event_callback_eip, true)?;
    let failsafe_masks = masks(VGCF_failsafe_disables_events);
    callback_op::set(
        vcpu,
        CallbackType::Failsafe,
        context.failsafe_callback_eip,
        failsafe_masks,
    )?;
    let syscall_masks = masks(VGCF_syscall_disables_events);
    callback_op::set(
        vcpu,
        CallbackType::Syscall,
        context.syscall_callback_eip,
        syscall_masks,
    )?;
    if context.kernel_sp != 0 {
        stack_switch::set(vcpu, context.kernel_ss, context.kernel_sp);
    }
    Ok(())
}

/// Registers and what goes with them. All of it was checked.
fn set_state(vcpu: &Vcpu, context: &VcpuGuestContext) {
    let state = &vcpu.context;
    let registers = &context.user_regs;
    *vcpu.saved.lock() = frame(registers);
    let selectors = [registers.ds, registers.es, registers.fs, registers.gs].map(u64::from);
    let [ds, es, fs, gs] = selectors;
    state
        .selectors
        .store(ds | es << 16 | fs << 32 | gs << 48, Relaxed);
    state.fs_base.store(context.fs_base, Relaxed);
    state.gs_base_kernel.store(context.gs_base_kernel, Relaxed);
    state.gs_base_user.store(context.gs_base_user, Relaxed);
    state
        .iopl
        .store((registers.rflags >> 12) as u8 & 3, Relaxed);
    let [cr0, _, _, _, cr4, ..] = context.ctrlreg;
    state.cr0.store(cr0 & CR0_TS, Relaxed);
    privileged::set_cr4(vcpu, cr4);
    for (number, &value) in (0..).zip(&context.debugreg) {
        // One that a guest cannot have stays as it was: the interface drops it without a word.
        let _ = set_debugreg::set(vcpu, number, value);
    }
    if context.flags & VGCF_I387_VALID != 0 {
        vcpu.fpu.set_legacy(&context.fpu_ctxt);
    }
    let in_kernel = context.flags & VGCF_IN_KERNEL != 0;
    let has_user = vcpu.bases.user.load(Relaxed) != 0;
    let (mut set, mut clear) = (0, 0);
    *(if in_kernel { &mut set } else { &mut clear }) |= mode::KERNEL;
    *(if has_user { &mut clear } else { &mut set }) |= mode::NO_USER;
    state.change_mode(set, clear);
}

/// The frame that a guest's registers make.
fn frame(registers: &CpuUserRegs) -> Registers {
    Registers {
        r15: registers.r15,
        r14: registers.r14,
        r13: registers.r13,
        r12: registers.r12,
        rbp: registers.rbp,
        rbx: registers.rbx,
        r11: registers.r11,
        r10: registers.r10,
        r9: registers.r9,
        r8: registers.r8,
        rax: registers.rax,
        rcx: registers.rcx,
        rdx: registers.rdx,
        rsi: registers.rsi,
        rdi: registers.rdi,
        error_code: 0,
        vector: 0,
        rip: registers.rip,
        cs: u64::from(registers.cs | 3),
        rflags: guest_rflags(registers.rflags),
        rsp: registers.rsp,
        ss: u64::from(registers.ss | 3),
    }
}
