//! Operations on what only HVM domains have, and on shadow page tables: what they answer for PV domains.

use calls::DomctlShadowOp;
use memory::Attempt;
use vocabulary::{refuse, DomainId, Errno};
use xen_abi::domctl::SetTarget;
use xen_abi::domctl_memory::{ShadowOp, ShadowOpStats, XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY};

use super::Request;
use crate::domains;

/// `XEN_DOMCTL_gethvmcontext`, `…_sethvmcontext`, `…_gethvmcontext_partial`. EINVAL.
pub fn context() -> Attempt<u64> {
    Ok(refuse(Errno::EINVAL, "a PV domain has no HVM context")?)
}

/// `XEN_DOMCTL_get_paging_mempool_size` and `…_set_…`: page tables of PV domains are their own. EOPNOTSUPP.
pub fn paging_memory() -> Attempt<u64> {
    Ok(refuse(
        Errno::EOPNOTSUPP,
        "a PV domain's page tables are in its own memory",
    )?)
}

/// `XEN_DOMCTL_set_target`, which gives a device model power over its HVM domain. ESRCH: there is no such domain; EINVAL:
/// the domain itself; EOPNOTSUPP.
pub fn set_target(request: &mut Request<'_>) -> Attempt<u64> {
    let SetTarget { target } = request.part()?;
    if domains::find(DomainId(target)).is_none() {
        return Ok(refuse(Errno::ESRCH, "there is no such domain")?);
    }
    if target == request.domain.id.0 {
        return Ok(refuse(Errno::EINVAL, "a domain is not its own target")?);
    }
    Ok(refuse(
        Errno::EOPNOTSUPP,
        "a PV domain has no device model",
    )?)
}

/// `XEN_DOMCTL_shadow_op`: page tables are not shadowed, and what a domain writes is not logged. EINVAL: the caller's own
/// domain, or what only shadow tables have; EOPNOTSUPP: logging.
pub fn shadow(request: &mut Request<'_>) -> Attempt<u64> {
    let mut part: ShadowOp = request.part()?;
    if request.is_own() {
        return Ok(refuse(
            Errno::EINVAL,
            "a domain does not do this to itself",
        )?);
    }
    let logging = || refuse(Errno::EOPNOTSUPP, "what a domain writes is not logged");
    match DomctlShadowOp::from_number(part.op) {
        Ok(DomctlShadowOp::EnableLogdirty) => Ok(logging()?),
        Ok(DomctlShadowOp::Enable) if part.mode & XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY != 0 => {
            Ok(logging()?)
        }
        // Of a log that was never begun there is nothing.
        Ok(DomctlShadowOp::Clean | DomctlShadowOp::Peek) if part.pages == 0 => {
            part.stats = ShadowOpStats {
                fault_count: 0,
                dirty_count: 0,
            };
            request.answer(&part)?;
            Ok(0)
        }
        _ => Ok(refuse(
            Errno::EINVAL,
            "page tables are not shadowed, so there is nothing to set",
        )?),
    }
}
