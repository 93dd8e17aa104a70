//! A guest kernel's writes to its own page tables, which are write-protected: each is decoded and done as
//! the page-table update it amounts to. Hot: one `xl create` has tens of thousands.

use emulate::{page_table_write, quadword_exchange, Registers as _, Segment};
use hw::copy;
use hw::registers::Registers;
use hw::sync::SpinGuard;
use memory::{Budget, EntryUpdate, Mode, PageType, Paging, Stop, TableMemory};
use vocabulary::{Errno, VirtAddr};

use crate::counters::count;
use crate::registers::{set_general, View};
use crate::vcpu::Vcpu;
use crate::{levels, machine, refusals, trace};

/// Emulates the write that faulted at `address`, if it goes to a page table of the domain. Says whether it
/// was handled; if not, the fault is the guest's own.
pub fn emulate(vcpu: &Vcpu, registers: &mut Registers, address: VirtAddr) -> bool {
    if !address.is_guest() {
        return false;
    }
    let mmu = machine::mmu();
    let mut paging = vcpu.domain.paging.lock();
    let Some(entry) = mmu
        .locate(&paging, vcpu.kernel_base(), address)
        .map(|slot| mmu.entry_at(slot))
    else {
        return false;
    };
    if entry & (memory::entry::PRESENT | memory::entry::WRITE) != memory::entry::PRESENT {
        return false;
    }
    let table = memory::entry::frame(entry);
    // Upper tables are changed by asking: a plain write to one is the guest's own fault.
    if mmu.table_type(&paging, table) != Some(PageType::L1) {
        return false;
    }
    let index = (address.0 as usize & 0xfff) >> 3;
    let mut update = EntryUpdate {
        table,
        index,
        value: 0,
        mode: Mode::Normal,
        page_owner: vcpu.domain.id,
    };
    let mut first = [0; 1];
    if copy::read_words(VirtAddr(registers.rip), &mut first).is_ok() && address.0 & 7 == 0 {
        let [bytes] = first;
        if let Some(exchange) = quadword_exchange(bytes) {
            count(&vcpu.counters.table_writes);
            update.value = View { registers }.general(exchange.register);
            let result = mmu.update_entry(&mut paging, &update, &mut Budget::new(BUDGET));
            drop(paging);
            return match result {
                Ok(updated) => {
                    trace::note_table_write(registers.rip, address.0, update.value);
                    set_general(registers, exchange.register, updated.old);
                    registers.rip = registers.rip.wrapping_add(u64::from(exchange.length));
                    true
                }
                Err(stop) => stopped(vcpu, registers, stop),
            };
        }
    }
    emulate_any(vcpu, registers, address, paging, update)
}

/// What becomes of a write that was not done; says whether that was handled.
#[cold]
fn stopped(vcpu: &Vcpu, registers: &Registers, stop: Stop) -> bool {
    match stop {
        // The instruction runs again from its start; what was done so far is kept.
        Stop::Again => true,
        Stop::Refused(refusal) => {
            // The guest sees the fault that it had.
            refusals::note_emulated(vcpu, registers, refusal);
            false
        }
    }
}

/// Any other instruction that writes. `update` says where; its value and mode are filled in here.
fn emulate_any(
    vcpu: &Vcpu,
    registers: &mut Registers,
    address: VirtAddr,
    mut paging: SpinGuard<'_, Paging, { levels::PAGING }>,
    mut update: EntryUpdate,
) -> bool {
    let mmu = machine::mmu();
    let (code, read) = read_code(registers.rip);
    let Some(code) = code.get(..read) else {
        return false;
    };
    let view = View { registers };
    let Ok(write) = page_table_write(code, &view, address) else {
        return false;
    };
    count(&vcpu.counters.table_writes);
    let result = loop {
        let current = mmu.memory.read(update.table, update.index);
        let outcome = write.apply(current, &view);
        update.value = outcome.entry;
        // What the instruction reads is what was there at the exchange: the processor may set accessed and
        // dirty bits at any time, and they must not get lost.
        update.mode = Mode::IfStill(current);
        match mmu.update_entry(&mut paging, &update, &mut Budget::new(BUDGET)) {
            Ok(_) => break Ok(outcome),
            Err(Stop::Refused(refusal)) if refusal.errno == Errno::EAGAIN => {}
            Err(stop) => break Err(stop),
        }
    };
    drop(paging);
    match result {
        Ok(outcome) => {
            trace::note_table_write(registers.rip, address.0, outcome.entry);
            finish(registers, &outcome, write.length);
            true
        }
        Err(stop) => stopped(vcpu, registers, stop),
    }
}

/// Entries an emulated write may look at before the instruction is started again.
const BUDGET: u32 = 8192;

fn finish(registers: &mut Registers, outcome: &emulate::Outcome, length: u8) {
    if let Some(write) = outcome.register {
        set_general(registers, write.number, write.value);
    }
    if let Some(flags) = outcome.flags {
        registers.rflags = flags.on(registers.rflags);
    }
    registers.rip = registers.rip.wrapping_add(u64::from(length));
}

/// Code at an instruction pointer: 16 bytes and how many of them could be read, 15 at most.
#[inline]
pub fn read_code(rip: u64) -> ([u8; 16], usize) {
    let mut words = [0u64; 2];
    if copy::read_words(VirtAddr(rip), &mut words).is_ok() {
        let [low, high] = words.map(u128::from);
        return ((low | high << 64).to_le_bytes(), 15);
    }
    read_to_page_end(rip)
}

/// The same where the next page cannot be read.
#[cold]
fn read_to_page_end(rip: u64) -> ([u8; 16], usize) {
    let mut code = [0; 16];
    let left = (4096 - (rip as usize & 0xfff)).min(15);
    let read = code
        .get_mut(..left)
        .is_some_and(|part| copy::read_bytes(VirtAddr(rip), part).is_ok());
    (code, if read { left } else { 0 })
}

/// Bases in 64-bit mode: only `fs` and `gs` have one.
pub fn segment_base(segment: Segment) -> u64 {
    let (fs, gs, _) = hw::switch::bases();
    match segment {
        Segment::Fs => fs,
        Segment::Gs => gs,
        _ => 0,
    }
}
