//! The interface's bitmaps: a guest's address with a number of bits (`struct xenctl_bitmap`).

use vocabulary::{refuse, Errno, Refused};
use xen_abi::xen::XenctlBitmap;

use crate::guest;

/// The most bits that are read or written: more than there are processors, nodes or ports of anything.
const MOST_BITS: u32 = 1 << 16;
/// Bytes moved at once.
const PIECE: usize = 64;

/// Writes bits, lowest byte first, as far as there is room; what `bits` lacks is zero. EINVAL: room for more than
/// 65536 bits; EFAULT.
pub fn write(to: &XenctlBitmap, bits: &[u8]) -> Refused<()> {
    let room = bytes_of(to)?;
    let mut written = 0;
    while written < room {
        let mut piece = [0; PIECE];
        let length = PIECE.min(room - written);
        let rest = bits.get(written..).unwrap_or_default();
        for (place, &byte) in piece.iter_mut().zip(rest) {
            *place = byte;
        }
        if let Some(last) = piece
            .get_mut(length - 1)
            .filter(|_| written + length == room)
        {
            *last &= last_mask(to.nr_bits);
        }
        let place = to.bitmap.wrapping_add(written as u64);
        guest::write_bytes(place, piece.get(..length).unwrap_or_default())?;
        written += length;
    }
    Ok(())
}

/// Reads the bits that fit into `bits`; those that are not given are zero. EINVAL, EFAULT as [`write()`].
pub fn read(from: &XenctlBitmap, bits: &mut [u8]) -> Refused<()> {
    let given = bytes_of(from)?;
    bits.fill(0);
    let length = given.min(bits.len());
    let place = bits.get_mut(..length).unwrap_or_default();
    guest::read_bytes(from.bitmap, place)?;
    if let Some(last) = place.last_mut().filter(|_| length == given) {
        *last &= last_mask(from.nr_bits);
    }
    Ok(())
}

fn bytes_of(bitmap: &XenctlBitmap) -> Refused<usize> {
    if bitmap.nr_bits > MOST_BITS {
        return refuse(Errno::EINVAL, "a bitmap has at most 65536 bits");
    }
    Ok(bitmap.nr_bits.div_ceil(8) as usize)
}

/// The bits of the last byte that are among the first `count` of all.
fn last_mask(count: u32) -> u8 {
    match count % 8 {
        0 => u8::MAX,
        rest => (1 << rest) - 1,
    }
}
