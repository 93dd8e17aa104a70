//! Structures of the interface, copied once from and to the calling guest's memory.

use hw::copy;
use vocabulary::{refuse, Errno, Refused, VirtAddr};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Copies a structure in.
#[inline]
pub fn read<T: FromBytes + IntoBytes>(handle: u64) -> Refused<T> {
    let mut value = T::new_zeroed();
    match copy::read_bytes(VirtAddr(handle), value.as_mut_bytes()) {
        Ok(()) => Ok(value),
        Err(_) => refuse(Errno::EFAULT, "an argument's address cannot be read"),
    }
}

/// Copies a structure out.
#[inline]
pub fn write<T: IntoBytes + Immutable>(handle: u64, value: &T) -> Refused<()> {
    write_bytes(handle, value.as_bytes())
}

/// Copies bytes in.
pub fn read_bytes(handle: u64, bytes: &mut [u8]) -> Refused<()> {
    match copy::read_bytes(VirtAddr(handle), bytes) {
        Ok(()) => Ok(()),
        Err(_) => refuse(Errno::EFAULT, "an argument's address cannot be read"),
    }
}

/// Copies bytes out.
pub fn write_bytes(handle: u64, bytes: &[u8]) -> Refused<()> {
    match copy::write_bytes(VirtAddr(handle), bytes) {
        Ok(()) => Ok(()),
        Err(_) => refuse(Errno::EFAULT, "a result's address cannot be written"),
    }
}

/// Copies words in.
#[inline]
pub fn read_words<const COUNT: usize>(handle: u64) -> Refused<[u64; COUNT]> {
    let mut words = [0; COUNT];
    match copy::read_words(VirtAddr(handle), &mut words) {
        Ok(()) => Ok(words),
        Err(_) => refuse(Errno::EFAULT, "an argument's address cannot be read"),
    }
}

/// Copies a word out.
#[inline]
pub fn write_word(handle: u64, word: u64) -> Refused<()> {
    match copy::write_words(VirtAddr(handle), &[word]) {
        Ok(()) => Ok(()),
        Err(_) => refuse(Errno::EFAULT, "a result's address cannot be written"),
    }
}

/// The address of element `index` of an array of `T`; wraps like the processor's own arithmetic, so that a
/// wrapped one is refused where it is used.
#[inline]
pub fn element<T>(array: u64, index: u64) -> u64 {
    array.wrapping_add(index.wrapping_mul(core::mem::size_of::<T>() as u64))
}
