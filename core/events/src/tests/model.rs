//! Random operations on three domains, each of which may die at any moment, against a plain model of what each port is
//! and holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::SeqCst;

use proptest::prelude::*;
use vocabulary::{DomainId, Port, VcpuId};

use super::mock::Guest;
use crate::fifo::LINKED;
use crate::{virq_is_per_vcpu, Binding, Closer, Effect, Effects, Sent};

const DOMAINS: u16 = 3;
const VCPUS: u32 = 3;
/// Ports we look at; the domains' limits are at or below it.
const PORTS: u32 = 24;
const LIMITS: [u32; DOMAINS as usize] = [23, 23, 9];

#[derive(Clone, Debug)]
enum Operation {
    AllocUnbound(u16, u16),
    Connect(u16, u16, u32),
    Virq(u16, u32, u32),
    Ipi(u16, u32),
    Pirq(u16, u32),
    Close(u16, u32),
    Send(u16, u32),
    RaiseVirq(u16, u32, u32),
    RaisePirq(u16, u32),
    Mask(u16, u32),
    Unmask(u16, u32),
    BindVcpu(u16, u32, u32),
    Priority(u16, u32, u32),
    Drain(u16),
    /// The domain ends: all its ports close, and it does nothing any more.
    Die(u16),
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let domain = || 0..DOMAINS;
    let port = || 0..PORTS;
    let virq = || prop::sample::select(vec![0u32, 1, 3, 7, 24]);
    prop_oneof![
        3 => (domain(), domain()).prop_map(|(d, r)| AllocUnbound(d, r)),
        4 => (domain(), domain(), port()).prop_map(|(d, r, p)| Connect(d, r, p)),
        2 => (domain(), virq(), 0..VCPUS + 1).prop_map(|(d, n, v)| Virq(d, n, v)),
        2 => (domain(), 0..VCPUS + 1).prop_map(|(d, v)| Ipi(d, v)),
        1 => (domain(), 0..4u32).prop_map(|(d, n)| Pirq(d, n)),
        4 => (domain(), port()).prop_map(|(d, p)| Close(d, p)),
        8 => (domain(), port()).prop_map(|(d, p)| Send(d, p)),
        2 => (domain(), virq(), 0..VCPUS).prop_map(|(d, n, v)| RaiseVirq(d, n, v)),
        1 => (domain(), 0..4u32).prop_map(|(d, n)| RaisePirq(d, n)),
        3 => (domain(), port()).prop_map(|(d, p)| Mask(d, p)),
        4 => (domain(), port()).prop_map(|(d, p)| Unmask(d, p)),
        2 => (domain(), port(), 0..VCPUS + 1).prop_map(|(d, p, v)| BindVcpu(d, p, v)),
        1 => (domain(), port(), 0..18u32).prop_map(|(d, p, n)| Priority(d, p, n)),
        3 => domain().prop_map(Drain),
        1 => domain().prop_map(Die),
    ]
}

/// The domain that acts, or in which the hypervisor does.
fn actor(operation: &Operation) -> u16 {
    use Operation::*;
    match *operation {
        AllocUnbound(id, _) | Connect(id, ..) | Virq(id, ..) | Ipi(id, _) | Pirq(id, _) => id,
        Close(id, _) | Send(id, _) | RaiseVirq(id, ..) | RaisePirq(id, _) | Mask(id, _) => id,
        Unmask(id, _) | BindVcpu(id, ..) | Priority(id, ..) | Drain(id) | Die(id) => id,
    }
}

/// One domain as the model sees it.
#[derive(Default)]
struct Model {
    ports: BTreeMap<u32, (Binding, u32, u32)>,
    pending: BTreeSet<u32>,
    masked: BTreeSet<u32>,
}

struct World {
    guests: Vec<Guest>,
    models: Vec<Model>,
    dead: [bool; DOMAINS as usize],
}

impl World {
    fn new() -> Self {
        let mut guests: Vec<_> = (0..DOMAINS)
            .map(|id| Guest::new(id, VCPUS, LIMITS[id as usize]))
            .collect();
        guests[1].start_fifo();
        guests[2].start_fifo();
        Self {
            guests,
            models: (0..DOMAINS).map(|_| Model::default()).collect(),
            dead: [false; DOMAINS as usize],
        }
    }

