//! What is typed on the serial line: for dom0, or for the hypervisor's debug keys after the switch key was
//! typed three times.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU8, Ordering::Relaxed};

use hw::sync::SpinLock;

use crate::{boot, debug_keys, irq, levels};

/// Typed characters kept for dom0.
const SIZE: usize = 256;
/// How often the switch key must be typed in a row.
const SWITCH_COUNT: u8 = 3;
/// No interrupt line.
const NO_LINE: u32 = u32::MAX;

struct Typed {
    bytes: [u8; SIZE],
    head: usize,
    length: usize,
}

static TYPED: SpinLock<Typed, { levels::CONSOLE }> = SpinLock::new(Typed {
    bytes: [0; SIZE],
    head: 0,
    length: 0,
});
static TO_HYPERVISOR: AtomicBool = AtomicBool::new(false);
static SWITCHES: AtomicU8 = AtomicU8::new(0);
static LINE: AtomicU32 = AtomicU32::new(NO_LINE);

/// Remembers the port's interrupt line.
pub fn set_line(line: Option<u8>) {
    LINE.store(line.map_or(NO_LINE, u32::from), Relaxed);
}

/// Whether the port has an interrupt line.
pub fn has_interrupt() -> bool {
    LINE.load(Relaxed) != NO_LINE
}

/// Routes the port's interrupt, once interrupt controllers are up.
pub fn take_interrupts() {
    let line = LINE.load(Relaxed);
    if line == NO_LINE {
        return;
    }
    if irq::route_console(line as u8) {
        super::enable_port_interrupts();
    } else {
        LINE.store(NO_LINE, Relaxed);
        crate::log!(
            Warning,
            "the serial port's interrupt {line} cannot be routed: no input"
        );
    }
}

/// Whether what is typed goes to the hypervisor.
pub fn to_hypervisor() -> bool {
    TO_HYPERVISOR.load(Relaxed)
}

/// Takes a typed character. The switch key is held back until it is clear whether it comes three times in a row.
pub fn take(byte: u8) {
    let switch = boot::options().switch_key.control;
    if let Some(key) = switch {
        if key == byte {
            let count = SWITCHES.load(Relaxed) + 1;
            SWITCHES.store(count % SWITCH_COUNT, Relaxed);
            if count == SWITCH_COUNT {
                toggle(byte);
            }
            return;
        }
        for _ in 0..SWITCHES.swap(0, Relaxed) {
            pass_on(key);
        }
    }
    pass_on(byte);
}

fn pass_on(byte: u8) {
    if to_hypervisor() {
        debug_keys::run(byte);
    } else {
        for_dom0(byte);
    }
}

fn toggle(byte: u8) {
    let hypervisor = !TO_HYPERVISOR.fetch_xor(true, Relaxed);
    let now = if hypervisor {
        "the hypervisor (h for help)"
    } else {
        "dom0"
    };
    let key = char::from(byte | 0x40).to_ascii_lowercase();
    super::print(format_args!(
        "(XEN) input now goes to {now}; type Ctrl-{key} three times to switch back\n"
    ));
}

fn for_dom0(byte: u8) {
    {
        let mut typed = TYPED.lock();
        if typed.length < SIZE {
            let place = (typed.head + typed.length) % SIZE;
            if let Some(slot) = typed.bytes.get_mut(place) {
                *slot = byte;
            }
            typed.length += 1;
        }
    }
    crate::events::send_global_virq(xen_abi::xen::VIRQ_CONSOLE);
}

/// Moves typed characters to `to`; answers how many.
pub fn read(to: &mut [u8]) -> usize {
    let mut typed = TYPED.lock();
    let count = to.len().min(typed.length);
    for slot in to.iter_mut().take(count) {
        *slot = typed.bytes.get(typed.head).copied().unwrap_or(0);
        typed.head = (typed.head + 1) % SIZE;
        typed.length -= 1;
    }
    count
}
