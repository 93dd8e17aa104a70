//! The table: storage that grows on demand, port allocation, and what may be asked about a port.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use spin::mutex::{SpinMutex, SpinMutexGuard};
use spin::once::Once;
use spin::rwlock::RwLock;
use vocabulary::{refuse, DomainId, Errno, Port, Refusal, Refused, VcpuId};

use crate::channel::{Binding, Channel, Consumer};
use crate::fifo::{self, Queues};
use crate::number::{FIFO_PORTS, TWO_LEVEL_PORTS, VIRQS, WORDS_PER_PAGE};
use crate::poll::Pollers;
use crate::shared::SharedInfo;
use crate::slot::{Locked, Slot};
use crate::two_level;
use crate::word::VCPU_LIMIT;
use crate::SharedPage;

/// Ports that storage grows by: 4 KiB of slots.
pub(crate) const BUCKET: u32 = 256;
/// Freed ports that one allocation looks at and finds still queued in the guest, before it gives up.
const BUSY_PROBES: u32 = 1024;

/// Slots of 256 ports, once they are there.
type Bucket<R> = Once<Box<[Slot]>, R>;

/// A domain's event channels.
///
/// `P` is the hypervisor's guard of a guest page in use by the FIFO ABI, and says how to wait for a lock.
pub struct EventTable<P: SharedPage> {
    domain: DomainId,
    /// Ports the domain's configuration allows, port 0 included.
    allowed: u32,
    fifo: AtomicBool,
    buckets: Box<[Bucket<P::Relax>]>,
    /// Pages of the FIFO event array, in order.
    pub(crate) pages: Box<[RwLock<Option<P>, P::Relax>]>,
    pub(crate) vcpus: Box<[VcpuEvents<P>]>,
    pub(crate) pollers: Pollers,
    pub(crate) control: SpinMutex<Control, P::Relax>,
}

/// What a vCPU has of its own; a cache line to itself, as senders on many processors lock it.
#[repr(align(64))]
pub(crate) struct VcpuEvents<P: SharedPage> {
    pub queues: SpinMutex<Queues<P>, P::Relax>,
    /// The port each virtual interrupt is bound to, 0 for none. Global ones use vCPU 0's.
    pub virqs: [AtomicU32; VIRQS],
}

/// What only binding, closing and set-up touch.
pub(crate) struct Control {
    /// A bit for each port with storage: set while it is not free.
    used: Vec<u64>,
    /// The port each physical interrupt is bound to, 0 for none.
    pub pirqs: Vec<u32>,
    /// Pages of the event array that are in place.
    pub array_pages: u32,
    /// The FIFO ABI is being taken down: nothing of it may be set up.
    pub retiring: bool,
    sealed: bool,
}

/// `count` values in a box, or `ENOMEM`.
pub(crate) fn try_boxed<T>(count: u32, make: impl FnMut() -> T) -> Refused<Box<[T]>> {
    let mut values = Vec::new();
    if values.try_reserve_exact(count as usize).is_err() {
        return refuse(Errno::ENOMEM, "no memory for event channels");
    }
    values.extend(core::iter::repeat_with(make).take(count as usize));
    Ok(values.into_boxed_slice())
}

impl<P: SharedPage> EventTable<P> {
    /// The table of `domain`, which has `vcpus` vCPUs (all of them that it may ever have) and may use port
    /// numbers up to `max_port` (`max_evtchn_port`; `u32::MAX` for no limit but the ABI's).
    ///
    /// # Errors
    /// `ENOMEM`; `EINVAL` for more than 8192 vCPUs.
    pub fn new(domain: DomainId, vcpus: u32, max_port: u32) -> Refused<Self> {
        if vcpus > VCPU_LIMIT {
            return refuse(Errno::EINVAL, "too many vCPUs for event channels");
        }
        let allowed = max_port.saturating_add(1).min(FIFO_PORTS);
        let table = Self {
            domain,
            allowed,
            fifo: AtomicBool::new(false),
            buckets: try_boxed(allowed.div_ceil(BUCKET), Once::new)?,
            pages: try_boxed(allowed.div_ceil(WORDS_PER_PAGE), || RwLock::new(None))?,
            vcpus: try_boxed(vcpus, VcpuEvents::new)?,
            pollers: Pollers::new(vcpus)?,
            control: SpinMutex::new(Control::new()),
        };
        let mut control = table.control();
        table.grow(&mut control)?;
        control.mark(Port(0), true);
        if let Some(slot) = table.slot(Port(0)) {
            slot.lock::<P::Relax>().binding = Binding::Reserved;
        }
        drop(control);
        Ok(table)
    }

