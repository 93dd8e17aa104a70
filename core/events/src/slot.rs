//! Where a port's state lives: one atomic word, read without a lock, changed under the lock bit in it.

use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use shared_page::RelaxStrategy;
use vocabulary::VcpuId;

use crate::channel::{Binding, Channel, Consumer};
use crate::number::DEFAULT_PRIORITY;
use crate::word::{Word, LOCKED};

/// A FIFO queue: one priority of one vCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueId {
    pub vcpu: VcpuId,
    pub priority: u8,
}

/// One port.
pub(crate) struct Slot {
    word: AtomicU64,
    /// The queue the port was last put on, plus one as a number; 0 is none. Touched under the lock bit only.
    queue: AtomicU32,
}

impl Slot {
    /// A port not in use.
    pub const fn free() -> Self {
        Self {
            word: AtomicU64::new(0),
            queue: AtomicU32::new(0),
        }
    }

    /// The port as it is now, or was a moment ago.
    #[inline]
    pub fn peek(&self) -> Word {
        Word(self.word.load(Ordering::Acquire) & !LOCKED)
    }

    /// Locks the port to raise its event; `R` says how to wait. The holder must not wait for anything that another
    /// holder could hold back.
    #[inline]
    pub fn lock_word<R: RelaxStrategy>(&self) -> LockedWord<'_> {
        loop {
            let word = self.word.load(Ordering::Relaxed);
            if word & LOCKED == 0
                && self
                    .word
                    .compare_exchange_weak(
                        word,
                        word | LOCKED,
                        Ordering::Acquire,
                        Ordering::Relaxed,
                    )
                    .is_ok()
            {
                return LockedWord {
                    slot: self,
                    word: Word(word),
                };
            }
            R::relax();
        }
    }

    /// Locks the port to change it, as [`lock_word`](Self::lock_word) does.
    pub fn lock<R: RelaxStrategy>(&self) -> Locked<'_> {
        let locked = self.lock_word::<R>();
        Locked {
            channel: locked.word.channel(),
            locked,
        }
    }
}

/// A locked port of which nothing changes but what raising an event does. Dropping it unlocks.
pub(crate) struct LockedWord<'s> {
    slot: &'s Slot,
    /// Its state.
    pub word: Word,
}

impl LockedWord<'_> {
    /// The queue the port was last put on.
    #[inline]
    pub fn last_queue(&self) -> Option<QueueId> {
        let number = self.slot.queue.load(Ordering::Relaxed).checked_sub(1)?;
        Some(QueueId {
            vcpu: VcpuId(number >> 4),
            priority: (number & 15) as u8,
        })
    }

    /// Notes the queue the port was put on.
    #[inline]
    pub fn set_last_queue(&self, queue: QueueId) {
        let number = (queue.vcpu.0 << 4) | u32::from(queue.priority & 15);
        self.slot
            .queue
            .store(number.wrapping_add(1), Ordering::Relaxed);
    }
}

impl Drop for LockedWord<'_> {
    #[inline]
    fn drop(&mut self) {
        self.slot.word.store(self.word.0, Ordering::Release);
    }
}

/// A locked port. Dropping it publishes the channel and unlocks.
pub(crate) struct Locked<'s> {
    locked: LockedWord<'s>,
    channel: Channel,
}

impl Locked<'_> {
    /// Puts the port out of use: unbound, told to vCPU 0, default priority.
    pub fn clear(&mut self) {
        self.channel = Channel::bound(Binding::Free, VcpuId(0));
    }
}

impl Deref for Locked<'_> {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.channel
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Channel {
        &mut self.channel
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.locked.word = Word::of(&self.channel);
    }
}

impl Channel {
    /// A channel as it is when just bound: default priority, for the guest.
    pub(crate) const fn bound(binding: Binding, vcpu: VcpuId) -> Self {
        Self {
            binding,
            vcpu,
            priority: DEFAULT_PRIORITY,
            consumer: Consumer::Guest,
            deferred: false,
        }
    }
}
