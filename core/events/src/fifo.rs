//! The FIFO ABI: an event word a port in guest pages, and sixteen queues a vCPU, linked through the words.
//!
//! A queue's head is in the guest's control block, its tail is ours. The guest takes from the head and
//! clears `LINKED` and the link of what it took; we append by writing the tail's link, which works only
//! while the tail is still linked: else the queue ran empty, and the new event becomes its head. The guest
//! can write anything into a word at any time. That may lose its own events; it cannot make us loop
//! (retries are counted), nor touch anything but event words and control blocks of that same domain
//! (the port numbers we follow are our own tails, never a link read from the guest).

use core::ops::Range;

use spin::mutex::SpinMutexGuard;
use spin::rwlock::RwLockReadGuard;
use vocabulary::{refuse, Errno, Port, Refused, VcpuId};
use xen_abi::event_channel as abi;

use crate::effects::Effects;
use crate::number::{CONTROL_BLOCK_BYTES, LINK_BITS, PRIORITIES, WORDS_PER_PAGE};
use crate::shared::SharedInfo;
use crate::slot::{LockedWord, QueueId};
use crate::table::EventTable;
use crate::two_level::{self, Raised};
use crate::SharedPage;

/// The event happened and was not consumed.
pub(crate) const PENDING: u32 = 1 << abi::EVTCHN_FIFO_PENDING;
/// The guest does not want to be told.
pub(crate) const MASKED: u32 = 1 << abi::EVTCHN_FIFO_MASKED;
/// The event is on a queue.
pub(crate) const LINKED: u32 = 1 << abi::EVTCHN_FIFO_LINKED;
/// The link is about to change: a guest that sees it waits.
pub(crate) const BUSY: u32 = 1 << abi::EVTCHN_FIFO_BUSY;
/// The next port on the queue.
pub(crate) const LINK: u32 = (1 << LINK_BITS) - 1;

/// Attempts at changing a word before asking the guest to keep still, and again after asking.
const ATTEMPTS: u32 = 16;
/// Offset of the queue heads in a control block.
const HEADS: usize = 8;

/// A vCPU's queues, our half.
pub(crate) struct Queues<P> {
    control: Option<ControlBlock<P>>,
    /// The last port put on each queue, 0 for none.
    tails: [u32; PRIORITIES],
}

/// Where a vCPU's control block lies.
struct ControlBlock<P> {
    page: P,
    offset: usize,
}

/// New room in the event array.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "events raised before must be raised again"]
pub struct Expanded {
    /// The ports the new page has words for.
    pub ports: Range<u32>,
}

/// An event word, its page held in place.
pub(crate) struct EventWord<'t, P> {
    page: RwLockReadGuard<'t, Option<P>>,
    offset: usize,
}

impl<P: SharedPage> EventWord<'_, P> {
    /// Reads the word.
    pub fn load(&self) -> u32 {
        self.page.as_ref().map_or(0, |page| page.load(self.offset))
    }

    fn fetch_or(&self, bits: u32) -> u32 {
        self.page
            .as_ref()
            .map_or(0, |page| page.fetch_or(self.offset, bits))
    }

    fn fetch_and(&self, bits: u32) -> u32 {
        self.page
            .as_ref()
            .map_or(0, |page| page.fetch_and(self.offset, bits))
    }

    fn compare_exchange(&self, current: u32, new: u32) -> Result<u32, u32> {
        match self.page.as_ref() {
            Some(page) => page.compare_exchange(self.offset, current, new),
            None => Err(0),
        }
    }
}

/// How appending to a tail ended.
enum Append {
    /// The tail links to the new event.
    Linked,
    /// The guest took the tail: the queue is empty.
    Empty,
    /// The guest kept changing the word although asked not to.
    Broken,
}

impl<P> Queues<P> {
    pub const fn new() -> Self {
        Self {
            control: None,
            tails: [0; PRIORITIES],
        }
    }

