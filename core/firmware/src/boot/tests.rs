//! Boot information of each protocol made by hand, and the memory map against a plain model.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

use proptest::prelude::*;
use vocabulary::MachineAddr;

use super::*;

/// A little memory that begins at machine address 0.
struct Memory(Vec<u8>);

impl FirmwareMemory for Memory {
    fn slice(&self, address: u64, length: usize) -> Option<&[u8]> {
        let start = usize::try_from(address).ok()?;
        self.0.get(start..start.checked_add(length)?)
    }
}

impl Memory {
    fn new() -> Self {
        Self(vec![0; 0x4000])
    }

    fn put(&mut self, address: usize, bytes: &[u8]) {
        self.0[address..address + bytes.len()].copy_from_slice(bytes);
    }

    fn put_words(&mut self, address: usize, words: &[u32]) {
        for (index, word) in words.iter().enumerate() {
            self.put(address + index * 4, &word.to_le_bytes());
        }
    }

    fn parse(&self, magic: u32, address: u64) -> Result<Box<BootInfo>, BootError> {
        let mut boot = Box::new(BootInfo::new());
        parse(self, magic, address, &mut boot).map(|()| boot)
    }
}

#[test]
fn multiboot1_is_read() {
    let mut memory = Memory::new();
    memory.put_words(0x100, &[0x4d, 0, 0, 0, 0x1000, 2, 0x200]);
    memory.put_words(0x100 + 44, &[48, 0x300]);
    memory.put(0x1000, b"image com1=115200\0");
    memory.put_words(
        0x200,
        &[
            0x10_0000, 0x20_0000, 0x1100, 0, 0x30_0000, 0x30_0003, 0x1200, 0,
        ],
    );
    memory.put(0x1100, b"vmlinuz root=/dev/xvda\0");
    memory.put_words(0x300, &[20, 0, 0, 0xa_0000, 0, 1]);
    memory.put_words(0x318, &[20, 0x10_0000, 0, 0x70_0000, 0, 1]);
    let boot = memory.parse(0x2bad_b002, 0x100).unwrap();
    assert_eq!(boot.protocol, Protocol::Multiboot1);
    assert_eq!(&boot.command_line, "image com1=115200");
    assert_eq!(boot.modules.len(), 2);
    assert_eq!(&boot.modules[0].string, "vmlinuz root=/dev/xvda");
    assert_eq!(boot.modules[1].len(), 3);
    assert_eq!(boot.memory.usable_bytes(), 0x7a_0000);
}

#[test]
fn multiboot2_is_read() {
    let mut tags = Vec::new();
    let mut tag = |kind: u32, content: &[u8]| {
        tags.extend(kind.to_le_bytes());
        tags.extend((content.len() as u32 + 8).to_le_bytes());
        tags.extend(content);
        tags.resize(tags.len().next_multiple_of(8), 0);
    };
    tag(1, b"loglvl=all\0");
    tag(2, b"GRUB\0");
    let module = [
        &0x10_0000u32.to_le_bytes()[..],
        &0x10_0100u32.to_le_bytes(),
        b"quiet\0",
    ];
    tag(3, &module.concat());
    let mut map = [24u32.to_le_bytes(), [0; 4]].concat();
    map.extend(
        [
            0u64.to_le_bytes(),
            0x9_0000u64.to_le_bytes(),
            1u64.to_le_bytes(),
        ]
        .concat(),
    );
    tag(6, &map);
    tag(12, &0x7fff_0000u64.to_le_bytes());
    let mut pointer = vec![0; 36];
    pointer[24..32].copy_from_slice(&0x7ffe_0000u64.to_le_bytes());
    tag(15, &pointer);
    tag(14, &[0; 20]);
    tag(0, &[]);
    let mut memory = Memory::new();
    memory.put_words(0x100, &[tags.len() as u32 + 8, 0]);
    memory.put(0x108, &tags);
    let boot = memory.parse(0x36d7_6289, 0x100).unwrap();
    assert_eq!(&boot.command_line, "loglvl=all");
    assert_eq!(&boot.loader, "GRUB");
    assert_eq!(&boot.modules[0].string, "quiet");
    assert_eq!(boot.memory.usable_bytes(), 0x9_0000);
    assert_eq!(boot.acpi, Some(AcpiRoot::Xsdt(MachineAddr(0x7ffe_0000))));
    assert!(boot.efi.unwrap().is_64_bit);
}

