//! Guest memory that event channels live in: pages of the FIFO ABI, and `shared_info` with the `vcpu_info`s.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use events::{Bitmap, SharedInfo};
use hw::window::Window;
use memory::{PageRef, WritableRef};
use vocabulary::{Errno, Mfn, Refusal, Refused, VcpuId};

use crate::domain::Domain;
use crate::machine::{self, Machine};
use crate::shared_page::Words;

/// A frame of a domain that the FIFO ABI uses, held writable.
pub type EventPage = Words<WritableRef<'static, Machine>>;

impl EventPage {
    /// Takes the domain's frame. Refused where it is not the domain's or is a table.
    pub fn take(domain: &Domain, frame: Mfn) -> Refused<Self> {
        let page = PageRef::acquire(machine::frames(), &Machine, frame, domain.id)?;
        let reference = page.writable().map_err(|refusal| Refusal {
            errno: Errno::EINVAL,
            ..refusal
        })?;
        Ok(Self(reference))
    }
}

/// Word of `shared_info` where the pending bitmap begins (public `xen.h`): behind 32 `vcpu_info` of 64 bytes.
const PENDING: usize = 256;
/// Word where the mask begins.
const MASK: usize = 320;

/// A domain's `shared_info` and `vcpu_info`s, wherever they are.
pub struct Info<'a>(pub &'a Domain);

impl Info<'_> {
    #[inline]
    fn word<R>(&self, map: Bitmap, word: usize, work: impl FnOnce(&AtomicU64) -> R) -> Option<R> {
        let start = match map {
            Bitmap::Pending => PENDING,
            Bitmap::Mask => MASK,
        };
        let window = Window::open(self.0.shared_info);
        window.words().get(start + (word & 63)).map(work)
    }
}

impl SharedInfo for Info<'_> {
    #[inline]
    fn load(&self, map: Bitmap, word: usize) -> u64 {
        self.word(map, word, |word| word.load(SeqCst)).unwrap_or(0)
    }

    #[inline]
    fn fetch_or(&self, map: Bitmap, word: usize, bits: u64) -> u64 {
        self.word(map, word, |word| word.fetch_or(bits, SeqCst))
            .unwrap_or(0)
    }

    #[inline]
    fn fetch_and(&self, map: Bitmap, word: usize, bits: u64) -> u64 {
        self.word(map, word, |word| word.fetch_and(bits, SeqCst))
            .unwrap_or(0)
    }

    #[inline]
    fn fetch_or_selector(&self, vcpu: VcpuId, bits: u64) -> u64 {
        self.0.context(vcpu).map_or(0, |context| {
            context.info().pending_selector.fetch_or(bits, SeqCst)
        })
    }

    #[inline]
    fn set_upcall_pending(&self, vcpu: VcpuId) -> bool {
        let Some(context) = self.0.context(vcpu) else {
            return true;
        };
        let pending = &context.info().upcall_pending;
        pending.load(Relaxed) != 0 || pending.swap(1, SeqCst) != 0
    }
}
