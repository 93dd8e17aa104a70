//! Event channels: two domains, every operation, and shared pages that the guest scribbles over.

use crate::bytes::Bytes;
use crate::page::{Page, WORDS};
use crate::Target;
use events::simulated::Info;
use events::{Bitmap, Closer, Effect, EventTable, Sent};
use std::sync::atomic::Ordering::SeqCst;
use vocabulary::{DomainId, Port, VcpuId};

/// The target.
pub const TARGET: Target = Target {
    name: "event-channels",
    run,
    seeds,
};

const VCPUS: u32 = 3;
/// More accesses to one page for one operation than this are a loop that the guest controls.
const MOST_ACCESSES: u32 = 20_000;

struct Domain {
    table: EventTable<Page>,
    info: Info,
    pages: Vec<Page>,
}

impl Domain {
    fn new(number: u16, ports: u32) -> Option<Self> {
        Some(Self {
            table: EventTable::new(DomainId(number), VCPUS, ports).ok()?,
            info: Info::new(VCPUS),
            pages: Vec::new(),
        })
    }

    /// Effects name vCPUs that there are.
    fn take(&self, effects: impl Iterator<Item = Effect>) {
        for effect in effects {
            if let Effect::Notify(vcpu) | Effect::WakePoller(vcpu) = effect {
                assert!(vcpu.0 < VCPUS, "an upcall to no vCPU");
            }
        }
    }

    fn page(&mut self, bytes: &mut Bytes<'_>) -> Page {
        let page = Page::new(u32::from(bytes.byte() % 8), bytes.double());
        self.pages.push(page.clone());
        page
    }

    fn accesses(&self) -> u32 {
        self.pages.iter().map(Page::accesses).sum()
    }
}

fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let ports = bytes.pick(&[u32::MAX, 1023, 0, 4095, 4096, 200]);
    let (Some(mut near), Some(mut far)) = (Domain::new(1, ports), Domain::new(2, 1023)) else {
        return;
    };
    while !bytes.is_empty() {
        let before = near.accesses() + far.accesses();
        step(&mut bytes, &mut near, &mut far);
        let looked = near.accesses() + far.accesses() - before;
        assert!(looked < MOST_ACCESSES, "{looked} accesses in one operation");
        std::mem::swap(&mut near, &mut far);
        if bytes.byte() & 3 != 0 {
            std::mem::swap(&mut near, &mut far);
        }
    }
}

fn step(bytes: &mut Bytes<'_>, near: &mut Domain, far: &mut Domain) {
    let operation = bytes.byte() % 18;
    let port = match bytes.byte() {
        255 => Port(bytes.double()),
        small => Port(u32::from(small)),
    };
    let vcpu = VcpuId(u32::from(bytes.byte() % 5));
    let (table, info) = (&near.table, &near.info);
    match operation {
        0 => drop(table.alloc_unbound(DomainId(2)).ok()),
        1 => {
            if let Ok((_, effects)) = table.bind_interdomain(info, &far.table, port) {
                near.take(effects);
            }
        }
        2 => drop(table.bind_virq(port.0, vcpu).ok()),
        3 => drop(table.bind_ipi(vcpu).ok()),
        4 => drop(table.bind_pirq(port.0).ok()),
        5 => drop(table.bind_vcpu(port, vcpu).ok()),
        6 => drop(table.set_priority(port, vcpu.0 * 5).ok()),
        7 | 8 => send(near, far, port),
        9 => {
            if let Ok(effects) = table.unmask(info, port) {
                near.take(effects);
            }
        }
        10 => close(near, far, port, Closer::Guest),
        11 => drop(table.status(port).ok()),
        12 => {
            let page = near.page(bytes);
            let offset = u32::from(bytes.byte()) * 64 + u32::from(bytes.byte() & 8);
            // The caller has looked at the vCPU and the offset before it holds the page.
            if near.table.check_control(vcpu, offset).is_ok() {
                let _ = near.table.init_control(&near.info, vcpu, page, offset);
            }
        }
        13 => {
            let page = near.page(bytes);
            if let Ok(expanded) = near.table.expand_array(page) {
                let effects = near.table.replay(&near.info, expanded).flatten();
                near.take(effects);
            }
        }
        // The hypervisor's own: it names vCPUs that there are.
        14 if vcpu.0 < VCPUS => near.take(table.raise_virq(info, port.0, vcpu)),
        17 if vcpu.0 < VCPUS => near.take(table.info_moved(info, vcpu)),
        15 => near.take(table.raise_global_virq(info, port.0)),
        16 => scribble(bytes, near),
        _ => {}
    }
}

/// The guest writes to what it shares.
fn scribble(bytes: &mut Bytes<'_>, near: &Domain) {
    let (place, value) = (bytes.double() as usize, bytes.double());
    match near.pages.len() {
        0 => {
            let map = bytes.pick(&[Bitmap::Pending, Bitmap::Mask]);
            near.info.map(map)[place % 64].store(u64::from(value), SeqCst);
        }
        pages => near.pages[place % pages].write(place / 7 % WORDS, value),
    }
}

fn send(near: &Domain, far: &Domain, port: Port) {
    match near.table.send(&near.info, port) {
        Ok(Sent::Here(effects)) => near.take(effects),
        Ok(Sent::Elsewhere(forward)) if forward.to == far.table.domain() => {
            far.take(far.table.receive(&far.info, forward));
        }
        _ => {}
    }
}

fn close(near: &Domain, far: &Domain, port: Port, closer: Closer) {
    if let Ok(closed) = near.table.close(&near.info, port, closer) {
        if let Some(news) = closed.hang_up {
            if news.to == far.table.domain() {
                far.table.peer_closed(news);
            }
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let two_level = vec![
        0, 0, 1, 0, 1, 1, 1, 0, 1, 3, 0, 0, 1, 7, 1, 0, 1, 8, 2, 0, 1, 9, 1, 0, 1, 10, 1, 0, 1,
    ];
    let mut fifo = vec![0, 3, 0, 0, 1, 3, 0, 1, 1];
    for vcpu in 0..3 {
        fifo.extend([12, 0, vcpu, vcpu, 1, 2, 3, 4, 1, 0, 1]);
    }
    fifo.extend([13, 0, 0, 3, 1, 2, 3, 4, 1]);
    for port in 1..4 {
        fifo.extend([7, port, 0, 1, 6, port, 2, 1, 9, port, 0, 1, 10, port, 0, 1]);
    }
    vec![two_level, fifo]
}
