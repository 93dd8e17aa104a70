//! The page tables a starting kernel finds: the start-up region, its own tables read-only, the list of frames.

use core::sync::atomic::Ordering::Relaxed;

use hw::window::Window;
use memory::entry::{frame, ACCESSED, DIRTY, PRESENT, USER, WRITE};
use vocabulary::Mfn;

use super::{Frames, Layout};

const TABLE: u64 = PRESENT | WRITE | USER | ACCESSED | DIRTY;
/// A page of the kernel's own: without USER, by which promotion knows that it is no user program's and keeps
/// its translation from outliving the way into one.
const PAGE: u64 = PRESENT | WRITE | ACCESSED | DIRTY;

/// The pool of table frames, used in order.
struct Pool<'a> {
    layout: &'a Layout,
    frames: &'a Frames,
    used: u64,
}

impl Pool<'_> {
    fn take(&mut self) -> Mfn {
        let pfn = self.layout.pfn(self.layout.tables) + self.used;
        self.used += 1;
        let table = self.frames.of(pfn);
        Window::open(table).clear();
        table
    }
}

/// Builds the tables and answers the top-level one.
pub fn build(layout: &Layout, frames: &Frames) -> Mfn {
    let mut pool = Pool {
        layout,
        frames,
        used: 0,
    };
    let root = pool.take();
    let (first, last) = (layout.tables, layout.tables + (layout.table_count << 12));
    for page in 0..(layout.end - layout.base) >> 12 {
        let address = layout.base + (page << 12);
        // A frame that is a page table is never writable.
        let access = if (first..last).contains(&address) {
            PAGE & !WRITE
        } else {
            PAGE
        };
        map(&mut pool, root, address, frames.of(page), access);
    }
    if layout.p2m_apart {
        for page in 0..layout.p2m_frames {
            map(
                &mut pool,
                root,
                layout.p2m + (page << 12),
                frames.of(layout.p2m_pfn + page),
                PAGE,
            );
        }
    }
    // What the plan counted too many stays an empty page of zeroes.
    while pool.used < layout.table_count {
        pool.take();
    }
    root
}

fn map(pool: &mut Pool<'_>, root: Mfn, address: u64, target: Mfn, access: u64) {
    let mut table = root;
    for level in (1..=3u32).rev() {
        let index = (address >> (12 + 9 * level) & 0x1ff) as usize;
        let window = Window::open(table);
        let Some(entry) = window.words().get(index) else {
            return;
        };
        if entry.load(Relaxed) & PRESENT == 0 {
            let fresh = pool.take();
            entry.store(fresh.address().0 | TABLE, Relaxed);
        }
        table = frame(entry.load(Relaxed));
    }
    if let Some(entry) = Window::open(table)
        .words()
        .get((address >> 12 & 0x1ff) as usize)
    {
        entry.store(target.address().0 | access, Relaxed);
    }
}
