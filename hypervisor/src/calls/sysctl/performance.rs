//! `sysctl`: the counters of what guests do, in the shape of Xen's software performance counters: those of all
//! domains together first, then those of each domain under a name of its own.

use alloc::vec::Vec;
use core::fmt::Write;

use arrayvec::ArrayString;
use calls::SysctlPerformanceOp;
use hw::sync::SpinLock;
use vocabulary::{DomainId, Refusal, Refused};
use xen_abi::sysctl_watch::{PerfcDesc, PerfcOp};
use zerocopy::IntoBytes;

use super::Request;
use crate::counters::{GROUPS, VALUES};
use crate::{domains, guest, levels};

/// The most domains that are told of.
const DOMAINS: usize = 1024;

/// Counts of one domain, its vCPUs together.
type Counts = [u64; VALUES];

struct State {
    /// The domains that a caller was told of when it asked how many counters there are. It makes room for just
    /// these, and later calls write no others.
    told: Vec<DomainId>,
    /// Counts at the last reset.
    base: Vec<(DomainId, Counts)>,
}

static STATE: SpinLock<State, { levels::CONTROL }> = SpinLock::new(State {
    told: Vec::new(),
    base: Vec::new(),
});

impl State {
    /// Counts since the last reset; zeros for a domain that is gone.
    fn since_reset(&self, id: DomainId) -> Counts {
        let mut counts = counts_of(id);
        let base = self.base.iter().find(|(other, _)| *other == id);
        if let Some((_, base)) = base {
            for (count, before) in counts.iter_mut().zip(base) {
                *count = count.saturating_sub(*before);
            }
        }
        counts
    }

    fn reset(&mut self) {
        self.base.clear();
        let mut from = Some(DomainId(0));
        while let Some(domain) = from.and_then(domains::next) {
            if self.base.len() == DOMAINS || self.base.try_reserve(1).is_err() {
                break;
            }
            self.base.push((domain.id, counts_of(domain.id)));
            from = domain.id.0.checked_add(1).map(DomainId);
        }
    }

    /// Learns which domains there are now.
    fn tell(&mut self) {
        self.told.clear();
        let mut from = Some(DomainId(0));
        while let Some(domain) = from.and_then(domains::next) {
            if self.told.len() == DOMAINS || self.told.try_reserve(1).is_err() {
                break;
            }
            self.told.push(domain.id);
            from = domain.id.0.checked_add(1).map(DomainId);
        }
    }
}

fn counts_of(id: DomainId) -> Counts {
    let mut counts = [0u64; VALUES];
    if let Some(domain) = domains::find(id) {
        for vcpu in domain.vcpus() {
            for (sum, count) in counts.iter_mut().zip(vcpu.counters.all()) {
                *sum = sum.wrapping_add(count);
            }
        }
    }
    counts
}

/// `XEN_SYSCTL_perfc_op`.
pub fn counters(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<PerfcOp>()?;
    let operation = SysctlPerformanceOp::from_number(asked.cmd).map_err(Refusal::from)?;
    let mut state = STATE.lock();
    if asked.desc == 0 && asked.val == 0 {
        state.tell();
    }
    let sections = state.told.len() as u32 + 1;
    asked.nr_counters = sections * GROUPS.len() as u32;
    asked.nr_vals = sections * VALUES as u32;
    if asked.desc != 0 {
        write_names(&state, asked.desc)?;
    }
    if asked.val != 0 {
        write_counts(&state, asked.val)?;
    }
    match operation {
        SysctlPerformanceOp::Reset => state.reset(),
        SysctlPerformanceOp::Query => {}
    }
    request.answer(&asked)
}

fn write_names(state: &State, to: u64) -> Refused<()> {
    let mut index = 0;
    let sections = core::iter::once(None).chain(state.told.iter().map(Some));
    for section in sections {
        for (group, count) in GROUPS {
            let mut name = ArrayString::<79>::new();
            // Names are shorter than the room; one that is not is cut.
            let _ = match section {
                None => name.write_str(group),
                Some(id) => write!(name, "d{id} {group}"),
            };
            let mut description = PerfcDesc {
                name: [0; 80],
                nr_vals: count as u32,
            };
            for (place, byte) in description.name.iter_mut().zip(name.bytes()) {
                *place = byte;
            }
            guest::write(guest::element::<PerfcDesc>(to, index), &description)?;
            index += 1;
        }
    }
    Ok(())
}

fn write_counts(state: &State, to: u64) -> Refused<()> {
    let mut sum = [0u64; VALUES];
    for (index, &id) in (1..).zip(&state.told) {
        let counts = state.since_reset(id);
        for (total, count) in sum.iter_mut().zip(&counts) {
            *total = total.wrapping_add(*count);
        }
        write_section(to, index, &counts)?;
    }
    write_section(to, 0, &sum)
}

/// Writes the counts of one section. The interface's values have 32 bits and wrap.
fn write_section(to: u64, section: u64, counts: &Counts) -> Refused<()> {
    let values = counts.map(|count| count as u32);
    let place = guest::element::<[u32; VALUES]>(to, section);
    guest::write_bytes(place, values.as_bytes())
}
