//! vCPUs: bringing the second one up and down, and the areas a vCPU registers.

use core::sync::atomic::{AtomicU64, Ordering};
use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::events::{self, vcpu_info};
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::pages::Page;
use guest_kit::time::{now, wait_until};
use guest_kit::vcpu::area_of;
use guest_kit::vcpus::{context, is_up, op, runstate as runstate_of, start, Context};

/// The group.
pub const GROUP: Group = Group {
    name: "vcpus",
    cases: &[
        case!(
            "vcpu-is-up",
            "is_up says 1 for us, 0 for the second one",
            up_or_not
        ),
        case!(
            "vcpu-no-such",
            "a vCPU that does not exist gives ENOENT",
            no_such
        ),
        case!(
            "vcpu-up-uninitialised",
            "up before initialise gives EINVAL",
            uninitialised
        ),
        case!(
            "vcpu-initialise-bad",
            "initialise refuses bad pointers, tables and addresses",
            initialise_bad
        ),
        case!(
            "vcpu-start",
            "the second vCPU runs on its own stack, goes down, comes up again",
            start_and_down
        ),
        case!(
            "vcpu-initialise-twice",
            "initialise of an initialised vCPU gives EEXIST",
            twice
        ),
        case!("vcpu-ipi", "an IPI reaches the other vCPU", ipi),
        case!(
            "vcpu-shootdown",
            "a flush on all CPUs takes a mapping from the other vCPU",
            shootdown
        ),
        case!(
            "vcpu-runstate",
            "get_runstate_info says running, and its times sum up",
            runstate
        ),
        case!(
            "vcpu-runstate-area",
            "a registered runstate area is kept up to date",
            runstate_area
        ),
        case!(
            "vcpu-runstate-other",
            "runstate info of a vCPU that is down says offline",
            runstate_other
        ),
        case!(
            "vcpu-runstate-held",
            "a vCPU that waits for an event is blocked though it is held, until the event",
            runstate_held
        ),
        case!(
            "vcpu-info-bad",
            "register_vcpu_info refuses unaligned, crossing and foreign places",
            info_bad
        ),
        case!(
            "vcpu-info",
            "register_vcpu_info moves vcpu_info, once",
            info_moves
        ),
        case!(
            "vcpu-time-area",
            "a registered time area is kept up to date",
            time_area
        ),
        case!(
            "vcpu-areas-bad",
            "areas at bad addresses give EFAULT; address 0 takes them away",
            areas_bad
        ),
        case!(
            "vcpu-physid",
            "get_physid of a vCPU that is not pinned gives EINVAL",
            physid
        ),
        case!(
            "vcpu-nmi",
            "send_nmi without a callback does nothing, to no vCPU gives ENOENT",
            nmi
        ),
        case!("vcpu-unknown", "unknown operations give ENOSYS", unknown),
        case!(
            "vcpu-ticks",
            "another vCPU's ticks end and begin while it runs",
            ticks
        ),
    ],
};

fn up_or_not() {
    assert_eq!((is_up(0), is_up(1)), (1, 0));
}

fn no_such() {
    for operation in [
        op::INITIALISE,
        op::UP,
        op::DOWN,
        op::IS_UP,
        op::GET_RUNSTATE,
        op::SEND_NMI,
    ] {
        for vcpu in [2, 99, 8192, u32::MAX as u64] {
            assert_eq!(vcpu_op(operation, vcpu, 0), ENOENT, "{operation} {vcpu}");
        }
    }
}

fn uninitialised() {
    assert_eq!(vcpu_op(op::UP, 1, 0), EINVAL);
}

