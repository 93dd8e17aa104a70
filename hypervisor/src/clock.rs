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

use crate::console::print;
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

/// How long after a look that was disturbed the next one comes.
const DISTURBED_INTERVAL: Nanos = Nanos(NANOS_PER_SECOND / 10);
/// A look that takes longer than so many times the shortest was disturbed; so many in a row are not.
const WIDE: u64 = 4;
const MOST_WIDE: u32 = 20;
/// When the platform's counter is looked at next, in nanoseconds of system time, and whether that is worth waking for.
static NEXT_WATCH: AtomicU64 = AtomicU64::new(u64::MAX);
static IS_URGENT: AtomicBool = AtomicBool::new(false);
/// A disagreement of more than one part in this many means that the time-stamp counter's rate is not constant.
const CONSTANT_DIVISOR: u64 = 1000;

/// The clock and what it is compared with.
struct Keeper {
    counter: Counter,
    /// The first look, from which the rate is measured over the whole of the boot.
    first: Sample,
    /// The time stamp of the last look.
    looked: u64,
    /// Width of the narrowest look, and wide ones in a row.
    narrowest: u64,
    wide: u32,
    platform: PlatformClock,
    clock: DisciplinedClock,
    /// Comparisons in a row that disagreed.
    disagreed: u32,
    /// By how many nanoseconds system time was behind at the last look.
    behind: i64,
}

impl Keeper {
    /// The time by the platform counter at a look.
    fn observe(&mut self, look: &Sample) -> Nanos {
        let before = self.clock.at(self.looked).0;
        let passed = self.clock.at(look.tsc).0.saturating_sub(before);
        self.looked = look.tsc;
        self.narrowest = self.narrowest.min(look.width);
        self.platform.observe_after(look.count, Nanos(passed))
    }

    /// Whether a look was disturbed, so that another is better.
    fn is_disturbed(&mut self, look: &Sample) -> bool {
        let is_wide = look.width / WIDE > self.narrowest;
        self.wide = if is_wide {
            self.wide.saturating_add(1)
        } else {
            0
        };
        is_wide && self.wide < MOST_WIDE
    }

    /// Says when the next look is due after one at `now`.
    fn plan(&self, now: Nanos) {
        let next = now.0.saturating_add(self.clock.interval().0);
        NEXT_WATCH.store(next, Relaxed);
        IS_URGENT.store(self.clock.is_urgent(), Relaxed);
    }

    /// Looks whether the time-stamp counter keeps its rate: one look that says otherwise may be an interruption, several
    /// in a row are not.
    fn keeps_rate(&mut self, tsc: u64, platform: Nanos) -> bool {
        let (off, since) = self.clock.disagreement(tsc, platform);
        self.disagreed = if off <= since.0 / CONSTANT_DIVISOR {
            0
        } else {
            self.disagreed.saturating_add(1)
        };
        self.disagreed < 3
    }
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

/// The counter's rate.
fn rate_of(counter: &Counter) -> Refused<CounterRate> {
    match counter.femtoseconds() {
        Some(period) => CounterRate::from_femtoseconds(period),
        None => CounterRate::from_hz(counter.frequency()),
    }
}

fn start(counter: Counter, first: Sample, hz: u64) -> Refused<()> {
    let scale = TscScale::from_hz(hz)?;
    let bits = 64 - counter.mask().leading_zeros();
    let rate = rate_of(&counter)?;
    let platform = PlatformClock::new(rate, bits, first.count)?;
    let line = ClockLine {
        tsc: first.tsc,
        system: Nanos(0),
        scale,
    };
    let clock = DisciplinedClock::new(line, first.tsc, Nanos(0), rate.tick());
    let mut keeper = KEEPER.lock();
    *keeper = Some(Keeper {
        counter,
        first,
        looked: first.tsc,
        narrowest: first.width,
        wide: 0,
        platform,
        clock,
        disagreed: 0,
        behind: 0,
    });
    set_line(&line);
    Ok(())
}

/// Measures the time-stamp counter's rate once more, over all of the boot so far, and follows that from now on. Just
/// before the first guest runs.
pub fn settle() {
    let mut slot = KEEPER.lock();
    let Some(keeper) = slot.as_mut() else { return };
    let now = Sample::take(&keeper.counter);
    let old = *keeper.clock.line();
    if keeper.counter.kind() == CounterKind::Pit {
        return;
    }
    let platform = keeper.observe(&now);
    let ticks = now.tsc.saturating_sub(keeper.first.tsc);
    let Ok(scale) = TscScale::from_ratio(platform.0, ticks) else {
        return;
    };
    let line = old.bent(now.tsc, scale);
    let tick = keeper.platform.rate().tick();
    let clock = DisciplinedClock::new(line, now.tsc, platform, tick);
    keeper.clock = clock.measured_from(keeper.first.tsc, Nanos(0));
    keeper.plan(line.system);
    set_line(&line);
    let (first_hz, hz) = (old.scale.hz(), scale.hz());
    if hz.abs_diff(first_hz) > hz / CONSTANT_DIVISOR {
        mark_unstable("its rate changed during boot");
    }
    crate::log!(
        Debug,
        "clock: {hz} Hz over {} ns of boot, first {first_hz} Hz",
        platform.0
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

/// When a processor should wake only to look at the platform's counter; a machine that sleeps with a line that is known
/// to be good takes no timer for it.
#[inline]
pub fn urgent_look() -> Option<Nanos> {
    let is_urgent = IS_URGENT.load(Relaxed);
    is_urgent.then(|| Nanos(NEXT_WATCH.load(Relaxed)))
}

/// Compares with the platform counter where that is due. Called now and then with the time it is.
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
    let look = Sample::take(&keeper.counter);
    let platform = keeper.observe(&look);
    if keeper.is_disturbed(&look) {
        let again = now.0.saturating_add(DISTURBED_INTERVAL.0);
        return NEXT_WATCH.store(again, Relaxed);
    }
    let was_stable = is_tsc_stable();
    if was_stable && !keeper.keeps_rate(look.tsc, platform) {
        mark_unstable("its rate changes");
    }
    let outcome = keeper.clock.synchronise(look.tsc, platform);
    keeper.plan(now);
    if let Ok(Synchronised::Kept(error) | Synchronised::Changed(error)) = outcome {
        keeper.behind = error;
    }
    let is_changed = matches!(outcome, Ok(Synchronised::Changed(_)));
    if is_changed || was_stable != is_tsc_stable() {
        set_line(keeper.clock.line());
        for processor in processors::online().iter() {
            work::raise_on(processor, work::TIME);
        }
    }
}

/// Prints what the clock is and how good, for a debug key.
pub fn show() {
    let slot = KEEPER.lock();
    let Some(keeper) = slot.as_ref() else { return };
    print(format_args!(
        "(XEN) clock: time stamps at {} Hz{}, line {} kept by {}, {} ns behind at the last look\n",
        keeper.clock.line().scale.hz(),
        if is_tsc_stable() { "" } else { " (not stable)" },
        generation() / 2,
        keeper.counter.kind().name(),
        keeper.behind
    ));
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
