//! The rows of the table: what they are called, in which unit, and what we want of them.

/// One row.
pub struct Row {
    /// The name that `microbench` and this tool give it.
    pub name: &'static str,
    /// What it is, for the table.
    pub title: &'static str,
    /// Instructions, in thousands: what is aimed for, and the least that counts.
    pub targets: Option<(f64, f64)>,
}

const fn row(name: &'static str, title: &'static str, targets: Option<(f64, f64)>) -> Row {
    Row {
        name,
        title,
        targets,
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

/// All rows, in the table's order. The targets halve (or take three quarters of) what Debian's Xen
/// adds to the bare kernel; they were fixed before the first line of the hypervisor was written.
pub const ROWS: &[Row] = &[
    row("null_syscall", "null system call", Some((0.666, 0.831))),
    row("page_fault", "2048 page faults", Some((21_300.0, 23_875.0))),
    row("mmap_munmap", "mmap, touch, munmap", Some((84.0, 105.0))),
    row("mprotect", "mprotect", Some((4.8, 5.6))),
    row("fork_exit", "fork, exit", Some((557.0, 692.0))),
    row("fork_exec", "fork, exec", Some((1743.0, 2130.0))),
    row("pipe_pingpong", "pipe round trip", Some((16.0, 18.6))),
    row("signal", "signal", Some((5.6, 6.1))),
    row("clock_gettime", "clock_gettime", None),
    row("usleep_100", "sleep of 100 µs", None),
    row("pipe_64k", "64 KiB through a pipe", None),
    row("cpu_1M_adds", "a million additions", None),
    row(BOOT, "power-on to dom0's init", None),
    row(MEMORY_KEPT, "memory kept, KiB", None),
    row(IMAGE_SIZE, "image, KiB", None),
    row(PACKED_SIZE, "image gzipped, KiB", None),
];
