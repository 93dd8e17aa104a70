//! Kernel files: recognising, unpacking, examining.

use crate::Target;
use kernel_image::{examine, recognise, Features};

/// The target.
pub const TARGET: Target = Target {
    name: "kernel-image",
    run,
    seeds,
};

/// A file that says it unpacks to more than this is not unpacked here.
const MOST: usize = 1 << 20;

fn run(data: &[u8]) {
    look(data);
    let Ok(container) = recognise(data) else {
        return;
    };
    if container.unpacked_bytes() > MOST {
        return;
    }
    let mut buffer = vec![0; container.unpacked_bytes()];
    if let Ok(elf) = container.unpack(&mut buffer) {
        look(elf);
    }
}

fn look(elf: &[u8]) {
    let Ok(kernel) = examine(elf, Features::default()) else {
        return;
    };
    for segment in &kernel.segments {
        assert!(
            segment.data.len() as u64 <= segment.memory_bytes,
            "a segment with more in the file than in memory"
        );
    }
}

/// A small PV kernel: an ELF header, a segment to load, a segment of notes.
fn kernel() -> Vec<u8> {
    let base: u64 = 0xffff_ffff_8000_0000;
    let mut notes = Vec::new();
    let mut note = |kind: u32, content: &[u8]| {
        notes.extend(4_u32.to_le_bytes());
        notes.extend((content.len() as u32).to_le_bytes());
        notes.extend(kind.to_le_bytes());
        notes.extend(b"Xen\0");
        notes.extend(content);
        notes.resize(notes.len().next_multiple_of(4), 0);
    };
    note(6, b"fuzz\0");
    note(5, b"xen-3.0\0");
    note(8, b"generic\0");
    note(3, &base.to_le_bytes());
    note(4, &0_u64.to_le_bytes());
    note(1, &(base + 0x10_0000).to_le_bytes());
    note(9, b"yes\0");
    note(10, b"!writable_page_tables|pae_pgdir_above_4gb\0");
    note(17, &0x800_u32.to_le_bytes());
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2_u16, 62] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for quad in [base + 0x10_0000, 64, 0] {
        file.extend(quad.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 2, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    let start = 64 + 2 * 56;
    let length = notes.len() as u64;
    for (kind, flags) in [(1_u32, 7_u32), (4, 4)] {
        file.extend(kind.to_le_bytes());
        file.extend(flags.to_le_bytes());
        for quad in [start, base + 0x10_0000, 0x10_0000, length, length, 4] {
            file.extend(u64::to_le_bytes(quad));
        }
    }
    file.extend(notes);
    file
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        kernel(),
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0".to_vec(),
    ]
}
