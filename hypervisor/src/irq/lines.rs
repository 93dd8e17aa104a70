//! The machine's interrupt lines: where each goes, who gets it, and what is owed to its controller.
//!
//! A level-triggered line is masked when it arrives and unmasked when its guest says that the device was served, so
//! that the processor owes nothing meanwhile. An edge-triggered one, a message above all, is done with at once.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hw::apic;
use hw::ioapic::{IoApics, Route};
use hw::percpu::PerCpu;
use hw::sync::SpinLock;
use spin::Once;
use vocabulary::{refuse, DomainId, Errno, Refused};

use super::messages::Wire;
use super::takers::{Taker, Takers, Told};
use super::vectors::{self, Place};
use super::{FIRST_LINE_VECTOR, LAST_LINE_VECTOR};
use crate::console::print;
use crate::{domains, events, levels, processors};

/// Lines of messages there can be for each processor, and in any case.
const MESSAGES_EACH: usize = 64;
const MESSAGES_LEAST: usize = 256;
const MESSAGES_MOST: usize = 8192;
/// Interrupts that find the vCPU on another processor, no more than as many apart, before the line follows it there.
const PATIENCE: u8 = 16;
/// The highest APIC number that a line can be sent to without interrupt remapping.
const HIGHEST_APIC: u32 = 254;

/// What raises a line.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A pin of an I/O APIC.
    Pin {
        /// The global system interrupt.
        gsi: u32,
        /// Level-triggered.
        level: bool,
        /// Active low.
        low: bool,
        /// Dom0 said how it is wired.
        set_up: bool,
    },
    /// A device's message.
    Message(Wire),
    /// Nothing: the line is free.
    None,
}

/// One line.
#[derive(Debug)]
pub struct Line {
    /// What raises it.
    pub source: Source,
    /// It is the hypervisor's console's.
    console: bool,
    /// The domains that get it.
    pub takers: Takers,
    /// Where it is sent.
    place: Option<Place>,
    /// Where it was sent before: an interrupt may still be on its way there.
    previous: Option<Place>,
    /// The processor it is to be sent to next, once nothing is on its way to the previous place.
    wanted: Option<usize>,
    /// Interrupts that found the vCPU elsewhere.
    misplaced: u8,
    /// The count at the last of them.
    misplaced_at: u64,
    /// Interrupts since it was bound.
    count: u64,
}

/// Interrupts by vectors that led nowhere any more.
static STRAYS: AtomicU64 = AtomicU64::new(0);
static LINES: Once<Box<[SpinLock<Line, { levels::INTERRUPTS }>]>> = Once::new();
static CONTROLLERS: SpinLock<Option<IoApics>, { levels::BOARD }> = SpinLock::new(None);
static PINS: Once<u32> = Once::new();

/// Makes the lines: the pins of the controllers, then messages, by how many processors there can be.
pub fn initialise(controllers: Option<IoApics>, processors: usize) {
    let pins = controllers.as_ref().map_or(0, IoApics::gsi_count);
    let wiring = |gsi| {
        controllers
            .as_ref()
            .map_or((false, false), |it| it.default_wiring(gsi))
    };
    let messages = (MESSAGES_EACH * processors).clamp(MESSAGES_LEAST, MESSAGES_MOST);
    let mut lines = Vec::new();
    for gsi in 0..pins {
        let (low, level) = wiring(gsi);
        lines.push(SpinLock::new(Line::new(Source::Pin {
            gsi,
            level,
            low,
            set_up: false,
        })));
    }
    lines.extend((0..messages).map(|_| SpinLock::new(Line::new(Source::None))));
    LINES.call_once(|| lines.into_boxed_slice());
    PINS.call_once(|| pins);
    *CONTROLLERS.lock() = controllers;
}

/// Lines that are pins; their numbers are the global system interrupts'.
pub fn pins() -> u32 {
    PINS.get().copied().unwrap_or(0)
}

/// All lines.
pub fn count() -> u32 {
    LINES.get().map_or(0, |lines| lines.len() as u32)
}

/// Runs `work` with the controllers.
pub fn with_controllers<R>(work: impl FnOnce(&mut IoApics) -> R) -> Option<R> {
    CONTROLLERS.lock().as_mut().map(work)
}

/// Runs `work` with a line.
pub fn with<R>(number: u16, work: impl FnOnce(&mut Line) -> R) -> Option<R> {
    let line = LINES.get()?.get(usize::from(number))?;
    Some(work(&mut line.lock()))
}

/// Takes a free line for a message.
pub fn take_message(wire: Wire) -> Refused<u16> {
    let first = pins() as usize;
    let lines = LINES
        .get()
        .map_or(&[][..], |lines| lines.get(first..).unwrap_or(&[]));
    for (offset, line) in lines.iter().enumerate() {
        let mut line = line.lock();
        if matches!(line.source, Source::None) {
            *line = Line::new(Source::Message(wire));
            return Ok((first + offset) as u16);
        }
    }
    refuse(Errno::ENOSPC, "all lines for messages are in use")
}

