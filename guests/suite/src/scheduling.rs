//! `sched_op`: yielding, blocking, polling, and what it refuses.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::events::{self, vcpu_info};
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::time::{now, MILLISECOND};
use guest_kit::vcpu::area;

/// The group.
pub const GROUP: Group = Group {
    name: "sched",
    cases: &[
        case!("sched-yield", "yield comes back with 0", do_yield),
        case!(
            "sched-block-pending",
            "block returns at once when an event is pending",
            block_pending
        ),
        case!(
            "sched-block-unmasks",
            "block clears the upcall mask",
            block_unmasks
        ),
        case!(
            "sched-block-timer",
            "block sleeps until the timer's event",
            block_timer
        ),
        case!(
            "sched-poll-pending",
            "poll returns at once when one of its ports is pending",
            poll_pending
        ),
        case!(
            "sched-poll-timeout",
            "poll of a quiet port returns at its absolute timeout",
            poll_timeout
        ),
        case!(
            "sched-poll-wakes",
            "a port's event ends a poll, masked as it is",
            poll_wakes
        ),
        case!(
            "sched-poll-bad",
            "poll refuses too many ports, bad ports and bad pointers",
            poll_bad
        ),
        case!(
            "sched-pin-override",
            "a vCPU is moved to one processor at a time, until it is given back",
            pin_override
        ),
        case!(
            "sched-shutdown-bad",
            "shutdown with a bad pointer gives EFAULT",
            shutdown_bad
        ),
        case!(
            "sched-remote-shutdown-bad",
            "remote_shutdown of no domain gives ESRCH",
            remote_bad
        ),
        case!(
            "sched-watchdog",
            "a watchdog is set, refreshed and taken away",
            watchdog
        ),
        case!(
            "sched-watchdog-bad",
            "and refused with a wrong id",
            watchdog_bad
        ),
        case!("sched-unknown", "unknown operations give ENOSYS", unknown),
        case!(
            "sched-compat",
            "the old sched_op yields, and knows nothing but 0 to 2",
            compat
        ),
    ],
};

const YIELD: u64 = 0;
const BLOCK: u64 = 1;
const SHUTDOWN: u64 = 2;
const POLL: u64 = 3;
const REMOTE_SHUTDOWN: u64 = 4;
const WATCHDOG: u64 = 6;

fn do_yield() {
    assert_eq!(sched_op(YIELD, 0), 0);
}

fn open_port() -> u32 {
    let port = events::bind_ipi(0).expect("bind_ipi");
    events::set_masked(port, false);
    events::clear_pending(port);
    events::quiet();
    port
}

fn close_port(port: u32) {
    assert_eq!(events::close(port), 0);
    events::quiet();
}

fn block_pending() {
    let port = open_port();
    assert_eq!(events::send(port), 0);
    let before = area().upcalls;
    assert_eq!(sched_op(BLOCK, 0), 0);
    vcpu_info().mask = 1;
    assert_eq!(area().upcalls, before + 1);
    close_port(port);
}

fn block_unmasks() {
    let port = open_port();
    assert_eq!(events::send(port), 0);
    // What the handler leaves pending is nothing: the mask stays clear after block.
    assert_eq!(vcpu_info().mask, 1);
    assert_eq!(sched_op(BLOCK, 0), 0);
    assert_eq!(vcpu_info().mask, 0);
    vcpu_info().mask = 1;
    close_port(port);
}

fn set_timer(deadline: u64) {
    assert_eq!(call2(nr::SET_TIMER_OP, deadline, 0), 0);
}

fn block_timer() {
    let port = events::bind_virq(0, 0).expect("bind_virq");
    events::set_masked(port, false);
    events::clear_pending(port);
    events::quiet();
    let deadline = now() + 20_000_000;
    set_timer(deadline);
    let mut wakes = 0;
    while now() < deadline && wakes < 4 {
        // On a busy machine ticks of the periodic timer come before the call blocks: they end it at once.
        events::clear_pending(port);
        events::quiet();
        assert_eq!(sched_op(BLOCK, 0), 0);
        vcpu_info().mask = 1;
        wakes += 1;
    }
    let woken = now() >= deadline && events::is_pending(port);
    close_port(port);
    assert!(woken, "after {wakes} wakes");
}

