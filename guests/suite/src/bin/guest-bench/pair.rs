//! Between two guests: an event there and back, and the use of a page that the other lends.

use crate::bench;
use guest_kit::events::{self, alloc_unbound, bind_interdomain};
use guest_kit::grants::{self, CopyEnd};
use guest_kit::hypercall::{at, sched_op};
use guest_kit::pages::Page;
use guest_kit::xenstore;

/// The reference under which the server lends its page.
const REFERENCE: u32 = 20;
/// Ports among which the client looks for the server's.
const PORTS: u32 = 32;
/// How long to wait for the other guest, in seconds.
const PATIENCE: u64 = 120;
/// What the client writes into the page when it is done.
const DONE: u64 = 0x656e_6f64;

fn peer() -> Option<u16> {
    let peer = xenstore::wait_for_number("data/peer", PATIENCE);
    if peer.is_none() {
        guest_kit::say!("BENCH-FAIL no data/peer");
    }
    peer.map(|number| number as u16)
}

/// Waits until the port is pending, and takes the bit away.
fn wait(port: u32) {
    let ports = [port];
    while !events::clear_pending(port) {
        sched_op(3, at(&[at(&ports), 1, 0]));
    }
}

/// Lends a page, answers each event with one, until the client is done.
pub fn serve() {
    let Some(peer) = peer() else {
        return;
    };
    let page = Page::take();
    let Ok(port) = alloc_unbound(0x7ff0, peer) else {
        guest_kit::say!("BENCH-FAIL no port");
        return;
    };
    events::set_masked(port, true);
    grants::setup().grant(REFERENCE, grants::PERMIT_ACCESS, peer, page.mfn());
    guest_kit::say!("BENCH-SERVER ready");
    let done = page.va as *const u64;
    while unsafe { done.read_volatile() } != DONE {
        wait(port);
        events::send(port);
    }
}

/// Measures, and lets the server go.
pub fn measure() {
    let Some(peer) = peer() else {
        return;
    };
    let window = Page::take();
    let (mut map, mut looks) = (grants::Map::default(), 0);
    while looks == 0 || map.status != 0 {
        map = grants::map(window.va, grants::MAP_HOST, REFERENCE, peer);
        xenstore::sleep(100_000_000);
        looks += 1;
        if looks > 10 * PATIENCE {
            guest_kit::say!("BENCH-FAIL no page lent: {}", map.status);
            return;
        }
    }
    let port = (1..PORTS).find_map(|remote| bind_interdomain(peer, remote).ok());
    let Some(port) = port else {
        guest_kit::say!("BENCH-FAIL no port lent");
        return;
    };
    events::set_masked(port, true);
    // A bound port is pending once, as a greeting.
    events::clear_pending(port);
    bench("event-round-trip-between-guests", || {
        events::send(port);
        wait(port);
    });
    let other = Page::take();
    bench("grant-map-unmap-between-guests", || {
        let map = grants::map(other.va, grants::MAP_HOST, REFERENCE, peer);
        grants::unmap(other.va, map.handle);
    });
    let (theirs, ours) = (
        CopyEnd {
            frame_or_reference: REFERENCE as u64,
            domain: peer,
            ..CopyEnd::default()
        },
        CopyEnd {
            frame_or_reference: Page::take().mfn(),
            domain: 0x7ff0,
            ..CopyEnd::default()
        },
    );
    bench("grant-copy-4096-between-guests", || {
        grants::copy(theirs, ours, 4096, 1);
    });
    window.words()[0] = DONE;
    events::send(port);
}
