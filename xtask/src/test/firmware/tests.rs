//! Tests of reading the firmware's numbers.

use super::little_endian;

#[test]
fn numbers_are_little_endian() {
    assert_eq!(little_endian(&[0x78, 0x56, 0x34, 0x12]), 0x1234_5678);
    assert_eq!(little_endian(&[]), 0);
}
