//! Instructions of the hypervisor that may fault, and where control goes when they do; and the places
//! that open and close access to guest memory on a processor with SMAP.

/// An entry of `.ex_table` or `.smap_sites` as the assembly lays it down.
#[repr(C)]
struct Entry {
    site: u64,
    value: u64,
}

extern "C" {
    static ex_table_start: [Entry; 0];
    static ex_table_end: [Entry; 0];
    static smap_sites_start: [Entry; 0];
    static smap_sites_end: [Entry; 0];
}

fn between(start: *const [Entry; 0], end: *const [Entry; 0]) -> &'static [Entry] {
    let count = (end as usize - start as usize) / core::mem::size_of::<Entry>();
    // SAFETY: both symbols bound one section of the image that holds nothing but `Entry`s and is read-only.
    unsafe { core::slice::from_raw_parts(start.cast(), count) }
}

/// Where control goes after a fault at `rip`, if a fault is allowed there.
pub fn continuation(rip: u64) -> Option<u64> {
    let table = between(&raw const ex_table_start, &raw const ex_table_end);
    table
        .iter()
        .find(|entry| entry.site == rip)
        .map(|entry| entry.value)
}

/// Turns the three-byte no-operations around guest accesses into `stac` and `clac`. Call before the
/// image's code becomes read-only, on the boot processor, when it has SMAP.
pub fn patch_smap_sites() {
    let sites = between(&raw const smap_sites_start, &raw const smap_sites_end);
    for site in sites {
        let code = site.site as *mut u8;
        // SAFETY: the assembly placed a three-byte no-operation exactly here; only this processor runs, and
        // it executes none of the sites meanwhile. `0f 01 cb` is stac, `0f 01 ca` clac.
        unsafe {
            code.add(1).write_volatile(0x01);
            code.add(2).write_volatile(site.value as u8);
        }
    }
}
