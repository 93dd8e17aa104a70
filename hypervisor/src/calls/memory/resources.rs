//! `XENMEM_acquire_resource`: frames of the hypervisor that belong to another domain and that the caller will map as
//! that domain's, such as its grant table before it runs.

use calls::{NotDone, ResourceType};
use grants::Version;
use vocabulary::{refuse, DomainId, Errno, Mfn, Refusal, Refused};
use xen_abi::memory::{
    MemAcquireResource, XENMEM_resource_grant_table_id_shared,
    XENMEM_resource_grant_table_id_status,
};

use crate::calls::memory_op::{go_on, OPERATION_BITS};
use crate::domain::Domain;
use crate::hypercall::{self, Answer, Arguments};
use crate::vcpu::Vcpu;
use crate::{authority, guest};

/// Frames told before a call is continued.
const BATCH: u64 = 32;
/// Where the count of frames stands in the structure.
const COUNT: u64 = core::mem::offset_of!(MemAcquireResource, nr_frames) as u64;

/// Which frames of a grant table.
#[derive(Clone, Copy)]
enum Part {
    /// The entries.
    Shared,
    /// The statuses of version 2.
    Status,
}

impl Part {
    #[allow(
        non_upper_case_globals,
        reason = "the header's own names of the constants"
    )]
    fn from_number(number: u32) -> Refused<Self> {
        match number {
            XENMEM_resource_grant_table_id_shared => Ok(Self::Shared),
            XENMEM_resource_grant_table_id_status => Ok(Self::Status),
            _ => refuse(Errno::EINVAL, "a grant table has no such resource"),
        }
    }

    /// Frames it may have in the end.
    fn most(self, domain: &Domain) -> u64 {
        let table = &domain.grants.table;
        u64::from(match self {
            Self::Shared => table.max_frames(),
            Self::Status => table.max_status_frames(),
        })
    }

    /// One of its frames; the table grows to it.
    fn frame(self, domain: &Domain, index: u32) -> Refused<Mfn> {
        let table = &domain.grants.table;
        let needed = match self {
            Self::Shared => index + 1,
            Self::Status if table.version() == Version::V1 => {
                return refuse(Errno::EINVAL, "the grant table has no statuses");
            }
            Self::Status => table.frames_for_status_frame(index),
        };
        domain
            .grants
            .grow(domain.id, needed)
            .map_err(|denied| Refusal::new(Errno::ENOMEM, denied.rule))?;
        let frame = match self {
            Self::Shared => table.frame(index),
            Self::Status => table.status_frame(index),
        };
        match frame {
            Some(frame) => Ok(frame.number()),
            None => refuse(Errno::EINVAL, "the grant table has no such frame"),
        }
    }
}

/// Tells the frames, or how many there may be.
pub fn acquire(vcpu: &Vcpu, arguments: &mut Arguments, structure: u64, done: u64) -> Answer {
    let request = guest::read::<MemAcquireResource>(structure)?;
    if request.pad != 0 || request.frame >> 32 != 0 {
        return Ok(refuse(
            Errno::EINVAL,
            "padding of a resource request is not zero",
        )?);
    }
    let domain = authority::other(vcpu, DomainId(request.domid))?;
    match ResourceType::from_number(request.kind.into()) {
        Ok(ResourceType::GrantTable) => {}
        // Of the types there are, the others have no frames in any domain there is.
        Err(NotDone { name: Some(_), .. }) => {
            return hypercall::refuse(Errno::EINVAL, "the domain has no such resource");
        }
        Err(_) => return hypercall::refuse(Errno::EOPNOTSUPP, "there is no such resource"),
    }
    let part = Part::from_number(request.id)?;
    let most = part.most(&domain);
    if request.frame_list == 0 {
        if request.nr_frames != 0 {
            return Ok(refuse(
                Errno::EINVAL,
                "a question for the size names frames",
            )?);
        }
        guest::write(structure.wrapping_add(COUNT), &(most as u32))?;
        return Ok(0);
    }
    let count = u64::from(request.nr_frames);
    if count > u64::from(u32::MAX) >> OPERATION_BITS {
        return Ok(refuse(Errno::E2BIG, "too many frames for one call")?);
    }
    if count == 0 || request.frame + count > most {
        return Ok(refuse(
            Errno::EINVAL,
            "the resource has fewer frames, or none were asked for",
        )?);
    }
    for number in done..count {
        if number - done == BATCH {
            return go_on(arguments, number);
        }
        let frame = part.frame(&domain, (request.frame + number) as u32)?;
        guest::write(guest::element::<u64>(request.frame_list, number), &frame.0)?;
    }
    Ok(0)
}
