//! Event channels of the FIFO kind: control blocks, the event array, queues by priority. A reset
//! after each case brings the two-level kind back.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::events::*;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::pages::Page;

/// The group.
pub const GROUP: Group = Group {
    name: "fifo",
    cases: &[
        case!("fifo-init", "init_control gives 17 link bits", init),
        case!(
            "fifo-init-bad",
            "init_control refuses bad offsets, vCPUs and frames, and a second time",
            init_bad
        ),
        case!(
            "fifo-before-init",
            "before init_control expand_array gives EOPNOTSUPP, set_priority ENOSYS",
            before_init
        ),
        case!(
            "fifo-expand-bad",
            "expand_array refuses frames that are not ours",
            expand_bad
        ),
        case!(
            "fifo-send",
            "a send marks the word pending and linked, and its queue ready",
            fifo_send
        ),
        case!(
            "fifo-order",
            "events are linked in the order they were sent",
            order
        ),
        case!("fifo-priority", "set_priority chooses the queue", priority),
        case!(
            "fifo-priority-bad",
            "a priority beyond 15 gives EINVAL",
            priority_bad
        ),
        case!(
            "fifo-masked",
            "a masked event becomes pending and is not linked",
            fifo_masked
        ),
        case!("fifo-unmask", "unmask links a pending event", fifo_unmask),
        case!(
            "fifo-keeps-ports",
            "ports bound before the switch keep their state",
            keeps
        ),
        case!(
            "fifo-no-array",
            "an event without an array page is delivered once there is one",
            no_array
        ),
        case!(
            "fifo-no-two-level",
            "the two-level bitmap is out of use",
            no_two_level
        ),
    ],
};

const PENDING: u32 = 1 << 31;
const MASKED: u32 = 1 << 30;
const LINKED: u32 = 1 << 29;
const LINK: u32 = (1 << 17) - 1;
/// The priority of a port that nobody gave one.
const DEFAULT_PRIORITY: usize = 7;

/// A control block and one page of the event array.
struct Fifo {
    control: Page,
    array: Page,
}

fn init_control(frame: u64, offset: u32, vcpu: u32) -> (i64, u8) {
    // control_gfn, offset, vcpu, link_bits
    let mut argument = [frame, offset as u64 | (vcpu as u64) << 32, 0];
    let result = event_channel_op(op::INIT_CONTROL, at_mut(&mut argument));
    (result, argument[2] as u8)
}

fn expand_array(frame: u64) -> i64 {
    event_channel_op(op::EXPAND_ARRAY, at(&frame))
}

fn set_priority(port: u32, priority: u32) -> i64 {
    event_channel_op(op::SET_PRIORITY, at(&[port, priority]))
}

impl Fifo {
    fn new() -> Fifo {
        let fifo = Fifo {
            control: Page::take(),
            array: Page::take(),
        };
        assert_eq!(init_control(fifo.control.mfn(), 0, 0).0, 0);
        assert_eq!(init_control(Page::take().mfn(), 0, 1).0, 0);
        assert_eq!(expand_array(fifo.array.mfn()), 0);
        fifo
    }

    fn word(&self, port: u32) -> &'static mut u32 {
        unsafe { &mut *((self.array.va + 4 * port as u64) as *mut u32) }
    }

    /// Queues with something in them, as bits.
    fn ready(&self) -> u32 {
        self.control.words()[0] as u32
    }

    fn head(&self, queue: usize) -> u32 {
        unsafe { *((self.control.va + 8 + 4 * queue as u64) as *const u32) }
    }

    /// An unmasked IPI port.
    fn open(&self) -> u32 {
        let port = bind_ipi(0).expect("bind_ipi");
        *self.word(port) = 0;
        port
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        back_to_two_level();
    }
}

fn back_to_two_level() {
    assert_eq!(event_channel_op(op::RESET, at(&0x7ff0u16)), 0);
    quiet();
}

fn init() {
    assert_eq!(init_control(Page::take().mfn(), 1024, 0), (0, 17));
    back_to_two_level();
}

fn init_bad() {
    let page = Page::take();
    // The control block is 72 bytes and lies in one page.
    for offset in [4, 4096 - 64, 4096, !7] {
        assert_eq!(
            init_control(page.mfn(), offset, 0).0,
            EINVAL,
            "offset {offset}"
        );
    }
    assert_eq!(init_control(page.mfn(), 0, 99).0, ENOENT);
    for frame in [crate::mmu_entries::hypervisor_mfn(), 0xff_ffff, u64::MAX] {
        assert_eq!(init_control(frame, 0, 0).0, EINVAL, "{frame:#x}");
    }
    let readonly = Page::take().make_readonly();
    assert_eq!(guest_kit::mmu::pin(1, readonly.mfn()), 0);
    assert_eq!(init_control(readonly.mfn(), 0, 0).0, EINVAL, "a page table");
    assert_eq!(init_control(page.mfn(), 0, 0).0, 0);
    assert_eq!(init_control(page.mfn(), 0, 0).0, EINVAL, "twice");
    back_to_two_level();
}

