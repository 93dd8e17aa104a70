//! Lending pages to another domain: a grant table, and pages of the pool under its references.

use guest_kit::grants::{self, Table, PERMIT_ACCESS, READ_ONLY};
use guest_kit::pages::Page;

/// The first reference used: those below belong to the toolstack.
pub const FIRST: u32 = 8;

/// Our grant table and what lies under its references.
pub struct Lending {
    table: Table,
    pages: Page,
    count: u32,
    next: u32,
}

impl Lending {
    /// Sets the table up; `count` pages can be lent at once.
    pub fn new(count: u32) -> Self {
        Lending {
            table: grants::setup(),
            pages: Page::take_run(count as usize),
            count,
            next: 0,
        }
    }

    /// Lends the next page to `domain`; gives its reference and the page. After the last page comes
    /// the first again, whoever still has it.
    pub fn lend(&mut self, domain: u16, readonly: bool) -> (u32, Page) {
        let number = self.next % self.count;
        self.next = self.next.wrapping_add(1);
        let (reference, page) = (FIRST + number, self.pages.next(number as u64));
        let flags = PERMIT_ACCESS | if readonly { READ_ONLY } else { 0 };
        self.table.grant(reference, flags, domain, page.mfn());
        (reference, page)
    }

    /// Takes a reference away without asking whether somebody uses it.
    pub fn revoke(&self, reference: u32) {
        self.table.grant(reference, 0, 0, 0);
    }

    /// Writes any entry.
    pub fn write(&self, reference: u32, flags: u16, domain: u16, frame: u64) {
        self.table.grant(reference, flags, domain, frame);
    }

    /// The flags of an entry now.
    pub fn flags(&self, reference: u32) -> u16 {
        self.table.flags(reference)
    }

    /// The page under a reference that was lent.
    pub fn page(&self, reference: u32) -> Page {
        self.pages
            .next((reference - FIRST) as u64 % self.count as u64)
    }
}
