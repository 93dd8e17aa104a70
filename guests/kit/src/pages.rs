//! The guest's pages: a pool inside the image, the physical-to-machine list, and the hypervisor's
//! machine-to-physical table.

use crate::mmu;
use crate::start::{start_info, VIRT_BASE};
use core::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Where every guest may read the machine-to-physical table.
pub const M2P: u64 = 0xffff_8000_0000_0000;
/// Pages of the pool. A case takes what it needs and never gives back, so cases stay apart.
pub const POOL_PAGES: usize = 3072;

#[repr(C, align(4096))]
struct Pool([[u64; 512]; POOL_PAGES]);

static mut POOL: Pool = Pool([[0; 512]; POOL_PAGES]);
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// A page of the pool, named by where the kit maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its virtual address.
    pub va: u64,
}

impl Page {
    /// A fresh page, zeroed, mapped writable.
    pub fn take() -> Page {
        Self::take_run(1)
    }

    /// The first of `count` fresh pages with consecutive addresses.
    pub fn take_run(count: usize) -> Page {
        let index = TAKEN.fetch_add(count, Ordering::Relaxed);
        assert!(index + count <= POOL_PAGES, "the page pool is used up");
        Page {
            va: &raw const POOL as u64 + index as u64 * PAGE,
        }
    }

    /// The page `index` pages further on.
    pub fn next(self, index: u64) -> Page {
        Page {
            va: self.va + index * PAGE,
        }
    }

    /// Its guest-physical frame.
    pub fn pfn(self) -> u64 {
        (self.va - VIRT_BASE) / PAGE
    }

    /// Its machine frame, by the p2m list.
    pub fn mfn(self) -> u64 {
        p2m(self.pfn())
    }

    /// Its machine address.
    pub fn machine(self) -> u64 {
        self.mfn() * PAGE
    }

    /// Its words.
    pub fn words(self) -> &'static mut [u64; 512] {
        unsafe { &mut *(self.va as *mut [u64; 512]) }
    }

    /// Its bytes.
    pub fn bytes(self) -> &'static mut [u8; 4096] {
        unsafe { &mut *(self.va as *mut [u8; 4096]) }
    }

    /// A table entry for it with these flags.
    pub fn entry(self, flags: u64) -> u64 {
        self.machine() | flags
    }

    /// Maps it read-only where it is.
    pub fn make_readonly(self) -> Page {
        self.remap(mmu::READ_ONLY);
        self
    }

    /// Maps it writable where it is.
    pub fn make_writable(self) -> Page {
        self.remap(mmu::WRITABLE);
        self
    }

    /// Takes its mapping away.
    pub fn unmap(self) -> Page {
        assert_eq!(mmu::update_va_mapping(self.va, 0, mmu::INVLPG), 0);
        self
    }

    fn remap(self, flags: u64) {
        let result = mmu::update_va_mapping(self.va, self.entry(flags), mmu::INVLPG);
        assert_eq!(result, 0, "remapping a page of the pool");
    }
}

/// The p2m list the hypervisor built.
pub fn p2m_list() -> &'static mut [u64] {
    let info = start_info();
    unsafe { core::slice::from_raw_parts_mut(info.mfn_list as *mut u64, info.nr_pages as usize) }
}

/// The machine frame behind a guest-physical frame.
pub fn p2m(pfn: u64) -> u64 {
    p2m_list()[pfn as usize]
}

/// What the machine-to-physical table says of a machine frame.
pub fn m2p(mfn: u64) -> u64 {
    unsafe { core::ptr::read_volatile((M2P as *const u64).add(mfn as usize)) }
}

/// The kit's address of a machine frame of ours that lies inside the initial mapping.
pub fn va_of(mfn: u64) -> u64 {
    VIRT_BASE + m2p(mfn) * PAGE
}

static mut SHARED_INFO: u64 = 0;

/// Where `shared_info` is mapped.
pub fn shared_info_address() -> u64 {
    unsafe { SHARED_INFO }
}

/// Maps `shared_info` over a page of the pool, and tells every vCPU where its `vcpu_info` is.
pub(crate) fn map_shared_info() {
    let window = Page::take();
    let entry = start_info().shared_info | mmu::WRITABLE;
    assert_eq!(mmu::update_va_mapping(window.va, entry, mmu::INVLPG), 0);
    unsafe { SHARED_INFO = window.va };
    for id in 0..crate::vcpu::MAX_VCPUS {
        crate::vcpu::area_of(id).info = window.va + 64 * id as u64;
    }
}
