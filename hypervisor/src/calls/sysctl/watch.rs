//! `sysctl`: the console's ring and the debug keys.

use vocabulary::Refused;
use xen_abi::sysctl_watch as abi;

use super::Request;
use crate::{console, debug_keys, guest};

/// The most debug keys of one call.
const KEYS: u32 = 256;

/// `XEN_SYSCTL_readconsole`.
pub fn read_console(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::Readconsole>()?;
    let mut at = console::start((asked.incremental != 0).then_some(asked.index));
    let mut written = 0;
    while written < asked.count {
        let mut piece = [0; 512];
        let room = piece.len().min((asked.count - written) as usize);
        let read = console::read_from(at, piece.get_mut(..room).unwrap_or_default());
        if read == 0 {
            break;
        }
        let place = asked.buffer.wrapping_add(u64::from(written));
        guest::write_bytes(place, piece.get(..read).unwrap_or_default())?;
        at = at.wrapping_add(read as u32);
        written += read as u32;
    }
    if asked.clear != 0 {
        console::clear(at);
    }
    (asked.count, asked.index) = (written, at);
    request.answer(&asked)
}

/// `XEN_SYSCTL_debug_keys`.
pub fn debug_keys(request: &mut Request) -> Refused<()> {
    let asked = request.part::<abi::DebugKeys>()?;
    for index in 0..asked.nr_keys.min(KEYS) {
        let key = guest::read::<u8>(asked.keys.wrapping_add(u64::from(index)))?;
        debug_keys::run(key);
    }
    Ok(())
}
