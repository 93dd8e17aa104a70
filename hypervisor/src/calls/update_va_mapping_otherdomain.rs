//! `update_va_mapping_otherdomain`: the same for a frame of another domain.

use vocabulary::{DomainId, VirtAddr};

use crate::authority;
use crate::hypercall::{Answer, Arguments, Caller};

/// Arguments: address, new entry, flags, domain.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [address, value, flags, domain, ..] = arguments.0;
    let owner = authority::page_owner(caller.vcpu, DomainId(domain as u16))?;
    super::update_va_mapping::update(caller, VirtAddr(address), value, flags, owner)
}
