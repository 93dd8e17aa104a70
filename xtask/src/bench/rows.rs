//! The rows of the table: what they are called, in which unit, and what we want of them.

/// One row.
pub struct Row {
    /// The name that `microbench` and this tool give it.
    pub name: &'static str,
    /// What it is, for the table.
    pub title: &'static str,
    /// Whether a part of what Xen adds to the bare kernel here is the project's target.
    pub target: bool,
}

const fn row(name: &'static str, title: &'static str, target: bool) -> Row {
    Row {
        name,
        title,
        target,
    }
}

/// Power-on to the first process of dom0.
pub const BOOT: &str = "power_on_to_init";
/// Memory that the hypervisor keeps for itself, in KiB.
pub const MEMORY_KEPT: &str = "memory_kept";
/// Size of the image that boots, in KiB.
pub const IMAGE_SIZE: &str = "image_size";
/// Size of the gzipped image, in KiB.
pub const PACKED_SIZE: &str = "packed_size";

/// What we aim for of what Debian's Xen adds to the bare kernel, and the least that counts.
pub const AIM: f64 = 0.5;
/// See [`AIM`].
pub const LEAST: f64 = 0.75;

/// All rows, in the table's order.
pub const ROWS: &[Row] = &[
    row("null_syscall", "null system call", true),
    row("page_fault", "2048 page faults", true),
    row("mmap_munmap", "mmap, touch, munmap", true),
    row("mprotect", "mprotect", true),
    row("fork_exit", "fork, exit", true),
    row("fork_exec", "fork, exec", true),
    row("pipe_pingpong", "pipe round trip", true),
    row("signal", "signal", true),
    row("clock_gettime", "clock_gettime", false),
    row("usleep_100", "sleep of 100 µs", false),
    row("pipe_64k", "64 KiB through a pipe", false),
    row("cpu_1M_adds", "a million additions", false),
    row(BOOT, "power-on to dom0's init", false),
    row(MEMORY_KEPT, "memory kept, KiB", false),
    row("null-hypercall", "call: nothing", false),
    row("multicall-4", "call: four in one", false),
    row("set-timer", "call: timer", false),
    row("update-va-mapping", "call: one entry by address", false),
    row("mmu-update-1", "call: one entry", false),
    row("ptwrite-xchg", "written entry (xchg)", false),
    row("tlb-flush-local", "call: flush", false),
    row("new-baseptr", "call: table switch", false),
    row("pin-unpin-l4", "call: pin and unpin", false),
    row("frame-given-and-had", "calls: frame given, had", false),
    row("iret", "call: iret", false),
    row("page-fault-and-iret", "fault and iret", false),
    row("event-send-masked", "call: masked event", false),
    row("event-send-upcall-iret", "event and upcall", false),
    row("grant-map-unmap", "own page mapped, unmapped", false),
    row(
        "grant-map-unmap-of-other",
        "other's mapped, unmapped",
        false,
    ),
    row("grant-copy-4096", "own page copied", false),
    row(
        "event-round-trip-between-guests",
        "two guests: event and back",
        false,
    ),
    row(
        "grant-map-unmap-between-guests",
        "two guests: map, unmap",
        false,
    ),
    row(
        "grant-copy-4096-between-guests",
        "two guests: page copied",
        false,
    ),
    row("schedule-1", "yield, nobody else waits", false),
    row("switch-of-2", "switch, 2 vCPUs runnable", false),
    row("switch-of-10", "switch, 10 runnable", false),
    row("switch-of-100", "switch, 100 runnable", false),
    row("worst-switch-of-100", "the longest of these", false),
    row("guest-switch-of-2", "switch, 2 guests runnable", false),
    row("guest-switch-of-10", "switch, 10 guests", false),
    row("guest-switch-of-100", "switch, 100 guests", false),
    row("wake-blocked", "event wakes a blocked vCPU", false),
    row("guest-wake", "event wakes another guest", false),
    row("block-and-switch", "block, another runs", false),
    row(
        "event-round-trip-between-vcpus",
        "two vCPUs: event and back",
        false,
    ),
    row("guest-round-trip", "other guest: event and back", false),
    row("guest-wake-of-100", "wake, of 100 that sleep", false),
    row("guest-round-trip-of-100", "there and back, of 100", false),
    row("timer-expiry", "timer expires", false),
    row("timer-expiry-of-100", "timer expires, 100 set", false),
    row("timer-wakes-sleeper", "timer wakes a sleeper", false),
    row("guest_null_syscall", "guest: null system call", false),
    row("guest_page_fault", "guest: 2048 page faults", false),
    row("guest_mmap_munmap", "guest: mmap, touch, munmap", false),
    row("guest_mprotect", "guest: mprotect", false),
    row("guest_fork_exit", "guest: fork, exit", false),
    row("guest_fork_exec", "guest: fork, exec", false),
    row("guest_pipe_pingpong", "guest: pipe round trip", false),
    row("guest_signal", "guest: signal", false),
    row("guest_clock_gettime", "guest: clock_gettime", false),
    row("xl_create", "xl create", false),
    row("guest_first_line", "create to guest's line", false),
    row("xl_destroy", "xl destroy", false),
    row("disk_write", "16 MiB to a guest's disk", false),
    row("disk_read", "16 MiB from it", false),
    row("net_round_trip", "ping of a guest", false),
    row("net_from_guest", "16 MiB guest to dom0", false),
    row("guests_1", "one guest at work", false),
    row("guests_8", "eight guests at work", false),
    row("memory_per_guest", "memory kept a guest, KiB", false),
    row(IMAGE_SIZE, "image, KiB", false),
    row(PACKED_SIZE, "image gzipped, KiB", false),
];
