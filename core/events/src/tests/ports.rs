//! The port state machine and two-level delivery, one behaviour a test.

use std::sync::atomic::Ordering::SeqCst;

use vocabulary::{DomainId, Errno, Port, VcpuId};

use super::mock::{connect, send_between, Guest};
use crate::{Binding, Closer, Consumer, Effect, Polling, Sent};

const TIMER: u32 = 0;
const DOM_EXC: u32 = 3;

fn errno<T>(result: vocabulary::Refused<T>) -> Errno {
    result.err().unwrap().errno
}

#[test]
fn port_0_is_reserved_and_allocation_is_lowest_first() {
    let guest = Guest::new(1, 1, 1023);
    assert_eq!(
        guest.table.channel(Port(0)).unwrap().binding,
        Binding::Reserved
    );
    let first = guest.table.bind_ipi(VcpuId(0)).unwrap();
    let second = guest.table.bind_ipi(VcpuId(0)).unwrap();
    assert_eq!((first, second), (Port(1), Port(2)));
    guest.close(first);
    assert_eq!(guest.table.bind_ipi(VcpuId(0)).unwrap(), first);
    assert_eq!(
        errno(guest.table.close(&guest.info, Port(0), Closer::Guest)),
        Errno::EINVAL
    );
}

#[test]
fn the_configured_limit_and_the_abi_limit_hold() {
    let small = Guest::new(1, 1, 3);
    for _ in 0..3 {
        small.table.bind_ipi(VcpuId(0)).unwrap();
    }
    assert_eq!(errno(small.table.bind_ipi(VcpuId(0))), Errno::ENOSPC);
    let large = Guest::new(1, 1, u32::MAX);
    for _ in 1..4096 {
        large.table.bind_ipi(VcpuId(0)).unwrap();
    }
    assert_eq!(errno(large.table.bind_ipi(VcpuId(0))), Errno::ENOSPC);
    let none = Guest::new(1, 1, 0);
    assert_eq!(errno(none.table.bind_ipi(VcpuId(0))), Errno::ENOSPC);
}

#[test]
fn a_connection_carries_events_both_ways() {
    let (near, far) = (Guest::new(1, 1, 1023), Guest::new(2, 2, 1023));
    let waiting = far.table.alloc_unbound(DomainId(1)).unwrap();
    assert_eq!(
        far.table.status(waiting).unwrap().binding,
        Binding::Unbound {
            remote: DomainId(1)
        }
    );
    let (port, effects) = near
        .table
        .bind_interdomain(&near.info, &far.table, waiting)
        .unwrap();
    assert_eq!(
        effects.collect::<Vec<_>>(),
        [Effect::Notify(VcpuId(0))],
        "binding starts pending"
    );
    far.table.bind_vcpu(waiting, VcpuId(1)).unwrap();
    assert_eq!(send_between(&near, &far, port), [Effect::Notify(VcpuId(1))]);
    assert_eq!(send_between(&near, &far, port), [], "pending already");
    assert_eq!(far.info.selector[1].load(SeqCst), 1);
    assert_eq!(far.info.upcall[0].load(SeqCst), 0);
    assert!(send_between(&far, &near, waiting).is_empty());
}

#[test]
fn binding_needs_a_port_that_waits_for_the_binder() {
    let (near, far) = (Guest::new(1, 1, 1023), Guest::new(2, 1, 1023));
    let other = far.table.alloc_unbound(DomainId(7)).unwrap();
    let ipi = far.table.bind_ipi(VcpuId(0)).unwrap();
    for port in [other, ipi, Port(0), Port(200), Port(100_000)] {
        let bound = near.table.bind_interdomain(&near.info, &far.table, port);
        assert_eq!(bound.err().unwrap().errno, Errno::EINVAL);
    }
    assert_eq!(
        near.table.next_open(Port(0)),
        None,
        "a refused bind takes no port"
    );
}

#[test]
fn closing_one_end_leaves_the_other_waiting() {
    let (near, far) = (Guest::new(1, 1, 1023), Guest::new(2, 1, 1023));
    let (port, waiting) = connect(&near, &far);
    let closed = near.table.close(&near.info, port, Closer::Guest).unwrap();
    assert!(
        send_between(&far, &near, waiting).is_empty(),
        "a stale end carries nothing"
    );
    assert_eq!(
        near.info.pending[0].load(SeqCst),
        0,
        "not even a pending bit"
    );
    far.table.peer_closed(closed.hang_up.unwrap());
    assert_eq!(
        far.table.status(waiting).unwrap().binding,
        Binding::Unbound {
            remote: DomainId(1)
        }
    );
    assert!(
        far.send(waiting).is_empty(),
        "sending on an unbound port is no error"
    );
    far.table.peer_closed(closed.hang_up.unwrap());
    let (again, effects) = near
        .table
        .bind_interdomain(&near.info, &far.table, waiting)
        .unwrap();
    drop(effects);
    assert_eq!(again, port);
}

