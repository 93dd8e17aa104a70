//! Bringing the interrupt controllers up: the 8259s out of the way, the local APICs, the I/O APICs.

use firmware::acpi::{Acpi, Madt};
use hw::apic::{self, NmiPin, Vectors};
use hw::ioapic::IoApics;
use hw::percpu::PerCpu;
use hw::{machine_check, pic};
use options::Options;
use spin::Once;
use vocabulary::{refuse, Errno, Refused};

use super::lines::{self, Source};
use super::{ERROR_VECTOR, LEGACY_VECTORS, SPURIOUS_VECTOR, TIMER_VECTOR};

/// Where local APICs are on every PC.
const USUAL_APIC_ADDRESS: u64 = 0xfee0_0000;
/// First register of an I/O APIC's table of pins.
const FIRST_PIN_REGISTER: u32 = 0x10;
const PIN_LOW: u32 = 1 << 13;
const PIN_LEVEL: u32 = 1 << 15;

static MADT: Once<Option<Madt>> = Once::new();

/// Brings the boot processor's and the board's controllers up.
pub fn initialise(options: &Options<'_>, acpi: &Acpi) {
    let madt = MADT.call_once(|| acpi.madt.clone());
    pic::disable(LEGACY_VECTORS);
    let address = madt
        .as_ref()
        .map_or(USUAL_APIC_ADDRESS, |madt| madt.local_apic);
    if apic::initialise(address, options.x2apic).is_err() {
        hw::console::fatal(format_args!(
            "(XEN) the local APIC at {address:#x} is out of reach: no processor of this machine can be used"
        ));
    }
    apic::switch_on();
    PerCpu::current()
        .apic_id
        .store(apic::id(), core::sync::atomic::Ordering::Relaxed);
    enable_here();
    let controllers = madt.as_ref().filter(|_| !options.no_io_apic).map(|madt| {
        let (controllers, silent) = IoApics::new(madt);
        for address in silent {
            crate::log!(
                Warning,
                "the I/O APIC at {address:#x} does not answer: left out"
            );
        }
        controllers
    });
    let processors = madt.as_ref().map_or(1, |madt| madt.processors.len());
    lines::initialise(controllers, processors);
    if lines::pins() == 0 {
        crate::log!(
            Warning,
            "no I/O APIC is in use: devices' interrupts do not arrive, but for messages"
        );
    }
    crate::log!(
        Info,
        "{} interrupt lines, {} more for messages",
        lines::pins(),
        lines::count() - lines::pins()
    );
}

/// Switches this processor's APIC and its machine checks on. Every processor, before it takes interrupts.
pub fn enable_here() {
    machine_check::enable();
    apic::switch_on();
    let vectors = Vectors {
        spurious: SPURIOUS_VECTOR,
        error: ERROR_VECTOR,
        timer: TIMER_VECTOR,
    };
    let madt = MADT.get().and_then(Option::as_ref);
    let apic_id = apic::id();
    let own = madt.and_then(|madt| {
        madt.processors
            .iter()
            .find(|processor| processor.apic_id == apic_id)
    });
    let acpi_id = own.map(|processor| processor.acpi_id);
    let pins = madt.into_iter().flat_map(|madt| &madt.local_nmis);
    let mine = pins.filter(|pin| pin.acpi_id.is_none() || pin.acpi_id == acpi_id);
    apic::enable(
        vectors,
        mine.map(|pin| NmiPin {
            lint: pin.lint,
            polarity: pin.polarity,
        }),
    );
}

/// The number that ACPI's namespace knows the processor by which has an APIC number.
pub fn acpi_id(apic_id: u32) -> Option<u32> {
    let madt = MADT.get()?.as_ref()?;
    madt.processors
        .iter()
        .find(|processor| processor.apic_id == apic_id)
        .map(|processor| processor.acpi_id)
}

/// Routes the ISA line of the hypervisor's serial port to the boot processor. False where it cannot be.
pub fn route_console(line: u8) -> bool {
    let Some(wired) = lines::with_controllers(|it| it.isa_line(line)) else {
        return false;
    };
    let Ok(number) = u16::try_from(wired.gsi) else {
        return false;
    };
    let bound = lines::with(number, |line| {
        line.source = Source::Pin {
            gsi: wired.gsi,
            level: wired.level,
            low: wired.low,
            set_up: true,
        };
        line.bind_console(number).is_ok()
    });
    bound == Some(true)
}

/// Reads a register of an I/O APIC for dom0 (`PHYSDEVOP_apic_read`).
///
/// # Errors
/// `EINVAL`: no I/O APIC is at that address.
pub fn read_controller(address: u64, register: u32) -> Refused<u32> {
    match lines::with_controllers(|it| it.read_register(address, register)).flatten() {
        Some(value) => Ok(value),
        None => refuse(
            Errno::EINVAL,
            "no I/O APIC with such a register is at that address",
        ),
    }
}

/// Takes what dom0 writes to a register of an I/O APIC (`PHYSDEVOP_apic_write`): of a pin's entry the wiring, as long as
/// nobody uses the pin; destination, vector and mask are the hypervisor's. Other registers' writes are dropped.
///
/// # Errors
/// `EINVAL`: no I/O APIC is at that address.
pub fn write_controller(address: u64, register: u32, value: u32) -> Refused<()> {
    if register < FIRST_PIN_REGISTER {
        return read_controller(address, register).map(|_| ());
    }
    let found = lines::with_controllers(|it| it.gsi_of_register(address, register)).flatten();
    let Some((gsi, is_upper)) = found else {
        return refuse(
            Errno::EINVAL,
            "no I/O APIC with such a register is at that address",
        );
    };
    if is_upper {
        return Ok(());
    }
    lines::with(gsi as u16, |line| {
        if line.is_free() {
            let (level, low) = (value & PIN_LEVEL != 0, value & PIN_LOW != 0);
            line.source = Source::Pin {
                gsi,
                level,
                low,
                set_up: true,
            };
        }
    });
    Ok(())
}
