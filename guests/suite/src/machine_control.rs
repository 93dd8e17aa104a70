//! `sysctl`, `hypfs_op` and `xenpmu_op`: what the whole machine is asked, and what is answered to nonsense.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::pages::Page;

/// The group.
pub const GROUP: Group = Group {
    name: "machine",
    cases: &[
        case!(
            "sysctl-unknown",
            "numbers without an operation give ENOSYS",
            unknown
        ),
        case!(
            "sysctl-physinfo",
            "the machine has processors, memory and para-virtualized guests",
            physinfo
        ),
        case!(
            "sysctl-topology",
            "as many processors are told of as there is room for",
            topology
        ),
        case!("sysctl-nodes", "each node has memory and distances", nodes),
        case!(
            "sysctl-scheduler",
            "the scheduler is credit2, with a limit of 100 us to 500 ms",
            scheduler
        ),
        case!(
            "sysctl-pool",
            "pool 0 has the processors, stays, and is alone",
            pool
        ),
        case!(
            "sysctl-features",
            "a set of features that is cut short is written and gives ENOBUFS",
            features
        ),
        case!(
            "sysctl-policy",
            "a policy needs room, and a zero in the reserved field",
            policy
        ),
        case!(
            "sysctl-console",
            "the console's ring is read on from where reading ended",
            console
        ),
        case!(
            "sysctl-domains",
            "the list of domains begins at the number asked for",
            domains
        ),
        case!(
            "sysctl-absent",
            "what was not built in has an errno of its own",
            absent
        ),
        case!(
            "sysctl-power",
            "processors that are not there give EINVAL",
            power
        ),
        case!(
            "hypfs-read",
            "directories and leaves are read, with a description first",
            hypfs_read
        ),
        case!(
            "hypfs-path",
            "a path begins with a slash and ends with its only zero",
            hypfs_path
        ),
        case!(
            "hypfs-write",
            "log levels are written as words; other entries are not",
            hypfs_write
        ),
        case!("xenpmu", "performance counters are not offered", xenpmu),
    ],
};

const VERSION: u64 = 0x15;
/// Addresses that no guest may use.
const BAD: u64 = 0xffff_8300_0000_0000;

/// Puts a request into the page: operation, then the words of its part.
fn request(page: Page, operation: u64, part: &[u64]) -> i64 {
    let words = page.words();
    words[..17].fill(0);
    words[0] = operation | VERSION << 32;
    words[1..=part.len()].copy_from_slice(part);
    call2(nr::SYSCTL, page.va, 0)
}

fn low(word: u64) -> u64 {
    word & 0xffff_ffff
}

fn unknown() {
    let page = Page::take();
    for operation in [0, 13, 24, 28, 30, 1000] {
        assert_eq!(request(page, operation, &[]), ENOSYS);
    }
}

fn physinfo() {
    let page = Page::take();
    assert_eq!(request(page, 3, &[]), 0);
    let words = page.words();
    let (processors, highest) = (low(words[2]), words[2] >> 32);
    assert!(processors >= 1 && highest >= processors - 1);
    let (threads, cores) = (low(words[1]), words[1] >> 32);
    assert!(threads >= 1 && cores >= 1);
    let capabilities = words[4] >> 32;
    assert!(capabilities & 2 != 0 && capabilities & 0x100 != 0);
    let (total, free, most) = (words[6], words[7], words[10]);
    assert!(free < total && total <= most + 1);
}

fn topology() {
    let (page, places) = (Page::take(), Page::take());
    assert_eq!(request(page, 16, &[0, 0]), 0);
    let count = low(page.words()[1]);
    assert!(count >= 1);
    places.words()[2] = u64::MAX;
    assert_eq!(request(page, 16, &[1, places.va]), 0);
    assert_eq!(low(page.words()[1]), 1);
    assert_eq!(places.words()[2], u64::MAX);
    assert_eq!(request(page, 16, &[1, BAD]), EFAULT);
}

fn nodes() {
    let (page, memory) = (Page::take(), Page::take());
    assert_eq!(request(page, 17, &[0, 0, 0]), 0);
    assert!(low(page.words()[1]) >= 1);
    let distances = memory.va + 2048;
    assert_eq!(request(page, 17, &[64, memory.va, distances]), 0);
    assert!(memory.words()[0] >= memory.words()[1]);
    assert_eq!(low(memory.words()[256]), 10);
}

fn scheduler() {
    let page = Page::take();
    assert_eq!(request(page, 4, &[]), 0);
    assert_eq!(low(page.words()[1]), 6);
    let ask = |pool: u64, kind: u64, operation: u64, limit: u64| {
        request(page, 19, &[pool | kind << 32, operation, limit])
    };
    assert_eq!(ask(0, 6, 1, 0), 0);
    let limit = low(page.words()[3]);
    assert_eq!(ask(0, 6, 0, 2000), 0);
    assert_eq!(ask(0, 6, 1, 0), 0);
    assert_eq!(low(page.words()[3]), 2000);
    assert_eq!(ask(0, 6, 0, limit), 0);
    assert_eq!(ask(0, 6, 0, 99), EINVAL);
    assert_eq!(ask(0, 6, 0, 500_001), EINVAL);
    assert_eq!(ask(0, 5, 1, 0), EINVAL);
    assert_eq!(ask(0, 6, 2, 0), EINVAL);
    assert_eq!(ask(3, 6, 1, 0), ESRCH);
}

