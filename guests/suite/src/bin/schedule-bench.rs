//! What scheduling costs, on one processor: `BENCH name value`, in ticks of the time-stamp counter, which under QEMU's
//! `-icount shift=0` are instructions.
//!
//! It runs as dom0 with 101 vCPUs. The first measures, the second answers it, and the others do nothing but yield, as
//! many as a row asks for. A row is the mean; the least and the most are shown beside it. `only=a,b` on the command line
//! runs just those of `alone`, `blocking`, `expiry`, `sleeping`, `guests`, `waking` and `switches`, and `rounds=n` has each
//! done n times.
#![no_std]
#![no_main]

#[path = "schedule-bench/guests.rs"]
mod guests;

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

use guest_kit::command_line;
use guest_kit::events;
use guest_kit::hypercall::*;
use guest_kit::pages::Page;
use guest_kit::time::{now, tsc};
use guest_kit::vcpus::{self, op, Context};

guest_kit::guest_main!(main);

/// How often each thing is done unless the command line says otherwise.
const ROUNDS: u64 = 400;

fn rounds() -> u64 {
    let said = command_line::value("rounds");
    said.and_then(|word| word.parse().ok()).unwrap_or(ROUNDS)
}

const YIELD: u64 = 0;
const POLL: u64 = 3;

/// What was seen of one row.
struct Seen {
    least: AtomicU64,
    most: AtomicU64,
    sum: AtomicU64,
    count: AtomicU64,
}

impl Seen {
    const fn nothing() -> Self {
        Self {
            least: AtomicU64::new(u64::MAX),
            most: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            count: AtomicU64::new(0),
        }
    }

    fn note(&self, ticks: u64) {
        self.least.fetch_min(ticks, SeqCst);
        self.most.fetch_max(ticks, SeqCst);
        self.sum.fetch_add(ticks, SeqCst);
        self.count.fetch_add(1, SeqCst);
    }

    fn forget(&self) {
        self.least.store(u64::MAX, SeqCst);
        for value in [&self.most, &self.sum, &self.count] {
            value.store(0, SeqCst);
        }
    }

    /// The mean as the row's value: what grows with the number of vCPUs grows now and then only.
    fn tell(&self, name: &str) {
        let count = self.count.load(SeqCst);
        let mean = self.sum.load(SeqCst) / count.max(1);
        guest_kit::say!("BENCH {name} {mean}");
        guest_kit::say!(
            "schedule: {name} {}..{} in {count}",
            self.least.load(SeqCst),
            self.most.load(SeqCst)
        );
    }
}

/// Who ran last, and when it gave the processor up.
static WHO: AtomicU64 = AtomicU64::new(0);
static GAVE_UP: AtomicU64 = AtomicU64::new(0);
/// From one vCPU's giving up to another's running on.
static SWITCHES: Seen = Seen::nothing();

/// Yields once, as vCPU `me`, and notes the switch that brought it back.
#[inline(always)]
fn yield_once(me: u64) {
    WHO.store(me, SeqCst);
    GAVE_UP.store(tsc(), SeqCst);
    sched_op(YIELD, 0);
    let back = tsc();
    if WHO.load(SeqCst) != me {
        SWITCHES.note(back - GAVE_UP.load(SeqCst));
    }
}

extern "C" fn spin(me: u64) -> ! {
    loop {
        yield_once(me);
    }
}

/// Brings a vCPU up that yields for ever, on a stack of its own and with a `vcpu_info` of its own: `shared_info` has
/// room for 32 only.
fn start_spinner(id: usize) {
    let (info, stack) = (Page::take(), Page::take());
    let place = [info.mfn(), 0];
    assert_eq!(vcpu_op(op::REGISTER_INFO, id as u64, at(&place)), 0);
    let context: &mut Context = vcpus::context(1);
    context.rip = spin as *const () as u64;
    context.rsp = stack.va + 4096 - 8;
    context.kernel_sp = context.rsp;
    context.general[14] = id as u64;
    let address = context as *const Context as u64;
    assert_eq!(vcpu_op(op::INITIALISE, id as u64, address), 0);
    assert_eq!(vcpu_op(op::UP, id as u64, 0), 0);
}

/// The ports by which the first two vCPUs call each other.
static PORTS: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
static ENDED: AtomicU64 = AtomicU64::new(0);

fn port(of: usize) -> u32 {
    PORTS[of].load(SeqCst) as u32
}

/// Waits for an event at a port of the first vCPU's.
fn wait_for(port: u32) {
    let ports = [port];
    while !events::clear_pending(port) {
        GAVE_UP.store(tsc(), SeqCst);
        sched_op(POLL, at(&[at(&ports), 1, 0]));
    }
}

