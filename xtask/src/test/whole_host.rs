//! A whole Debian with systemd and libvirt as dom0, booted from its disk into the cases of
//! `xtask/dom0/toolstack/cases/host`. For `--all`: the disk takes some minutes to make.

use super::jobs::Job;
use super::toolstack::run_cases;
use crate::build::Profile;
use crate::host_disk::{self, HostDisk};
use crate::machine::Machine;

/// The one boot.
pub fn jobs() -> Vec<Job> {
    let job = Job::many("whole", true, |context, report| {
        let hypervisor = context.hypervisor(Profile::Release)?;
        let disk = HostDisk::prepare(&context.places)?;
        let scripts = host_disk::scripts_disk(&context.places)?;
        let machine = Machine::with_host_disk(&hypervisor, &disk, &scripts, true)
            .kernel_words("script systemd.show_status=false");
        run_cases(context, report, "whole", machine, "host")
    });
    vec![job.tail_unless(false)]
}
