//! The hostile guest: every hypercall with random and with boundary arguments, trapping
//! instructions and nonsense of every kind, from all vCPUs at once, until its time is over.
//!
//! Words: `seconds=N` (60), `seed=N` (from the clock if it is not given; printed), `only=a,b` and
//! `skip=a,b` choose kinds of shots, `trace=N` prints each shot from the Nth on, `may-die` allows
//! what ends the guest itself. An odd seed tries the FIFO event channels, an even one runs random
//! user code.
//!
//! It prints `HOSTILE second N …` each second and `HOSTILE-END seed S` at the end, then powers off;
//! the last of several vCPUs is not started: it is there to be initialised with nonsense.
#![no_std]
#![no_main]

mod actions;
mod arena;
mod gun;
mod paging;
mod services;
mod sharing;

use core::sync::atomic::{AtomicU64, Ordering};
use guest_isolation::schedule::{self, own};
use guest_kit::command_line::{self, number};
use guest_kit::events::{self, bind_virq, vcpu_info};
use guest_kit::hypercall::{at, call, call2, nr, stack_switch, vcpu_op};
use guest_kit::mmu::{ext, mmuext_one};
use guest_kit::pages::Page;
use guest_kit::start::start_info;
use guest_kit::trap::{self, catch, Frame, FLAT_SS};
use guest_kit::vcpu::{area_address, area_of, BOUNCE_STACK, MAX_VCPUS};
use guest_kit::vcpus::{op, Context};
use gun::{shot, Gun, Shot};

guest_kit::guest_main!(main);

type Maker = fn(&mut Gun) -> Shot;
type Action = fn(&mut Gun);

/// Kinds of shots, how often each is chosen, what makes it.
const SHOTS: &[(&str, u64, Maker)] = &[
    ("mmu_update", 8, paging::mmu_update),
    ("mmuext_op", 8, paging::mmuext_op),
    ("update_va_mapping", 5, paging::update_va_mapping),
    ("set_gdt", 2, paging::set_gdt),
    ("update_descriptor", 3, paging::update_descriptor),
    ("set_trap_table", 1, paging::set_trap_table),
    ("callbacks", 2, paging::callbacks),
    ("processor_state", 3, paging::processor_state),
    ("memory_op", 6, sharing::memory_op),
    ("grant_table_op", 8, sharing::grant_table_op),
    ("event_channel_op", 6, sharing::event_channel_op),
    ("vcpu_op", 4, services::vcpu_op),
    ("sched_op", 3, services::sched_op),
    ("ordinary", 3, services::ordinary),
    ("privileged", 3, services::privileged),
    ("shapeless", 4, services::shapeless),
    ("multicall", 4, multicall),
];

/// What is done without a hypercall.
const ACTIONS: &[(&str, u64, Action)] = &[
    ("instruction", 4, actions::instruction),
    ("iret", 3, actions::iret),
    ("random_code", 2, actions::random_code),
    ("poke", 5, actions::poke),
];

const KINDS: usize = SHOTS.len() + ACTIONS.len();

static FIRED: [AtomicU64; KINDS] = [const { AtomicU64::new(0) }; KINDS];
static ACCEPTED: [AtomicU64; KINDS] = [const { AtomicU64::new(0) }; KINDS];
static ROUNDS: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];
static TIMERS: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];
static CONTEXTS: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];
static SEED: AtomicU64 = AtomicU64::new(0);
static SPARE: AtomicU64 = AtomicU64::new(0);
static GRANTS: AtomicU64 = AtomicU64::new(0);
static TRACE: AtomicU64 = AtomicU64::new(u64::MAX);
static CHOSEN: AtomicU64 = AtomicU64::new(0);
static mut GUNS: [Option<Gun>; MAX_VCPUS] = [const { None }; MAX_VCPUS];

/// The vCPU that is only there to be initialised, or the number after the last one.
pub fn spare() -> u64 {
    SPARE.load(Ordering::Relaxed)
}

/// A context for a shot of this vCPU to spoil.
pub fn context(vcpu: usize) -> &'static mut Context {
    unsafe { &mut *(CONTEXTS[vcpu].load(Ordering::Relaxed) as *mut Context) }
}

/// Whether the guest would be lost without this port.
pub fn is_own_port(port: u64) -> bool {
    let info = start_info();
    port == info.console_evtchn as u64
        || port == info.store_evtchn as u64
        || TIMERS
            .iter()
            .any(|timer| timer.load(Ordering::Relaxed) == port)
}

