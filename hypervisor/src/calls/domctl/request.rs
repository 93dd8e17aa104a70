//! What every operation of `domctl` gets: the caller, its request, and the domain it is about.

use alloc::sync::Arc;

use vocabulary::{refuse, Errno, Refused, VcpuId};
use xen_abi::domctl::Domctl;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::authority::Control;
use crate::domain::Domain;
use crate::guest;
use crate::vcpu::Vcpu;

/// A request whose frame was checked, from a caller that may make it.
pub struct Request<'a> {
    /// The calling vCPU, which runs here.
    pub vcpu: &'a Vcpu,
    /// Proof that the caller may.
    pub _control: Control,
    /// Guest address of the whole request.
    pub structure: u64,
    /// The request as it was copied in.
    pub frame: Domctl,
    /// The domain it is about.
    pub domain: Arc<Domain>,
}

impl Request<'_> {
    /// The operation's part of the request. EINVAL cannot come of it for the types of the interface.
    pub fn part<T: FromBytes>(&self) -> Refused<T> {
        match T::read_from_prefix(self.frame.u.as_bytes()) {
            Ok((value, _)) => Ok(value),
            Err(_) => no_room(),
        }
    }

    /// Puts the operation's part back and writes the request to the guest. EFAULT.
    pub fn answer<T: IntoBytes + Immutable>(&mut self, part: &T) -> Refused<()> {
        if part.write_to_prefix(self.frame.u.as_mut_bytes()).is_err() {
            return no_room();
        }
        guest::write(self.structure, &self.frame)
    }

    /// One of the domain's vCPUs. EINVAL: its number is beyond those announced; ESRCH: it is not made yet.
    pub fn announced_vcpu(&self, number: u32) -> Refused<Arc<Vcpu>> {
        let is_announced = number < self.domain.config.max_vcpus;
        let errno = if is_announced {
            Errno::ESRCH
        } else {
            Errno::EINVAL
        };
        self.vcpu_of_domain(number, errno)
    }

    /// One of the domain's vCPUs; without it the errno that the operation has for that.
    pub fn vcpu_of_domain(&self, number: u32, errno: Errno) -> Refused<Arc<Vcpu>> {
        match self.domain.vcpu(VcpuId(number)) {
            Some(vcpu) => Ok(vcpu),
            None => refuse(errno, "the domain has no such vCPU"),
        }
    }

    /// Whether the request is about the caller's own domain.
    pub fn is_own(&self) -> bool {
        Arc::ptr_eq(&self.domain, &self.vcpu.domain)
    }
}

fn no_room<T>() -> Refused<T> {
    refuse(
        Errno::EINVAL,
        "the request has no room for the operation's part",
    )
}
