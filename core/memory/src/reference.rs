//! Guards: a general reference, and a reference to a frame as writable memory, each given back when dropped.

use core::mem::ManuallyDrop;

use vocabulary::{DomainId, Mfn, Refused};

use crate::environment::Host;
use crate::frame_table::FrameTable;
use crate::page_info::PageInfo;

/// A general reference: for as long as it lives, the frame is not freed and its owner does not change.
#[must_use = "dropping it releases the frame at once"]
#[derive(Debug)]
pub struct PageRef<'t, H: Host> {
    mfn: Mfn,
    page: &'t PageInfo,
    frames: FrameTable<'t>,
    host: &'t H,
}

impl<'t, H: Host> PageRef<'t, H> {
    /// References a frame of `owner`. EINVAL unless `owner` holds it.
    #[inline]
    pub fn acquire(
        frames: FrameTable<'t>,
        host: &'t H,
        mfn: Mfn,
        owner: DomainId,
    ) -> Refused<Self> {
        let page = frames.take(mfn, owner)?;
        Ok(Self {
            mfn,
            page,
            frames,
            host,
        })
    }

    /// As [`acquire`](Self::acquire) where a domain other than the owner is going to map the frame.
    #[inline]
    pub fn acquire_foreign(
        frames: FrameTable<'t>,
        host: &'t H,
        mfn: Mfn,
        owner: DomainId,
    ) -> Refused<Self> {
        let page = frames.take_foreign(mfn, owner)?;
        Ok(Self {
            mfn,
            page,
            frames,
            host,
        })
    }

    /// Takes back what [`keep`](Self::keep) gave up. `None` where the frame has no such reference. The caller
    /// must own it: it is one [`keep`](Self::keep), not merely a frame number.
    pub fn from_kept(frames: FrameTable<'t>, host: &'t H, mfn: Mfn) -> Option<Self> {
        let page = frames.get(mfn).filter(|page| page.references() > 0)?;
        Some(Self {
            mfn,
            page,
            frames,
            host,
        })
    }

    /// Gives the guard up and leaves the reference: some structure holds it from now on.
    pub fn keep(self) -> Mfn {
        ManuallyDrop::new(self).mfn
    }

    /// The frame.
    pub const fn mfn(&self) -> Mfn {
        self.mfn
    }

    /// The frame's entry in the table.
    pub const fn page(&self) -> &'t PageInfo {
        self.page
    }

    /// Adds a writable type reference. EBUSY where the frame is a table or holds descriptors.
    #[inline]
    pub fn writable(self) -> Refused<WritableRef<'t, H>> {
        self.page.take_writable(self.host)?;
        Ok(WritableRef { reference: self })
    }
}

impl<H: Host> Drop for PageRef<'_, H> {
    #[inline]
    fn drop(&mut self) {
        let host = self.host;
        if let Some(freed) = self
            .frames
            .release_page(self.page, self.mfn, || host.tlb_clock())
        {
            host.free(freed);
        }
    }
}

/// A general and a writable type reference: for as long as it lives, the frame is not a table.
#[must_use = "dropping it releases the frame at once"]
#[derive(Debug)]
pub struct WritableRef<'t, H: Host> {
    reference: PageRef<'t, H>,
}

impl<'t, H: Host> WritableRef<'t, H> {
    /// Gives the guard up and leaves both references.
    pub fn keep(self) -> Mfn {
        let this = ManuallyDrop::new(self);
        this.reference.mfn
    }

    /// Takes back what [`keep`](Self::keep) gave up, under the same condition as [`PageRef::from_kept`].
    pub fn from_kept(frames: FrameTable<'t>, host: &'t H, mfn: Mfn) -> Option<Self> {
        PageRef::from_kept(frames, host, mfn).map(|reference| Self { reference })
    }

    /// The frame.
    pub const fn mfn(&self) -> Mfn {
        self.reference.mfn
    }
}

impl<H: Host> Drop for WritableRef<'_, H> {
    #[inline]
    fn drop(&mut self) {
        let host = self.reference.host;
        self.reference.page.drop_writable(|| host.tlb_clock());
    }
}