/// Takes the pending bit of a vCPU's timer away.
pub fn clear_timer(vcpu: usize) {
    events::clear_pending(TIMERS[vcpu].load(Ordering::Relaxed) as u32);
}

fn main() {
    let seed = number("seed").unwrap_or_else(|| guest_kit::time::tsc() & 0xffff_ffff);
    SEED.store(seed, Ordering::Relaxed);
    TRACE.store(number("trace").unwrap_or(u64::MAX), Ordering::Relaxed);
    let count = schedule::processors();
    let fire = match count {
        1 | 2 => count,
        _ => count - 1,
    };
    SPARE.store(fire as u64, Ordering::Relaxed);
    let seconds = number("seconds").unwrap_or(60);
    guest_kit::say!("HOSTILE-BEGIN seed={seed:#x} {fire} of {count} vCPUs, {seconds} seconds");
    prepare(count);
    let ended = schedule::run(fire, seconds, || schedule::repeat(round), round, report);
    for (kind, (fired, accepted)) in FIRED.iter().zip(&ACCEPTED).enumerate() {
        let (fired, accepted) = (
            fired.load(Ordering::Relaxed),
            accepted.load(Ordering::Relaxed),
        );
        guest_kit::say!("HOSTILE-COUNT {} {fired} accepted {accepted}", name(kind));
    }
    let ended = if ended { "all" } else { "not all" };
    guest_kit::say!(
        "HOSTILE-END seed={seed:#x} {ended} vCPUs ended, {} shots",
        total()
    );
}

fn prepare(count: usize) {
    for kind in 0..KINDS {
        let seldom = command_line::lists("skip", name(kind));
        let named =
            command_line::value("only").is_none() || command_line::lists("only", name(kind));
        if named && !seldom {
            CHOSEN.fetch_or(1 << kind, Ordering::Relaxed);
        }
    }
    for id in 0..count {
        let pages = Page::take_run(1);
        // vcpu_info in a page of our own: nobody moves it again.
        vcpu_op(op::REGISTER_INFO, id as u64, at(&[pages.mfn(), 0]));
        area_of(id).info = pages.va;
        vcpu_info().mask = 1;
        if let Ok(timer) = bind_virq(0, id as u32) {
            TIMERS[id].store(timer as u64, Ordering::Relaxed);
            events::set_masked(timer, false);
        }
        let context = guest_kit::vcpus::context(id);
        CONTEXTS[id].store(context as *mut Context as u64, Ordering::Relaxed);
    }
    GRANTS.store(guest_kit::grants::setup().frame.va, Ordering::Relaxed);
    actions::prepare();
    arena::prepare();
    let (seed, gentle) = (SEED.load(Ordering::Relaxed), !command_line::has("may-die"));
    let guns = &raw mut GUNS;
    let guns = unsafe { &mut *guns };
    for (id, gun) in guns.iter_mut().enumerate().take(count) {
        *gun = Some(Gun::new(seed, id, gentle));
    }
}

fn name(kind: usize) -> &'static str {
    match SHOTS.get(kind) {
        Some((name, _, _)) => name,
        None => ACTIONS[kind - SHOTS.len()].0,
    }
}

fn weight(kind: usize) -> u64 {
    if CHOSEN.load(Ordering::Relaxed) >> kind & 1 == 0 {
        return 0;
    }
    match SHOTS.get(kind) {
        Some((_, weight, _)) => *weight,
        None => ACTIONS[kind - SHOTS.len()].1,
    }
}

fn choose(gun: &mut Gun) -> usize {
    let all = (0..KINDS).map(weight).sum::<u64>().max(1);
    let mut left = gun.random.below(all);
    for kind in 0..KINDS {
        if left < weight(kind) {
            return kind;
        }
        left -= weight(kind);
    }
    0
}

fn total() -> u64 {
    ROUNDS
        .iter()
        .map(|rounds| rounds.load(Ordering::Relaxed))
        .sum()
}

fn report(second: u64) {
    let rounds: [u64; MAX_VCPUS] = core::array::from_fn(|id| ROUNDS[id].load(Ordering::Relaxed));
    guest_kit::say!("HOSTILE second {second} shots {rounds:?}");
    for id in 1..spare() {
        vcpu_op(op::UP, id, 0);
    }
    arena::freshen();
}