    /// The port that comes next: the lowest free one not left on a queue in the guest's memory.
    fn next_port(&self, domain: u16) -> Option<u32> {
        let (guest, model) = (&self.guests[domain as usize], &self.models[domain as usize]);
        (1..=LIMITS[domain as usize]).find(|port| {
            let queued = guest.table.is_fifo() && guest.word(*port).load(SeqCst) & LINKED != 0;
            !model.ports.contains_key(port) && !queued
        })
    }

    /// Checks an allocation's answer against the model, which then has the port.
    fn allocated(
        &mut self,
        domain: u16,
        got: Option<Port>,
        legal: bool,
        binding: Binding,
        vcpu: u32,
    ) {
        let expected = self.next_port(domain).filter(|_| legal);
        assert_eq!(got.map(|port| port.0), expected, "{binding:?}");
        if let Some(port) = expected {
            self.models[domain as usize]
                .ports
                .insert(port, (binding, vcpu, 7));
        }
    }

    fn has(&self, domain: u16, wanted: impl Fn(&(Binding, u32, u32)) -> bool) -> Option<u32> {
        let mut ports = self.models[domain as usize].ports.iter();
        ports
            .find(|(_, port)| wanted(port))
            .map(|(number, _)| *number)
    }

    fn binding(&self, domain: u16, port: u32) -> Option<Binding> {
        self.models[domain as usize]
            .ports
            .get(&port)
            .map(|(binding, ..)| *binding)
    }

    fn raised(&mut self, domain: u16, port: u32) {
        self.models[domain as usize].pending.insert(port);
    }

    fn connect(&mut self, domain: u16, remote: u16, far: u32) {
        let legal = self.binding(remote, far)
            == Some(Binding::Unbound {
                remote: DomainId(domain),
            });
        let expected = self.next_port(domain);
        let (near, other) = (&self.guests[domain as usize], &self.guests[remote as usize]);
        let got = near
            .table
            .bind_interdomain(&near.info, &other.table, Port(far));
        let got = got.ok().map(|(port, effects)| {
            effects.for_each(drop);
            port
        });
        let ours = Binding::Interdomain {
            remote: DomainId(remote),
            port: Port(far),
        };
        // Compared with what was free before: the new port may be queued by now.
        assert_eq!(got.map(|port| port.0), expected.filter(|_| legal));
        if let (Some(port), true) = (got, legal) {
            let theirs = Binding::Interdomain {
                remote: DomainId(domain),
                port,
            };
            self.models[domain as usize]
                .ports
                .insert(port.0, (ours, 0, 7));
            self.models[remote as usize].ports.get_mut(&far).unwrap().0 = theirs;
            self.raised(domain, port.0);
        }
    }

    fn bind(&mut self, operation: &Operation) {
        match *operation {
            Operation::AllocUnbound(domain, remote) => {
                let remote = DomainId(remote);
                let got = self.guests[domain as usize]
                    .table
                    .alloc_unbound(remote)
                    .ok();
                self.allocated(domain, got, true, Binding::Unbound { remote }, 0);
            }
            Operation::Connect(domain, remote, far) => self.connect(domain, remote, far),
            Operation::Virq(domain, virq, vcpu) => {
                let global = !virq_is_per_vcpu(virq);
                let bound = self.has(domain, |(binding, at, _)| {
                    *binding == Binding::Virq(virq) && (global || *at == vcpu)
                });
                let exists = virq < 24 && vcpu < VCPUS && (!global || vcpu == 0);
                let got = self.guests[domain as usize]
                    .table
                    .bind_virq(virq, VcpuId(vcpu))
                    .ok();
                self.allocated(
                    domain,
                    got,
                    exists && bound.is_none(),
                    Binding::Virq(virq),
                    vcpu,
                );
            }
            Operation::Ipi(domain, vcpu) => {
                let got = self.guests[domain as usize]
                    .table
                    .bind_ipi(VcpuId(vcpu))
                    .ok();
                self.allocated(domain, got, vcpu < VCPUS, Binding::Ipi, vcpu);
            }
            Operation::Pirq(domain, pirq) => {
                let bound = self.has(domain, |(binding, ..)| *binding == Binding::Pirq(pirq));
                let got = self.guests[domain as usize].table.bind_pirq(pirq).ok();
                self.allocated(domain, got, bound.is_none(), Binding::Pirq(pirq), 0);
            }
            _ => {}
        }
    }