/// Shows the lines in use, for a debug key.
pub fn show() {
    for (number, line) in LINES.get().into_iter().flatten().enumerate() {
        let line = line.lock();
        let Some(place) = line.place else { continue };
        let source = match line.source {
            Source::Pin { level: true, .. } => "level",
            Source::Pin { .. } => "edge",
            Source::Message(_) => "message",
            Source::None => "none",
        };
        print(format_args!(
            "(XEN) line {number} ({source}): CPU{} vector {:#x}, {}{}, {} so far\n",
            place.processor,
            place.vector,
            if line.console { "the console" } else { "" },
            line.takers,
            line.count
        ));
    }
    print(format_args!(
        "(XEN) late interrupts: {}; NMIs that nothing explains: {}\n",
        STRAYS.load(Relaxed),
        super::errors::unknown_nmis()
    ));
}

/// What became of an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// It is done with.
    Done,
    /// It is the console's.
    Console,
}

/// An interrupt arrived here by a vector given to lines.
pub fn arrived(vector: u8) -> Arrived {
    let Some((place, number)) = vectors::line_here(vector) else {
        // One that was on its way to where its line was sent before: see `Line::send_to`.
        apic::end_of_interrupt();
        STRAYS.fetch_add(1, Relaxed);
        return Arrived::Done;
    };
    let Some((told, console)) = with(number, |line| (line.arrive(number, place), line.console))
    else {
        return Arrived::Done;
    };
    for (position, taker) in told.iter().enumerate() {
        domains::with(taker.domain, |domain| {
            events::raise_pirq(domain, taker.pirq);
            let home = domain
                .vcpu(taker.vcpu)
                .map(|vcpu| vcpu.processor.load(Relaxed) as usize);
            // One that is shared follows the first that has it.
            if let Some(home) = home.filter(|&home| position == 0 && home != place.processor) {
                with(number, |line| line.follow(number, home));
            }
        });
    }
    if console {
        Arrived::Console
    } else {
        Arrived::Done
    }
}

impl Line {
    const fn new(source: Source) -> Self {
        Self {
            source,
            console: false,
            takers: Takers::new(),
            place: None,
            previous: None,
            wanted: None,
            misplaced: 0,
            misplaced_at: 0,
            count: 0,
        }
    }

    /// Whether its interrupts have to be ended by who gets them.
    pub const fn needs_end(&self) -> bool {
        matches!(self.source, Source::Pin { level: true, .. })
    }

    /// Whether nobody gets its interrupts.
    pub fn is_free(&self) -> bool {
        !self.console && self.takers.is_empty()
    }

    /// Does what the controllers are owed for an interrupt that arrived at `place`; gives who is to be told.
    fn arrive(&mut self, number: u16, place: Place) -> Told {
        let is_late = self.place != Some(place);
        self.count = self.count.wrapping_add(1);
        if let Source::Pin {
            gsi, level: true, ..
        } = self.source
        {
            with_controllers(|it| it.mask(gsi));
            apic::end_of_interrupt();
            if is_late {
                // The controller was told another vector meanwhile, so that the local APIC's word did not reach it.
                with_controllers(|it| it.end(gsi));
            }
        } else {
            apic::end_of_interrupt();
        }
        if self.is_free() {
            self.mask();
        } else if !is_late && !self.takers.is_empty() {
            if let Some(previous) = self.previous.take() {
                vectors::give_back(previous);
            }
            if let Some(wanted) = self.wanted.take() {
                // Where the other processor has no vector free, the line stays.
                let _ = self.send_to(number, wanted);
            }
        }
        self.takers.raised(self.needs_end())
    }

    /// Has the line follow its vCPU, which an interrupt just found at `home` instead of where it arrived, once that
    /// happened often enough.
    fn follow(&mut self, number: u16, home: usize) {
        let is_rare = self.count.wrapping_sub(self.misplaced_at) > u64::from(PATIENCE);
        self.misplaced = if is_rare {
            1
        } else {
            self.misplaced.saturating_add(1)
        };
        self.misplaced_at = self.count;
        if self.misplaced >= PATIENCE {
            self.misplaced = 0;
            // Where the other processor has no vector free, the line stays.
            let _ = self.send_to(number, home);
        }
    }

    /// Sends the line to a processor from now on, or, while an interrupt may still be on its way to where the line was
    /// sent before, as soon as one has arrived at where it is sent now. (What then still comes by the way before is
    /// older than that one, so that nothing is lost when its vector leads nowhere any more.)
    ///
    /// # Errors
    /// `ENOSPC`: the processor has no free vector.
    pub fn send_to(&mut self, number: u16, processor: usize) -> Refused<()> {
        let Some((processor, apic_id)) = reachable(processor) else {
            return refuse(Errno::ENODEV, "no processor that interrupts can be sent to");
        };
        self.wanted = None;
        if self.place.is_some_and(|place| place.processor == processor) {
            return Ok(());
        }
        let place = match self.previous.take() {
            Some(previous) if previous.processor == processor => previous,
            Some(previous) => {
                self.previous = Some(previous);
                self.wanted = Some(processor);
                return Ok(());
            }
            None => self.take_vector(number, processor)?,
        };
        self.previous = self.place.replace(place);
        self.program(place, apic_id);
        Ok(())
    }

