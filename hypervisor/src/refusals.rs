//! Why guests were refused: the last refusals in a ring, and a line in the log at the debug level.

use core::fmt;
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

/// What was asked for, as the log shows it: the call and its first arguments.
struct Asked(u64, [u64; 3]);

/// Calls whose operation is not their first argument but lies in the caller's memory.
const INDIRECT: [&str; 6] = [
    "mmu_update",
    "mmuext_op",
    "platform_op",
    "sysctl",
    "domctl",
    "mca",
];

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(call, [first, second, third]) = *self;
        let row = u32::try_from(call).ok().and_then(calls::hypercall);
        let Some(row) = row else {
            return write!(formatter, "emulated write at {first:#x}");
        };
        let mut operations = row.operations.iter();
        let operation = operations
            .find(|operation| u64::from(operation.number) == first & 0xffff_ffff)
            .filter(|_| !INDIRECT.contains(&row.name));
        match operation {
            Some(operation) => write!(
                formatter,
                "{}({}, {second:#x}, {third:#x})",
                row.name, operation.name
            ),
            None => write!(
                formatter,
                "{}({first:#x}, {second:#x}, {third:#x})",
                row.name
            ),
        }
    }
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
    crate::guest_log!(
        Debug,
        "d{domain}v{}: {} refused: {refusal}",
        vcpu.id,
        Asked(call, [first, second, third])
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
        crate::console::print(format_args!(
            "(XEN) d{}v{}: {}: {}\n",
            entry.domain,
            entry.vcpu,
            Asked(entry.call, entry.arguments),
            entry.refusal
        ));
    }
}
