//! Which processors are threads of one core and cores of one package.

use hw::cpu::cpuid;
use hw::percpu::PerCpu;
use spin::Once;

use crate::processors;

/// Where a processor is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its package.
    pub package: u32,
    /// Its core, counted in the package.
    pub core: u32,
    /// Its thread, counted in the core.
    pub thread: u32,
}

/// Bits of an APIC number that tell threads of a core apart, and processors of a package.
#[derive(Clone, Copy, Debug, Default)]
struct Bits {
    thread: u32,
    package: u32,
}

impl Bits {
    fn place(self, apic_id: u32) -> Place {
        Place {
            package: apic_id.checked_shr(self.package).unwrap_or(0),
            core: (apic_id & low(self.package))
                .checked_shr(self.thread)
                .unwrap_or(0),
            thread: apic_id & low(self.thread),
        }
    }
}

fn low(bits: u32) -> u32 {
    1u32.checked_shl(bits)
        .map_or(u32::MAX, |above| above.wrapping_sub(1))
}

static BITS: Once<Bits> = Once::new();

/// The bits as the processor tells them: leaf 0Bh, or on older ones the counts of leaf 4 (Intel SDM volume 2,
/// CPUID) or 80000008h (AMD APM volume 3, appendix E).
fn bits() -> Bits {
    *BITS.call_once(|| {
        let [leaves, ..] = cpuid(0, 0);
        let by_levels = (leaves >= 0xb).then(levels).flatten();
        by_levels.unwrap_or_else(|| Bits {
            thread: 0,
            package: package_bits(leaves),
        })
    })
}

fn levels() -> Option<Bits> {
    let [thread, threads, ..] = cpuid(0xb, 0);
    let [package, ..] = cpuid(0xb, 1);
    let thread = thread & 0x1f;
    (threads != 0).then(|| Bits {
        thread,
        package: (package & 0x1f).max(thread),
    })
}

fn package_bits(leaves: u32) -> u32 {
    const SIZES: u32 = 0x8000_0008;
    const MANY: u32 = 1 << 28;
    let [_, signature, _, features] = cpuid(1, 0);
    if features & MANY == 0 {
        return 0;
    }
    let [last_extended, ..] = cpuid(0x8000_0000, 0);
    let [_, _, sizes, _] = if last_extended >= SIZES {
        cpuid(SIZES, 0)
    } else {
        [0; 4]
    };
    let [caches, ..] = if leaves >= 4 { cpuid(4, 0) } else { [0; 4] };
    let explicit = sizes >> 12 & 0xf;
    if explicit != 0 {
        return explicit;
    }
    let amd = sizes & 0xff;
    let intel = caches >> 26;
    // The highest number of a core, from the most telling source: the bits it needs.
    let highest = if amd != 0 {
        amd
    } else if intel != 0 {
        intel
    } else {
        (signature >> 16 & 0xff).saturating_sub(1)
    };
    u32::BITS - highest.leading_zeros()
}

/// Where processor `index` is; `None` where there is none.
pub fn place(index: usize) -> Option<Place> {
    PerCpu::apic_id_of(index).map(|apic_id| bits().place(apic_id))
}

/// How many threads that run the core of processor `index` has, and how many cores its package, at least 1.
pub fn neighbours(index: usize) -> (u32, u32) {
    let Some(own) = place(index) else {
        return (1, 1);
    };
    let places = || processors::online().iter().filter_map(place);
    let in_package = places().filter(|other| other.package == own.package);
    let (mut package, mut core) = (0u32, 0u32);
    for other in in_package {
        package += 1;
        core += u32::from(other.core == own.core);
    }
    let threads = core.max(1);
    (threads, (package / threads).max(1))
}
