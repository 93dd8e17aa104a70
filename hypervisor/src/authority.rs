//! Whom a caller may act on: values that only this module makes, after it checked.

use alloc::sync::Arc;

use vocabulary::{refuse, DomainId, Errno, Refused};

use crate::domain::Domain;
use crate::domains;
use crate::vcpu::Vcpu;

/// Set by the hypervisor in a count when it continues a call (`MMU_UPDATE_PREEMPTED` of the interface's
/// makers; not part of the public header, and a guest that sets it only confuses itself).
pub const PREEMPTED: u64 = 1 << 31;

/// Proof that the caller controls the machine.
#[derive(Clone, Copy, Debug)]
pub struct Control(());

/// The caller's authority over the machine's hardware. EPERM without.
pub fn control(vcpu: &Vcpu) -> Refused<Control> {
    if vcpu.domain.privileged {
        Ok(Control(()))
    } else {
        refuse(Errno::EPERM, "only the control domain may do this")
    }
}

/// The domains that `mmu_update` works on.
pub struct MmuTargets {
    /// Whose tables; `None` for the caller's.
    pub tables: Option<Arc<Domain>>,
    /// Whose frames new entries map.
    pub pages: DomainId,
}

/// Reads the foreign-domain argument of `mmu_update`: low half the pages' owner, high half, where not zero,
/// the tables' owner plus one.
#[inline]
pub fn mmu_targets(vcpu: &Vcpu, foreign: u32) -> Refused<MmuTargets> {
    let own = vcpu.domain.id;
    if foreign == u32::from(DomainId::SELF.0) {
        return Ok(MmuTargets {
            tables: None,
            pages: own,
        });
    }
    foreign_targets(vcpu, own, foreign)
}

#[cold]
fn foreign_targets(vcpu: &Vcpu, own: DomainId, foreign: u32) -> Refused<MmuTargets> {
    let mut tables = None;
    if foreign >> 16 != 0 {
        let id = DomainId((foreign >> 16).wrapping_sub(1) as u16);
        if id != own {
            tables = Some(target(vcpu, id)?);
        }
    }
    let pages = page_owner(vcpu, DomainId(foreign as u16))?;
    Ok(MmuTargets { tables, pages })
}

/// A domain whose pages the caller may map: its own by `DOMID_SELF` only (ESRCH by its number, as in Xen).
pub fn page_owner(vcpu: &Vcpu, id: DomainId) -> Refused<DomainId> {
    match id {
        DomainId::SELF => Ok(vcpu.domain.id),
        DomainId::IO => Ok(id),
        DomainId::XEN => control(vcpu).map(|_| id),
        id => foreign(vcpu, id).map(|domain| domain.id),
    }
}

/// The domain that `mmuext_op` acts on; `None` for the caller's own.
#[inline]
pub fn mmuext_target(vcpu: &Vcpu, id: DomainId) -> Refused<Option<Arc<Domain>>> {
    if id == DomainId::SELF {
        return Ok(None);
    }
    foreign(vcpu, id).map(Some)
}

fn foreign(vcpu: &Vcpu, id: DomainId) -> Refused<Arc<Domain>> {
    if id == vcpu.domain.id {
        return refuse(Errno::ESRCH, "the caller is no foreign domain");
    }
    target(vcpu, id)
}

/// A domain that the caller may act on: itself, or any for the control domain. ESRCH where there is none, EPERM.
pub fn target(vcpu: &Vcpu, id: DomainId) -> Refused<Arc<Domain>> {
    let domain = existing(vcpu, id)?;
    if domain.id != vcpu.domain.id {
        control(vcpu)?;
    }
    Ok(domain)
}

/// A domain other than the caller itself (EPERM) that the caller may act on. ESRCH where there is none.
pub fn other(vcpu: &Vcpu, id: DomainId) -> Refused<Arc<Domain>> {
    if id == DomainId::SELF {
        return refuse(Errno::ESRCH, "the operation wants a domain by its number");
    }
    let domain = existing(vcpu, id)?;
    if domain.id == vcpu.domain.id {
        return refuse(
            Errno::EPERM,
            "the operation is for domains other than the caller",
        );
    }
    control(vcpu)?;
    Ok(domain)
}

/// A domain by its number or `DOMID_SELF`, whatever the caller may do with it. ESRCH where there is none.
pub fn existing(vcpu: &Vcpu, id: DomainId) -> Refused<Arc<Domain>> {
    if id == DomainId::SELF || id == vcpu.domain.id {
        return Ok(Arc::clone(&vcpu.domain));
    }
    match domains::find(id) {
        Some(domain) => Ok(domain),
        None => refuse(Errno::ESRCH, "there is no such domain"),
    }
}
