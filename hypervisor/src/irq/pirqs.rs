//! A domain's interrupts by its own numbers (pirqs), and the page that tells it which of them it has to end.

use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};

use ::events::SharedPage;
use hw::pci::Function;
use hw::sync::SpinLock;
use spin::RwLock;
use vocabulary::{refuse, Errno, Mfn, Refused, VcpuId};

use super::lines::{self, Line, Source};
use super::messages::Wire;
use super::takers::Taker;
use crate::devices::PortBitmaps;
use crate::domain::Domain;
use crate::event_pages::{EventPage, Info};
use crate::vcpu::Vcpu;
use crate::{events as channels, levels};

/// First number that is given out for a pin where the domain names none: those below are the ISA bus's.
const FIRST_FREE_PIN: u32 = 16;

/// What one of the domain's numbers stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pirq {
    Free,
    /// Given out (`PHYSDEVOP_get_free_pirq`), for no line yet.
    Reserved,
    /// A line of the machine.
    Line(u16),
}

/// The interrupts of a domain.
pub struct DomainInterrupts {
    pirqs: SpinLock<Vec<Pirq>, { levels::PIRQS }>,
    /// The page with a bit for each number that has to be ended.
    end_page: RwLock<Option<EventPage>>,
    end_page_taken: AtomicBool,
    /// Ending an interrupt also unmasks its event channel (first version of the page).
    ends_unmask: AtomicBool,
    /// The vCPUs' I/O port bitmaps.
    pub ports: PortBitmaps,
}

impl DomainInterrupts {
    /// None yet; an unprivileged domain has no numbers at all before the first is mapped for it.
    pub fn new(privileged: bool) -> Self {
        let mut pirqs = Vec::new();
        if privileged {
            pirqs.resize(lines::count() as usize, Pirq::Free);
        }
        Self {
            pirqs: SpinLock::new(pirqs),
            end_page: RwLock::new(None),
            end_page_taken: AtomicBool::new(false),
            ends_unmask: AtomicBool::new(false),
            ports: PortBitmaps::new(),
        }
    }

    /// Makes room for as many numbers as there are lines. ENOMEM.
    fn make_room(&self) -> Refused<()> {
        let mut pirqs = self.pirqs.lock();
        let more = (lines::count() as usize).saturating_sub(pirqs.len());
        if pirqs.try_reserve_exact(more).is_err() {
            return refuse(Errno::ENOMEM, "no memory for the domain's interrupts");
        }
        let count = pirqs.len() + more;
        pirqs.resize(count, Pirq::Free);
        Ok(())
    }

    /// The line of a number.
    fn line(&self, pirq: u32) -> Option<u16> {
        match self.pirqs.lock().get(pirq as usize) {
            Some(Pirq::Line(line)) => Some(*line),
            _ => None,
        }
    }

    /// Tells the guest whether it has to end the interrupt.
    fn show_end(&self, pirq: u32, needed: bool) {
        let page = self.end_page.read();
        let Some(page) = page.as_ref() else {
            return;
        };
        let (offset, bit) = ((pirq / 32 * 4) as usize, 1 << (pirq % 32));
        if needed {
            page.fetch_or(offset, bit);
        } else {
            page.fetch_and(offset, !bit);
        }
    }
}

/// How many numbers the domain has.
pub fn pirq_count(domain: &Domain) -> u32 {
    domain.interrupts.pirqs.lock().len() as u32
}

/// Gives a free number out: of a pin, from the lowest; of a message, from the highest.
fn find_free(pirqs: &[Pirq], message: bool) -> Refused<u32> {
    let pins = lines::pins();
    let is_free = |number: &u32| pirqs.get(*number as usize) == Some(&Pirq::Free);
    let found = match message {
        true => (pins..pirqs.len() as u32).rev().find(is_free),
        false => (FIRST_FREE_PIN..pins).find(is_free),
    };
    match found {
        Some(number) => Ok(number),
        None => refuse(
            Errno::ENOSPC,
            "all the domain's interrupt numbers are in use",
        ),
    }
}

/// Gives a free number out (`PHYSDEVOP_get_free_pirq`).
pub fn reserve(domain: &Domain, message: bool) -> Refused<u32> {
    let mut pirqs = domain.interrupts.pirqs.lock();
    let number = find_free(&pirqs, message)?;
    if let Some(slot) = pirqs.get_mut(number as usize) {
        *slot = Pirq::Reserved;
    }
    Ok(number)
}