/// The second vCPU: answers every event, having noted how long it took from the first's block.
fn answer() {
    while ENDED.load(SeqCst) == 0 {
        let ports = [port(1)];
        sched_op(POLL, at(&[at(&ports), 1, 0]));
        let back = tsc();
        if events::clear_pending(port(1)) {
            SWITCHES.note(back - GAVE_UP.load(SeqCst));
            events::send(port(0));
        }
    }
}

/// Wakes the other, which has blocked; blocks, so that it runs; and all the way there and back.
fn blocking() {
    for (vcpu, place) in PORTS.iter().enumerate() {
        let port = events::bind_ipi(vcpu as u32).expect("bind_ipi");
        events::set_masked(port, true);
        place.store(u64::from(port), SeqCst);
    }
    vcpus::start(1, answer);
    let (wake, round) = (Seen::nothing(), Seen::nothing());
    // The second one has come up and blocked after a few rounds.
    for turn in 0..rounds() + 10 {
        if turn == 10 {
            SWITCHES.forget();
        }
        let start = tsc();
        events::send(port(1));
        let sent = tsc();
        wait_for(port(0));
        if turn >= 10 {
            wake.note(sent - start);
            round.note(tsc() - start);
        }
    }
    wake.tell("wake-blocked");
    SWITCHES.tell("block-and-switch");
    round.tell("event-round-trip-between-vcpus");
    ENDED.store(1, SeqCst);
    events::send(port(1));
    while vcpus::is_up(1) == 1 {
        sched_op(YIELD, 0);
    }
}

fn set_timer(deadline: u64) {
    assert_eq!(call2(nr::SET_TIMER_OP, deadline, 0), 0);
}

fn timer_port() -> u32 {
    let port = events::bind_virq(0, 0).expect("bind_virq");
    events::set_masked(port, true);
    port
}

/// What the timer's expiry takes away from the running vCPU.
fn expiry() {
    expire("timer-expiry");
}

fn expire(name: &str) {
    let (port, taken) = (timer_port(), Seen::nothing());
    for _ in 0..rounds() {
        events::clear_pending(port);
        set_timer(now() + 100_000);
        let mut before = tsc();
        loop {
            let after = tsc();
            if events::is_pending(port) {
                // It came before that look at the clock, or after it.
                taken.note((after - before).max(tsc() - after));
                break;
            }
            before = after;
        }
    }
    taken.tell(name);
    events::close(port);
}

fn sleep_until(port: u32, deadline: u64) {
    events::clear_pending(port);
    set_timer(deadline);
    let ports = [port];
    while !events::clear_pending(port) {
        sched_op(POLL, at(&[at(&ports), 1, 0]));
    }
}

/// How late a timer wakes a vCPU that waits for it.
fn sleeping() {
    let (port, late) = (timer_port(), Seen::nothing());
    // An idle processor has memory to clear at first, on either hypervisor.
    sleep_until(port, now() + 2_000_000_000);
    for _ in 0..rounds() {
        let deadline = now() + 100_000;
        sleep_until(port, deadline);
        late.note(now().saturating_sub(deadline));
    }
    late.tell("timer-wakes-sleeper");
    events::close(port);
}

/// A yield that nobody else has use for.
fn alone() {
    let alone = Seen::nothing();
    for _ in 0..rounds() {
        let start = tsc();
        sched_op(YIELD, 0);
        alone.note(tsc() - start);
    }
    alone.tell("schedule-1");
}

/// A yield that another vCPU takes, with so many runnable.
fn switches() {
    let mut next = 2;
    for (runnable, name) in [
        (2, "switch-of-2"),
        (10, "switch-of-10"),
        (100, "switch-of-100"),
    ] {
        while next <= runnable {
            start_spinner(next);
            next += 1;
        }
        // Each comes up and has its turns.
        for _ in 0..20 {
            yield_once(0);
        }
        SWITCHES.forget();
        for _ in 0..rounds() / 4 {
            yield_once(0);
        }
        SWITCHES.tell(name);
    }
    let worst = SWITCHES.most.load(SeqCst);
    guest_kit::say!("BENCH worst-switch-of-100 {worst}");
}

fn main() {
    let parts: [(&str, fn()); 7] = [
        ("alone", alone),
        ("blocking", blocking),
        ("expiry", expiry),
        ("sleeping", sleeping),
        ("guests", guests::switches),
        ("waking", guests::waking),
        ("switches", switches),
    ];
    for (name, part) in parts {
        if command_line::value("only").is_none() || command_line::lists("only", name) {
            part();
        }
    }
    guest_kit::say!("BENCH-END");
}
