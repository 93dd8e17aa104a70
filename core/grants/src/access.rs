//! Pinning an entry: the in-use flag protocol between the lender, who may take an unused entry back at any
//! moment, and us.

use spin::mutex::SpinMutex;
use vocabulary::{DomainId, GrantRef, Mfn};
use xen_abi::grant_table::{
    GTF_permit_access, GTF_reading, GTF_readonly, GTF_sub_page, GTF_transitive, GTF_type_mask,
    GTF_writing, GTF_PAT, GTF_PCD, GTF_PWT,
};

use crate::active::{Active, Kinds, Use};
use crate::denied::{deny, Granted, Status};
use crate::entry::{Entry, Header, Lent};
use crate::table::{GrantTable, Version};
use crate::SharedPage;
use core::sync::atomic::Ordering;

/// Attempts at marking a version-1 entry that its lender keeps changing.
const ATTEMPTS: u32 = 16;
/// The cache attribute flags of an entry.
const CACHE: u16 = GTF_PWT | GTF_PCD | GTF_PAT;

/// What a borrower wants an entry for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// To map: only whole frames.
    Map,
    /// To copy from or to it: parts and transitive grants too.
    Copy,
    /// To copy by way of a transitive grant: no further transitive one.
    CopyThrough,
}

/// A borrower's wish.
#[derive(Clone, Copy)]
struct Wish {
    borrower: DomainId,
    write: bool,
    usage: Usage,
}

/// A hold on an entry, counted and marked in the shared word. Dropping it gives the entry back.
#[must_use = "a pin is released when dropped"]
pub(crate) struct Pin<'t, F: SharedPage> {
    table: &'t GrantTable<F>,
    record: &'t SpinMutex<Active, F::Relax>,
    reference: GrantRef,
    kinds: Kinds,
    write: bool,
    /// The terms found.
    pub terms: Use,
}

impl<'t, F: SharedPage> Pin<'t, F> {
    /// The table of the lender.
    pub fn table(&self) -> &'t GrantTable<F> {
        self.table
    }

    /// The machine frame an earlier mapping found.
    pub fn machine(&self) -> Option<Mfn> {
        (self.terms.machine != Mfn::INVALID).then_some(self.terms.machine)
    }

    /// The entry.
    pub fn reference(&self) -> GrantRef {
        self.reference
    }

    /// Whether it is held for writing.
    pub fn is_write(&self) -> bool {
        self.write
    }

    /// How it is held.
    pub fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// Lets the hold outlive the guard: a mapping's handle owns it now, until `unpin`.
    pub fn into_mapping(self, machine: Mfn) {
        if let Some(terms) = &mut self.record.lock().use_ {
            if terms.machine == Mfn::INVALID {
                terms.machine = machine;
            }
        }
        core::mem::forget(self);
    }
}

impl<F: SharedPage> Drop for Pin<'_, F> {
    #[cold]
    fn drop(&mut self) {
        self.table
            .unpin_record(self.record, self.reference, self.kinds, self.write);
    }
}

impl<F: SharedPage> GrantTable<F> {
    /// Pins an entry for `borrower`.
    #[inline(always)]
    pub(crate) fn pin(
        &self,
        borrower: DomainId,
        reference: GrantRef,
        kinds: Kinds,
        write: bool,
        usage: Usage,
    ) -> Granted<Pin<'_, F>> {
        let record = self.existing(reference)?;
        let mut active = record.lock();
        // Read under the entry's lock: a version change that does not see this pin is seen here.
        if self.changing.load(Ordering::SeqCst) {
            return deny(Status::Again, "the grant table's version is being changed");
        }
        if active.transfer {
            return deny(
                Status::General,
                "a transfer into the grant entry is under way",
            );
        }
        let entry = self.entry(reference)?;
        let wish = Wish {
            borrower,
            write,
            usage,
        };
        let pins = active.pins.plus(kinds, write)?;
        let terms = match active.use_ {
            Some(terms) => join(&entry, wish, &active, terms)?,
            None => open(&entry, wish, &active)?,
        };
        active.pins = pins;
        active.use_ = Some(terms);
        Ok(Pin {
            table: self,
            record,
            reference,
            kinds,
            write,
            terms,
        })
    }

    /// Gives a hold back; tells the lender if it was the last of its kind.
    #[inline(always)]
    pub(crate) fn unpin(&self, reference: GrantRef, kinds: Kinds, write: bool) {
        if let Some(record) = self.record(reference) {
            self.unpin_record(record, reference, kinds, write);
        }
    }

    #[inline(always)]
    fn unpin_record(
        &self,
        record: &SpinMutex<Active, F::Relax>,
        reference: GrantRef,
        kinds: Kinds,
        write: bool,
    ) {
        let mut active = record.lock();
        let before = stale_flags(&active);
        active.pins = active.pins.minus(kinds, write);
        let flags = stale_flags(&active) & !before;
        if active.pins.is_empty() {
            active.use_ = None;
        }
        if flags != 0 {
            if let Ok(entry) = self.entry(reference) {
                entry.clear_in_use(flags);
            }
        }
    }
}