/// Puts a line behind a number: `wanted`, or any for `None`.
fn place(pirqs: &mut [Pirq], line: u16, wanted: Option<u32>, message: bool) -> Refused<u32> {
    let current = pirqs.iter().position(|&pirq| pirq == Pirq::Line(line));
    let number = match (wanted, current) {
        (Some(wanted), Some(current)) if current as u32 == wanted => return Ok(wanted),
        (Some(_), Some(_)) => {
            return refuse(Errno::EEXIST, "the interrupt has another number already")
        }
        (None, Some(_)) => return refuse(Errno::EPERM, "the interrupt has a number already"),
        (Some(wanted), None) => wanted,
        (None, None) => find_free(pirqs, message)?,
    };
    match pirqs.get_mut(number as usize) {
        None => refuse(Errno::EINVAL, "the domain has no such interrupt number"),
        // Asked for again with another line, the number keeps the one that it has.
        Some(Pirq::Line(_)) => Ok(number),
        Some(slot) => {
            *slot = Pirq::Line(line);
            Ok(number)
        }
    }
}

/// Maps a global system interrupt (`MAP_PIRQ_TYPE_GSI`) and gives its number.
pub fn map_gsi(domain: &Domain, gsi: u32, wanted: Option<u32>) -> Refused<u32> {
    if gsi >= lines::pins() {
        return refuse(Errno::EINVAL, "there is no such global system interrupt");
    }
    if gsi == 0 {
        return refuse(
            Errno::EPERM,
            "interrupt 0 is the timer's, which no domain has",
        );
    }
    domain.interrupts.make_room()?;
    place(
        &mut domain.interrupts.pirqs.lock(),
        gsi as u16,
        wanted,
        false,
    )
}

/// A message interrupt that a domain asks for.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// The device, in segment 0.
    pub function: Function,
    /// The entry of its MSI-X table; `None` for MSI.
    pub entry: Option<u16>,
}

/// Maps a device's message (`MAP_PIRQ_TYPE_MSI` and its kin) and gives its number.
pub fn map_message(domain: &Domain, message: Message, wanted: Option<u32>) -> Refused<u32> {
    let wire = Wire::find(message.function, message.entry)?;
    domain.interrupts.make_room()?;
    let mut pirqs = domain.interrupts.pirqs.lock();
    let is_mapped = pirqs.iter().any(|pirq| match pirq {
        Pirq::Line(line) => is_message(*line, |of| of == wire.of()),
        _ => false,
    });
    if is_mapped {
        return refuse(Errno::EEXIST, "the device's message is mapped already");
    }
    let line = lines::take_message(wire)?;
    let number = place(&mut pirqs, line, wanted, true);
    let is_placed =
        number.is_ok_and(|number| pirqs.get(number as usize) == Some(&Pirq::Line(line)));
    lines::with(line, |line| {
        line.mask();
        if !is_placed {
            line.source = Source::None;
        }
    });
    number
}

/// Whether a line is a message that `is_it` accepts.
fn is_message(line: u16, is_it: impl FnOnce((Function, Option<u16>)) -> bool) -> bool {
    lines::with(line, |line| match line.source {
        Source::Message(wire) => is_it(wire.of()),
        _ => false,
    }) == Some(true)
}

/// Takes a number back (`PHYSDEVOP_unmap_pirq`); a line bound to an event channel is unbound.
pub fn unmap(domain: &Domain, pirq: u32) -> Refused<()> {
    let mut pirqs = domain.interrupts.pirqs.lock();
    let Some(slot) = pirqs
        .get_mut(pirq as usize)
        .filter(|slot| **slot != Pirq::Free)
    else {
        return refuse(Errno::EINVAL, "the domain has no such interrupt");
    };
    let was = core::mem::replace(slot, Pirq::Free);
    if let Pirq::Line(number) = was {
        lines::with(number, |line| {
            line.unbind(domain.id, pirq);
            if matches!(line.source, Source::Message(_)) {
                line.source = Source::None;
            }
        });
    }
    domain.interrupts.show_end(pirq, false);
    Ok(())
}

