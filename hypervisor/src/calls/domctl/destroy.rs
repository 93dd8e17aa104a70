//! `XEN_DOMCTL_destroydomain`.

use memory::{Attempt, Budget};
use vocabulary::{refuse, Errno};

use super::Request;
use crate::teardown;

/// Table entries that one call may look at before it is continued.
const BUDGET: u32 = 12_000;

/// Ends a domain and gives back all it has. EINVAL: the caller's own, or the first.
pub fn destroy(request: &mut Request<'_>) -> Attempt<u64> {
    if request.is_own() || request.domain.privileged {
        return Ok(refuse(Errno::EINVAL, "a domain does not destroy itself")?);
    }
    teardown::go_on(&request.domain, &mut Budget::new(BUDGET))?;
    Ok(0)
}
