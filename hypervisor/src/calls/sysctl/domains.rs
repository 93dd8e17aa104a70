//! `sysctl`: the list of domains.

use vocabulary::{DomainId, Refused};
use xen_abi::domctl::Getdomaininfo;
use xen_abi::sysctl_watch as abi;

use super::Request;
use crate::calls::domctl::info;
use crate::{domains, guest};

/// `XEN_SYSCTL_getdomaininfolist`: domains in the order of their numbers, as many as there is room for.
pub fn list(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::Getdomaininfolist>()?;
    let mut written = 0;
    let mut from = DomainId(asked.first_domain);
    while written < asked.max_domains {
        let Some(domain) = domains::next(from) else {
            break;
        };
        let place = guest::element::<Getdomaininfo>(asked.buffer, u64::from(written));
        guest::write(place, &info::of(&domain))?;
        written += 1;
        from = DomainId(domain.id.0.saturating_add(1));
    }
    asked.num_domains = written;
    request.answer(&asked)
}