#[test]
fn both_ends_closed_at_once_are_both_free() {
    let (near, far) = (Guest::new(1, 1, 1023), Guest::new(2, 1, 1023));
    let (port, waiting) = connect(&near, &far);
    let one = near.table.close(&near.info, port, Closer::Guest).unwrap();
    let other = far.table.close(&far.info, waiting, Closer::Guest).unwrap();
    far.table.peer_closed(one.hang_up.unwrap());
    near.table.peer_closed(other.hang_up.unwrap());
    assert_eq!(near.table.next_open(Port(0)), None);
    assert_eq!(far.table.next_open(Port(0)), None);
}

#[test]
fn a_loop_back_connection_works() {
    let guest = Guest::new(1, 1, 1023);
    let (near, far) = connect(&guest, &guest);
    guest.info.pending[0].store(0, SeqCst);
    guest.info.selector[0].store(0, SeqCst);
    guest.info.upcall[0].store(0, SeqCst);
    assert_eq!(guest.send(near), [Effect::Notify(VcpuId(0))]);
    assert_eq!(guest.info.pending[0].load(SeqCst), 1 << far.0);
}

#[test]
fn virtual_interrupts_are_bound_once() {
    let guest = Guest::new(0, 2, 1023);
    let table = &guest.table;
    assert_eq!(errno(table.bind_virq(24, VcpuId(0))), Errno::EINVAL);
    assert_eq!(errno(table.bind_virq(DOM_EXC, VcpuId(1))), Errno::EINVAL);
    assert_eq!(errno(table.bind_virq(TIMER, VcpuId(2))), Errno::ENOENT);
    let timers = [0, 1].map(|vcpu| table.bind_virq(TIMER, VcpuId(vcpu)).unwrap());
    assert_eq!(errno(table.bind_virq(TIMER, VcpuId(1))), Errno::EEXIST);
    let exception = table.bind_virq(DOM_EXC, VcpuId(0)).unwrap();
    assert_eq!(errno(table.bind_vcpu(timers[0], VcpuId(1))), Errno::EINVAL);
    table.bind_vcpu(exception, VcpuId(1)).unwrap();
    let effects: Vec<_> = table.raise_global_virq(&guest.info, DOM_EXC).collect();
    assert_eq!(effects, [Effect::Notify(VcpuId(1))]);
    let effects: Vec<_> = table.raise_virq(&guest.info, TIMER, VcpuId(1)).collect();
    assert_eq!(effects, [], "the upcall is pending already");
    assert_eq!(
        guest.info.pending[0].load(SeqCst),
        1 << exception.0 | 1 << timers[1].0
    );
    guest.close(exception);
    assert!(table
        .raise_global_virq(&guest.info, DOM_EXC)
        .next()
        .is_none());
    assert!(table.bind_virq(DOM_EXC, VcpuId(0)).is_ok());
    assert_eq!(
        table.send(&guest.info, timers[0]).err().unwrap().errno,
        Errno::EINVAL
    );
}

#[test]
fn physical_interrupts_are_bound_once() {
    let guest = Guest::new(0, 1, 1023);
    let port = guest.table.bind_pirq(19).unwrap();
    assert_eq!(errno(guest.table.bind_pirq(19)), Errno::EEXIST);
    assert_eq!(guest.table.pirq_port(19), Some(port));
    assert_eq!(guest.table.pirq_port(18), None);
    assert_eq!(guest.table.raise_pirq(&guest.info, 19, port).count(), 1);
    guest.close(port);
    assert_eq!(guest.table.raise_pirq(&guest.info, 19, port).count(), 0);
    assert_eq!(guest.table.pirq_port(19), None);
    assert_eq!(errno(guest.table.bind_pirq(u32::MAX)), Errno::EINVAL);
}

#[test]
fn masked_events_wait_for_the_unmask() {
    let guest = Guest::new(1, 1, 1023);
    let port = guest.table.bind_ipi(VcpuId(0)).unwrap();
    guest.set_mask(port.0);
    assert_eq!(guest.send(port), []);
    assert_eq!(
        guest.table.pending_and_masked(&guest.info, port),
        (true, true)
    );
    let effects: Vec<_> = guest.table.unmask(&guest.info, port).unwrap().collect();
    assert_eq!(effects, [Effect::Notify(VcpuId(0))]);
    assert_eq!(guest.table.unmask(&guest.info, port).unwrap().count(), 0);
    assert_eq!(
        guest
            .table
            .unmask(&guest.info, Port(5000))
            .err()
            .unwrap()
            .errno,
        Errno::EINVAL
    );
}

