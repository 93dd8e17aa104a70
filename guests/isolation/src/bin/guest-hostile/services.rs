//! Shots at vCPUs, the scheduler, the console, and all that only a privileged domain may call.

use crate::gun::{shot, Gun, Shot};
use guest_kit::hypercall::{at, nr};
use guest_kit::time::now;
use guest_kit::vcpus;

/// `vcpu_op`.
pub fn vcpu_op(gun: &mut Gun) -> Shot {
    let command = match gun.random.once_in(16) {
        true => gun.word(),
        false => gun.random.below(16),
    };
    let spare = crate::spare();
    let id = match gun.random.below(8) {
        0 => gun.word(),
        1 => spare,
        _ => gun.random.below(4),
    };
    let argument = match command & 0xffff_ffff {
        vcpus::op::INITIALISE => return initialise(gun, spare),
        // The first vCPU wakes the others; the spare one has a context of random numbers.
        vcpus::op::DOWN if gun.gentle && id as u32 == 0 => {
            return shot(nr::VCPU_OP, &[command, 99, 0])
        }
        vcpus::op::UP if gun.gentle && id as u32 as u64 >= spare => {
            return shot(nr::VCPU_OP, &[command, 1, 0])
        }
        vcpus::op::SET_SINGLESHOT => {
            let time = now().wrapping_add(gun.random.below(10_000_000));
            let words = [
                gun.random.pick(&[time, time, u64::MAX, 0]),
                gun.random.below(4),
            ];
            gun.put(&words)
        }
        vcpus::op::REGISTER_RUNSTATE | vcpus::op::REGISTER_TIME => {
            let place = gun.room();
            gun.put(&[place])
        }
        _ => gun.put_words::<4>(),
    };
    shot(nr::VCPU_OP, &[command, id, argument])
}

/// A context like that of a working vCPU, some words of it changed.
fn initialise(gun: &mut Gun, spare: u64) -> Shot {
    let context = crate::context(gun.vcpu);
    let words = unsafe {
        core::slice::from_raw_parts_mut(
            context as *mut vcpus::Context as *mut u64,
            size_of::<vcpus::Context>() / 8,
        )
    };
    for _ in 0..gun.random.below(8) {
        let index = gun.random.below(words.len() as u64) as usize;
        words[index] = gun.word();
    }
    let id = match gun.random.once_in(4) {
        true => gun.random.below(4),
        false => spare,
    };
    shot(nr::VCPU_OP, &[vcpus::op::INITIALISE, id, at(context)])
}

/// `sched_op` and its old form.
pub fn sched_op(gun: &mut Gun) -> Shot {
    let (word, place) = (gun.word(), gun.place());
    match gun.random.below(10) {
        0 => shot(nr::SCHED_OP, &[0, word]),
        1..=3 => {
            let ports = gun.put(&[Gun::pair(word, 1), 2, 3]);
            let usual = gun.random.below(4);
            let count = gun.count(usual);
            let end = now() + gun.random.below(2_000_000);
            let end = gun.random.pick(&[end, 1]);
            let argument = gun.put(&[ports, count, end]);
            shot(nr::SCHED_OP, &[3, argument])
        }
        4 | 5 => {
            let domain = gun.random.pick(&[0, 0x7ff0, 0x7ff1, 0x7ff2, 0x7ff4, 1, 2]);
            let argument = gun.put(&[Gun::pair(domain, word)]);
            shot(nr::SCHED_OP, &[4, argument])
        }
        6 => {
            let id = gun.random.pick(&[1, 2, 3, 4, 0xffff_ffff]);
            let seconds = gun.random.pick(&[0, 1_000_000, 0xffff_ffff]);
            let argument = gun.put(&[Gun::pair(id, seconds)]);
            shot(nr::SCHED_OP, &[6, argument])
        }
        7 => shot(nr::SCHED_OP, &[7, place]),
        8 => shot(nr::SCHED_OP, &[8 + word % 1000, place]),
        _ if gun.gentle => shot(nr::SCHED_OP_COMPAT, &[3 + word % 1000, place]),
        _ => {
            let argument = gun.put(&[word]);
            shot(nr::SCHED_OP, &[gun.random.below(8), argument])
        }
    }
}

/// `xen_version`, `console_io`, `physdev_op` and its old form.
pub fn ordinary(gun: &mut Gun) -> Shot {
    let (word, room) = (gun.word(), gun.room());
    match gun.random.below(8) {
        0 | 1 => shot(nr::XEN_VERSION, &[gun.random.below(13), room]),
        2 => {
            let place = gun.place();
            let count = gun.count(16);
            shot(nr::CONSOLE_IO, &[gun.random.below(4), count, place])
        }
        3 => {
            let argument = gun.put_words::<4>();
            shot(nr::PHYSDEV_OP_COMPAT, &[argument])
        }
        4 => shot(nr::XEN_VERSION, &[word, room]),
        _ => {
            let argument = gun.put_words::<6>();
            let command = gun.random.pick(&[word, 5, 6, 7]);
            let any = gun.random.below(35);
            shot(
                nr::PHYSDEV_OP,
                &[gun.random.pick(&[command, any, any]), argument],
            )
        }
    }
}

/// Hypercalls for which a guest has no right, with what makes them look deeper: their version.
pub fn privileged(gun: &mut Gun) -> Shot {
    let mut words: [u64; 16] = core::array::from_fn(|_| gun.word());
    let (number, version, commands) = gun.random.pick(&[
        (nr::DOMCTL, 0x15, 90),
        (nr::DOMCTL, 0x15, 90),
        (nr::SYSCTL, 0x15, 30),
        (nr::PLATFORM_OP, 0x0300_0000, 64),
    ]);
    let command = match gun.random.once_in(12) {
        true => words[0] & 0xffff_ffff,
        false => gun.random.below(commands),
    };
    words[0] = Gun::pair(command, version);
    words[1] = gun.domain();
    let argument = gun.put(&words);
    shot(number, &[argument])
}

/// Everything else, with arguments of no shape.
pub fn shapeless(gun: &mut Gun) -> Shot {
    let number = match gun.random.below(8) {
        0 => gun.word(),
        1 => gun.random.below(64),
        _ => gun.random.pick(&[
            nr::XSM_OP,
            nr::XENOPROF_OP,
            nr::HVM_OP,
            nr::KEXEC_OP,
            nr::TMEM_OP,
            nr::ARGO_OP,
            nr::XENPMU_OP,
            nr::DM_OP,
            nr::HYPFS_OP,
            nr::MCA,
            49,
        ]),
    };
    // These have shots of their own, which know what would end the guest.
    let number = match number & 0xffff_ffff {
        0..=10 | 12..=16 | 20..=26 | 28..=30 | 32 => 11,
        _ => number,
    };
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        *argument = match gun.random.below(4) {
            0 => gun.put_words::<8>(),
            1 => gun.random.below(32),
            _ => gun.word(),
        };
    }
    Shot { number, arguments }
}
