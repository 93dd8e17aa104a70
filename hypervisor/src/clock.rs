//! The machine's clock: system time from the time-stamp counter, kept against a platform counter, and the
//! wall clock.

use core::sync::atomic::{
    fence, AtomicBool, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use firmware::acpi::Acpi;
use guest_time::{
    ClockLine, CounterRate, DisciplinedClock, PlatformClock, Stretch, Synchronised, TscScale,
    VersionedRecord, WallClock, WallFields, NANOS_PER_SECOND,
};
use hw::sync::SpinLock;
use hw::time::{Counter, CounterKind, Sample};
use hw::window::Window;
use hw::{apic, cpu};
use options::{ClockSource, Options, TscTrust};
use vocabulary::{Nanos, Refused};
use xen_abi::xen::SharedInfo;

use crate::domain::Domain;
use crate::{domains, levels, processors, work};

/// The line from time stamps to system time, read by every processor without a lock: `SEQUENCE` is odd while
/// it changes, and half of it counts the lines there have been.
static SEQUENCE: AtomicU32 = AtomicU32::new(0);
static LINE_TSC: AtomicU64 = AtomicU64::new(0);
static LINE_SYSTEM: AtomicU64 = AtomicU64::new(0);
/// Multiplier in the lower half, shift (as one byte) above it. At first 1 tick is 1 ns.
static LINE_SCALE: AtomicU64 = AtomicU64::new(1 << 31 | 1 << 32);

/// A time stamp went back from one processor to another, or its rate changes: it is no clock of its own.
static IS_TSC_UNSTABLE: AtomicBool = AtomicBool::new(false);
/// The highest time stamp any processor has shown to others.
static HIGHEST_TSC: AtomicU64 = AtomicU64::new(0);

/// What keeps the clock right. `None` before there is a platform counter.
static KEEPER: SpinLock<Option<Keeper>, { levels::CLOCK }> = SpinLock::new(None);
/// `None` until it is set: guests then see the start of 1970.
static WALL: SpinLock<Option<WallClock>, { levels::CLOCK }> = SpinLock::new(None);

/// How often the time-stamp counter is compared with the platform's.
const WATCH_INTERVAL: Nanos = Nanos(NANOS_PER_SECOND);
/// When next, in nanoseconds of system time.
static NEXT_WATCH: AtomicU64 = AtomicU64::new(u64::MAX);
/// A disagreement of more than one part in this many means that the time-stamp counter's rate is not constant.
const CONSTANT_DIVISOR: u64 = 1000;

/// The clock and what it is compared with.
struct Keeper {
    counter: Counter,
    /// The first look, from which the rate is measured over the whole of the boot.
    first: Sample,
    platform: PlatformClock,
    clock: DisciplinedClock,
    /// Comparisons in a row that disagreed.
    disagreed: u32,
}

/// System time: nanoseconds since boot.
#[inline]
pub fn now() -> Nanos {
    line().at(cpu::time_stamp())
}

/// The line that system time follows.
#[inline]
pub fn line() -> ClockLine {
    loop {
        let before = SEQUENCE.load(Acquire);
        let packed = LINE_SCALE.load(Relaxed);
        let line = ClockLine {
            tsc: LINE_TSC.load(Relaxed),
            system: Nanos(LINE_SYSTEM.load(Relaxed)),
            scale: TscScale {
                multiplier: packed as u32,
                shift: (packed >> 32) as u8 as i8,
            },
        };
        fence(Acquire);
        if before & 1 == 0 && SEQUENCE.load(Relaxed) == before {
            return line;
        }
        cpu::relax();
    }
}

/// How many lines there have been: when it changes, guests must be told.
#[inline]
pub fn generation() -> u32 {
    SEQUENCE.load(Acquire) & !1
}

/// Makes another line the one in force. Only with `KEEPER` held.
fn set_line(line: &ClockLine) {
    let before = SEQUENCE.load(Relaxed);
    SEQUENCE.store(before.wrapping_add(1), Release);
    fence(AcqRel);
    LINE_TSC.store(line.tsc, Relaxed);
    LINE_SYSTEM.store(line.system.0, Relaxed);
    let shift = u64::from(line.scale.shift as u8);
    LINE_SCALE.store(u64::from(line.scale.multiplier) | shift << 32, Relaxed);
    SEQUENCE.store(before.wrapping_add(2), Release);
}

/// Frequency of the time-stamp counter in kHz.
pub fn tsc_khz() -> u64 {
    line().scale.hz() / 1000
}

/// Whether guests may compare time stamps of all processors.
pub fn is_tsc_stable() -> bool {
    !IS_TSC_UNSTABLE.load(Relaxed)
}

fn choose_counter(options: &Options<'_>, acpi: &Acpi) -> Counter {
    let wanted = match options.clock_source {
        Some(ClockSource::Pit) => Some(Counter::pit()),
        Some(ClockSource::Acpi) => acpi.fadt.as_ref().and_then(Counter::pm_timer),
        _ => None,
    };
    wanted.unwrap_or_else(|| Counter::best(acpi))
}

/// Starts the clock, measures the local APIC's timer, and sets the wall clock from the board's. On the boot
/// processor, after its local APIC was enabled and before other processors start.
pub fn initialise(options: &Options<'_>, acpi: &Acpi) {
    let counter = choose_counter(options, acpi);
    let first = Sample::take(&counter);
    let Some(hz) = hw::time::calibrate(&counter) else {
        crate::log!(
            Error,
            "the {} counter stands still: time is a guess",
            counter.kind().name()
        );
        return;
    };
    if options.tsc == Some(TscTrust::Unstable) {
        IS_TSC_UNSTABLE.store(true, Relaxed);
    }
    if let Err(refusal) = start(counter, first, hz) {
        crate::log!(Error, "the clock cannot be started: {refusal}");
        return;
    }
    if !apic::uses_deadline() {
        measure_timer(hz);
    }
    compare_time_stamps(1);
    let century = acpi.fadt.as_ref().map_or(0, |fadt| fadt.century);
    match hw::time::wall_clock(century) {
        Some(seconds) => {
            let _ = set_wall(seconds, 0, now());
        }
        None => crate::log!(Warning, "the board's clock keeps no sensible date"),
    }
    crate::log!(
        Info,
        "clock: time-stamp counter {}.{:03} MHz by {}",
        hz / 1_000_000,
        hz / 1000 % 1000,
        counter.kind().name()
    );
}

/// Stretches that the APIC's timer is measured for at most, a hundredth of a second each.
const STRETCHES: u32 = 20;

/// Measures the local APIC's timer against the time-stamp counter of `hz`.
fn measure_timer(hz: u64) {
    let measure = || {
        let counted = apic::count_timer(|| hw::time::wait_ticks(hz / 100));
        Stretch {
            counts: u64::from(counted.counts),
            least: counted.least,
            most: counted.most,
        }
    };
    match Stretch::counts_per_tsc(STRETCHES, measure) {
        Some(counts) => apic::set_timer_rate(counts),
        None => crate::log!(Error, "the local APIC's timer stands still"),
    }
}

fn start(counter: Counter, first: Sample, hz: u64) -> Refused<()> {
    let scale = TscScale::from_hz(hz)?;
    let bits = 64 - counter.mask().leading_zeros();
    let mut platform = PlatformClock::new(
        CounterRate::from_hz(counter.frequency())?,
        bits,
        first.count,
    )?;
    let line = ClockLine {
        tsc: first.tsc,
        system: Nanos(0),
        scale,
    };
    let here = Sample::take(&counter);
    let clock = DisciplinedClock::new(line, here.tsc, platform.observe(here.count));
    let mut keeper = KEEPER.lock();
    *keeper = Some(Keeper {
        counter,
        first,
        platform,
        clock,
        disagreed: 0,
    });
    set_line(&line);
    Ok(())
}

/// Measures the time-stamp counter's rate once more, over all of the boot so far, and makes that the line for
/// good. Just before the first guest runs.
pub fn settle() {
    let mut slot = KEEPER.lock();
    let Some(keeper) = slot.as_mut() else { return };
    let now = Sample::take(&keeper.counter);
    let old = *keeper.clock.line();
    let passed = old.at(now.tsc).0;
    NEXT_WATCH.store(passed.saturating_add(WATCH_INTERVAL.0), Relaxed);
    // The counter must not have come round, or its distance means nothing.
    if passed > keeper.counter.period_nanos() / 2 || keeper.counter.kind() == CounterKind::Pit {
        return;
    }
    let Some(hz) = keeper.first.frequency_until(&now, &keeper.counter) else {
        return;
    };
    let Ok(scale) = TscScale::from_hz(hz) else {
        return;
    };
    let line = old.bent(now.tsc, scale);
    keeper.clock = DisciplinedClock::new(line, now.tsc, keeper.platform.observe(now.count));
    set_line(&line);
    let first_hz = old.scale.hz();
    if hz.abs_diff(first_hz) > hz / CONSTANT_DIVISOR {
        mark_unstable("its rate changed during boot");
    }
    crate::log!(
        Debug,
        "clock: {hz} Hz over {passed} ns of boot, first {first_hz} Hz"
    );
}

fn mark_unstable(why: &str) {
    if !IS_TSC_UNSTABLE.swap(true, Relaxed) {
        crate::log!(Warning, "the time-stamp counter is no stable clock: {why}");
    }
}

/// Compares a processor that just started with those that wait for it.
pub fn arrive() {
    compare_time_stamps(1000);
}

/// Shows this processor's time stamp to others and looks at theirs, `rounds` times: one that is behind what
/// another showed before is not in step. Processors that start run it side by side with those that wait.
pub fn compare_time_stamps(rounds: u32) {
    for _ in 0..rounds {
        let shown = HIGHEST_TSC.load(Acquire);
        let own = cpu::time_stamp_in_order();
        if own < shown {
            mark_unstable("processors are out of step");
        }
        HIGHEST_TSC.fetch_max(own, AcqRel);
    }
}

/// Compares with the platform counter where that is due. Called now and then with the time it is: a machine
/// that sleeps takes no timer for it.
#[inline]
pub fn watch(now: Nanos) {
    if now.0 >= NEXT_WATCH.load(Relaxed) {
        compare(now);
    }
}

#[cold]
fn compare(now: Nanos) {
    let Some(mut slot) = KEEPER.try_lock() else {
        return;
    };
    let Some(keeper) = slot.as_mut() else { return };
    let since = now
        .0
        .saturating_sub(NEXT_WATCH.load(Relaxed).saturating_sub(WATCH_INTERVAL.0));
    NEXT_WATCH.store(now.0.saturating_add(WATCH_INTERVAL.0), Relaxed);
    if keeper.counter.kind() == CounterKind::Pit {
        return;
    }
    let sample = Sample::take(&keeper.counter);
    let platform = keeper.platform.observe(sample.count);
    if since > keeper.counter.period_nanos() / 2 {
        // Too long ago to tell how often the counter came round: begin anew.
        keeper.clock = DisciplinedClock::new(*keeper.clock.line(), sample.tsc, platform);
        return;
    }
    let mut clock = keeper.clock;
    let (off, outcome) = match clock.synchronise(sample.tsc, platform) {
        Ok(Synchronised::Bent(off) | Synchronised::Stepped(off)) => (off, clock),
        Ok(Synchronised::TooSoon) | Err(_) => return,
    };
    if is_tsc_stable() {
        // One bad look may be an interruption between the two readings; several in a row are not.
        let agrees = off.unsigned_abs() < since / CONSTANT_DIVISOR;
        keeper.disagreed = if agrees {
            0
        } else {
            keeper.disagreed.saturating_add(1)
        };
        if keeper.disagreed < 3 {
            keeper.clock = DisciplinedClock::new(*keeper.clock.line(), sample.tsc, platform);
            return;
        }
        mark_unstable("its rate changes");
    }
    keeper.clock = outcome;
    set_line(keeper.clock.line());
    for processor in processors::online().iter() {
        work::raise_on(processor, work::TIME);
    }
}

/// Sets the wall clock: it was `seconds` and `nanoseconds` after 1970 at `system` time. Every domain is told.
pub fn set_wall(seconds: u64, nanoseconds: u32, system: Nanos) -> Refused<()> {
    let clock = WallClock::from_time_at(seconds, nanoseconds, system)?;
    *WALL.lock() = Some(clock);
    domains::for_each(|domain| publish_wall(domain));
    Ok(())
}

/// Writes the wall clock into a domain's shared page. A new domain needs it before it runs.
pub fn publish_wall(domain: &Domain) {
    let slot = WALL.lock();
    let Some(clock) = slot.as_ref() else { return };
    let mut record = WallRecord {
        window: Window::open(domain.shared_info),
    };
    let mut version = guest_time::Version::continuing(record.version());
    let offset = domain.settings.time_offset.load(Relaxed);
    let published = version.publish(&mut record, &clock.fields(offset));
    match published {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

/// The wall clock's fields in a shared page.
struct WallRecord {
    window: Window,
}

/// Words of the page that hold `wc_version` and `wc_sec`, `wc_nsec` and `wc_sec_hi`.
const WALL_WORD: usize = core::mem::offset_of!(SharedInfo, wc_version) / 8;
const _: () = assert!(
    core::mem::offset_of!(SharedInfo, wc_version) % 8 == 0
        && core::mem::offset_of!(SharedInfo, wc_nsec) == WALL_WORD * 8 + 8
);

impl WallRecord {
    fn word(&self, number: usize) -> Option<&AtomicU64> {
        self.window.words().get(WALL_WORD + number)
    }

    fn version(&self) -> u32 {
        self.word(0).map_or(0, |word| word.load(Relaxed) as u32)
    }
}

impl VersionedRecord for WallRecord {
    type Fields = WallFields;
    type Fault = core::convert::Infallible;

    fn store_version(&mut self, version: u32) -> Result<(), Self::Fault> {
        if let Some(word) = self.word(0) {
            let seconds = word.load(Relaxed) >> 32 << 32;
            word.store(seconds | u64::from(version), Release);
        }
        Ok(())
    }

    fn store_fields(&mut self, fields: &WallFields) -> Result<(), Self::Fault> {
        if let (Some(first), Some(second)) = (self.word(0), self.word(1)) {
            let version = first.load(Relaxed) & 0xffff_ffff;
            first.store(version | u64::from(fields.seconds) << 32, Release);
            second.store(
                u64::from(fields.nanoseconds) | u64::from(fields.seconds_high) << 32,
                Release,
            );
        }
        Ok(())
    }
}
