//! `GNTTABOP_dump_table`: a grant table on the hypervisor's console. Xen declares it and does not have it.

use grants::{Granted, Status};
use vocabulary::{DomainId, GrantRef};
use xen_abi::grant_table::GnttabDumpTable as Request;

use super::{deny, status_of, Lenders};
use crate::console::print;
use crate::domain::Domain;
use crate::hypercall::Answer;
use crate::vcpu::Vcpu;
use crate::{authority, guest};

/// Lines of each list: the console is slow.
const MOST_LINES: usize = 32;

/// Prints one domain's table.
pub fn run(vcpu: &Vcpu, structure: u64) -> Answer {
    let mut request = guest::read::<Request>(structure)?;
    request.status = status_of(vcpu, "dump", &dump(vcpu, DomainId(request.dom)));
    guest::write(structure, &request)?;
    Ok(0)
}

fn dump(vcpu: &Vcpu, id: DomainId) -> Granted<()> {
    if authority::control(vcpu).is_err() {
        return deny(
            Status::PermissionDenied,
            "only the control domain prints on the console",
        );
    }
    if id == DomainId::SELF {
        show(&vcpu.domain);
    } else {
        show(Lenders::default().find(id)?);
    }
    Ok(())
}

/// Prints what a domain lends that is in use, and what it has borrowed.
pub fn show(domain: &Domain) {
    let table = &domain.grants.table;
    print(format_args!(
        "(XEN) domain {}: grant table of version {}, {} of at most {} frames\n",
        domain.id,
        table.version().number(),
        table.frame_count(),
        table.max_frames()
    ));
    let in_use = core::iter::successors(table.next_pinned(GrantRef(0)), |last| {
        table.next_pinned(GrantRef(last.0.checked_add(1)?))
    });
    for reference in in_use.take(MOST_LINES) {
        print(format_args!(
            "(XEN)   lends: reference {reference} is in use\n"
        ));
    }
    let borrowed = &domain.grants.borrowed;
    let mappings = core::iter::successors(borrowed.next_mapping(0), |last| {
        borrowed.next_mapping(last.0 + 1)
    });
    for (_, handle) in mappings.take(MOST_LINES) {
        let Ok(mapping) = borrowed.mapping(handle) else {
            continue;
        };
        print(format_args!(
            "(XEN)   has mapped: handle {:#x}, reference {} of domain {}, frame {:x}{}{}{}\n",
            handle.0,
            mapping.reference,
            mapping.lender,
            mapping.frame,
            if mapping.host { ", host" } else { "" },
            if mapping.device { ", device" } else { "" },
            if mapping.writable { ", writable" } else { "" },
        ));
    }
}
