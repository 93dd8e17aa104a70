//! `physdev_op`: interrupts and I/O privilege of a domain that drives devices, and the PCI devices it found.

use core::sync::atomic::Ordering::Relaxed;

use calls::{PhysdevOp, PirqType};
use hw::pci::Function;
use vocabulary::{DomainId, Errno, Mfn, Refusal, Refused, VirtAddr};
use xen_abi::physdev as abi;

use crate::devices;
use crate::hypercall::{Answer, Arguments, Caller};
use crate::irq::{self, Message};
use crate::vcpu::Vcpu;
use crate::{authority, guest};

/// Ports there are.
const PORTS: u32 = 1 << 16;

/// Arguments: operation, its structure.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, structure, ..] = arguments.0;
    let vcpu = caller.vcpu;
    match PhysdevOp::from_number(operation as u32).map_err(Refusal::from)? {
        PhysdevOp::Eoi => {
            let request = guest::read::<abi::Eoi>(structure)?;
            irq::end(&vcpu.domain, request.irq)?;
        }
        PhysdevOp::IrqStatusQuery => {
            let mut request = guest::read::<abi::IrqStatusQuery>(structure)?;
            irq::check_number(&vcpu.domain, request.irq)?;
            // Whoever asks instead of reading the page of `pirq_eoi_gmfn` has to end every interrupt.
            request.flags = abi::XENIRQSTAT_needs_eoi;
            if irq::is_shared(&vcpu.domain, request.irq) {
                request.flags |= abi::XENIRQSTAT_shared;
            }
            guest::write(structure, &request)?;
        }
        PhysdevOp::SetIopl => {
            let request = guest::read::<abi::SetIopl>(structure)?;
            let Some(level) = u8::try_from(request.iopl).ok().filter(|&level| level <= 3) else {
                return refused(Errno::EINVAL, "the I/O privilege level is 0 to 3");
            };
            vcpu.context.iopl.store(level, Relaxed);
        }
        PhysdevOp::SetIobitmap => set_port_bitmap(vcpu, structure)?,
        PhysdevOp::PirqEoiGmfnV1 | PhysdevOp::PirqEoiGmfnV2 => {
            let request = guest::read::<abi::PirqEoiGmfn>(structure)?;
            let unmask = operation as u32 == abi::PHYSDEVOP_pirq_eoi_gmfn_v1;
            irq::set_end_page(&vcpu.domain, Mfn(request.gmfn), unmask)?;
        }
        PhysdevOp::MapPirq => map(vcpu, structure)?,
        PhysdevOp::UnmapPirq => {
            let request = guest::read::<abi::UnmapPirq>(structure)?;
            let target = authority::target(vcpu, DomainId(request.domid))?;
            authority::control(vcpu)?;
            irq::unmap(&target, request.pirq as u32)?;
        }
        PhysdevOp::GetFreePirq => {
            let mut request = guest::read::<abi::GetFreePirq>(structure)?;
            request.pirq = irq::reserve(&vcpu.domain, request.kind != abi::MAP_PIRQ_TYPE_GSI)?;
            guest::write(structure, &request)?;
        }
        other => board(vcpu, other, structure)?,
    }
    Ok(0)
}

fn refused(errno: Errno, rule: &'static str) -> Answer {
    Err(Refusal::new(errno, rule).into())
}

/// What only the domain that drives the board may do.
fn board(vcpu: &Vcpu, operation: PhysdevOp, structure: u64) -> Refused<()> {
    match operation {
        PhysdevOp::ApicRead => {
            let mut request = guest::read::<abi::Apic>(structure)?;
            authority::control(vcpu)?;
            request.value = irq::read_controller(request.apic_physbase, request.reg)?;
            guest::write(structure, &request)
        }
        PhysdevOp::ApicWrite => {
            let request = guest::read::<abi::Apic>(structure)?;
            authority::control(vcpu)?;
            irq::write_controller(request.apic_physbase, request.reg, request.value)
        }
        PhysdevOp::AllocIrqVector => {
            let mut request = guest::read::<abi::Irq>(structure)?;
            authority::control(vcpu)?;
            // Vectors are the hypervisor's own; the guest's interrupt number stands for one.
            request.vector = request.irq;
            guest::write(structure, &request)
        }
        PhysdevOp::SetupGsi => {
            let request = guest::read::<abi::SetupGsi>(structure)?;
            authority::control(vcpu)?;
            irq::set_up_gsi(
                request.gsi as u32,
                request.triggering != 0,
                request.polarity != 0,
            )
        }
        PhysdevOp::PciMmcfgReserved => {
            authority::control(vcpu)?;
            let request = guest::read::<abi::PciMmcfgReserved>(structure)?;
            configuration_space(&request)
        }
        other => pci(vcpu, other, structure),
    }
}

fn set_port_bitmap(vcpu: &Vcpu, structure: u64) -> Refused<()> {
    let request = guest::read::<abi::SetIobitmap>(structure)?;
    let bytes = u64::from(request.nr_ports.div_ceil(8));
    if request.nr_ports > PORTS || (bytes != 0 && !hw::copy::is_guest_range(request.bitmap, bytes))
    {
        return vocabulary::refuse(
            Errno::EINVAL,
            "the port bitmap is larger than port space or lies outside the guest",
        );
    }
    if !vcpu
        .domain
        .interrupts
        .ports
        .set(vcpu.id, VirtAddr(request.bitmap).0, request.nr_ports)
    {
        return vocabulary::refuse(Errno::ENOMEM, "no memory to keep the port bitmap in mind");
    }
    Ok(())
}

