//! Error numbers of the interface (public `errno.h`): a hypercall answers their negative.

macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident = $value:literal),* $(,)?) => {
        /// An error number as the interface knows it. A hypercall's answer is its negative.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        #[allow(clippy::upper_case_acronyms, reason = "the interface's own names")]
        pub enum Errno { $($(#[$doc])* $name = $value),* }

        impl Errno {
            /// The header's name of the number, for messages.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }

        /// The numbers under the header's names, for the test against the C headers.
        pub const CONSTANTS: &[crate::layout::Constant] = &[
            $(crate::layout::Constant {
                name: concat!("XEN_", stringify!($name)),
                value: $value,
            }),*
        ];

        /// This header has no structures.
        pub const STRUCTURES: &[crate::layout::StructLayout] = &[];
    };
}

errnos! {
    /// Operation not permitted.
    EPERM = 1,
    /// No such file or object.
    ENOENT = 2,
    /// No such domain or vCPU.
    ESRCH = 3,
    /// Input or output error.
    EIO = 5,
    /// No such device or address.
    ENXIO = 6,
    /// Argument list too long.
    E2BIG = 7,
    /// No executable of a known kind.
    ENOEXEC = 8,
    /// Not a valid handle.
    EBADF = 9,
    /// No such child.
    ECHILD = 10,
    /// Try again.
    EAGAIN = 11,
    /// Out of memory.
    ENOMEM = 12,
    /// Permission denied.
    EACCES = 13,
    /// Bad guest address.
    EFAULT = 14,
    /// Busy.
    EBUSY = 16,
    /// Exists already.
    EEXIST = 17,
    /// Crosses two devices.
    EXDEV = 18,
    /// No such device.
    ENODEV = 19,
    /// Is a directory.
    EISDIR = 21,
    /// Invalid argument.
    EINVAL = 22,
    /// Table is full.
    ENFILE = 23,
    /// No space left.
    ENOSPC = 28,
    /// Read-only.
    EROFS = 30,
    /// Too many links.
    EMLINK = 31,
    /// Out of the function's domain.
    EDOM = 33,
    /// Out of range.
    ERANGE = 34,
    /// Would deadlock.
    EDEADLK = 35,
    /// Name too long.
    ENAMETOOLONG = 36,
    /// Not implemented.
    ENOSYS = 38,
    /// Not empty.
    ENOTEMPTY = 39,
    /// No data there.
    ENODATA = 61,
    /// Timer expired.
    ETIME = 62,
    /// Data of the wrong kind.
    EBADMSG = 74,
    /// Too large for the type.
    EOVERFLOW = 75,
    /// Illegal byte sequence.
    EILSEQ = 84,
    /// Interrupted hypercall that must be started again (internal to the interface).
    ERESTART = 85,
    /// Not a socket.
    ENOTSOCK = 88,
    /// Message too long.
    EMSGSIZE = 90,
    /// Not supported.
    EOPNOTSUPP = 95,
    /// In use.
    EADDRINUSE = 98,
    /// Address not available.
    EADDRNOTAVAIL = 99,
    /// No buffer space.
    ENOBUFS = 105,
    /// Connected already.
    EISCONN = 106,
    /// Not connected.
    ENOTCONN = 107,
    /// Timed out.
    ETIMEDOUT = 110,
    /// Connection refused.
    ECONNREFUSED = 111,
}

impl Errno {
    /// The number a hypercall answers with: the errno's negative.
    pub const fn answer(self) -> i64 {
        -(self as i32 as i64)
    }
}
