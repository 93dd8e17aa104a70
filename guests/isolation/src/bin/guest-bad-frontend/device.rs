//! Connecting to a back end through XenStore, as every front end does.

use guest_kit::console::Line;
use guest_kit::events::{self, alloc_unbound};
use guest_kit::time::{now, SECOND};
use guest_kit::xenstore::{self, ANSWER};

/// States of a device's ends (public/io/xenbus.h).
pub mod state {
    /// The front end begins anew.
    pub const INITIALISING: u64 = 1;
    /// The back end waits for the front end's details.
    pub const INIT_WAIT: u64 = 2;
    /// The details are there.
    pub const INITIALISED: u64 = 3;
    /// Both work.
    pub const CONNECTED: u64 = 4;
    /// On the way down.
    pub const CLOSING: u64 = 5;
    /// Down.
    pub const CLOSED: u64 = 6;
}

/// A kind of device.
pub struct Kind {
    /// Its folder, below the domain's own.
    pub folder: &'static str,
    /// The keys of its rings' grant references.
    pub rings: &'static [&'static str],
    /// Bytes of a request in each ring.
    pub request: &'static [usize],
    /// The state that says that the details are there.
    pub ready: u64,
}

/// The first disk, `xvda`.
pub const DISK: Kind = Kind {
    folder: "device/vbd/51712",
    rings: &["ring-ref"],
    request: &[112],
    ready: state::INITIALISED,
};

/// The first network card.
pub const NETWORK: Kind = Kind {
    folder: "device/vif/0",
    rings: &["tx-ring-ref", "rx-ring-ref"],
    request: &[12, 8],
    ready: state::CONNECTED,
};

impl Kind {
    /// Writes a number below the device's folder.
    pub fn write(&self, key: &str, value: u64) {
        let path = path(self.folder, key);
        let _ = xenstore::write_number(path.text(), value);
    }

    /// The state of the back end; 0 if there is none.
    pub fn backend_state(&self) -> u64 {
        let mut answer = [0; ANSWER];
        let folder = path(self.folder, "backend");
        let Ok(backend) = xenstore::read(folder.text(), &mut answer) else {
            return 0;
        };
        xenstore::read_number(path(backend, "state").text()).unwrap_or(0)
    }

    /// Waits for the back end to reach a state; gives whether it did in some seconds.
    pub fn wait_for(&self, wanted: u64) -> bool {
        let end = now() + 8 * SECOND;
        while now() < end {
            if self.backend_state() == wanted {
                return true;
            }
            xenstore::sleep(50_000_000);
        }
        false
    }

    /// Offers rings under these references; gives the port and whether the back end connected.
    pub fn connect(&self, references: &[u32]) -> (u32, bool) {
        self.write("state", state::INITIALISING);
        self.wait_for(state::INIT_WAIT);
        let port = alloc_unbound(0x7ff0, 0).unwrap_or(0);
        events::set_masked(port, true);
        for (key, reference) in self.rings.iter().zip(references) {
            self.write(key, *reference as u64);
        }
        self.write("event-channel", port as u64);
        let protocol = path(self.folder, "protocol");
        let _ = xenstore::write(protocol.text(), "x86_64-abi");
        self.write("request-rx-copy", 1);
        self.write("state", self.ready);
        let connected = self.wait_for(state::CONNECTED);
        self.write("state", state::CONNECTED);
        (port, connected)
    }

    /// Goes down in an orderly way.
    pub fn disconnect(&self, port: u32) {
        self.write("state", state::CLOSING);
        self.wait_for(state::CLOSING);
        self.write("state", state::CLOSED);
        self.wait_for(state::CLOSED);
        events::close(port);
    }
}

fn path(folder: &str, key: &str) -> Line {
    use core::fmt::Write;
    let mut line = Line::new();
    let _ = write!(line, "{folder}/{key}");
    line
}