fn initialise_bad() {
    let initialise =
        |context: &Context| vcpu_op(op::INITIALISE, 1, context as *const Context as u64);
    assert_eq!(vcpu_op(op::INITIALISE, 1, 0xffff_8300_0000_0000), EFAULT);
    let bad = context(1);
    bad.event_entry = 0x8000_0000_0000_0000;
    assert_eq!(initialise(bad), EINVAL, "event entry");
    let bad = context(1);
    bad.control[3] = 0xff_ffff << 12;
    assert_eq!(initialise(bad), EINVAL, "CR3");
    let bad = context(1);
    bad.control[3] = Page::take().machine();
    assert_eq!(initialise(bad), EINVAL, "CR3 no table");
    let bad = context(1);
    bad.ldt_entries = 8193;
    assert_eq!(initialise(bad), EINVAL, "LDT");
    let bad = context(1);
    bad.gdt_entries = 8192;
    assert_eq!(initialise(bad), EINVAL, "GDT");
    assert_eq!(is_up(1), 0);
}

static COUNT: AtomicU64 = AtomicU64::new(0);
static STACK_AREA: AtomicU64 = AtomicU64::new(0);

fn count_job() {
    STACK_AREA.store(guest_kit::vcpu::area().id, Ordering::SeqCst);
    COUNT.fetch_add(1, Ordering::SeqCst);
}

/// Runs a job on vCPU 1 and waits until it is down again.
fn run_there(job: fn()) {
    start(1, job);
    assert!(
        wait_until(2_000_000_000, || is_up(1) == 0),
        "vCPU 1 did not finish"
    );
}

fn start_and_down() {
    for round in 1..=3 {
        run_there(count_job);
        assert_eq!(COUNT.load(Ordering::SeqCst), round);
    }
    assert_eq!(STACK_AREA.load(Ordering::SeqCst), 1);
}

fn twice() {
    run_there(count_job);
    let result = vcpu_op(op::INITIALISE, 1, context(1) as *const Context as u64);
    assert_eq!(result, EEXIST);
}

static STOP: AtomicU64 = AtomicU64::new(0);

fn take_upcalls() {
    vcpu_info().mask = 0;
    while STOP.load(Ordering::SeqCst) == 0 {
        sched_op(0, 0);
    }
    vcpu_info().mask = 1;
}

fn ipi() {
    let port = events::bind_ipi(1).expect("bind_ipi");
    events::set_masked(port, false);
    STOP.store(0, Ordering::SeqCst);
    let before = area_of(1).upcalls;
    start(1, take_upcalls);
    assert_eq!(events::send(port), 0);
    let came = wait_until(2_000_000_000, || unsafe {
        (&raw const area_of(1).upcalls).read_volatile() > before
    });
    STOP.store(1, Ordering::SeqCst);
    assert!(wait_until(2_000_000_000, || is_up(1) == 0));
    assert!(came, "no upcall on vCPU 1");
    assert!(events::clear_pending(port));
    assert_eq!(events::close(port), 0);
}

static WATCHED: AtomicU64 = AtomicU64::new(0);
static SEEN: AtomicU64 = AtomicU64::new(0);

fn watch_word() {
    let address = WATCHED.load(Ordering::SeqCst) as *const u64;
    while STOP.load(Ordering::SeqCst) == 0 {
        SEEN.store(unsafe { address.read_volatile() }, Ordering::SeqCst);
    }
}

fn shootdown() {
    let (window, other) = (Page::take(), Page::take());
    (window.words()[0], other.words()[0]) = (1, 2);
    WATCHED.store(window.va, Ordering::SeqCst);
    STOP.store(0, Ordering::SeqCst);
    start(1, watch_word);
    let first = wait_until(2_000_000_000, || SEEN.load(Ordering::SeqCst) == 1);
    let flags = guest_kit::mmu::INVLPG | guest_kit::mmu::ALL;
    let entry = other.entry(guest_kit::mmu::WRITABLE);
    assert_eq!(
        guest_kit::mmu::update_va_mapping(window.va, entry, flags),
        0
    );
    let second = wait_until(2_000_000_000, || SEEN.load(Ordering::SeqCst) == 2);
    STOP.store(1, Ordering::SeqCst);
    assert!(wait_until(2_000_000_000, || is_up(1) == 0));
    assert!(first && second);
}

