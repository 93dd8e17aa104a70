//! The answer "no, because" of grant operations, which have their own status numbers.

use xen_abi::grant_table as abi;

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $value:ident),* $(,)?) => {
        /// Why a grant operation was not done (`GNTST_*`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Status { $($(#[$doc])* $name),* }

        impl Status {
            /// The number a guest finds in the operation's `status` field.
            pub const fn number(self) -> i16 {
                match self { $(Self::$name => abi::$value),* }
            }
        }
    };
}

statuses! {
    /// Any other reason.
    General = GNTST_general_error,
    /// No such domain.
    BadDomain = GNTST_bad_domain,
    /// No such entry, or not of that kind.
    BadReference = GNTST_bad_gntref,
    /// No such mapping.
    BadHandle = GNTST_bad_handle,
    /// A virtual address that cannot be mapped.
    BadVirtualAddress = GNTST_bad_virt_addr,
    /// A device address that does not belong to the mapping.
    BadDeviceAddress = GNTST_bad_dev_addr,
    /// The I/O MMU is full.
    NoDeviceSpace = GNTST_no_device_space,
    /// Not allowed to act for that domain.
    PermissionDenied = GNTST_permission_denied,
    /// A frame that cannot be used so.
    BadPage = GNTST_bad_page,
    /// A copy crosses a page's end.
    BadCopyArgument = GNTST_bad_copy_arg,
    /// A frame number too large for a version-1 entry.
    AddressTooBig = GNTST_address_too_big,
    /// Not now.
    Again = GNTST_eagain,
    /// No more handles or room.
    NoSpace = GNTST_no_space,
}

/// A refused grant operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What the guest is answered.
    pub status: Status,
    /// The rule that was broken, as a short clause an administrator understands.
    pub rule: &'static str,
}

/// A result whose error is an explained status.
pub type Granted<T> = Result<T, Denied>;

/// Shorthand for an `Err` that holds a status and its reason.
pub(crate) const fn deny<T>(status: Status, rule: &'static str) -> Granted<T> {
    Err(Denied { status, rule })
}
