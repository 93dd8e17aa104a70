//! The command line, and what is made of it.

use crate::Target;

/// The target.
pub const TARGET: Target = Target {
    name: "options",
    run,
    seeds,
};

const GIBIBYTE: u64 = 1 << 30;

fn run(data: &[u8]) {
    let _ = options::arguments(data, None);
    let _ = options::arguments(data, Some(b"GRUB 2.06"));
    let parsed = options::parse(data);
    for notice in parsed.notices.iter() {
        let _ = notice.to_string();
    }
    let memory = parsed.options.dom0_memory;
    for host in [0, GIBIBYTE, 64 * GIBIBYTE, u64::MAX] {
        if let Ok(plan) = memory.plan(host, host / 2) {
            assert!(plan.initial <= host / 2, "more than there is");
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    [
        "dom0_mem=1G,max:2G loglvl=all guest_loglvl=all/warning com1=115200,8n1 console=com1,vga",
        "dom0_max_vcpus=1-4 sched=credit noreboot cpufreq=xen spec-ctrl=no,eager-fpu watchdog",
        "dom0_mem=min:10%,max:-128M crashkernel=128M@64M maxcpus=2 clocksource=hpet tsc=stable:socket",
    ]
    .iter()
    .map(|line| line.as_bytes().to_vec())
    .collect()
}