    /// The domain it belongs to.
    pub fn domain(&self) -> DomainId {
        self.domain
    }

    /// Whether the FIFO ABI is in use.
    #[inline]
    pub fn is_fifo(&self) -> bool {
        self.fifo.load(Ordering::Acquire)
    }

    /// Chooses the ABI. Under the control lock.
    pub(crate) fn set_fifo(&self, fifo: bool) {
        self.fifo.store(fifo, Ordering::Release);
    }

    /// First port number that cannot be in use: the smaller of the ABI's limit and the configuration's.
    pub fn port_limit(&self) -> u32 {
        let abi = if self.is_fifo() {
            FIFO_PORTS
        } else {
            TWO_LEVEL_PORTS
        };
        abi.min(self.allowed)
    }

    /// The port's state, or nothing if it never was in use. A snapshot: it may have changed since.
    pub fn channel(&self, port: Port) -> Option<Channel> {
        Some(self.slot(port)?.peek().channel())
    }

    /// `EVTCHNOP_status`: the port's state. A free or reserved port is "closed".
    ///
    /// # Errors
    /// `EINVAL`: no such port. `EACCES`: the hypervisor's own end of a channel.
    pub fn status(&self, port: Port) -> Refused<Channel> {
        let channel = self.existing(port)?.peek().channel();
        match channel.consumer {
            Consumer::Guest => Ok(channel),
            Consumer::Hypervisor(_) => refuse(Errno::EACCES, "the port is the hypervisor's own"),
        }
    }

    /// Whether the event is pending and whether it is masked, for a debug dump.
    pub fn pending_and_masked(&self, info: &impl SharedInfo, port: Port) -> (bool, bool) {
        if self.is_fifo() {
            match self.event_word(port).map(|word| word.load()) {
                Some(word) => (word & fifo::PENDING != 0, word & fifo::MASKED != 0),
                None => (self.channel(port).is_some_and(|now| now.deferred), false),
            }
        } else {
            (
                two_level::is_pending(info, port),
                two_level::is_masked(info, port),
            )
        }
    }

    /// The first port at or after `from` that is in use, the reserved port 0 apart: for closing all,
    /// piece by piece, and for a debug dump.
    pub fn next_open(&self, from: Port) -> Option<Port> {
        let control = self.control();
        let first = from.0.max(1);
        let mut index = first / 64;
        let mut bits = control.used.get(index as usize)? & (u64::MAX << (first % 64));
        while bits == 0 {
            index += 1;
            bits = *control.used.get(index as usize)?;
        }
        Some(Port(index * 64 + bits.trailing_zeros()))
    }

    /// Refuses new ports from now on (`EINVAL`): the domain dies. Closing still works.
    pub fn seal(&self) {
        self.control().sealed = true;
    }

