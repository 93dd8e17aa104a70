//! Event channels of the two-level kind: binding, sending, masks, and the upcall.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::events::{self, *};
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::trap::{with_hook, Frame, EVENT};

/// The group.
pub const GROUP: Group = Group {
    name: "events",
    cases: &[
        case!(
            "event-alloc-unbound",
            "alloc_unbound gives a port that status calls unbound",
            alloc
        ),
        case!(
            "event-alloc-unbound-bad",
            "a domain that does not exist gives ESRCH",
            alloc_bad
        ),
        case!(
            "event-interdomain",
            "a port bound to our own unbound port signals the other end",
            interdomain
        ),
        case!(
            "event-interdomain-bad",
            "binding to what is not an unbound port for us is refused",
            interdomain_bad
        ),
        case!("event-virq", "a VIRQ binds once for each vCPU", virq),
        case!(
            "event-virq-bad",
            "unknown VIRQs, vCPUs, and global ones off vCPU 0 are refused",
            virq_bad
        ),
        case!("event-ipi", "an IPI port names its vCPU", ipi),
        case!(
            "event-ipi-bad",
            "a vCPU that does not exist gives ENOENT",
            ipi_bad
        ),
        case!(
            "event-pirq-bad",
            "a PIRQ out of range gives EINVAL",
            pirq_bad
        ),
        case!(
            "event-close",
            "a closed port is free, and cannot be closed again",
            close_twice
        ),
        case!(
            "event-bad-ports",
            "every operation refuses ports that are out of range or free",
            bad_ports
        ),
        case!(
            "event-send-virq",
            "send on a VIRQ port gives EINVAL",
            send_virq
        ),
        case!(
            "event-send-unbound",
            "send on an unbound port is quietly dropped",
            send_unbound
        ),
        case!(
            "event-bind-vcpu",
            "bind_vcpu moves an interdomain port, never an IPI or timer one",
            rebind
        ),
        case!(
            "event-pending-bits",
            "send sets pending bit, selector bit and the upcall flag",
            pending_bits
        ),
        case!(
            "event-masked",
            "a masked port becomes pending without selector or upcall",
            masked
        ),
        case!(
            "event-one-edge",
            "a send on a pending port raises nothing again",
            one_edge
        ),
        case!(
            "event-unmask",
            "unmask of a pending port raises the upcall",
            unmask_pending
        ),
        case!(
            "event-upcall",
            "the upcall comes once the mask is clear, with the mask set by the entry",
            upcall
        ),
        case!(
            "event-upcall-mask",
            "no upcall while the mask is set",
            no_upcall
        ),
        case!(
            "event-close-pending",
            "closing a port takes its pending bit away",
            close_pending
        ),
        case!(
            "event-status",
            "status of a free port says closed, of a foreign domain ESRCH",
            status_of
        ),
        case!("event-reset", "reset closes every port", reset),
        case!("event-unknown", "unknown operations give ENOSYS", unknown),
        case!(
            "event-compat",
            "the old event_channel_op takes command and argument in one structure",
            compat
        ),
    ],
};

const OURSELVES: u16 = 0x7ff0;
const NOBODY: u16 = 0x1234;

fn loopback() -> (u32, u32) {
    let unbound = alloc_unbound(OURSELVES, OURSELVES).expect("alloc_unbound");
    let bound = bind_interdomain(OURSELVES, unbound).expect("bind_interdomain");
    (unbound, bound)
}

fn close_all(ports: &[u32]) {
    for &port in ports {
        assert_eq!(close(port), 0);
    }
    quiet();
}

fn alloc() {
    let port = alloc_unbound(OURSELVES, OURSELVES).expect("alloc_unbound");
    let status = status(port).expect("status");
    assert_eq!((status.status, status.vcpu), (1, 0));
    assert_eq!(status.detail[0] as u16, 0, "the domain it waits for");
    close_all(&[port]);
}

fn alloc_bad() {
    assert_eq!(alloc_unbound(NOBODY, 0), Err(ESRCH));
}

