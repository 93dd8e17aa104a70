//! The machine's interrupts: vectors, what each leads to, and the way of a device's interrupt to its domain.
//!
//! An interrupt of a device is a *line* ([`lines`]): a pin of an I/O APIC or a message of a PCI device. A domain knows
//! its lines by numbers of its own, *pirqs* ([`pirqs`]), which it binds to event channels. Vectors are each processor's
//! own ([`vectors`]), so the number of lines is not limited by them.

mod errors;
mod lines;
mod messages;
mod pirqs;
mod setup;
mod takers;
mod vectors;

use hw::percpu::PerCpu;
use hw::registers::Registers;
use hw::{apic, tlb};

use crate::{console, timers};

pub use errors::{machine_check, nmi};
pub use lines::show;
pub use pirqs::{
    bound, check_bindable, check_extended_messages, check_number, drop_end_page, end, follow, has,
    is_shared, map_gsi, map_message, reserve, restore_messages, set_end_page, set_up_gsi, unbound,
    unmap, unmap_all, unmap_device, DomainInterrupts, Message,
};
pub use setup::{
    acpi_id, enable_here, initialise, read_controller, route_console, write_controller,
};

/// Vectors of the 8259s, should they raise one although masked: 16 from here.
const LEGACY_VECTORS: u8 = 0x20;
/// Vectors given to lines; 0x80 among them is the guests' `int 80h`.
const FIRST_LINE_VECTOR: u8 = 0x30;
const LAST_LINE_VECTOR: u8 = 0xef;
const SYSTEM_CALL_VECTOR: u8 = 0x80;
/// Has a processor come out of its guest, or of its sleep, and look.
pub const KICK_VECTOR: u8 = 0xfc;
/// The local APIC's timer.
pub const TIMER_VECTOR: u8 = 0xfa;
/// The local APIC's errors.
pub const ERROR_VECTOR: u8 = 0xfe;
/// An interrupt that was withdrawn before it could be taken.
pub const SPURIOUS_VECTOR: u8 = 0xff;

/// Every interrupt, from a guest or from the idle loop.
pub extern "C" fn interrupt(registers: &mut Registers) {
    let vector = registers.vector as u8;
    match vector {
        TIMER_VECTOR => {
            apic::end_of_interrupt();
            timers::interrupt();
        }
        tlb::SHOOT_DOWN_VECTOR => {
            apic::end_of_interrupt();
            tlb::poll();
        }
        // What is owed stands in `PerCpu::work`, and a pending event is found on the way out.
        KICK_VECTOR => apic::end_of_interrupt(),
        SPURIOUS_VECTOR => {}
        ERROR_VECTOR => {
            apic::end_of_interrupt();
            let index = PerCpu::current().index();
            crate::log!(
                Warning,
                "CPU{index}: its APIC reports errors {:#x}",
                apic::take_error()
            );
        }
        vector if (LEGACY_VECTORS..FIRST_LINE_VECTOR).contains(&vector) => {
            crate::log!(
                Debug,
                "an interrupt of the 8259s, vector {vector:#x}, is ignored"
            );
        }
        vector => {
            if lines::arrived(vector) == lines::Arrived::Console {
                console::serial_interrupt();
            }
        }
    }
}