    pub(crate) fn control(&self) -> SpinMutexGuard<'_, Control> {
        self.control.lock()
    }

    /// The slot of a port that has storage.
    #[inline]
    pub(crate) fn slot(&self, port: Port) -> Option<&Slot> {
        let bucket = self.buckets.get((port.0 / BUCKET) as usize)?.get()?;
        bucket.get((port.0 % BUCKET) as usize)
    }

    /// The slot of a port that a guest named.
    #[inline]
    pub(crate) fn existing(&self, port: Port) -> Refused<&Slot> {
        self.slot(port)
            .ok_or(Refusal::new(Errno::EINVAL, "no such port"))
    }

    /// Fails unless the vCPU exists.
    pub(crate) fn vcpu(&self, vcpu: VcpuId) -> Refused<&VcpuEvents<P>> {
        self.vcpus
            .get(vcpu.0 as usize)
            .ok_or(Refusal::new(Errno::ENOENT, "no such vCPU"))
    }

    /// Whether the event is pending. With the port locked, or where a stale answer does no harm.
    pub(crate) fn is_pending(&self, info: &impl SharedInfo, port: Port) -> bool {
        self.pending_and_masked(info, port).0
    }

    /// Takes the lowest free port into use as `channel`.
    ///
    /// # Errors
    /// `ENOSPC`: all in use. `ENOMEM`. `EINVAL`: the domain dies.
    pub(crate) fn allocate(&self, control: &mut Control, channel: Channel) -> Refused<Port> {
        if control.sealed {
            return refuse(Errno::EINVAL, "the domain is dying");
        }
        if control.retiring {
            return refuse(Errno::EBUSY, "event channels are being reset");
        }
        let port = self.find_free(control)?;
        control.mark(port, true);
        let mut locked = self.existing(port)?.lock::<P::Relax>();
        *locked = channel;
        Ok(port)
    }

    /// Puts a locked port out of use: not pending, nothing bound.
    pub(crate) fn release(
        &self,
        control: &mut Control,
        info: &impl SharedInfo,
        port: Port,
        mut locked: Locked<'_>,
    ) {
        locked.clear();
        if self.is_fifo() {
            self.fifo_clear(port);
        } else {
            two_level::clear(info, port);
        }
        control.mark(port, false);
    }

    fn find_free(&self, control: &mut Control) -> Refused<Port> {
        let mut from = 1;
        let mut probes = 0;
        loop {
            let port = control.first_free(from);
            if port.0 >= self.port_limit() {
                return refuse(
                    Errno::ENOSPC,
                    "every event channel the domain may have is in use",
                );
            }
            if self.slot(port).is_none() {
                self.grow(control)?;
            }
            // A freed port may still sit on one of the guest's queues: reusing it would mix two events.
            if !self.is_queued(port) {
                return Ok(port);
            }
            probes += 1;
            if probes >= BUSY_PROBES {
                return refuse(
                    Errno::ENOSPC,
                    "freed event channels are still on the guest's queues",
                );
            }
            from = port.0 + 1;
        }
    }

    /// Takes the memory for so many ports now, rather than as they are used: what is used once stays. ENOMEM, and ENOSPC beyond
    /// what the domain may have.
    pub fn prepare(&self, ports: u32) -> Refused<()> {
        let mut control = self.control.lock();
        while control.used.len() * 64 < ports as usize {
            self.grow(&mut control)?;
        }
        Ok(())
    }

    /// Adds a bucket of free ports.
    fn grow(&self, control: &mut Control) -> Refused<()> {
        let words = (BUCKET / 64) as usize;
        let index = control.used.len() / words;
        let Some(bucket) = self.buckets.get(index) else {
            return refuse(
                Errno::ENOSPC,
                "every event channel the domain may have is in use",
            );
        };
        if control.used.try_reserve(words).is_err() {
            return refuse(Errno::ENOMEM, "no memory for event channels");
        }
        bucket.try_call_once(|| try_boxed(BUCKET, Slot::free))?;
        control.used.extend(core::iter::repeat_n(0, words));
        Ok(())
    }
}

impl<P: SharedPage> VcpuEvents<P> {
    fn new() -> Self {
        Self {
            queues: SpinMutex::new(Queues::new()),
            virqs: [const { AtomicU32::new(0) }; VIRQS],
        }
    }
}

impl Control {
    const fn new() -> Self {
        Self {
            used: Vec::new(),
            pirqs: Vec::new(),
            array_pages: 0,
            retiring: false,
            sealed: false,
        }
    }

    /// Notes that a port with storage is in use, or is not.
    fn mark(&mut self, port: Port, in_use: bool) {
        if let Some(word) = self.used.get_mut((port.0 / 64) as usize) {
            let bit = 1 << (port.0 % 64);
            *word = if in_use { *word | bit } else { *word & !bit };
        }
    }

    /// The lowest free port at or after `from`; one past the storage if there is none in it.
    fn first_free(&self, from: u32) -> Port {
        let first = (from / 64) as usize;
        for (index, word) in self.used.iter().enumerate().skip(first) {
            let below = if index == first {
                (1 << (from % 64)) - 1
            } else {
                0
            };
            let free = !(word | below);
            if free != 0 {
                return Port(index as u32 * 64 + free.trailing_zeros());
            }
        }
        Port((self.used.len() as u32 * 64).max(from))
    }

    /// Ports that have storage, and that none in use lies above.
    pub fn ports_with_storage(&self) -> u32 {
        self.used.len() as u32 * 64
    }

    /// Whether only port 0 is in use.
    pub fn is_empty(&self) -> bool {
        self.used
            .iter()
            .enumerate()
            .all(|(index, word)| *word == u64::from(index == 0))
    }
}
