//! A vCPU's time: its timers, and what the guest is shown of the clock and of its own running.

use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};

use guest_time::{
    Runstate, RunstateArea, RunstateFields, TimeFields, Version, VersionedRecord, TSC_STABLE,
};
use hw::copy::{self, GuestFault};
use hw::percpu::PerCpu;
use hw::switch;
use hw::sync::SpinLock;
use hw::vcpu::SharedVcpuInfo;
use vocabulary::{Nanos, Refused, VcpuId, VirtAddr};
use xen_abi::xen::{VMASST_TYPE_runstate_update_flag, VIRQ_TIMER};

use crate::timers::{Purpose, Room, Timer};
use crate::vcpu::Vcpu;
use crate::watchdog::Watchdogs;
use crate::{clock, events, levels, schedule, timers, work};

/// Address of an area that the guest did not register.
const NONE: u64 = u64::MAX;
/// Period of the periodic timer of a vCPU that said nothing: Xen's PV guests begin with 100 ticks a second.
const FIRST_PERIOD: u64 = 10_000_000;

/// Timers of each vCPU: the single-shot one, and the end of a poll.
const OWN_TIMERS: usize = 2;

/// A vCPU's time.
pub struct VcpuTime {
    /// The single-shot timer.
    pub singleshot: Timer,
    /// The timer that ends a poll.
    pub poll: Timer,
    /// The domain's watchdogs, where this is its first vCPU.
    pub watchdogs: Watchdogs,
    /// Nanoseconds between ticks; zero for no ticks.
    period: AtomicU64,
    /// When the next tick is due.
    next_tick: AtomicU64,
    /// Where the guest wants its runstate.
    runstate_area: AtomicU64,
    /// Where the guest wants its time beside `vcpu_info`.
    time_area: AtomicU64,
    /// The clock's generation that the guest was told last.
    told: AtomicU32,
    versions: SpinLock<Versions, { levels::VCPU_TIME }>,
    /// That its timers can be set.
    _room: Room,
}

/// Version counters of the two records of time.
#[derive(Default)]
struct Versions {
    info: Version,
    area: Version,
}

impl VcpuTime {
    /// Nothing registered, nothing told. ENOMEM: there is no room for its timers.
    pub fn new(id: VcpuId) -> Refused<Self> {
        let watchdogs = if id.0 == 0 { Watchdogs::COUNT } else { 0 };
        Ok(Self {
            _room: Room::reserve(OWN_TIMERS + watchdogs)?,
            singleshot: Timer::new(Purpose::Singleshot),
            poll: Timer::new(Purpose::Poll),
            watchdogs: Watchdogs::new(),
            period: AtomicU64::new(FIRST_PERIOD),
            next_tick: AtomicU64::new(0),
            runstate_area: AtomicU64::new(NONE),
            time_area: AtomicU64::new(NONE),
            // No generation is odd.
            told: AtomicU32::new(1),
            versions: SpinLock::new(Versions::default()),
        })
    }
}

impl VcpuTime {
    /// Takes all its timers out of their queues: the vCPU runs no more.
    pub fn end(&self) {
        self.period.store(0, Relaxed);
        for timer in [&self.singleshot, &self.poll] {
            timer.remove();
        }
        self.watchdogs.end();
    }
}

/// Raises the vCPU's timer interrupt.
pub fn raise_timer(vcpu: &Vcpu) {
    events::raise_virq(&vcpu.domain, VIRQ_TIMER, vcpu.id);
}

/// Sets the period of the periodic timer; zero stops it. The caller checked it.
pub fn set_period(vcpu: &Vcpu, period: u64) {
    let time = &vcpu.time;
    let first = clock::now().0.saturating_add(period);
    time.next_tick.store(first, SeqCst);
    // Sequentially consistent with a processor's starting the vCPU: either that finds the period, or is found here.
    time.period.store(period, SeqCst);
    if vcpu.is_running.load(SeqCst) {
        work::raise_on(vcpu.processor.load(Acquire) as usize, work::TIME);
    }
}

