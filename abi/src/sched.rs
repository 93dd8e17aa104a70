//! `sched.h`: giving up the processor, waiting, shutting down.

use crate::xen::GuestHandle;

constants! {
    u32, "Operation of `sched_op`." {
        SCHEDOP_yield = 0,
        SCHEDOP_block = 1,
        SCHEDOP_shutdown = 2,
        SCHEDOP_poll = 3,
        SCHEDOP_remote_shutdown = 4,
        SCHEDOP_shutdown_code = 5,
        SCHEDOP_watchdog = 6,
        SCHEDOP_pin_override = 7,
    }

    u32, "Reason of a shutdown." {
        SHUTDOWN_poweroff = 0,
        SHUTDOWN_reboot = 1,
        SHUTDOWN_suspend = 2,
        SHUTDOWN_crash = 3,
        SHUTDOWN_watchdog = 4,
        SHUTDOWN_soft_reset = 5,
        /// Greatest valid one.
        SHUTDOWN_MAX = 5,
    }
}

structures! {
    /// Argument of `SCHEDOP_shutdown` and `SCHEDOP_shutdown_code`.
    struct SchedShutdown = "struct sched_shutdown" {
        /// In: a `SHUTDOWN_…` reason.
        reason: u32,
    }

    /// Argument of `SCHEDOP_poll`.
    struct SchedPoll = "struct sched_poll" {
        /// In: address of an array of ports (`u32`).
        ports: GuestHandle,
        /// In: how many.
        nr_ports: u32,
        /// No meaning.
        _padding: u32,
        /// In: when to give up, in nanoseconds of system time; 0 never.
        timeout: u64,
    }

    /// Argument of `SCHEDOP_remote_shutdown`.
    struct SchedRemoteShutdown = "struct sched_remote_shutdown" {
        /// In: the domain.
        domain_id: u16,
        /// No meaning.
        _padding: u16,
        /// In: a `SHUTDOWN_…` reason.
        reason: u32,
    }

    /// Argument of `SCHEDOP_watchdog`.
    struct SchedWatchdog = "struct sched_watchdog" {
        /// In: 0 for a new one, else which.
        id: u32,
        /// In: seconds; 0 ends it.
        timeout: u32,
    }

    /// Argument of `SCHEDOP_pin_override`.
    struct SchedPinOverride = "struct sched_pin_override" {
        /// In: the physical CPU; negative to undo.
        pcpu: i32,
    }
}
