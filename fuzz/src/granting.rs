//! Grants: entries that a lender writes and changes at any moment, and everything a borrower asks.

use crate::bytes::Bytes;
use crate::page::{Page, WORDS};
use crate::Target;
use grants::{CopyAccess, GrantHandle, GrantTable, MapRequest, Maptrack};
use vocabulary::{DomainId, GrantRef, Mfn, VcpuId};

/// The target.
pub const TARGET: Target = Target {
    name: "grants",
    run,
    seeds,
};

const FRAMES: u32 = 4;

struct Domain {
    table: GrantTable<Page>,
    track: Maptrack<Page>,
    handles: Vec<GrantHandle>,
}

impl Domain {
    fn new(number: u16) -> Option<Self> {
        Some(Self {
            table: GrantTable::new(DomainId(number), FRAMES).ok()?,
            track: Maptrack::new(DomainId(number), 2, 2).ok()?,
            handles: Vec::new(),
        })
    }
}

fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let (Some(lender), Some(mut borrower)) = (Domain::new(1), Domain::new(2)) else {
        return;
    };
    let lies = u32::from(bytes.byte() % 6);
    while !bytes.is_empty() {
        step(&mut bytes, lies, &lender.table, &mut borrower);
    }
    for handle in borrower.handles.drain(..) {
        if let Ok(unmapping) = borrower.track.begin_unmap(VcpuId(0), handle, true, true) {
            unmapping.finish(Some(&lender.table));
        }
    }
    assert!(
        lender.table.is_idle(),
        "all is unmapped and an entry is in use"
    );
    assert!(
        borrower.track.next_mapping(0).is_none(),
        "all is unmapped and a handle is in use"
    );
}

fn step(bytes: &mut Bytes<'_>, lies: u32, table: &GrantTable<Page>, borrower: &mut Domain) {
    let operation = bytes.byte() % 12;
    let reference = match bytes.byte() {
        255 => GrantRef(bytes.double()),
        small => GrantRef(u32::from(small)),
    };
    let choice = bytes.byte();
    let mut seed = bytes.double();
    let mut page = || {
        seed = seed.wrapping_add(77);
        Some(Page::new(lies, seed))
    };
    match operation {
        0 => drop(table.grow(u32::from(choice) % (FRAMES + 2), page).ok()),
        1..=3 => write(bytes, table, reference),
        4 | 5 => map(table, borrower, reference, choice),
        6 | 7 => {
            let number = usize::from(choice) % (borrower.handles.len() + 1);
            let handle = match borrower.handles.get(number) {
                Some(handle) => *handle,
                None => GrantHandle(bytes.double()),
            };
            let (host, device) = (choice & 0x80 == 0, choice & 0x40 != 0);
            let begun = borrower.track.begin_unmap(VcpuId(1), handle, host, device);
            if let Ok(unmapping) = begun {
                assert_eq!(unmapping.mapping().lender, table.domain());
                unmapping.finish(Some(table));
            }
        }
        8 => copy(table, reference, choice, bytes),
        9 => {
            let frame = Some(vocabulary::Gfn(bytes.quad()));
            if let Ok(pin) = table.begin_transfer(DomainId(2), reference, frame) {
                match choice & 1 {
                    0 => pin.complete(),
                    _ => pin.abort(),
                }
            }
        }
        10 => drop(table.set_version(u32::from(choice % 4), &mut page).ok()),
        _ => drop(table.swap(reference, GrantRef(u32::from(choice))).ok()),
    }
}

/// The lender writes a word of its entries, often one that lends.
fn write(bytes: &mut Bytes<'_>, table: &GrantTable<Page>, reference: GrantRef) {
    let value = match bytes.byte() % 4 {
        0 => bytes.double(),
        1 => 1 | 2 << 16,
        2 => 1 | 4 | 2 << 16,
        _ => u32::from(bytes.byte() % 32) | 2 << 16,
    };
    let word = reference.0 as usize * 2 + usize::from(bytes.byte() % 8 / 7);
    if let Some(frame) = table.frame((word / WORDS) as u32) {
        frame.write(word % WORDS, value);
    }
}

fn map(table: &GrantTable<Page>, borrower: &mut Domain, reference: GrantRef, choice: u8) {
    let request = MapRequest {
        reference,
        host: choice & 1 == 0,
        device: choice & 2 != 0,
        readonly: choice & 4 != 0,
        by_entry: choice & 8 != 0,
    };
    let Ok(pending) = table.begin_map(&borrower.track, VcpuId(0), request) else {
        return;
    };
    let grant = pending.grant();
    assert!(
        !(grant.writable && request.readonly),
        "read-only was asked for"
    );
    if choice & 0x10 != 0 {
        pending.abort();
        return;
    }
    let machine = grant.machine.unwrap_or(Mfn(grant.frame.0));
    borrower.handles.push(pending.commit(machine));
}

fn copy(table: &GrantTable<Page>, reference: GrantRef, choice: u8, bytes: &mut Bytes<'_>) {
    let write = choice & 1 == 1;
    let Ok(access) = table.begin_copy(DomainId(2), reference, write) else {
        return;
    };
    let pin = match access {
        CopyAccess::Direct(pin) => pin,
        CopyAccess::Transitive(through) => match through.resolve(table) {
            Ok(pin) => pin,
            Err(_) => return,
        },
    };
    assert!(pin.writable() || !write, "writing was asked for");
    let (offset, length) = (bytes.double() as u16, bytes.double() as u16);
    if pin.check(offset, length).is_ok() {
        assert!(
            u32::from(offset) + u32::from(length) <= 4096,
            "past the frame's end"
        );
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let grow = [0, 0, 2, 1, 2, 3, 4];
    let lend = [1, 9, 0, 1, 2, 3, 4, 1, 0];
    let all = |operation: u8| [operation, 9, 0, 1, 2, 3, 4];
    let seed = |version: u8, operations: &[u8]| {
        let mut seed = vec![0];
        seed.extend(grow);
        seed.extend([10, 0, version, 1, 2, 3, 4]);
        seed.extend(lend);
        for operation in operations {
            seed.extend(all(*operation));
        }
        seed
    };
    vec![
        seed(1, &[4, 4, 6, 8, 6, 10]),
        seed(2, &[4, 8, 9, 11, 6, 10, 4]),
    ]
}