#[test]
fn pvh_is_read() {
    let mut memory = Memory::new();
    memory.put_words(
        0x100,
        &[
            0x336e_c578,
            1,
            0,
            1,
            0x200,
            0,
            0x1000,
            0,
            0xe_0000,
            0,
            0x300,
            0,
            1,
        ],
    );
    memory.put(0x1000, b"maxcpus=1\0");
    memory.put_words(0x200, &[0x10_0000, 0, 0x500, 0, 0x1100, 0, 0, 0]);
    memory.put(0x1100, b"dom0 kernel\0");
    memory.put_words(0x300, &[0, 0, 0x10_0000, 0, 1, 0]);
    let boot = memory.parse(0x336e_c578, 0x100).unwrap();
    assert_eq!(&boot.command_line, "maxcpus=1");
    assert_eq!(&boot.modules[0].string, "dom0 kernel");
    assert_eq!(boot.modules[0].len(), 0x500);
    assert_eq!(boot.memory.usable_bytes(), 0x10_0000);
    assert_eq!(
        boot.acpi,
        Some(AcpiRoot::RootPointer(MachineAddr(0xe_0000)))
    );
}

#[test]
fn what_is_no_boot_information_is_refused() {
    let memory = Memory::new();
    let unknown = memory.parse(1, 0).map(|_| ());
    assert_eq!(unknown, Err(BootError::UnknownProtocol));
    for magic in [0x2bad_b002, 0x36d7_6289, 0x336e_c578] {
        let outside = memory.parse(magic, 0x3ff0).map(|_| ());
        assert_eq!(outside, Err(BootError::Unreadable));
    }
}

/// The kinds by rising precedence.
const KINDS: [MemoryKind; 5] = [
    MemoryKind::Usable,
    MemoryKind::AcpiReclaimable,
    MemoryKind::AcpiNvs,
    MemoryKind::Reserved,
    MemoryKind::Unusable,
];

proptest! {
    /// The map agrees with an array that has one cell for each byte.
    #[test]
    fn memory_map_agrees_with_a_plain_one(
        adds in prop::collection::vec((0u64..60, 0u64..20, 0usize..5), 0..20),
    ) {
        let mut map = MemoryMap::new();
        let mut model = [None; 80];
        for (start, length, kind) in adds {
            map.add(start, length, KINDS[kind]);
            for cell in &mut model[start as usize..(start + length) as usize] {
                *cell = (*cell).max(Some(kind));
            }
        }
        let mut seen = [None; 80];
        for region in map.regions() {
            prop_assert!(region.start < region.end);
            for cell in &mut seen[region.start as usize..region.end as usize] {
                prop_assert_eq!(*cell, None);
                *cell = KINDS.iter().position(|&kind| kind == region.kind);
            }
        }
        prop_assert_eq!(seen, model);
        for pair in map.regions().windows(2) {
            prop_assert!(pair[0].end <= pair[1].start);
            prop_assert!(pair[0].end < pair[1].start || pair[0].kind != pair[1].kind);
        }
    }

    /// No bytes whatever make a parser panic.
    #[test]
    fn random_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        first in prop::collection::vec(0u32..40, 16),
    ) {
        let mut memory = Memory::new();
        memory.put(0x100, &bytes);
        memory.put_words(0x140, &first);
        for magic in [0x2bad_b002, 0x36d7_6289, 0x336e_c578] {
            for address in [0x100, 0x108, 0x140] {
                let _ = memory.parse(magic, address);
            }
        }
    }
}
