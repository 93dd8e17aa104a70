//! Privileged instructions.

use proptest::prelude::*;

use super::{any_vcpu, Vcpu};
use crate::*;

fn decoded(bytes: &[u8]) -> Privileged {
    in_code(bytes, CodeSize::Bits64)
}

fn in_code(bytes: &[u8], size: CodeSize) -> Privileged {
    let instruction = privileged(bytes, size, &Vcpu::numbered()).unwrap();
    assert_eq!(usize::from(instruction.length), bytes.len());
    instruction.operation
}

fn whole(number: u8) -> RegisterPart {
    RegisterPart {
        number,
        width: Width::Quad,
        high: false,
    }
}

#[test]
fn those_without_operands() {
    assert_eq!(decoded(&[0xfa]), Privileged::ClearInterrupts);
    assert_eq!(decoded(&[0xfb]), Privileged::SetInterrupts);
    assert_eq!(decoded(&[0xf4]), Privileged::Halt);
    assert_eq!(decoded(&[0x0f, 0x06]), Privileged::ClearTaskSwitched);
    assert_eq!(decoded(&[0x0f, 0x08]), Privileged::InvalidateCaches);
    assert_eq!(decoded(&[0x0f, 0x09]), Privileged::WriteBackCaches);
    assert_eq!(decoded(&[0xf3, 0x0f, 0x09]), Privileged::WriteBackCaches);
    assert_eq!(decoded(&[0x0f, 0x01, 0xf8]), Privileged::SwapGs);
    assert_eq!(decoded(&[0x0f, 0x31]), Privileged::ReadTimestamp);
    assert_eq!(
        decoded(&[0x0f, 0x01, 0xf9]),
        Privileged::ReadTimestampAndProcessor
    );
    assert_eq!(
        decoded(&[0xcd, 0x82]),
        Privileged::SoftwareInterrupt { vector: 0x82 }
    );
}

#[test]
fn those_with_fixed_registers() {
    let index = 0x1111_1111;
    let value = 0x2222_2222_0000_0000;
    assert_eq!(decoded(&[0x0f, 0x32]), Privileged::ReadMsr { index });
    assert_eq!(
        decoded(&[0x0f, 0x30]),
        Privileged::WriteMsr { index, value }
    );
    assert_eq!(
        decoded(&[0x0f, 0x01, 0xd1]),
        Privileged::WriteExtendedControl { index, value }
    );
    assert_eq!(
        decoded(&[0x0f, 0x33]),
        Privileged::ReadPerformanceCounter { index }
    );
    let answer = |forced| Privileged::CpuId {
        leaf: 0,
        subleaf: index,
        forced,
    };
    assert_eq!(decoded(&[0x0f, 0xa2]), answer(false));
    assert_eq!(
        decoded(&[0x0f, 0x0b, b'x', b'e', b'n', 0x0f, 0xa2]),
        answer(true)
    );
}

#[test]
fn the_forced_prefix_goes_with_cpuid_only() {
    let vcpu = Vcpu::numbered();
    let prefix = [0x0f, 0x0b, b'x', b'e', b'n'];
    for rest in [
        &[][..],
        &[0x0f],
        &[0x0f, 0x32],
        &[0x90],
        &[0x66, 0x0f, 0xa2],
    ] {
        let bytes = [&prefix, rest].concat();
        let answer = privileged(&bytes, CodeSize::Bits64, &vcpu);
        assert_eq!(answer, Err(Undecodable::NotEmulated));
    }
    // A plain ud2 is the guest's own.
    let answer = privileged(&[0x0f, 0x0b, b'x'], CodeSize::Bits64, &vcpu);
    assert_eq!(answer, Err(Undecodable::NotEmulated));
}

#[test]
fn the_eight_forms_of_in_and_out() {
    let read = |port, width| Privileged::PortRead { port, width };
    let write = |port, width, value| Privileged::PortWrite { port, width, value };
    assert_eq!(decoded(&[0xe4, 0x61]), read(0x61, Width::Byte));
    assert_eq!(decoded(&[0xe5, 0x61]), read(0x61, Width::Double));
    assert_eq!(decoded(&[0x66, 0xe5, 0xff]), read(0xff, Width::Word));
    assert_eq!(decoded(&[0xec]), read(0x2222, Width::Byte));
    assert_eq!(decoded(&[0xed]), read(0x2222, Width::Double));
    let mut vcpu = Vcpu::numbered();
    vcpu.general[0] = 0xffff_ffff_8765_4321;
    let out = |bytes: &[u8]| {
        privileged(bytes, CodeSize::Bits64, &vcpu)
            .unwrap()
            .operation
    };
    assert_eq!(out(&[0xe6, 0x80]), write(0x80, Width::Byte, 0x21));
    assert_eq!(out(&[0xe7, 0x80]), write(0x80, Width::Double, 0x8765_4321));
    assert_eq!(out(&[0xee]), write(0x2222, Width::Byte, 0x21));
    assert_eq!(out(&[0x66, 0xef]), write(0x2222, Width::Word, 0x4321));
}

