//! The VGA text screen, 80 by 25 characters.

use core::sync::atomic::{AtomicUsize, Ordering};

use vocabulary::MachineAddr;

use crate::{layout, ports};

const COLUMNS: usize = 80;
const ROWS: usize = 25;
const CELLS: usize = COLUMNS * ROWS;
/// Machine address of colour text memory.
const TEXT_MEMORY: u64 = 0xb_8000;
/// Light grey on black.
const ATTRIBUTE: u16 = 0x0700;

/// The CRT controller's index and data ports, and its two cursor registers (IBM VGA manual).
const CRTC_INDEX: u16 = 0x3d4;
const CRTC_DATA: u16 = 0x3d5;
const CURSOR_HIGH: u8 = 0x0e;
const CURSOR_LOW: u8 = 0x0f;

/// Where the next character goes. Two processors that write at once mix their text; nothing worse.
static CURSOR: AtomicUsize = AtomicUsize::new(0);

/// Clears the screen.
pub fn clear() {
    for cell in 0..CELLS {
        store(cell, ATTRIBUTE | u16::from(b' '));
    }
    CURSOR.store(0, Ordering::Relaxed);
    show_cursor(0);
}

/// Writes text, scrolling at the end. Control characters other than line feed, carriage return, tab and backspace
/// are left out.
pub fn write(bytes: &[u8]) {
    let mut cursor = CURSOR.load(Ordering::Relaxed).min(CELLS - 1);
    for &byte in bytes {
        match byte {
            b'\n' => cursor = (cursor / COLUMNS + 1) * COLUMNS,
            b'\r' => cursor -= cursor % COLUMNS,
            b'\t' => cursor = (cursor / 8 + 1) * 8,
            8 => cursor -= usize::from(cursor % COLUMNS != 0),
            0x20.. => {
                store(cursor, ATTRIBUTE | u16::from(byte));
                cursor += 1;
            }
            _ => {}
        }
        if cursor >= CELLS {
            scroll();
            cursor = CELLS - COLUMNS;
        }
    }
    CURSOR.store(cursor, Ordering::Relaxed);
    show_cursor(cursor);
}

/// Moves every row up by one and empties the last.
fn scroll() {
    for cell in COLUMNS..CELLS {
        store(cell - COLUMNS, load(cell));
    }
    for cell in CELLS - COLUMNS..CELLS {
        store(cell, ATTRIBUTE | u16::from(b' '));
    }
}

fn cell_pointer(cell: usize) -> *mut u16 {
    let offset = (cell % CELLS) as u64 * 2;
    layout::direct(MachineAddr(TEXT_MEMORY + offset)).0 as *mut u16
}

fn store(cell: usize, value: u16) {
    // SAFETY: `cell_pointer` stays inside text memory, which the direct map covers and no Rust object occupies (it is
    // video memory, never RAM); the address is even.
    unsafe { cell_pointer(cell).write_volatile(value) }
}

fn load(cell: usize) -> u16 {
    // SAFETY: as in `store`.
    unsafe { cell_pointer(cell).read_volatile() }
}

fn show_cursor(cell: usize) {
    let [low, high] = (cell as u16).to_le_bytes();
    // SAFETY: these registers only move the cursor on the screen.
    unsafe {
        ports::write_u8(CRTC_INDEX, CURSOR_HIGH);
        ports::write_u8(CRTC_DATA, high);
        ports::write_u8(CRTC_INDEX, CURSOR_LOW);
        ports::write_u8(CRTC_DATA, low);
    }
}
