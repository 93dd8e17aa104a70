//! Building the first domain: its kernel and initramfs from the boot modules, its memory, its page tables,
//! its first vCPU's start.

mod layout;
mod memory;
mod start;
mod tables;

use core::fmt;

use hw::boot::{BootInfo, Module};
use hw::window;
use kernel_image::{examine, recognise, Features, ImageError};
use options::{MemoryError, Options};
use vocabulary::{DomainId, Mfn, Refusal, VirtAddr};
use xen_abi::arch_x86::XEN_X86_EMU_PIT;
use xen_abi::domctl::Createdomain;
use zerocopy::FromZeros;

use crate::domain::Domain;
use crate::{domains, grants, heap, machine, processors, vcpus};
use alloc::sync::Arc;

pub use layout::Layout;

/// For so many mappings of others' grants a MiB of the machine's memory, within these bounds, it has the memory from the
/// first on. It keeps what it once needed, and would keep memory in use that was taken for guests. A guest with a disk and a
/// network card keeps some eighty mapped after a minute, and more the more it does at once.
const HANDLES_PER_MIB: u64 = 4;
const FEWEST_HANDLES: u64 = 4096;
const MOST_HANDLES: u64 = 65536;
/// Its event channels, for which it has the memory likewise: about what a hundred guests need.
const PORTS: u32 = 1024;

/// What a domain may have without a limit, in frames: what the ABI's 32 bits can say, and the tools take for none.
const NO_LIMIT: u64 = u32::MAX as u64;

/// Why the first domain could not be built. `Display` is one line that names what is wrong and what is right.
#[derive(Debug)]
pub enum BuildError {
    /// There is no module.
    NoModule,
    /// The kernel is not usable.
    Kernel(ImageError),
    /// `dom0_mem` cannot be had.
    Memory(MemoryError),
    /// The memory asked for does not hold kernel and initramfs.
    TooSmall {
        /// MiB that are needed at least.
        needed: u64,
        /// MiB there would be.
        given: u64,
    },
    /// No memory to unpack the kernel in.
    NoRoom {
        /// MiB needed.
        needed: u64,
    },
    /// Something that cannot fail did.
    Broken(Refusal),
}

impl fmt::Display for BuildError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoModule => formatter.write_str(
                "no dom0 kernel: the boot loader must pass it as the first module (GRUB: `module2 /vmlinuz`, \
                 QEMU: `-initrd \"vmlinuz console=hvc0\"`)",
            ),
            Self::Kernel(error) => write!(formatter, "the dom0 kernel (first module) is not usable: {error}"),
            Self::Memory(error) => error.fmt(formatter),
            Self::TooSmall { needed, given } => write!(
                formatter,
                "too little memory for dom0: kernel and initramfs need {needed} MiB at least, dom0 would have {given}"
            ),
            Self::NoRoom { needed } => write!(
                formatter,
                "too little memory: unpacking the dom0 kernel needs {needed} MiB, and the machine has not so much free"
            ),
            Self::Broken(refusal) => write!(formatter, "dom0 could not be built: {refusal}"),
        }
    }
}

impl From<Refusal> for BuildError {
    fn from(refusal: Refusal) -> Self {
        Self::Broken(refusal)
    }
}

impl From<ImageError> for BuildError {
    fn from(error: ImageError) -> Self {
        Self::Kernel(error)
    }
}

/// Bytes of RAM the machine has, for `dom0_mem` in percent.
fn host_bytes(boot: &BootInfo) -> u64 {
    boot.memory.usable_bytes()
}

/// The mappings of others' grants for which dom0 has the memory from the first on.
fn first_handles(boot: &BootInfo) -> u32 {
    let wanted = (host_bytes(boot) >> 20).saturating_mul(HANDLES_PER_MIB);
    wanted.clamp(FEWEST_HANDLES, MOST_HANDLES) as u32
}

/// Builds the first domain; its first vCPU is ready to run. Frees the memory of the boot modules on the way.
pub fn build(boot: &BootInfo, options: &Options<'_>) -> Result<Arc<Domain>, BuildError> {
    let kernel_module = boot.modules.first().ok_or(BuildError::NoModule)?;
    let length = kernel_module.len() as usize;
    let module_frames = memory::module_frames(boot);
    let begun = window::with_bytes(kernel_module.start, length, |file| {
        let container = recognise(file)?;
        match container.as_elf() {
            Some(elf) => begin(elf, boot, options, module_frames),
            None => {
                let bytes = container.unpacked_bytes();
                let frames = (bytes as u64).div_ceil(4096);
                let first = machine::take_adjacent(frames).map_err(|_| BuildError::NoRoom {
                    needed: bytes as u64 >> 20,
                })?;
                let result = window::with_bytes_mut(first.address().0, bytes, |buffer| {
                    let elf = container.unpack(buffer)?;
                    begin(elf, boot, options, module_frames + frames)
                });
                machine::give_back_adjacent(first, frames);
                result
            }
        }
    })?;
    memory::free_modules(boot);
    finish(begun, boot, options)
}