    fn tail(&mut self, priority: u8) -> Option<&mut u32> {
        self.tails.get_mut(usize::from(priority))
    }
}

impl<P: SharedPage> ControlBlock<P> {
    fn set_head(&self, priority: u8, port: Port) {
        let offset = self.offset + HEADS + 4 * usize::from(priority);
        self.page.store(offset, port.0);
    }

    /// Marks a queue ready; whether that was news.
    fn set_ready(&self, priority: u8) -> bool {
        let bit = 1 << priority;
        self.page.fetch_or(self.offset, bit) & bit == 0
    }
}

impl<P: SharedPage> EventTable<P> {
    /// The event word of a port, if the array reaches it.
    pub(crate) fn event_word(&self, port: Port) -> Option<EventWord<'_, P>> {
        let page = self.pages.get((port.0 / WORDS_PER_PAGE) as usize)?.read();
        page.is_some().then_some(EventWord {
            page,
            offset: 4 * (port.0 % WORDS_PER_PAGE) as usize,
        })
    }

    /// Whether a port is on a queue of the guest.
    pub(crate) fn is_queued(&self, port: Port) -> bool {
        self.is_fifo()
            && self
                .event_word(port)
                .is_some_and(|word| word.load() & LINKED != 0)
    }

    /// Makes the event not pending. It stays on its queue; the guest finds nothing to do there.
    pub(crate) fn fifo_clear(&self, port: Port) {
        if let Some(word) = self.event_word(port) {
            word.fetch_and(!PENDING);
        }
    }

    /// Makes the event of a locked port pending. Apart, so that the other ABI's way stays short.
    #[inline(never)]
    pub(crate) fn fifo_raise(
        &self,
        info: &impl SharedInfo,
        port: Port,
        locked: &mut LockedWord<'_>,
    ) -> Raised {
        let Some(word) = self.event_word(port) else {
            locked.word.set_deferred(true);
            return Raised::default();
        };
        let before = word.fetch_or(PENDING);
        let mut raised = Raised::default();
        if before & (MASKED | LINKED) == 0 {
            raised = self.enqueue(info, port, locked, &word);
        }
        raised.newly = before & PENDING == 0;
        raised
    }

    /// Clears the mask of a locked port and queues its event if it is pending.
    pub(crate) fn fifo_unmask(
        &self,
        info: &impl SharedInfo,
        port: Port,
        locked: &mut LockedWord<'_>,
    ) -> Raised {
        let Some(word) = self.event_word(port) else {
            return Raised::default();
        };
        let before = word.fetch_and(!MASKED);
        if before & PENDING == 0 || before & LINKED != 0 {
            return Raised::default();
        }
        self.enqueue(info, port, locked, &word)
    }

    /// Puts a locked port's event at the end of its queue.
    fn enqueue(
        &self,
        info: &impl SharedInfo,
        port: Port,
        locked: &LockedWord<'_>,
        word: &EventWord<'_, P>,
    ) -> Raised {
        let queue = QueueId {
            vcpu: locked.word.vcpu(),
            priority: locked.word.priority(),
        };
        let last = locked.last_queue().unwrap_or(queue);
        let Some((mut queues, mut other)) = self.lock_queues(queue.vcpu, last.vcpu) else {
            return Raised::default();
        };
        // Without a control block the event stays pending and off every queue, as the interface says.
        if queues.control.is_none() || word.fetch_or(LINKED) & LINKED != 0 {
            return Raised::default();
        }
        // The guest took this event off `last`. If it was the tail there, that queue has no tail now:
        // appending to this word would extend the queue it goes to next.
        let last_tail = match &mut other {
            Some(other) => other.tail(last.priority),
            None => queues.tail(last.priority),
        };
        if let Some(tail) = last_tail.filter(|tail| **tail == port.0) {
            *tail = 0;
        }
        drop(other);
        locked.set_last_queue(queue);
        let tail = queues
            .tail(queue.priority)
            .map_or(0, |tail| core::mem::replace(tail, port.0));
        match self.append(Port(tail), port) {
            Append::Linked => Raised::default(),
            Append::Broken => Raised {
                broken: Some("FIFO event word changed while BUSY"),
                ..Raised::default()
            },
            Append::Empty => {
                let news = queues.control.as_ref().is_some_and(|control| {
                    control.set_head(queue.priority, port);
                    control.set_ready(queue.priority)
                });
                let upcall = news && !info.set_upcall_pending(queue.vcpu);
                Raised {
                    upcall,
                    ..Raised::default()
                }
            }
        }
    }

    /// Locks one or two vCPUs' queues, the lower number first; answers the first argument's first.
    #[allow(clippy::type_complexity, reason = "two guards of one kind")]
    fn lock_queues(
        &self,
        wanted: VcpuId,
        other: VcpuId,
    ) -> Option<(
        SpinMutexGuard<'_, Queues<P>>,
        Option<SpinMutexGuard<'_, Queues<P>>>,
    )> {
        let first = &self.vcpus.get(wanted.0 as usize)?.queues;
        if wanted == other {
            return Some((first.lock(), None));
        }
        let second = &self.vcpus.get(other.0 as usize)?.queues;
        if wanted < other {
            let guard = first.lock();
            return Some((guard, Some(second.lock())));
        }
        let guard = second.lock();
        Some((first.lock(), Some(guard)))
    }

    /// Links `port` behind `tail`, under the lock of `tail`'s queue.
    fn append(&self, tail: Port, port: Port) -> Append {
        if tail.0 == 0 {
            return Append::Empty;
        }
        let Some(word) = self.event_word(tail) else {
            return Append::Empty;
        };
        for attempt in 0..2 * ATTEMPTS {
            if attempt == ATTEMPTS {
                // A guest that sees BUSY waits before it changes more than it must.
                word.fetch_or(BUSY);
            }
            let now = word.load();
            if now & LINKED == 0 {
                word.fetch_and(!BUSY);
                return Append::Empty;
            }
            let linked = (now & !(BUSY | LINK)) | (port.0 & LINK);
            if word.compare_exchange(now, linked).is_ok() {
                return Append::Linked;
            }
        }
        word.fetch_and(!BUSY);
        Append::Broken
    }
}