/// Raises a tick of the vCPU, which runs here, if one is due; says when the next is. Ticks are for a vCPU that runs: one
/// that sleeps is not woken by them, and gets one when it comes back.
pub fn tick(vcpu: &Vcpu, now: Nanos) -> Option<Nanos> {
    let time = &vcpu.time;
    let period = time.period.load(SeqCst);
    if period == 0 {
        return None;
    }
    let due = time.next_tick.load(Relaxed);
    if due > now.0 {
        return Some(Nanos(due));
    }
    raise_timer(vcpu);
    let missed = now.0.saturating_sub(due) / period;
    let next = due.saturating_add(missed.saturating_add(1).saturating_mul(period));
    // Another period that was set meanwhile begins anew, and has this processor look again.
    let _ = time.next_tick.compare_exchange(due, next, SeqCst, Relaxed);
    Some(Nanos(next))
}

/// What the vCPU, which was just given this processor, is due: its ticks, the clock, its runstate.
#[inline]
pub fn resumed(vcpu: &Vcpu, runstate: &Runstate) {
    timers::set_tick(tick(vcpu, runstate.entered()));
    publish_if_stale(vcpu);
    publish_runstate(vcpu, runstate);
}

/// Something changed of the clock or of the ticks of the vCPU, which runs here.
pub fn changed(vcpu: &Vcpu) {
    timers::set_tick(tick(vcpu, clock::now()));
    publish_if_stale(vcpu);
}

/// Tells the vCPU, whose tables are loaded here, of the clock if that changed since.
#[inline]
pub fn publish_if_stale(vcpu: &Vcpu) {
    if is_stale(vcpu) {
        tell(vcpu);
    }
}

#[inline]
fn is_stale(vcpu: &Vcpu) -> bool {
    vcpu.time.told.load(Relaxed) != clock::generation()
}

/// Tells the vCPU of the clock, and shows it in the area of its domain's first vCPU: Linux's user programs read that one
/// wherever they run, and its owner may sleep for long.
#[cold]
fn tell(vcpu: &Vcpu) {
    publish(vcpu);
    let Some(first) = vcpu.domain.vcpu(VcpuId(0)).filter(|_| vcpu.id.0 != 0) else {
        return;
    };
    if is_stale(&first) && first.time.time_area.load(Relaxed) != NONE {
        with_kernel_tables(vcpu, || publish(&first));
    }
}

/// Tells a vCPU of the clock: in its `vcpu_info`, and in its own area if it registered one, for which its
/// domain's kernel must be what is mapped here. An area that cannot be written is left alone.
#[cold]
pub fn publish(vcpu: &Vcpu) {
    let time = &vcpu.time;
    let generation = clock::generation();
    let flags = if clock::is_tsc_stable() {
        TSC_STABLE
    } else {
        0
    };
    let own = vcpu.domain.settings.time_stamps.fields(flags);
    let fields = own.unwrap_or_else(|| clock::line().fields(flags));
    let mut versions = time.versions.lock();
    match versions
        .info
        .publish(&mut InfoRecord(vcpu.context.info()), &fields)
    {
        Ok(()) => {}
        Err(never) => match never {},
    }
    let area = time.time_area.load(Relaxed);
    if area != NONE {
        with_kernel_tables(vcpu, || {
            let _ = versions.area.publish(&mut AreaRecord(area), &fields);
        });
    }
    time.told.store(generation, Relaxed);
}

/// The vCPU's `vcpu_info` moved, or something else it was told is no longer where it looks.
pub fn forget_told(vcpu: &Vcpu) {
    vcpu.time.told.store(1, Relaxed);
}

/// `VCPUOP_register_vcpu_time_memory_area`: shows the clock at `address` from now on, or nowhere if
/// it is 0. The caller is a vCPU of the same domain, in its kernel.
pub fn register_time_area(vcpu: &Vcpu, address: u64) {
    vcpu.time
        .time_area
        .store(if address == 0 { NONE } else { address }, Relaxed);
    publish(vcpu);
    // A vCPU that maps something else there is shown it when it runs.
    forget_told(vcpu);
}

/// `VCPUOP_register_runstate_memory_area`: shows the runstate at `address` from now on, or
/// nowhere if it is 0.
pub fn register_runstate_area(vcpu: &Vcpu, address: u64) {
    if address == 0 {
        return vcpu.time.runstate_area.store(NONE, Release);
    }
    vcpu.time.runstate_area.store(address, Release);
    loop {
        let fields = schedule::runstate(vcpu);
        let _ = AreaRecord(address).store(&fields);
        // Another processor may have shown a later state meanwhile, which was overwritten.
        if schedule::runstate(vcpu).state_entry_time == fields.state_entry_time {
            return;
        }
    }
}