/// Whether the domain has a line by a number.
pub fn has(domain: &Domain, pirq: u32) -> bool {
    domain.interrupts.line(pirq).is_some()
}

/// Whether `pirq` may be bound to an event channel.
///
/// # Errors
/// `EINVAL`: the domain has no such number. `EPERM`: it stands for no interrupt that the domain was given.
pub fn check_bindable(domain: &Domain, pirq: u32) -> Refused<()> {
    match domain.interrupts.pirqs.lock().get(pirq as usize) {
        Some(Pirq::Line(_)) => Ok(()),
        Some(_) => refuse(
            Errno::EPERM,
            "the interrupt number is not mapped to an interrupt",
        ),
        None => refuse(Errno::EINVAL, "the domain has no such interrupt number"),
    }
}

/// Programs the line behind `pirq`, which was bound to an event channel that tells `vcpu`, and lets it through. A
/// level-triggered pin may be several domains', all of which say so (`shares`, which is `BIND_PIRQ__WILL_SHARE`).
///
/// # Errors
/// `EINVAL`: the number has no line. `EBUSY`: the line is somebody's. `ENOSPC`: no vector is free. `ENOMEM`.
pub fn bound(domain: &Domain, pirq: u32, vcpu: VcpuId, shares: bool) -> Refused<()> {
    let Some(number) = domain.interrupts.line(pirq) else {
        return refuse(Errno::EINVAL, "the interrupt is not mapped");
    };
    let processor = domain.vcpu(vcpu).map_or(0, |vcpu| processor_of(&vcpu));
    let taker = Taker::new(domain.id, pirq, vcpu);
    let needs_end = lines::with(number, |line| {
        line.bind(number, taker, shares, processor)
            .map(|()| line.needs_end())
    });
    domain
        .interrupts
        .show_end(pirq, needs_end.unwrap_or(Ok(false))?);
    Ok(())
}

/// Whether the line behind a number is another domain's too.
pub fn is_shared(domain: &Domain, pirq: u32) -> bool {
    let line = domain.interrupts.line(pirq);
    line.and_then(|number| lines::with(number, |line| line.takers.are_several())) == Some(true)
}

fn processor_of(vcpu: &Vcpu) -> usize {
    vcpu.processor.load(core::sync::atomic::Ordering::Relaxed) as usize
}

/// The event channel of `pirq` was closed: nobody gets its line any more.
pub fn unbound(domain: &Domain, pirq: u32) {
    if let Some(number) = domain.interrupts.line(pirq) {
        lines::with(number, |line| line.unbind(domain.id, pirq));
    }
    domain.interrupts.show_end(pirq, false);
}

/// The event channel of `pirq` tells another vCPU from now on: its line goes to where that runs.
pub fn follow(domain: &Domain, pirq: u32, vcpu: VcpuId) {
    let Some(number) = domain.interrupts.line(pirq) else {
        return;
    };
    let processor = domain.vcpu(vcpu).map_or(0, |vcpu| processor_of(&vcpu));
    lines::with(number, |line| {
        if line.takers.tell(domain.id, pirq, vcpu) {
            // Without a free vector there it stays where it is, which is right but slower.
            let _ = line.send_to(number, processor);
        }
    });
}

/// The guest served the device (`PHYSDEVOP_eoi`).
///
/// # Errors
/// `EINVAL`: no such interrupt.
pub fn end(domain: &Domain, pirq: u32) -> Refused<()> {
    let known = domain.interrupts.pirqs.lock().get(pirq as usize).copied();
    let number = match known {
        Some(Pirq::Line(number)) => Some(number),
        Some(Pirq::Reserved) => None,
        _ => return refuse(Errno::EINVAL, "the domain has no such interrupt"),
    };
    if domain.interrupts.ends_unmask.load(Acquire) {
        if let Some(effects) = unmask_channel(domain, pirq) {
            channels::carry_out(domain, effects);
        }
    }
    if let Some(number) = number {
        lines::with(number, |line| line.end(domain.id, pirq));
    }
    Ok(())
}

/// Unmasks the event channel of a pirq, if it has one.
fn unmask_channel(domain: &Domain, pirq: u32) -> Option<::events::Effects<'_>> {
    let port = domain.events.pirq_port(pirq)?;
    domain.events.unmask(&Info(domain), port).ok()
}