/// A domain whose kernel is in place, and what is needed to finish it.
struct Begun {
    domain: Arc<Domain>,
    frames: Frames,
    layout: Layout,
    pages: u64,
    entry: VirtAddr,
}

/// Plans the domain's memory and loads kernel and initramfs into the first part of it. `soon_free` frames hold what
/// is loaded from; they become the domain's too, when they are free.
fn begin(
    elf: &[u8],
    boot: &BootInfo,
    options: &Options<'_>,
    soon_free: u64,
) -> Result<Begun, BuildError> {
    let kernel = examine(elf, Features::PV_DOM0)?;
    let initramfs = boot.modules.get(1).map_or(0, Module::len);
    let handles = first_handles(boot);
    // Where there is no memory yet, there may be later: then they take it as they are used.
    let has_grown = heap::grow_for_good(handles as usize * grants::BYTES_PER_HANDLE);
    let free = machine::free_frames();
    let available = ((free + soon_free) << 12).saturating_sub(memory::RESERVE);
    let plan = options
        .dom0_memory
        .plan(host_bytes(boot), available)
        .map_err(BuildError::Memory)?;
    let pages = plan.initial >> 12;
    let too_small = |needed: u64, given: u64| BuildError::TooSmall {
        needed: needed >> 8,
        given: given >> 8,
    };
    let layout =
        Layout::plan(&kernel, pages, initramfs).map_err(|needed| too_small(needed, pages))?;
    let now = pages.min(free.saturating_sub(memory::RESERVE >> 12));
    if layout.frames > now {
        return Err(too_small(layout.frames + soon_free, now));
    }
    let count = options.dom0_vcpus.on(processors::count() as u32);
    // One that was given a certain amount and no maximum stays at that: Linux keeps tables for all that it might get.
    let most = match (plan.maximum, options.dom0_memory.exact) {
        (Some(bytes), _) => bytes >> 12,
        (None, Some(_)) => pages,
        (None, None) => NO_LIMIT,
    };
    let domain = Domain::create(DomainId(0), true, &configuration(count), most.max(pages))?;
    let _has_handles = has_grown && domain.grants.borrowed.prepare(handles);
    let _has_ports = domain.events.prepare(PORTS);
    domains::insert(Arc::clone(&domain))?;
    crate::log!(
        Info,
        "dom0: {} MiB in {pages} frames, {count} vCPUs",
        pages >> 8
    );
    let mut frames = Frames::default();
    memory::give(&domain, &mut frames, now)?;
    memory::load_segments(&kernel, &frames);
    if let Some(module) = boot.modules.get(1) {
        memory::copy_module(module, &frames, layout.module_pfn);
    }
    Ok(Begun {
        domain,
        frames,
        layout,
        pages,
        entry: kernel.entry,
    })
}

/// What a toolstack would ask for to make such a domain.
fn configuration(vcpus: u32) -> Createdomain {
    let mut config = Createdomain::new_zeroed();
    config.max_vcpus = vcpus;
    config.max_evtchn_port = u32::MAX;
    config.max_grant_frames = -1;
    config.max_maptrack_frames = -1;
    config.grant_opts = 2;
    // Of the emulated devices it counts as having the timer, since it has the real one's ports.
    config.arch.emulation_flags = XEN_X86_EMU_PIT;
    config
}

/// Gives the domain the rest of its memory, its tables and its vCPUs.
fn finish(begun: Begun, boot: &BootInfo, options: &Options<'_>) -> Result<Arc<Domain>, BuildError> {
    let Begun {
        domain,
        mut frames,
        layout,
        pages,
        entry,
    } = begun;
    memory::give(&domain, &mut frames, pages)?;
    memory::write_p2m(&frames, &layout, pages);
    let root = tables::build(&layout, &frames);
    start::write_info(&domain, &layout, &frames, boot, pages);
    vcpus::create_all(&domain, options.dom0_vcpus.on(processors::count() as u32))?;
    start::first_vcpu(&domain, entry, &layout, root)?;
    Ok(domain)
}

/// The frame of a pseudo-physical one, as chunks of adjacent frames.
#[derive(Default)]
pub struct Frames {
    /// (first pfn, first frame, count), by rising pfn.
    chunks: alloc::vec::Vec<(u64, Mfn, u64)>,
}

impl Frames {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.chunks
            .last()
            .map_or(0, |&(first, _, count)| first + count)
    }

    /// The frame behind `pfn`; every pfn of the domain has one.
    pub fn of(&self, pfn: u64) -> Mfn {
        let after = self.chunks.partition_point(|&(first, _, _)| first <= pfn);
        match after
            .checked_sub(1)
            .and_then(|index| self.chunks.get(index))
        {
            Some(&(first, frame, count)) if pfn - first < count => frame.plus(pfn - first),
            _ => Mfn::INVALID,
        }
    }
}