fn pool() {
    let (page, map) = (Page::take(), Page::take());
    let ask = |operation: u64, pool: u64, domain: u64, processor: u64| {
        let part = [operation | pool << 32, domain << 32, processor, map.va, 64];
        request(page, 18, &part)
    };
    map.words()[0] = u64::MAX;
    assert_eq!(ask(3, 0, 0, 0), 0);
    let words = page.words();
    assert_eq!((words[1] >> 32, low(words[2])), (0, 6));
    assert!(words[3] >> 32 >= 1);
    assert_eq!(map.words()[0] & 1, 1);
    assert_ne!(map.words()[0], u64::MAX);
    assert_eq!(ask(3, 1, 0, 0), ENOENT);
    assert_eq!((ask(2, 0, 0, 0), ask(2, 5, 0, 0)), (EBUSY, ENOENT));
    assert_eq!((ask(4, 0, 0, 0), ask(4, 0, 0, 1000)), (ENODEV, EINVAL));
    assert_eq!((ask(5, 7, 0, 0), ask(5, 0, 0, 1000)), (ENOENT, EINVAL));
    assert_eq!(ask(5, 0, 0, 0), EINVAL, "the boot processor");
    assert_eq!((ask(6, 0, 0, 0), ask(6, 0, 99, 0)), (EPERM, ESRCH));
    assert_eq!(ask(7, 0, 0, 0), 0);
    assert_eq!(map.words()[0], 0);
    assert_eq!((ask(0, 0, 0, 0), ask(9, 0, 0, 0)), (ENOSYS, ENOSYS));
}

fn features() {
    let (page, set) = (Page::take(), Page::take());
    assert_eq!(request(page, 26, &[1, 0]), 0);
    let count = page.words()[1] >> 32;
    assert_eq!(count, 19);
    assert_eq!(request(page, 26, &[1 | 32 << 32, set.va]), 0);
    assert_eq!(page.words()[1] >> 32, count);
    let whole = set.words()[0];
    assert_ne!(whole, 0);
    set.words()[..2].fill(0);
    assert_eq!(request(page, 26, &[1 | 1 << 32, set.va]), ENOBUFS);
    assert_eq!(set.words()[0], low(whole));
    assert_eq!(request(page, 26, &[6 | 32 << 32, set.va]), EINVAL);
}

fn policy() {
    let (page, leaves) = (Page::take(), Page::take_run(2));
    assert_eq!(request(page, 29, &[4, 0, 0, 0]), 0);
    let (most, registers) = (page.words()[1] >> 32, low(page.words()[2]));
    assert_eq!((most, registers), (120, 2));
    assert_eq!(request(page, 29, &[4 | most << 32, 0, leaves.va, 0]), 0);
    let used = page.words()[1] >> 32;
    assert!(used > 10 && used <= most);
    assert_eq!(request(page, 29, &[4 | 2 << 32, 0, leaves.va, 0]), ENOBUFS);
    assert_eq!(request(page, 29, &[4, 1 << 32, 0, 0]), EINVAL);
    assert_eq!(request(page, 29, &[6, 0, 0, 0]), EINVAL);
}

fn console() {
    let (page, bytes) = (Page::take(), Page::take());
    assert_eq!(request(page, 1, &[0, bytes.va, 16]), 0);
    assert_eq!(low(page.words()[3]), 16);
    let at = page.words()[1] >> 32;
    assert_eq!(request(page, 1, &[1 << 8 | at << 32, bytes.va, 16]), 0);
    let next = page.words()[1] >> 32;
    assert_eq!(next, at + low(page.words()[3]));
    assert_eq!(request(page, 1, &[0, BAD, 16]), EFAULT);
}

fn domains() {
    let (page, list) = (Page::take(), Page::take());
    assert_eq!(request(page, 6, &[1 << 32, list.va, 0]), 0);
    assert_eq!(low(page.words()[3]), 1);
    assert_eq!(list.words()[0] & 0xffff, 0);
    assert_eq!(request(page, 6, &[0x7000 | 1 << 32, list.va, 0]), 0);
    assert_eq!(low(page.words()[3]), 0);
    assert_eq!(request(page, 6, &[1 << 32, BAD, 0]), EFAULT);
}

