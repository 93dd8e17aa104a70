//! What a domain's frames are, and its hypercall page.

use alloc::vec::Vec;

use memory::{Attempt, PageInfo, PageRef, PageType};
use vocabulary::{refuse, Errno, Mfn, Refusal};
use xen_abi::domctl::{AddressSize, HypercallInit};
use xen_abi::domctl_memory::{
    Getpageframeinfo3, XEN_DOMCTL_PFINFO_L1TAB, XEN_DOMCTL_PFINFO_L2TAB, XEN_DOMCTL_PFINFO_L3TAB,
    XEN_DOMCTL_PFINFO_L4TAB, XEN_DOMCTL_PFINFO_LPINTAB, XEN_DOMCTL_PFINFO_NOTAB,
    XEN_DOMCTL_PFINFO_XTAB,
};
use zerocopy::IntoBytes;

use super::Request;
use crate::{guest, machine};

/// Frames that one call may ask about.
const MOST_FRAMES: u64 = 1024;

/// `XEN_DOMCTL_getpageframeinfo3`: each number becomes what the frame is. E2BIG: more than 1024; EFAULT.
pub fn types(request: &mut Request<'_>) -> Attempt<u64> {
    let part: Getpageframeinfo3 = request.part()?;
    if part.num > MOST_FRAMES {
        return Ok(refuse(Errno::E2BIG, "at most 1024 frames are asked about")?);
    }
    let mut numbers = Vec::<u64>::new();
    if numbers.try_reserve_exact(part.num as usize).is_err() {
        return Ok(refuse(Errno::ENOMEM, "no memory for the numbers")?);
    }
    numbers.resize(part.num as usize, 0);
    guest::read_bytes(part.array, numbers.as_mut_bytes())?;
    for number in &mut numbers {
        let page = PageRef::acquire(
            machine::frames(),
            &machine::Machine,
            Mfn(*number),
            request.domain.id,
        );
        *number = u64::from(match page {
            Ok(page) if !page.page().is_hypervisors() => type_of(page.page()),
            _ => XEN_DOMCTL_PFINFO_XTAB,
        });
    }
    guest::write_bytes(part.array, numbers.as_bytes())?;
    Ok(0)
}

/// What the interface calls a frame.
fn type_of(page: &PageInfo) -> u32 {
    let kind = match page.page_type() {
        PageType::L1 => XEN_DOMCTL_PFINFO_L1TAB,
        PageType::L2 => XEN_DOMCTL_PFINFO_L2TAB,
        PageType::L3 => XEN_DOMCTL_PFINFO_L3TAB,
        PageType::L4 => XEN_DOMCTL_PFINFO_L4TAB,
        _ => XEN_DOMCTL_PFINFO_NOTAB,
    };
    if page.is_pinned() {
        kind | XEN_DOMCTL_PFINFO_LPINTAB
    } else {
        kind
    }
}

/// Bytes of one hypercall's code in a hypercall page.
const STUB_BYTES: usize = 32;
/// Hypercalls a page has room for (the rest of it stays zero).
const STUBS: u32 = 64;
/// The number of `iret`, which does not come back.
const IRET: u32 = 23;

/// `XEN_DOMCTL_hypercall_init`: fills a frame with code that a guest calls to make a hypercall. EINVAL: the frame is not
/// the domain's or not writable.
pub fn hypercall_page(request: &mut Request<'_>) -> Attempt<u64> {
    let HypercallInit { gmfn } = request.part()?;
    let denied = Refusal::new(
        Errno::EINVAL,
        "the frame is not the domain's, or is in use as a table",
    );
    let frame = Mfn(gmfn);
    let page = PageRef::acquire(
        machine::frames(),
        &machine::Machine,
        frame,
        request.domain.id,
    );
    let _writable = page.and_then(PageRef::writable).map_err(|_| denied)?;
    let window = hw::window::Window::open(frame);
    for number in 0..STUBS {
        window.write(number as usize * STUB_BYTES, &stub(number));
    }
    Ok(0)
}

/// The code of one hypercall: `syscall` overwrites `rcx` and `r11`, which the caller keeps.
fn stub(number: u32) -> [u8; STUB_BYTES] {
    const PUSH_RCX_R11: [u8; 3] = [0x51, 0x41, 0x53];
    const PUSH_RAX: [u8; 1] = [0x50];
    const MOV_EAX: [u8; 1] = [0xb8];
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    const POP_R11_RCX_RET: [u8; 4] = [0x41, 0x5b, 0x59, 0xc3];
    /// Fills what no code is in, so that a jump there faults.
    const BREAKPOINT: u8 = 0xcc;
    let mut code = [BREAKPOINT; STUB_BYTES];
    let loads = number.to_le_bytes();
    let parts: [&[u8]; 5] = if number == IRET {
        [&PUSH_RCX_R11, &PUSH_RAX, &MOV_EAX, &loads, &SYSCALL]
    } else {
        [&PUSH_RCX_R11, &MOV_EAX, &loads, &SYSCALL, &POP_R11_RCX_RET]
    };
    for (place, &byte) in code.iter_mut().zip(parts.iter().copied().flatten()) {
        *place = byte;
    }
    code
}

/// `XEN_DOMCTL_set_address_size`: guests are 64 bits wide. EOPNOTSUPP: 32; EINVAL: no width at all.
pub fn set_width(request: &mut Request<'_>) -> Attempt<u64> {
    let AddressSize { size } = request.part()?;
    match size {
        64 => Ok(0),
        32 => Ok(refuse(Errno::EOPNOTSUPP, "there are no 32-bit guests")?),
        _ => Ok(refuse(Errno::EINVAL, "guests have 32 or 64 bits")?),
    }
}

/// `XEN_DOMCTL_get_address_size`.
pub fn width(request: &mut Request<'_>) -> Attempt<u64> {
    request.answer(&AddressSize { size: 64 })?;
    Ok(0)
}
