//! The end of a domain. Destroying it goes on in pieces until everything it had is given back; then it is dead, and
//! stays known for as long as others hold frames of it; when the last of these goes it is forgotten.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use memory::{Attempt, Budget, Stop, WritableRef};
use vocabulary::Mfn;
use xen_abi::xen::VIRQ_DOM_EXC;

use crate::calls::domctl::lifecycle::wait_until_stopped;
use crate::calls::set_gdt;
use crate::domain::{life, Domain};
use crate::machine::{self, Machine};
use crate::vcpu::Vcpu;
use crate::{
    domains, events, flush, grants, heap, irq, local_table, processors, schedule, trace, vcpus,
    work,
};

/// References to a dying domain that are in order: the table's, and that of whoever destroys it.
const HOLDERS: usize = 2;

/// Begins or goes on with a domain's destruction; [`Stop::Again`]: there is more to do. The caller holds the control
/// plane's lock and one reference, and runs in another domain.
pub fn go_on(domain: &Arc<Domain>, budget: &mut Budget) -> Attempt<()> {
    if domain.life.load(Acquire) == life::DEAD {
        return Ok(());
    }
    if domain.life.swap(life::DYING, AcqRel) == life::ALIVE {
        domain.pages.lock().begin_teardown();
        schedule::settings::domain_dies(domain);
    }
    wait_until_stopped(domain);
    events::close_all(domain, budget)?;
    irq::unmap_all(domain);
    for vcpu in domain.vcpus() {
        vcpu.time.end();
        leave_tables(&vcpu, budget)?;
    }
    wait_for_holders(domain)?;
    irq::drop_end_page(domain);
    for vcpu in domain.vcpus() {
        give_info_back(&vcpu);
    }
    let frames = machine::frames();
    machine::mmu().relinquish(
        &mut domain.paging.lock(),
        || domain.pages.lock().next_to_relinquish(frames),
        budget,
    )?;
    grants::release_maps(domain, budget)?;
    machine::cancel_claim(domain);
    domain.life.store(life::DEAD, Release);
    tell_control();
    try_bury(domain);
    Ok(())
}

/// Gives back what a vCPU that runs no more holds of page tables and descriptor frames.
fn leave_tables(vcpu: &Vcpu, budget: &mut Budget) -> Attempt<()> {
    set_gdt::set(vcpu, &[], 0)?;
    local_table::give(vcpu, vocabulary::VirtAddr(0), 0)?;
    vcpus::give_bases_back(vcpu, budget)
}

/// Whoever found the domain before it died may still act on it: its time to let go is that of a hypercall.
fn wait_for_holders(domain: &Arc<Domain>) -> Attempt<()> {
    // A vCPU's own reference to its domain counts; one that somebody else holds may lend it.
    let mut own = 0;
    for vcpu in domain.vcpus() {
        own += 1;
        // The scheduler's, and this one.
        if Arc::strong_count(&vcpu) > 2 {
            return Err(Stop::Again);
        }
    }
    if Arc::strong_count(domain) > HOLDERS + own {
        return Err(Stop::Again);
    }
    Ok(())
}

/// Gives the page back in which a vCPU registered its `vcpu_info`.
fn give_info_back(vcpu: &Vcpu) {
    if !vcpu.info_registered.load(Acquire) {
        return;
    }
    let frame = Mfn(vcpu.info_frame.load(Relaxed));
    let place = vcpus::dummy_info().unwrap_or(vcpu.domain.shared_info);
    if frame == place {
        return;
    }
    vcpu.set_info(place, 0);
    drop(WritableRef::from_kept(machine::frames(), &Machine, frame));
}

/// Has a domain forgotten if it is dead and nobody holds anything of it any more. Called after something of it was
/// let go, perhaps under locks: what is to be done is done on the way out.
pub fn try_bury(domain: &Domain) {
    if domain.life.load(Acquire) == life::DEAD && domain.pages.lock().total() == 0 {
        work::raise_here(work::BURY);
    }
}

/// Forgets the domains of which nothing is left. Called with no lock held.
#[cold]
pub fn bury() {
    let mut any = false;
    domains::for_each(|domain| {
        let is_over = domain.life.load(Acquire) == life::DEAD
            && domain.pages.lock().total() == 0
            && domain.grants.is_idle();
        // Of two that come here, one finds it in the table.
        if is_over && domains::remove(domain.id).is_some() {
            for vcpu in domain.vcpus() {
                schedule::remove(&vcpu);
            }
            schedule::settings::leave(domain.id, domain.scheduled_as);
            any = true;
            trace::note(trace::event::DOMAIN_REMOVED, &[u32::from(domain.id.0)]);
            tell_control();
        }
    });
    if any {
        give_spare_back();
    }
}

/// Gives back what the hypervisor itself needed for the domains that are gone.
fn give_spare_back() {
    heap::shrink();
    let tables = hw::descriptors::spare_tables();
    if !tables.is_empty() {
        flush::all(processors::online());
        for table in tables {
            machine::give_back_own(table);
        }
    }
}

/// Tells the control domain that something became of a domain.
pub fn tell_control() {
    events::send_global_virq(VIRQ_DOM_EXC);
}
