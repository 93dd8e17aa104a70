//! The console ring: the last of what was printed, for `xl dmesg`. Kept under the console's lock.

use hw::sync::SpinLock;

use crate::levels;

/// Bytes kept.
const SIZE: usize = 32 << 10;

struct Ring {
    bytes: [u8; SIZE],
    /// Bytes ever written; the place of the next is this modulo the size.
    written: usize,
    /// The first byte that was not cleared.
    start: usize,
}

static RING: SpinLock<Ring, { levels::CONSOLE_RING }> = SpinLock::new(Ring { bytes: [0; SIZE], written: 0, start: 0 });

/// Adds output.
pub fn append(bytes: &[u8]) {
    let mut ring = RING.lock();
    for &byte in bytes {
        let place = ring.written % SIZE;
        if let Some(slot) = ring.bytes.get_mut(place) {
            *slot = byte;
        }
        ring.written = ring.written.wrapping_add(1);
    }
    ring.start = ring.start.max(ring.written.saturating_sub(SIZE));
}

/// Copies output from byte number `from` on (or from the oldest kept) and answers (bytes copied, number of the byte
/// after them).
pub fn copy(from: usize, to: &mut [u8]) -> (usize, usize) {
    let ring = RING.lock();
    let first = from.max(ring.start);
    let count = to.len().min(ring.written.saturating_sub(first));
    for (offset, slot) in to.iter_mut().take(count).enumerate() {
        *slot = ring.bytes.get((first + offset) % SIZE).copied().unwrap_or(0);
    }
    (count, first + count)
}

/// Forgets what was kept.
pub fn clear() {
    let mut ring = RING.lock();
    ring.start = ring.written;
}
