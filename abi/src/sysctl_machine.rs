//! `sysctl.h`: what the machine is: memory, processors, nodes, devices.

use crate::xen::GuestHandle;

/// The numbers are in [`crate::sysctl`].
pub const CONSTANTS: &[crate::layout::Constant] = &[];

structures! {
    /// Answer of `XEN_SYSCTL_physinfo`.
    struct Physinfo = "struct xen_sysctl_physinfo" {
        /// Threads of a core.
        threads_per_core: u32,
        /// Cores of a package.
        cores_per_socket: u32,
        /// Processors that run.
        nr_cpus: u32,
        /// Highest number a processor can have.
        max_cpu_id: u32,
        /// Nodes with memory or processors.
        nr_nodes: u32,
        /// Highest number a node can have.
        max_node_id: u32,
        /// Rate of the time-stamp counter.
        cpu_khz: u32,
        /// `XEN_SYSCTL_PHYSCAP_…` bits.
        capabilities: u32,
        /// Bits of the architecture's; none on x86.
        arch_capabilities: u32,
        /// No meaning.
        pad: u32,
        /// Frames of RAM.
        total_pages: u64,
        /// Frames that are free.
        free_pages: u64,
        /// Frames that wait to be scrubbed and cannot be given out.
        scrub_pages: u64,
        /// Frames that are claimed and not yet given.
        outstanding_pages: u64,
        /// Highest number a frame can have.
        max_mfn: u64,
        /// CPUID's features: leaf 1 EDX, 80000001h EDX, 80000007h EDX…, as in Linux' first words.
        hw_cap: [u32; 8],
    }

    /// Request of `XEN_SYSCTL_getcpuinfo`.
    struct Getcpuinfo = "struct xen_sysctl_getcpuinfo" {
        /// In: elements of `info`.
        max_cpus: u32,
        /// No meaning.
        _padding1: u32,
        /// In: address of an array of [`Cpuinfo`].
        info: GuestHandle,
        /// Out: elements written.
        nr_cpus: u32,
        /// No meaning.
        _padding2: u32,
    }

    /// Answer of `XEN_SYSCTL_getcpuinfo` for one processor.
    struct Cpuinfo = "struct xen_sysctl_cpuinfo" {
        /// Nanoseconds it had nothing to do.
        idletime: u64,
    }

    /// Request of `XEN_SYSCTL_availheap`.
    struct Availheap = "struct xen_sysctl_availheap" {
        /// In: least bits of an address; 0 for any.
        min_bitwidth: u32,
        /// In: most bits of an address; 0 for any.
        max_bitwidth: u32,
        /// In: node; -1 for all.
        node: i32,
        /// No meaning.
        _padding: u32,
        /// Out: free bytes there.
        avail_bytes: u64,
    }

    /// Answer of `XEN_SYSCTL_cputopoinfo` for one processor.
    struct Cputopo = "struct xen_sysctl_cputopo" {
        /// Its core.
        core: u32,
        /// Its package.
        socket: u32,
        /// Its node.
        node: u32,
    }

    /// Request of `XEN_SYSCTL_cputopoinfo`.
    struct Cputopoinfo = "struct xen_sysctl_cputopoinfo" {
        /// In: elements of `cputopo`. Out: processors there are.
        num_cpus: u32,
        /// No meaning.
        _padding: u32,
        /// In: address of an array of [`Cputopo`], or zero.
        cputopo: GuestHandle,
    }

    /// Answer of `XEN_SYSCTL_numainfo` for one node.
    struct Meminfo = "struct xen_sysctl_meminfo" {
        /// Bytes it spans.
        memsize: u64,
        /// Bytes that are free.
        memfree: u64,
    }

    /// Request of `XEN_SYSCTL_numainfo`.
    struct Numainfo = "struct xen_sysctl_numainfo" {
        /// In: elements of `meminfo`. Out: nodes there are.
        num_nodes: u32,
        /// No meaning.
        _padding: u32,
        /// In: address of an array of [`Meminfo`], or zero.
        meminfo: GuestHandle,
        /// In: address of a square of distances (`u32`), or zero.
        distance: GuestHandle,
    }

    /// Request of `XEN_SYSCTL_pcitopoinfo`.
    struct Pcitopoinfo = "struct xen_sysctl_pcitopoinfo" {
        /// In: elements of both arrays. Out: those answered.
        num_devs: u32,
        /// No meaning.
        _padding: u32,
        /// In: address of an array of [`crate::physdev::PciDevice`].
        devs: GuestHandle,
        /// In: address of an array of nodes (`u32`).
        nodes: GuestHandle,
    }

    /// Request of `XEN_SYSCTL_page_offline_op`.
    struct PageOfflineOp = "struct xen_sysctl_page_offline_op" {
        /// In: operation.
        cmd: u32,
        /// In: first frame.
        start: u32,
        /// In: last frame.
        end: u32,
        /// No meaning.
        _padding: u32,
        /// In: address of an array of answers (`u32`).
        status: GuestHandle,
    }
}
