//! Trace buffers: what happened on each processor, for a program of the control domain that reads along (`xentrace`).
//!
//! The rings' frames are the hypervisor's own, shared with whoever may map what belongs to `DOMID_XEN`. They are made
//! once and stay: a reader may have them mapped at any time.

use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use guest_time::RunState;
use hw::percpu::{PerCpu, MAX_CPUS};
use hw::registers::Registers;
use hw::sync::SpinLock;
use shared_page::SharedPage;
use trace::{directory, Added, Mask, Record, Ring, RingMemory};
use vocabulary::{refuse, DomainId, Errno, Mfn, Refused};
use xen_abi::xen::VIRQ_TBUF;

use crate::domain::Domain;
use crate::grants::GrantFrame;
use crate::vcpu::Vcpu;
use crate::{current, events, heap, levels, processors, work};

pub use trace::event;

/// Bytes of a frame.
const FRAME: u32 = 4096;
/// Processors in a word of [`PROCESSORS`].
const WORD: usize = 64;

/// The events that are recorded now; none while tracing is off.
static WANTED: AtomicU32 = AtomicU32::new(0);
/// The events that are recorded while tracing is on.
static CHOSEN: AtomicU32 = AtomicU32::new(Mask::ALL.0);
/// The processors that record.
static PROCESSORS: [AtomicU64; MAX_CPUS / WORD] =
    [const { AtomicU64::new(u64::MAX) }; MAX_CPUS / WORD];

/// A processor's ring and the frames that it lies in.
struct Traced {
    ring: Ring,
    frames: Frames,
}

/// A ring's frames, in order.
struct Frames(Vec<GrantFrame>);

impl Frames {
    fn at<R>(&self, offset: u32, work: impl FnOnce(&GrantFrame, usize) -> R) -> Option<R> {
        let frame = self.0.get((offset / FRAME) as usize)?;
        Some(work(frame, (offset % FRAME) as usize))
    }
}

impl RingMemory for Frames {
    fn load(&self, offset: u32) -> u32 {
        self.at(offset, |frame, at| frame.load(at)).unwrap_or(0)
    }

    fn store(&self, offset: u32, value: u32) {
        self.at(offset, |frame, at| frame.store(at, value));
    }
}

static RINGS: [SpinLock<Option<Traced>, { levels::TRACE }>; MAX_CPUS] =
    [const { SpinLock::new(None) }; MAX_CPUS];

/// The rings as the reader finds them.
struct Directory {
    /// Its frames, adjacent.
    frames: Vec<GrantFrame>,
    /// Frames of a ring.
    ring_frames: u32,
}

static DIRECTORY: SpinLock<Option<Directory>, { levels::TRACE_DIRECTORY }> = SpinLock::new(None);

/// Whether the event is recorded here.
#[inline(always)]
pub fn wants(event: u32) -> bool {
    let wanted = WANTED.load(Relaxed);
    wanted != 0 && Mask(wanted).has(event)
}

/// Records an event of this processor, if it is wanted.
#[inline(always)]
pub fn note(event: u32, words: &[u32]) {
    if wants(event) {
        add(event, words);
    }
}

/// Records an event of a vCPU: its domain and its number.
#[inline(always)]
pub fn note_vcpu(event: u32, vcpu: &Vcpu) {
    if wants(event) {
        add(event, &[u32::from(vcpu.domain.id.0), vcpu.id.0]);
    }
}

/// Records that a vCPU's runstate changes.
#[inline(always)]
pub fn note_runstate(vcpu: &Vcpu, old: RunState, new: RunState) {
    if WANTED.load(Relaxed) != 0 {
        let event = event::runstate_change(old as u32, new as u32);
        note(event, &[event::vcpu(vcpu.domain.id.0, vcpu.id.0)]);
    }
}

/// Records that a processor, having looked, goes on with the vCPU that it ran.
#[inline(always)]
pub fn note_continued(vcpu: &Vcpu) {
    if wants(event::CONTINUE_RUNNING) {
        let name = event::vcpu(vcpu.domain.id.0, vcpu.id.0);
        add(event::CONTINUE_RUNNING, &[name]);
    }
}

/// Records an exception that a guest is given.
#[inline(always)]
pub fn note_exception(registers: &Registers, vector: u32, code: Option<u32>) {
    if wants(event::PV_TRAP) {
        let [low, high] = halves(registers.rip);
        add(event::PV_TRAP, &[low, high, event::trap(vector, code)]);
    }
}

/// Records a page fault that a guest is given.
#[inline(always)]
pub fn note_page_fault(registers: &Registers, address: u64, code: u32) {
    if wants(event::PV_PAGE_FAULT) {
        let ([low, high], [at_low, at_high]) = (halves(registers.rip), halves(address));
        add(event::PV_PAGE_FAULT, &[low, high, at_low, at_high, code]);
    }
}

/// Records a write to a page table that was done for a guest.
#[inline(always)]
pub fn note_table_write(rip: u64, address: u64, value: u64) {
    if wants(event::PV_TABLE_WRITE) {
        let ([entry_low, entry_high], [at_low, at_high]) = (halves(value), halves(address));
        let [low, high] = halves(rip);
        let words = [entry_low, entry_high, at_low, at_high, low, high];
        add(event::PV_TABLE_WRITE, &words);
    }
}

/// Records a privileged instruction that was done for a guest.
#[inline(always)]
pub fn note_privileged(rip: u64) {
    if wants(event::PV_PRIVILEGED) {
        add(event::PV_PRIVILEGED, &halves(rip));
    }
}

/// Records that a domain gave an extent of its memory back.
#[inline(always)]
pub fn note_extent(domain: &Domain, first: u64, order: u32) {
    if wants(event::DECREASE_RESERVATION) {
        let words = event::extent(first, domain.id.0, order);
        add(event::DECREASE_RESERVATION, &words);
    }
}

fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

#[cold]
fn add(event: u32, words: &[u32]) {
    let processor = PerCpu::current().index();
    let chosen = PROCESSORS
        .get(processor / WORD)
        .is_some_and(|word| word.load(Relaxed) >> (processor % WORD) & 1 == 1);
    let Some(slot) = RINGS.get(processor).filter(|_| chosen) else {
        return;
    };
    let now = hw::cpu::time_stamp();
    let mut runs = event::vcpu(DomainId::IDLE.0, processor as u32);
    current::with(|vcpu| runs = event::vcpu(vcpu.domain.id.0, vcpu.id.0));
    let mut slot = slot.lock();
    let Some(Traced { ring, frames }) = slot.as_mut() else {
        return;
    };
    let added = ring.add(frames, &Record::new(event, words).at(now), now, runs);
    drop(slot);
    if added == Added::HalfFull {
        work::raise_here(work::TRACE);
    }
}

/// Tells the reader that a ring is half full.
pub fn announce() {
    events::send_global_virq(VIRQ_TBUF);
}

/// Frames of the directory and its first, and frames of a ring: zeroes before there are any.
pub fn sizes() -> (u32, Mfn, u32) {
    match DIRECTORY.lock().as_ref() {
        Some(Directory {
            frames,
            ring_frames,
        }) => {
            let first = frames.first().map_or(Mfn(0), GrantFrame::number);
            (frames.len() as u32, first, *ring_frames)
        }
        None => (0, Mfn(0), 0),
    }
}

/// The events that are recorded while tracing is on.
pub fn chosen() -> Mask {
    Mask(CHOSEN.load(Acquire))
}

/// Chooses events.
pub fn choose(mask: Mask) {
    CHOSEN.store(mask.0, Release);
    if WANTED.load(Acquire) != 0 {
        WANTED.store(mask.0, Release);
    }
}

/// Chooses processors, a bit each.
pub fn choose_processors(bits: &[u8]) {
    for (word, bytes) in PROCESSORS.iter().zip(bits.chunks(WORD / 8)) {
        let value = bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte));
        word.store(value, Release);
    }
}

/// Starts recording. EINVAL: there are no rings.
pub fn enable() -> Refused<()> {
    if DIRECTORY.lock().is_none() {
        return refuse(Errno::EINVAL, "there are no trace buffers");
    }
    WANTED.store(CHOSEN.load(Acquire), Release);
    Ok(())
}

/// Stops recording. What is in the rings stays.
pub fn disable() {
    WANTED.store(0, Release);
}

/// Makes rings of so many frames for every processor. EINVAL: there are rings of another size, or none of this size
/// can be described; ENOMEM.
pub fn make_rings(ring_frames: u32) -> Refused<()> {
    let mut place = DIRECTORY.lock();
    if let Some(directory) = place.as_ref() {
        return match directory.ring_frames == ring_frames {
            true => Ok(()),
            false => refuse(
                Errno::EINVAL,
                "the trace buffers' size was chosen and stays",
            ),
        };
    }
    let count = processors::count() as u32;
    let Some(bytes) = directory::bytes(count, ring_frames).filter(|_| ring_frames > 0) else {
        return refuse(
            Errno::EINVAL,
            "no directory describes so many trace buffers",
        );
    };
    let mut rings = Vec::new();
    reserve(&mut rings, count)?;
    for _ in 0..count {
        rings.push(ring(ring_frames)?);
    }
    let directory = describe(&rings, ring_frames, bytes)?;
    for (slot, ring) in RINGS.iter().zip(rings) {
        *slot.lock() = Some(ring);
    }
    *place = Some(directory);
    Ok(())
}

fn reserve<T>(list: &mut Vec<T>, more: u32) -> Refused<()> {
    heap::make_room(more as usize * size_of::<T>())?;
    if list.try_reserve_exact(more as usize).is_err() {
        return refuse(Errno::ENOMEM, "no memory for trace buffers");
    }
    Ok(())
}

/// Frames that whoever maps what is `DOMID_XEN`'s may map.
fn frame() -> Refused<GrantFrame> {
    match GrantFrame::share(DomainId::XEN) {
        Some(frame) => Ok(frame),
        None => refuse(Errno::ENOMEM, "no memory for trace buffers"),
    }
}

fn ring(count: u32) -> Refused<Traced> {
    let mut frames = Frames(Vec::new());
    reserve(&mut frames.0, count)?;
    for _ in 0..count {
        frames.0.push(frame()?);
    }
    match Ring::new(&frames, count.saturating_mul(FRAME)) {
        Some(ring) => Ok(Traced { ring, frames }),
        None => refuse(Errno::EINVAL, "a trace buffer has no room for records"),
    }
}

/// Writes the directory.
fn describe(rings: &[Traced], ring_frames: u32, bytes: u32) -> Refused<Directory> {
    let mut frames = Vec::new();
    // A reader maps one stretch of frames: with more than one, they would have to be adjacent.
    if bytes > FRAME {
        return refuse(
            Errno::EINVAL,
            "the directory of so many trace buffers is larger than a frame",
        );
    }
    reserve(&mut frames, 1)?;
    let page = frame()?;
    let frame_of = |processor: u32, number: u32| {
        rings
            .get(processor as usize)
            .and_then(|ring| ring.frames.0.get(number as usize))
            .map_or(0, |frame| frame.number().0 as u32)
    };
    for (index, word) in directory::words(rings.len() as u32, ring_frames, frame_of).enumerate() {
        page.store(4 * index, word);
    }
    frames.push(page);
    Ok(Directory {
        frames,
        ring_frames,
    })
}
