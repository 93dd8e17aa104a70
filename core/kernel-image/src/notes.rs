//! The Xen notes of a kernel (public header `elfnote.h`), typed.

use vocabulary::VirtAddr;

use crate::error::ImageError;
use crate::features::Features;

/// What a kernel's Xen notes say. Addresses are as written; [`crate::examine`] checks them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes<'a> {
    /// ENTRY: where the kernel starts.
    pub entry: Option<VirtAddr>,
    /// HYPERCALL_PAGE: a page of the kernel to be filled with hypercall stubs.
    pub hypercall_page: Option<VirtAddr>,
    /// VIRT_BASE: the virtual address that pseudo-physical address 0 is mapped at.
    pub virt_base: Option<VirtAddr>,
    /// PADDR_OFFSET: what the segments' physical addresses have too much.
    pub paddr_offset: Option<u64>,
    /// XEN_VERSION: the interface the kernel is for.
    pub xen_version: Option<&'a [u8]>,
    /// GUEST_OS: the system's name.
    pub guest_os: Option<&'a [u8]>,
    /// GUEST_VERSION: the system's version.
    pub guest_version: Option<&'a [u8]>,
    /// LOADER: the kind of loader the kernel wants.
    pub loader: Option<&'a [u8]>,
    /// PAE_MODE: of 32-bit kernels.
    pub pae_mode: Option<&'a [u8]>,
    /// FEATURES and SUPPORTED_FEATURES: what the kernel can work with.
    pub supported: Features,
    /// FEATURES: what the kernel cannot work without (names with `!`).
    pub required: Features,
    /// FEATURES: whether a name that is not known is among the required ones.
    pub requires_unnamed: bool,
    /// SUPPORTED_FEATURES: whether the note is there, so that what is missing in it is not supported.
    pub supported_is_complete: bool,
    /// BSD_SYMTAB: whether the kernel wants its symbol table loaded behind it.
    pub wants_symbols: bool,
    /// HV_START_LOW: the lowest start of the hypervisor's part that the kernel accepts.
    pub hypervisor_start_low: Option<VirtAddr>,
    /// L1_MFN_VALID: the first mask and value by which an entry that is not present is known to hold a frame number.
    pub l1_mfn_valid: Option<(u64, u64)>,
    /// SUSPEND_CANCEL: whether the kernel copes with a suspend that did not happen.
    pub suspend_cancel: bool,
    /// INIT_P2M: where the physical-to-machine table is to be mapped, if not behind the kernel.
    pub init_p2m: Option<VirtAddr>,
    /// MOD_START_PFN: whether the initramfs may be given by frame number instead of being mapped.
    pub module_by_frame: bool,
    /// PHYS32_ENTRY: where the kernel starts in PVH mode.
    pub phys32_entry: Option<u64>,
}

/// Names and numbers of the notes (public header `elfnote.h`).
mod number {
    pub(super) const ENTRY: u32 = 1;
    pub(super) const HYPERCALL_PAGE: u32 = 2;
    pub(super) const VIRT_BASE: u32 = 3;
    pub(super) const PADDR_OFFSET: u32 = 4;
    pub(super) const XEN_VERSION: u32 = 5;
    pub(super) const GUEST_OS: u32 = 6;
    pub(super) const GUEST_VERSION: u32 = 7;
    pub(super) const LOADER: u32 = 8;
    pub(super) const PAE_MODE: u32 = 9;
    pub(super) const FEATURES: u32 = 10;
    pub(super) const BSD_SYMTAB: u32 = 11;
    pub(super) const HV_START_LOW: u32 = 12;
    pub(super) const L1_MFN_VALID: u32 = 13;
    pub(super) const SUSPEND_CANCEL: u32 = 14;
    pub(super) const INIT_P2M: u32 = 15;
    pub(super) const MOD_START_PFN: u32 = 16;
    pub(super) const SUPPORTED_FEATURES: u32 = 17;
    pub(super) const PHYS32_ENTRY: u32 = 18;
}

impl<'a> Notes<'a> {
    /// Takes in one note. Kinds that are not known are left alone.
    pub(crate) fn add(&mut self, kind: u32, contents: &'a [u8]) -> Result<(), ImageError> {
        let text = Some(text(contents));
        match kind {
            number::XEN_VERSION => self.xen_version = text,
            number::GUEST_OS => self.guest_os = text,
            number::GUEST_VERSION => self.guest_version = text,
            number::LOADER => self.loader = text,
            number::PAE_MODE => self.pae_mode = text,
            number::BSD_SYMTAB => self.wants_symbols = text == Some(b"yes"),
            number::FEATURES => self.add_features(contents),
            _ => return self.add_number(kind, contents),
        }
        Ok(())
    }

    fn add_number(&mut self, kind: u32, contents: &'a [u8]) -> Result<(), ImageError> {
        let broken = |note| ImageError::BrokenNote { note };
        let value = |note| numeric(contents).ok_or(broken(note));
        let address = |note| value(note).map(|value| Some(VirtAddr(value)));
        match kind {
            number::ENTRY => self.entry = address("ENTRY")?,
            number::HYPERCALL_PAGE => self.hypercall_page = address("HYPERCALL_PAGE")?,
            number::VIRT_BASE => self.virt_base = address("VIRT_BASE")?,
            number::PADDR_OFFSET => self.paddr_offset = Some(value("PADDR_OFFSET")?),
            number::HV_START_LOW => self.hypervisor_start_low = address("HV_START_LOW")?,
            number::SUSPEND_CANCEL => self.suspend_cancel = value("SUSPEND_CANCEL")? != 0,
            number::INIT_P2M => self.init_p2m = address("INIT_P2M")?,
            number::MOD_START_PFN => self.module_by_frame = value("MOD_START_PFN")? != 0,
            number::PHYS32_ENTRY => self.phys32_entry = Some(value("PHYS32_ENTRY")?),
            number::SUPPORTED_FEATURES => {
                let bits = value("SUPPORTED_FEATURES")?;
                // Features beyond those of the header are no matter: the kernel only says it could use them.
                self.supported |= Features::from_bits_truncate(bits as u32);
                self.supported_is_complete = true;
            }
            number::L1_MFN_VALID => {
                let pair = contents
                    .split_at_checked(8)
                    .and_then(|(mask, rest)| Some((numeric(mask)?, numeric(rest.get(..8)?)?)));
                self.l1_mfn_valid = Some(pair.ok_or(broken("L1_MFN_VALID"))?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Names separated by bars, those required with an exclamation mark before them.
    fn add_features(&mut self, contents: &[u8]) {
        for word in text(contents).split(|byte| *byte == b'|') {
            let (required, name) = match word.strip_prefix(b"!") {
                Some(name) => (true, name),
                None => (false, word),
            };
            match Features::from_note_name(name) {
                Some(feature) => {
                    self.supported |= feature;
                    if required {
                        self.required |= feature;
                    }
                }
                None => self.requires_unnamed |= required && !name.is_empty(),
            }
        }
    }
}

/// The text before the terminating zero byte.
fn text(contents: &[u8]) -> &[u8] {
    contents.split(|byte| *byte == 0).next().unwrap_or(b"")
}

/// A number of four or eight bytes; four are zero-extended.
fn numeric(contents: &[u8]) -> Option<u64> {
    if let Ok(bytes) = contents.try_into() {
        return Some(u64::from_le_bytes(bytes));
    }
    contents
        .try_into()
        .ok()
        .map(|bytes| u64::from(u32::from_le_bytes(bytes)))
}