fn absent() {
    let page = Page::take();
    assert_eq!(request(page, 15, &[]), ENOSYS);
    for operation in [0, 1, 2, 3] {
        assert_eq!(request(page, 20, &[operation]), EOPNOTSUPP);
    }
    // Patches: none, and those asked for are not there.
    assert_eq!(request(page, 27, &[2, 0, 0]), 0);
    assert_eq!(low(page.words()[3]), 0);
    assert_eq!(request(page, 27, &[2 | 1 << 32, 0, 0]), EINVAL);
    assert_eq!(request(page, 27, &[9, 0, 0]), EOPNOTSUPP);
}

fn power() {
    let page = Page::take();
    assert_eq!(request(page, 10, &[0x11 | 1000 << 32]), EINVAL);
    assert_eq!(request(page, 10, &[0x21 | 1000 << 32]), EINVAL);
    assert_eq!(request(page, 11, &[1000]), EINVAL);
    assert_eq!(request(page, 11, &[0]), EEXIST);
    assert_eq!(request(page, 11, &[1000 | 9 << 32]), EOPNOTSUPP);
}

fn hypfs(operation: u64, path: &[u8], buffer: u64, length: u64) -> i64 {
    let page = Page::take();
    page.bytes()[..path.len()].copy_from_slice(path);
    let length_of_path = path.len() as u64;
    let arguments = [operation, page.va, length_of_path, buffer, length, 0];
    call(nr::HYPFS_OP, arguments)
}

fn hypfs_read() {
    let page = Page::take();
    let read = |path: &[u8], length: u64| hypfs(1, path, page.va, length);
    assert_eq!(read(b"/buildinfo/version/major\0", 16), 0);
    // Type, encoding and padding; bytes of the content; bytes that may be written; the content.
    let words = page.words();
    assert_eq!(words[0], 3 | 4 << 32);
    assert_eq!(words[1], 4 << 32);
    assert_eq!(read(b"/params/guest_loglvl\0", 100), 0);
    assert_eq!((page.words()[0] & 0xff, low(page.words()[1])), (2, 16));
    assert_eq!(read(b"/\0", 12), ENOBUFS);
    assert_eq!(page.words()[0] & 0xff, 0);
    assert!(page.words()[0] >> 32 > 16);
    assert_eq!(read(b"/buildinfo/\0", 4096), 0);
    // The first entry is described before its name, and the next one is where it says.
    let bytes = page.bytes();
    assert_eq!(&bytes[26..36], b"changeset\0");
    let next = usize::from(bytes[24]);
    assert_eq!(&bytes[12 + next + 14..][..12], b"compileinfo\0");
    assert_eq!(read(b"/\0", 11), EINVAL);
    assert_eq!(hypfs(1, b"/\0", BAD, 100), EFAULT);
    assert_eq!(call(nr::HYPFS_OP, [0; 6]), 1);
    assert_eq!(call(nr::HYPFS_OP, [0, 1, 0, 0, 0, 0]), EINVAL);
}

fn hypfs_path() {
    let page = Page::take();
    let read = |path: &[u8]| hypfs(1, path, page.va, 4096);
    for path in [&b""[..], b"\0", b"buildinfo\0", b"/params", b"/params\0x\0"] {
        assert_eq!(read(path), EINVAL);
    }
    for path in [
        &b"/nosuch\0"[..],
        b"/buildinfo//version\0",
        b"/buildinfo/version/major/x\0",
    ] {
        assert_eq!(read(path), ENOENT);
    }
    assert_eq!(call(nr::HYPFS_OP, [1, BAD, 8, page.va, 4096, 0]), EFAULT);
}

fn hypfs_write() {
    const LEVEL: &[u8] = b"/params/guest_loglvl\0";
    let page = Page::take();
    let write = |path: &[u8], text: &[u8]| {
        page.bytes()[..text.len()].copy_from_slice(text);
        hypfs(2, path, page.va, text.len() as u64)
    };
    let before = Page::take();
    assert_eq!(hypfs(1, LEVEL, before.va, 100), 0);
    assert_eq!(write(LEVEL, b"none/warning\0"), 0);
    assert_eq!(hypfs(1, LEVEL, page.va, 100), 0);
    assert_eq!(&page.bytes()[12..25], b"none/warning\0");
    assert_eq!(write(LEVEL, b"warning/error\0"), 0);
    assert_eq!(hypfs(1, LEVEL, page.va, 100), 0);
    assert_eq!(&page.bytes()[12..28], b"warning/warning\0");
    assert_eq!(
        (write(LEVEL, b"foo\0"), write(LEVEL, b"all")),
        (EINVAL, EDOM)
    );
    assert_eq!(write(b"/buildinfo/version/major\0", b"1234"), EACCES);
    assert_eq!(write(b"/params\0", b"x\0"), EACCES);
    assert_eq!(write(b"/nosuch\0", b"x\0"), ENOENT);
    let length = (before.words()[0] >> 32) as usize;
    assert_eq!(write(LEVEL, &before.bytes()[12..12 + length]), 0);
}

fn xenpmu() {
    let page = Page::take();
    for operation in 0..10 {
        assert_eq!(call2(nr::XENPMU_OP, operation, page.va), EOPNOTSUPP);
    }
}