/// `struct vcpu_runstate_info`: state, the time it was entered, time in each of the four states.
type Runstate = [u64; 6];

fn runstate() {
    let mut info: Runstate = [0; 6];
    assert_eq!(vcpu_op(op::GET_RUNSTATE, 0, at_mut(&mut info)), 0);
    assert_eq!(info[0] as u32, 0, "running");
    let total: u64 = info[2..].iter().sum();
    assert!(info[1] <= now() && total > 0 && total <= now());
    let mut later: Runstate = [0; 6];
    assert_eq!(vcpu_op(op::GET_RUNSTATE, 0, at_mut(&mut later)), 0);
    assert!(later[2] > info[2], "time running grows");
}

fn runstate_area() {
    let page = Page::take();
    let area = [page.va];
    assert_eq!(vcpu_op(op::REGISTER_RUNSTATE, 0, at(&area)), 0);
    let first = page.words()[1];
    assert!(first > 0);
    // Going to sleep and coming back changes the state twice.
    assert_eq!(sched_op(3, at(&[0, 0, now() + 5_000_000])), 0);
    let entered = unsafe { (&raw const page.words()[1]).read_volatile() };
    assert!(entered > first, "{entered} {first}");
    assert_eq!(page.words()[0] as u32, 0);
    assert_eq!(vcpu_op(op::REGISTER_RUNSTATE, 0, at(&[0u64])), 0);
}

/// `RUNSTATE_blocked` and `RUNSTATE_offline`.
const BLOCKED: u32 = 2;
const OFFLINE: u32 = 3;

fn runstate_other() {
    run_there(count_job);
    // A vCPU is down from its own call on, but stops running only where its CPU has switched away from it.
    let offline = || runstate_of(1).state == OFFLINE;
    assert!(wait_until(2_000_000_000, offline), "it goes offline");
    let down = runstate_of(1);
    assert_eq!(runstate_of(1).since, down.since, "and stays so");
}

fn sleep_once() {
    events::quiet();
    sched_op(1, 0);
    vcpu_info().mask = 1;
}

fn runstate_held() {
    let becomes = |state: u32| wait_until(2_000_000_000, || runstate_of(1).state == state);
    let port = events::bind_ipi(1).expect("bind_ipi");
    events::set_masked(port, false);
    start(1, sleep_once);
    assert!(becomes(BLOCKED), "it sleeps");
    // Taken down where it sleeps, as a pause of its domain takes it: what the guest counts as stolen stands still.
    assert_eq!(vcpu_op(op::DOWN, 1, 0), 0);
    assert_eq!(runstate_of(1).state, BLOCKED);
    assert_eq!(events::send(port), 0);
    assert!(becomes(OFFLINE), "it would run");
    assert_eq!(vcpu_op(op::UP, 1, 0), 0);
    assert!(wait_until(2_000_000_000, || is_up(1) == 0));
    assert!(events::clear_pending(port));
    assert_eq!(events::close(port), 0);
}

fn register_info(vcpu: u64, mfn: u64, offset: u32) -> i64 {
    vcpu_op(op::REGISTER_INFO, vcpu, at(&[mfn, offset as u64]))
}

fn info_bad() {
    let page = Page::take();
    for offset in [4, 7, 4096 - 56, 4096, u32::MAX] {
        assert_eq!(
            register_info(0, page.mfn(), offset),
            ENXIO,
            "offset {offset}"
        );
    }
    for mfn in [0xff_ffff, crate::mmu_entries::hypervisor_mfn()] {
        assert_eq!(register_info(0, mfn, 0), EINVAL, "{mfn:#x}");
    }
    let table = Page::take().make_readonly();
    assert_eq!(guest_kit::mmu::pin(1, table.mfn()), 0);
    assert_eq!(register_info(0, table.mfn(), 0), EINVAL);
    assert_eq!(register_info(2, page.mfn(), 0), ENOENT);
}

