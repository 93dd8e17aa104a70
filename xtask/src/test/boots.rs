//! Debian's kernel as dom0 with any number of processors and amount of memory, and under load.

use super::context::BOOT;
use super::jobs::Job;
use crate::build::Profile;
use crate::machine::Machine;
use std::time::Duration;

/// Seconds of the churn.
const CHURN: u64 = 60;

/// The default set covers each number of processors and each amount once; the tail all pairs.
const USUAL: &[(u32, u32)] = &[(1, 512), (2, 1024), (4, 2048), (2, 8192)];

/// A boot for each pair.
pub fn jobs() -> Vec<Job> {
    let mut jobs = Vec::new();
    for processors in [1, 2, 4] {
        for memory in [512, 1024, 2048, 4096, 8192] {
            let usual = USUAL.contains(&(processors, memory));
            jobs.push(boot(processors, memory).tail_unless(usual));
        }
    }
    jobs.push(limited());
    jobs.extend(["credit", "rtds", "null"].map(under));
    jobs
}

/// Under another scheduler than the usual, with the hypervisor's own assertions on.
fn under(scheduler: &'static str) -> Job {
    let name = format!("dom0/boots under sched={scheduler}");
    Job::one(name, move |context, test| {
        let hypervisor = context.hypervisor(Profile::Checked)?;
        let machine = Machine::with_dom0(&hypervisor, context.dom0()?, "boot")
            .processors(2)
            .memory(1024)
            .words(&format!("sched={scheduler}"))
            .kernel_words("cpus=2 least=700");
        context.passes(test, &machine, BOOT).map(drop)
    })
    .tail_unless(false)
}

/// All of the machine's memory is dom0's but for what the hypervisor keeps.
fn boot(processors: u32, memory: u32) -> Job {
    let name = format!("dom0/boots with {processors} processors and {memory} MiB");
    Job::one(name, move |context, test| {
        // The kernel keeps a part for itself before it counts; 15 % and 100 MiB are generous.
        let least = memory - memory * 15 / 100 - 100;
        let machine = context
            .machine("boot")?
            .processors(processors)
            .memory(memory)
            .kernel_words(&format!("cpus={processors} least={least}"));
        context.passes(test, &machine, BOOT).map(drop)
    })
}

/// `dom0_mem` and `dom0_max_vcpus` give dom0 less than the machine has.
fn limited() -> Job {
    Job::one(
        "dom0/gets what dom0_mem and dom0_max_vcpus say",
        |context, test| {
            let machine = context
                .machine("boot")?
                .processors(4)
                .memory(2048)
                .words("dom0_mem=512M,max:512M dom0_max_vcpus=2")
                .kernel_words("cpus=2 least=350");
            context.passes(test, &machine, BOOT).map(drop)
        },
    )
}

/// A minute of work on four processors, with the hypervisor's own assertions on.
pub fn long_jobs() -> Vec<Job> {
    vec![Job::one(
        "dom0/churns on four processors for a minute",
        |context, test| {
            let hypervisor = context.hypervisor(Profile::Checked)?;
            let machine = Machine::with_dom0(&hypervisor, context.dom0()?, "churn")
                .processors(4)
                .memory(1024)
                .kernel_words(&format!("seconds={CHURN}"));
            let limit = Duration::from_secs(CHURN * 4);
            context.passes(test, &machine, limit).map(drop)
        },
    )
    .tail_unless(false)]
}
