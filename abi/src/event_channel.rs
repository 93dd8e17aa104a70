//! `event_channel.h`: event channels, two-level and FIFO.

constants! {
    u32, "Operation of `event_channel_op`." {
        EVTCHNOP_bind_interdomain = 0,
        EVTCHNOP_bind_virq = 1,
        EVTCHNOP_bind_pirq = 2,
        EVTCHNOP_close = 3,
        EVTCHNOP_send = 4,
        EVTCHNOP_status = 5,
        EVTCHNOP_alloc_unbound = 6,
        EVTCHNOP_bind_ipi = 7,
        EVTCHNOP_bind_vcpu = 8,
        EVTCHNOP_unmask = 9,
        EVTCHNOP_reset = 10,
        EVTCHNOP_init_control = 11,
        EVTCHNOP_expand_array = 12,
        EVTCHNOP_set_priority = 13,
        /// The hypervisor's own continuation of a reset.
        EVTCHNOP_reset_cont = 14,
    }

    u32, "Flag of [`EvtchnBindPirq`]: other domains may have the line too." {
        BIND_PIRQ__WILL_SHARE = 1,
    }

    u32, "What a channel is bound to ([`EvtchnStatus::status`])." {
        EVTCHNSTAT_closed = 0,
        EVTCHNSTAT_unbound = 1,
        EVTCHNSTAT_interdomain = 2,
        EVTCHNSTAT_pirq = 3,
        EVTCHNSTAT_virq = 4,
        EVTCHNSTAT_ipi = 5,
    }

    u32, "Limit of the two-level interface." {
        /// Ports.
        EVTCHN_2L_NR_CHANNELS = 4096,
    }

    u32, "Priority of a channel of the FIFO interface." {
        /// Served first.
        EVTCHN_FIFO_PRIORITY_MAX = 0,
        EVTCHN_FIFO_PRIORITY_DEFAULT = 7,
        /// Served last.
        EVTCHN_FIFO_PRIORITY_MIN = 15,
        /// How many there are.
        EVTCHN_FIFO_MAX_QUEUES = 16,
    }

    u32, "Bit number in an event word of the FIFO interface." {
        EVTCHN_FIFO_PENDING = 31,
        EVTCHN_FIFO_MASKED = 30,
        /// The event is on a queue.
        EVTCHN_FIFO_LINKED = 29,
        /// The guest changes the word; the hypervisor waits.
        EVTCHN_FIFO_BUSY = 28,
    }

    u32, "Link field of an event word: the next port on the queue, 0 at its end." {
        /// Bits of it.
        EVTCHN_FIFO_LINK_BITS = 17,
        /// Mask of it.
        EVTCHN_FIFO_LINK_MASK = (1 << EVTCHN_FIFO_LINK_BITS) - 1,
        /// Ports it can name.
        EVTCHN_FIFO_NR_CHANNELS = 1 << EVTCHN_FIFO_LINK_BITS,
    }
}

structures! {
    /// Argument of `EVTCHNOP_alloc_unbound`.
    struct EvtchnAllocUnbound = "struct evtchn_alloc_unbound" {
        /// In: the domain that gets the port.
        dom: u16,
        /// In: the domain that may bind to it.
        remote_dom: u16,
        /// Out: the port.
        port: u32,
    }

    /// Argument of `EVTCHNOP_bind_interdomain`.
    struct EvtchnBindInterdomain = "struct evtchn_bind_interdomain" {
        /// In: the other domain.
        remote_dom: u16,
        /// No meaning.
        _padding: u16,
        /// In: its unbound port.
        remote_port: u32,
        /// Out: the caller's port.
        local_port: u32,
    }

    /// Argument of `EVTCHNOP_bind_virq`.
    struct EvtchnBindVirq = "struct evtchn_bind_virq" {
        /// In: a `VIRQ_…` number.
        virq: u32,
        /// In: the vCPU to notify; 0 for a global one.
        vcpu: u32,
        /// Out: the port.
        port: u32,
    }

    /// Argument of `EVTCHNOP_bind_pirq`.
    struct EvtchnBindPirq = "struct evtchn_bind_pirq" {
        /// In: the physical interrupt.
        pirq: u32,
        /// In: [`BIND_PIRQ__WILL_SHARE`] or zero.
        flags: u32,
        /// Out: the port.
        port: u32,
    }

    /// Argument of `EVTCHNOP_bind_ipi`.
    struct EvtchnBindIpi = "struct evtchn_bind_ipi" {
        /// In: the vCPU to notify.
        vcpu: u32,
        /// Out: the port.
        port: u32,
    }

    /// Argument of `EVTCHNOP_close`.
    struct EvtchnClose = "struct evtchn_close" {
        /// In: the port.
        port: u32,
    }

    /// Argument of `EVTCHNOP_send`.
    struct EvtchnSend = "struct evtchn_send" {
        /// In: the port.
        port: u32,
    }

    /// Argument of `EVTCHNOP_status`.
    struct EvtchnStatus = "struct evtchn_status" {
        /// In: whose port.
        dom: u16,
        /// No meaning.
        _padding: u16,
        /// In: the port.
        port: u32,
        /// Out: an `EVTCHNSTAT_…` value.
        status: u32,
        /// Out: the vCPU it notifies.
        vcpu: u32,
        /// Out: by status, the domain in the low 16 bits (unbound, interdomain) and the other port
        /// (interdomain); or the physical or virtual interrupt's number.
        u: [u32; 2],
    }

    /// [`EvtchnStatus::u`] of an interdomain channel.
    struct EvtchnStatusInterdomain = "__typeof__(((struct evtchn_status *)0)->u.interdomain)" {
        /// The other domain.
        dom: u16,
        /// No meaning.
        _padding: u16,
        /// Its port.
        port: u32,
    }

    /// Argument of `EVTCHNOP_bind_vcpu`.
    struct EvtchnBindVcpu = "struct evtchn_bind_vcpu" {
        /// In: the port.
        port: u32,
        /// In: the vCPU to notify.
        vcpu: u32,
    }

    /// Argument of `EVTCHNOP_unmask`.
    struct EvtchnUnmask = "struct evtchn_unmask" {
        /// In: the port.
        port: u32,
    }

    /// Argument of `EVTCHNOP_reset`.
    struct EvtchnReset = "struct evtchn_reset" {
        /// In: whose ports are closed.
        dom: u16,
    }

    /// Argument of `EVTCHNOP_init_control`.
    struct EvtchnInitControl = "struct evtchn_init_control" {
        /// In: the frame that holds the control block.
        control_gfn: u64,
        /// In: the block's offset in it, in bytes.
        offset: u32,
        /// In: the vCPU it is for.
        vcpu: u32,
        /// Out: bits of the link field.
        link_bits: u8,
        /// No meaning.
        _pad: [u8; 7],
    }

    /// Argument of `EVTCHNOP_expand_array`.
    struct EvtchnExpandArray = "struct evtchn_expand_array" {
        /// In: the frame that continues the event array.
        array_gfn: u64,
    }

    /// Argument of `EVTCHNOP_set_priority`.
    struct EvtchnSetPriority = "struct evtchn_set_priority" {
        /// In: the port.
        port: u32,
        /// In: 0 (first) to 15 (last).
        priority: u32,
    }

    /// A vCPU's control block of the FIFO interface.
    struct EvtchnFifoControlBlock = "struct evtchn_fifo_control_block" {
        /// Bitmap of the priorities whose queue is not empty.
        ready: u32,
        /// No meaning.
        _rsvd: u32,
        /// The first port of each queue.
        head: [u32; EVTCHN_FIFO_MAX_QUEUES as usize],
    }
}