fn interdomain() {
    let (first, second) = loopback();
    assert_eq!(
        status(first).map(|s| (s.status, s.detail[1])),
        Ok((2, second))
    );
    assert_eq!(
        status(second).map(|s| (s.status, s.detail[1])),
        Ok((2, first))
    );
    for (from, to) in [(first, second), (second, first)] {
        clear_pending(to);
        assert_eq!(send(from), 0);
        assert!(is_pending(to) && !is_pending(from));
        clear_pending(to);
    }
    assert_eq!(close(first), 0);
    assert_eq!(
        status(second).map(|s| s.status),
        Ok(1),
        "the other end is unbound again"
    );
    close_all(&[second]);
}

fn interdomain_bad() {
    let (first, second) = loopback();
    assert_eq!(bind_interdomain(NOBODY, 1), Err(ESRCH));
    for port in [first, second, 0, 5000, u32::MAX] {
        assert_eq!(bind_interdomain(OURSELVES, port), Err(EINVAL), "{port}");
    }
    close_all(&[first, second]);
}

/// VIRQ_TIMER, one a vCPU.
const TIMER: u32 = 0;
/// VIRQ_DEBUG, one a vCPU.
const DEBUG: u32 = 1;
/// VIRQ_DOM_EXC, one a host.
const DOM_EXC: u32 = 3;

fn virq() {
    let port = bind_virq(DEBUG, 0).expect("bind_virq");
    assert_eq!(
        status(port).map(|s| (s.status, s.detail[0])),
        Ok((4, DEBUG))
    );
    assert_eq!(bind_virq(DEBUG, 0), Err(EEXIST));
    let other = bind_virq(DEBUG, 1).expect("bind_virq on vCPU 1");
    close_all(&[port, other]);
}

fn virq_bad() {
    assert_eq!(bind_virq(24, 0), Err(EINVAL));
    assert_eq!(bind_virq(u32::MAX, 0), Err(EINVAL));
    assert_eq!(bind_virq(DEBUG, 99), Err(ENOENT));
    assert_eq!(bind_virq(DOM_EXC, 1), Err(EINVAL));
}

fn ipi() {
    let port = bind_ipi(1).expect("bind_ipi");
    assert_eq!(status(port).map(|s| (s.status, s.vcpu)), Ok((5, 1)));
    close_all(&[port]);
}

fn ipi_bad() {
    assert_eq!(bind_ipi(2), Err(ENOENT));
    assert_eq!(bind_ipi(u32::MAX), Err(ENOENT));
}

fn pirq_bad() {
    for pirq in [5000u32, u32::MAX] {
        let mut argument = [pirq, 0, 0];
        assert_eq!(
            event_channel_op(op::BIND_PIRQ, at_mut(&mut argument)),
            EINVAL
        );
    }
}

fn close_twice() {
    let port = bind_ipi(0).expect("bind_ipi");
    assert_eq!((close(port), close(port)), (0, EINVAL));
    assert_eq!(bind_ipi(0), Ok(port), "the lowest free port comes first");
    close_all(&[port]);
}

fn bad_ports() {
    for port in [0, 4095, 4096, 131_072, u32::MAX] {
        let free = [send(port), close(port), bind_vcpu(port, 0)];
        assert_eq!(free, [EINVAL; 3], "{port}");
    }
    for port in [4096, 131_072, u32::MAX] {
        assert_eq!(unmask(port), EINVAL, "{port}");
        assert_eq!(status(port).map(|s| s.status), Err(EINVAL), "{port}");
    }
}

fn send_virq() {
    let port = bind_virq(DEBUG, 0).expect("bind_virq");
    assert_eq!(send(port), EINVAL);
    close_all(&[port]);
}

fn send_unbound() {
    let port = alloc_unbound(OURSELVES, OURSELVES).expect("alloc_unbound");
    assert_eq!(send(port), 0);
    assert!(!is_pending(port));
    close_all(&[port]);
}

fn rebind() {
    let (first, second) = loopback();
    assert_eq!(bind_vcpu(first, 1), 0);
    assert_eq!(status(first).map(|s| s.vcpu), Ok(1));
    assert_eq!(bind_vcpu(first, 99), ENOENT);
    let timer = bind_virq(TIMER, 0).expect("bind_virq");
    let ipi = bind_ipi(0).expect("bind_ipi");
    assert_eq!((bind_vcpu(timer, 1), bind_vcpu(ipi, 1)), (EINVAL, EINVAL));
    close_all(&[first, second, timer, ipi]);
}

