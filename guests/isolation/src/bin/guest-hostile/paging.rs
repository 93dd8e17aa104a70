//! Shots at page tables, descriptors and the state of a vCPU that only a PV guest has.

use crate::arena;
use crate::gun::{shot, Gun, Shot};
use guest_kit::hypercall::{nr, DOMID_SELF};
use guest_kit::mmu::ext;
use guest_kit::pages::PAGE;

/// `mmu_update`: entries of tables in use and not, machine-to-physical entries, others' tables.
pub fn mmu_update(gun: &mut Gun) -> Shot {
    let requests = 1 + gun.random.below(8);
    let mut words = [0; 16];
    for request in 0..requests as usize {
        let command = gun.random.pick(&[0, 0, 0, 2, 2, 1, 3]);
        let (pointer, entry) = match (command, gun.random.once_in(2)) {
            (1, _) => (gun.frame() << 12, gun.random.next() >> 30),
            (_, true) => sensible(gun),
            _ => (gun.entry_address(), gun.entry()),
        };
        words[2 * request] = pointer | command;
        words[2 * request + 1] = entry;
    }
    let list = gun.put(&words[..2 * requests as usize]);
    let count = gun.count(requests);
    let domain = match gun.random.once_in(5) {
        true => gun.domain() << 16 | gun.domain(),
        false => DOMID_SELF,
    };
    let done = gun.room();
    shot(nr::MMU_UPDATE, &[list, count, done, domain])
}

/// A change that makes a table more like a valid one: the table with number n is meant for level
/// n modulo 4 + 1.
pub fn sensible(gun: &mut Gun) -> (u64, u64) {
    let number = gun.random.below(arena::TABLES);
    let place = arena::table_frame(number) * PAGE + 8 * gun.random.below(512);
    let entry = match (gun.random.below(4), number % 4) {
        (0 | 1, _) => 0,
        (_, 0) => {
            arena::frame(gun.random.below(arena::SLOTS)) << 12 | 0x65 | gun.random.below(2) << 1
        }
        (_, level) => {
            let below = gun.random.below(arena::TABLES / 4) * 4 + level - 1;
            arena::table_frame(below) << 12 | 0x67
        }
    };
    (place, entry)
}

/// `mmuext_op`: pinning, flushes, base pointers, LDTs, clearing and copying.
pub fn mmuext_op(gun: &mut Gun) -> Shot {
    let operations = 1 + gun.random.below(4);
    let mut words = [0; 12];
    for operation in 0..operations as usize {
        let command = match gun.random.once_in(10) {
            true => gun.word() & 0xffff_ffff,
            false => gun.random.below(22),
        };
        let (first, second) = extended(gun, command as u32);
        words[3 * operation] = command;
        words[3 * operation + 1] = first;
        words[3 * operation + 2] = second;
    }
    let list = gun.put(&words[..3 * operations as usize]);
    let count = gun.count(operations);
    let domain = gun.domain();
    let done = gun.room();
    shot(nr::MMUEXT_OP, &[list, count, done, domain])
}

/// The two arguments of an extended operation.
fn extended(gun: &mut Gun, command: u32) -> (u64, u64) {
    let number = gun.random.next();
    match command {
        // A table without the guest in it would be its end.
        ext::NEW_BASEPTR if gun.gentle => {
            let frame = gun.random.pick(&[arena::live_l4(), 0, u64::MAX, 1 << 40]);
            (frame, number)
        }
        ext::PIN_L1..=ext::UNPIN | ext::NEW_BASEPTR | ext::NEW_USER_BASEPTR => {
            match number % 4 {
                0 => (gun.frame_or_live(), number),
                // The level that the table is meant for.
                1 | 2 if command < 4 => (arena::table_frame(number & !3 | command as u64), number),
                _ => (arena::table_frame(number), number),
            }
        }
        ext::CLEAR_PAGE | ext::COPY_PAGE => (gun.frame_or_live(), gun.frame_or_live()),
        ext::SET_LDT => (gun.slot(), gun.count(number % 8193)),
        ext::INVLPG_LOCAL | ext::INVLPG_ALL => (gun.place(), number),
        ext::TLB_FLUSH_MULTI | ext::INVLPG_MULTI => (gun.place(), gun.room()),
        _ => (gun.word(), gun.word()),
    }
}