/// Traps that a shot leaves behind and that have nothing to say: a breakpoint, an NMI, the FPU.
fn hook(frame: &mut Frame) -> bool {
    match frame.vector {
        1 => {
            call2(nr::SET_DEBUGREG, 7, 0);
            frame.rflags &= !0x100;
            !frame.from_user()
        }
        2 => !frame.from_user(),
        7 => true,
        _ => false,
    }
}

/// One shot or action.
fn round() {
    let id = own();
    let number = ROUNDS[id].fetch_add(1, Ordering::Relaxed);
    let guns = &raw mut GUNS;
    let Some(gun) = (unsafe { (*guns)[id].as_mut() }) else {
        return;
    };
    guest_kit::vcpu::area().hook = Some(hook);
    if number == 0 {
        // Each vCPU has user page tables of its own to begin with.
        actions::restore_tables(id);
    }
    gun.reload();
    if gun.random.once_in(8) {
        sharing::write_grant(gun, GRANTS.load(Ordering::Relaxed));
    }
    let kind = choose(gun);
    let traced = number >= TRACE.load(Ordering::Relaxed);
    FIRED[kind].fetch_add(1, Ordering::Relaxed);
    match SHOTS.get(kind) {
        Some((name, _, make)) => {
            let shot = make(gun);
            if traced {
                guest_kit::say!(
                    "SHOT {id} {number} {name} {} {:x?}",
                    shot.number,
                    shot.arguments
                );
            }
            let mut result = -1;
            let trapped = catch(|| result = call(shot.number, shot.arguments));
            if trapped.is_none() && result >= 0 {
                ACCEPTED[kind].fetch_add(1, Ordering::Relaxed);
            }
            if traced {
                guest_kit::say!("DONE {id} {number} {result}");
            }
            restore(gun, shot.number);
        }
        None => {
            let (name, _, act) = ACTIONS[kind - SHOTS.len()];
            if traced {
                guest_kit::say!("SHOT {id} {number} {name}");
            }
            if !(gun.fifo && name == "random_code") {
                act(gun);
            }
            restore(gun, nr::MMUEXT_OP);
        }
    }
}

/// Several shots in one call.
fn multicall(gun: &mut Gun) -> Shot {
    gun.nested = true;
    let mut words = [0u64; 64];
    let calls = 1 + gun.random.below(6);
    for index in 0..calls as usize {
        let kind = gun.random.below(SHOTS.len() as u64 - 1) as usize;
        let inner = match CHOSEN.load(Ordering::Relaxed) >> kind & 1 {
            0 => Shot::default(),
            _ => SHOTS[kind].2(gun),
        };
        // An iret in a list takes its frame from the stack we stand on.
        let number = match inner.number & 0xffff_ffff {
            nr::IRET => 64,
            _ => inner.number,
        };
        words[8 * index] = number;
        words[8 * index + 2..8 * index + 8].copy_from_slice(&inner.arguments);
    }
    gun.nested = false;
    let list = gun.put(&words[..8 * calls as usize]);
    let count = gun.count(calls);
    shot(nr::MULTICALL, &[list, count])
}

/// Puts back what a shot may have changed of what this vCPU stands on.
fn restore(gun: &mut Gun, number: u64) {
    let id = gun.vcpu;
    vcpu_info().mask = 1;
    if !gun.gentle && gun.random.once_in(4) {
        return;
    }
    match number & 0xffff_ffff {
        nr::MULTICALL | nr::SET_TRAP_TABLE | nr::SET_CALLBACKS | nr::CALLBACK_OP | nr::NMI_OP => {
            trap::install();
            trap::install_callbacks();
        }
        _ => (),
    }
    if number & 0xffff_ffff == nr::MULTICALL || gun.random.once_in(4) {
        let bounce = area_address(id) + BOUNCE_STACK as u64;
        stack_switch(FLAT_SS, bounce);
        call2(nr::FPU_TASKSWITCH, 0, 0);
        call2(nr::SET_DEBUGREG, 7, 0);
        call2(nr::SET_GDT, 0, 0);
        // physdev_op set_iopl 0
        call2(nr::PHYSDEV_OP, 6, at(&0u64));
    }
    if matches!(number & 0xffff_ffff, nr::MULTICALL | nr::MMUEXT_OP) {
        mmuext_one(ext::NEW_BASEPTR, arena::live_l4(), 0);
        actions::restore_tables(id);
    }
}