    /// Takes a vector: the same as before, where that is free, which lets a message change its address only, in one
    /// step; at first one by the line's number, so that pins have different ones, as ending them by vector wants.
    fn take_vector(&self, number: u16, processor: usize) -> Refused<Place> {
        let spread = number % u16::from(LAST_LINE_VECTOR - FIRST_LINE_VECTOR);
        let first = FIRST_LINE_VECTOR.saturating_add(spread as u8);
        let wanted = self.place.map_or(first, |place| place.vector);
        match vectors::take(processor, Some(wanted), number) {
            Some(place) => Ok(place),
            None => refuse(Errno::ENOSPC, "the processor has no free interrupt vector"),
        }
    }

    /// Tells the controller or the device where the line is sent.
    fn program(&self, place: Place, apic_id: u8) {
        let vector = place.vector;
        match self.source {
            Source::Pin { gsi, .. } if self.previous.is_some() => {
                with_controllers(|it| it.redirect(gsi, vector, apic_id));
            }
            Source::Pin {
                gsi, level, low, ..
            } => {
                let route = Route {
                    vector,
                    apic_id,
                    low,
                    level,
                };
                with_controllers(|it| it.route(gsi, route));
                if level {
                    // One that its last owner never saw the end of would keep the pin from raising another.
                    with_controllers(|it| it.end(gsi));
                }
            }
            Source::Message(wire) => wire.set(apic_id, vector),
            Source::None => {}
        }
    }

    /// Holds the line back.
    pub fn mask(&mut self) {
        match self.source {
            Source::Pin { gsi, .. } => {
                with_controllers(|it| it.mask(gsi));
            }
            Source::Message(wire) => wire.mask(true),
            Source::None => {}
        }
    }

    /// Lets the line through.
    pub fn unmask(&mut self) {
        match self.source {
            Source::Pin { gsi, .. } => {
                with_controllers(|it| it.unmask(gsi));
            }
            Source::Message(wire) => wire.mask(false),
            Source::None => {}
        }
    }

    /// A domain has served its device: when all that were told have, a level-triggered line may come again.
    pub fn end(&mut self, domain: DomainId, pirq: u32) {
        if self.takers.ended(domain, pirq) {
            self.unmask();
        }
    }

    /// Gives the line to the hypervisor's console: sent to the boot processor and let through.
    pub fn bind_console(&mut self, number: u16) -> Refused<()> {
        if !self.is_free() {
            return refuse(Errno::EBUSY, "the interrupt is in use");
        }
        self.send_to(number, 0)?;
        self.console = true;
        self.unmask();
        Ok(())
    }

    /// Gives the line to a domain as well, where all that have it share it; the first one's is sent to `processor` and
    /// let through.
    ///
    /// # Errors
    /// `EBUSY`: it is somebody's who does not share. `ENOSPC`: no vector is free. `ENOMEM`.
    pub fn bind(
        &mut self,
        number: u16,
        taker: Taker,
        shares: bool,
        processor: usize,
    ) -> Refused<()> {
        if self.console {
            return refuse(Errno::EBUSY, "the interrupt is the hypervisor's console's");
        }
        let is_first = self.takers.is_empty();
        // A message tells once, and nobody would say whom it was for.
        self.takers.add(taker, shares && self.needs_end())?;
        if !is_first {
            return Ok(());
        }
        if let Err(refusal) = self.send_to(number, processor) {
            self.takers.remove(taker.domain, taker.pirq);
            return Err(refusal);
        }
        (self.misplaced, self.misplaced_at, self.count) = (0, 0, 0);
        self.unmask();
        Ok(())
    }

    /// Takes the line from a domain that has it by this number; from the last: masked, its vectors free.
    pub fn unbind(&mut self, domain: DomainId, pirq: u32) {
        if !self.takers.has(domain, pirq) {
            return;
        }
        let all_ended = self.takers.remove(domain, pirq);
        if !self.takers.is_empty() {
            if all_ended {
                self.unmask();
            }
            return;
        }
        self.mask();
        self.wanted = None;
        for place in [self.place.take(), self.previous.take()]
            .into_iter()
            .flatten()
        {
            vectors::give_back(place);
        }
    }

    /// Writes the message's destination once more, as after the device was reset.
    pub fn restore(&mut self) {
        let Source::Message(wire) = self.source else {
            return;
        };
        let Some((_, apic_id)) = self.place.and_then(|place| reachable(place.processor)) else {
            return;
        };
        if let Some(place) = self.place {
            wire.set(apic_id, place.vector);
            wire.mask(self.is_free());
        }
    }
}

/// A processor that interrupts can be sent to, and its APIC's number: the one asked for, else the boot processor.
fn reachable(processor: usize) -> Option<(usize, u8)> {
    let of = |index: usize| {
        let runs = processors::online().contains(index) || index == 0;
        let apic_id = PerCpu::apic_id_of(index).filter(|&id| runs && id <= HIGHEST_APIC)?;
        Some((index, apic_id as u8))
    };
    of(processor).or_else(|| of(0))
}
