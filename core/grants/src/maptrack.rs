//! The borrower's side: a handle for each mapping it has made.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, Ordering};

use spin::mutex::SpinMutex;
use spin::once::Once;
use spin::RelaxStrategy;
use vocabulary::{refuse, DomainId, Errno, GrantRef, Mfn, Refused, VcpuId};

use crate::denied::{deny, Denied, Granted, Status};
use crate::table::try_boxed;
use crate::SharedPage;

/// Handles that storage grows by: what one maptrack frame of the interface's configuration holds.
const CHUNK: u32 = 256;
/// Bits of a handle that number it; the rest counts how often the number was used before.
const INDEX_BITS: u32 = 20;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
/// Generations run from 0 to one less than this. The last is left out, so that no handle is all ones,
/// which guests use for "no handle".
const GENERATIONS: u32 = (1 << (32 - INDEX_BITS)) - 1;
/// No handle: the end of a free list.
const NONE: u32 = u32::MAX;

/// A mapping's number, as the borrower knows it (`grant_handle_t`). One that was given back is not valid
/// again until its number was reused 4095 times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantHandle(pub u32);

/// A mapping that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Who lends.
    pub lender: DomainId,
    /// The entry in the lender's table.
    pub reference: GrantRef,
    /// The machine frame that was mapped.
    pub frame: Mfn,
    /// Mapped for the processor.
    pub host: bool,
    /// Mapped for devices.
    pub device: bool,
    /// Mapped writable.
    pub writable: bool,
    /// The processor's mapping was named by its page-table entry (`GNTMAP_contains_pte`), and is again when
    /// it is destroyed.
    pub by_entry: bool,
}

/// What a handle is.
#[derive(Clone, Copy, Debug)]
enum State {
    /// On a free list, before the handle `next`.
    Free { next: u32 },
    /// Taken by a mapping that is about to be made.
    Reserved,
    /// A mapping.
    Mapped(Mapping),
    /// A mapping about to be destroyed.
    Busy(Mapping),
}

pub(crate) struct Track {
    generation: u32,
    state: State,
}

/// A handle's number, and what is kept of it: looked up once an operation.
pub(crate) struct Place<'a, F: SharedPage> {
    index: u32,
    track: &'a SpinMutex<Track, F::Relax>,
}

/// Storage of 256 handles, once it is there.
type Chunk<R> = Once<Box<[SpinMutex<Track, R>]>, R>;

const NO_MEMORY: Denied = Denied {
    status: Status::NoSpace,
    rule: "no memory for grant mappings",
};

/// A chunk's storage, which is there from now on.
fn storage<R: RelaxStrategy>(chunk: &Chunk<R>) -> Granted<&[SpinMutex<Track, R>]> {
    let new = || Track {
        generation: 0,
        state: State::Reserved,
    };
    let tracks =
        chunk.try_call_once(|| try_boxed(CHUNK, || SpinMutex::new(new())).ok_or(NO_MEMORY))?;
    Ok(tracks)
}

/// A list of free handles; on a cache line of its own, as vCPUs use different ones.
#[repr(align(64))]
struct FreeList<R> {
    head: SpinMutex<u32, R>,
    /// How many it holds: a hint for others whether to look.
    length: AtomicU32,
}

/// What a domain has borrowed and mapped. `F` is what its own table is made of; here it only says how to wait for a lock.
pub struct Maptrack<F: SharedPage> {
    domain: DomainId,
    limit: u32,
    chunks: Box<[Chunk<F::Relax>]>,
    lists: Box<[FreeList<F::Relax>]>,
    /// Handles that were ever used: the rest has no storage yet or is fresh.
    used: AtomicU32,
}

/// A handle set aside. Dropping it frees the handle.
#[must_use = "a reserved handle is freed when dropped"]
pub(crate) struct Reserved<'a, F: SharedPage> {
    maptrack: &'a Maptrack<F>,
    place: Place<'a, F>,
    vcpu: VcpuId,
}

impl<F: SharedPage> Maptrack<F> {
    /// What a handle takes of the heap once it, or one of the 255 beside it, is used.
    pub const BYTES_PER_HANDLE: usize = size_of::<SpinMutex<Track, F::Relax>>();

