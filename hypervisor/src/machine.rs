//! The machine's memory as the rest of the hypervisor uses it: frame table, free frames, and what the rules
//! of crate `memory` ask of the host.

use core::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};

use allocator::{
    Allocation, Claim, Contents, FrameAllocator, FrameLinks, FrameState, FreeLink, NodeChoice,
    Request,
};
use hw::sync::SpinLock;
use hw::window::Window;
use memory::{FrameTable, Freed, Host, IoAccess, Mmu, PageInfo, Stale, Table, TableMemory};
use vocabulary::{DomainId, Mfn, Refused};

use crate::domain::Domain;
use crate::{domains, levels, nodes, work};

/// The machine. It has no state of its own: what it stands for is global.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

static FREE: SpinLock<FrameAllocator<8>, { levels::FRAMES }> = SpinLock::new(FrameAllocator::new());

/// The frame table.
#[inline]
pub fn frames() -> FrameTable<'static> {
    FrameTable::new(hw::paging::frame_table())
}

/// Everything an operation on page tables needs.
#[inline]
pub fn mmu() -> Mmu<'static, Machine, Machine> {
    Mmu::new(frames(), &Machine, &Machine)
}

impl TableMemory for Machine {
    #[inline(always)]
    fn with_table<R>(&self, frame: Mfn, work: impl FnOnce(&Table) -> R) -> R {
        work(Window::open(frame).words())
    }
}

impl Host for Machine {
    fn io_access(&self, domain: DomainId, frame: Mfn) -> IoAccess {
        if domain == DomainId::XEN {
            return if hw::m2p::holds(frame) {
                IoAccess::ReadOnly
            } else {
                IoAccess::Denied
            };
        }
        crate::devices::io_access(domain, frame)
    }

    #[inline]
    fn hypervisor_slots(&self, _domain: DomainId) -> [u64; 16] {
        hw::paging::hypervisor_slots()
    }

    #[inline]
    fn tlb_clock(&self) -> u32 {
        hw::tlb::stamp()
    }

    fn flush_stale(&self, stale: Stale, timestamp: u32) {
        match stale {
            Stale::OfDomain(id) => {
                // A domain that is gone from the list may still be in translations anywhere.
                let flushed =
                    domains::with(id, |domain| crate::flush::stale(&domain.dirty, timestamp));
                if flushed.is_none() {
                    crate::flush::stale(crate::processors::online(), timestamp);
                }
            }
            Stale::Anywhere => crate::flush::stale(crate::processors::online(), timestamp),
        }
    }

    fn free(&self, freed: Freed) {
        let table = frames();
        let owner = domains::find(freed.owner());
        if let Some(domain) = &owner {
            domain.pages.lock().remove(table, &freed);
        }
        let frame = table.into_free(freed);
        hw::m2p::set(frame, hw::paging::NO_FRAME);
        give_back(frame, 0);
        if let Some(domain) = owner.filter(|domain| domain.is_dying()) {
            crate::teardown::try_bury(&domain);
        }
    }

    fn relax(&self) {
        hw::tlb::poll();
        hw::cpu::relax();
    }
}

fn page(frame: u32) -> Option<&'static PageInfo> {
    frames().get(Mfn(u64::from(frame)))
}

impl FrameLinks for Machine {
    fn state(&self, frame: u32) -> FrameState {
        FrameState(page(frame).map_or(0, PageInfo::allocator_byte))
    }

    fn set_state(&self, frame: u32, state: FrameState) {
        if let Some(page) = page(frame) {
            page.set_allocator_byte(state.0);
        }
    }

    fn link(&self, frame: u32) -> FreeLink {
        let [links, dirty] = page(frame)
            .and_then(PageInfo::free_words)
            .unwrap_or_default();
        FreeLink {
            previous: links as u32,
            next: (links >> 32) as u32,
            dirty_start: dirty as u32,
            dirty_end: (dirty >> 32) as u32,
        }
    }

    fn set_link(&self, frame: u32, link: FreeLink) {
        if let Some(page) = page(frame) {
            page.set_free_words([
                u64::from(link.previous) | u64::from(link.next) << 32,
                u64::from(link.dirty_start) | u64::from(link.dirty_end) << 32,
            ]);
        }
    }
}

/// Makes `count` frames from `first` known as RAM and free, each on its node.
pub fn add_ram(first: Mfn, count: u64) -> Refused<()> {
    let table = frames();
    for number in 0..count {
        table.add_ram(first.plus(number));
    }
    let mut result = Ok(());
    nodes::cut(first.0, first.0 + count, |first, end, node| {
        let added = FREE
            .lock()
            .add_region(&Machine, Mfn(first), end - first, node, false);
        result = result.and(added);
    });
    result
}

/// Has dom0 told from now on when memory falls to `bytes` that are free and unclaimed, and again at each half of it.
pub fn watch(bytes: u64) {
    FREE.lock().watch(bytes >> 12);
}

/// Called where memory has become less. The telling is left to the way out to a guest: here locks are held.
fn tell_if_low(free: &mut FrameAllocator<8>) {
    if free.runs_low() {
        work::raise_here(work::LOW_MEMORY);
    }
}

/// Takes free frames. ENOMEM, EINVAL.
fn allocate(request: Request, claim: &mut Claim) -> Refused<Allocation> {
    let mut free = FREE.lock();
    let allocation = free.allocate_claimed(&Machine, request, claim)?;
    tell_if_low(&mut free);
    Ok(allocation)
}