/// Setting the ABI up and taking it down.
impl<P: SharedPage> EventTable<P> {
    /// What `init_control` checks before it looks at the page: ask it before mapping the page.
    ///
    /// # Errors
    /// `ENOENT`: no such vCPU. `EINVAL`: the block crosses the page's end or is not aligned to 8 bytes.
    pub fn check_control(&self, vcpu: VcpuId, offset: u32) -> Refused<()> {
        self.vcpu(vcpu)?;
        if offset as usize > 4096 - CONTROL_BLOCK_BYTES {
            return refuse(
                Errno::EINVAL,
                "a FIFO control block crosses the end of its page",
            );
        }
        if offset % 8 != 0 {
            return refuse(
                Errno::EINVAL,
                "a FIFO control block is not aligned to 8 bytes",
            );
        }
        Ok(())
    }

    /// `EVTCHNOP_init_control`: the vCPU's control block is at `offset` of `page`. The first one switches
    /// the domain to the FIFO ABI; what was pending is raised again once the array reaches it. Answers
    /// `link_bits`.
    ///
    /// # Errors
    /// As [`Self::check_control`]; `EINVAL`: the vCPU has one; `EBUSY`: a reset is under way.
    pub fn init_control(
        &self,
        info: &impl SharedInfo,
        vcpu: VcpuId,
        page: P,
        offset: u32,
    ) -> Refused<u8> {
        self.check_control(vcpu, offset)?;
        let control = self.control();
        if control.retiring {
            return refuse(Errno::EBUSY, "event channels are being reset");
        }
        let mut queues = self.vcpu(vcpu)?.queues.lock();
        if queues.control.is_some() {
            return refuse(Errno::EINVAL, "the vCPU has a FIFO control block");
        }
        queues.control = Some(ControlBlock {
            page,
            offset: offset as usize,
        });
        queues.tails = [0; PRIORITIES];
        drop(queues);
        if !self.is_fifo() {
            self.set_fifo(true);
            // A sender that still saw the two-level ABI did so under its port's lock: either it is done and
            // its bit is found here, or it locks after this and sees the new ABI.
            for port in (1..control.ports_with_storage()).map(Port) {
                if let Some(slot) = self.slot(port) {
                    let mut locked = slot.lock::<P::Relax>();
                    locked.deferred |= two_level::is_pending(info, port);
                }
            }
        }
        Ok(LINK_BITS)
    }