fn info_moves() {
    let page = Page::take();
    let old = vcpu_info() as *mut events::VcpuInfo;
    vcpu_info().cr2 = 0x7777;
    assert_eq!(register_info(0, page.mfn(), 256), 0);
    guest_kit::vcpu::area().info = page.va + 256;
    assert_eq!(vcpu_info().cr2, 0x7777, "what was there is taken over");
    vcpu_info().mask = 1;
    let port = events::bind_ipi(0).expect("bind_ipi");
    events::set_masked(port, false);
    events::quiet();
    unsafe { (*old).pending = 0 };
    assert_eq!(events::send(port), 0);
    assert_ne!(vcpu_info().pending, 0);
    assert_eq!(unsafe { (*old).pending }, 0);
    assert_eq!(events::let_upcalls_in(), 1);
    assert_eq!(events::close(port), 0);
    events::quiet();
    assert_eq!(register_info(0, page.mfn(), 512), EINVAL, "a second time");
    assert!(now() > 0);
}

fn time_area() {
    let page = Page::take();
    assert_eq!(vcpu_op(op::REGISTER_TIME, 0, at(&[page.va])), 0);
    assert_eq!(sched_op(3, at(&[0, 0, now() + 5_000_000])), 0);
    let time = guest_kit::time::snapshot();
    // version, TSC stamp, system time, scale
    assert_eq!(page.words()[3] as u32, time.multiplier);
    assert!(page.words()[2] > 0 && page.words()[2] <= now());
}

fn areas_bad() {
    for operation in [op::REGISTER_RUNSTATE, op::REGISTER_TIME] {
        for pointer in [0, 0xffff_8300_0000_0000, 0x8000_0000_0000_0000] {
            assert_eq!(
                vcpu_op(operation, 0, pointer),
                EFAULT,
                "{operation} {pointer:#x}"
            );
            let expected = if pointer == 0 { 0 } else { EFAULT };
            assert_eq!(
                vcpu_op(operation, 0, at(&[pointer])),
                expected,
                "{operation} {pointer:#x}"
            );
        }
    }
}

fn physid() {
    let mut argument = [0u64; 1];
    assert_eq!(vcpu_op(op::GET_PHYSID, 0, at_mut(&mut argument)), EINVAL);
}

fn nmi() {
    assert_eq!(vcpu_op(op::SEND_NMI, 0, 0), 0);
    assert_eq!(vcpu_op(op::SEND_NMI, 99, 0), ENOENT);
}

fn unknown() {
    for operation in [14, 15, 100, 0xffff] {
        assert_eq!(vcpu_op(operation, 0, 0), ENOSYS, "{operation}");
    }
}

static ENDED: AtomicU64 = AtomicU64::new(0);

fn run_until_ended() {
    while ENDED.load(Ordering::SeqCst) == 0 {
        core::hint::spin_loop();
    }
}

fn ticks() {
    const MILLISECOND: u64 = 1_000_000;
    let set_period = |period| vcpu_op(op::SET_PERIODIC, 1, at(&[period]));
    let port = events::bind_virq(0, 1).expect("bind_virq");
    events::set_masked(port, true);
    let come_within = |nanoseconds| wait_until(nanoseconds, || events::is_pending(port));
    start(1, run_until_ended);
    assert!(come_within(1000 * MILLISECOND), "it begins with ticks");
    assert_eq!(vcpu_op(op::STOP_PERIODIC, 1, 0), 0);
    // One may be under way.
    wait_until(20 * MILLISECOND, || false);
    events::clear_pending(port);
    assert!(!come_within(50 * MILLISECOND));
    assert_eq!(set_period(5 * MILLISECOND), 0);
    for round in 0..3 {
        assert!(come_within(1000 * MILLISECOND), "round {round}");
        events::clear_pending(port);
    }
    assert_eq!(set_period(10 * MILLISECOND), 0);
    ENDED.store(1, Ordering::SeqCst);
    assert!(wait_until(1000 * MILLISECOND, || is_up(1) == 0));
    assert_eq!(events::close(port), 0);
    events::quiet();
}