/// Takes free frames and zeroes what is dirty of them, where `request` wants zeroes. They are nobody's yet.
pub fn take(request: Request) -> Refused<Allocation> {
    let allocation = allocate(request, &mut Claim::none())?;
    zero(&allocation, request);
    Ok(allocation)
}

/// As [`take`], for a domain, whose claim is used up first.
pub fn take_for(domain: &Domain, request: Request) -> Refused<Allocation> {
    let mut claim = domain.claim.lock();
    let allocation = allocate(request, &mut claim)?;
    drop(claim);
    zero(&allocation, request);
    Ok(allocation)
}

fn zero(allocation: &Allocation, request: Request) {
    if request.contents == Contents::Zeroed {
        for frame in allocation.dirty() {
            clear_free(frame);
        }
    }
}

/// Zeroes a frame that is nobody's. First the flush of what a former owner may still have in a TLB: it must not write
/// after the zeroes.
fn clear_free(frame: Mfn) {
    frames().flush_former(frame, &Machine);
    Window::open(frame).clear();
}

/// Sets `frames` more frames aside for a domain. EBUSY: some are already; ENOMEM: so many are not free and unclaimed.
pub fn claim(domain: &Domain, frames: u64) -> Refused<()> {
    let mut claim = domain.claim.lock();
    let mut free = FREE.lock();
    free.claim(&mut claim, frames)?;
    tell_if_low(&mut free);
    Ok(())
}

/// Sets nothing aside for a domain any more.
pub fn cancel_claim(domain: &Domain) {
    let mut claim = domain.claim.lock();
    let mut free = FREE.lock();
    free.cancel_claim(&mut claim);
    free.note_rise();
}

/// Takes 2^`order` zeroed frames for the hypervisor itself.
pub fn take_own(order: u32) -> Option<Mfn> {
    let request = Request {
        contents: Contents::Overwritten,
        ..Request::of_order(order as u8)
    };
    let allocation = allocate(request, &mut Claim::none()).ok()?;
    let table = frames();
    for frame in allocation.all() {
        // First the flush of what a former owner may still have in a TLB: it must not write after the zeroes.
        table.assign(frame, DomainId::INVALID, &Machine).ok()?;
        Window::open(frame).clear();
    }
    Some(allocation.first)
}

/// Takes `count` adjacent frames for a while, dirty.
pub fn take_adjacent(count: u64) -> Refused<Mfn> {
    let request = Request {
        contents: Contents::Overwritten,
        node: NodeChoice::Any,
        ..Request::of_order(0)
    };
    FREE.lock()
        .allocate_contiguous(&Machine, count, request, &mut Claim::default())
        .map(|allocation| allocation.first)
}

/// Gives 2^`order` frames back that have no owner (any more).
pub fn give_back(first: Mfn, order: u8) {
    let mut free = FREE.lock();
    let freed = free.free(&Machine, first, order, false);
    free.note_rise();
    drop(free);
    if freed.is_err() {
        crate::log!(Error, "frame {first:x} was freed twice");
    }
}

/// Gives adjacent frames back that [`take_adjacent`] gave.
pub fn give_back_adjacent(first: Mfn, count: u64) {
    if FREE
        .lock()
        .free_range(&Machine, first, count, false)
        .is_err()
    {
        crate::log!(Error, "frames {first:x}+{count} were freed twice");
    }
}

/// Gives the hypervisor's own frame back.
pub fn give_back_own(frame: Mfn) {
    let table = frames();
    if let Some(freed) = table.release_own(frame, hw::tlb::stamp()) {
        give_back(table.into_free(freed), 0);
    }
}

/// Gives back 2^`order` of the hypervisor's own frames.
pub fn give_back_own_block(first: Mfn, order: u32) {
    for number in 0..1 << order {
        give_back_own(first.plus(number));
    }
}

/// Frames that are free.
pub fn free_frames() -> u64 {
    FREE.lock().free_frames()
}

/// Frames that claims hold back and nobody has taken yet.
pub fn claimed_frames() -> u64 {
    FREE.lock().claimed_frames()
}

/// Free frames of a node.
pub fn free_on_node(node: u8) -> u64 {
    FREE.lock().free_on_node(node)
}

/// Free frames whose addresses have more than `above` and at most `most` bits, of a node or of all.
pub fn free_by_width(above: u8, most: u8, node: Option<u8>) -> u64 {
    FREE.lock().free_by_width(above, most, node)
}

/// Whether some idle processor scrubs.
static SCRUBBING: AtomicBool = AtomicBool::new(false);

/// Scrubs a bounded part of the dirty free memory, letting interrupts in after each frame, until one brings something to
/// do: for the idle loop, without locks. Says whether there is more for this processor to scrub: one at a time does, so
/// that memory bandwidth (and on an emulator the host's processors) stays for the others.
pub fn scrub_some() -> bool {
    if SCRUBBING.swap(true, Acquire) {
        return false;
    }
    let more = scrub_piece();
    SCRUBBING.store(false, Release);
    more
}

fn scrub_piece() -> bool {
    let piece = FREE.lock().scrub_take(&Machine, 0, 5);
    let Some(mut piece) = piece else { return false };
    for frame in piece.by_ref() {
        clear_free(frame);
        hw::cpu::let_interrupts_in();
        if work::is_owed() {
            break;
        }
    }
    FREE.lock().scrub_done(&Machine, piece);
    true
}
