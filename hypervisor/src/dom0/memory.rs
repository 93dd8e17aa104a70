//! The first domain's memory: frames, the kernel's parts, the initramfs, the list of frames.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use allocator::{Contents, Request, MAX_ORDER};
use hw::boot::{BootInfo, Module};
use hw::window::{self, Window};
use kernel_image::Kernel;
use vocabulary::{refuse, Errno, Mfn, Refused};

use super::{Frames, Layout};
use crate::domain::Domain;
use crate::machine::{self, Machine};

/// Bytes that stay free for the hypervisor's own needs.
pub const RESERVE: u64 = 8 << 20;

/// Gives `domain` frames in the largest pieces there are, until it has `pages`.
pub fn give(domain: &Arc<Domain>, frames: &mut Frames, pages: u64) -> Refused<()> {
    let mut pfn = frames.count();
    let mut order = MAX_ORDER;
    while pfn < pages {
        while 1u64 << order > pages - pfn {
            order -= 1;
        }
        let request = Request {
            contents: Contents::Overwritten,
            ..Request::of_order(order)
        };
        let Ok(allocation) = machine::take(request) else {
            if order == 0 {
                return refuse(Errno::ENOMEM, "memory ran out while dom0 was built");
            }
            order -= 1;
            continue;
        };
        let table = machine::frames();
        let mut list = domain.pages.lock();
        for (number, frame) in allocation.all().enumerate() {
            table.assign(frame, domain.id, &Machine)?;
            list.insert(table, frame)?;
            hw::m2p::set(frame, pfn + number as u64);
        }
        frames
            .chunks
            .push((pfn, allocation.first, allocation.frames));
        pfn += allocation.frames;
    }
    Ok(())
}

/// The whole frames of a module: first and end.
fn frames_of(module: &Module) -> (u64, u64) {
    (module.start.div_ceil(4096), module.end >> 12)
}

/// How many frames [`free_modules`] will make free.
pub fn module_frames(boot: &BootInfo) -> u64 {
    boot.modules
        .iter()
        .map(frames_of)
        .map(|(first, end)| end.saturating_sub(first))
        .sum()
}

/// Makes the modules' frames free, once what they hold has been copied.
pub fn free_modules(boot: &BootInfo) {
    for (first, end) in boot.modules.iter().map(frames_of) {
        if first < end && machine::add_ram(Mfn(first), end - first).is_err() {
            crate::log!(Debug, "the frames of a module stay unused");
        }
    }
}

/// Copies the kernel's parts to their frames.
pub fn load_segments(kernel: &Kernel<'_>, frames: &Frames) {
    for segment in &kernel.segments {
        let start = segment.address.0 - kernel.base.0;
        let end = start + segment.memory_bytes;
        let mut at = start;
        while at < end {
            let next = (at & !0xfff) + 4096;
            let window = Window::open(frames.of(at >> 12));
            let from = (at - start) as usize;
            let to = (next.min(end) - start) as usize;
            if at & 0xfff == 0 && to > segment.data.len() {
                window.clear();
            }
            if let Some(bytes) = segment.data.get(from..to.min(segment.data.len())) {
                window.write(at as usize & 0xfff, bytes);
            }
            at = next;
        }
    }
}

/// Copies the initramfs to its frames.
pub fn copy_module(module: &Module, frames: &Frames, first: u64) {
    window::with_bytes(module.start, module.len() as usize, |bytes| {
        for (number, page) in bytes.chunks(4096).enumerate() {
            Window::open(frames.of(first + number as u64)).write(0, page);
        }
    });
}

/// Writes the physical-to-machine list.
pub fn write_p2m(frames: &Frames, layout: &Layout, pages: u64) {
    for page in 0..layout.p2m_frames {
        let window = Window::open(frames.of(layout.p2m_pfn + page));
        for (index, word) in window.words().iter().enumerate() {
            let pfn = page * 512 + index as u64;
            let value = if pfn < pages {
                frames.of(pfn).0
            } else {
                u64::MAX
            };
            word.store(value, Relaxed);
        }
    }
}
