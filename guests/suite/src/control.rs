//! `domctl`: a domain of our own, made, asked about, changed and destroyed.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::mmu;
use guest_kit::pages::{shared_info_address, Page};

use crate::control_answers::{ANSWERS, ENODATA};

/// The group.
pub const GROUP: Group = Group {
    name: "control",
    cases: &[
        case!(
            "control-versions",
            "another version gives EACCES before anything else, no domain ESRCH",
            versions
        ),
        case!(
            "control-answers",
            "every operation on a new domain answers as it should",
            answers
        ),
        case!(
            "control-info",
            "getdomaininfo tells of dom0, and of the next domain where there is none",
            info
        ),
        case!(
            "control-numbers",
            "a domain gets the number it is made with, unless it is taken",
            numbers
        ),
        case!(
            "control-pause",
            "a new domain is paused once; pauses are counted",
            pause
        ),
        case!(
            "control-vcpus",
            "max_vcpus takes the announced number only, and is repeated without harm",
            vcpus
        ),
        case!(
            "control-affinity",
            "affinities of any width come back as what they amount to",
            affinity
        ),
        case!(
            "control-affinity-kept",
            "a vCPU that keeps itself on a processor has its affinity changed by force only",
            affinity_kept
        ),
        case!(
            "control-page-types",
            "getpageframeinfo3 tells tables, pinned ones and memory apart",
            page_types
        ),
        case!(
            "control-weight",
            "credit2 keeps a domain's weight and cap",
            weight
        ),
        case!(
            "control-policy",
            "a CPUID policy is read, reduced and read again",
            policy
        ),
        case!(
            "control-policy-bad",
            "a policy that asks for too much is refused with its leaf",
            policy_bad
        ),
        case!(
            "control-self",
            "what a domain may not do to itself gives EINVAL",
            on_self
        ),
    ],
};

const CREATE: u32 = 1;
const DESTROY: u32 = 2;
const PAUSE: u32 = 3;
const UNPAUSE: u32 = 4;
const INFO: u32 = 5;
const SET_AFFINITY: u32 = 9;
const MAX_MEMORY: u32 = 11;
const MAX_VCPUS: u32 = 15;
const SCHEDULER: u32 = 16;
const GET_AFFINITY: u32 = 25;
const PAGE_TYPES: u32 = 61;
const GET_POLICY: u32 = 82;
const SET_POLICY: u32 = 83;
/// `-ERANGE`.
const ERANGE: i64 = -34;
/// A number that no domain has.
const NOBODY: u16 = 0x1234;
/// `XEN_DOMINF_paused` and `XEN_DOMINF_running`.
const PAUSED: u64 = 1 << 3;
const RUNNING: u64 = 1 << 5;

/// A request of `domctl`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Request {
    command: u32,
    version: u32,
    domain: u16,
    padding: [u16; 3],
    part: [u64; 16],
}

fn ask_version(version: u32, command: u32, domain: u16, part: &[u64]) -> (i64, Request) {
    let mut request = Request {
        command,
        version,
        domain,
        padding: [0; 3],
        part: [0; 16],
    };
    for (place, word) in request.part.iter_mut().zip(part) {
        *place = *word;
    }
    let answer = call2(nr::DOMCTL, at_mut(&mut request), 0);
    (answer, request)
}

fn ask(command: u32, domain: u16, part: &[u64]) -> (i64, Request) {
    ask_version(0x15, command, domain, part)
}

/// A domain that is destroyed at its end.
struct New(u16);

impl New {
    /// Asks for a domain of a number, 0 for any, that may have some vCPUs.
    fn ask(number: u16, vcpus: u32) -> (i64, Request) {
        // ssidref, handle, flags and iommu_opts; then max_vcpus, max_evtchn_port, grant frames, handles and version.
        let part = [
            0,
            0,
            0,
            u64::from(vcpus) << 32,
            1023 | 4 << 32,
            16 | 1 << 32,
        ];
        ask(CREATE, number, &part)
    }