/// Writes the runstate where the vCPU, whose tables are loaded here, wants it.
#[inline]
pub fn publish_runstate(vcpu: &Vcpu, runstate: &Runstate) {
    let area = vcpu.time.runstate_area.load(Acquire);
    if area == NONE {
        return;
    }
    let flag = vcpu.domain.assists(VMASST_TYPE_runstate_update_flag);
    with_kernel_tables(vcpu, || {
        let _ = runstate.publish(&mut AreaRecord(area), flag);
    });
}

/// Runs `work` with the tables of a kernel of the vCPU's domain in force. Another vCPU than the one whose tables are
/// loaded here is written for by a kernel of the same domain, whose own tables serve: those of the other may change
/// and be freed at any time.
#[inline]
fn with_kernel_tables(vcpu: &Vcpu, work: impl FnOnce()) {
    let is_loaded = PerCpu::current().vcpu.load(Relaxed).cast_const() == Arc::as_ptr(&vcpu.context);
    if !is_loaded || vcpu.context.in_kernel() {
        return work();
    }
    switch::toggle_tables(vcpu.context.kernel_cr3.load(Relaxed));
    work();
    switch::toggle_tables(vcpu.context.user_cr3.load(Relaxed));
}

/// `vcpu_time_info` inside `vcpu_info`.
struct InfoRecord<'a>(&'a SharedVcpuInfo);

/// The words of `vcpu_time_info` behind its version: padding, time stamp, system time, multiplier, and
/// shift and flags.
fn words(fields: &TimeFields) -> [u32; 7] {
    let tsc = fields.tsc_timestamp;
    let system = fields.system_time.0;
    let last = u32::from(fields.scale.shift as u8) | u32::from(fields.flags) << 8;
    [
        0,
        tsc as u32,
        (tsc >> 32) as u32,
        system as u32,
        (system >> 32) as u32,
        fields.scale.multiplier,
        last,
    ]
}

impl VersionedRecord for InfoRecord<'_> {
    type Fields = TimeFields;
    type Fault = core::convert::Infallible;

    fn store_version(&mut self, version: u32) -> Result<(), Self::Fault> {
        let [place, ..] = &self.0.time;
        place.store(version, Release);
        Ok(())
    }

    fn store_fields(&mut self, fields: &TimeFields) -> Result<(), Self::Fault> {
        let [_, places @ ..] = &self.0.time;
        for (place, word) in places.iter().zip(words(fields)) {
            place.store(word, Release);
        }
        Ok(())
    }
}

/// A record at an address of the guest's.
struct AreaRecord(u64);

impl AreaRecord {
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), GuestFault> {
        copy::write_bytes(VirtAddr(self.0.wrapping_add(offset)), bytes)
    }
}

impl VersionedRecord for AreaRecord {
    type Fields = TimeFields;
    type Fault = GuestFault;

    fn store_version(&mut self, version: u32) -> Result<(), GuestFault> {
        self.write(0, &version.to_le_bytes())
    }

    fn store_fields(&mut self, fields: &TimeFields) -> Result<(), GuestFault> {
        let mut bytes = [0; 28];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words(fields)) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        self.write(4, &bytes)
    }
}

/// Offset of `state_entry_time` in `vcpu_runstate_info`.
const ENTRY_TIME: u64 = 8;

impl RunstateArea for AreaRecord {
    type Fault = GuestFault;

    fn store_entry_time(&mut self, value: u64) -> Result<(), GuestFault> {
        copy::write_words(VirtAddr(self.0.wrapping_add(ENTRY_TIME)), &[value])
    }

    fn store(&mut self, fields: &RunstateFields) -> Result<(), GuestFault> {
        let [running, runnable, blocked, offline] = fields.time;
        let all = [
            u64::from(fields.state),
            fields.state_entry_time,
            running,
            runnable,
            blocked,
            offline,
        ];
        copy::write_words(VirtAddr(self.0), &all)
    }
}
