//! Why guests were refused: the last refusals in a ring, and a line in the log at the debug level.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hw::registers::Registers;
use hw::sync::SpinLock;
use vocabulary::{DomainId, Refusal, VcpuId};

use crate::hypercall::Arguments;
use crate::levels;
use crate::vcpu::Vcpu;

/// Refusals kept.
const KEPT: usize = 64;

/// One refusal, as a debug key shows it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Who asked.
    pub domain: DomainId,
    /// Which of its vCPUs.
    pub vcpu: VcpuId,
    /// Hypercall number, or [`EMULATED`].
    pub call: u64,
    /// Its first three arguments, or the instruction's address.
    pub arguments: [u64; 3],
    /// The answer and its reason.
    pub refusal: Refusal,
}

/// `call` of a refused emulated instruction.
pub const EMULATED: u64 = u64::MAX;

/// How often in a row one and the same refusal is logged: Linux asks 8192 times which vCPUs there are.
const REPEATS_LOGGED: u32 = 3;

struct Ring {
    entries: [Option<Entry>; KEPT],
    next: usize,
    /// Who was refused last, what and why, and how often in a row.
    last: Option<(DomainId, u64, Refusal)>,
    repeats: u32,
}

static RING: SpinLock<Ring, { levels::BOARD }> = SpinLock::new(Ring {
    entries: [None; KEPT],
    next: 0,
    last: None,
    repeats: 0,
});
/// Hypercalls that were logged as unknown or missing, one bit a number.
static TOLD: AtomicU64 = AtomicU64::new(0);

/// Keeps an entry; says whether it is worth a line in the log.
fn keep(entry: Entry) -> bool {
    let mut ring = RING.lock();
    let what = Some((entry.domain, entry.call, entry.refusal));
    ring.repeats = if ring.last == what {
        ring.repeats.saturating_add(1)
    } else {
        0
    };
    ring.last = what;
    if ring.repeats >= REPEATS_LOGGED {
        return false;
    }
    let next = ring.next;
    if let Some(place) = ring.entries.get_mut(next) {
        *place = Some(entry);
    }
    ring.next = (next + 1) % KEPT;
    true
}

/// Keeps the refusal of a hypercall.
#[cold]
pub fn note(vcpu: &Vcpu, call: u64, arguments: &Arguments, refusal: Refusal) {
    let [first, second, third, ..] = arguments.0;
    let domain = vcpu.domain.id;
    if !keep(Entry {
        domain,
        vcpu: vcpu.id,
        call,
        arguments: [first, second, third],
        refusal,
    }) {
        return;
    }
    let name = calls::hypercall(call as u32).map_or("hypercall", |row| row.name);
    crate::guest_log!(
        Debug,
        "d{domain}v{}: {name}({first:#x}, {second:#x}, {third:#x}) refused: {refusal}",
        vcpu.id
    );
}

/// Keeps the refusal of an emulated instruction.
#[cold]
pub fn note_emulated(vcpu: &Vcpu, registers: &Registers, refusal: Refusal) {
    let domain = vcpu.domain.id;
    if !keep(Entry {
        domain,
        vcpu: vcpu.id,
        call: EMULATED,
        arguments: [registers.rip, 0, 0],
        refusal,
    }) {
        return;
    }
    crate::guest_log!(
        Debug,
        "d{domain}v{}: write at {:#x} refused: {refusal}",
        vcpu.id,
        registers.rip
    );
}

/// Tells once of a hypercall that does not work here.
#[cold]
pub fn unknown_call(vcpu: &Vcpu, call: u64) {
    let bit = 1u64 << call.min(63);
    if TOLD.fetch_or(bit, Relaxed) & bit != 0 {
        return;
    }
    let domain = vcpu.domain.id;
    match calls::hypercall(call as u32) {
        Some(row) => crate::guest_log!(
            Warning,
            "d{domain}: {} is not implemented: ENOSYS",
            row.name
        ),
        None => crate::guest_log!(Warning, "d{domain}: there is no hypercall {call}: ENOSYS"),
    }
}

/// Shows the kept refusals, oldest first.
pub fn show() {
    let (entries, next) = {
        let ring = RING.lock();
        (ring.entries, ring.next)
    };
    let (newer, older) = entries.split_at(next.min(KEPT));
    for entry in older.iter().chain(newer).flatten() {
        let [first, second, third] = entry.arguments;
        let name =
            calls::hypercall(entry.call as u32).map_or("emulated instruction", |row| row.name);
        crate::console::print(format_args!(
            "(XEN) d{}v{}: {name}({first:#x}, {second:#x}, {third:#x}): {}\n",
            entry.domain, entry.vcpu, entry.refusal
        ));
    }
}