/// In-use flags that no hold justifies.
#[inline]
fn stale_flags(active: &Active) -> u16 {
    let writing = if active.pins.has_writers() {
        0
    } else {
        GTF_writing
    };
    let reading = if active.pins.is_empty() {
        GTF_reading
    } else {
        0
    };
    writing | reading
}

/// Whether what an entry lends may be used so.
fn check_usage(lent: &Lent, usage: Usage) -> Granted<()> {
    match (lent, usage) {
        (Lent::Frame(_), _) | (Lent::Part { .. }, Usage::Copy | Usage::CopyThrough) => Ok(()),
        (Lent::Transitive { .. }, Usage::Copy) => Ok(()),
        (Lent::Part { .. }, Usage::Map) => {
            deny(Status::General, "a sub-page grant can only be copied")
        }
        (Lent::Transitive { .. }, _) => deny(
            Status::General,
            "a transitive grant can only be copied, and only through one",
        ),
    }
}

/// Pins an entry that is in use already, on the terms that were found first.
#[cold]
fn join<F: SharedPage>(
    entry: &Entry<'_, F>,
    wish: Wish,
    active: &Active,
    terms: Use,
) -> Granted<Use> {
    if terms.borrower != wish.borrower {
        return deny(
            Status::General,
            "the grant entry is in use by another domain",
        );
    }
    check_usage(&terms.lent, wish.usage)?;
    if wish.write && !active.pins.has_writers() {
        mark(entry, wish, active)?;
    }
    Ok(terms)
}

/// Pins an entry that nobody holds: marks it and reads its terms.
#[inline(always)]
fn open<F: SharedPage>(entry: &Entry<'_, F>, wish: Wish, active: &Active) -> Granted<Use> {
    let header = mark(entry, wish, active)?;
    let lent = entry.lent(header);
    if lent.is_err() {
        entry.clear_in_use(stale_flags(active));
    }
    Ok(Use {
        borrower: wish.borrower,
        lent: lent?,
        machine: Mfn::INVALID,
        cache: header.flags & CACHE,
    })
}

/// Whether a header lends what is wished for.
#[inline]
fn check_header(version: Version, header: Header, wish: Wish) -> Granted<()> {
    let kind = header.flags & GTF_type_mask;
    let transitive = version == Version::V2 && kind == GTF_transitive && wish.usage == Usage::Copy;
    if kind != GTF_permit_access && !transitive {
        return deny(
            Status::General,
            "the grant entry does not permit that access",
        );
    }
    if version == Version::V2 && wish.usage == Usage::Map && header.flags & GTF_sub_page != 0 {
        return deny(Status::General, "a sub-page grant can only be copied");
    }
    if header.borrower != wish.borrower {
        return deny(Status::General, "the grant entry is for another domain");
    }
    if wish.write && header.flags & GTF_readonly != 0 {
        return deny(Status::General, "the grant entry permits reading only");
    }
    Ok(())
}

/// Marks an entry as in use, if its lender lends it; answers the header that holds while it is marked.
/// A refusal leaves no mark that was not there.
#[inline(always)]
fn mark<F: SharedPage>(entry: &Entry<'_, F>, wish: Wish, active: &Active) -> Granted<Header> {
    let flags = GTF_reading | if wish.write { GTF_writing } else { 0 };
    match entry.version {
        Version::V1 => {
            for _ in 0..ATTEMPTS {
                let header = entry.header();
                check_header(Version::V1, header, wish)?;
                let marked = Header {
                    flags: header.flags | flags,
                    ..header
                };
                if entry.exchange_header(header, marked) {
                    return Ok(marked);
                }
            }
            deny(Status::General, "the grant entry keeps changing")
        }
        Version::V2 => {
            check_header(Version::V2, entry.header(), wish)?;
            // A lender takes an entry back by clearing the header and then looking at the status; we set
            // the status and then look at the header. One of us sees the other.
            entry.set_status(flags);
            let header = entry.header();
            if let Err(denied) = check_header(Version::V2, header, wish) {
                entry.clear_in_use(stale_flags(active));
                return Err(denied);
            }
            Ok(header)
        }
    }
}
