//! Tables made by hand, and broken ones: right decoding, named problems, never a panic.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

use proptest::prelude::*;

use super::root::sum;
use super::*;

/// A little memory that begins at machine address 0.
struct Memory(Vec<u8>);

impl FirmwareMemory for Memory {
    fn slice(&self, address: u64, length: usize) -> Option<&[u8]> {
        let start = usize::try_from(address).ok()?;
        self.0.get(start..start.checked_add(length)?)
    }
}

/// A table with the given content after its header, length and checksum right.
fn table(signature: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut table = vec![0; HEADER_BYTES];
    table[..4].copy_from_slice(signature);
    table.extend(content);
    let length = table.len() as u32;
    table[4..8].copy_from_slice(&length.to_le_bytes());
    table[9] = 0u8.wrapping_sub(sum(&table));
    table
}

fn madt_content() -> Vec<u8> {
    let mut content = vec![0, 0, 0xe0, 0xfe, 1, 0, 0, 0];
    content.extend([0, 8, 0, 0, 1, 0, 0, 0]);
    content.extend([0, 8, 1, 1, 1, 0, 0, 0]);
    content.extend([0, 8, 2, 0xff, 0, 0, 0, 0]);
    content.extend([9, 16, 0, 0, 0x34, 0x12, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0]);
    content.extend([1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
    content.extend([2, 10, 0, 0, 2, 0, 0, 0, 0, 0]);
    content.extend([2, 10, 0, 9, 9, 0, 0, 0, 0xd, 0]);
    content.extend([4, 6, 0xff, 0, 0, 1]);
    content
}

fn fadt_content() -> Vec<u8> {
    let mut content = vec![0; 276 - HEADER_BYTES];
    let mut put = |offset: usize, bytes: &[u8]| {
        content[offset - HEADER_BYTES..][..bytes.len()].copy_from_slice(bytes);
    };
    put(46, &9u16.to_le_bytes());
    put(64, &0x604u32.to_le_bytes());
    put(76, &0x608u32.to_le_bytes());
    put(89, &[2]);
    put(91, &[4]);
    put(112, &(FLAG_RESET | FLAG_TIMER).to_le_bytes());
    put(116, &[1, 8, 0, 0, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0]);
    put(128, &[6]);
    content
}

const FLAG_RESET: u32 = 1 << 10;
const FLAG_TIMER: u32 = 1 << 8;

fn hpet_content() -> Vec<u8> {
    let mut content = vec![0; 20];
    content[8..16].copy_from_slice(&0xfed0_0000u64.to_le_bytes());
    content
}

fn srat_content() -> Vec<u8> {
    let mut content = vec![0; 12];
    content.extend([0, 16, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut memory = vec![1, 40];
    memory.resize(40, 0);
    memory[2] = 1;
    memory[8..16].copy_from_slice(&0x10_0000u64.to_le_bytes());
    memory[16..24].copy_from_slice(&0x20_0000u64.to_le_bytes());
    memory[28] = 1;
    content.extend(memory);
    content
}

fn slit_content() -> Vec<u8> {
    let mut content = 2u64.to_le_bytes().to_vec();
    content.extend([10, 17, 21, 10]);
    content
}

/// A machine's low memory: a root pointer in the BIOS area, a root table, and the tables.
fn machine(tables: &[Vec<u8>]) -> Memory {
    let mut memory = vec![0; 0x10_0000];
    let mut addresses = Vec::new();
    let mut place = 0x1000;
    for table in tables {
        memory[place..place + table.len()].copy_from_slice(table);
        addresses.extend((place as u32).to_le_bytes());
        place += 0x1000;
    }
    let root = table(b"RSDT", &addresses);
    memory[0x8000..0x8000 + root.len()].copy_from_slice(&root);
    let mut pointer = b"RSD PTR \0maker\0".to_vec();
    pointer.push(0);
    pointer.extend(0x8000u32.to_le_bytes());
    pointer[8] = 0u8.wrapping_sub(sum(&pointer));
    assert_eq!(pointer.len(), 20);
    memory[0xe_4560..0xe_4560 + 20].copy_from_slice(&pointer);
    Memory(memory)
}

fn whole_machine() -> Memory {
    let mut mcfg = vec![0; 8];
    mcfg.extend(0xb000_0000u64.to_le_bytes());
    mcfg.extend([0, 0, 0, 255, 0, 0, 0, 0]);
    machine(&[
        table(b"APIC", &madt_content()),
        table(b"FACP", &fadt_content()),
        table(b"HPET", &hpet_content()),
        table(b"MCFG", &mcfg),
        table(b"SRAT", &srat_content()),
        table(b"SLIT", &slit_content()),
    ])
}

#[test]
fn sound_tables_are_decoded() {
    let acpi = read(&whole_machine(), None);
    assert_eq!(acpi.problems, []);
    let madt = acpi.madt.unwrap();
    assert_eq!(madt.local_apic, 0xfee0_0000);
    assert!(madt.has_8259);
    let ids: Vec<u32> = madt.processors.iter().map(|it| it.apic_id).collect();
    assert_eq!(ids, [0, 1, 0x1234]);
    assert_eq!(madt.io_apics[0].address, 0xfec0_0000);
    assert_eq!((madt.overrides[0].irq, madt.overrides[0].gsi), (0, 2));
    assert_eq!(madt.overrides[1].trigger, Trigger::Level);
    assert_eq!(madt.overrides[1].polarity, Polarity::High);
    assert_eq!(
        (madt.local_nmis[0].acpi_id, madt.local_nmis[0].lint),
        (None, 1)
    );
    let fadt = acpi.fadt.unwrap();
    assert_eq!(fadt.sci, 9);
    assert_eq!(fadt.pm1_control[0].unwrap().address, 0x604);
    assert_eq!(fadt.pm1_control[1], None);
    assert_eq!(fadt.pm_timer.unwrap().address, 0x608);
    assert!(fadt.pm_timer_32_bit);
    let (reset, value) = fadt.reset.unwrap();
    assert_eq!((reset.space, reset.address, value), (Space::Port, 0xcf9, 6));
    assert_eq!(acpi.hpet.unwrap().address, 0xfed0_0000);
    assert_eq!(acpi.mcfg[0].last_bus, 255);
    let srat = acpi.srat.unwrap();
    assert_eq!(srat.processors[0].domain, 1);
    assert_eq!(srat.memory[0].length, 0x20_0000);
    let slit = acpi.slit.unwrap();
    let rows = [0, 1, 2].map(|from| [0, 1, 2].map(|to| slit.distance(from, to)));
    let [near, there, back] = [10, 17, 21].map(Some);
    let expected = [[near, there, None], [back, near, None], [None; 3]];
    assert_eq!(rows, expected);
}

#[test]
fn distances_that_make_no_sense_are_left_out() {
    for (offset, value) in [(8, 11), (9, 10), (9, 0), (0, 3), (7, 0x80)] {
        let mut content = slit_content();
        content[offset] = value;
        let acpi = read(&machine(&[table(b"SLIT", &content)]), None);
        assert_eq!(acpi.slit, None);
        assert_eq!(acpi.problems.len(), 1, "{offset} {value}");
    }
}

#[test]
fn a_wrong_checksum_leaves_the_table_out_and_names_it() {
    let mut broken = table(b"APIC", &madt_content());
    broken[40] ^= 1;
    let acpi = read(&machine(&[broken, table(b"HPET", &hpet_content())]), None);
    assert!(acpi.madt.is_none());
    assert!(acpi.hpet.is_some());
    let line = acpi.problems[0].to_string();
    assert!(line.contains("APIC") && line.contains("checksum"), "{line}");
}

#[test]
fn lying_lengths_are_named() {
    let mut content = madt_content();
    content[9] = 0;
    let acpi = read(&machine(&[table(b"APIC", &content)]), None);
    assert!(acpi.madt.is_none());
    assert!(acpi.problems[0].rule.contains("length below 2"));

    let mut long = table(b"APIC", &madt_content());
    long[4..8].copy_from_slice(&0x80_0000u32.to_le_bytes());
    let acpi = read(&machine(&[long]), None);
    assert!(acpi.problems[0].rule.contains("beyond"));
}

#[test]
fn a_machine_without_acpi_says_so() {
    let acpi = read(&Memory(vec![0; 0x10_0000]), None);
    assert_eq!(acpi.problems.len(), 1);
    assert!(acpi.problems[0].to_string().contains("no root pointer"));
}

#[test]
fn pointers_out_of_reach_are_named() {
    let acpi = read(
        &whole_machine(),
        Some(AcpiRoot::Xsdt(MachineAddr(u64::MAX - 3))),
    );
    assert!(acpi.problems[0].rule.contains("beyond"));
}

proptest! {
    /// Whatever bytes change, with the checksums made right again, reading ends without a panic.
    #[test]
    fn broken_content_never_panics(
        kind in 0usize..6,
        changes in prop::collection::vec((36usize..300, any::<u8>()), 1..20),
        cut in 36usize..300,
    ) {
        let contents = [
            (b"APIC", madt_content()),
            (b"FACP", fadt_content()),
            (b"HPET", hpet_content()),
            (b"MCFG", vec![7; 40]),
            (b"SRAT", srat_content()),
            (b"SLIT", slit_content()),
        ];
        let (signature, mut content) = contents[kind].clone();
        for (offset, value) in changes {
            if let Some(byte) = content.get_mut(offset - 36) {
                *byte = value;
            }
        }
        content.truncate(cut - 36);
        let _ = read(&machine(&[table(signature, &content)]), None);
    }
}
