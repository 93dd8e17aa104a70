//! A port's state as one word: what of it can be told without taking it apart, and the whole.

use vocabulary::{DomainId, Port, VcpuId};

use crate::channel::{Binding, Channel, Consumer};
use crate::number::DEFAULT_PRIORITY;

/// The lock bit of a slot's word; it is clear in a [`Word`].
pub(crate) const LOCKED: u64 = 1;
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
/// All that says what the port is bound to.
const BINDING: u64 = 7 << KIND_SHIFT | u64::MAX << OPERAND_SHIFT;
/// What says that the guest is the consumer, by being zero.
const CONSUMER: u64 = 7 << CONSUMER_SHIFT;
const DEFERRED: u64 = 1 << DEFERRED_SHIFT;

/// A port's state. Callers keep numbers below the limits above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub u64);

impl Word {
    /// The word of a channel.
    pub fn of(channel: &Channel) -> Self {
        let consumer = match channel.consumer {
            Consumer::Guest => 0,
            Consumer::Hypervisor(number) => number & 7,
        };
        Self(
            binding_bits(channel.binding)
                | (u64::from(channel.deferred) << DEFERRED_SHIFT)
                | (u64::from(consumer) << CONSUMER_SHIFT)
                // Stored as the distance from the default, so that the word of a free port is 0.
                | (u64::from((channel.priority ^ DEFAULT_PRIORITY) & 15) << PRIORITY_SHIFT)
                | (u64::from(channel.vcpu.0 & (VCPU_LIMIT - 1)) << VCPU_SHIFT),
        )
    }

    /// The channel of the word.
    #[inline]
    pub fn channel(self) -> Channel {
        Channel {
            binding: self.binding(),
            vcpu: self.vcpu(),
            priority: self.priority(),
            consumer: self.consumer(),
            deferred: self.is_deferred(),
        }
    }

    #[inline]
    fn field(self, shift: u32, limit: u32) -> u32 {
        ((self.0 >> shift) as u32) & (limit - 1)
    }

    /// What the port is bound to.
    #[inline]
    pub fn binding(self) -> Binding {
        let operand = self.field(OPERAND_SHIFT, OPERAND_LIMIT);
        let remote = DomainId((self.0 >> DOMAIN_SHIFT) as u16);
        match self.field(KIND_SHIFT, 8) {
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
        }
    }

    /// Whether the port is bound to just this.
    #[inline]
    pub fn is_bound(self, binding: Binding) -> bool {
        self.is(Bound::to(binding))
    }

    /// Whether the port is bound so.
    #[inline]
    pub fn is(self, bound: Bound) -> bool {
        self.0 & BINDING == bound.0
    }

    /// The vCPU that is told.
    #[inline]
    pub fn vcpu(self) -> VcpuId {
        VcpuId(self.field(VCPU_SHIFT, VCPU_LIMIT))
    }

    /// The FIFO priority.
    #[inline]
    pub fn priority(self) -> u8 {
        self.field(PRIORITY_SHIFT, 16) as u8 ^ DEFAULT_PRIORITY
    }

    /// Who acts on the port.
    #[inline]
    pub fn consumer(self) -> Consumer {
        match self.field(CONSUMER_SHIFT, 8) {
            0 => Consumer::Guest,
            number => Consumer::Hypervisor(number as u8),
        }
    }

    /// Whether the guest acts on the port.
    #[inline]
    pub fn is_guests(self) -> bool {
        self.0 & CONSUMER == 0
    }

    /// Whether it was raised before the FIFO array reached it.
    #[inline]
    pub fn is_deferred(self) -> bool {
        self.0 & DEFERRED != 0
    }

    /// Notes whether it was.
    #[inline]
    pub fn set_deferred(&mut self, deferred: bool) {
        self.0 = self.0 & !DEFERRED | u64::from(deferred) << DEFERRED_SHIFT;
    }
}

/// A binding as ports have it in their words: made where its kind is known, compared elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound(u64);

impl Bound {
    /// Bound to this.
    #[inline]
    pub fn to(binding: Binding) -> Self {
        Self(binding_bits(binding))
    }
}

#[inline]
fn binding_bits(binding: Binding) -> u64 {
    let (kind, operand, domain) = match binding {
        Binding::Free => (0, 0, 0),
        Binding::Reserved => (1, 0, 0),
        Binding::Unbound { remote } => (2, 0, remote.0),
        Binding::Interdomain { remote, port } => (3, port.0, remote.0),
        Binding::Pirq(number) => (4, number, 0),
        Binding::Virq(number) => (5, number, 0),
        Binding::Ipi => (6, 0, 0),
    };
    (kind << KIND_SHIFT)
        | (u64::from(operand & (OPERAND_LIMIT - 1)) << OPERAND_SHIFT)
        | (u64::from(domain) << DOMAIN_SHIFT)
}