    /// The handles of `domain`, which has `vcpus` vCPUs and may have `max_frames` times 256 mappings
    /// (`max_maptrack_frames`), at most 2^20.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(domain: DomainId, vcpus: u32, max_frames: u32) -> Refused<Self> {
        let limit = max_frames.saturating_mul(CHUNK).min(1 << INDEX_BITS);
        let list = || FreeList {
            head: SpinMutex::new(NONE),
            length: AtomicU32::new(0),
        };
        let boxes = || {
            Some((
                try_boxed(limit / CHUNK, Once::new)?,
                try_boxed(vcpus.max(1), list)?,
            ))
        };
        let Some((chunks, lists)) = boxes() else {
            return refuse(Errno::ENOMEM, "no memory for grant mappings");
        };
        Ok(Self {
            domain,
            limit,
            chunks,
            lists,
            used: AtomicU32::new(0),
        })
    }

    /// Takes the memory for so many handles now, rather than as they are used: what is used once stays. False where there is
    /// not enough; the rest comes later, then.
    pub fn prepare(&self, handles: u32) -> bool {
        let mut chunks = self.chunks.iter().take(handles.div_ceil(CHUNK) as usize);
        chunks.all(|chunk| storage(chunk).is_ok())
    }

    /// The domain it belongs to.
    pub fn domain(&self) -> DomainId {
        self.domain
    }

    /// The mapping of a handle.
    ///
    /// # Errors
    /// `BadHandle`: no such mapping, or not any more.
    pub fn mapping(&self, handle: GrantHandle) -> Granted<Mapping> {
        match self.find(handle)?.lock() {
            track if track.generation != handle.0 >> INDEX_BITS => stale(),
            track => match track.state {
                State::Mapped(mapping) | State::Busy(mapping) => Ok(mapping),
                State::Free { .. } | State::Reserved => stale(),
            },
        }
    }

    /// The first mapping at or after number `from` (not a handle: start at 0, go on with the answer's
    /// number plus one): for a debug dump.
    pub fn next_mapping(&self, from: u32) -> Option<(u32, GrantHandle)> {
        (from..self.numbers()).find_map(|number| Some((number, self.mapping_at(number)?)))
    }

    /// Numbers that were ever in use: all mappings have one below this.
    pub fn numbers(&self) -> u32 {
        self.used.load(Ordering::Acquire).min(self.limit)
    }

    /// The mapping of a number, if there is one now: for destroying all that a dying domain has mapped, piece by
    /// piece.
    pub fn mapping_at(&self, number: u32) -> Option<GrantHandle> {
        let track = self.track(number)?.lock();
        let mapped = matches!(track.state, State::Mapped(_) | State::Busy(_));
        mapped.then_some(GrantHandle(number | track.generation << INDEX_BITS))
    }

    /// Sets a free handle aside: from the vCPU's list, else from another's, else a fresh one.
    pub(crate) fn reserve(&self, vcpu: VcpuId) -> Granted<Reserved<'_, F>> {
        let own = self.lists.get(self.own_list(vcpu));
        let place = match own.and_then(|list| self.pop(list)) {
            Some(place) => place,
            None => self.search(vcpu)?,
        };
        Ok(Reserved {
            maptrack: self,
            place,
            vcpu,
        })
    }

    /// A free handle, the vCPU's own list being empty: from the list of the vCPU after it that has one, or a fresh one.
    #[cold]
    fn search(&self, vcpu: VcpuId) -> Granted<Place<'_, F>> {
        let own = self.own_list(vcpu);
        let (after, before) = (self.lists.iter().skip(own), self.lists.iter().take(own));
        let mut lists = after.chain(before);
        match lists.find_map(|list| self.pop(list)) {
            Some(place) => Ok(place),
            None => self.fresh(),
        }
    }

    /// Takes a mapping out of use, to destroy it.
    #[inline(always)]
    pub(crate) fn take(&self, handle: GrantHandle) -> Granted<(Place<'_, F>, Mapping)> {
        let track = self.find(handle)?;
        let mut held = track.lock();
        match held.state {
            State::Mapped(mapping) if held.generation == handle.0 >> INDEX_BITS => {
                held.state = State::Busy(mapping);
                let index = handle.0 & INDEX_MASK;
                Ok((Place { index, track }, mapping))
            }
            _ => stale(),
        }
    }

    /// Ends what `take` began: puts back what remains of the mapping, or frees the handle.
    #[inline(always)]
    pub(crate) fn put(&self, place: &Place<'_, F>, remains: Option<Mapping>, vcpu: VcpuId) {
        match remains {
            Some(mapping) => place.track.lock().state = State::Mapped(mapping),
            None => self.free(place, vcpu),
        }
    }

    fn track(&self, index: u32) -> Option<&SpinMutex<Track, F::Relax>> {
        self.chunks
            .get((index / CHUNK) as usize)?
            .get()?
            .get((index % CHUNK) as usize)
    }

    fn find(&self, handle: GrantHandle) -> Granted<&SpinMutex<Track, F::Relax>> {
        self.track(handle.0 & INDEX_MASK).ok_or(Denied {
            status: Status::BadHandle,
            rule: "no such grant mapping",
        })
    }

    #[inline]
    fn own_list(&self, vcpu: VcpuId) -> usize {
        let number = vcpu.0 as usize;
        // One of a domain's vCPUs, which the lists were made for.
        if number < self.lists.len() {
            return number;
        }
        number % self.lists.len().max(1)
    }

    #[inline(always)]
    fn pop(&self, list: &FreeList<F::Relax>) -> Option<Place<'_, F>> {
        if list.length.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut head = list.head.lock();
        let index = *head;
        let track = self.track(index)?;
        let mut held = track.lock();
        let State::Free { next } = held.state else {
            return None;
        };
        held.state = State::Reserved;
        *head = next;
        list.length.fetch_sub(1, Ordering::Relaxed);
        Some(Place { index, track })
    }

    /// Takes the next handle that was never used.
    fn fresh(&self) -> Granted<Place<'_, F>> {
        let mut index = self.used.load(Ordering::Acquire);
        loop {
            if index >= self.limit {
                return deny(
                    Status::NoSpace,
                    "the domain has as many grant mappings as it may",
                );
            }
            // It is taken once there is memory for it: a handle that was refused must not be lost.
            let chunk = self.chunks.get((index / CHUNK) as usize).ok_or(NO_MEMORY)?;
            let track = storage(chunk)?
                .get((index % CHUNK) as usize)
                .ok_or(NO_MEMORY)?;
            let next = index + 1;
            let taken =
                self.used
                    .compare_exchange_weak(index, next, Ordering::AcqRel, Ordering::Acquire);
            match taken {
                Ok(_) => return Ok(Place { index, track }),
                // Another vCPU has taken it.
                Err(now) => index = now,
            }
        }
    }

    /// Ends a handle's generation and puts it on the vCPU's list.
    #[inline(always)]
    fn free(&self, place: &Place<'_, F>, vcpu: VcpuId) {
        let Some(list) = self.lists.get(self.own_list(vcpu)) else {
            return;
        };
        let mut head = list.head.lock();
        let mut track = place.track.lock();
        track.generation = (track.generation + 1) % GENERATIONS;
        track.state = State::Free { next: *head };
        *head = place.index;
        list.length.fetch_add(1, Ordering::Relaxed);
    }
}

impl<F: SharedPage> Reserved<'_, F> {
    /// The handle is `mapping`'s now.
    pub fn commit(self, mapping: Mapping) -> GrantHandle {
        let mut track = self.place.track.lock();
        track.state = State::Mapped(mapping);
        let handle = GrantHandle(self.place.index | track.generation << INDEX_BITS);
        drop(track);
        core::mem::forget(self);
        handle
    }
}

impl<F: SharedPage> Drop for Reserved<'_, F> {
    #[cold]
    fn drop(&mut self) {
        self.maptrack.free(&self.place, self.vcpu);
    }
}

fn stale<T>() -> Granted<T> {
    deny(Status::BadHandle, "no such grant mapping, or not any more")
}
