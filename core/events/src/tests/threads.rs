//! Senders, a mover and consumers at once: no event is lost, no queue is broken.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::Barrier;

use vocabulary::{Port, VcpuId};

use super::mock::{connect, send_between, Guest};
use crate::{Binding, Closer, Effect, Polling, Waiting};

const VCPUS: u32 = 3;
const PORTS: usize = 6;
const ROUNDS: u32 = 20_000;

/// Senders count, then send; whoever consumes an event takes the count. At the end no count is left.
fn nothing_is_lost(far: &Guest) {
    let near = Guest::new(1, 1, 1023);
    let ports: Vec<_> = (0..PORTS).map(|_| connect(&near, far)).collect();
    let counts: Vec<_> = (0..64).map(|_| AtomicU32::new(0)).collect();
    let sending = AtomicBool::new(true);
    let take = |found: Vec<u32>| {
        for port in found {
            counts[port as usize].store(0, SeqCst);
        }
    };
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let (near, ports, counts) = (&near, &ports, &counts);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let (from, to) = ports[(round as usize * 7 + sender) % PORTS];
                        counts[to.0 as usize].fetch_add(1, SeqCst);
                        for effect in send_between(near, far, from) {
                            assert!(matches!(effect, Effect::Notify(_)));
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut round = 0;
            while sending.load(SeqCst) {
                let (_, port) = ports[round % PORTS];
                far.table
                    .bind_vcpu(port, VcpuId(round as u32 / 3 % VCPUS))
                    .unwrap();
                let _ = far.table.set_priority(port, round as u32 / 5 % 16);
                round += 1;
                std::thread::yield_now();
            }
        });
        for vcpu in 0..VCPUS {
            let (sending, take) = (&sending, &take);
            scope.spawn(move || {
                while sending.load(SeqCst) {
                    if far.info.upcall[vcpu as usize].load(SeqCst) != 0 {
                        take(far.drain(vcpu));
                    } else {
                        std::thread::yield_now();
                    }
                }
            });
        }
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
        sending.store(false, SeqCst);
    });
    take(far.drain_all());
    assert!(counts.iter().all(|count| count.load(SeqCst) == 0));
}

#[test]
fn two_level_loses_nothing() {
    nothing_is_lost(&Guest::new(2, VCPUS, 1023));
}

#[test]
fn fifo_loses_nothing() {
    let mut far = Guest::new(2, VCPUS, 1023);
    far.start_fifo();
    nothing_is_lost(&far);
}

#[test]
fn connecting_and_closing_from_both_sides_ends_clean() {
    let (near, far) = (Guest::new(1, 1, 1023), Guest::new(2, 1, 1023));
    let close = |guest: &Guest, other: &Guest, port: Port| {
        if let Ok(closed) = guest.table.close(&guest.info, port, Closer::Guest) {
            closed
                .hang_up
                .into_iter()
                .for_each(|news| other.table.peer_closed(news));
        }
    };
    let waiting = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                let port = far.table.alloc_unbound(near.table.domain()).unwrap();
                waiting.store(port.0, SeqCst);
                let _ = far.table.send(&far.info, port);
                close(&far, &near, port);
            }
        });
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                let target = Port(waiting.load(SeqCst));
                let bound = near.table.bind_interdomain(&near.info, &far.table, target);
                if let Ok((port, effects)) = bound {
                    effects.for_each(drop);
                    close(&near, &far, port);
                }
            }
        });
    });
    for guest in [&near, &far] {
        assert_eq!(guest.table.next_open(Port(0)), None);
        assert_eq!(guest.info.pending[0].load(SeqCst), 0);
        for port in (1..64).map(Port) {
            assert_eq!(guest.table.channel(port).unwrap().binding, Binding::Free);
        }
    }
}

#[test]
fn two_binders_of_one_port_do_not_both_get_it() {
    let (near, far) = (Guest::new(1, 1, 1023), Guest::new(2, 1, 1023));
    let turn = AtomicU32::new(0);
    let waiting = AtomicU32::new(0);
    let bind = |round: u32| {
        // Both arrive, then both go: the last to arrive lets the other off.
        turn.fetch_add(1, SeqCst);
        while turn.load(SeqCst) < round * 2 {
            std::thread::yield_now();
        }
        let target = Port(waiting.load(SeqCst));
        let bound = near.table.bind_interdomain(&near.info, &far.table, target);
        bound.ok().map(|(port, effects)| {
            effects.for_each(drop);
            port
        })
    };
    for round in 1..=ROUNDS / 40 {
        let port = far.table.alloc_unbound(near.table.domain()).unwrap();
        waiting.store(port.0, SeqCst);
        let bound = std::thread::scope(|scope| {
            let other = scope.spawn(|| bind(round));
            [bind(round), other.join().unwrap()]
        });
        assert_eq!(bound.iter().flatten().count(), 1);
        near.close(bound.into_iter().flatten().next().unwrap());
        far.close(port);
    }
}

/// A vCPU polls again as soon as a poll ends, while two others end whatever wait they find and a third sends
/// the polled event: when all are done, a poll that is still on is one that the port still wakes.
#[test]
fn no_poll_is_left_without_its_alarm() {
    let guest = Guest::new(1, 1, 1023);
    let port = guest.table.bind_ipi(VcpuId(0)).unwrap();
    guest.set_mask(port.0);
    let waiting = Waiting::new();
    let vcpu = VcpuId(0);
    let (start, finish) = (Barrier::new(4), Barrier::new(4));
    let mut lost = 0;
    std::thread::scope(|scope| {
        for waker in 0..2 {
            let (waiting, table, start, finish) = (&waiting, &guest.table, &start, &finish);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    start.wait();
                    if waker == 0 {
                        let _ = waiting.end(table, vcpu);
                    } else {
                        let _ = waiting.end_poll(table, vcpu);
                    }
                    finish.wait();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                start.wait();
                for _effect in guest.send(port) {
                    let _ = waiting.end_poll(&guest.table, vcpu);
                }
                finish.wait();
            }
        });
        for _ in 0..ROUNDS {
            guest.clear_pending(port.0);
            start.wait();
            for _ in 0..3 {
                waiting.poll();
                match guest.table.poll_begin(&guest.info, vcpu, &[port]).unwrap() {
                    Polling::Ready => {
                        waiting.cancel();
                        guest.clear_pending(port.0);
                    }
                    Polling::Wait => {
                        if (0..200).all(|_| waiting.is_on()) {
                            break;
                        }
                    }
                }
            }
            finish.wait();
            if waiting.is_on() {
                // No assertion before all threads are through: the others would wait for ever.
                lost += u32::from(guest.send(port) != [Effect::WakePoller(vcpu)]);
                waiting.cancel();
            }
        }
    });
    assert_eq!(lost, 0, "polls that nothing would have ended");
}
