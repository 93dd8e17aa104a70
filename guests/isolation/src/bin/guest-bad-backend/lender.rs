//! The guest whose pages a bad back end uses: what it lends read-only stays as it is, what it does
//! not lend too.

use crate::PAGES;
use guest_isolation::lending::Lending;
use guest_kit::events::{self, alloc_unbound};
use guest_kit::pages::Page;
use guest_kit::random::Random;
use guest_kit::time::{now, SECOND};
use guest_kit::xenstore;

/// Ports that are lent.
const PORTS: u32 = 8;
/// Pages that are not lent.
const OWN: usize = 64;

/// Lends, looks, ends.
pub fn run(peer: u16, seconds: u64) {
    let mut lending = Lending::new(PAGES);
    let own = Page::take_run(OWN);
    let mut reading = [0; PAGES as usize / 2];
    for number in 0..PAGES as usize {
        let readonly = number % 2 == 1;
        let (reference, page) = lending.lend(peer, readonly);
        fill(page, reference as u64);
        if readonly {
            reading[number / 2] = reference;
        }
    }
    for number in 0..OWN as u64 {
        fill(own.next(number), 1000 + number);
    }
    for _ in 0..PORTS {
        match alloc_unbound(0x7ff0, peer) {
            Ok(port) => events::set_masked(port, true),
            Err(error) => guest_kit::say!("LENDER FAIL: no port: {error}"),
        }
    }
    guest_kit::say!("LENDER-READY peer {peer}");
    let _ = xenstore::write("data/ready", "1");
    let end = now() + seconds * SECOND;
    let mut second = 0;
    while now() < end {
        for reference in reading {
            check(lending.page(reference), reference as u64);
        }
        for number in 0..OWN as u64 {
            check(own.next(number), 1000 + number);
        }
        second += 1;
        guest_kit::say!("LENDER second {second}");
        xenstore::sleep(SECOND);
    }
    guest_kit::say!("LENDER-END ok");
}

fn fill(page: Page, seed: u64) {
    let mut random = Random::new(seed);
    for word in page.words() {
        *word = random.next();
    }
}

fn check(page: Page, seed: u64) {
    let mut random = Random::new(seed);
    for (index, word) in page.words().iter().enumerate() {
        let expected = random.next();
        if *word != expected {
            guest_kit::say!(
                "LENDER FAIL: page {seed} word {index}: expected {expected:#x}, found {word:#x}"
            );
            guest_kit::hypercall::shutdown(3);
        }
    }
}