    /// A domain with two vCPUs, without memory.
    fn with_vcpus() -> Self {
        let (answer, request) = Self::ask(0, 2);
        assert_eq!(answer, 0, "createdomain");
        let new = Self(request.domain);
        assert_eq!(ask(MAX_VCPUS, new.0, &[2]).0, 0, "max_vcpus");
        assert_eq!(ask(MAX_MEMORY, new.0, &[4096]).0, 0, "max_mem");
        new
    }
}

impl Drop for New {
    fn drop(&mut self) {
        ask(DESTROY, self.0, &[]);
    }
}

fn versions() {
    for version in [0, 0x14, 0x16, u32::MAX] {
        assert_eq!(ask_version(version, INFO, 0, &[]).0, EACCES);
        assert_eq!(ask_version(version, 500, NOBODY, &[]).0, EACCES);
    }
    for command in [DESTROY, PAUSE, MAX_VCPUS, 36, 500] {
        assert_eq!(ask(command, NOBODY, &[]).0, ESRCH, "{command}");
    }
}

fn answers() {
    let new = New::with_vcpus();
    for (name, command, part, expected) in ANSWERS {
        let (answer, _) = ask(*command, new.0, part);
        assert_eq!(answer, *expected, "{name}");
    }
}

fn info() {
    let (answer, request) = ask(INFO, 0, &[]);
    assert_eq!((answer, request.domain), (0, 0));
    let [first, total, most, ..] = request.part;
    assert_eq!(first as u16, 0, "the number");
    assert_ne!(first >> 32 & RUNNING, 0, "dom0 runs");
    assert!(total > 1000 && total <= most, "{total} of {most} frames");
    assert_ne!(request.part[7], 0, "it ran");
    assert_ne!(request.part[8] as u32, 0, "a vCPU is up");
    let new = New::with_vcpus();
    let (answer, request) = ask(INFO, 1, &[]);
    assert_eq!((answer, request.domain), (0, new.0), "the next one");
    let [first, total, most, ..] = request.part;
    assert_eq!(first >> 32 & (PAUSED | RUNNING), PAUSED);
    assert_eq!((total, most), (0, 1024));
    assert_eq!(request.part[8], 1 << 32, "none up, the last is 1");
    let number = new.0;
    drop(new);
    assert_eq!(ask(INFO, number, &[]).0, ESRCH);
    assert_eq!(ask(INFO, 0x7ff0, &[]).0, EINVAL, "a reserved number");
}

fn numbers() {
    let (answer, request) = New::ask(77, 1);
    assert_eq!((answer, request.domain), (0, 77));
    let new = New(77);
    assert_eq!(New::ask(77, 1).0, EEXIST);
    assert_eq!(New::ask(0, 0).0, EINVAL, "no vCPU");
    assert_eq!(New::ask(0, 8193).0, EINVAL, "too many vCPUs");
    drop(new);
    assert_eq!(ask(PAUSE, 77, &[]).0, ESRCH);
}

fn pause() {
    let new = New::with_vcpus();
    let paused = |new: &New| ask(INFO, new.0, &[]).1.part[0] >> 32 & PAUSED != 0;
    assert!(paused(&new));
    assert_eq!(ask(PAUSE, new.0, &[]).0, 0);
    assert_eq!(ask(UNPAUSE, new.0, &[]).0, 0);
    assert!(paused(&new));
    assert_eq!(ask(UNPAUSE, new.0, &[]).0, 0);
    assert!(!paused(&new));
    assert_eq!(ask(UNPAUSE, new.0, &[]).0, EINVAL);
    assert_eq!(ask(PAUSE, 0, &[]).0, EINVAL, "our own domain");
}

fn vcpus() {
    let (answer, request) = New::ask(0, 3);
    assert_eq!(answer, 0);
    let new = New(request.domain);
    assert_eq!(ask(14, new.0, &[0]).0, ESRCH);
    for wrong in [0, 2, 4, u64::MAX] {
        assert_eq!(ask(MAX_VCPUS, new.0, &[wrong]).0, EINVAL, "{wrong}");
    }
    assert_eq!(ask(MAX_VCPUS, new.0, &[3]).0, 0);
    assert_eq!(ask(MAX_VCPUS, new.0, &[3]).0, 0);
    assert_eq!(ask(13, new.0, &[0]).0, ENODATA, "no context yet");
}

