//! The time-stamp counter as CPUID tells of it, as kernel and user programs read it, and as system time is computed
//! from it.

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use guest_kit::command_line::number;
use guest_kit::time::{now, snapshot, tsc, Reading, MILLISECOND, SECOND};
use guest_kit::trap::Frame;
use guest_kit::user::UserSpace;
use guest_kit::vcpus;
use guest_kit::{say, user_code};

use crate::{sleep_until, Highest};

/// The leaf of CPUID that tells of time (public `arch-x86/cpuid.h`).
const TIME_LEAF: u32 = 0x4000_0003;
/// CR4.TSD: user programs may not read the counter.
const TSD: u64 = 1 << 2;
const READS: u32 = 20_000;

static HIGHEST_TSC: Highest = Highest::new();
static HIGHEST_TIME: Highest = Highest::new();
/// vCPUs that have read enough.
static DONE: AtomicU32 = AtomicU32::new(0);

pub fn check() {
    let is_emulated = described();
    advances();
    computed();
    in_user_mode(is_emulated);
    on_many_vcpus();
}

/// CPUID by the forced-emulation prefix.
fn identify(leaf: u32, subleaf: u32) -> [u32; 4] {
    let (a, b, c, d): (u32, u64, u32, u32);
    unsafe {
        asm!(
            "mov {kept}, rbx", "ud2", ".ascii \"xen\"", "cpuid", "xchg {kept}, rbx",
            kept = out(reg) b, inout("eax") leaf => a, inout("ecx") subleaf => c, out("edx") d
        )
    };
    [a, b as u32, c, d]
}

/// What CPUID tells; whether reads are emulated.
fn described() -> bool {
    let [flags, mode, khz, incarnation] = identify(TIME_LEAF, 0);
    let [low, high, multiplier, shift] = identify(TIME_LEAF, 1);
    let [host, ..] = identify(TIME_LEAF, 2);
    let emulated = flags & 1;
    say!("CLOCK stamps emulated={emulated} mode={mode} khz={khz} host={host} incarnation={incarnation}");
    let time = snapshot();
    say!(
        "CLOCK scale {multiplier:#x} {} offset {low:#x} {high:#x}, of vcpu_info {:#x} {}",
        shift as i32,
        time.multiplier,
        time.shift
    );
    if let Some(expected) = number("mode") {
        assert_eq!(u64::from(mode), expected);
    }
    if let Some(expected) = number("emulated") {
        assert_eq!(u64::from(emulated), expected);
    }
    if emulated == 1 {
        assert_eq!(
            (multiplier, shift as i32),
            (time.multiplier, i32::from(time.shift))
        );
    }
    if khz == 0 {
        // Dom0 is told of the machine's counter only.
        return emulated == 1;
    }
    let second = guest_kit::time::scale(u64::from(khz) * 1000, &time);
    assert!(
        second.abs_diff(SECOND) < SECOND / 1000,
        "{khz} kHz: {second} ns"
    );
    emulated == 1
}

fn rdtscp() -> u64 {
    let (low, high): (u32, u32);
    unsafe { asm!("rdtscp", out("eax") low, out("edx") high, out("ecx") _) };
    u64::from(low) | u64::from(high) << 32
}

fn advances() {
    let mut last = tsc();
    for _ in 0..READS / 2 {
        let first = tsc();
        let second = rdtscp();
        assert!(first >= last && second >= first, "{last} {first} {second}");
        last = second;
    }
    assert!(tsc() > 0);
}

/// System time as it is computed from the counter is the hypervisor's: a sleep ends at its deadline, and since then the
/// vCPU has run.
fn computed() {
    for milliseconds in [1, 7, 40] {
        let slept = |_| sleeps_in_step(milliseconds * MILLISECOND);
        assert!((0..100).any(slept), "never in time to sleep");
    }
}

/// Sleeps so long and compares the clocks. `false` where the host stood still until the deadline was over, so that there
/// was no sleep.
fn sleeps_in_step(nanoseconds: u64) -> bool {
    let first = Reading::take();
    let deadline = first.latest + nanoseconds;
    let current = guest_kit::vcpu::area().id as usize;
    let blocked = |state: &vcpus::Runstate| state.times[2];
    let before = vcpus::runstate(current);
    sleep_until(deadline);
    let after = vcpus::runstate(current);
    let last = Reading::take();
    let (entered, end) = (after.since, last.earliest);
    if blocked(&after) == blocked(&before) {
        return false;
    }
    // Xen wakes a sleeper up to 50 µs early by its own count of what a timer may be rounded by.
    assert!(entered + 50_000 >= deadline, "{entered} before {deadline}");
    assert!(entered <= end, "{entered} after {end}");
    let (by_tsc, least, most) = last.since(&first);
    // The line may have changed meanwhile, by less than a microsecond.
    assert!(
        by_tsc + 1000 >= least && by_tsc <= most + 1000,
        "{least} {by_tsc} {most}"
    );
    true
}

user_code!(user_rdtsc, "rdtsc", "ud2");
user_code!(user_rdtscp, "rdtscp", "ud2");

fn counter_of(frame: &Frame) -> u64 {
    frame.rax & 0xffff_ffff | frame.rdx << 32
}

fn write_cr4(value: u64) {
    unsafe { asm!("mov cr4, {}", in(reg) value) };
}

fn read_cr4() -> u64 {
    let value;
    unsafe { asm!("mov {}, cr4", out(reg) value) };
    value
}

fn in_user_mode(is_emulated: bool) {
    let space = UserSpace::new();
    for code in [user_rdtsc(), user_rdtscp()] {
        for _ in 0..500 {
            let before = tsc();
            let frame = space.run_code(code);
            let after = tsc();
            let read = counter_of(&frame);
            assert_eq!(frame.vector, 6);
            assert!(before <= read && read <= after, "{before} {read} {after}");
        }
    }
    let cr4 = read_cr4();
    write_cr4(cr4 | TSD);
    let frame = space.run_code(user_rdtsc());
    assert_eq!((frame.vector, frame.error), (13, 0), "with CR4.TSD");
    let (first, second) = (tsc(), tsc());
    assert!(second >= first, "in the kernel with CR4.TSD");
    write_cr4(cr4);
    let before = tsc();
    let read = counter_of(&space.run_code(user_rdtsc()));
    assert!(read >= before, "CR4.TSD is gone");
    say!("CLOCK user mode reads it, emulated: {is_emulated}");
}

fn chase() {
    HIGHEST_TSC.chase(READS / 2, tsc);
    HIGHEST_TIME.chase(READS / 2, now);
    DONE.fetch_add(1, SeqCst);
}

/// Neither goes back from one vCPU to another.
fn on_many_vcpus() {
    let others = number("vcpus").unwrap_or(1) as usize - 1;
    for id in 1..=others {
        vcpus::start(id, chase);
    }
    chase();
    let end = now() + 60 * SECOND;
    while (DONE.load(SeqCst) as usize) <= others {
        assert!(now() < end, "a vCPU does not come back");
        sleep_until(now() + MILLISECOND);
    }
    say!("CLOCK {} vCPUs saw nothing go back", others + 1);
}
