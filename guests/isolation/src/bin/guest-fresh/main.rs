//! Is fresh memory empty? A guest that looks at every page it was given before it writes there, for
//! what another of its kind has written, and then writes it itself.
//!
//! Words: `seed=N`, the same for those that look for each other's. Says `FRESH pages N, found M`,
//! where M counts the pages that held something of another's, then fills them all, looks again to
//! see that it would have found it, says `FRESH-END ok`, and powers off.
#![no_std]
#![no_main]

use guest_kit::command_line::number;
use guest_kit::mmu;
use guest_kit::pages::{p2m, Page, PAGE};
use guest_kit::start::{start_info, VIRT_BASE};

guest_kit::guest_main!(main);

/// Pages behind the tables that the builder may have used for something else.
const MARGIN: u64 = 16;

fn main() {
    let info = start_info();
    let first = (info.pt_base - VIRT_BASE) / PAGE + info.nr_pt_frames + MARGIN;
    let pages = first..info.nr_pages;
    let word = number("seed")
        .unwrap_or(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        | 1;
    let window = Page::take();
    let count = pages.end.saturating_sub(first);
    guest_kit::say!(
        "FRESH pages {count}, found {}",
        look(window, pages.clone(), word)
    );
    for pfn in pages.clone() {
        show(window, pfn);
        window.words().fill(word);
    }
    let found = look(window, pages, word);
    if found == count {
        guest_kit::say!("FRESH-END ok");
    } else {
        guest_kit::say!("FRESH FAIL: of {count} pages that were filled {found} were found");
    }
}

/// How many of these pages hold the word.
fn look(window: Page, pages: core::ops::Range<u64>, word: u64) -> u64 {
    let mut found = 0;
    for pfn in pages {
        show(window, pfn);
        found += u64::from(window.words().contains(&word));
    }
    found
}

/// Maps a page of the guest's at the window.
fn show(window: Page, pfn: u64) {
    let entry = (p2m(pfn) * PAGE) | mmu::WRITABLE;
    let result = mmu::update_va_mapping(window.va, entry, mmu::INVLPG);
    assert_eq!(result, 0, "mapping pfn {pfn:#x}");
}