#[test]
fn strings_of_ports_know_where_and_how_many() {
    let mut vcpu = Vcpu::numbered();
    vcpu.general[1] = 3;
    vcpu.general[6] = 0x1000;
    vcpu.general[7] = 0x2000;
    let of = |bytes: &[u8], size, vcpu: &Vcpu| privileged(bytes, size, vcpu).unwrap().operation;
    // rep insl
    let Privileged::StringPortRead(read) = of(&[0xf3, 0x6d], CodeSize::Bits64, &vcpu) else {
        panic!("not a read");
    };
    assert_eq!((read.port, read.width), (0x2222, Width::Double));
    assert_eq!((read.address, read.step, read.count), (0x2000, 4, 3));
    let (index, count) = read.progress(2, &vcpu);
    assert_eq!((index.number, index.value), (7, 0x2008));
    assert_eq!(
        count.unwrap(),
        RegisterWrite {
            number: 1,
            value: 1
        }
    );
    // outsb %gs:(%rsi), backwards
    vcpu.flags |= 1 << 10;
    let Privileged::StringPortWrite(write) = of(&[0x65, 0x6e], CodeSize::Bits64, &vcpu) else {
        panic!("not a write");
    };
    assert_eq!((write.address, write.step, write.count), (0x65_1000, -1, 1));
    let (index, count) = write.progress(1, &vcpu);
    assert_eq!((index.value, count), (0xfff, None));
    // In 32-bit code the segments have bases and addresses are of 32 bits.
    let Privileged::StringPortRead(read) = of(&[0x6c], CodeSize::Bits32, &vcpu) else {
        panic!("not a read");
    };
    assert_eq!(read.address, 0x1_2000);
    vcpu.general[7] = 0xffff_ffff_ffff_ffff;
    let Privileged::StringPortRead(read) = of(&[0x6c], CodeSize::Bits32, &vcpu) else {
        panic!("not a read");
    };
    assert_eq!(read.address, 0xffff);
    // A count of zero does nothing, and a 32-bit address size counts in ecx.
    vcpu.general[1] = 0xffff_ffff_0000_0000;
    let Privileged::StringPortRead(read) = of(&[0x67, 0xf3, 0x6c], CodeSize::Bits64, &vcpu) else {
        panic!("not a read");
    };
    assert_eq!((read.count, read.address), (0, 0xffff_ffff));
}

#[test]
fn moves_to_and_from_control_and_debug_registers() {
    assert_eq!(
        decoded(&[0x0f, 0x20, 0xd8]),
        Privileged::ReadControl {
            control: 3,
            destination: whole(0)
        }
    );
    assert_eq!(
        decoded(&[0x41, 0x0f, 0x22, 0xe1]),
        Privileged::WriteControl {
            control: 4,
            value: 0x9999_9999_9999_9999
        }
    );
    assert_eq!(
        decoded(&[0x0f, 0x21, 0xf8]),
        Privileged::ReadDebug {
            debug: 7,
            destination: whole(0)
        }
    );
    assert_eq!(
        decoded(&[0x0f, 0x23, 0xc1]),
        Privileged::WriteDebug {
            debug: 0,
            value: 0x1111_1111_1111_1111
        }
    );
    assert_eq!(
        decoded(&[0x44, 0x0f, 0x20, 0xc0]),
        Privileged::ReadControl {
            control: 8,
            destination: whole(0)
        }
    );
}

#[test]
fn addresses_and_status_words() {
    assert_eq!(
        decoded(&[0x0f, 0x01, 0x3e]),
        Privileged::InvalidatePage {
            address: 0x6666_6666_6666_6666
        }
    );
    let register = RegisterPart {
        number: 6,
        width: Width::Word,
        high: false,
    };
    assert_eq!(
        decoded(&[0x0f, 0x01, 0xf6]),
        Privileged::LoadMachineStatus {
            source: Place::Register(register)
        }
    );
    assert_eq!(
        decoded(&[0x0f, 0x01, 0x26]),
        Privileged::StoreMachineStatus {
            destination: Place::Memory(0x6666_6666_6666_6666)
        }
    );
    assert_eq!(
        decoded(&[0x0f, 0x01, 0x06]),
        Privileged::StoreDescriptor {
            register: DescriptorRegister::GlobalTable,
            destination: Place::Memory(0x6666_6666_6666_6666)
        }
    );
    assert!(matches!(
        decoded(&[0x48, 0x0f, 0x00, 0xc0]),
        Privileged::StoreDescriptor {
            register: DescriptorRegister::LocalTable,
            destination: Place::Register(RegisterPart {
                number: 0,
                width: Width::Quad,
                ..
            })
        }
    ));
}

#[test]
fn others_are_left_to_the_guest() {
    let vcpu = Vcpu::numbered();
    for bytes in [
        &[0x0f, 0x01, 0x16][..], // lgdt (%rsi)
        &[0x0f, 0x07],           // sysret
        &[0x48, 0xcf],           // iretq
        &[0x0f, 0x01, 0xc9],     // mwait
        &[0x90],                 // nop
        &[0x48, 0x89, 0x37],     // mov
    ] {
        let answer = privileged(bytes, CodeSize::Bits64, &vcpu);
        assert_eq!(answer, Err(Undecodable::NotEmulated), "{bytes:02x?}");
    }
    let answer = privileged(&[0x0f], CodeSize::Bits64, &vcpu);
    assert_eq!(answer, Err(Undecodable::Invalid));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn random_bytes_do_no_harm(bytes: [u8; 15], length in 0..=15_usize, vcpu in any_vcpu(), size in 0..3) {
        let size = [CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64][size as usize];
        if let Ok(instruction) = privileged(&bytes[..length], size, &vcpu) {
            prop_assert!(usize::from(instruction.length) <= length);
            if let Privileged::StringPortRead(string) | Privileged::StringPortWrite(string) = instruction.operation {
                let _ = string.progress(string.count, &vcpu);
            }
        }
    }

    #[test]
    fn bytes_behind_an_instruction_do_not_matter(bytes: [u8; 15], vcpu in any_vcpu()) {
        if let Ok(instruction) = privileged(&bytes, CodeSize::Bits64, &vcpu) {
            let short = &bytes[..usize::from(instruction.length)];
            prop_assert_eq!(privileged(short, CodeSize::Bits64, &vcpu), Ok(instruction));
        }
    }
}
