//! Event channels: `vcpu_info`, the two-level bitmaps, and the operations on ports.

use crate::hypercall::{at, at_mut, event_channel_op};
use crate::pages::shared_info_address;
use crate::vcpu::area;
use core::sync::atomic::{AtomicU64, Ordering};

/// `struct vcpu_info` of public/xen.h; `mask` and `pending` gate the upcall.
#[repr(C)]
#[allow(missing_docs)]
pub struct VcpuInfo {
    pub pending: u8,
    pub mask: u8,
    pub pad: [u8; 6],
    pub pending_selector: u64,
    pub cr2: u64,
    pub arch_pad: u64,
    pub time: crate::time::VcpuTime,
}

/// The `vcpu_info` of the vCPU that asks.
pub fn vcpu_info() -> &'static mut VcpuInfo {
    unsafe { &mut *(area().info as *mut VcpuInfo) }
}

/// Operations of `event_channel_op` (public/event_channel.h).
#[allow(missing_docs)]
pub mod op {
    pub const BIND_INTERDOMAIN: u64 = 0;
    pub const BIND_VIRQ: u64 = 1;
    pub const BIND_PIRQ: u64 = 2;
    pub const CLOSE: u64 = 3;
    pub const SEND: u64 = 4;
    pub const STATUS: u64 = 5;
    pub const ALLOC_UNBOUND: u64 = 6;
    pub const BIND_IPI: u64 = 7;
    pub const BIND_VCPU: u64 = 8;
    pub const UNMASK: u64 = 9;
    pub const RESET: u64 = 10;
    pub const INIT_CONTROL: u64 = 11;
    pub const EXPAND_ARRAY: u64 = 12;
    pub const SET_PRIORITY: u64 = 13;
}

/// A word of `evtchn_pending`, which bits 64 ports each share.
pub fn pending_word(index: usize) -> &'static AtomicU64 {
    assert!(index < 64);
    unsafe { &*((shared_info_address() + 2048 + 8 * index as u64) as *const AtomicU64) }
}

/// A word of `evtchn_mask`.
pub fn mask_word(index: usize) -> &'static AtomicU64 {
    assert!(index < 64);
    unsafe { &*((shared_info_address() + 2560 + 8 * index as u64) as *const AtomicU64) }
}

/// Whether a port is pending in the two-level bitmap.
pub fn is_pending(port: u32) -> bool {
    pending_word(port as usize / 64).load(Ordering::SeqCst) >> (port % 64) & 1 == 1
}

/// Takes a port's pending bit away; gives what it was.
pub fn clear_pending(port: u32) -> bool {
    let bit = 1u64 << (port % 64);
    pending_word(port as usize / 64).fetch_and(!bit, Ordering::SeqCst) & bit != 0
}

/// Sets or clears a port's mask bit, without asking the hypervisor to look at it.
pub fn set_masked(port: u32, masked: bool) {
    let bit = 1u64 << (port % 64);
    let word = mask_word(port as usize / 64);
    if masked {
        word.fetch_or(bit, Ordering::SeqCst);
    } else {
        word.fetch_and(!bit, Ordering::SeqCst);
    }
}

/// Clears the vCPU's selector and its pending flag.
pub fn quiet() {
    let info = vcpu_info();
    info.pending = 0;
    info.pending_selector = 0;
}

/// `bind_ipi(vcpu)`: the port or an errno.
pub fn bind_ipi(vcpu: u32) -> Result<u32, i64> {
    let mut argument = [vcpu, 0];
    port_of(
        event_channel_op(op::BIND_IPI, at_mut(&mut argument)),
        argument[1],
    )
}

/// `bind_virq(virq, vcpu)`: the port or an errno.
pub fn bind_virq(virq: u32, vcpu: u32) -> Result<u32, i64> {
    let mut argument = [virq, vcpu, 0];
    port_of(
        event_channel_op(op::BIND_VIRQ, at_mut(&mut argument)),
        argument[2],
    )
}

/// `alloc_unbound(domain, remote)`: the port or an errno.
pub fn alloc_unbound(domain: u16, remote: u16) -> Result<u32, i64> {
    let mut argument = [domain as u32 | (remote as u32) << 16, 0];
    port_of(
        event_channel_op(op::ALLOC_UNBOUND, at_mut(&mut argument)),
        argument[1],
    )
}

/// `bind_interdomain(remote, remote port)`: the local port or an errno.
pub fn bind_interdomain(remote: u16, remote_port: u32) -> Result<u32, i64> {
    let mut argument = [remote as u32, remote_port, 0];
    port_of(
        event_channel_op(op::BIND_INTERDOMAIN, at_mut(&mut argument)),
        argument[2],
    )
}

fn port_of(result: i64, port: u32) -> Result<u32, i64> {
    if result == 0 {
        Ok(port)
    } else {
        Err(result)
    }
}

/// `send(port)`.
pub fn send(port: u32) -> i64 {
    event_channel_op(op::SEND, at(&port))
}

/// `close(port)`.
pub fn close(port: u32) -> i64 {
    event_channel_op(op::CLOSE, at(&port))
}

/// `unmask(port)`.
pub fn unmask(port: u32) -> i64 {
    event_channel_op(op::UNMASK, at(&port))
}

/// `bind_vcpu(port, vcpu)`.
pub fn bind_vcpu(port: u32, vcpu: u32) -> i64 {
    event_channel_op(op::BIND_VCPU, at(&[port, vcpu]))
}

/// `struct evtchn_status`: what a port is bound to.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
#[allow(missing_docs)]
pub struct Status {
    pub domain: u16,
    pub pad: u16,
    pub port: u32,
    /// 0 closed, 1 unbound, 2 interdomain, 3 pirq, 4 virq, 5 ipi.
    pub status: u32,
    pub vcpu: u32,
    pub detail: [u32; 2],
}

/// `status(port)` of the calling domain.
pub fn status(port: u32) -> Result<Status, i64> {
    let mut status = Status {
        domain: 0x7ff0,
        port,
        ..Status::default()
    };
    match event_channel_op(op::STATUS, at_mut(&mut status)) {
        0 => Ok(status),
        error => Err(error),
    }
}

/// Opens the upcall gate, lets the hypervisor deliver what is pending, closes it; gives how many
/// upcalls came.
pub fn let_upcalls_in() -> u64 {
    let before = area().upcalls;
    vcpu_info().mask = 0;
    crate::hypercall::xen_version(0, 0);
    vcpu_info().mask = 1;
    area().upcalls - before
}
