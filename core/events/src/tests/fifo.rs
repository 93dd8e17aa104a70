//! The FIFO ABI, one behaviour a test.

use std::sync::atomic::Ordering::SeqCst;

use shared_page::simulated::Page;
use vocabulary::{DomainId, Errno, Port, VcpuId};

use super::mock::Guest;
use crate::fifo::{LINKED, PENDING};
use crate::{Closer, Effect};

fn fifo_guest(vcpus: u32) -> Guest {
    let mut guest = Guest::new(1, vcpus, u32::MAX);
    assert_eq!(guest.start_fifo(), []);
    guest
}

#[test]
fn events_arrive_by_priority_and_in_order() {
    let guest = fifo_guest(1);
    let ports: Vec<_> = (0..6)
        .map(|_| guest.table.bind_ipi(VcpuId(0)).unwrap())
        .collect();
    guest.table.set_priority(ports[4], 0).unwrap();
    guest.table.set_priority(ports[1], 15).unwrap();
    let effects: Vec<_> = ports.iter().flat_map(|port| guest.send(*port)).collect();
    assert_eq!(effects, [Effect::Notify(VcpuId(0))]);
    assert_eq!(guest.send(ports[0]), [], "pending already");
    assert_eq!(guest.drain(0), [5, 1, 3, 4, 6, 2]);
    assert_eq!(guest.drain(0), []);
    assert_eq!(
        guest.send(ports[5]),
        [Effect::Notify(VcpuId(0))],
        "the queue ran empty"
    );
    assert_eq!(guest.drain(0), [6]);
}

#[test]
fn a_masked_event_is_queued_when_unmasked() {
    let guest = fifo_guest(1);
    let port = guest.table.bind_ipi(VcpuId(0)).unwrap();
    guest.set_mask(port.0);
    assert_eq!(guest.send(port), []);
    assert_eq!(guest.word(port.0).load(SeqCst) & LINKED, 0);
    assert_eq!(guest.drain(0), []);
    let effects: Vec<_> = guest.table.unmask(&guest.info, port).unwrap().collect();
    assert_eq!(effects, [Effect::Notify(VcpuId(0))]);
    assert_eq!(guest.drain(0), [port.0]);
}

#[test]
fn an_event_moves_to_another_vcpu_once_it_was_taken() {
    let guest = fifo_guest(2);
    let port = guest.table.alloc_unbound(DomainId(1)).unwrap();
    let (send, effects) = guest
        .table
        .bind_interdomain(&guest.info, &guest.table, port)
        .unwrap();
    drop(effects);
    assert_eq!(guest.drain(0), [send.0]);
    let _ = guest.send(send);
    guest.table.bind_vcpu(port, VcpuId(1)).unwrap();
    let _ = guest.send(send);
    assert_eq!(guest.drain(1), [], "it is still on vCPU 0's queue");
    assert_eq!(guest.drain(0), [port.0]);
    assert_eq!(guest.send(send), [Effect::Notify(VcpuId(1))]);
    // The old queue lost its tail: what comes next there becomes its head.
    let ipi = guest.table.bind_ipi(VcpuId(0)).unwrap();
    assert_eq!(guest.send(ipi), [Effect::Notify(VcpuId(0))]);
    assert_eq!(guest.drain(0), [ipi.0]);
    assert_eq!(guest.drain(1), [port.0]);
}

#[test]
fn what_was_pending_before_the_switch_is_raised_again() {
    let mut guest = Guest::new(1, 1, u32::MAX);
    let ports: Vec<_> = (0..3)
        .map(|_| guest.table.bind_ipi(VcpuId(0)).unwrap())
        .collect();
    let _ = guest.send(ports[2]);
    guest.info.upcall[0].store(0, SeqCst);
    assert_eq!(guest.start_fifo(), [Effect::Notify(VcpuId(0))]);
    assert_eq!(guest.drain(0), [3]);
}

#[test]
fn ports_beyond_the_array_wait_for_it() {
    let mut guest = fifo_guest(1);
    let last = (1..1030)
        .map(|_| guest.table.bind_ipi(VcpuId(0)).unwrap())
        .last()
        .unwrap();
    assert_eq!(guest.send(last), []);
    assert!(guest.table.channel(last).unwrap().deferred);
    assert_eq!(guest.expand(), [Effect::Notify(VcpuId(0))]);
    assert_eq!(guest.drain(0), [last.0]);
}