/// An IPI port for this vCPU, unmasked, with nothing pending.
fn open_ipi() -> u32 {
    let port = bind_ipi(0).expect("bind_ipi");
    set_masked(port, false);
    clear_pending(port);
    quiet();
    port
}

fn pending_bits() {
    let port = open_ipi();
    assert_eq!(send(port), 0);
    assert!(is_pending(port));
    assert_eq!(vcpu_info().pending_selector, 1 << (port / 64));
    assert_ne!(vcpu_info().pending, 0);
    close_all(&[port]);
}

fn masked() {
    let port = open_ipi();
    set_masked(port, true);
    assert_eq!(send(port), 0);
    assert!(is_pending(port));
    assert_eq!((vcpu_info().pending_selector, vcpu_info().pending), (0, 0));
    close_all(&[port]);
}

fn one_edge() {
    let port = open_ipi();
    assert_eq!(send(port), 0);
    quiet();
    assert_eq!(send(port), 0);
    assert_eq!((vcpu_info().pending_selector, vcpu_info().pending), (0, 0));
    close_all(&[port]);
}

fn unmask_pending() {
    let port = open_ipi();
    set_masked(port, true);
    assert_eq!(send(port), 0);
    assert_eq!(unmask(port), 0);
    assert_eq!(
        mask_word(port as usize / 64).load(core::sync::atomic::Ordering::SeqCst) >> (port % 64) & 1,
        0
    );
    assert_ne!((vcpu_info().pending_selector, vcpu_info().pending), (0, 0));
    close_all(&[port]);
}

static mut SEEN: (u8, u8, u64) = (0xff, 0xff, 0);

fn note_upcall(frame: &mut Frame) -> bool {
    if frame.vector == EVENT {
        unsafe { SEEN = (vcpu_info().mask, frame.saved_mask(), frame.cs() & 3) };
    }
    false
}

fn upcall() {
    let port = open_ipi();
    assert_eq!(send(port), 0);
    let upcalls = with_hook(note_upcall, let_upcalls_in);
    assert_eq!(upcalls, 1);
    assert_eq!(
        unsafe { SEEN },
        (1, 0, 0),
        "mask in the handler, mask saved, privilege"
    );
    assert!(clear_pending(port));
    close_all(&[port]);
}

fn no_upcall() {
    let port = open_ipi();
    let before = guest_kit::vcpu::area().upcalls;
    assert_eq!(send(port), 0);
    xen_version(0, 0);
    assert_eq!(guest_kit::vcpu::area().upcalls, before);
    assert_ne!(vcpu_info().pending, 0);
    close_all(&[port]);
}

fn close_pending() {
    let port = open_ipi();
    assert_eq!(send(port), 0);
    assert_eq!(close(port), 0);
    assert!(!is_pending(port));
    quiet();
}

fn status_of() {
    let port = bind_ipi(0).expect("bind_ipi");
    assert_eq!(close(port), 0);
    assert_eq!(status(port).map(|s| s.status), Ok(0));
    let mut foreign = events::Status {
        domain: NOBODY,
        port: 1,
        ..Default::default()
    };
    assert_eq!(event_channel_op(op::STATUS, at_mut(&mut foreign)), ESRCH);
}

fn reset() {
    let ports = [
        bind_ipi(0),
        bind_virq(DEBUG, 0),
        alloc_unbound(OURSELVES, OURSELVES),
    ];
    assert_eq!(event_channel_op(op::RESET, at(&NOBODY)), ESRCH);
    assert_eq!(event_channel_op(op::RESET, at(&OURSELVES)), 0);
    for port in ports {
        assert_eq!(status(port.expect("a port")).map(|s| s.status), Ok(0));
    }
}

fn unknown() {
    for operation in [15, 16, 100, u32::MAX as u64] {
        assert_eq!(event_channel_op(operation, 0), ENOSYS, "{operation}");
    }
}

fn compat() {
    // The command, then bind_ipi's vCPU and port.
    let mut argument = [op::BIND_IPI as u32, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(
        call2(nr::EVENT_CHANNEL_OP_COMPAT, at_mut(&mut argument), 0),
        0
    );
    assert_eq!(status(argument[2]).map(|s| s.status), Ok(5));
    close_all(&[argument[2]]);
}
