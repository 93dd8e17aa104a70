//! The bad back end itself.

use crate::PAGES;
use guest_isolation::lending::FIRST;
use guest_kit::command_line;
use guest_kit::events::{self, bind_interdomain};
use guest_kit::grants::{self, CopyEnd, MAP_HOST, MAP_READ_ONLY};
use guest_kit::pages::Page;
use guest_kit::random::Random;
use guest_kit::time::{now, SECOND};
use guest_kit::xenstore;

/// Ports of the lender that are tried.
const PORTS: u32 = 48;
/// Where grants are mapped.
const WINDOWS: usize = 64;

/// Does what the command line says.
pub fn run(peer: u16, seconds: u64) {
    let windows = Page::take_run(WINDOWS);
    // The lender comes up at the same time: wait for its first grant.
    let end = now() + 60 * SECOND;
    while grants::map(windows.va, MAP_HOST, FIRST, peer).status != 0 && now() < end {
        xenstore::sleep(SECOND / 10);
    }
    guest_kit::say!("BORROWER-BEGIN of domain {peer}");
    match command_line::value("do") {
        Some("die") => die(peer, windows),
        Some("storm") => storm(peer, windows, seconds),
        _ => hold(peer, windows),
    }
    guest_kit::say!("BORROWER-END ok");
}

/// Maps all, writes to what it may write to, and sits there.
fn hold(peer: u16, windows: Page) {
    let mut held = 0;
    for number in 1..PAGES {
        let readonly = MAP_READ_ONLY * (number % 2);
        let window = windows.next(number as u64);
        let map = grants::map(window.va, MAP_HOST | readonly, FIRST + number, peer);
        if map.status == 0 {
            held += 1;
            if readonly == 0 {
                window.words()[0] = number as u64;
            }
        }
    }
    guest_kit::say!("BORROWER holds {held}");
    loop {
        xenstore::sleep(SECOND);
    }
}

/// Crashes with mappings made and more under way.
fn die(peer: u16, windows: Page) {
    for number in 1..PAGES / 2 {
        let window = windows.next(number as u64);
        grants::map(window.va, MAP_HOST, FIRST + 2 * number, peer);
    }
    guest_kit::say!("BORROWER dies");
    guest_kit::hypercall::shutdown(3)
}

/// Everything at random.
fn storm(peer: u16, windows: Page, seconds: u64) {
    let mut random = Random::new(now());
    let mut ports = [0; 16];
    let mut bound = 0;
    for remote in 1..PORTS {
        if let Ok(port) = bind_interdomain(peer, remote) {
            events::set_masked(port, true);
            if let Some(slot) = ports.get_mut(bound) {
                *slot = port;
                bound += 1;
            }
        }
    }
    guest_kit::say!("BORROWER bound {bound} ports");
    let mut handles = [0u32; WINDOWS];
    let (end, mut done) = (now() + seconds * SECOND, 0u64);
    let own = Page::take().mfn();
    while now() < end {
        done += 1;
        let number = random.below(WINDOWS as u64);
        let window = windows.next(number).va;
        let reference = match random.once_in(10) {
            true => random.next() as u32,
            false => FIRST + random.below(PAGES as u64) as u32,
        };
        match random.below(6) {
            0 => {
                for _ in 0..64 {
                    events::send(ports[random.below(16) as usize]);
                }
            }
            1 => {
                let flags = match random.once_in(8) {
                    true => random.next() as u32,
                    false => MAP_HOST | (MAP_READ_ONLY * random.below(2) as u32),
                };
                handles[number as usize] = grants::map(window, flags & !1, reference, peer).handle;
            }
            2 | 3 => {
                grants::unmap(window, handles[number as usize]);
            }
            _ => copy(&mut random, reference, peer, own),
        }
    }
    guest_kit::say!("BORROWER did {done}");
}

/// From the lender, or to it; what it lends read-only must refuse.
fn copy(random: &mut Random, reference: u32, peer: u16, own: u64) {
    let theirs = CopyEnd {
        frame_or_reference: reference as u64,
        domain: peer,
        offset: random.below(5000) as u16,
        ..CopyEnd::default()
    };
    let ours = CopyEnd {
        frame_or_reference: own,
        domain: 0x7ff0,
        ..CopyEnd::default()
    };
    let length = random.below(5000) as u16;
    match random.below(2) {
        0 => grants::copy(theirs, ours, length, 1),
        _ => grants::copy(ours, theirs, length, 2),
    };
}
