//! `io/console.h`: the ring between a guest's console and its backend.

/// This header's numbers are in `xen.h`.
pub const CONSTANTS: &[crate::layout::Constant] = &[];

structures! {
    /// The console page. An index runs on without bound; its low bits are the place in the ring.
    struct XenconsInterface = "struct xencons_interface" {
        /// To the guest.
        input: [u8; 1024] = "in",
        /// From the guest.
        out: [u8; 2048],
        /// Bytes the guest has taken.
        in_cons: u32,
        /// Bytes the backend has put.
        in_prod: u32,
        /// Bytes the backend has taken.
        out_cons: u32,
        /// Bytes the guest has put.
        out_prod: u32,
    }
}