#[test]
fn closing_clears_pending_and_the_vcpu_binding() {
    let guest = Guest::new(1, 2, 1023);
    let port = guest.table.alloc_unbound(DomainId(2)).unwrap();
    guest.table.bind_vcpu(port, VcpuId(1)).unwrap();
    assert_eq!(errno(guest.table.bind_vcpu(port, VcpuId(2))), Errno::ENOENT);
    guest.info.pending[0].store(1 << port.0, SeqCst);
    guest.close(port);
    assert_eq!(guest.info.pending[0].load(SeqCst), 0);
    assert_eq!(errno(guest.table.bind_vcpu(port, VcpuId(0))), Errno::EINVAL);
    let again = guest.table.alloc_unbound(DomainId(2)).unwrap();
    assert_eq!(
        (again, guest.table.status(again).unwrap().vcpu),
        (port, VcpuId(0))
    );
}

#[test]
fn the_hypervisors_own_ports_are_out_of_the_guests_reach() {
    let (guest, other) = (Guest::new(1, 1, 1023), Guest::new(2, 1, 1023));
    let port = guest
        .table
        .alloc_for_hypervisor(DomainId(2), VcpuId(0), 3)
        .unwrap();
    assert_eq!(errno(guest.table.status(port)), Errno::EACCES);
    assert_eq!(
        errno(guest.table.close(&guest.info, port, Closer::Guest)),
        Errno::EINVAL
    );
    assert_eq!(errno(guest.table.bind_vcpu(port, VcpuId(0))), Errno::EINVAL);
    assert_eq!(
        guest.table.send(&guest.info, port).err().unwrap().errno,
        Errno::EINVAL
    );
    let (far, effects) = other
        .table
        .bind_interdomain(&other.info, &guest.table, port)
        .unwrap();
    drop(effects);
    assert_eq!(
        send_between(&other, &guest, far),
        [Effect::Consume { port, consumer: 3 }]
    );
    assert_eq!(guest.info.pending[0].load(SeqCst), 0);
    assert_eq!(
        guest.table.channel(port).unwrap().consumer,
        Consumer::Hypervisor(3)
    );
    let sent = guest.table.send_from_hypervisor(&guest.info, port).unwrap();
    assert!(matches!(sent, Sent::Elsewhere(forward) if forward.to == DomainId(2)));
    assert!(guest
        .table
        .close(&guest.info, port, Closer::Hypervisor)
        .is_ok());
}

#[test]
fn a_dying_domain_takes_no_new_ports() {
    let guest = Guest::new(1, 1, 1023);
    let port = guest.table.bind_ipi(VcpuId(0)).unwrap();
    guest.table.seal();
    assert_eq!(errno(guest.table.bind_ipi(VcpuId(0))), Errno::EINVAL);
    guest.close(port);
}

#[test]
fn pollers_wake_once_and_masked_events_count() {
    let guest = Guest::new(1, 70, 1023);
    let port = guest.table.bind_ipi(VcpuId(0)).unwrap();
    let other = guest.table.bind_ipi(VcpuId(0)).unwrap();
    guest.set_mask(port.0);
    let begin = |vcpu, ports: &[Port]| {
        guest
            .table
            .poll_begin(&guest.info, VcpuId(vcpu), ports)
            .unwrap()
    };
    assert_eq!(begin(3, &[port]), Polling::Wait);
    assert_eq!(begin(69, &[port, other]), Polling::Wait);
    assert_eq!(begin(5, &[other]), Polling::Wait);
    assert!(guest.table.poll_end(VcpuId(5)));
    assert!(!guest.table.poll_end(VcpuId(5)));
    assert_eq!(begin(5, &[other]), Polling::Wait);
    let woken = guest.send(port);
    assert_eq!(
        woken,
        [
            Effect::WakePoller(VcpuId(3)),
            Effect::WakePoller(VcpuId(69))
        ]
    );
    assert_eq!(begin(3, &[port]), Polling::Ready);
    assert!(!guest.table.poll_end(VcpuId(3)), "a ready poll is over");
    assert_eq!(guest.send(port), []);
    let refused = guest
        .table
        .poll_begin(&guest.info, VcpuId(3), &[Port(9999)]);
    assert_eq!(refused.unwrap_err().errno, Errno::EINVAL);
    let woken = guest.send(other);
    assert_eq!(
        woken,
        [Effect::Notify(VcpuId(0)), Effect::WakePoller(VcpuId(5))]
    );
}

#[test]
fn a_moved_vcpu_info_sees_everything_once() {
    let guest = Guest::new(1, 1, 1023);
    assert_eq!(guest.table.info_moved(&guest.info, VcpuId(0)).count(), 1);
    assert_eq!(guest.info.selector[0].load(SeqCst), u64::MAX);
}

#[test]
fn ports_that_are_prepared_are_free_ones_within_the_limit() {
    let guest = Guest::new(1, 1, 1023);
    guest.table.prepare(512).unwrap();
    assert_eq!(
        guest.table.channel(Port(511)).unwrap().binding,
        Binding::Free
    );
    assert_eq!(guest.table.bind_ipi(VcpuId(0)).unwrap(), Port(1));
    assert_eq!(errno(guest.table.prepare(1025)), Errno::ENOSPC);
    // What there is was made all the same.
    assert_eq!(
        guest.table.channel(Port(1023)).unwrap().binding,
        Binding::Free
    );
}