    fn close(&mut self, domain: u16, port: u32) {
        let guest = &self.guests[domain as usize];
        let closed = guest
            .table
            .close(&guest.info, Port(port), Closer::Guest)
            .ok();
        let binding = self.binding(domain, port);
        assert_eq!(closed.is_some(), binding.is_some());
        if let Some(news) = closed.and_then(|closed| closed.hang_up) {
            self.guests[news.to.0 as usize].table.peer_closed(news);
        }
        let model = &mut self.models[domain as usize];
        model.ports.remove(&port);
        model.pending.remove(&port);
        if let Some(Binding::Interdomain { remote, port: far }) = binding {
            // A loop-back connection to itself does not exist: the far port is another.
            let other = self.models[remote.0 as usize]
                .ports
                .get_mut(&far.0)
                .unwrap();
            other.0 = Binding::Unbound {
                remote: DomainId(domain),
            };
        }
    }

    fn deliver(&mut self, operation: &Operation) {
        match *operation {
            Operation::Send(domain, port) => {
                let guest = &self.guests[domain as usize];
                let sent = guest.table.send(&guest.info, Port(port)).ok();
                let binding = self.binding(domain, port);
                let legal = matches!(
                    binding,
                    Some(Binding::Interdomain { .. } | Binding::Ipi | Binding::Unbound { .. })
                );
                assert_eq!(sent.is_some(), legal);
                match sent {
                    Some(Sent::Here(effects)) => self.check_effects(domain, effects),
                    Some(Sent::Elsewhere(forward)) => {
                        let other = &self.guests[forward.to.0 as usize];
                        let effects = other.table.receive(&other.info, forward);
                        self.check_effects(forward.to.0, effects);
                    }
                    None => {}
                }
                match binding {
                    Some(Binding::Interdomain { remote, port }) => self.raised(remote.0, port.0),
                    Some(Binding::Ipi) => self.raised(domain, port),
                    _ => {}
                }
            }
            Operation::RaiseVirq(domain, virq, vcpu) => {
                let global = !virq_is_per_vcpu(virq);
                let vcpu = if global { 0 } else { vcpu };
                let guest = &self.guests[domain as usize];
                let effects = guest.table.raise_virq(&guest.info, virq, VcpuId(vcpu));
                self.check_effects(domain, effects);
                let bound = self.has(domain, |(binding, at, _)| {
                    *binding == Binding::Virq(virq) && (global || *at == vcpu)
                });
                bound.into_iter().for_each(|port| self.raised(domain, port));
            }
            Operation::RaisePirq(domain, pirq) => {
                let bound = self.has(domain, |(binding, ..)| *binding == Binding::Pirq(pirq));
                let guest = &self.guests[domain as usize];
                assert_eq!(guest.table.pirq_port(pirq), bound.map(Port));
                if let Some(port) = bound {
                    let effects = guest.table.raise_pirq(&guest.info, pirq, Port(port));
                    self.check_effects(domain, effects);
                    self.raised(domain, port);
                }
            }
            _ => {}
        }
    }

    /// Notifications name only vCPUs whose upcall is pending.
    fn check_effects(&self, domain: u16, effects: Effects<'_>) {
        for effect in effects {
            let Effect::Notify(vcpu) = effect else {
                panic!("{effect:?}");
            };
            let upcall = &self.guests[domain as usize].info.upcall[vcpu.0 as usize];
            assert_ne!(upcall.load(SeqCst), 0);
        }
    }

