//! Entries as source or destination of a copy (`GNTTABOP_copy`).

use vocabulary::{DomainId, Gfn, GrantRef, Mfn, PAGE_SIZE};

use crate::access::{Pin, Usage};
use crate::active::Kinds;
use crate::denied::{deny, Granted, Status};
use crate::entry::Lent;
use crate::table::GrantTable;
use crate::SharedPage;

/// A copy's hold on an entry.
const COPY: Kinds = Kinds {
    host: true,
    device: false,
};

/// An entry pinned for a copy.
pub enum CopyAccess<'a, F: SharedPage> {
    /// The frame is known.
    Direct(CopyPin<'a, F>),
    /// The entry stands for another domain's: look its table up and `resolve`.
    Transitive(TransitivePin<'a, F>),
}

/// One side of a copy, pinned until dropped.
#[must_use = "the entry is released when dropped"]
pub struct CopyPin<'a, F: SharedPage> {
    pin: Pin<'a, F>,
    /// The transitive entry that led here, held as long.
    _through: Option<Pin<'a, F>>,
    frame: Gfn,
    start: u16,
    length: u16,
}

/// A transitive entry, pinned until dropped.
#[must_use = "the entry is released when dropped"]
pub struct TransitivePin<'a, F: SharedPage> {
    pin: Pin<'a, F>,
    lender: DomainId,
    reference: GrantRef,
}

impl<F: SharedPage> GrantTable<F> {
    /// Pins an entry of this table that `borrower` copies from, or to if `write`.
    ///
    /// # Errors
    /// `BadReference`: no such entry. `General`: it does not lend that. `Again`: its table's version is
    /// being changed. `NoSpace`: held too often.
    #[inline(always)]
    pub fn begin_copy(
        &self,
        borrower: DomainId,
        reference: GrantRef,
        write: bool,
    ) -> Granted<CopyAccess<'_, F>> {
        let pin = self.pin(borrower, reference, COPY, write, Usage::Copy)?;
        match pin.terms.lent {
            Lent::Transitive { lender, .. } if lender == self.domain() => {
                deny(Status::General, "a transitive grant names its own domain")
            }
            Lent::Transitive { lender, reference } => Ok(CopyAccess::Transitive(TransitivePin {
                pin,
                lender,
                reference,
            })),
            _ => Ok(CopyAccess::Direct(CopyPin::new(pin, None)?)),
        }
    }
}

impl<'a, F: SharedPage> TransitivePin<'a, F> {
    /// The domain whose table has the entry this one stands for.
    pub fn lender(&self) -> DomainId {
        self.lender
    }

    /// Pins the entry this one stands for, in its lender's table.
    ///
    /// # Errors
    /// As [`GrantTable::begin_copy`]; `BadDomain`: not that lender's table.
    pub fn resolve(self, table: &'a GrantTable<F>) -> Granted<CopyPin<'a, F>> {
        if table.domain() != self.lender {
            return deny(Status::BadDomain, "a transitive grant names another domain");
        }
        let borrower = self.pin.table().domain();
        let write = self.pin.is_write();
        let pin = table.pin(borrower, self.reference, COPY, write, Usage::CopyThrough)?;
        CopyPin::new(pin, Some(self.pin))
    }
}

impl<'a, F: SharedPage> CopyPin<'a, F> {
    #[inline(always)]
    fn new(pin: Pin<'a, F>, through: Option<Pin<'a, F>>) -> Granted<Self> {
        let (frame, start, length) = match pin.terms.lent {
            Lent::Frame(frame) => (frame, 0, PAGE_SIZE as u16),
            Lent::Part {
                frame,
                start,
                length,
            } => (frame, start, length),
            Lent::Transitive { .. } => {
                return deny(Status::General, "a transitive grant of a transitive grant")
            }
        };
        Ok(Self {
            pin,
            _through: through,
            frame,
            start,
            length,
        })
    }

    /// Who lends, and so must own the page.
    pub fn owner(&self) -> DomainId {
        self.pin.table().domain()
    }

    /// The frame, in the lender's numbering, as the lender alleges it.
    pub fn frame(&self) -> Gfn {
        self.frame
    }

    /// The machine frame that a mapping of the same entry found and that must be used again.
    pub fn machine(&self) -> Option<Mfn> {
        self.pin.machine()
    }

    /// Whether it may be written.
    pub fn writable(&self) -> bool {
        self.pin.is_write()
    }

    /// Checks that `length` bytes at `offset` of the frame are lent.
    ///
    /// # Errors
    /// `BadCopyArgument`: they cross the page's end. `General`: outside the part that is lent.
    pub fn check(&self, offset: u16, length: u16) -> Granted<()> {
        let (first, end) = (u32::from(offset), u32::from(offset) + u32::from(length));
        if end > PAGE_SIZE as u32 {
            return deny(
                Status::BadCopyArgument,
                "a grant copy crosses the end of a page",
            );
        }
        let (start, limit) = (
            u32::from(self.start),
            u32::from(self.start) + u32::from(self.length),
        );
        if first < start || end > limit {
            return deny(
                Status::General,
                "a grant copy leaves the part of the page that is lent",
            );
        }
        Ok(())
    }
}