/// `update_va_mapping`, now and then for another domain.
pub fn update_va_mapping(gun: &mut Gun) -> Shot {
    let (address, entry) = (gun.slot(), gun.entry());
    let flags = match gun.random.below(8) {
        0 => gun.place() | gun.random.below(4),
        1 => gun.word(),
        _ => gun.random.below(8),
    };
    if gun.random.once_in(8) {
        let domain = gun.domain();
        return shot(
            nr::UPDATE_VA_MAPPING_OTHERDOMAIN,
            &[address, entry, flags, domain],
        );
    }
    shot(nr::UPDATE_VA_MAPPING, &[address, entry, flags])
}

/// `set_gdt`.
pub fn set_gdt(gun: &mut Gun) -> Shot {
    let frames: [u64; 16] = core::array::from_fn(|_| gun.frame_or_live());
    let usual = gun.random.below(8192);
    let entries = gun.count(usual);
    let list = gun.put(&frames);
    shot(nr::SET_GDT, &[list, entries])
}

/// `update_descriptor` of what may be a descriptor table.
pub fn update_descriptor(gun: &mut Gun) -> Shot {
    let address = match gun.random.below(8) {
        0 => gun.word(),
        1 => arena::live_l1() * PAGE + 8 * gun.random.below(512),
        _ => gun.frame() * PAGE + 8 * gun.random.below(512),
    };
    shot(nr::UPDATE_DESCRIPTOR, &[address, descriptor(gun)])
}

/// A segment descriptor: any bits, or a call gate, or a data or code segment with a random DPL.
pub fn descriptor(gun: &mut Gun) -> u64 {
    let any = gun.random.next();
    let base = 0x00cf_0000_0000_ffff;
    let code = [0x9b, 0xfb, 0xf3, 0xbb, 0x8c, 0xec, 0x89, 0x82, 0x85, 0xe9];
    match any % 3 {
        0 => any,
        _ => base | gun.random.pick(&code) << 40 | (any & 0x20) << 48,
    }
}

/// `set_trap_table`.
pub fn set_trap_table(gun: &mut Gun) -> Shot {
    let rows = gun.random.below(8) as usize;
    let mut words = [0; 18];
    for row in 0..rows {
        words[2 * row] = gun.random.next();
        words[2 * row + 1] = gun.place() | 1;
    }
    let list = gun.put(&words[..2 * rows + 2]);
    shot(nr::SET_TRAP_TABLE, &[list])
}

/// `set_callbacks`, `callback_op`, `nmi_op`.
pub fn callbacks(gun: &mut Gun) -> Shot {
    let address = gun.place();
    match gun.random.below(6) {
        0 => {
            let (second, third) = (gun.place(), gun.place());
            shot(nr::SET_CALLBACKS, &[address, second, third])
        }
        1 => {
            let argument = gun.put(&[address]);
            shot(nr::NMI_OP, &[gun.random.below(3), argument])
        }
        _ => {
            let kind = gun.random.below(10) | gun.random.below(4) << 16;
            let argument = gun.put(&[kind, address]);
            let command = gun.random.pick(&[0, 0, 0, 1, 2, u64::MAX]);
            shot(nr::CALLBACK_OP, &[command, argument])
        }
    }
}

/// `stack_switch`, `fpu_taskswitch`, debug registers, segment bases, assists.
pub fn processor_state(gun: &mut Gun) -> Shot {
    let (word, place) = (gun.word(), gun.place());
    let small = gun.random.below(10);
    match gun.random.below(8) {
        0 => shot(nr::STACK_SWITCH, &[word, place]),
        1 => shot(nr::FPU_TASKSWITCH, &[word]),
        2 | 3 => shot(nr::SET_DEBUGREG, &[small, gun.random.pick(&[word, place])]),
        4 => shot(nr::GET_DEBUGREG, &[word]),
        5 => shot(
            nr::SET_SEGMENT_BASE,
            &[small % 5, gun.random.pick(&[word, place])],
        ),
        6 => shot(nr::VM_ASSIST, &[small % 3, gun.random.below(40)]),
        _ => shot(nr::SET_TIMER_OP, &[word]),
    }
}