    fn adjust(&mut self, operation: &Operation) {
        match *operation {
            Operation::Mask(domain, port) => {
                self.guests[domain as usize].set_mask(port);
                self.models[domain as usize].masked.insert(port);
            }
            Operation::Unmask(domain, port) => {
                let guest = &self.guests[domain as usize];
                let effects = guest.table.unmask(&guest.info, Port(port)).unwrap();
                self.check_effects(domain, effects);
                let model = &mut self.models[domain as usize];
                if model.ports.contains_key(&port) {
                    model.masked.remove(&port);
                }
            }
            Operation::BindVcpu(domain, port, vcpu) => {
                let done = self.guests[domain as usize]
                    .table
                    .bind_vcpu(Port(port), VcpuId(vcpu));
                let legal = match self.binding(domain, port) {
                    None | Some(Binding::Ipi) => false,
                    Some(Binding::Virq(virq)) => !virq_is_per_vcpu(virq),
                    Some(_) => true,
                };
                assert_eq!(done.is_ok(), legal && vcpu < VCPUS);
                if done.is_ok() {
                    self.models[domain as usize].ports.get_mut(&port).unwrap().1 = vcpu;
                }
            }
            Operation::Priority(domain, port, priority) => {
                let guest = &self.guests[domain as usize];
                let done = guest.table.set_priority(Port(port), priority);
                let legal = guest.table.is_fifo() && self.binding(domain, port).is_some();
                assert_eq!(done.is_ok(), legal && priority < 16);
                if done.is_ok() {
                    self.models[domain as usize].ports.get_mut(&port).unwrap().2 = priority;
                }
            }
            Operation::Drain(domain) => {
                let found: BTreeSet<u32> = self.guests[domain as usize]
                    .drain_all()
                    .into_iter()
                    .collect();
                let model = &mut self.models[domain as usize];
                let expected: BTreeSet<u32> =
                    model.pending.difference(&model.masked).copied().collect();
                assert_eq!(
                    found, expected,
                    "every deliverable event arrives, and no other"
                );
                model.pending.retain(|port| !found.contains(port));
            }
            _ => {}
        }
    }

    /// Seals the table, closes every port and gives the pages back.
    fn die(&mut self, domain: u16) {
        self.guests[domain as usize].table.seal();
        self.close_all(domain);
        let guest = &self.guests[domain as usize];
        guest.table.retire_fifo().unwrap();
        assert!(guest.table.alloc_unbound(DomainId(0)).is_err());
        self.dead[domain as usize] = true;
    }

    fn close_all(&mut self, domain: u16) {
        let mut from = Port(0);
        while let Some(port) = self.guests[domain as usize].table.next_open(from) {
            self.close(domain, port.0);
            from = port;
        }
    }

    fn apply(&mut self, operation: &Operation) {
        if self.dead[actor(operation) as usize] {
            return;
        }
        if let Operation::Die(domain) = *operation {
            self.die(domain);
        }
        self.bind(operation);
        self.deliver(operation);
        self.adjust(operation);
        if let Operation::Close(domain, port) = *operation {
            self.close(domain, port);
        }
        self.compare();
    }

    fn compare(&self) {
        let alive = |id: &usize| !self.dead[*id];
        for id in (0..self.guests.len()).filter(alive) {
            let (guest, model) = (&self.guests[id], &self.models[id]);
            for port in 1..PORTS {
                let channel = guest.table.channel(Port(port)).unwrap();
                let (binding, vcpu, priority) =
                    model
                        .ports
                        .get(&port)
                        .copied()
                        .unwrap_or((Binding::Free, 0, 7));
                assert_eq!(channel.binding, binding);
                assert_eq!(
                    (channel.vcpu.0, u32::from(channel.priority)),
                    (vcpu, priority)
                );
                let (pending, masked) = guest.table.pending_and_masked(&guest.info, Port(port));
                assert_eq!(pending, model.pending.contains(&port), "port {port}");
                assert_eq!(masked, model.masked.contains(&port), "port {port}");
            }
        }
    }

    /// Closes all; then every table is as it was at first.
    fn end(mut self) {
        for domain in 0..DOMAINS {
            self.close_all(domain);
            self.compare();
        }
        for guest in &self.guests {
            assert_eq!(guest.table.next_open(Port(0)), None);
            for virq in 0..24 {
                assert!((0..VCPUS).all(|v| guest.table.virq_port(virq, VcpuId(v)).is_none()));
            }
            guest.table.retire_fifo().unwrap();
            let pages = guest.array.iter().chain(&guest.blocks);
            assert!(pages.into_iter().all(|page| page.holds() == 1));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn tables_do_what_the_model_does(operations in prop::collection::vec(operation(), 1..150)) {
        let mut world = World::new();
        for operation in &operations {
            world.apply(operation);
        }
        world.end();
    }
}