#[test]
fn a_freed_port_still_queued_is_not_reused() {
    let guest = fifo_guest(1);
    let port = guest.table.bind_ipi(VcpuId(0)).unwrap();
    let _ = guest.send(port);
    guest.close(port);
    assert_eq!(guest.word(port.0).load(SeqCst) & (PENDING | LINKED), LINKED);
    let other = guest.table.bind_ipi(VcpuId(0)).unwrap();
    assert_ne!(other, port);
    assert_eq!(guest.drain(0), [], "its queue entry is empty");
    assert_eq!(guest.table.bind_ipi(VcpuId(0)).unwrap(), port);
}

#[test]
fn bad_control_blocks_are_refused() {
    let guest = Guest::new(1, 1, u32::MAX);
    let init = |vcpu, offset| {
        guest
            .table
            .init_control(&guest.info, VcpuId(vcpu), Page::empty(), offset)
    };
    assert_eq!(init(1, 0).unwrap_err().errno, Errno::ENOENT);
    assert_eq!(init(0, 4).unwrap_err().errno, Errno::EINVAL);
    assert_eq!(init(0, 4032).unwrap_err().errno, Errno::EINVAL);
    assert_eq!(init(0, u32::MAX).unwrap_err().errno, Errno::EINVAL);
    assert_eq!(
        guest.table.expand_array(Page::empty()).unwrap_err().errno,
        Errno::EOPNOTSUPP
    );
    assert_eq!(init(0, 4024).unwrap(), 17);
    assert_eq!(init(0, 0).unwrap_err().errno, Errno::EINVAL);
}

#[test]
fn the_array_ends_where_the_ports_end() {
    let mut guest = Guest::new(1, 1, 1023);
    guest.start_fifo();
    assert_eq!(
        guest.table.expand_array(Page::empty()).unwrap_err().errno,
        Errno::ENOSPC
    );
}

#[test]
fn priorities_are_the_fifo_abis() {
    let mut guest = Guest::new(1, 1, 1023);
    let port = guest.table.bind_ipi(VcpuId(0)).unwrap();
    assert_eq!(
        guest.table.set_priority(port, 3).unwrap_err().errno,
        Errno::ENOSYS
    );
    guest.start_fifo();
    assert_eq!(
        guest.table.set_priority(port, 16).unwrap_err().errno,
        Errno::EINVAL
    );
    assert_eq!(
        guest.table.set_priority(Port(77), 3).unwrap_err().errno,
        Errno::EACCES
    );
    assert_eq!(
        guest.table.set_priority(Port(7777), 3).unwrap_err().errno,
        Errno::EINVAL
    );
    guest.table.set_priority(port, 15).unwrap();
    assert_eq!(guest.table.channel(port).unwrap().priority, 15);
}

#[test]
fn a_reset_gives_all_pages_back_and_can_start_again() {
    let mut guest = fifo_guest(2);
    let ports: Vec<_> = (0..4)
        .map(|_| guest.table.bind_ipi(VcpuId(1)).unwrap())
        .collect();
    let _ = guest.send(ports[2]);
    assert_eq!(guest.table.retire_fifo().unwrap_err().errno, Errno::EAGAIN);
    let mut next = Port(0);
    while let Some(port) = guest.table.next_open(next) {
        let _ = guest.table.close(&guest.info, port, Closer::Guest).unwrap();
        next = port;
    }
    guest.table.retire_fifo().unwrap();
    assert!(!guest.table.is_fifo());
    let pages = guest.array.drain(..).chain(guest.blocks.drain(..));
    assert_eq!(
        pages.map(|page| page.holds()).collect::<Vec<_>>(),
        [1, 1, 1]
    );
    assert_eq!(guest.start_fifo(), []);
    let port = guest.table.bind_ipi(VcpuId(1)).unwrap();
    let _ = guest.send(port);
    assert_eq!(guest.drain(1), [port.0]);
}

#[test]
fn without_a_control_block_an_event_stays_pending() {
    let guest = Guest::new(1, 2, 1023);
    let port = guest.table.bind_ipi(VcpuId(1)).unwrap();
    guest
        .table
        .init_control(&guest.info, VcpuId(0), Page::empty(), 0)
        .unwrap();
    let page = Page::empty();
    let _ = guest.table.expand_array(page.clone()).unwrap();
    assert_eq!(guest.send(port), []);
    assert_eq!(page.0[port.0 as usize].load(SeqCst), PENDING);
}
