//! `mca`: machine checks, of which none are kept for dom0, and what processors there are.

use calls::MachineCheckOp;
use hw::cpu::{cpuid, try_read_msr};
use hw::percpu::PerCpu;
use vocabulary::{refuse, Errno, Refusal, Refused};
use xen_abi::mca as abi;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use crate::hypercall::{Answer, Arguments, Caller};
use crate::{authority, guest, processors, topology};

/// The register that tells how many banks there are (Intel SDM volume 4).
const GLOBAL_CAPABILITY: u32 = 0x179;

/// Argument: the structure.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let structure = arguments.get(0);
    authority::control(caller.vcpu)?;
    let mut request = guest::read::<abi::Mc>(structure)?;
    if request.interface_version != abi::XEN_MCA_INTERFACE_VERSION {
        return Err(Refusal::new(
            Errno::EACCES,
            "the request is of another version of the interface",
        )
        .into());
    }
    match MachineCheckOp::from_number(request.cmd).map_err(Refusal::from)? {
        MachineCheckOp::Fetch => {
            let mut fetch = part::<abi::McFetch>(&request)?;
            self::fetch(&mut fetch)?;
            put(&mut request, &fetch)?;
        }
        MachineCheckOp::Physcpuinfo => {
            let mut asked = part::<abi::McPhyscpuinfo>(&request)?;
            processors_known(&mut asked)?;
            put(&mut request, &asked)?;
        }
    }
    guest::write(structure, &request)?;
    Ok(0)
}

fn part<T: FromBytes>(request: &abi::Mc) -> Refused<T> {
    match T::read_from_prefix(request.u.as_bytes()) {
        Ok((value, _)) => Ok(value),
        Err(_) => refuse(
            Errno::EINVAL,
            "the request has no room for the operation's part",
        ),
    }
}

fn put<T: IntoBytes + Immutable>(request: &mut abi::Mc, answer: &T) -> Refused<()> {
    match answer.write_to_prefix(request.u.as_mut_bytes()) {
        Ok(()) => Ok(()),
        Err(_) => refuse(
            Errno::EINVAL,
            "the request has no room for the operation's part",
        ),
    }
}

/// No error is ever kept, so there is none to fetch. (What a machine check said is on the console.)
fn fetch(fetch: &mut abi::McFetch) -> Refused<()> {
    let urgency = fetch.flags & (abi::XEN_MC_NONURGENT | abi::XEN_MC_URGENT);
    if urgency != abi::XEN_MC_NONURGENT && urgency != abi::XEN_MC_URGENT {
        return refuse(
            Errno::EINVAL,
            "either urgent or other errors can be fetched",
        );
    }
    if fetch.flags & abi::XEN_MC_ACK != 0 {
        fetch.flags = abi::XEN_MC_OK;
        return Ok(());
    }
    if fetch.data == 0 {
        return refuse(Errno::EINVAL, "there is no address for the errors");
    }
    fetch.flags = abi::XEN_MC_NODATA;
    fetch.fetch_id = 0;
    Ok(())
}

fn processors_known(asked: &mut abi::McPhyscpuinfo) -> Refused<()> {
    let count = processors::count() as u32;
    if asked.info == 0 {
        asked.ncpus = count;
        return Ok(());
    }
    if asked.ncpus == 0 {
        return refuse(Errno::EINVAL, "there is no room for a processor");
    }
    let room = asked.ncpus.min(count);
    let identity = Identity::here();
    let mut written = 0;
    for index in processors::online().iter().take(room as usize) {
        let place = guest::element::<abi::McinfoLogicalCpu>(asked.info, written);
        guest::write(place, &processor(index, &identity))?;
        written += 1;
    }
    asked.ncpus = written as u32;
    Ok(())
}

/// What this processor says about its kind.
pub struct Identity {
    /// The vendor, as CPUID spells it.
    pub vendor: [u8; 12],
    /// The family, extended part included.
    pub family: u32,
    /// The model, extended part included.
    pub model: u32,
    /// The stepping.
    pub stepping: u32,
    /// The highest basic leaf.
    pub leaves: u32,
}

impl Identity {
    /// Of the processor that this runs on (Intel SDM volume 2, CPUID).
    pub fn here() -> Self {
        let [leaves, b, c, d] = cpuid(0, 0);
        let mut vendor = [0; 12];
        for (place, word) in vendor.chunks_exact_mut(4).zip([b, d, c]) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let [signature, ..] = cpuid(1, 0);
        let base = signature >> 8 & 0xf;
        let family = if base == 0xf {
            base + (signature >> 20 & 0xff)
        } else {
            base
        };
        let low = signature >> 4 & 0xf;
        let model = if base == 0xf || base == 6 {
            low | signature >> 12 & 0xf0
        } else {
            low
        };
        Self {
            vendor,
            family,
            model,
            stepping: signature & 0xf,
            leaves,
        }
    }

    /// The vendor's number in `mc_vendor`: 0 Intel, 2 AMD, 9 Hygon, 0xff unknown (as Linux numbers them).
    fn vendor_number(&self) -> u32 {
        match &self.vendor {
            b"GenuineIntel" => 0,
            b"AuthenticAMD" => 2,
            b"HygonGenuine" => 9,
            _ => 0xff,
        }
    }
}

fn brand() -> [u8; 64] {
    let mut brand = [0; 64];
    let words = (0x8000_0002u32..=0x8000_0004).flat_map(|leaf| cpuid(leaf, 0));
    for (place, word) in brand.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    brand
}

fn processor(index: usize, identity: &Identity) -> abi::McinfoLogicalCpu {
    let mut answer = abi::McinfoLogicalCpu::new_zeroed();
    let apic_id = PerCpu::apic_id_of(index).unwrap_or(0);
    let place = topology::place(index).unwrap_or_default();
    answer.mc_cpunr = index as u32;
    answer.mc_apicid = apic_id;
    answer.mc_chipid = place.package;
    answer.mc_coreid = place.core as u16;
    answer.mc_threadid = place.thread as u16;
    (answer.mc_nthreads, answer.mc_ncores) = topology::neighbours(index);
    answer.mc_ncores_active = answer.mc_ncores;
    answer.mc_cpuid_level = identity.leaves as i32;
    answer.mc_family = identity.family;
    answer.mc_model = identity.model;
    answer.mc_step = identity.stepping;
    answer.mc_vendor = identity.vendor_number();
    if let Some((place, _)) = answer.mc_vendorid.split_first_chunk_mut::<12>() {
        *place = identity.vendor;
    }
    answer.mc_brandid = brand();
    let [_, line, basic_c, basic_d] = cpuid(1, 0);
    let [_, _, extended_c, extended_d] = cpuid(0x8000_0001, 0);
    answer.mc_cpu_caps = [basic_d, extended_d, 0, 0, basic_c, 0, extended_c];
    answer.mc_cache_alignment = (line >> 8 & 0xff) * 8;
    let [_, _, cache, _] = cpuid(0x8000_0006, 0);
    answer.mc_cache_size = cache >> 16;
    if let Some((value, first)) =
        try_read_msr(GLOBAL_CAPABILITY).zip(answer.mc_msrvalues.first_mut())
    {
        first.reg = u64::from(GLOBAL_CAPABILITY);
        first.value = value;
        answer.mc_nmsrvals = 1;
    }
    answer
}
