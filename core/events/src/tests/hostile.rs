//! Guest memory that changes between any two accesses: nothing loops, nothing outside the guest suffers.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use proptest::prelude::*;
use shared_page::simulated::Liar;
use vocabulary::VcpuId;

use crate::fifo::{LINKED, MASKED, PENDING};
use crate::simulated::Info;
use crate::{Effect, EventTable, Sent, SharedPage};

/// A page of words that may be anything.
fn liar(seed: u32) -> Liar {
    Liar::new(seed, |random| random, 4)
}

/// A page that never lets a compare-exchange succeed and says what is worst for us.
struct Stubborn {
    /// Answers of `fetch_or` so that an event is always queued anew.
    or: u32,
    accesses: AtomicU32,
}

impl Stubborn {
    fn count(&self) {
        self.accesses.fetch_add(1, SeqCst);
    }
}

impl SharedPage for &'static Stubborn {
    type Relax = spin::Spin;

    fn load(&self, _: usize) -> u32 {
        self.count();
        LINKED
    }
    fn store(&self, _: usize, _: u32) {
        self.count();
    }
    fn compare_exchange(&self, _: usize, _: u32, _: u32) -> Result<u32, u32> {
        self.count();
        Err(PENDING | LINKED)
    }
    fn fetch_or(&self, _: usize, _: u32) -> u32 {
        self.count();
        self.or
    }
    fn fetch_and(&self, _: usize, _: u32) -> u32 {
        self.count();
        PENDING | MASKED
    }
}

#[test]
fn a_tail_that_never_keeps_still_costs_a_bounded_effort_and_the_domain() {
    let table = EventTable::new(vocabulary::DomainId(1), 1, 1023).unwrap();
    let info = Info::new(1);
    let page = || {
        &*Box::leak(Box::new(Stubborn {
            or: 0,
            accesses: AtomicU32::new(0),
        }))
    };
    table.init_control(&info, VcpuId(0), page(), 0).unwrap();
    let array = page();
    let _ = table.expand_array(array).unwrap();
    let ports = [0, 1].map(|_| {
        array.accesses.store(0, SeqCst);
        table.bind_ipi(VcpuId(0))
    });
    // The page says that every port is queued, so that none can be allocated: bounded as well.
    assert!(ports.iter().all(Result::is_err));
    assert!(array.accesses.load(SeqCst) < 2000);

    let table = EventTable::new(vocabulary::DomainId(1), 1, 1023).unwrap();
    let ports = [0, 1].map(|_| table.bind_ipi(VcpuId(0)).unwrap());
    table.init_control(&info, VcpuId(0), page(), 0).unwrap();
    let array = page();
    let _ = table.expand_array(array).unwrap();
    let effects = |port| match table.send(&info, port).unwrap() {
        Sent::Here(effects) => effects.collect::<Vec<_>>(),
        Sent::Elsewhere(_) => panic!("the event left the domain"),
    };
    let _ = effects(ports[0]);
    array.accesses.store(0, SeqCst);
    assert!(matches!(effects(ports[1])[0], Effect::Crash(_)));
    assert!(array.accesses.load(SeqCst) < 100);
}

proptest! {
    #[test]
    fn lies_never_loop_panic_or_reach_outside(
        seed in any::<u32>(),
        operations in prop::collection::vec((0u8..6, 1u32..40), 1..200),
    ) {
        let table = EventTable::new(vocabulary::DomainId(1), 3, u32::MAX).unwrap();
        let info = Info::new(3);
        let ports: Vec<_> = (0..30).map(|n| table.bind_ipi(VcpuId(n % 3)).unwrap()).collect();
        let free = (0..9).map(|_| table.alloc_unbound(vocabulary::DomainId(1)).unwrap());
        let mut ports: Vec<_> = ports.into_iter().chain(free).collect();
        for vcpu in 0..3 {
            let page = liar(seed ^ vcpu);
            table.init_control(&info, VcpuId(vcpu), page, 4024).unwrap();
        }
        let expanded = table.expand_array(liar(!seed)).unwrap();
        prop_assert_eq!(table.replay(&info, expanded).flatten().count(), 0);
        for (operation, number) in operations {
            let port = ports[number as usize % ports.len()];
            match operation {
                0 | 1 => {
                    if let Ok(Sent::Here(effects)) = table.send(&info, port) {
                        effects.for_each(drop);
                    }
                }
                2 => table.unmask(&info, port).unwrap().for_each(drop),
                3 => { let _ = table.bind_vcpu(port, VcpuId(number % 3)); }
                4 => { let _ = table.set_priority(port, number % 16); }
                _ => {
                    let _ = table.close(&info, port, crate::Closer::Guest);
                    if let Ok(port) = table.bind_ipi(VcpuId(number % 3)) {
                        ports.push(port);
                    }
                }
            }
        }
    }
}
