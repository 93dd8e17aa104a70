//! Debug keys: one character typed to the hypervisor, one report.

use core::sync::atomic::Ordering::Relaxed;

use crate::calls::grants;
use crate::console::print;
use crate::{
    clock, crash, domains, irq, machine, placement, power, processors, refusals, schedule,
    time_stamps,
};

/// A key, what it does, and how.
type Key = (u8, &'static str, fn());

const KEYS: &[Key] = &[
    (b'h', "show this list", help),
    (b'q', "show domains and their vCPUs", show_domains),
    (b'c', "show what each vCPU did", show_counters),
    (b'm', "show memory", show_memory),
    (
        b'u',
        "show NUMA nodes, and where domains' memory lies",
        placement::show,
    ),
    (
        b'r',
        "show pools of processors and who waits for one",
        schedule::pools::show,
    ),
    (b'g', "show grants in use", show_grants),
    (b'i', "show interrupts", irq::show),
    (b'e', "show why guests were refused lately", refusals::show),
    (
        b's',
        "show the clock, and how domains read time stamps",
        show_time,
    ),
    (b'0', "show dom0's registers", show_dom0),
    (b'R', "reboot the machine", reboot),
];

/// Does what a key asks for.
pub fn run(byte: u8) {
    match KEYS.iter().find(|&&(key, _, _)| key == byte) {
        Some((_, _, action)) => action(),
        None if byte.is_ascii_graphic() => {
            print(format_args!(
                "(XEN) no such debug key '{}' (h for help)\n",
                char::from(byte)
            ));
        }
        None => {}
    }
}

fn help() {
    for (key, meaning, _) in KEYS {
        print(format_args!("(XEN) {}  {meaning}\n", char::from(*key)));
    }
}

fn show_domains() {
    domains::for_each(|domain| {
        print(format_args!(
            "(XEN) domain {}: {} frames{}\n",
            domain.id,
            domain.pages.lock().total(),
            if domain.is_shut_down() {
                ", shut down"
            } else {
                ""
            }
        ));
        for vcpu in domain.vcpus() {
            print(format_args!(
                "(XEN)   vCPU {}: {}{} on CPU{}\n",
                vcpu.id,
                if vcpu.is_up.load(Relaxed) {
                    "up"
                } else {
                    "down"
                },
                if vcpu.waiting.is_on() {
                    ", blocked"
                } else {
                    ""
                },
                vcpu.processor.load(Relaxed)
            ));
        }
    });
}

fn show_counters() {
    domains::for_each(|domain| {
        for vcpu in domain.vcpus() {
            let counters = &vcpu.counters;
            print(format_args!(
                "(XEN) d{}v{}: {} upcalls, {} table writes, {} privileged instructions\n",
                domain.id,
                vcpu.id,
                counters.upcalls.load(Relaxed),
                counters.table_writes.load(Relaxed),
                counters.privileged.load(Relaxed)
            ));
            for (number, count) in counters
                .hypercalls()
                .enumerate()
                .filter(|&(_, count)| count != 0)
            {
                let name = calls::hypercall(number as u32).map_or("unknown", |row| row.name);
                print(format_args!("(XEN)   {name}: {count}\n"));
            }
            for (vector, count) in counters
                .traps()
                .enumerate()
                .filter(|&(_, count)| count != 0)
            {
                print(format_args!("(XEN)   exception {vector}: {count}\n"));
            }
        }
    });
}

fn show_time() {
    clock::show();
    domains::for_each(|domain| time_stamps::show(domain));
}

fn show_grants() {
    domains::for_each(|domain| grants::dump::show(domain));
}

fn show_memory() {
    print(format_args!(
        "(XEN) {} KiB free; {} processors\n",
        machine::free_frames() << 2,
        processors::count()
    ));
}

fn show_dom0() {
    if let Some(domain) = domains::first() {
        for vcpu in domain.vcpus() {
            let registers = vcpu.saved.lock();
            crash::report(&vcpu, &registers);
        }
    }
}

fn reboot() {
    print(format_args!("(XEN) reboot asked for by a debug key\n"));
    power::reboot()
}
