//! Shots at memory, grants and event channels.

use crate::arena;
use crate::gun::{shot, Gun, Shot};
use crate::is_own_port;
use guest_kit::hypercall::nr;

/// `memory_op`.
pub fn memory_op(gun: &mut Gun) -> Shot {
    let command = match gun.random.below(12) {
        0 => gun.word(),
        1..=5 => gun.random.pick(&[0, 1, 6, 11]),
        _ => gun.random.below(29),
    };
    let argument = match command & 63 {
        0 | 1 | 6 => {
            let words = reservation(gun);
            gun.put(&words)
        }
        11 => {
            let (from, to) = (reservation(gun), reservation(gun));
            let mut words = [0; 9];
            words[..4].copy_from_slice(&from);
            words[4..8].copy_from_slice(&to);
            words[8] = gun.count(0);
            gun.put(&words)
        }
        _ => gun.put_words::<8>(),
    };
    // The upper bits say where a long call goes on.
    let start = match gun.random.once_in(8) {
        true => gun.word() << 6,
        false => 0,
    };
    shot(nr::MEMORY_OP, &[command | start, argument])
}

/// `struct xen_memory_reservation`: list, count, order and flags, domain.
fn reservation(gun: &mut Gun) -> [u64; 4] {
    let frames: [u64; 4] = core::array::from_fn(|_| gun.frame());
    let list = gun.put(&frames);
    let usual = 1 + gun.random.below(4);
    let order = gun
        .random
        .pick(&[0, 0, 0, 0, 1, 2, 9, 18, 20, 31, 32, 63, 64, 0xffff_ffff]);
    let flags = gun
        .random
        .pick(&[0, 0, 0, 1, 32, 0xff00, 1 << 16, 1 << 17, 0xffff_ffff]);
    [
        list,
        gun.count(usual),
        Gun::pair(order, flags),
        gun.domain(),
    ]
}

/// `grant_table_op`.
pub fn grant_table_op(gun: &mut Gun) -> Shot {
    let command = match gun.random.below(16) {
        0 => gun.word() & 0xffff_ffff,
        1..=8 => gun.random.pick(&[0, 0, 1, 5, 5]),
        _ => gun.random.below(13),
    };
    let list = match command {
        0 => map(gun),
        1 | 7 => unmap(gun),
        4 => {
            let words = [gun.frame(), gun.domain() | reference(gun) << 32, 0];
            gun.put(&words)
        }
        5 => copy(gun),
        2 | 9 => {
            let frames = gun.random.pick(&[1, 1, 2, 4, 64, 0xffff_ffff]);
            let words = [gun.domain() | frames << 32, 0, gun.room()];
            gun.put(&words)
        }
        8 => {
            let version = gun.random.pick(&[1, 1, 2, 2, 0, 3]);
            gun.put(&[version])
        }
        _ => gun.put_words::<6>(),
    };
    let count = gun.count(1);
    shot(nr::GRANT_TABLE_OP, &[command, list, count])
}

/// A grant reference, mostly one of those that [`write_grant`] writes.
fn reference(gun: &mut Gun) -> u64 {
    match gun.random.once_in(8) {
        true => gun.word() & 0xffff_ffff,
        false => gun.random.below(64),
    }
}

fn map(gun: &mut Gun) -> u64 {
    let flags = match gun.random.below(6) {
        0 => gun.random.below(256),
        1 => 2 | 16,
        2 => 2 | 4,
        _ => 2,
    };
    let address = match flags & 16 {
        0 => gun.slot(),
        _ => gun.entry_address(),
    };
    let words = [address, Gun::pair(flags, reference(gun)), gun.domain(), 0];
    gun.put(&words)
}

fn unmap(gun: &mut Gun) -> u64 {
    let device = gun.random.pick(&[0, 0, 0, 0, 4096]);
    let handle = match gun.random.once_in(8) {
        true => gun.word(),
        false => gun.random.below(64),
    };
    let words = [gun.slot(), device, Gun::pair(handle, 0), 0];
    gun.put(&words)
}

