//! `callback.h`: the guest kernel's entry points.

constants! {
    u32, "Operation of `callback_op`." {
        CALLBACKOP_register = 0,
        CALLBACKOP_unregister = 1,
    }

    u16, "Which entry point." {
        CALLBACKTYPE_event = 0,
        /// The return to the guest failed.
        CALLBACKTYPE_failsafe = 1,
        /// `syscall` from 64-bit user mode.
        CALLBACKTYPE_syscall = 2,
        CALLBACKTYPE_sysenter_deprecated = 3,
        CALLBACKTYPE_nmi = 4,
        /// `sysenter` from 32-bit user mode.
        CALLBACKTYPE_sysenter = 5,
        /// `syscall` from 32-bit user mode.
        CALLBACKTYPE_syscall32 = 7,
    }

    u16, "Flag of [`CallbackRegister`]: events are masked on entry." {
        CALLBACKF_mask_events = 1,
    }
}

structures! {
    /// Argument of `CALLBACKOP_register`.
    struct CallbackRegister = "struct callback_register" {
        /// In: a `CALLBACKTYPE_…` value.
        kind: u16 = "type",
        /// In: [`CALLBACKF_mask_events`] or zero.
        flags: u16,
        /// No meaning.
        _padding: u32,
        /// In: virtual address.
        address: u64,
    }

    /// Argument of `CALLBACKOP_unregister`.
    struct CallbackUnregister = "struct callback_unregister" {
        /// In: a `CALLBACKTYPE_…` value.
        kind: u16 = "type",
        /// No meaning.
        _unused: u16,
    }
}
