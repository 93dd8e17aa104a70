//! Where everything of a starting PV kernel lies (public `xen.h`, "Start-of-day memory layout").

use kernel_image::Kernel;
use vocabulary::VirtAddr;

/// What follows the last part of the start-up region at least.
const PADDING: u64 = 512 << 10;
/// What the region's end is a multiple of.
const END_ALIGNMENT: u64 = 4 << 20;

/// The start-up layout. Virtual addresses of the region map pseudo-physical frames in order from `base`.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Virtual address of pseudo-physical frame 0.
    pub base: u64,
    /// Virtual end of the region.
    pub end: u64,
    /// The page of `start_info`.
    pub start_info: u64,
    /// The page tables, top-level first.
    pub tables: u64,
    /// How many tables.
    pub table_count: u64,
    /// The stack's page.
    pub stack: u64,
    /// Virtual address of the physical-to-machine list.
    pub p2m: u64,
    /// Its first frame.
    pub p2m_pfn: u64,
    /// Its frames.
    pub p2m_frames: u64,
    /// Whether the list lies outside the region, where the kernel asked for it.
    pub p2m_apart: bool,
    /// First frame of the initramfs.
    pub module_pfn: u64,
    /// Its bytes.
    pub module_bytes: u64,
    /// Whether the kernel takes it by frame number; else it lies in the region at `module`.
    pub module_by_frame: bool,
    /// How many frames, from the first, hold something at the start.
    pub frames: u64,
}

fn pages_of(bytes: u64) -> u64 {
    bytes.div_ceil(4096)
}

fn round_up(value: u64, to: u64) -> u64 {
    value.div_ceil(to) * to
}

impl Layout {
    /// Plans for a kernel with `pages` frames. Fails with how many it would need.
    pub fn plan(kernel: &Kernel<'_>, pages: u64, module_bytes: u64) -> Result<Self, u64> {
        let base = kernel.base.0;
        let mut next = round_up(kernel.end.0, 4096);
        let module_by_frame = kernel.notes.module_by_frame;
        let mut module_pfn = (next - base) >> 12;
        if !module_by_frame {
            next += round_up(module_bytes, 4096);
        }
        let p2m_frames = pages_of(pages * 8);
        let (mut p2m, mut p2m_pfn) = (next, (next - base) >> 12);
        let apart = kernel.notes.init_p2m;
        if apart.is_none() {
            next += p2m_frames << 12;
        }
        let start_info = next;
        let tables = next + 4096;
        let p2m_range = apart.map(|address| (address.0, address.0 + (p2m_frames << 12)));
        let (mut count, mut end) = (1, 0);
        loop {
            let stack = tables + (count << 12);
            let wanted_end = round_up(stack + 4096 + PADDING, END_ALIGNMENT);
            let wanted = table_count(base, wanted_end, p2m_range);
            if wanted == count && wanted_end == end {
                break;
            }
            (count, end) = (wanted, wanted_end);
        }
        let mut free = (end - base) >> 12;
        if let Some(VirtAddr(address)) = apart {
            (p2m, p2m_pfn) = (address, free);
            free += p2m_frames;
        }
        if module_by_frame {
            module_pfn = free;
            free += pages_of(module_bytes);
        }
        if free > pages {
            return Err(free);
        }
        Ok(Self {
            base,
            end,
            start_info,
            tables,
            table_count: count,
            stack: tables + (count << 12),
            p2m,
            p2m_pfn,
            p2m_frames,
            p2m_apart: apart.is_some(),
            module_pfn,
            module_bytes,
            module_by_frame,
            frames: free,
        })
    }

    /// The pseudo-physical frame behind a virtual address of the region.
    pub const fn pfn(&self, address: u64) -> u64 {
        (address - self.base) >> 12
    }
}

/// Tables of all levels that map the region and, where it is apart, the list.
fn table_count(base: u64, end: u64, apart: Option<(u64, u64)>) -> u64 {
    let mut count = 1;
    for level in 1..=3u32 {
        let shift = 12 + 9 * level;
        let (first, last) = (base >> shift, (end - 1) >> shift);
        count += last - first + 1;
        if let Some((start, stop)) = apart {
            count += ((stop - 1) >> shift) - (start >> shift) + 1;
        }
    }
    count
}
