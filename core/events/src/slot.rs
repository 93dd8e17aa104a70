//! Where a port's state lives: one atomic word, read without a lock, changed under the lock bit in it.

use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use shared_page::RelaxStrategy;
use vocabulary::{DomainId, Port, VcpuId};

use crate::channel::{Binding, Channel, Consumer};
use crate::number::DEFAULT_PRIORITY;

/// The lock bit. The rest of the word is [`pack`]'s.
const LOCKED: u64 = 1;
const KIND_SHIFT: u32 = 1;
const DEFERRED_SHIFT: u32 = 4;
const CONSUMER_SHIFT: u32 = 5;
const PRIORITY_SHIFT: u32 = 8;
const VCPU_SHIFT: u32 = 12;
const OPERAND_SHIFT: u32 = 25;
const DOMAIN_SHIFT: u32 = 42;

/// vCPU numbers a word can hold.
pub(crate) const VCPU_LIMIT: u32 = 1 << (OPERAND_SHIFT - VCPU_SHIFT);
/// Port and interrupt numbers a word can hold.
pub(crate) const OPERAND_LIMIT: u32 = 1 << (DOMAIN_SHIFT - OPERAND_SHIFT);

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
    pub fn peek(&self) -> Channel {
        unpack(self.word.load(Ordering::Acquire))
    }

    /// Locks the port; `R` says how to wait. The holder must not wait for anything that another holder could hold back.
    #[inline]
    pub fn lock<R: RelaxStrategy>(&self) -> Locked<'_> {
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
                return Locked {
                    slot: self,
                    channel: unpack(word),
                };
            }
            R::relax();
        }
    }
}

/// A locked port. Dropping it publishes the channel and unlocks.
pub(crate) struct Locked<'s> {
    slot: &'s Slot,
    channel: Channel,
}

impl Locked<'_> {
    /// The queue the port was last put on.
    pub fn last_queue(&self) -> Option<QueueId> {
        let number = self.slot.queue.load(Ordering::Relaxed).checked_sub(1)?;
        Some(QueueId {
            vcpu: VcpuId(number >> 4),
            priority: (number & 15) as u8,
        })
    }

    /// Notes the queue the port was put on.
    pub fn set_last_queue(&self, queue: QueueId) {
        let number = (queue.vcpu.0 << 4) | u32::from(queue.priority & 15);
        self.slot
            .queue
            .store(number.wrapping_add(1), Ordering::Relaxed);
    }

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
        self.slot.word.store(pack(&self.channel), Ordering::Release);
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

/// The word of a channel, lock bit clear. Callers keep numbers below the limits above.
fn pack(channel: &Channel) -> u64 {
    let (kind, operand, domain) = match channel.binding {
        Binding::Free => (0, 0, 0),
        Binding::Reserved => (1, 0, 0),
        Binding::Unbound { remote } => (2, 0, remote.0),
        Binding::Interdomain { remote, port } => (3, port.0, remote.0),
        Binding::Pirq(number) => (4, number, 0),
        Binding::Virq(number) => (5, number, 0),
        Binding::Ipi => (6, 0, 0),
    };
    let consumer = match channel.consumer {
        Consumer::Guest => 0,
        Consumer::Hypervisor(number) => number & 7,
    };
    (kind << KIND_SHIFT)
        | (u64::from(channel.deferred) << DEFERRED_SHIFT)
        | (u64::from(consumer) << CONSUMER_SHIFT)
        // Stored as the distance from the default, so that the word of a free port is 0.
        | (u64::from((channel.priority ^ DEFAULT_PRIORITY) & 15) << PRIORITY_SHIFT)
        | (u64::from(channel.vcpu.0 & (VCPU_LIMIT - 1)) << VCPU_SHIFT)
        | (u64::from(operand & (OPERAND_LIMIT - 1)) << OPERAND_SHIFT)
        | (u64::from(domain) << DOMAIN_SHIFT)
}

/// The channel of a word.
fn unpack(word: u64) -> Channel {
    let field = |shift: u32, limit: u32| ((word >> shift) as u32) & (limit - 1);
    let operand = field(OPERAND_SHIFT, OPERAND_LIMIT);
    let remote = DomainId((word >> DOMAIN_SHIFT) as u16);
    let binding = match field(KIND_SHIFT, 8) {
        0 => Binding::Free,
        2 => Binding::Unbound { remote },
        3 => Binding::Interdomain {
            remote,
            port: Port(operand),
        },
        4 => Binding::Pirq(operand),
        5 => Binding::Virq(operand),
        6 => Binding::Ipi,
        _ => Binding::Reserved,
    };
    let consumer = match field(CONSUMER_SHIFT, 8) {
        0 => Consumer::Guest,
        number => Consumer::Hypervisor(number as u8),
    };
    Channel {
        binding,
        vcpu: VcpuId(field(VCPU_SHIFT, VCPU_LIMIT)),
        priority: field(PRIORITY_SHIFT, 16) as u8 ^ DEFAULT_PRIORITY,
        consumer,
        deferred: field(DEFERRED_SHIFT, 2) == 1,
    }
}