fn before_init() {
    let port = bind_ipi(0).expect("bind_ipi");
    assert_eq!(expand_array(Page::take().mfn()), EOPNOTSUPP);
    assert_eq!(set_priority(port, 3), ENOSYS);
    assert_eq!(close(port), 0);
}

fn expand_bad() {
    let fifo = Fifo::new();
    for frame in [crate::mmu_entries::hypervisor_mfn(), 0xff_ffff] {
        assert_eq!(expand_array(frame), EINVAL, "{frame:#x}");
    }
    drop(fifo);
}

fn fifo_send() {
    let fifo = Fifo::new();
    let port = fifo.open();
    assert_eq!(send(port), 0);
    assert_eq!(*fifo.word(port), PENDING | LINKED);
    assert_eq!(fifo.ready(), 1 << DEFAULT_PRIORITY);
    assert_eq!(fifo.head(DEFAULT_PRIORITY), port);
    assert_ne!(vcpu_info().pending, 0);
}

fn order() {
    let fifo = Fifo::new();
    let ports = [fifo.open(), fifo.open(), fifo.open()];
    let sent = [ports[1], ports[2], ports[0]];
    for port in sent {
        assert_eq!(send(port), 0);
    }
    let mut next = fifo.head(DEFAULT_PRIORITY);
    for port in sent {
        assert_eq!(next, port);
        next = *fifo.word(next) & LINK;
    }
    assert_eq!(next, 0);
}

fn priority() {
    let fifo = Fifo::new();
    let (high, low) = (fifo.open(), fifo.open());
    assert_eq!((set_priority(high, 0), set_priority(low, 15)), (0, 0));
    assert_eq!((send(low), send(high)), (0, 0));
    assert_eq!(fifo.ready(), 1 | 1 << 15);
    assert_eq!((fifo.head(0), fifo.head(15)), (high, low));
}

fn priority_bad() {
    let fifo = Fifo::new();
    let port = fifo.open();
    for priority in [16, 17, u32::MAX] {
        assert_eq!(set_priority(port, priority), EINVAL);
    }
    assert_eq!(set_priority(0, 1), EACCES);
    assert_eq!(set_priority(200_000, 1), EINVAL);
}

fn fifo_masked() {
    let fifo = Fifo::new();
    let port = fifo.open();
    *fifo.word(port) = MASKED;
    assert_eq!(send(port), 0);
    assert_eq!(*fifo.word(port), PENDING | MASKED);
    assert_eq!(fifo.ready(), 0);
}

fn fifo_unmask() {
    let fifo = Fifo::new();
    let port = fifo.open();
    *fifo.word(port) = MASKED;
    assert_eq!(send(port), 0);
    assert_eq!(unmask(port), 0);
    assert_eq!(*fifo.word(port), PENDING | LINKED);
    assert_eq!(fifo.head(DEFAULT_PRIORITY), port);
}

fn keeps() {
    let port = bind_ipi(0).expect("bind_ipi");
    set_masked(port, false);
    clear_pending(port);
    let fifo = Fifo::new();
    assert_eq!(*fifo.word(port) & MASKED, 0);
    assert_eq!(send(port), 0);
    assert_ne!(*fifo.word(port) & PENDING, 0);
}

fn no_array() {
    let control = Page::take();
    assert_eq!(init_control(control.mfn(), 0, 0).0, 0);
    let port = bind_ipi(0).expect("bind_ipi");
    assert_eq!(send(port), 0);
    assert_eq!(control.words()[0], 0);
    let array = Page::take();
    assert_eq!(expand_array(array.mfn()), 0);
    let words = array.words();
    let word = (words[port as usize / 2] >> (32 * (port % 2))) as u32;
    assert_eq!(word & PENDING, PENDING, "{word:#x}");
    back_to_two_level();
}

fn no_two_level() {
    let fifo = Fifo::new();
    let port = fifo.open();
    assert_eq!(send(port), 0);
    assert!(!is_pending(port));
    assert_eq!(vcpu_info().pending_selector, 0);
    drop(fifo);
}