fn affinity() {
    const HARD: u64 = 1 << 32;
    const SOFT: u64 = 2 << 32;
    let new = New::with_vcpus();
    let mut map = [0x55u8; 16];
    let hard = |command: u32, map: &mut [u8; 16]| {
        let bits = [HARD, at_mut(map), 77];
        ask(command, new.0, &bits).0
    };
    let soft = |command: u32, map: &mut [u8; 16]| {
        let bits = [SOFT, 0, 0, at_mut(map), 77];
        ask(command, new.0, &bits).0
    };
    assert_eq!(hard(GET_AFFINITY, &mut map), 0);
    let all = map[0];
    assert_ne!(all & 1, 0);
    assert_eq!((map[9], map[10]), (0, 0x55), "77 bits are ten bytes");
    map = [0xff; 16];
    assert_eq!(hard(SET_AFFINITY, &mut map), 0);
    assert_eq!((map[0], map[9], map[10]), (all, 0, 0xff));
    map = [0; 16];
    map[0] = 1;
    assert_eq!(hard(SET_AFFINITY, &mut map), 0);
    map = [0xff; 16];
    assert_eq!(soft(SET_AFFINITY, &mut map), 0);
    assert_eq!(map[0], 1, "soft is seen against hard");
    assert_eq!(soft(GET_AFFINITY, &mut map), 0);
    assert_eq!(map[0], all, "but kept as it was set");
    map = [0; 16];
    assert_eq!(hard(SET_AFFINITY, &mut map), EINVAL, "nowhere to run");
    assert_eq!(hard(GET_AFFINITY, &mut map), 0);
    assert_eq!(map[0], 1, "it stays where it was");
}

fn affinity_kept() {
    const HARD: u64 = 1 << 32;
    const SOFT: u64 = 2 << 32;
    const FORCE: u64 = 4 << 32;
    let keep = |processor: i32| sched_op(7, at(&processor));
    let set = |flags: u64, bits: u8| {
        let (mut hard, mut soft) = ([bits, 0], [bits, 0]);
        let part = [flags, at_mut(&mut hard), 16, at_mut(&mut soft), 16];
        ask(SET_AFFINITY, 0, &part).0
    };
    assert_eq!(keep(0), 0);
    assert_eq!(set(HARD, 1), EBUSY);
    assert_eq!(set(SOFT, 1), EBUSY);
    assert_eq!(set(HARD | SOFT, 3), EBUSY);
    assert_eq!(set(HARD, 0), EINVAL, "nowhere to run");
    assert_eq!(keep(1), EBUSY, "it is kept still");
    assert_eq!(keep(-1), 0);
    assert_eq!(set(HARD, 1), 0);
    assert_eq!(keep(1), 0, "whatever the affinity");
    assert_eq!(set(HARD | FORCE, 3), 0);
    assert_eq!(keep(-1), EINVAL, "kept no more");
    assert_eq!(keep(1), 0);
    assert_eq!(set(HARD | FORCE, 3), 0);
}

fn page_types() {
    const TABLE: u64 = 4 << 28;
    const PINNED: u64 = 1 << 31;
    const NONE: u64 = 0xf << 28;
    let memory = Page::take();
    let shared = mmu::entry_of(shared_info_address(), 1) >> 12 & 0xff_ffff_ffff;
    let mut frames = [memory.mfn(), mmu::current_l4(), 1 << 45, shared];
    let part = [frames.len() as u64, at_mut(&mut frames)];
    assert_eq!(ask(PAGE_TYPES, 0, &part).0, 0);
    let [plain, top, absent, shared] = frames;
    assert_eq!(plain, 0);
    assert_eq!(top & !PINNED, TABLE);
    assert_eq!((absent, shared), (NONE, NONE));
}

