//! The rows of `event_channel_op`.

operations! {
    /// Operations of `event_channel_op` that are done.
    EventChannelOp in event_channel {
        Done BindInterdomain = EVTCHNOP_bind_interdomain;
        Done BindVirq = EVTCHNOP_bind_virq;
        Done BindPirq = EVTCHNOP_bind_pirq;
        Done Close = EVTCHNOP_close;
        Done Send = EVTCHNOP_send;
        Done Status = EVTCHNOP_status;
        Done AllocUnbound = EVTCHNOP_alloc_unbound;
        Done BindIpi = EVTCHNOP_bind_ipi;
        Done BindVcpu = EVTCHNOP_bind_vcpu;
        Done Unmask = EVTCHNOP_unmask;
        Done Reset = EVTCHNOP_reset;
        Done InitControl = EVTCHNOP_init_control;
        Done ExpandArray = EVTCHNOP_expand_array;
        Done SetPriority = EVTCHNOP_set_priority;
        Refused ResetCont = EVTCHNOP_reset_cont, "Xen's continuation of a reset, not for guests";
    }
}
