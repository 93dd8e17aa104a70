//! A queue of deadlines: one physical CPU's timers.

use alloc::vec::Vec;

use indexed_heap::{IndexedHeap, Places};
use vocabulary::{refuse, Errno, Nanos, Refused};

/// Names a registered timer for as long as it is registered; never taken for a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerHandle {
    index: u32,
    generation: u32,
}

/// A timer whose deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired<T> {
    /// Which; it stays registered and can be armed again.
    pub timer: TimerHandle,
    /// What it stands for.
    pub payload: T,
    /// When it was due, which a periodic timer counts on from.
    pub deadline: Nanos,
}

#[derive(Debug)]
struct Slot<T> {
    /// Odd while registered.
    generation: u32,
    place: Option<u32>,
    payload: Option<T>,
}

#[derive(Debug)]
struct Slots<T>(Vec<Slot<T>>);

impl<T> Places for Slots<T> {
    fn set_place(&mut self, id: u32, place: Option<u32>) {
        if let Some(slot) = self.0.get_mut(id as usize) {
            slot.place = place;
        }
    }
}

/// Timers, each registered once (which may allocate) and then armed and disarmed any number of times (which
/// never does). All operations are O(log armed) or better.
#[derive(Debug)]
pub struct TimerQueue<T> {
    slots: Slots<T>,
    free: Vec<u32>,
    heap: IndexedHeap<Nanos>,
}

impl<T: Copy> Default for TimerQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy> TimerQueue<T> {
    /// A queue without timers.
    pub const fn new() -> Self {
        Self {
            slots: Slots(Vec::new()),
            free: Vec::new(),
            heap: IndexedHeap::new(),
        }
    }

    /// Makes room for `total` timers, so that registering up to so many does not allocate. ENOMEM.
    pub fn reserve(&mut self, total: usize) -> Refused<()> {
        let more = total.saturating_sub(self.slots.0.len());
        let free = total.saturating_sub(self.free.len());
        if self.slots.0.try_reserve(more).is_err()
            || self.free.try_reserve(free).is_err()
            || !self.heap.reserve(total)
        {
            return refuse(Errno::ENOMEM, "no memory for another timer");
        }
        Ok(())
    }

    /// For how many timers there is room: so many can be registered before registering allocates.
    pub fn room(&self) -> usize {
        let kept = self.slots.0.capacity().min(self.free.capacity());
        kept.min(self.heap.room())
    }

    /// Registers a timer that stands for `payload`, unarmed. ENOMEM.
    pub fn register(&mut self, payload: T) -> Refused<TimerHandle> {
        if let Some(index) = self.free.pop() {
            if let Some(slot) = self.slots.0.get_mut(index as usize) {
                slot.generation = slot.generation.wrapping_add(1);
                slot.payload = Some(payload);
                return Ok(TimerHandle {
                    index,
                    generation: slot.generation,
                });
            }
        }
        let index = self.slots.0.len();
        // Doubling keeps the cost of many registrations linear.
        if index >= self.room() {
            self.reserve(index.saturating_mul(2).max(8))?;
        }
        let Ok(index) = u32::try_from(index) else {
            return refuse(Errno::ENOSPC, "there are too many timers");
        };
        self.slots.0.push(Slot {
            generation: 1,
            place: None,
            payload: Some(payload),
        });
        Ok(TimerHandle {
            index,
            generation: 1,
        })
    }

    /// Disarms and forgets a timer, and answers what it stood for; `None` when the handle is stale.
    pub fn unregister(&mut self, timer: TimerHandle) -> Option<T> {
        self.disarm(timer);
        let slot = self.slot_mut(timer)?;
        let payload = slot.payload.take();
        slot.generation = slot.generation.wrapping_add(1);
        // Room in the free list was reserved with the slot.
        self.free.push(timer.index);
        payload
    }

    /// Sets when the timer is due, in place of any earlier setting. True when it is now the earliest, so that
    /// the hardware timer must be set anew; false also for a stale handle.
    pub fn arm(&mut self, timer: TimerHandle, deadline: Nanos) -> bool {
        let Some(slot) = self.slot_mut(timer) else {
            return false;
        };
        match slot.place {
            Some(place) => self.heap.change_key(place, deadline, &mut self.slots),
            None => {
                // Room in the heap was reserved with the slot.
                let _has_room = self.heap.push(deadline, timer.index, &mut self.slots);
            }
        }
        self.heap
            .first()
            .is_some_and(|first| first.1 == timer.index)
    }

    /// Makes the timer due no more; answers when it would have been.
    pub fn disarm(&mut self, timer: TimerHandle) -> Option<Nanos> {
        let place = self.slot_mut(timer)?.place?;
        let (deadline, _) = self.heap.remove(place, &mut self.slots)?;
        Some(deadline)
    }

    /// When the timer is due, if it is armed.
    pub fn deadline(&self, timer: TimerHandle) -> Option<Nanos> {
        let slot = self.slots.0.get(timer.index as usize)?;
        let place = slot.place.filter(|_| slot.generation == timer.generation)?;
        self.heap.key_at(place)
    }

    /// The earliest deadline: what the hardware timer is to be set to.
    pub fn next_deadline(&self) -> Option<Nanos> {
        self.heap.first().map(|first| first.0)
    }

    /// Takes the earliest timer out, unarmed, if it is due at `now`. Call until `None`.
    pub fn pop_expired(&mut self, now: Nanos) -> Option<Expired<T>> {
        let (deadline, _) = self.heap.first().filter(|first| first.0 <= now)?;
        let (_, index) = self.heap.pop(&mut self.slots)?;
        let slot = self.slots.0.get(index as usize)?;
        Some(Expired {
            timer: TimerHandle {
                index,
                generation: slot.generation,
            },
            payload: slot.payload?,
            deadline,
        })
    }

    /// How many timers are armed.
    pub fn armed(&self) -> usize {
        self.heap.len()
    }

    fn slot_mut(&mut self, timer: TimerHandle) -> Option<&mut Slot<T>> {
        self.slots
            .0
            .get_mut(timer.index as usize)
            .filter(|slot| slot.generation == timer.generation)
    }
}
