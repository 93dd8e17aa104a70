//! What the schedulers promise, by the machine's own clock: the cases in `guarantees`, with guests of ours that load a
//! processor (guests/load), and in `overcommit` and `overcommit_on_two`, with a guest that has many vCPUs; all in
//! `xtask/dom0/toolstack/cases/`.

use super::context::Context;
use super::jobs::Job;
use super::toolstack::run_cases;
use crate::build::Profile;
use crate::dom0::Dom0;
use crate::machine::Machine;

/// Parallel work on two processors.
const ON_TWO: &str = "overcommit_on_two";

/// The jobs.
pub fn jobs() -> [Job; 3] {
    [
        Job::many("guarantees", true, move |context: &Context, report| {
            let dom0 = Dom0::with_load(&context.places)?;
            let hypervisor = context.hypervisor(Profile::Release)?;
            let machine = Machine::for_guarantees(&hypervisor, &dom0, "cases");
            run_cases(context, report, "guarantees", machine, "guarantees")
        }),
        Job::many("overcommit", true, move |context: &Context, report| {
            let hypervisor = context.hypervisor(Profile::Release)?;
            let machine = Machine::for_guarantees(&hypervisor, context.toolstack()?, "cases");
            run_cases(context, report, "overcommit", machine, "overcommit")
        }),
        Job::many(ON_TWO, true, move |context: &Context, report| {
            let hypervisor = context.hypervisor(Profile::Release)?;
            let machine = Machine::for_parallel_work(&hypervisor, context.toolstack()?, "cases");
            run_cases(context, report, ON_TWO, machine, ON_TWO)
        })
        .tail_unless(false),
    ]
}
