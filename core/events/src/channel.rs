//! One port's state: what it is bound to and whom it tells, packed in a word.

use vocabulary::{DomainId, Port, VcpuId};

/// What a port is bound to: the port state machine's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Not in use.
    Free,
    /// Taken, not bound yet; or kept out of use for ever (port 0).
    Reserved,
    /// Waits for the named domain to bind to it.
    Unbound {
        /// Who may bind.
        remote: DomainId,
    },
    /// One end of a connection.
    Interdomain {
        /// The domain at the other end.
        remote: DomainId,
        /// The port at the other end.
        port: Port,
    },
    /// A physical interrupt, by its number in this domain.
    Pirq(u32),
    /// A virtual interrupt: one of the hypervisor's own sources (`VIRQ_*`).
    Virq(u32),
    /// A channel from the domain's vCPUs to one of them.
    Ipi,
}

/// Who acts on what arrives at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// The guest, through its pending bits.
    Guest,
    /// The hypervisor itself; the number (1 to 7) says which part of it.
    Hypervisor(u8),
}

/// A port as one consistent snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// What it is bound to.
    pub binding: Binding,
    /// The vCPU that is told.
    pub vcpu: VcpuId,
    /// FIFO priority, 0 (first) to 15.
    pub priority: u8,
    /// Who acts on it.
    pub consumer: Consumer,
    /// Raised while the FIFO array did not reach it yet: raised again when the array does.
    pub deferred: bool,
}
