//! Using what others lent: mapping, unmapping, copying, transferring, and what these have in common.

pub mod cache;
pub mod copy;
pub mod dump;
pub mod map;
pub mod swap;
pub mod transfer;
pub mod unmap;

use alloc::sync::Arc;

use grants::{Denied, Granted, Status};
use memory::{L1Slot, PageRef, Paging, Stop, WritableRef};
use vocabulary::{DomainId, MachineAddr, Mfn, Refusal, Refused, VirtAddr};
use xen_abi::grant_table as abi;

use crate::domain::Domain;
use crate::domains;
use crate::guest;
use crate::hypercall::{Answer, Arguments};
use crate::machine::{self, Machine};
use crate::vcpu::Vcpu;

/// Structures handled before a call is continued.
pub const BATCH: u32 = 64;

/// A refused grant operation.
pub fn deny<T>(status: Status, rule: &'static str) -> Granted<T> {
    Err(Denied { status, rule })
}

/// The `status` field for a result. A refusal is told at the guests' debug level: the call as a whole succeeds,
/// so that nothing else would say why.
pub fn status_of<T>(vcpu: &Vcpu, what: &str, result: &Granted<T>) -> i16 {
    match result {
        Ok(_) => abi::GNTST_okay,
        Err(denied) => {
            tell(vcpu, what, denied);
            denied.status.number()
        }
    }
}

#[cold]
fn tell(vcpu: &Vcpu, what: &str, denied: &Denied) {
    let (domain, number) = (vcpu.domain.id, denied.status.number());
    crate::guest_log!(
        Debug,
        "d{domain}v{}: grant {what} refused: {} ({number})",
        vcpu.id,
        denied.rule
    );
}

/// Runs `one` on the addresses of the call's structures of type `T`, a batch at a time.
pub fn each<T>(
    arguments: &mut Arguments,
    count: u32,
    mut one: impl FnMut(u64) -> Refused<()>,
) -> Answer {
    let structures = arguments.get(1);
    let done = count.min(BATCH);
    for index in 0..done {
        one(guest::element::<T>(structures, u64::from(index)))?;
    }
    go_on::<T>(arguments, count, done)
}

/// Answers for a call of which `done` of `count` structures are done: it goes on with the rest. Nothing tells
/// the caller how many were done, so that the arguments alone say where to go on.
pub fn go_on<T>(arguments: &mut Arguments, count: u32, done: u32) -> Answer {
    if done >= count {
        return Ok(0);
    }
    arguments.set(1, guest::element::<T>(arguments.get(1), u64::from(done)));
    arguments.set(2, u64::from(count - done));
    Err(Stop::Again)
}

/// The domains that a batch's structures name: usually the same one again.
#[derive(Default)]
pub struct Lenders {
    last: Option<Arc<Domain>>,
}

impl Lenders {
    /// The domain of a number. `BadDomain` where there is none; `DOMID_SELF` is none.
    #[inline]
    pub fn find(&mut self, id: DomainId) -> Granted<&Arc<Domain>> {
        if self.last.as_ref().is_none_or(|domain| domain.id != id) {
            self.last = domains::find(id);
        }
        self.last.as_ref().ok_or(Denied {
            status: Status::BadDomain,
            rule: "there is no such domain",
        })
    }
}

/// The frame is not the lender's.
pub fn bad_page(refusal: Refusal) -> Denied {
    Denied {
        status: Status::BadPage,
        rule: refusal.rule,
    }
}

/// The frame is to be written and is a page table or holds descriptors.
pub fn not_writable(refusal: Refusal) -> Denied {
    Denied {
        status: Status::General,
        rule: refusal.rule,
    }
}

/// A frame in use for a grant: a general reference, and a writable type reference where it is written.
pub enum Held {
    /// It is read.
    Read(PageRef<'static, Machine>),
    /// It is written.
    Write(WritableRef<'static, Machine>),
}

impl Held {
    /// References a frame of `owner`, which `user` is going to map. `BadPage`: it is not the owner's.
    /// `General`: it is to be written and is a page table or holds descriptors.
    #[inline(always)]
    pub fn take(frame: Mfn, owner: DomainId, user: DomainId, write: bool) -> Granted<Self> {
        let frames = machine::frames();
        let page = if owner == user {
            PageRef::acquire(frames, &Machine, frame, owner)
        } else {
            PageRef::acquire_foreign(frames, &Machine, frame, owner)
        };
        let page = page.map_err(bad_page)?;
        if write {
            Ok(Self::Write(page.writable().map_err(not_writable)?))
        } else {
            Ok(Self::Read(page))
        }
    }

    /// Leaves the references to what holds them from now on.
    pub fn keep(self) {
        match self {
            Self::Read(page) => page.keep(),
            Self::Write(page) => page.keep(),
        };
    }

    /// Gives back what `keep` left of a frame. The caller must own those references.
    pub fn give_back_kept(frame: Mfn, write: bool) {
        if write {
            drop(WritableRef::from_kept(machine::frames(), &Machine, frame));
        } else {
            drop(PageRef::from_kept(machine::frames(), &Machine, frame));
        }
    }
}

/// The page-table entry that a host address names: the entry that maps the virtual address, or, `by_entry`, the
/// one at the machine address. `General` where there is none.
#[inline(always)]
pub fn slot<'p>(
    vcpu: &Vcpu,
    paging: &'p Paging,
    address: u64,
    by_entry: bool,
) -> Granted<L1Slot<'p>> {
    let mmu = machine::mmu();
    let found = if by_entry {
        let address = MachineAddr(address);
        if address.0 & 7 != 0 {
            return deny(
                Status::General,
                "the address of a page-table entry is not aligned",
            );
        }
        mmu.l1_slot(paging, address.frame(), address.offset() >> 3)
            .ok()
    } else {
        mmu.locate(paging, vcpu.kernel_base(), VirtAddr(address))
    };
    match found {
        Some(slot) => Ok(slot),
        None => deny(Status::General, "the host address has no page-table entry"),
    }
}
