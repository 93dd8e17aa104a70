//! Page-table writes.

use proptest::prelude::*;
use vocabulary::VirtAddr;

use super::{any_vcpu, Vcpu};
use crate::decode::general;
use crate::*;

const ENTRY: u64 = 0xffff_8880_0123_4560;

/// Registers with rdi at a page-table entry.
fn vcpu() -> Vcpu {
    let mut vcpu = Vcpu::numbered();
    vcpu.general[7] = ENTRY;
    vcpu
}

fn decoded(bytes: &[u8]) -> PageTableWrite {
    page_table_write(bytes, &vcpu(), VirtAddr(ENTRY)).unwrap()
}

#[test]
fn the_hot_forms_of_linux() {
    // xchg %rax,(%rdi)
    let write = decoded(&[0x48, 0x87, 0x07]);
    assert_eq!((write.length, write.width), (3, Width::Quad));
    let outcome = write.apply(0x1234, &vcpu());
    assert_eq!(outcome.entry, 0);
    let register = outcome.register.unwrap();
    assert_eq!((register.number, register.value), (0, 0x1234));
    assert_eq!(outcome.flags, None);

    // lock andb $0xfd,(%rdi): the writable bit goes.
    let write = decoded(&[0xf0, 0x80, 0x27, 0xfd]);
    assert_eq!((write.length, write.width), (4, Width::Byte));
    let outcome = write.apply(0x8000_0000_1234_5067, &vcpu());
    assert_eq!(outcome.entry, 0x8000_0000_1234_5065);
    assert_eq!(outcome.register, None);

    // mov %rsi,(%rdi)
    let write = decoded(&[0x48, 0x89, 0x37]);
    assert_eq!(write.apply(7, &vcpu()).entry, 0x6666_6666_6666_6666);

    // movq $0,(%rdi)
    let write = decoded(&[0x48, 0xc7, 0x07, 0, 0, 0, 0]);
    assert_eq!(write.length, 7);
    assert_eq!(write.apply(7, &vcpu()).entry, 0);
}

#[test]
fn a_narrow_write_changes_its_part_of_the_entry_only() {
    let mut vcpu = vcpu();
    vcpu.general[7] = ENTRY + 4;
    // movl %esi,(%rdi)
    let write = page_table_write(&[0x89, 0x37], &vcpu, VirtAddr(ENTRY + 4)).unwrap();
    assert_eq!(write.entry_address(), VirtAddr(ENTRY));
    let outcome = write.apply(0x0123_4567_89ab_cdef, &vcpu);
    assert_eq!(outcome.entry, 0x6666_6666_89ab_cdef);
}

#[test]
fn narrow_exchanges_merge_into_their_register() {
    // xchg %eax,(%rdi) clears the upper half, xchg %ah,(%rdi) changes one byte, xchg %sil,(%rdi) another register's.
    let mut vcpu = vcpu();
    vcpu.general[0] = 0xaaaa_bbbb_cccc_dddd;
    let of = |bytes: &[u8]| {
        let write = page_table_write(bytes, &vcpu, VirtAddr(ENTRY)).unwrap();
        let outcome = write.apply(0x1122_3344_5566_7788, &vcpu);
        (outcome.entry, outcome.register.unwrap())
    };
    let (entry, register) = of(&[0x87, 0x07]);
    assert_eq!(
        (entry, register.value),
        (0x1122_3344_cccc_dddd, 0x5566_7788)
    );
    let (entry, register) = of(&[0x86, 0x27]);
    assert_eq!(entry, 0x1122_3344_5566_77dd);
    assert_eq!(register.value, 0xaaaa_bbbb_cccc_88dd);
    let (_, register) = of(&[0x40, 0x86, 0x37]);
    assert_eq!(
        (register.number, register.value),
        (6, 0x6666_6666_6666_6688)
    );
}

