//! Why guests were refused: the last refusals in a ring, and a line in the log at the debug level.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hw::registers::Registers;
use hw::sync::SpinLock;
use vocabulary::{DomainId, Errno, Refusal, VcpuId};
use xen_abi::domctl::XEN_DOMCTL_getdomaininfo;
use xen_abi::sysctl::XEN_SYSCTL_cpupool_op;

use crate::hypercall::Arguments;
use crate::vcpu::Vcpu;
use crate::{guest, levels};

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
    /// Its operation, where it has some.
    pub operation: Option<u32>,
    /// The domain it was about, where that is known.
    pub target: Option<u16>,
    /// Its first three arguments, or the instruction's address.
    pub arguments: [u64; 3],
    /// The answer and its reason.
    pub refusal: Refusal,
}

/// What was asked for, as the log shows it: the call, its operation if it has any, and its first arguments.
struct Asked<'a>(&'a Entry);

/// Calls whose operation is not their first argument but stands first in the structure there.
const INDIRECT: [&str; 4] = ["platform_op", "sysctl", "domctl", "mca"];
/// Calls whose first argument is no operation although they have some.
const LISTS: [&str; 2] = ["mmu_update", "mmuext_op"];

/// Answers by which tools find the end of a list: kept, but no line in the log.
const ENDS: [(&str, u32, Errno); 2] = [
    ("domctl", XEN_DOMCTL_getdomaininfo, Errno::ESRCH),
    ("sysctl", XEN_SYSCTL_cpupool_op, Errno::ENOENT),
];

impl fmt::Display for Asked<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third] = self.0.arguments;
        let Some(row) = row(self.0.call) else {
            return write!(formatter, "emulated write at {first:#x}");
        };
        let mut operations = row.operations.iter();
        let wanted = self.0.operation;
        let operation = operations.find(|operation| Some(operation.number) == wanted);
        match (operation, self.0.target) {
            (Some(operation), Some(target)) => write!(formatter, "{} on d{target}", operation.name),
            (Some(operation), None) if INDIRECT.contains(&row.name) => {
                formatter.write_str(operation.name)
            }
            (Some(operation), None) => write!(
                formatter,
                "{}({}, {second:#x}, {third:#x})",
                row.name, operation.name
            ),
            (None, _) => write!(
                formatter,
                "{}({first:#x}, {second:#x}, {third:#x})",
                row.name
            ),
        }
    }
}

fn row(call: u64) -> Option<&'static calls::Hypercall> {
    u32::try_from(call).ok().and_then(calls::hypercall)
}

/// The operation that was asked for and the domain it was about. What lies in the caller's memory is looked at once
/// more, for these words only: a caller that has changed it meanwhile reads what it likes.
fn operation(call: u64, first: u64) -> (Option<u32>, Option<u16>) {
    let name = row(call).map_or("", |row| row.name);
    if LISTS.contains(&name) {
        return (None, None);
    }
    if !INDIRECT.contains(&name) {
        return (Some(first as u32), None);
    }
    match guest::read::<[u32; 3]>(first) {
        Ok([number, _, domain]) => (Some(number), (name == "domctl").then_some(domain as u16)),
        Err(_) => (None, None),
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
    last: Option<(DomainId, u64, Option<u32>, Refusal)>,
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
fn keep(entry: &Entry) -> bool {
    let mut ring = RING.lock();
    let what = Some((entry.domain, entry.call, entry.operation, entry.refusal));
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
        *place = Some(*entry);
    }
    ring.next = (next + 1) % KEPT;
    true
}

/// Keeps the refusal of a hypercall.
#[cold]
pub fn note(vcpu: &Vcpu, call: u64, arguments: &Arguments, refusal: Refusal) {
    let [first, second, third, ..] = arguments.0;
    let (operation, target) = operation(call, first);
    let name = row(call).map_or("", |row| row.name);
    let ends_a_list = ENDS
        .iter()
        .any(|end| (end.0, Some(end.1), end.2) == (name, operation, refusal.errno));
    let entry = Entry {
        domain: vcpu.domain.id,
        vcpu: vcpu.id,
        call,
        operation,
        target,
        arguments: [first, second, third],
        refusal,
    };
    if keep(&entry) && !ends_a_list {
        tell(&entry);
    }
}

/// Keeps the refusal of an emulated instruction.
#[cold]
pub fn note_emulated(vcpu: &Vcpu, registers: &Registers, refusal: Refusal) {
    let entry = Entry {
        domain: vcpu.domain.id,
        vcpu: vcpu.id,
        call: EMULATED,
        operation: None,
        target: None,
        arguments: [registers.rip, 0, 0],
        refusal,
    };
    if keep(&entry) {
        tell(&entry);
    }
}

fn tell(entry: &Entry) {
    crate::guest_log!(
        Debug,
        "d{}v{}: {} refused: {}",
        entry.domain,
        entry.vcpu,
        Asked(entry),
        entry.refusal
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
            Asked(entry),
            entry.refusal
        ));
    }
}
