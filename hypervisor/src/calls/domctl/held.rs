//! A vCPU or a domain that is kept from running while somebody looks at it or changes it.

use core::sync::atomic::Ordering::AcqRel;

use super::lifecycle;
use crate::domain::Domain;
use crate::schedule;
use crate::vcpu::Vcpu;

/// A vCPU that does not run, and whose state lies in memory, for as long as this lives.
pub struct Held<'a>(&'a Vcpu);

impl<'a> Held<'a> {
    /// Stops the vCPU. It is not the caller; and since the control plane is one caller's at a time, it does not wait
    /// for the caller either.
    pub fn new(vcpu: &'a Vcpu) -> Self {
        schedule::pause_and_wait(vcpu);
        Self(vcpu)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        schedule::unpause(self.0);
    }
}

/// A domain none of whose vCPUs runs for as long as this lives.
pub struct HeldDomain<'a>(&'a Domain);

impl<'a> HeldDomain<'a> {
    /// Stops the domain, which is not the caller's.
    pub fn new(domain: &'a Domain) -> Self {
        domain.pauses.fetch_add(1, AcqRel);
        lifecycle::wait_until_stopped(domain);
        Self(domain)
    }
}

impl Drop for HeldDomain<'_> {
    fn drop(&mut self) {
        self.0.pauses.fetch_sub(1, AcqRel);
        schedule::review_domain(self.0);
    }
}