#[test]
fn the_other_instructions_of_the_general_decoder() {
    let apply = |bytes: &[u8], entry| {
        let vcpu = vcpu();
        let write = page_table_write(bytes, &vcpu, VirtAddr(ENTRY)).unwrap();
        assert_eq!(usize::from(write.length), bytes.len());
        write.apply(entry, &vcpu)
    };
    // lock orq $0x20,(%rdi)
    let or = [0xf0, 0x48, 0x83, 0x0f, 0x20];
    assert_eq!(apply(&or, 0x1001).entry, 0x1021);
    // lock cmpxchg %rsi,(%rdi)
    let compare = [0xf0, 0x48, 0x0f, 0xb1, 0x37];
    let found = apply(&compare, 0);
    assert_eq!((found.entry, found.register), (0x6666_6666_6666_6666, None));
    assert_eq!(found.flags.unwrap().value & 0x40, 0x40);
    let other = apply(&compare, 5);
    assert_eq!(other.entry, 5);
    assert_eq!(
        other.register.unwrap(),
        RegisterWrite {
            number: 0,
            value: 5
        }
    );
    assert_eq!(other.flags.unwrap().value & 0x40, 0);
    // lock xadd %rcx,(%rdi)
    let add = [0xf0, 0x48, 0x0f, 0xc1, 0x0f];
    let sum = apply(&add, u64::MAX);
    assert_eq!(sum.entry, 0x1111_1111_1111_1110);
    assert_eq!(sum.register.unwrap().value, u64::MAX);
    assert_eq!(sum.flags.unwrap().value & 1, 1);
    // lock btsq $63,(%rdi)
    let set = [0xf0, 0x48, 0x0f, 0xba, 0x2f, 63];
    assert_eq!(apply(&set, 1).entry, 1 << 63 | 1);
    // lock btrq $1,(%rdi)
    let reset = [0xf0, 0x48, 0x0f, 0xba, 0x37, 1];
    let outcome = apply(&reset, 3);
    assert_eq!((outcome.entry, outcome.flags.unwrap().value), (1, 1));
    // movnti %rsi,(%rdi)
    let stream = [0x48, 0x0f, 0xc3, 0x37];
    assert_eq!(apply(&stream, 1).entry, 0x6666_6666_6666_6666);
    // movw $0x1234,(%rdi)
    let word = [0x66, 0xc7, 0x07, 0x34, 0x12];
    assert_eq!(apply(&word, u64::MAX).entry, 0xffff_ffff_ffff_1234);
}

#[test]
fn a_bit_number_in_a_register_reaches_beyond_the_operand() {
    let mut vcpu = vcpu();
    vcpu.general[6] = 64 * 3 + 5;
    vcpu.general[7] = ENTRY - 24;
    // lock bts %rsi,(%rdi)
    let bytes = [0xf0, 0x48, 0x0f, 0xab, 0x37];
    let write = page_table_write(&bytes, &vcpu, VirtAddr(ENTRY)).unwrap();
    assert_eq!(write.apply(0, &vcpu).entry, 1 << 5);
    vcpu.general[6] = (-64_i64 + 7) as u64;
    vcpu.general[7] = ENTRY + 8;
    let write = page_table_write(&bytes, &vcpu, VirtAddr(ENTRY)).unwrap();
    assert_eq!(write.apply(0, &vcpu).entry, 1 << 7);
}

#[test]
fn what_is_no_write_to_the_faulting_entry_is_refused() {
    let refused =
        |bytes: &[u8], fault| page_table_write(bytes, &vcpu(), VirtAddr(fault)).unwrap_err();
    let exchange = [0x48, 0x87, 0x07];
    assert_eq!(refused(&exchange, ENTRY + 8), Undecodable::AnotherAddress);
    // xchg %rax,4(%rdi)
    let across = [0x48, 0x87, 0x47, 0x04];
    assert_eq!(refused(&across, ENTRY + 4), Undecodable::CrossesEntry);
    assert_eq!(refused(&[], ENTRY), Undecodable::Invalid);
    assert_eq!(refused(&exchange[..2], ENTRY), Undecodable::Invalid);
    // Reads, pushes, vector stores and strings are not emulated.
    // mov (%rdi),%rax
    let read = [0x48, 0x8b, 0x07];
    assert_eq!(refused(&read, ENTRY), Undecodable::NotEmulated);
    // movups %xmm0,(%rdi)
    let vector = [0x0f, 0x11, 0x07];
    assert_eq!(refused(&vector, ENTRY), Undecodable::NotEmulated);
    // rep stosq
    let string = [0xf3, 0x48, 0xab];
    assert_eq!(refused(&string, ENTRY), Undecodable::NotEmulated);
    // cmp %rax,(%rdi)
    let compare = [0x48, 0x39, 0x07];
    assert_eq!(refused(&compare, ENTRY), Undecodable::NotEmulated);
}

