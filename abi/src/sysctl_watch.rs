//! `sysctl.h`: for observers: console ring, debug keys, counters, traces, lists of domains.

use crate::xen::{GuestHandle, XenctlBitmap};

/// The numbers are in [`crate::sysctl`].
pub const CONSTANTS: &[crate::layout::Constant] = &[];

structures! {
    /// Request of `XEN_SYSCTL_readconsole`.
    struct Readconsole = "struct xen_sysctl_readconsole" {
        /// In: not 0 to forget what is in the ring afterwards.
        clear: u8,
        /// In: not 0 to begin at `index`.
        incremental: u8,
        /// No meaning.
        pad0: u8,
        /// No meaning.
        pad1: u8,
        /// In: where to begin. Out: where it ended.
        index: u32,
        /// In: address of the bytes.
        buffer: GuestHandle,
        /// In: bytes there. Out: bytes written.
        count: u32,
        /// No meaning.
        _padding: u32,
    }

    /// Request of `XEN_SYSCTL_tbuf_op`.
    struct TbufOp = "struct xen_sysctl_tbuf_op" {
        /// In: operation.
        cmd: u32,
        /// No meaning.
        _padding1: u32,
        /// In: processors to trace.
        cpu_mask: XenctlBitmap,
        /// In and out: events to trace.
        evt_mask: u32,
        /// No meaning.
        _padding2: u32,
        /// Out: frame of the buffers' description.
        buffer_mfn: u64,
        /// In and out: frames of a processor's buffer.
        size: u32,
        /// No meaning.
        _padding3: u32,
    }

    /// A counter's name.
    struct PerfcDesc = "struct xen_sysctl_perfc_desc" {
        /// The name, ended by 0.
        name: [u8; 80],
        /// Values it has.
        nr_vals: u32,
    }

    /// Request of `XEN_SYSCTL_perfc_op`.
    struct PerfcOp = "struct xen_sysctl_perfc_op" {
        /// In: operation.
        cmd: u32,
        /// Out: counters there are.
        nr_counters: u32,
        /// Out: values of all together.
        nr_vals: u32,
        /// No meaning.
        _padding: u32,
        /// In: address of an array of [`PerfcDesc`], or zero.
        desc: GuestHandle,
        /// In: address of an array of values (`u32`), or zero.
        val: GuestHandle,
    }

    /// Request of `XEN_SYSCTL_getdomaininfolist`.
    struct Getdomaininfolist = "struct xen_sysctl_getdomaininfolist" {
        /// In: the list begins at this number or the next higher there is.
        first_domain: u16,
        /// No meaning.
        _padding1: u16,
        /// In: elements of `buffer`.
        max_domains: u32,
        /// In: address of an array of [`crate::domctl::Getdomaininfo`].
        buffer: GuestHandle,
        /// Out: elements written.
        num_domains: u32,
        /// No meaning.
        _padding2: u32,
    }

    /// Request of `XEN_SYSCTL_debug_keys`.
    struct DebugKeys = "struct xen_sysctl_debug_keys" {
        /// In: address of the keys' characters.
        keys: GuestHandle,
        /// In: how many.
        nr_keys: u32,
        /// No meaning.
        _padding: u32,
    }

    /// Request of `XEN_SYSCTL_livepatch_op`, with the part of the list.
    struct LivepatchList = "struct xen_sysctl_livepatch_op" {
        /// In: operation.
        cmd: u32,
        /// Zero.
        pad: u32,
        /// Out: changes when the list does.
        version: u32 = "u.list.version",
        /// In: where in the list to begin.
        idx: u32 = "u.list.idx",
        /// In: elements there is room for. Out: elements left.
        nr: u32 = "u.list.nr",
        /// Zero.
        list_pad: u32 = "u.list.pad",
        /// Out: bytes of all names.
        name_total_size: u32 = "u.list.name_total_size",
        /// Out: bytes of all descriptions.
        metadata_total_size: u32 = "u.list.metadata_total_size",
        /// In: address.
        status: GuestHandle = "u.list.status",
        /// In: address.
        name: GuestHandle = "u.list.name",
        /// In: address.
        len: GuestHandle = "u.list.len",
        /// In: address.
        metadata: GuestHandle = "u.list.metadata",
        /// In: address.
        metadata_len: GuestHandle = "u.list.metadata_len",
    }
}
