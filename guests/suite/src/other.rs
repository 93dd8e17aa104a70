//! A domain of our own, made with `domctl` and destroyed at its end, and what its builder asks for in its name.

use guest_kit::hypercall::*;
use guest_kit::mmu::{ExtOp, INVLPG, WRITABLE};
use guest_kit::pages::{Page, PAGE};

/// `DOMID_SELF`.
pub const SELF: u64 = 0x7ff0;
/// `DOMID_IO`.
pub const IO: u64 = 0x7ff1;
/// `DOMID_XEN`.
pub const XEN: u64 = 0x7ff2;
/// A number that no domain has.
pub const NOBODY: u64 = 0x1234;
/// Frames a domain of ours may have.
pub const MOST: u64 = 600;

/// A request of `domctl`.
#[repr(C)]
pub struct Control {
    command: u32,
    version: u32,
    domain: u16,
    padding: [u16; 3],
    /// What the operation takes and answers.
    pub part: [u64; 16],
}

/// Asks `domctl`: the answer, and the request as it came back.
pub fn ask(command: u32, domain: u16, part: [u64; 16]) -> (i64, Control) {
    let mut request = Control {
        command,
        version: 0x15,
        domain,
        padding: [0; 3],
        part,
    };
    (call2(nr::DOMCTL, at_mut(&mut request), 0), request)
}

fn control(command: u32, domain: u16, part: [u64; 16]) -> (i64, u16) {
    let (answer, request) = ask(command, domain, part);
    (answer, request.domain)
}

/// A domain that is destroyed at its end.
pub struct Other(pub u64);

impl Other {
    /// Makes it, with one vCPU and a grant table of four frames at most.
    pub fn create() -> Self {
        Self::lending(4)
    }

    /// The same with a grant table of so many frames at most.
    pub fn lending(frames: u64) -> Self {
        let mut part = [0; 16];
        // ssidref, handle, flags, iommu_opts; max_vcpus
        part[3] = 1 << 32;
        // max_evtchn_port, max_grant_frames; max_maptrack_frames, grant_opts
        part[4] = 1023 | frames << 32;
        part[5] = 16 | 2 << 32;
        let (answer, number) = control(1, 0, part);
        assert_eq!(answer, 0, "createdomain");
        let mut part = [0; 16];
        part[0] = MOST * 4;
        assert_eq!(control(11, number, part).0, 0, "max_mem");
        part[0] = 1;
        assert_eq!(control(15, number, part).0, 0, "max_vcpus");
        Self(number.into())
    }

    /// Asks `memory_op` for extents; gives the answer, the numbers replaced.
    pub fn extents(&self, operation: u64, numbers: &mut [u64], order: u64, flags: u64) -> i64 {
        let argument = [
            numbers.as_mut_ptr() as u64,
            numbers.len() as u64,
            order | flags << 32,
            self.0,
        ];
        memory_op(operation, at(&argument))
    }

    /// Gives it a frame for the place.
    pub fn frame(&self, place: u64) -> u64 {
        let mut numbers = [place];
        assert_eq!(self.extents(POPULATE, &mut numbers, 0, 0), 1);
        numbers[0]
    }

    /// How many frames it has.
    pub fn total(&self) -> i64 {
        memory_op(3, at(&(self.0 as u16)))
    }

    /// Maps its frame at a page of ours.
    pub fn map(&self, window: Page, mfn: u64) {
        assert_eq!(map_of(window, (mfn * PAGE) | WRITABLE, self.0), 0);
    }

    /// Destroys it.
    pub fn destroy(&self) {
        assert_eq!(control(2, self.0 as u16, [0; 16]).0, 0, "destroydomain");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        control(2, self.0 as u16, [0; 16]);
    }
}

/// `XENMEM_decrease_reservation`.
pub const DECREASE: u64 = 1;
/// `XENMEM_populate_physmap`.
pub const POPULATE: u64 = 6;

/// A page of ours whose frame is given up for the time of a mapping.
pub fn window() -> Page {
    Page::take().unmap()
}

/// `update_va_mapping_otherdomain` of a page of ours.
pub fn map_of(window: Page, entry: u64, domain: u64) -> i64 {
    let args = [window.va, entry, INVLPG, domain, 0, 0];
    call(nr::UPDATE_VA_MAPPING_OTHERDOMAIN, args)
}

/// `mmu_update` of one entry in the name of a domain.
pub fn update_of(pointer: u64, value: u64, domain: u64) -> i64 {
    let requests = [[pointer, value]];
    call(nr::MMU_UPDATE, [at(&requests), 1, 0, domain, 0, 0])
}

/// `mmuext_op` of one operation in the name of a domain.
pub fn mmuext_of(command: u32, mfn: u64, domain: u64) -> i64 {
    let operation = ExtOp::new(command, mfn, 0);
    call(nr::MMUEXT_OP, [at(&operation), 1, 0, domain, 0, 0])
}
