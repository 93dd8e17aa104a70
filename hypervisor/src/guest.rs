//! Structures of the interface, copied once from and to the calling guest's memory.

use core::mem::size_of;

use hw::copy;
use vocabulary::{refuse, Errno, Refusal, Refused, VirtAddr};
use zerocopy::{FromBytes, Immutable, IntoBytes};

const CANNOT_READ: &str = "an argument's address cannot be read";
const CANNOT_WRITE: &str = "a result's address cannot be written";

/// Copies a structure in.
#[inline(always)]
pub fn read<T: FromBytes + IntoBytes>(handle: u64) -> Refused<T> {
    let from = VirtAddr(handle);
    // Small structures, whose sizes the compiler knows here, come word by word.
    let copied = match size_of::<T>() {
        4 => half_word(from),
        8 => words::<T, 1>(from),
        16 => words::<T, 2>(from),
        24 => words::<T, 3>(from),
        32 => words::<T, 4>(from),
        40 => words::<T, 5>(from),
        _ => large(from),
    };
    copied.ok_or(Refusal::new(Errno::EFAULT, CANNOT_READ))
}

#[inline(always)]
fn half_word<T: FromBytes>(from: VirtAddr) -> Option<T> {
    let value = copy::read_half_word(from).ok()?;
    T::read_from_bytes(value.as_bytes()).ok()
}

#[inline(always)]
fn words<T: FromBytes, const N: usize>(from: VirtAddr) -> Option<T> {
    let mut words = [0u64; N];
    copy::read_words(from, &mut words).ok()?;
    T::read_from_bytes(words.as_bytes()).ok()
}

fn large<T: FromBytes + IntoBytes>(from: VirtAddr) -> Option<T> {
    let mut value = T::new_zeroed();
    copy::read_bytes(from, value.as_mut_bytes()).ok()?;
    Some(value)
}

/// Copies a structure out.
#[inline(always)]
pub fn write<T: IntoBytes + Immutable>(handle: u64, value: &T) -> Refused<()> {
    let (to, bytes) = (VirtAddr(handle), value.as_bytes());
    let copied = match size_of::<T>() {
        2 => u16::read_from_bytes(bytes)
            .ok()
            .and_then(|value| copy::write_quarter_word(to, value).ok()),
        4 => u32::read_from_bytes(bytes)
            .ok()
            .and_then(|value| copy::write_half_word(to, value).ok()),
        8 => put_words::<1>(to, bytes),
        16 => put_words::<2>(to, bytes),
        24 => put_words::<3>(to, bytes),
        32 => put_words::<4>(to, bytes),
        _ => copy::write_bytes(to, bytes).ok(),
    };
    copied.ok_or(Refusal::new(Errno::EFAULT, CANNOT_WRITE))
}

#[inline(always)]
fn put_words<const N: usize>(to: VirtAddr, bytes: &[u8]) -> Option<()> {
    let words = <[u64; N]>::read_from_bytes(bytes).ok()?;
    copy::write_words(to, &words).ok()
}

/// Copies bytes in.
pub fn read_bytes(handle: u64, bytes: &mut [u8]) -> Refused<()> {
    match copy::read_bytes(VirtAddr(handle), bytes) {
        Ok(()) => Ok(()),
        Err(_) => refuse(Errno::EFAULT, CANNOT_READ),
    }
}

/// Copies bytes out.
pub fn write_bytes(handle: u64, bytes: &[u8]) -> Refused<()> {
    match copy::write_bytes(VirtAddr(handle), bytes) {
        Ok(()) => Ok(()),
        Err(_) => refuse(Errno::EFAULT, CANNOT_WRITE),
    }
}

/// Copies words in.
#[inline]
pub fn read_words<const COUNT: usize>(handle: u64) -> Refused<[u64; COUNT]> {
    let mut words = [0; COUNT];
    match copy::read_words(VirtAddr(handle), &mut words) {
        Ok(()) => Ok(words),
        Err(_) => refuse(Errno::EFAULT, CANNOT_READ),
    }
}

/// Copies a word out.
#[inline]
pub fn write_word(handle: u64, word: u64) -> Refused<()> {
    match copy::write_words(VirtAddr(handle), &[word]) {
        Ok(()) => Ok(()),
        Err(_) => refuse(Errno::EFAULT, CANNOT_WRITE),
    }
}

/// The address of element `index` of an array of `T`; wraps like the processor's own arithmetic, so that a
/// wrapped one is refused where it is used.
#[inline]
pub fn element<T>(array: u64, index: u64) -> u64 {
    array.wrapping_add(index.wrapping_mul(core::mem::size_of::<T>() as u64))
}
