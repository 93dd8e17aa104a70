//! System time against the machine's HPET or PM timer, which the hypervisor's clock follows and dom0 may read, while
//! vCPUs move among processors.

use core::arch::asm;
use core::cell::Cell;
use core::ptr::read_volatile;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use guest_kit::command_line::{has, number};
use guest_kit::hypercall::{at, physdev_op, sched_op};
use guest_kit::mmu::{self, update_va_mapping};
use guest_kit::pages::Page;
use guest_kit::random::Random;
use guest_kit::say;
use guest_kit::time::{now, snapshot, MILLISECOND, SECOND};
use guest_kit::vcpu::area;
use guest_kit::vcpus;

use crate::{sleep_until, Highest};

/// The HPET of PCs, its registers and the bit of an entry that leaves its page uncached.
const HPET: u64 = 0xfed0_0000;
const CAPABILITIES: u64 = 0;
const COUNTER: u64 = 0xf0;
const UNCACHED: u64 = 1 << 4;
/// QEMU's PM timer: its port and rate; `PHYSDEVOP_set_iopl` lets the guest read ports.
const PM_TIMER: u16 = 0x608;
const PM_TIMER_HZ: u128 = 3_579_545;
const SET_IOPL: u64 = 6;

static HIGHEST: Highest = Highest::new();
/// vCPUs that look on, and whether they may stop.
static CHASING: AtomicU32 = AtomicU32::new(0);
static IS_OVER: AtomicU32 = AtomicU32::new(0);

/// The counter that system time is compared with.
enum Platform {
    /// The HPET's, mapped.
    Hpet { registers: u64, femtoseconds: u64 },
    /// ACPI's PM timer, whose reads trap: what it last read, and all it has counted.
    PmTimer(Cell<(u32, u64)>),
}

impl Platform {
    fn hpet() -> Self {
        let page = Page::take().unmap();
        let entry = HPET | mmu::P | mmu::US | mmu::A | UNCACHED;
        assert_eq!(update_va_mapping(page.va, entry, mmu::INVLPG | mmu::ALL), 0);
        let capabilities = unsafe { read_volatile((page.va + CAPABILITIES) as *const u64) };
        Self::Hpet {
            registers: page.va,
            femtoseconds: capabilities >> 32,
        }
    }

    fn pm_timer() -> Self {
        assert_eq!(physdev_op(SET_IOPL, at(&1u32)), 0);
        Self::PmTimer(Cell::new((read_pm_timer(), 0)))
    }

    fn nanos(&self) -> u64 {
        match self {
            Self::Hpet {
                registers,
                femtoseconds,
            } => {
                let count = unsafe { read_volatile((registers + COUNTER) as *const u64) };
                (u128::from(count) * u128::from(*femtoseconds) / 1_000_000) as u64
            }
            Self::PmTimer(counted) => {
                let (last, all) = counted.get();
                let count = read_pm_timer();
                let all = all + u64::from(count.wrapping_sub(last) & 0xff_ffff);
                counted.set((count, all));
                (u128::from(all) * u128::from(SECOND) / PM_TIMER_HZ) as u64
            }
        }
    }

    /// How far system time is ahead of the counter, at the least and at the most: the narrowest of some looks. Where a
    /// look traps and takes thousands of instructions, both are what it is in the middle.
    fn distance(&self) -> (i64, i64) {
        let look = || {
            let before = now();
            let read = self.nanos();
            let after = now();
            let ahead = |time: u64| time.wrapping_sub(read) as i64;
            (ahead(before), ahead(after))
        };
        let (least, most) = (0..10)
            .map(|_| look())
            .min_by_key(|(least, most)| most - least)
            .expect("ten looks");
        match self {
            Self::Hpet { .. } => (least, most),
            Self::PmTimer(_) => ((least + most) / 2, (least + most) / 2),
        }
    }
}

fn read_pm_timer() -> u32 {
    let value: u32;
    unsafe { asm!("in eax, dx", in("dx") PM_TIMER, out("eax") value) };
    value & 0xff_ffff
}

/// `SCHEDOP_pin_override`: to a processor, or with -1 to where it was.
fn move_to(processor: i32) -> i64 {
    sched_op(7, at(&processor))
}

fn chase() {
    let mut random = Random::new(area().id + 1);
    let processors = number("processors").unwrap_or(2);
    CHASING.fetch_add(1, SeqCst);
    while IS_OVER.load(SeqCst) == 0 {
        move_to(-1);
        let result = move_to((random.next() % processors) as i32);
        assert_eq!(result, 0, "cannot move");
        HIGHEST.chase(200, now);
        sleep_until(now() + random.next() % (number("nap").unwrap_or(SECOND) + 1));
    }
    move_to(-1);
    CHASING.fetch_sub(1, SeqCst);
}

pub fn check() {
    let seconds = number("seconds").unwrap_or(60);
    let most = number("most").map_or(i64::MAX, |most| most as i64);
    let most_possible = number("possible").map_or(i64::MAX, |most| most as i64);
    let others = number("vcpus").unwrap_or(1) as usize - 1;
    let platform = if has("pm_timer") {
        Platform::pm_timer()
    } else {
        Platform::hpet()
    };
    for id in 1..=others {
        vcpus::start(id, chase);
    }
    let mut random = Random::new(77);
    let (start, end) = (now(), now() + seconds * SECOND);
    let (first_least, first_most) = platform.distance();
    // How far the distance has certainly changed, and how far it may have.
    let (mut certain, mut possible, mut lines) = (0, 0, 0u32);
    let is_verbose = has("verbose");
    let (mut version, mut minute) = (snapshot().version, 0);
    while now() < end {
        HIGHEST.chase(200, now);
        let (least, most_now) = platform.distance();
        certain = certain.max(least - first_most).max(first_least - most_now);
        possible = possible.max(most_now - first_least).max(first_most - least);
        let told = snapshot().version;
        if is_verbose {
            say!(
                "CLOCK at {} ms: {} to {} ns",
                (now() - start) / MILLISECOND,
                least - first_least,
                most_now - first_most
            );
        }
        lines += told.wrapping_sub(version) / 2;
        version = told;
        if (now() - start) / (60 * SECOND) > minute {
            minute += 1;
            say!("CLOCK minute {minute}: off by {certain} to {possible} ns, {lines} lines");
        }
        assert!(certain <= most, "off by {certain} ns at least");
        assert!(possible <= most_possible, "off by {possible} ns at most");
        // Before the PM timer comes round.
        sleep_until(now() + random.next() % (2 * SECOND));
    }
    IS_OVER.store(1, SeqCst);
    while CHASING.load(SeqCst) != 0 {
        sleep_until(now() + SECOND / 100);
    }
    say!("CLOCK platform {seconds} s: off by {certain} ns at least, {possible} ns at most, {lines} lines, {others} vCPUs moved");
}