fn poll(ports: &[u32], timeout: u64) -> i64 {
    // ports, nr_ports, timeout
    let argument = [ports.as_ptr() as u64, ports.len() as u64, timeout];
    sched_op(POLL, at(&argument))
}

fn poll_pending() {
    let port = open_port();
    assert_eq!(events::send(port), 0);
    assert_eq!(poll(&[port], 0), 0);
    assert!(events::is_pending(port));
    close_port(port);
}

fn poll_timeout() {
    let port = open_port();
    let deadline = now() + 20_000_000;
    assert_eq!(poll(&[port], deadline), 0);
    assert!(now() >= deadline);
    assert_eq!(poll(&[port], 1), 0, "a timeout in the past");
    assert_eq!(poll(&[], now() + MILLISECOND), 0, "no port at all");
    close_port(port);
}

fn poll_wakes() {
    let port = events::bind_virq(0, 0).expect("bind_virq");
    events::set_masked(port, true);
    events::clear_pending(port);
    let start = now();
    set_timer(start + 20_000_000);
    assert_eq!(poll(&[port], start + 5_000_000_000), 0);
    assert!(events::is_pending(port));
    let slept = now() - start;
    assert!((20_000_000..4_000_000_000).contains(&slept), "{slept}");
    close_port(port);
}

fn poll_bad() {
    let ports = [1u32; 129];
    assert_eq!(poll(&ports, 0), EINVAL);
    assert_eq!(poll(&[4096], 0), EINVAL);
    assert_eq!(poll(&[u32::MAX], 0), EINVAL);
    let argument = [0xffff_8300_0000_0000u64, 1, 0];
    assert_eq!(sched_op(POLL, at(&argument)), EFAULT);
    assert_eq!(sched_op(POLL, 0xffff_8300_0000_0000), EFAULT);
}

fn shutdown_bad() {
    assert_eq!(sched_op(SHUTDOWN, 0xffff_8300_0000_0000), EFAULT);
    assert_eq!(sched_op(SHUTDOWN, 0), EFAULT);
}

fn remote_bad() {
    // domain_id, reason
    assert_eq!(sched_op(REMOTE_SHUTDOWN, at(&[0x1234u32, 0])), ESRCH);
}

fn watchdog_op(id: u32, timeout: u32) -> i64 {
    sched_op(WATCHDOG, at(&[id, timeout]))
}

fn watchdog() {
    let id = watchdog_op(0, 60);
    assert!(id > 0, "{id}");
    assert_eq!(watchdog_op(id as u32, 60), 0);
    assert_eq!(watchdog_op(id as u32, 0), 0);
}

fn watchdog_bad() {
    assert_eq!(watchdog_op(100, 60), EINVAL);
    assert_eq!(watchdog_op(1, 60), EINVAL, "one that is not running");
}

fn unknown() {
    for operation in [8, 9, 100, 0xffff_ffff] {
        assert_eq!(sched_op(operation, 0), ENOSYS, "{operation}");
    }
}

fn compat() {
    assert_eq!(call2(nr::SCHED_OP_COMPAT, YIELD, 0), 0);
    for operation in [3, 4, 100] {
        assert_eq!(
            call2(nr::SCHED_OP_COMPAT, operation, 0),
            ENOSYS,
            "{operation}"
        );
    }
}

fn pin_override() {
    let move_to = |processor: i32| sched_op(7, at(&processor));
    assert_eq!(move_to(-1), EINVAL);
    assert_eq!(move_to(4000), EINVAL);
    for processor in [0, 1] {
        assert_eq!(move_to(processor), 0);
        assert_eq!(move_to(processor), EBUSY);
        assert_eq!(move_to(processor ^ 1), EBUSY);
        assert_eq!(move_to(4000), EINVAL);
        assert_eq!(move_to(-7), 0);
        assert_eq!(move_to(-1), EINVAL);
    }
}