fn copy(gun: &mut Gun) -> u64 {
    let flags = gun.random.below(4);
    let mut end = |by_reference: bool| {
        let frame = match by_reference {
            true => reference(gun),
            false => gun.frame(),
        };
        let offset = gun.random.pick(&[0, 0, 1, 2048, 4095, 4096, 0xffff]);
        [frame, gun.domain() | offset << 16]
    };
    let (source, target) = (end(flags & 1 != 0), end(flags & 2 != 0));
    let length = gun.random.pick(&[0, 1, 64, 2048, 4096, 4097, 0xffff]);
    let words = [
        source[0],
        source[1],
        target[0],
        target[1],
        length | flags << 16,
    ];
    gun.put(&words)
}

/// Writes an entry of our own grant table, which is mapped at `table`.
pub fn write_grant(gun: &mut Gun, table: u64) {
    let index = gun.random.below(64);
    let flags = match gun.random.below(4) {
        0 => gun.random.next() & 0xffff,
        1 => 0,
        _ => 1 | gun.random.below(2) << 2,
    };
    let words = [flags | gun.domain() << 16, gun.frame()];
    let entry = (table + 8 * index) as *mut u32;
    unsafe {
        entry.add(1).write_volatile(words[1] as u32);
        entry.write_volatile(words[0] as u32);
    }
}

/// `event_channel_op`, and the old form of it.
pub fn event_channel_op(gun: &mut Gun) -> Shot {
    let command = match gun.random.once_in(16) {
        true => 14 + gun.word() % 1000,
        false => gun.random.below(14),
    };
    let (port, small) = (port(gun), gun.random.below(6));
    let (domain, word) = (gun.domain(), gun.word());
    let words = match command {
        0 => [domain, port, 0],
        1 => [
            Gun::pair(gun.random.pick(&[0, 1, 2, 3, 4, 8, 23, 24, word]), small),
            word,
            0,
        ],
        2 => [Gun::pair(word, small), word, 0],
        // Without its ports the guest could no longer say anything.
        10 if gun.gentle => [gun.other_domain_but_self(), 0, 0],
        11 if !gun.fifo => return shot(nr::EVENT_CHANNEL_OP, &[command, gun.place()]),
        // Frame, offset and vCPU of a control block.
        11 => [
            gun.frame(),
            Gun::pair(gun.random.pick(&[0, 8, 64, 4032, 4088, word]), small),
            0,
        ],
        12 if !gun.fifo => [gun.outside_frame(), word, 0],
        12 => [arena::frame(word), 0, 0],
        5 => [domain | port << 32, 0, 0],
        6 => [domain | gun.domain() << 16, 0, 0],
        7 => [small, 0, 0],
        _ => [Gun::pair(port, small), word, 0],
    };
    if gun.random.once_in(12) && command != 10 {
        let argument = gun.put(&[Gun::pair(command, words[0]), words[0] >> 32, words[1]]);
        return shot(nr::EVENT_CHANNEL_OP_COMPAT, &[argument]);
    }
    let argument = gun.put(&words);
    shot(nr::EVENT_CHANNEL_OP, &[command, argument])
}

/// A port that may be closed: never one the guest itself needs.
fn port(gun: &mut Gun) -> u64 {
    let port = match gun.random.below(6) {
        0 => gun.word() & 0xffff_ffff,
        1 => 4090 + gun.random.below(8),
        _ => gun.random.below(64),
    };
    match gun.gentle && is_own_port(port) {
        true => 0xffff_ffff,
        false => port,
    }
}

impl Gun {
    /// A domain that is surely another: no reset of our own channels.
    fn other_domain_but_self(&mut self) -> u64 {
        self.random
            .pick(&[0, 0x7ff1, 0x7ff2, 0x7ff3, 0x7ff4, 0x7fff])
    }
}