fn map(vcpu: &Vcpu, structure: u64) -> Refused<()> {
    let mut request = guest::read::<abi::MapPirq>(structure)?;
    let target = authority::target(vcpu, DomainId(request.domid))?;
    authority::control(vcpu)?;
    let wanted = u32::try_from(request.pirq).ok();
    let Ok(kind) = PirqType::from_number(request.kind as u32) else {
        return vocabulary::refuse(Errno::EINVAL, "there is no such kind of interrupt");
    };
    let number = match kind {
        PirqType::Gsi => {
            let Ok(gsi) = u32::try_from(request.index) else {
                return vocabulary::refuse(
                    Errno::EINVAL,
                    "there is no such global system interrupt",
                );
            };
            irq::map_gsi(&target, gsi, wanted)
        }
        // The older kind knows segment 0 only and has no room for another.
        PirqType::Msi => irq::map_message(&target, message(&request, 0)?, wanted),
        PirqType::MsiSegment => {
            irq::map_message(&target, message(&request, request.bus >> 16)?, wanted)
        }
        PirqType::MultiMsi => match request.entry_nr {
            1 => irq::map_message(&target, message(&request, request.bus >> 16)?, wanted),
            2..=32 => vocabulary::refuse(
                Errno::EOPNOTSUPP,
                "several messages of one MSI capability need interrupt remapping: ask for one",
            ),
            _ => vocabulary::refuse(Errno::EDOM, "an MSI capability has 1 to 32 messages"),
        },
    };
    let number = number?;
    request.pirq = number as i32;
    guest::write(structure, &request)
}

/// Reads which device and which of its messages is meant.
fn message(request: &abi::MapPirq, segment: i32) -> Refused<Message> {
    let function = function(segment as u16, request.bus as u8, request.devfn as u8)?;
    if request.table_base == 0 {
        return Ok(Message {
            function,
            entry: None,
        });
    }
    match u16::try_from(request.entry_nr) {
        Ok(entry) => Ok(Message {
            function,
            entry: Some(entry),
        }),
        Err(_) => vocabulary::refuse(Errno::EINVAL, "the device's MSI-X table has no such entry"),
    }
}

/// A PCI function of the one segment that is reached.
fn function(segment: u16, bus: u8, device_function: u8) -> Refused<Function> {
    if segment != 0 {
        return vocabulary::refuse(Errno::ENODEV, "PCI segments other than 0 are not reached");
    }
    Ok(Function {
        bus,
        device_function,
    })
}

fn configuration_space(request: &abi::PciMmcfgReserved) -> Refused<()> {
    if request.flags & !abi::XEN_PCI_MMCFG_RESERVED != 0 {
        return vocabulary::refuse(Errno::EINVAL, "a flag that is none");
    }
    match devices::configuration_space(
        request.segment,
        request.start_bus,
        request.end_bus,
        request.address,
    ) {
        Some(true) => Ok(()),
        Some(false) => vocabulary::refuse(Errno::EIO, "the firmware's table names another address"),
        None => vocabulary::refuse(
            Errno::ENODEV,
            "the firmware's tables name no such configuration space",
        ),
    }
}

/// PCI devices that dom0 found or lost. Nothing is kept of them: a device is looked at when its messages are mapped.
fn pci(vcpu: &Vcpu, operation: PhysdevOp, structure: u64) -> Refused<()> {
    let function = match operation {
        PhysdevOp::ManagePciAdd | PhysdevOp::ManagePciRemove => {
            let request = guest::read::<abi::ManagePci>(structure)?;
            function(0, request.bus, request.devfn)
        }
        PhysdevOp::ManagePciAddExt => {
            let request = guest::read::<abi::ManagePciExt>(structure)?;
            if request.is_extfn > 1 || request.is_virtfn > 1 {
                return vocabulary::refuse(
                    Errno::EINVAL,
                    "a flag of the PCI device is neither 0 nor 1",
                );
            }
            function(0, request.bus, request.devfn)
        }
        PhysdevOp::PciDeviceAdd => {
            let request = guest::read::<abi::PciDeviceAdd>(structure)?;
            function(request.seg, request.bus, request.devfn)
        }
        PhysdevOp::RestoreMsi => {
            let request = guest::read::<abi::RestoreMsi>(structure)?;
            function(0, request.bus, request.devfn)
        }
        _ => {
            let request = guest::read::<abi::PciDevice>(structure)?;
            function(request.seg, request.bus, request.devfn)
        }
    };
    authority::control(vcpu)?;
    let is_news = matches!(
        operation,
        PhysdevOp::ManagePciAdd | PhysdevOp::ManagePciAddExt | PhysdevOp::PciDeviceAdd
    );
    let function = match function {
        // A device in a segment out of reach works all the same, without messages.
        Err(_) if is_news => return Ok(()),
        function => function?,
    };
    match operation {
        PhysdevOp::PrepareMsix | PhysdevOp::ReleaseMsix => irq::check_extended_messages(function),
        PhysdevOp::RestoreMsi | PhysdevOp::RestoreMsiExt => {
            irq::restore_messages(function);
            Ok(())
        }
        PhysdevOp::ManagePciRemove | PhysdevOp::PciDeviceRemove => {
            irq::unmap_device(&vcpu.domain, function);
            Ok(())
        }
        _ => Ok(()),
    }
}
