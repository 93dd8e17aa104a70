//! `platform_op`: what the first domain asks of the machine.

use calls::{FirmwareInfoType, PlatformOp};
use hw::percpu::PerCpu;
use vocabulary::{refuse, Errno, Nanos, Refusal, Refused};
use xen_abi::platform as abi;
use xen_abi::platform_firmware::FirmwareInfo;
use xen_abi::platform_power::EnterAcpiSleep;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use crate::hypercall::{Answer, Arguments, Caller};
use crate::power::{self, Sleep};
use crate::{authority, clock, guest, irq, processors};

/// Argument: the structure.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let structure = arguments.get(0);
    let mut request = guest::read::<abi::PlatformOp>(structure)?;
    if request.interface_version != abi::XENPF_INTERFACE_VERSION {
        return Err(Refusal::new(
            Errno::EACCES,
            "the request is of another version of the interface",
        )
        .into());
    }
    authority::control(caller.vcpu)?;
    match PlatformOp::from_number(request.cmd).map_err(Refusal::from)? {
        PlatformOp::Settime32 => {
            let time = part::<abi::Settime32>(&request)?;
            clock::set_wall(u64::from(time.secs), time.nsecs, Nanos(time.system_time))?;
            Ok(0)
        }
        PlatformOp::Settime64 => {
            let time = part::<abi::Settime64>(&request)?;
            if time.mbz != 0 {
                return Err(Refusal::new(Errno::EINVAL, "a field that must be zero is not").into());
            }
            clock::set_wall(time.secs, time.nsecs, Nanos(time.system_time))?;
            Ok(0)
        }
        PlatformOp::GetCpuVersion => {
            let asked = part::<abi::PcpuVersion>(&request)?;
            put(&mut request, &cpu_version(asked))?;
            guest::write(structure, &request)?;
            Ok(0)
        }
        PlatformOp::FirmwareInfo => {
            let mut info = part::<FirmwareInfo>(&request)?;
            firmware_info(&mut info)?;
            put(&mut request, &info)?;
            guest::write(structure, &request)?;
            Ok(0)
        }
        PlatformOp::EnterAcpiSleep => {
            let sleep = part::<EnterAcpiSleep>(&request)?;
            enter_sleep(&sleep)?;
            Ok(0)
        }
        PlatformOp::GetCpuinfo => {
            let asked = part::<abi::PcpuInfo>(&request)?;
            put(&mut request, &cpu_info(asked))?;
            guest::write(structure, &request)?;
            Ok(0)
        }
        PlatformOp::CpuOnline => {
            check_processor(part::<abi::CpuOl>(&request)?.cpuid)?;
            Ok(0)
        }
        PlatformOp::CpuOffline => Ok(take_offline(part::<abi::CpuOl>(&request)?.cpuid)?),
    }
}

/// All processors there are run.
fn check_processor(number: u32) -> Refused<()> {
    if is_online(number) {
        Ok(())
    } else {
        refuse(Errno::EINVAL, "there is no such processor")
    }
}

fn take_offline(number: u32) -> Refused<u64> {
    check_processor(number)?;
    refuse(Errno::EOPNOTSUPP, "processors are not taken off")
}

/// The request's part that belongs to the operation.
fn part<T: FromBytes>(request: &abi::PlatformOp) -> Refused<T> {
    match T::read_from_prefix(request.u.as_bytes()) {
        Ok((value, _)) => Ok(value),
        Err(_) => refuse(
            Errno::EINVAL,
            "the request has no room for the operation's part",
        ),
    }
}

/// Puts the answer where the request's part was.
fn put<T: IntoBytes + Immutable>(request: &mut abi::PlatformOp, answer: &T) -> Refused<()> {
    match answer.write_to_prefix(request.u.as_mut_bytes()) {
        Ok(()) => Ok(()),
        Err(_) => refuse(
            Errno::EINVAL,
            "the request has no room for the operation's part",
        ),
    }
}

/// The highest number of a processor.
fn last_processor() -> u32 {
    processors::online().iter().last().unwrap_or(0) as u32
}

fn is_online(number: u32) -> bool {
    processors::online().contains(number as usize)
}

fn cpu_info(mut info: abi::PcpuInfo) -> abi::PcpuInfo {
    info.max_present = last_processor();
    info.flags = abi::XEN_PCPU_FLAGS_INVALID;
    if is_online(info.xen_cpuid) {
        let apic_id = PerCpu::apic_id_of(info.xen_cpuid as usize).unwrap_or(0);
        info.flags = abi::XEN_PCPU_FLAGS_ONLINE;
        info.apic_id = apic_id;
        info.acpi_id = irq::acpi_id(apic_id).unwrap_or(u32::MAX);
    }
    info
}

/// The processors of a machine are alike, so the one asked says it for the others.
fn cpu_version(asked: abi::PcpuVersion) -> abi::PcpuVersion {
    let mut version = abi::PcpuVersion {
        xen_cpuid: asked.xen_cpuid,
        ..abi::PcpuVersion::new_zeroed()
    };
    version.max_present = last_processor();
    if is_online(asked.xen_cpuid) {
        let identity = super::mca::Identity::here();
        version.vendor_id = identity.vendor;
        (version.family, version.model, version.stepping) =
            (identity.family, identity.model, identity.stepping);
    }
    version
}

/// Nothing was asked of a BIOS: what needs its calls is not there.
fn firmware_info(info: &mut FirmwareInfo) -> Refused<()> {
    let Ok(kind) = FirmwareInfoType::from_number(info.kind) else {
        return refuse(
            Errno::EINVAL,
            "there is no such kind of firmware information",
        );
    };
    match kind {
        FirmwareInfoType::DiskInfo | FirmwareInfoType::DiskMbrSignature => {
            refuse(Errno::ESRCH, "no such disk is known from the BIOS")
        }
        FirmwareInfoType::VbeddcInfo => refuse(
            Errno::ESRCH,
            "nothing is known of the monitor from the BIOS",
        ),
        FirmwareInfoType::KbdShiftFlags if info.index != 0 => {
            refuse(Errno::ESRCH, "there is one set of keyboard flags")
        }
        FirmwareInfoType::KbdShiftFlags => {
            info.u = [0; 4];
            Ok(())
        }
    }
}

fn enter_sleep(sleep: &EnterAcpiSleep) -> Refused<()> {
    use xen_abi::platform_power::XENPF_ACPI_SLEEP_EXTENDED;
    let extended = sleep.flags & XENPF_ACPI_SLEEP_EXTENDED != 0;
    if sleep.flags & !XENPF_ACPI_SLEEP_EXTENDED != 0
        || (extended && (sleep.val_a > 7 || sleep.val_b > 7))
    {
        return refuse(
            Errno::EINVAL,
            "a flag or value of the sleep state that is none",
        );
    }
    power::enter_sleep(Sleep {
        state: sleep.sleep_state,
        first: sleep.val_a,
        second: sleep.val_b,
        extended,
    })
}
