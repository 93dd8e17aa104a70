//! vCPUs that wait for events without taking upcalls (`SCHEDOP_poll`).

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use vocabulary::{refuse, Errno, Port, Refused, VcpuId};

use crate::number::POLL_PORTS;
use crate::shared::SharedInfo;
use crate::table::{try_boxed, EventTable};
use crate::SharedPage;

/// Not waiting.
const IDLE: u32 = 0;
/// Waiting for several ports: any event wakes.
const ANY: u32 = u32::MAX;

/// Whether a poll has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a waiting vCPU must block, a ready one must not"]
pub enum Polling {
    /// One of the ports is pending: answer 0 at once.
    Ready,
    /// None is: block the vCPU until a `WakePoller` effect, a timeout (then call `poll_end`) or an upcall.
    Wait,
}

/// Who polls in a domain.
pub(crate) struct Pollers {
    /// A bit for each vCPU that polls: what a send reads.
    mask: Box<[AtomicU64]>,
    /// For each vCPU: the port, [`ANY`], or [`IDLE`].
    ports: Box<[AtomicU32]>,
}

impl Pollers {
    /// Nobody, of `vcpus` vCPUs.
    pub fn new(vcpus: u32) -> Refused<Self> {
        Ok(Self {
            mask: try_boxed(vcpus.div_ceil(64), || AtomicU64::new(0))?,
            ports: try_boxed(vcpus, || AtomicU32::new(IDLE))?,
        })
    }

    /// Starts a vCPU's wait. Sequentially consistent with the sender's setting of pending bits: either the
    /// sender finds the poller, or the poller finds the bit.
    fn start(&self, vcpu: VcpuId, port: u32) {
        if let Some(slot) = self.ports.get(vcpu.0 as usize) {
            slot.store(port, Ordering::SeqCst);
        }
        if let Some(word) = self.mask.get(vcpu.0 as usize / 64) {
            word.fetch_or(1 << (vcpu.0 % 64), Ordering::SeqCst);
        }
    }

    /// Ends a vCPU's wait; whether it was waiting.
    fn end(&self, vcpu: VcpuId) -> bool {
        if let Some(word) = self.mask.get(vcpu.0 as usize / 64) {
            word.fetch_and(!(1 << (vcpu.0 % 64)), Ordering::SeqCst);
        }
        self.ports
            .get(vcpu.0 as usize)
            .is_some_and(|slot| slot.swap(IDLE, Ordering::SeqCst) != IDLE)
    }

    /// Whether the vCPU polls, as senders see it.
    #[inline]
    fn has(&self, vcpu: VcpuId) -> bool {
        self.mask
            .get(vcpu.0 as usize / 64)
            .is_some_and(|word| word.load(Ordering::SeqCst) >> (vcpu.0 % 64) & 1 != 0)
    }

    /// Whether anybody polls.
    #[inline]
    pub fn any(&self) -> bool {
        self.mask
            .iter()
            .any(|word| word.load(Ordering::SeqCst) != 0)
    }

    /// Ends the wait of one vCPU that polls for `port`, and says which, and whether it is the last. Each answer takes a
    /// poller away, so that asking until there is none ends. Whoever begins to poll meanwhile finds the event itself.
    #[inline]
    pub fn take(&self, port: Port) -> (Option<VcpuId>, bool) {
        for (index, word) in self.mask.iter().enumerate() {
            let mut bits = word.load(Ordering::SeqCst);
            while bits != 0 {
                let vcpu = VcpuId((index as u32) * 64 + bits.trailing_zeros());
                bits &= bits - 1;
                let waits = self
                    .ports
                    .get(vcpu.0 as usize)
                    .map_or(IDLE, |slot| slot.load(Ordering::SeqCst));
                if (waits == ANY || waits == port.0) && waits != IDLE && self.end(vcpu) {
                    let is_last = bits == 0 && index + 1 == self.mask.len();
                    return (Some(vcpu), is_last);
                }
            }
        }
        (None, true)
    }
}

impl<P: SharedPage> EventTable<P> {
    /// Begins `SCHEDOP_poll` of `vcpu` for `ports`. Masked ports count.
    ///
    /// # Errors
    /// `EINVAL`: a port that cannot exist, or more than 128 of them. The vCPU then does not wait.
    pub fn poll_begin(
        &self,
        info: &impl SharedInfo,
        vcpu: VcpuId,
        ports: &[Port],
    ) -> Refused<Polling> {
        if ports.len() > POLL_PORTS {
            return refuse(Errno::EINVAL, "a poll names at most 128 ports");
        }
        let wanted = match ports {
            [one] if one.0 != IDLE => one.0,
            _ => ANY,
        };
        self.pollers.start(vcpu, wanted);
        for &port in ports {
            if port.0 >= self.port_limit() {
                self.pollers.end(vcpu);
                return refuse(Errno::EINVAL, "a polled port cannot exist");
            }
            let pending = self.slot(port).is_some_and(|slot| {
                let _locked = slot.lock::<P::Relax>();
                self.is_pending(info, port)
            });
            if pending {
                self.pollers.end(vcpu);
                return Ok(Polling::Ready);
            }
        }
        Ok(Polling::Wait)
    }

    /// Whether the vCPU's poll stands where senders look.
    #[inline]
    pub(crate) fn polls(&self, vcpu: VcpuId) -> bool {
        self.pollers.has(vcpu)
    }

    /// Ends a poll that something else ended (timeout, upcall); whether it still was on.
    pub fn poll_end(&self, vcpu: VcpuId) -> bool {
        self.pollers.end(vcpu)
    }
}