fn weight() {
    let new = New::with_vcpus();
    let (answer, request) = ask(SCHEDULER, new.0, &[6 | 1 << 32]);
    assert_eq!((answer, request.part[1] as u32), (0, 256));
    assert_eq!(ask(SCHEDULER, new.0, &[6, 1000 | 50 << 16]).0, 0);
    let (answer, request) = ask(SCHEDULER, new.0, &[6 | 1 << 32]);
    assert_eq!((answer, request.part[1] as u32), (0, 1000 | 50 << 16));
    // No weight leaves it as it is; a cap is within what the vCPUs can use.
    assert_eq!(ask(SCHEDULER, new.0, &[6, 200 << 16]).0, 0);
    assert_eq!(ask(SCHEDULER, new.0, &[6, 201 << 16]).0, EINVAL);
    let (_, request) = ask(SCHEDULER, new.0, &[6 | 1 << 32]);
    assert_eq!(request.part[1] as u32, 1000 | 200 << 16);
}

/// A CPUID leaf of a policy: leaf, subleaf, four registers.
type Leaf = [u32; 6];
const ANY: u32 = u32::MAX;

fn read_policy(domain: u16, leaves: &mut [Leaf; 120]) -> usize {
    let mut registers = [[0u64; 2]; 2];
    let part = [120 | 2 << 32, at_mut(leaves), at_mut(&mut registers)];
    let (answer, request) = ask(GET_POLICY, domain, &part);
    assert_eq!(answer, 0);
    let count = request.part[0] as u32 as usize;
    assert!((8..=120).contains(&count), "{count} leaves");
    count
}

fn leaf(leaves: &[Leaf], number: u32) -> Leaf {
    let found = leaves.iter().find(|leaf| leaf[0] == number);
    *found.unwrap_or_else(|| panic!("no leaf {number:#x}"))
}

fn policy() {
    const SSE3: u32 = 1;
    let new = New::with_vcpus();
    let mut leaves = [[0; 6]; 120];
    let count = read_policy(new.0, &mut leaves);
    let mut version = leaf(&leaves[..count], 1);
    assert_eq!(version[1], ANY, "a leaf without subleaves");
    assert_ne!(version[4] & SSE3, 0);
    version[4] &= !SSE3;
    let part = [1, at(&version), 0];
    assert_eq!(ask(SET_POLICY, new.0, &part).0, 0);
    let count = read_policy(new.0, &mut leaves);
    assert_eq!(leaf(&leaves[..count], 1)[4] & SSE3, 0);
    // All of it back is all right, and changes nothing.
    let again = [count as u64, at(&leaves), 0];
    assert_eq!(ask(SET_POLICY, new.0, &again).0, 0);
    assert_eq!(read_policy(new.0, &mut leaves), count);
    assert_eq!(leaf(&leaves[..count], 1)[4] & SSE3, 0);
    let little = [1, at_mut(&mut leaves), 0];
    assert_eq!(ask(GET_POLICY, new.0, &little).0, ENOBUFS);
    assert_eq!(ask(UNPAUSE, new.0, &[]).0, 0);
    assert_eq!(ask(SET_POLICY, new.0, &part).0, EEXIST, "it has run");
}

fn policy_bad() {
    let new = New::with_vcpus();
    let refused = |leaf: Leaf| {
        let (answer, request) = ask(SET_POLICY, new.0, &[1, at(&leaf), 0]);
        let place = [request.part[3] as u32, (request.part[3] >> 32) as u32];
        (answer, place)
    };
    assert_eq!(refused([0x500, ANY, 0, 0, 0, 0]), (ERANGE, [0x500, ANY]));
    assert_eq!(refused([7, 9, 0, 0, 0, 0]), (ERANGE, [7, 9]));
    assert_eq!(refused([1, 3, 0, 0, 0, 0]), (ERANGE, [1, 3]));
    assert_eq!(refused([0, ANY, 0x7fff, 0, 0, 0]), (EINVAL, [0, ANY]));
}

fn on_self() {
    let part = [0, 0x7000_0000_0000];
    for command in [12, 13, 59, 60, 72, SET_POLICY, 10] {
        assert_eq!(ask(command, 0, &part).0, EINVAL, "{command}");
    }
    let (answer, request) = ask(36, 0, &[]);
    assert_eq!((answer, request.part[0] as u32), (0, 64));
}
