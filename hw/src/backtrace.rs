//! Backtraces by frame pointers, with function names where xtask appended them to the image.
//!
//! The table of names (`xtask/src/image.rs` writes it) is made of 32-bit numbers, little-endian: the magic "XSYM", the
//! number of functions, then for each by rising address its offset from the image's link address and its name's offset
//! in the names; then the names, each ended by a zero byte. Nothing here allocates, locks or faults.

use core::fmt;

use crate::{console, layout};

const MAGIC: &[u8] = b"XSYM";
const HEADER_BYTES: usize = 8;
const ENTRY_BYTES: usize = 8;
/// Stacks end at multiples of this (`percpu::area`), the boot stack too.
const STACK_ALIGNMENT: u64 = 0x1_0000;
/// Frames shown at most.
const DEPTH: usize = 48;

/// The table of names.
#[derive(Clone, Copy)]
struct Names {
    entries: &'static [u8],
    names: &'static [u8],
}

impl Names {
    /// The table behind the image, if there is a sound one.
    fn find() -> Option<Self> {
        let table = table_bytes()?;
        let count = number(table, 4)? as usize;
        let split = HEADER_BYTES.checked_add(count.checked_mul(ENTRY_BYTES)?)?;
        let (entries, names) = table.split_at_checked(split)?;
        table.starts_with(MAGIC).then_some(Self {
            entries: entries.get(HEADER_BYTES..)?,
            names,
        })
    }

    /// The function that covers an offset in the image, and how far into it that is.
    fn name(&self, offset: u32) -> Option<(&'static str, u32)> {
        let count = self.entries.len() / ENTRY_BYTES;
        let start_of = |index: usize| number(self.entries, index * ENTRY_BYTES);
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if start_of(middle)? <= offset {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let index = low.checked_sub(1)?;
        let name_at = number(self.entries, index * ENTRY_BYTES + 4)? as usize;
        let rest = self.names.get(name_at..)?;
        let name = rest.split(|&byte| byte == 0).next()?;
        let name = core::str::from_utf8(name).ok()?;
        Some((name, offset.wrapping_sub(start_of(index)?)))
    }
}

fn number(bytes: &[u8], offset: usize) -> Option<u32> {
    let rest = bytes.get(offset..)?;
    Some(u32::from_le_bytes(*rest.first_chunk()?))
}

#[cfg(target_os = "none")]
fn table_bytes() -> Option<&'static [u8]> {
    let (address, length) = crate::boot::symbol_table()?;
    let first = layout::direct(address).0 as *const u8;
    // SAFETY: xtask put the table there as a loaded part of the image, which `BootInfo::image_end` includes, so nobody
    // gets that memory; the direct map covers it from the first instruction in Rust on.
    Some(unsafe { core::slice::from_raw_parts(first, length) })
}

#[cfg(not(target_os = "none"))]
fn table_bytes() -> Option<&'static [u8]> {
    None
}

/// A code address that shows itself as `function+offset (address)`.
#[derive(Clone, Copy, Debug)]
pub struct Symbol(pub u64);

impl fmt::Display for Symbol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.0.wrapping_sub(layout::IMAGE_BASE);
        let found = u32::try_from(offset)
            .ok()
            .and_then(|offset| Names::find()?.name(offset));
        match found {
            Some((name, into)) => write!(formatter, "{name}+{into:#x} ({:#x})", self.0),
            None => write!(formatter, "{:#x}", self.0),
        }
    }
}

/// Prints who called whom, from the function that the instruction pointer `rip` was in: `rbp` is its frame pointer,
/// `rsp` its stack pointer.
pub fn print(rip: u64, rbp: u64, rsp: u64) {
    console::print(format_args!("Backtrace:\n  {}\n", Symbol(rip)));
    for address in Frames::new(rbp, rsp).take(DEPTH) {
        // A return address is the one after the call: the call itself is in the function to be named.
        console::print(format_args!("  {}\n", Symbol(address.wrapping_sub(1))));
    }
}

/// Prints who called the caller.
pub fn print_here() {
    let (rbp, rsp, rip): (u64, u64, u64);
    // SAFETY: reads registers only.
    unsafe {
        core::arch::asm!(
            "mov {}, rbp", "mov {}, rsp", "lea {}, [rip]",
            out(reg) rbp, out(reg) rsp, out(reg) rip,
            options(nomem, nostack, preserves_flags)
        );
    }
    print(rip, rbp, rsp);
}

/// Return addresses up the stack.
struct Frames {
    frame: u64,
    /// Frames lie from here ...
    low: u64,
    /// ... up to here.
    high: u64,
}

impl Frames {
    fn new(rbp: u64, rsp: u64) -> Self {
        Self {
            frame: rbp,
            low: rsp,
            high: rsp.saturating_add(1).next_multiple_of(STACK_ALIGNMENT),
        }
    }
}

impl Iterator for Frames {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let frame = self.frame;
        let inside = frame >= self.low && frame <= self.high.saturating_sub(16);
        if !inside || frame % 8 != 0 {
            return None;
        }
        let caller = read_word(frame)?;
        let address = read_word(frame.wrapping_add(8))?;
        // Frames only go up, so a broken chain cannot go round.
        self.low = frame.wrapping_add(16);
        self.frame = caller;
        (address != 0).then_some(address)
    }
}

/// A word of the stack, or `None` where nothing is mapped.
fn read_word(address: u64) -> Option<u64> {
    let (value, failed): (u64, u32);
    // SAFETY: only reads, inside a stack's area; where that has a guard page, the fault at the listed instruction goes
    // on behind it with `failed` still one.
    unsafe {
        core::arch::asm!(
            ".pushsection .ex_table, \"a\", @progbits",
            ".quad 2f, 3f",
            ".popsection",
            "2: mov {value}, [{address}]",
            "xor {failed:e}, {failed:e}",
            "3:",
            address = in(reg) address,
            value = inout(reg) 0u64 => value,
            failed = inout(reg) 1u32 => failed,
            options(nostack, readonly)
        );
    }
    (failed == 0).then_some(value)
}