/// Checks that the domain has such a number.
///
/// # Errors
/// `EINVAL`: no such number.
pub fn check_number(domain: &Domain, pirq: u32) -> Refused<()> {
    if pirq < pirq_count(domain) {
        Ok(())
    } else {
        refuse(Errno::EINVAL, "the domain has no such interrupt number")
    }
}

/// Takes the page that shows which interrupts need an end (`PHYSDEVOP_pirq_eoi_gmfn_v1` and `_v2`); `unmask` is the
/// first version, where ending one unmasks its event channel too.
///
/// # Errors
/// `EINVAL`: not a frame of the domain's that may be written. `EBUSY`: there is one already.
pub fn set_end_page(domain: &Domain, frame: Mfn, unmask: bool) -> Refused<()> {
    let interrupts = &domain.interrupts;
    let Ok(page) = EventPage::take(domain, frame) else {
        return refuse(
            Errno::EINVAL,
            "the frame is not one of the domain's own that may be written",
        );
    };
    if interrupts.end_page_taken.swap(true, Release) {
        return refuse(Errno::EBUSY, "the domain has such a page already");
    }
    *interrupts.end_page.write() = Some(page);
    interrupts.ends_unmask.store(unmask, Release);
    Ok(())
}

/// Says how a pin is wired (`PHYSDEVOP_setup_gsi`).
///
/// # Errors
/// `EINVAL`: no such pin. `EEXIST`: that was said before.
pub fn set_up_gsi(gsi: u32, level: bool, low: bool) -> Refused<()> {
    let Ok(number) = u16::try_from(gsi) else {
        return refuse(Errno::EINVAL, "there is no such global system interrupt");
    };
    let result = lines::with(number, |line| match line.source {
        Source::Pin { set_up: true, .. } => {
            refuse(Errno::EEXIST, "the interrupt's wiring was given before")
        }
        Source::Pin { gsi, .. } if line.is_free() => {
            line.source = Source::Pin {
                gsi,
                level,
                low,
                set_up: true,
            };
            Ok(())
        }
        Source::Pin { .. } => refuse(Errno::EEXIST, "the interrupt is in use"),
        _ => refuse(Errno::EINVAL, "there is no such global system interrupt"),
    });
    result.unwrap_or(refuse(
        Errno::EINVAL,
        "there is no such global system interrupt",
    ))
}

/// Writes all messages of a device anew, whoever has it, after it was reset (`PHYSDEVOP_restore_msi`).
pub fn restore_messages(function: Function) {
    for number in (0..lines::count()).filter_map(|number| u16::try_from(number).ok()) {
        if is_message(number, |(of, _)| of == function) {
            lines::with(number, Line::restore);
        }
    }
}

/// Whether the device has MSI-X at all (`PHYSDEVOP_prepare_msix` and `_release_msix`).
///
/// # Errors
/// `ENODEV`: it does not, or there is no such device.
pub fn check_extended_messages(function: Function) -> Refused<()> {
    match Wire::find(function, Some(0)) {
        Err(refusal) if refusal.errno == Errno::ENODEV => Err(refusal),
        _ => Ok(()),
    }
}

/// Gives the page back that tells a dying domain which interrupts it has to end.
pub fn drop_end_page(domain: &Domain) {
    let page = domain.interrupts.end_page.write().take();
    drop(page);
}

/// Takes all numbers from a dying domain.
pub fn unmap_all(domain: &Domain) {
    for pirq in 0..pirq_count(domain) {
        // One that stands for nothing: as well.
        let _ = unmap(domain, pirq);
    }
}

/// Unmaps all messages of a device that is gone.
pub fn unmap_device(domain: &Domain, function: Function) {
    for (pirq, line) in mapped(domain) {
        if is_message(line, |(of, _)| of == function) {
            // Somebody else unmapped it meanwhile: as well.
            let _ = unmap(domain, pirq);
        }
    }
}

/// The domain's numbers that stand for lines, and those.
fn mapped(domain: &Domain) -> Vec<(u32, u16)> {
    let pirqs = domain.interrupts.pirqs.lock();
    let lines = pirqs
        .iter()
        .enumerate()
        .filter_map(|(number, pirq)| match pirq {
            Pirq::Line(line) => Some((number as u32, *line)),
            _ => None,
        });
    lines.collect()
}