#[test]
fn segment_bases_count() {
    let mut vcpu = vcpu();
    vcpu.general[7] = ENTRY - vcpu.gs;
    // mov %rsi,%gs:(%rdi)
    let bytes = [0x65, 0x48, 0x89, 0x37];
    let write = page_table_write(&bytes, &vcpu, VirtAddr(ENTRY)).unwrap();
    assert_eq!(write.apply(0, &vcpu).entry, 0x6666_6666_6666_6666);
}

/// Encodings that begin like the hot forms: prefixes, opcode, ModRM, then anything.
fn hot_bytes() -> impl Strategy<Value = Vec<u8>> {
    let lock = prop_oneof![Just(vec![]), Just(vec![0xf0])];
    let rex = prop_oneof![Just(vec![]), (0x40..=0x4f_u8).prop_map(|rex| vec![rex])];
    let opcode = prop::sample::select(vec![
        0x80_u8, 0x81, 0x83, 0x86, 0x87, 0x88, 0x89, 0xc6, 0xc7,
    ]);
    let rest = prop::collection::vec(any::<u8>(), 0..14);
    (lock, rex, opcode, rest).prop_map(|(lock, rex, opcode, rest)| {
        let mut bytes = [lock, rex, vec![opcode], rest].concat();
        bytes.truncate(LONGEST_INSTRUCTION);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_fast_path_agrees_with_the_general_decoder(bytes in hot_bytes(), vcpu in any_vcpu()) {
        if let Some(fast) = crate::fast::decode(&bytes, &vcpu) {
            prop_assert_eq!(Ok(fast), general(&bytes, &vcpu), "{:02x?}", bytes);
        }
    }

    #[test]
    fn what_the_fast_path_leaves_is_rare_or_no_hot_form(bytes in hot_bytes(), vcpu in any_vcpu()) {
        if crate::fast::decode(&bytes, &vcpu).is_some() {
            return Ok(());
        }
        if let Ok(write) = general(&bytes, &vcpu) {
            let hot = matches!(write.operation, Operation::And(_) | Operation::Exchange { .. } | Operation::Store(_));
            prop_assert!(!hot, "{:02x?} is {:?}", bytes, write);
        }
    }

    #[test]
    fn random_bytes_do_no_harm(bytes: [u8; 15], length in 0..=15_usize, vcpu in any_vcpu(), entry: u64) {
        if let Ok(write) = general(&bytes[..length], &vcpu) {
            prop_assert!(usize::from(write.length) <= length);
            let _ = page_table_write(&bytes[..length], &vcpu, write.address);
            let _ = write.apply(entry, &vcpu);
        }
    }

    #[test]
    fn sums_and_differences_set_the_flags_a_processor_sets(old: u64, value: u64, quad: bool) {
        let width = if quad { Width::Quad } else { Width::Byte };
        let (old, value) = (old & width.mask(), value & width.mask());
        let vcpu = vcpu();
        let run = |operation| {
            let write = PageTableWrite { address: VirtAddr(ENTRY), width, operation, length: 1 };
            let outcome = write.apply(old, &vcpu);
            let flags = outcome.flags.unwrap().on(0);
            (outcome.entry, flags & 1 != 0, flags & 0x800 != 0, flags & 0x10 != 0, flags & 0x40 != 0, flags & 0x80 != 0)
        };
        let expected = if quad {
            let (sum, carry) = old.overflowing_add(value);
            let overflow = (old as i64).checked_add(value as i64).is_none();
            (sum, carry, overflow, (old & 15) + (value & 15) > 15, sum == 0, (sum as i64) < 0)
        } else {
            let (sum, carry) = (old as u8).overflowing_add(value as u8);
            let overflow = (old as i8).checked_add(value as i8).is_none();
            (u64::from(sum), carry, overflow, (old & 15) + (value & 15) > 15, sum == 0, (sum as i8) < 0)
        };
        prop_assert_eq!(run(Operation::Add(value)), expected);
        let expected = if quad {
            let (rest, carry) = old.overflowing_sub(value);
            let overflow = (old as i64).checked_sub(value as i64).is_none();
            (rest, carry, overflow, (old & 15) < (value & 15), rest == 0, (rest as i64) < 0)
        } else {
            let (rest, carry) = (old as u8).overflowing_sub(value as u8);
            let overflow = (old as i8).checked_sub(value as i8).is_none();
            (u64::from(rest), carry, overflow, (old & 15) < (value & 15), rest == 0, (rest as i8) < 0)
        };
        prop_assert_eq!(run(Operation::Subtract(value)), expected);
    }
}