    /// `EVTCHNOP_expand_array`: adds `page` to the event array. Then call [`Self::replay`] with what it answers.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: the FIFO ABI is not in use. `ENOSPC`: the array reaches every port the domain may
    /// have. `EBUSY`: a reset is under way.
    pub fn expand_array(&self, page: P) -> Refused<Expanded> {
        let mut control = self.control();
        if !self.is_fifo() {
            return refuse(Errno::EOPNOTSUPP, "the FIFO ABI is not in use");
        }
        if control.retiring {
            return refuse(Errno::EBUSY, "event channels are being reset");
        }
        let Some(place) = self.pages.get(control.array_pages as usize) else {
            return refuse(
                Errno::ENOSPC,
                "the event array reaches every port the domain may have",
            );
        };
        *place.write() = Some(page);
        let first = control.array_pages * WORDS_PER_PAGE;
        control.array_pages += 1;
        Ok(Expanded {
            ports: first..first + WORDS_PER_PAGE,
        })
    }

    /// Raises again what was raised before the array reached it: carry out the effects of each item.
    pub fn replay<'t>(
        &'t self,
        info: &'t impl SharedInfo,
        expanded: Expanded,
    ) -> impl Iterator<Item = Effects<'t>> + 't {
        expanded.ports.map(Port).filter_map(move |port| {
            let slot = self.slot(port)?;
            if !slot.peek().is_deferred() {
                return None;
            }
            let mut locked = slot.lock_word::<P::Relax>();
            let deferred = locked.word.is_deferred();
            locked.word.set_deferred(false);
            let vcpu = locked.word.vcpu();
            let raised = deferred.then(|| self.raise_locked(info, port, &mut locked));
            drop(locked);
            raised.map(|raised| self.effects(port, vcpu, raised))
        })
    }

    /// Back to the two-level ABI, after every port was closed: drops the control blocks and the array.
    ///
    /// # Errors
    /// `EBUSY`: another reset is under way. `EAGAIN`: a port is in use, because somebody opened it meanwhile.
    pub fn retire_fifo(&self) -> Refused<()> {
        let mut control = self.control();
        if control.retiring {
            return refuse(Errno::EBUSY, "event channels are being reset");
        }
        if !control.is_empty() {
            return refuse(Errno::EAGAIN, "event channels are in use");
        }
        if !self.is_fifo() {
            return Ok(());
        }
        control.retiring = true;
        // What ports remember of the queue they were last on stays: it says something only about a queue whose tail they
        // are, and no queue has a tail when it begins anew.
        // Locks are not held while a page guard drops: giving a frame back may take other locks.
        drop(control);
        for vcpu in &self.vcpus {
            let block = core::mem::replace(&mut *vcpu.queues.lock(), Queues::new());
            drop(block);
        }
        for place in &self.pages {
            let page = place.write().take();
            drop(page);
        }
        let mut control = self.control();
        self.set_fifo(false);
        control.array_pages = 0;
        control.retiring = false;
        Ok(())
    }
}
